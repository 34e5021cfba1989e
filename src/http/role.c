/* Everything that could be unsafe is looked at before the first connection is accepted, although
 * procd looked at it already: this process would be the one to regret it. */
#include "http/role.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/title.h"
#include "http/server.h"

enum { FD_WORLD = 3, FD_DOOR, FD_READY };

struct running {
	struct ev_loop *loop;
	struct server server;
	struct door door;
	struct loop_io signals;
	int signal_fd;
	bool told;
};

/* --- what it was given ------------------------------------------------------------------------ */

static bool is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static bool was_started_by_procd(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	return pid != NULL && n != NULL && strtol(pid, NULL, 10) == getpid() &&
	       strcmp(n, "2") == 0 && is_socket(FD_WORLD) && is_socket(FD_DOOR);
}

static bool only_this_machine(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t size = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return false;
	switch (a.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(((const struct sockaddr_in *)&a)->sin_addr.s_addr) >> 24 ==
		       IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a)->sin6_addr);
	default:
		return false;
	}
}

/* The token, from standard input; NULL: said why. */
static char *read_token(uid_t owner)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	const char *why = NULL;
	struct stat st;
	char *token = NULL;
	int rc;

	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISREG(st.st_mode))
		why = "it is not a regular file";
	else if ((st.st_mode & 077) != 0)
		why = "others than its owner may read it; its mode is to be 0600";
	else if (st.st_uid != owner && st.st_uid != 0)
		why = "it belongs to another user";
	if (why == NULL) {
		rc = fd_read_all(STDIN_FILENO, HTTP_TOKEN_MAX + 2, &text);
		if (rc < 0)
			why = rc == -EFBIG ? "it is longer than 512 bytes" : strerror(-rc);
		else
			token = http_token_read(text.buf, text.len, &why);
	}
	explicit_bzero(text.buf, text.len);
	if (token == NULL)
		log_error("http.token_file: %s", why);
	return token;
}

/* Nobody needs it any more. */
static void close_stdin(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null > 0) {
		dup2(null, STDIN_FILENO);
		close(null);
	}
}

static char *host_name(void)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		return NULL;
	return x_strdup(name);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_signal(struct loop_io *io, int revents)
{
	(void)revents;
	ev_break(container_of(io, struct running, signals)->loop, EVBREAK_ALL);
}

static void on_door_open(void *ctx)
{
	struct running *r = ctx;

	if (r->told)
		return;
	r->told = true;
	(void)!write(FD_READY, "\n", 1);
	close(FD_READY);
}

static bool begin(struct running *r, const struct http_role *role)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r->loop = loop_new("auto");
	if (r->signal_fd < 0 || r->loop == NULL) {
		log_error("no event loop: %s", strerror(errno));
		return false;
	}
	loop_io_init(&r->signals, r->loop, on_signal);
	loop_io_set(&r->signals, r->signal_fd, EV_READ);
	fd_set_nonblock(FD_DOOR, true);
	door_init(&r->door, r->loop, FD_DOOR, role->owner, on_door_open, r);
	r->server.door = &r->door;
	if (server_start(&r->server, r->loop, FD_WORLD))
		return true;
	log_error("libmicrohttpd does not start");
	return false;
}

static int serve(struct running *r, const struct http_role *role)
{
	for (int fd = FD_WORLD; fd <= FD_READY; fd++)
		fd_set_cloexec(fd, true);
	title_set_in_args("procd-http", "procd: http %s", role->name);
	if (!begin(r, role))
		return EXIT_OS;
	ev_run(r->loop, 0);
	server_stop(&r->server);
	door_fini(&r->door);
	loop_io_set(&r->signals, -1, 0);
	close(r->signal_fd);
	ev_loop_destroy(r->loop);
	return EXIT_OK;
}

int http_role_run(const struct http_role *role)
{
	struct running r = { .signal_fd = -1 };
	struct http_policy *policy = &r.server.policy;
	auto_free(freep) char *token = NULL, *name = NULL;
	const char *why;

	if (!was_started_by_procd()) {
		fputs("procd: http is started by procd itself: set http.listen in its configuration\n",
		      stderr);
		return EXIT_USAGE;
	}
	token = role->token ? read_token(role->owner) : NULL;
	name = host_name();
	if (role->token && token == NULL)
		return EXIT_CONFIG;
	close_stdin();
	*policy = (struct http_policy){ .token = token, .host_name = name,
					.this_machine = only_this_machine(FD_WORLD) };
	if (token == NULL && !policy->this_machine) {
		log_error("others than this machine can connect; that needs http.token_file");
		return EXIT_CONFIG;
	}
	if (!http_library_load(&r.server.library, &why)) {
		log_error("%s", why);
		return EXIT_OS;
	}
	return serve(&r, role);
}
