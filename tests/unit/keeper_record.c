/* The record file: kept over a restart of the keeper in the same boot, never trusted otherwise, and
 * readable by the other side while it grows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/record.h"
#include "unit.h"

#define PLAN_FLAGS 0x11
/* Slots with a part in the tests below. */
#define FRESH 2		/* its keeper died before it could note the proof */
#define ENDING 3	/* its keeper died before it could say EXITED */
#define PREPARED 6	/* its keeper died before it made the child */

static char base[64];
static int dirfd;

static void setup(void)
{
	snprintf(base, sizeof(base), "%s/record-unit-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(base));
	dirfd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd, 0);
}

static void teardown(void)
{
	unlinkat(dirfd, RECORDS_FILE, 0);
	unlinkat(dirfd, RECORDS_FILE ".bad", 0);
	close(dirfd);
	rmdir(base);
}

static void create(struct records *r, uint32_t nslots, bool expect_set_aside)
{
	bool set_aside;

	*r = (struct records){ .fd = -1 };
	ck_assert_int_eq(records_create(r, dirfd, nslots, &set_aside), 0);
	ck_assert_int_eq(set_aside, expect_set_aside);
}

/* Change one field of the header behind the back of everyone. */
static void damage(off_t at, const void *bytes, size_t n)
{
	int fd = openat(dirfd, RECORDS_FILE, O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	close(fd);
}

static int reopen_readonly(void)
{
	return openat(dirfd, RECORDS_FILE, O_RDONLY | O_CLOEXEC);
}

START_TEST(records_outlive_their_keeper)
{
	struct records r;

	create(&r, 4, false);
	record_get(&r, 3)->pid = 4711;
	record_get(&r, 3)->spawn_id = 42;
	atomic_store(&record_get(&r, 3)->state, RECORD_RUNNING);
	records_unmap(&r);
	create(&r, 4, false);
	ck_assert_int_eq(record_get(&r, 3)->pid, 4711);
	ck_assert_uint_eq(record_get(&r, 3)->spawn_id, 42);
	ck_assert_uint_eq(atomic_load(&record_get(&r, 3)->state), RECORD_RUNNING);
	records_unmap(&r);
}
END_TEST

/* What it holds may be running: set aside, it would be started a second time. */
START_TEST(without_descriptors_the_file_is_refused_and_left_as_it_is)
{
	struct records r;
	struct rlimit full, now;
	bool set_aside;

	create(&r, 4, false);
	record_get(&r, 3)->pid = 4711;
	records_unmap(&r);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &full), 0);
	now = full;
	now.rlim_cur = (rlim_t)(dirfd + 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	r = (struct records){ .fd = -1 };
	ck_assert_int_eq(records_create(&r, dirfd, 4, &set_aside), -EMFILE);
	ck_assert(!set_aside);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &full), 0);
	create(&r, 4, false);
	ck_assert_int_eq(record_get(&r, 3)->pid, 4711);
	records_unmap(&r);
}
END_TEST

