/* A descriptor that procd was given may be shared with a shell, so O_NONBLOCK must not be set on
 * it: pipes and terminals are opened anew through /proc, which gives a description of our own.
 * Where that is refused, poll first and write at most PIPE_BUF bytes. */
#include "output/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "output/datagram.h"
#include "output/lines.h"

#define PAUSE_FIRST_NS (100 * NS_PER_MS)
#define PAUSE_MAX_NS (5 * NS_PER_SEC)

static const char *const fd_names[] = { "stdin", "stdout", "stderr" };

void targets_init(struct targets *ts, struct ev_loop *loop, void (*ready)(void *ctx), void *ctx)
{
	*ts = (struct targets){ .loop = loop, .ready = ready, .ctx = ctx };
	list_init(&ts->all);
}

static void on_writable(struct loop_io *io, int revents)
{
	struct target *t = container_of(io, struct target, writable);

	(void)revents;
	loop_io_set(io, t->fd, 0);
	t->owner->ready(t->owner->ctx);
}

static struct target *target_new(struct targets *ts, enum target_kind kind)
{
	struct target *t = x_calloc(1, sizeof *t);

	t->owner = ts;
	t->refs = 1;
	t->kind = kind;
	t->number = t->fd = t->file.fd = -1;
	list_append(&ts->all, &t->link);
	loop_io_init(&t->writable, ts->loop, on_writable);
	return t;
}

struct target *target_file(struct targets *ts, const char *path, uint64_t max_size,
			   int64_t max_files)
{
	struct target *t = NULL;

	list_for_each(l, &ts->all) {
		struct target *other = list_entry(l, struct target, link);

		if (other->kind == TARGET_FILE && strcmp(other->file.path, path) == 0)
			t = other;
	}
	if (t != NULL) {
		t->refs++;
	} else {
		t = target_new(ts, TARGET_FILE);
		file_init(&t->file, path);
	}
	t->file.max_size = max_size;
	t->file.max_files = max_files;
	return t;
}

/* Is what ST tells of the stream that systemd has connected to its journal? "DEVICE:INODE" in
 * $JOURNAL_STREAM, which others inherit, too. Source: systemd.exec(5). */
static bool is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char expected[48];

	snprintf(expected, sizeof expected, "%llu:%llu", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	return stream != NULL && strcmp(stream, expected) == 0;
}

/* An own description without effect on others, where the kernel lets us. */
static void open_own(struct target *t)
{
	char path[40];
	struct stat st;

	t->fd = t->number;
	if (fstat(t->number, &st) < 0)
		return;
	t->regular = S_ISREG(st.st_mode);
	t->socket = S_ISSOCK(st.st_mode);
	t->terminal = isatty(t->number);
	t->journal = is_journal(&st);
	if (!S_ISFIFO(st.st_mode) && !t->terminal)
		return;
	snprintf(path, sizeof path, "/proc/self/fd/%d", t->number);
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return;
	t->fd = fd;
	t->own_fd = true;
}

struct target *target_fd(struct targets *ts, int fd)
{
	list_for_each(l, &ts->all) {
		struct target *other = list_entry(l, struct target, link);

		if (other->kind == TARGET_FD && other->number == fd) {
			other->refs++;
			return other;
		}
	}
	struct target *t = target_new(ts, TARGET_FD);

	t->number = fd;
	open_own(t);
	return t;
}

struct target *target_daemon(struct targets *ts, const char *address)
{
	list_for_each(l, &ts->all) {
		struct target *other = list_entry(l, struct target, link);

		if (other->kind == TARGET_DAEMON && strcmp(other->address, address) == 0) {
			other->refs++;
			return other;
		}
	}
	struct target *t = target_new(ts, TARGET_DAEMON);

	t->address = address;
	t->own_fd = true;
	return t;
}

static void hang_up(struct target *t)
{
	loop_io_set(&t->writable, -1, 0);
	closep(&t->fd);
	t->fd = -1;
}

void target_unref(struct target *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	loop_io_set(&t->writable, -1, 0);
	if (t->own_fd)
		closep(&t->fd);
	if (t->kind == TARGET_FILE)
		file_fini(&t->file);
	if (t->err != 0)
		t->owner->changed = true;
	list_remove(&t->link);
	free(t->carry);
	free(t);
}

void targets_reopen(struct targets *ts)
{
	list_for_each(l, &ts->all) {
		struct target *t = list_entry(l, struct target, link);

		if (t->kind == TARGET_FILE)
			file_reopen(&t->file);
		else if (t->kind == TARGET_DAEMON)
			hang_up(t);
		t->retry_at_ns = 0;
	}
}

void targets_wish_reopen(struct targets *ts)
{
	atomic_store(&ts->reopen_wished, true);
}

int64_t targets_next_retry(const struct targets *ts, int64_t now)
{
	int64_t first = 0;

	list_for_each(l, &ts->all) {
		const struct target *t = list_entry(l, struct target, link);

		if (t->err != 0 && t->retry_at_ns > now && (first == 0 || t->retry_at_ns < first))
			first = t->retry_at_ns;
	}
	return first;
}

static ssize_t failed(struct target *t, int err)
{
	int64_t now = clock_mono_ns();

	if (t->err != err) {
		t->owner->changed = true;
		/* Over the mailbox like every message; a broken own log says it on stderr. */
		if (t->err == 0)
			log_warn("cannot write %s: %s; trying again", target_name(t),
				 t->kind == TARGET_FILE ? file_refusal(err) : strerror(-err));
	}
	t->pause_ns = t->err == 0 ? PAUSE_FIRST_NS : MIN(2 * t->pause_ns, PAUSE_MAX_NS);
	t->err = err;
	t->retry_at_ns = now + t->pause_ns;
	return err;
}

