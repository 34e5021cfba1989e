/* probe/attempt against servers of every kind. A server is a thread with a script; the loop runs
 * until the answer is there. */
#include "probe/attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static struct ev_loop *loop;
static char dir[64], path[100];
static int calls;
static enum attempt_result result;
static char detail[160];

static void on_done(void *ctx, uint64_t tag, enum attempt_result r, const char *text)
{
	ck_assert_ptr_eq(ctx, &loop);
	ck_assert_uint_eq(tag, 77);
	calls++;
	result = r;
	snprintf(detail, sizeof(detail), "%s", text);
	ev_break(loop, EVBREAK_ALL);
}

static struct attempt *begin(const struct attempt_target *target, int64_t timeout_ms)
{
	struct attempt *a;

	calls = 0;
	a = attempt_start(loop, target, timeout_ms * NS_PER_MS, on_done, &loop, 77);
	ck_assert_int_eq(calls, 0);
	return a;
}

static void look(const struct attempt_target *target, int64_t timeout_ms)
{
	begin(target, timeout_ms);
	ev_run(loop, 0);
	ck_assert_int_eq(calls, 1);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(calls, 1);
}

static void expect(enum attempt_result wanted, const char *words)
{
	ck_assert_msg(result == wanted && strstr(detail, words) != NULL, "%d: %s", result, detail);
}

/* --- servers ------------------------------------------------------------------------------------ */

struct server {
	int fd;
	int port;
	/* what it says, in pieces; NULL ends it */
	const char *say[8];
	int pause_ms;		/* before each piece */
	bool keep_open, reset, flood;
	pthread_t thread;
};

static int listen_tcp(int family, int backlog, int *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&in :
						       (struct sockaddr *)&in6;
	socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, address, len) < 0 || listen(fd, backlog) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	getsockname(fd, address, &len);
	*port = ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
	return fd;
}

static int listen_unix(const char *name, int backlog)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(un.sun_path, name, n);
	if (*name == '@')
		un.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n +
					  (*name != '@'))), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	static char flood[4096];
	char request[2048];
	int c = accept(s->fd, NULL, NULL);

	if (c < 0 || recv(c, request, sizeof(request), 0) <= 0)
		return NULL;
	if (s->reset) {
		struct linger none = { .l_onoff = 1 };

		setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	}
	for (int i = 0; s->say[i] != NULL; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = s->pause_ms * NS_PER_MS }, NULL);
		if (send(c, s->say[i], strlen(s->say[i]), MSG_NOSIGNAL) < 0)
			break;
	}
	memset(flood, 'x', sizeof(flood));
	while (s->flood && send(c, flood, sizeof(flood), MSG_NOSIGNAL) > 0)
		;
	/* until the other end leaves */
	while (s->keep_open && recv(c, request, sizeof(request), 0) > 0)
		;
	close(c);
	return NULL;
}