START_TEST(a_foreign_file_is_set_aside)
{
	const char *contents[] = { "", "hello", NULL };
	struct records r;
	struct stat st;

	for (int i = 0; contents[i]; i++) {
		int fd = openat(dirfd, RECORDS_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		ck_assert_int_eq(write(fd, contents[i], strlen(contents[i])),
				 (ssize_t)strlen(contents[i]));
		close(fd);
		create(&r, 1, true);
		records_unmap(&r);
		ck_assert_int_eq(fstatat(dirfd, RECORDS_FILE ".bad", &st, 0), 0);
	}
}
END_TEST

START_TEST(a_file_of_another_boot_is_set_aside)
{
	struct records r;

	create(&r, 1, false);
	records_unmap(&r);
	damage(offsetof(struct records_header, boot_id), "ffff", 4);
	create(&r, 1, true);
	records_unmap(&r);
}
END_TEST

START_TEST(a_file_of_another_version_is_set_aside)
{
	uint32_t version = RECORDS_VERSION + 1;
	struct records r;

	create(&r, 1, false);
	records_unmap(&r);
	damage(offsetof(struct records_header, version), &version, sizeof(version));
	create(&r, 1, true);
	records_unmap(&r);
}
END_TEST

/* A record in each state of its life. */
static void fill(struct record *r, uint32_t slot, enum record_state state)
{
	r->spawn_id = 100 + slot;
	r->flags = PLAN_FLAGS;
	snprintf(r->name, sizeof(r->name), "web@%u", slot);
	r->started_mono_ns = 77;
	record_seal_prepared(r);
	if (slot == FRESH)
		r->pid = 4242;	/* as the child says it */
	if (slot != FRESH && slot != PREPARED) {
		r->pid = 5000 + (int)slot;
		r->pidfd_ino = 0xabcdef + slot;
		r->started_mono_ns = 78;
		record_seal(r);
	}
	if (state >= RECORD_EXITED || slot == ENDING) {
		r->wait_status = 7 << 8;
		r->exited_mono_ns = 99;
		record_seal_end(r);
	}
	atomic_store(&r->state, state);
}

static const struct life {
	uint32_t slot;
	enum record_state state;
	enum record_verdict verdict;
} lives[] = {
	{ 1, RECORD_RUNNING, RECORD_ALIVE },
	{ FRESH, RECORD_RUNNING, RECORD_ALIVE },
	{ ENDING, RECORD_RUNNING, RECORD_ENDED },
	{ 4, RECORD_EXITED, RECORD_ENDED },
	{ 5, RECORD_GONE, RECORD_ENDED },
	{ PREPARED, RECORD_FREE, RECORD_EMPTY },
};

static const struct life *life_of(uint32_t slot)
{
	for (size_t i = 0; i < ARRAY_LEN(lives); i++)
		if (lives[i].slot == slot)
			return &lives[i];
	return NULL;
}

static void fill_all(struct records *r)
{
	create(r, 1, false);
	for (size_t i = 0; i < ARRAY_LEN(lives); i++)
		fill(record_get(r, lives[i].slot), lives[i].slot, lives[i].state);
}

START_TEST(every_state_of_a_record_is_understood)
{
	struct records r;

	fill_all(&r);
	for (uint32_t slot = 0; slot < 16; slot++) {
		const struct life *life = life_of(slot);

		ck_assert_int_eq(record_judge(record_get(&r, slot), slot),
				 life != NULL ? life->verdict : RECORD_EMPTY);
	}
	record_clear(record_get(&r, 4));
	ck_assert_int_eq(record_judge(record_get(&r, 4), 4), RECORD_EMPTY);
	records_unmap(&r);
}
END_TEST

/* What a successor would act upon, of a record that it believes. */
static bool same_facts(const struct record *a, const struct record *b, enum record_verdict v)
{
	return a->slot == b->slot && a->spawn_id == b->spawn_id && a->flags == b->flags &&
	       strcmp(a->name, b->name) == 0 &&
	       (a->slot == FRESH || a->slot == PREPARED ||
		(a->pid == b->pid && a->pidfd_ino == b->pidfd_ino &&
		 a->start_ticks == b->start_ticks && a->started_mono_ns == b->started_mono_ns)) &&
	       (v != RECORD_ENDED || (a->wait_status == b->wait_status &&
				      a->exited_mono_ns == b->exited_mono_ns));
}

/* No seal covers: rusage and KILLED (shown, never decided by), FATE (found out anew), the pad;
 * and of a child that had no time to be sealed the pid and its proof, which the marker has to
 * confirm. */
START_TEST(no_flipped_bit_of_a_record_becomes_a_wrong_fact)
{
	size_t noticed = 0, harmless = 0;
	struct records r;

	fill_all(&r);
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		struct record *now = record_get(&r, lives[i].slot), before;

		memcpy(&before, now, sizeof(before));
		for (size_t bit = 0; bit < 8 * sizeof(before); bit++) {
			enum record_verdict v;

			((unsigned char *)now)[bit / 8] ^= (unsigned char)(1u << bit % 8);
			v = record_judge(now, lives[i].slot);
			if (v == RECORD_DAMAGED) {
				noticed++;
			} else {
				harmless++;
				ck_assert_msg(v == lives[i].verdict && same_facts(now, &before, v),
					      "slot %u bit %zu: %d", lives[i].slot, bit, (int)v);
			}
			memcpy(now, &before, sizeof(before));
		}
	}
	ck_assert_uint_gt(noticed, 5 * 8 * (sizeof(uint64_t) * 4 + NAME_CAP));
	ck_assert_uint_gt(harmless, 0);
	records_unmap(&r);
}
END_TEST

static struct stat file_stat(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd, RECORDS_FILE, &st, 0), 0);
	return st;
}