static void succeeded(struct target *t)
{
	t->blocked_since_ns = 0;
	if (t->err == 0)
		return;
	t->err = 0;
	t->owner->changed = true;
	log_info("%s can be written again", target_name(t));
}

/* -EAGAIN, and the loop tells when there is room. */
static ssize_t blocked(struct target *t)
{
	if (t->blocked_since_ns == 0)
		t->blocked_since_ns = clock_mono_ns();
	loop_io_set(&t->writable, t->fd, EV_WRITE);
	return -EAGAIN;
}

static ssize_t write_some(struct target *t, const char *data, size_t n)
{
	if (t->socket)
		return send(t->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (t->own_fd || t->regular)
		return write(t->fd, data, n);
	struct pollfd p = { .fd = t->fd, .events = POLLOUT };

	if (poll(&p, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(t->fd, data, MIN(n, (size_t)PIPE_BUF));
}

/* Returns the bytes taken (0: none now) or negative errno. */
static ssize_t write_fd(struct target *t, const char *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = write_some(t, data + done, n - done);

		if (got > 0) {
			done += (size_t)got;
			t->blocked_since_ns = 0;
		} else if (got == 0 || errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			return done > 0 ? (ssize_t)done : -errno;
		}
	}
	return (ssize_t)done;
}

static int flush_carry(struct target *t)
{
	if (t->carry == NULL)
		return 0;
	ssize_t got = write_fd(t, t->carry + t->carry_at, t->carry_len - t->carry_at);

	if (got < 0)
		return (int)failed(t, (int)got);
	t->carry_at += (size_t)got;
	if (t->carry_at < t->carry_len)
		return (int)blocked(t);
	free(t->carry);
	t->carry = NULL;
	return 0;
}

static ssize_t prepare_daemon(struct target *t, size_t len)
{
	int fd = t->fd >= 0 ? t->fd : datagram_open(t->address);

	if (fd < 0)
		return failed(t, fd);
	t->fd = fd;
	return (ssize_t)len;
}

ssize_t target_prepare(struct target *t, const char *lines, size_t len)
{
	if (atomic_exchange(&t->owner->reopen_wished, false))
		targets_reopen(t->owner);
	if (t->err != 0 && clock_mono_ns() < t->retry_at_ns)
		return -EAGAIN;
	if (t->kind == TARGET_DAEMON)
		return prepare_daemon(t, len);
	if (t->kind == TARGET_FD) {
		int err = flush_carry(t);

		return err < 0 ? err : (ssize_t)len;
	}
	atomic_store(&t->owner->busy_since_ns, clock_mono_ns());
	ssize_t n = file_prepare(&t->file, lines, len);

	atomic_store(&t->owner->busy_since_ns, 0);
	return n < 0 ? failed(t, (int)n) : n;
}

static ssize_t write_file(struct target *t, const char *lines, size_t n)
{
	atomic_store(&t->owner->busy_since_ns, clock_mono_ns());
	int err = file_write(&t->file, lines, n);

	atomic_store(&t->owner->busy_since_ns, 0);
	if (err < 0)
		return failed(t, err);
	succeeded(t);
	return (ssize_t)n;
}

static ssize_t write_daemon(struct target *t, const char *lines, size_t n)
{
	ssize_t got = datagram_send(t->fd, lines, n);

	if (got < 0 && got != -EAGAIN) {
		hang_up(t);	/* a restarted daemon has a new socket */
		got = prepare_daemon(t, n);
		if (got < 0)
			return got;
		got = datagram_send(t->fd, lines, n);
	}
	if (got == -EAGAIN)
		return blocked(t);
	if (got < 0) {
		hang_up(t);
		return failed(t, (int)got);
	}
	succeeded(t);
	return got;
}

ssize_t target_write(struct target *t, const char *lines, size_t n)
{
	if (t->kind == TARGET_FILE)
		return write_file(t, lines, n);
	if (t->kind == TARGET_DAEMON)
		return write_daemon(t, lines, n);
	if (t->regular)
		atomic_store(&t->owner->busy_since_ns, clock_mono_ns());
	ssize_t got = write_fd(t, lines, n);

	atomic_store(&t->owner->busy_since_ns, 0);
	if (got < 0)
		return failed(t, (int)got);
	if (got == 0)
		return blocked(t);
	succeeded(t);
	if ((size_t)got == n || lines[got - 1] == '\n')
		return got;
	/* The reader has the beginning of a line: it gets the rest before anything else. */
	const char *nl = memchr(lines + got, '\n', n - (size_t)got);
	size_t end = nl != NULL ? (size_t)(nl - lines) + 1 : n;

	t->carry_len = end - (size_t)got;
	t->carry_at = 0;
	t->carry = x_malloc(t->carry_len);
	memcpy(t->carry, lines + got, t->carry_len);
	return (ssize_t)end;
}

bool target_stuck(const struct target *t)
{
	return t->err != 0 ||
	       (t->blocked_since_ns != 0 &&
		clock_mono_ns() - t->blocked_since_ns >= TARGET_STUCK_NS);
}

bool target_provable(const struct target *t)
{
	return t->kind == TARGET_FILE || t->regular;
}

const char *target_name(const struct target *t)
{
	if (t->kind == TARGET_FILE)
		return t->file.path;
	if (t->kind == TARGET_DAEMON)
		return t->address;
	return t->number < (int)ARRAY_LEN(fd_names) ? fd_names[t->number] : "the given descriptor";
}