static void ask_http(struct server *s, int64_t timeout_ms)
{
	struct attempt_target target = { .host = "127.0.0.1", .http = "/health" };

	s->fd = listen_tcp(AF_INET, 8, &s->port);
	target.port = s->port;
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
	look(&target, timeout_ms);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	snprintf(dir, sizeof(dir), "/tmp/procd-probe-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	loop = loop_new("auto");
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
	ev_loop_destroy(loop);
}

/* --- connections ------------------------------------------------------------------------------ */

START_TEST(a_listener_is_found)
{
	struct attempt_target tcp = { .host = "127.0.0.1" }, un = { .socket = path };
	int fd = listen_tcp(AF_INET, 8, &tcp.port);

	look(&tcp, 1000);
	expect(ATTEMPT_GOOD, "connected");
	tcp.host = "localhost";
	look(&tcp, 1000);
	expect(ATTEMPT_GOOD, "connected");
	close(fd);
	fd = listen_unix(path, 8);
	look(&un, 1000);
	expect(ATTEMPT_GOOD, "connected");
	close(fd);
}
END_TEST

START_TEST(a_name_without_a_file_is_found)
{
	char name[64];
	struct attempt_target un = { .socket = name };
	int fd;

	snprintf(name, sizeof(name), "@procd-probe-%d", getpid());
	fd = listen_unix(name, 8);
	look(&un, 1000);
	expect(ATTEMPT_GOOD, "connected");
	close(fd);
	look(&un, 1000);
	expect(ATTEMPT_BAD, "refused");
}
END_TEST

START_TEST(localhost_is_both_families)
{
	struct attempt_target tcp = { .host = "localhost" };
	int fd = listen_tcp(AF_INET6, 8, &tcp.port);

	if (fd < 0)
		return;		/* no IPv6 here */
	look(&tcp, 1000);
	expect(ATTEMPT_GOOD, "connected");
	close(fd);
	look(&tcp, 1000);
	expect(ATTEMPT_BAD, "cannot connect: Connection refused");
}
END_TEST

START_TEST(nobody_there_is_told_at_once)
{
	struct attempt_target tcp = { .host = "127.0.0.1" }, un = { .socket = path };
	int64_t began = clock_mono_ns();
	char longest[200];
	int fd = listen_tcp(AF_INET, 8, &tcp.port);

	close(fd);
	look(&tcp, 10000);
	expect(ATTEMPT_BAD, "cannot connect: Connection refused");
	look(&un, 10000);
	expect(ATTEMPT_BAD, "cannot connect: No such file or directory");
	close(listen_unix(path, 8));
	look(&un, 10000);
	expect(ATTEMPT_BAD, "cannot connect: Connection refused");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	un.socket = longest;
	look(&un, 10000);
	expect(ATTEMPT_BAD, "cannot connect: File name too long");
	ck_assert_int_lt(clock_mono_ns() - began, 5 * NS_PER_SEC);
}
END_TEST

/* The kernel gives a connecting socket the very port that it connects to, now and then. */
START_TEST(a_socket_that_meets_itself_has_found_nobody)
{
	struct attempt_target tcp = { .host = "127.0.0.1" };
	int low = 0, high = 0;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (f == NULL || fscanf(f, "%d %d", &low, &high) != 2)
		low = high = 0;
	if (f != NULL)
		fclose(f);
	if (low == 0)
		return;
	tcp.port = low + (high - low) / 2;
	for (int i = 0; i < 3000; i++) {
		look(&tcp, 1000);
		ck_assert_msg(result == ATTEMPT_BAD || strcmp(detail, "connected") == 0, "%s",
			      detail);
		if (result == ATTEMPT_GOOD)	/* somebody else may listen there */
			break;
	}
}
END_TEST

START_TEST(a_full_queue_ends_in_time)
{
	struct attempt_target un = { .socket = path };
	int fd = listen_unix(path, 0), clients[2];
	int64_t began = clock_mono_ns();
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memcpy(address.sun_path, path, strlen(path));
	for (int i = 0; i < 2; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(clients[i], (struct sockaddr *)&address, sizeof(address));
	}
	look(&un, 150);
	expect(ATTEMPT_BAD, "no connection within 150ms");
	ck_assert_int_ge(clock_mono_ns() - began, 150 * NS_PER_MS);
	/* and it is found when there is room again */
	begin(&un, 5000);
	close(accept(fd, NULL, NULL));
	ev_run(loop, 0);
	expect(ATTEMPT_GOOD, "connected");
	close(fd);
	close(clients[0]);
	close(clients[1]);
}
END_TEST

START_TEST(without_a_descriptor_nothing_is_known)
{
	struct attempt_target tcp = { .host = "127.0.0.1", .port = 1 };
	struct rlimit limit, none;

	look(&tcp, 1000);	/* the loop's own descriptors are there */
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	begin(&tcp, 1000);
	setrlimit(RLIMIT_NOFILE, &limit);
	ev_run(loop, 0);
	ck_assert_int_eq(calls, 1);
	expect(ATTEMPT_NOT_MADE, "cannot be asked: Too many open files");
}
END_TEST

/* --- answers ---------------------------------------------------------------------------------- */

START_TEST(the_status_decides)
{
	static const struct {
		const char *answer;
		enum attempt_result wanted;
		const char *words;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ATTEMPT_GOOD, "HTTP status 200" },
		{ "HTTP/1.0 204 No Content\r\n\r\n", ATTEMPT_GOOD, "HTTP status 204" },
		{ "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", ATTEMPT_GOOD, "HTTP status 302" },
		{ "HTTP/1.1 399 ?\r\n\r\n", ATTEMPT_GOOD, "399" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", ATTEMPT_BAD, "HTTP status 400" },
		{ "HTTP/1.1 404 Not Found\r\n\r\n", ATTEMPT_BAD, "HTTP status 404" },
		{ "HTTP/1.1 503 Unavailable\r\n\r\n", ATTEMPT_BAD, "HTTP status 503" },
		{ "HTTP/1.1 101 Switching\r\n\r\n", ATTEMPT_BAD, "HTTP status 101" },
		{ "SSH-2.0-OpenSSH\r\n", ATTEMPT_BAD, "the answer is not HTTP" },
		{ "HTTP/1.1 ", ATTEMPT_BAD, "closed in the middle" },
		{ "", ATTEMPT_BAD, "closed without an answer" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct server s = { .say = { rows[i].answer } };

		ask_http(&s, 5000);
		expect(rows[i].wanted, rows[i].words);
	}
}
END_TEST

START_TEST(an_answer_may_come_in_pieces)
{
	struct server s = { .say = { "HT", "TP/1.1 1", "00 C\r\n\r", "\nHTTP/1.1 2", "00 OK\r\n" },
			    .pause_ms = 5 };

	ask_http(&s, 5000);
	expect(ATTEMPT_GOOD, "HTTP status 200");
}
END_TEST

START_TEST(silence_and_dripping_end_in_time)
{
	struct server silent = { .keep_open = true };
	struct server dripping = { .say = { "H", "T", "T", "P", "/", "1", "." }, .pause_ms = 40 };
	int64_t began = clock_mono_ns();

	ask_http(&silent, 100);
	expect(ATTEMPT_BAD, "no answer within 100ms");
	ask_http(&dripping, 100);
	expect(ATTEMPT_BAD, "no complete answer within 100ms");
	ck_assert_int_lt(clock_mono_ns() - began, 5 * NS_PER_SEC);
}
END_TEST

START_TEST(an_answer_without_end_is_no_burden)
{
	struct server body = { .say = { "HTTP/1.1 200 OK\r\n\r\n" }, .flood = true };
	struct server head = { .say = { "HTTP/1.1 100 x\r\nX: " }, .flood = true };
	struct server open = { .say = { "HTTP/1.1 200 OK\r\n\r\n" }, .keep_open = true };
	struct server junk = { .flood = true };
	int64_t began = clock_mono_ns();

	ask_http(&body, 20000);
	expect(ATTEMPT_GOOD, "HTTP status 200");
	ask_http(&head, 20000);
	expect(ATTEMPT_BAD, "not HTTP");
	ask_http(&open, 20000);
	expect(ATTEMPT_GOOD, "HTTP status 200");
	ask_http(&junk, 20000);
	expect(ATTEMPT_BAD, "not HTTP");
	ck_assert_int_lt(clock_mono_ns() - began, 10 * NS_PER_SEC);
}
END_TEST

START_TEST(a_reset_is_no_answer)
{
	struct server s = { .reset = true };

	ask_http(&s, 5000);
	expect(ATTEMPT_BAD, "no HTTP answer: Connection reset by peer");
}
END_TEST

START_TEST(http_goes_over_a_unix_socket)
{
	struct server s = { .say = { "HTTP/1.1 200 OK\r\n\r\n" } };
	struct attempt_target target = { .socket = path, .http = "/" };

	s.fd = listen_unix(path, 8);
	ck_assert_int_eq(pthread_create(&s.thread, NULL, serve, &s), 0);
	look(&target, 5000);
	expect(ATTEMPT_GOOD, "HTTP status 200");
	pthread_join(s.thread, NULL);
	close(s.fd);
}
END_TEST

/* --- time --------------------------------------------------------------------------------------- */

/* What came while nobody looked counts, and a loop that stood still gives the other end its time. */
START_TEST(a_loop_that_stood_still_blames_nobody)
{
	struct server s = { .say = { "HTTP/1.1 200 OK\r\n\r\n" } };
	struct attempt_target target = { .host = "127.0.0.1", .http = "/" };

	s.fd = listen_tcp(AF_INET, 8, &target.port);
	begin(&target, 20);
	nanosleep(&(struct timespec){ .tv_nsec = 200 * NS_PER_MS }, NULL);
	ck_assert_int_eq(pthread_create(&s.thread, NULL, serve, &s), 0);
	ev_run(loop, 0);
	ck_assert_int_eq(calls, 1);
	expect(ATTEMPT_GOOD, "HTTP status 200");
	pthread_join(s.thread, NULL);
	close(s.fd);
}
END_TEST

START_TEST(what_is_cancelled_says_nothing)
{
	struct server s = { .keep_open = true };
	struct attempt_target http = { .host = "127.0.0.1", .http = "/" };
	struct attempt_target nobody = { .socket = path };
	struct attempt *a;

	s.fd = listen_tcp(AF_INET, 8, &http.port);
	attempt_cancel(begin(&http, 50));	/* before anything happened */
	attempt_cancel(begin(&nobody, 50));	/* decided, and not told */
	for (int turns = 0; turns < 4; turns++) {
		a = begin(&http, 50);
		for (int i = 0; i < turns; i++)
			ev_run(loop, EVRUN_NOWAIT);
		attempt_cancel(a);
	}
	nanosleep(&(struct timespec){ .tv_nsec = 80 * NS_PER_MS }, NULL);
	ev_run(loop, EVRUN_NOWAIT);
	ck_assert_int_eq(calls, 0);
	close(s.fd);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_listener_is_found, a_name_without_a_file_is_found, localhost_is_both_families,
		nobody_there_is_told_at_once, a_socket_that_meets_itself_has_found_nobody,
		a_full_queue_ends_in_time, without_a_descriptor_nothing_is_known,
		the_status_decides, an_answer_may_come_in_pieces, silence_and_dripping_end_in_time,
		an_answer_without_end_is_no_burden, a_reset_is_no_answer,
		http_goes_over_a_unix_socket, a_loop_that_stood_still_blames_nobody,
		what_is_cancelled_says_nothing,
	};

	return unit_run_in("probe: attempts", setup, teardown, tests, ARRAY_LEN(tests));
}
