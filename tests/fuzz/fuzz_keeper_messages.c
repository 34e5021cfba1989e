/* A supervisor gone mad: whatever packets it sends, with a descriptor or without, the keeper takes
 * them or says that they are nonsense; the slots stay consistent, no descriptor is lost, and what it
 * answers is well formed. No process is made and none is signalled: the kernel refuses both here.
 * SETUP, which would make directories, is refused by the state that the keeper is in. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "keeper/features.h"
#include "keeper/inner.h"
#include "keeper/supervise.h"
#include "fuzz.h"

/* The leak checker makes a process of the kind that is refused here. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

#define NOBODY 0x3ffffe		/* a pid above what the kernel gives away by default */

static struct keeper *k;
static int supervisor_end;

#define IF(op, value, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (value), (yes), (no))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))

/* What shares our memory and is no thread is a child of the keeper's kind; the symbolizer of the
 * sanitizers, which is forked, may come. */
static void refuse_processes(void)
{
	struct sock_filter code[] = {
		LOAD(nr),
		IF(BPF_JEQ, SYS_kill, 7, 0),
		IF(BPF_JEQ, SYS_pidfd_send_signal, 6, 0),
		IF(BPF_JEQ, SYS_clone3, 6, 0),
		IF(BPF_JEQ, SYS_clone, 0, 3),
		LOAD(args[0]),
		IF(BPF_JSET, CLONE_THREAD, 1, 0),
		IF(BPF_JSET, CLONE_VM, 1, 0),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
		ANSWER(SECCOMP_RET_ERRNO | ENOSYS),
	};
	struct sock_fprog prog = { .len = ARRAY_LEN(code), .filter = code };

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
}

static void records_open(void)
{
	char dir[] = "/tmp/fuzz-messages-XXXXXX";
	bool set_aside;
	int fd;

	check(mkdtemp(dir) != NULL);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(records_create(&k->records, fd, 32, &set_aside) == 0);
	unlinkat(fd, RECORDS_FILE, 0);	/* the mapping is enough */
	rmdir(dir);
	close(fd);
}

static void keeper_make(void)
{
	static char *no_argv[] = { NULL };
	static const struct keeper_options options = { .supervisor_argv = no_argv, .title = "fuzz" };

	k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(k != MAP_FAILED);
	k->options = &options;
	k->rundir.fd = k->rundir.lock_fd = k->rundir.pid_fd = -1;
	k->supervisor.pidfd = -1;
	k->epfd = epoll_create1(EPOLL_CLOEXEC);
	k->sigfd = -1;
	k->spawner.original.keeper_pid = getpid();
	k->spawner.vectors = mmap(NULL, (PLAN_MAX / sizeof(uint32_t)) * sizeof(char *),
				  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(child_stack_init(&k->spawner.stack) == 0);
	check(link_init(&k->link) == 0 && slots_init(&k->slots) == 0 && tree_init(k) == 0);
	reap_init(k);
	records_open();
	refuse_processes();
}

/* Nobody, in each state that a record can have. */
static void record_put(uint32_t slot, enum record_state state, uint32_t flags)
{
	struct record *r = record_get(&k->records, slot);

	record_clear(r);
	r->slot = slot;
	r->spawn_id = slot;
	r->flags = flags;
	r->pid = NOBODY;
	snprintf(r->name, sizeof(r->name), "s%u", slot);
	atomic_store(&r->state, state);
	if (state == RECORD_RUNNING)
		slots_add_pid(&k->slots, &k->records, slot);
}

static void begin(void)
{
	int fds[2];

	memset(k->slots.table, 0, 64 * sizeof(*k->slots.table));
	memset(k->slots.by_pid, 0, SLOT_BUCKETS * sizeof(*k->slots.by_pid));
	k->slots.untold_head = k->slots.untold_tail = k->slots.watched_head = SLOT_LIST_END;
	k->slots.running = 0;
	k->signals = k->signals_told = 6;
	k->tree.procs.looked_at_ns = INT64_MAX;	/* what /proc says is no part of this */
	for (uint32_t slot = 0; slot < 32; slot++)
		record_clear(record_get(&k->records, slot));
	record_put(0, RECORD_RUNNING, 0);
	record_put(1, RECORD_RUNNING, PLAN_TREE);
	record_put(2, RECORD_EXITED, PLAN_TREE);
	record_put(3, RECORD_GONE, 0);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	k->link.fd = fds[0];
	k->link.want_write = false;
	supervisor_end = fds[1];
	heartbeat_init(&k->heartbeat);
	upgrade_init(k);
	k->upgrade.phase = UPGRADE_IDLE;
	k->supervisor.state = SUPERVISOR_SERVING;
}

static void end(void)
{
	close(supervisor_end);
	link_close(k);
	for (uint32_t i = 0; i < k->hold.n; i++)
		close(k->hold.fds[i]);
	memset(&k->hold, 0, sizeof(k->hold));
	closep(&k->upgrade.exe);
	k->upgrade.exe = -1;
}

static void send_packet(const uint8_t *bytes, size_t n, bool with_fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	static char packet[16384];
	struct iovec iov = { .iov_base = packet, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = with_fd ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

	memcpy(packet, bytes, n);
	if (n >= sizeof(struct km_header))	/* so that it need not be guessed */
		memcpy(packet + offsetof(struct km_header, size), &(uint32_t){ (uint32_t)n }, 4);
	if (fd >= 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						  .cmsg_level = SOL_SOCKET,
						  .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	sendmsg(supervisor_end, &msg, MSG_NOSIGNAL);
	closep(&fd);
}

static void hear(void)
{
	static char buf[sizeof(struct km_welcome) + 4096];
	ssize_t n;

	while ((n = recv(supervisor_end, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		struct km_header h;

		check((size_t)n >= sizeof(h));
		memcpy(&h, buf, sizeof(h));
		check(h.size == (uint32_t)n && h.type > KM_WELCOME);
	}
}

static uint32_t running(void)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < 64 && slot < k->records.header->nslots; slot++) {
		uint32_t state = atomic_load(&record_get(&k->records, slot)->state);

		check(state < RECORD_NSTATES);
		n += state == RECORD_RUNNING;
	}
	return n;
}

static int first_free_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* Packets: a byte (bit 0: with a descriptor), two bytes of length, the packet. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	int free_fd;

	if (k == NULL)
		keeper_make();
	free_fd = first_free_fd();
	begin();
	for (size_t at = 0; at + 3 <= size;) {
		size_t n = bytes[at + 1] | (size_t)bytes[at + 2] << 8;
		bool with_fd = bytes[at] & 1;

		n = MIN(n, MIN(size - at - 3, (size_t)16384));
		send_packet(bytes + at + 3, n, with_fd);
		at += 3 + n;
		if (!link_receive(k, 16) || k->link.fd < 0)
			break;
		link_tell(k);
		hear();
	}
	check(running() == 2 && k->slots.running == 2);
	check(k->hold.n <= HOLD_MAX);
	end();
	check(first_free_fd() == free_fd);
	return 0;
}