START_TEST(a_cut_file_keeps_every_whole_record)
{
	struct records r;
	off_t size;

	fill_all(&r);
	size = file_stat().st_size;
	records_unmap(&r);
	for (off_t cut = 0; cut < size; cut++) {
		bool set_aside;
		int fd;

		unlinkat(dirfd, RECORDS_FILE, 0);
		fill_all(&r);
		records_unmap(&r);
		fd = openat(dirfd, RECORDS_FILE, O_RDWR | O_CLOEXEC);
		ck_assert_int_eq(ftruncate(fd, cut), 0);
		close(fd);
		ck_assert_int_eq(records_create(&r, dirfd, 1, &set_aside), 0);
		ck_assert_int_eq(set_aside, cut < (off_t)sizeof(struct records_header));
		ck_assert(set_aside || r.header->cut);
		for (uint32_t slot = 0; slot < 16; slot++) {
			off_t begin = (off_t)(sizeof(struct records_header) +
					      slot * sizeof(struct record));
			const struct life *life = life_of(slot);
			enum record_verdict v = record_judge(record_get(&r, slot), slot);

			if (life != NULL && cut >= begin + (off_t)sizeof(struct record))
				ck_assert_int_eq(v, life->verdict);
			else if (life == NULL || cut <= begin)
				ck_assert_int_eq(v, RECORD_EMPTY);
			else
				ck_assert(v == RECORD_DAMAGED || v == RECORD_EMPTY ||
					  v == life->verdict);
		}
		records_unmap(&r);
	}
}
END_TEST

/* Everything else in the header is said anew by each keeper, or has a seal of its own. */
START_TEST(no_flipped_bit_of_the_header_is_believed)
{
	struct records r;
	char group[32];

	fill_all(&r);
	records_group_set(r.header, "procd-17");
	records_unmap(&r);
	for (size_t bit = 0; bit < 8 * sizeof(struct records_header); bit++) {
		size_t at = bit / 8;
		bool covered = at < offsetof(struct records_header, keeper_pid) ||
			       (at >= offsetof(struct records_header, checksum) &&
				at < offsetof(struct records_header, cgroup_seal));
		unsigned char byte;
		bool set_aside;
		int fd = openat(dirfd, RECORDS_FILE, O_RDWR | O_CLOEXEC);

		ck_assert_int_eq(pread(fd, &byte, 1, (off_t)at), 1);
		byte ^= (unsigned char)(1u << bit % 8);
		ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
		close(fd);
		ck_assert_int_eq(records_create(&r, dirfd, 1, &set_aside), 0);
		/* the records stand for themselves */
		ck_assert(!set_aside);
		ck_assert_uint_eq(r.header->damaged, covered);
		ck_assert_uint_eq(r.header->magic, RECORDS_MAGIC);
		records_group_get(r.header, group);
		ck_assert(strcmp(group, "procd-17") == 0 || group[0] == '\0');
		ck_assert_uint_ge(atomic_load(&r.header->nslots), 16);
		ck_assert_int_eq(record_judge(record_get(&r, 5), 5), RECORD_ENDED);
		records_unmap(&r);
		unlinkat(dirfd, RECORDS_FILE, 0);
		fill_all(&r);
		records_group_set(r.header, "procd-17");
		records_unmap(&r);
		if (at >= offsetof(struct records_header, pad))
			bit += 60;	/* one in each byte is enough here */
	}
}
END_TEST

START_TEST(a_damaged_header_without_records_is_set_aside)
{
	struct records r;

	create(&r, 1, false);
	records_unmap(&r);
	damage(offsetof(struct records_header, boot_id), "ffff", 4);
	create(&r, 1, true);
	ck_assert_uint_eq(r.header->damaged, 0);
	records_unmap(&r);
}
END_TEST

START_TEST(a_link_in_its_place_is_not_followed)
{
	struct records r;
	struct stat st;

	ck_assert_int_eq(symlinkat("/etc/passwd", dirfd, RECORDS_FILE), 0);
	create(&r, 1, true);
	records_unmap(&r);
	ck_assert_int_eq(fstatat(dirfd, RECORDS_FILE, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_reader_sees_the_file_grow)
{
	struct records r, reader = { .fd = -1 };
	struct record *early;

	create(&r, 1, false);
	early = record_get(&r, 0);
	ck_assert_int_eq(records_map(&reader, reopen_readonly()), 0);
	ck_assert_int_eq(records_grow(&r, 5000), 0);
	ck_assert_uint_ge(atomic_load(&reader.header->nslots), 5000);
	record_get(&r, 4999)->pid = 7;
	atomic_store(&record_get(&r, 4999)->state, RECORD_EXITED);
	ck_assert_uint_eq(atomic_load(&record_get(&reader, 4999)->state), RECORD_EXITED);
	ck_assert_int_eq(record_get(&reader, 4999)->pid, 7);
	ck_assert_uint_eq(record_get(&reader, 4999)->slot, 4999);
	ck_assert_ptr_eq(early, record_get(&r, 0));
	records_unmap(&reader);
	records_unmap(&r);
}
END_TEST

START_TEST(growing_ends_at_the_limit)
{
	struct records r;

	create(&r, 1, false);
	ck_assert_int_eq(records_grow(&r, RECORDS_MAX_SLOTS + 1), -ENOSPC);
	ck_assert_int_eq(records_grow(&r, 1), 0);
	records_unmap(&r);
}
END_TEST

START_TEST(a_reader_refuses_what_is_no_record_file)
{
	struct records reader = { .fd = -1 };
	int fd = openat(dirfd, RECORDS_FILE, O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, 8192), 0);
	ck_assert_int_eq(records_map(&reader, fd), -EBADMSG);
	fd = open("/dev/null", O_RDONLY);
	ck_assert_int_lt(records_map(&reader, fd), 0);
}
END_TEST

static struct record ended_or_running(bool ended)
{
	struct record r = { .slot = 5, .spawn_id = 9, .pid = 100, .start_ticks = 1000,
			    .started_mono_ns = 1, .flags = PLAN_FLAGS, .name = "web" };

	record_seal(&r);
	atomic_store(&r.state, RECORD_RUNNING);
	if (!ended)
		return r;
	r.wait_status = 256;
	r.exited_mono_ns = 2;
	record_seal_end(&r);
	atomic_store(&r.state, RECORD_EXITED);
	return r;
}

/* Is R, as a successor makes it out, about the new process? It is about one of the two, wholly. */
static bool is_followed(struct record r, bool ended)
{
	enum record_verdict verdict;

	record_finish_follow(&r, 5);
	verdict = record_judge(&r, 5);
	if (r.pid == 100) {
		ck_assert_int_eq(verdict, ended ? RECORD_ENDED : RECORD_ALIVE);
		ck_assert_uint_eq(r.start_ticks, 1000);
		ck_assert_int_eq(record_session(&r), 100);
		return false;
	}
	ck_assert_int_eq(verdict, RECORD_ALIVE);
	ck_assert_int_eq(r.pid, 200);
	ck_assert_uint_eq(r.start_ticks, 0);
	ck_assert_uint_eq(r.pidfd_ino, 77);
	ck_assert_int_eq(record_session(&r), 100);
	ck_assert_int_eq(r.exited_mono_ns, 0);
	return true;
}

/* Another process writes, and is looked at after each of its instructions. */
static void follow_step_by_step(struct record *shared, bool ended)
{
	struct record seen = *shared;
	bool followed = false;
	int status, changes = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		record_follow(shared, 200, 0, 77);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (memcmp(&seen, shared, sizeof(seen)) != 0) {
			bool now;

			seen = *shared;
			now = is_followed(seen, ended);
			ck_assert(now || !followed);
			followed = now;
			changes++;
		}
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			break;
	}
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		return;		/* nobody may look here */
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_int_ge(changes, 5);	/* no less than the fields */
	ck_assert(followed);
	ck_assert_uint_eq(shared->next.seal, 0);
}

START_TEST(whenever_its_keeper_dies_a_followed_process_is_the_old_or_the_new_one)
{
	struct record *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(shared, MAP_FAILED);
	for (int ended = 0; ended <= 1; ended++) {
		*shared = ended_or_running(ended);
		follow_step_by_step(shared, ended);
	}
	munmap(shared, sizeof(*shared));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		records_outlive_their_keeper,
		without_descriptors_the_file_is_refused_and_left_as_it_is,
		a_foreign_file_is_set_aside,
		a_file_of_another_boot_is_set_aside, a_file_of_another_version_is_set_aside,
		every_state_of_a_record_is_understood,
		no_flipped_bit_of_a_record_becomes_a_wrong_fact,
		a_cut_file_keeps_every_whole_record, no_flipped_bit_of_the_header_is_believed,
		a_damaged_header_without_records_is_set_aside,
		a_link_in_its_place_is_not_followed,
		a_reader_sees_the_file_grow, growing_ends_at_the_limit,
		a_reader_refuses_what_is_no_record_file,
		whenever_its_keeper_dies_a_followed_process_is_the_old_or_the_new_one,
	};

	return unit_run_in("keeper: record", setup, teardown, tests, ARRAY_LEN(tests));
}
