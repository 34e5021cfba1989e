/* The door, through a real socket, with a thread that plays the main thread: it answers orders. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "config/part.h"
#include "config/store.h"
#include "control/address.h"
#include "control/client.h"
#include "control/control.h"
#include "control/rpc.h"
#include "event/event.h"
#include "keeper/fifo.h"
#include "unit.h"

static struct {
	char dir[64], path[96];
	struct board *board;
	struct chan *chan;
	struct output *output;
	int run_dirfd;
	struct control *control;
	struct ev_loop *loop;
	struct mailbox orders, drained;
	struct loop_async quit;
	pthread_t thread;
	_Atomic bool hold;	/* keep orders instead of answering */
	_Atomic unsigned held;
	struct mail *kept[64];
} t;

/* --- the main thread ------------------------------------------------------------------------------ */

static void answer(struct control_order *order)
{
	struct core_request *r = &order->request;

	if (order->kind != CONTROL_CORE) {
		order->result = json_pack("{s:i}", "kind", (int)order->kind);
		control_answer(order);
		return;
	}
	for (size_t i = 0; i < r->names.n; i++)
		strlist_add(&r->affected, r->names.items[i]);
	if (r->names.n > 0 && strcmp(r->names.items[0], "broken") == 0)
		error_set(&r->error, ERROR_SUBSYSTEM_START, ENOENT, "broken: exec");
	r->done(r);
}

static void on_order(void *ctx, struct mail *mail)
{
	(void)ctx;
	if (t.hold)
		t.kept[t.held++] = mail;
	else
		answer(container_of(mail, struct control_order, mail));
}

static void on_drained(void *ctx, struct mail *mail)
{
	(void)ctx;
	struct output_drained *d = container_of(mail, struct output_drained, mail);

	free(d->tail);
	free(d);
}

static void on_quit(struct loop_async *a)
{
	ev_break(a->loop, EVBREAK_ALL);
}

static void *main_thread(void *arg)
{
	(void)arg;
	ev_run(t.loop, 0);
	return NULL;
}

static void put(uint32_t slot, const char *name, enum subsystem_state state)
{
	struct board_record *r = board_record_new(name, &(struct board_texts){
		.description = "what \"it\" is", .last_error = "exec: \x1b[31m\xff",
		.groups = "g1 g2" });

	r->id = slot + 1;
	r->slot = slot;
	r->state = state;
	r->ready = state == STATE_RUNNING;
	r->pid = state == STATE_RUNNING ? 4242 : 0;
	r->exit_code = -1;
	r->goal_why = "config";
	board_put(t.board, slot, r);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void set_up(void)
{
	struct config *config = x_calloc(1, sizeof(*config));
	struct control_setup setup = { 0 };
	struct error e = ERROR_INIT;
	bool lost;

	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/tmp/procd-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(t.dir));
	snprintf(t.path, sizeof(t.path), "%s/control.sock", t.dir);
	config->name = x_strdup("test");
	config->file = x_strdup("/etc/test.toml");
	config->control.socket = x_strdup(t.path);
	config->control.mode = 0600;
	config->control.gid = config->control.read_gid = (gid_t)-1;
	config->events.queue = 50;
	rcu_helper_start();
	rcu_register_thread();
	config_publish(config, 1);
	t.board = board_new(16384);
	t.chan = chan_open(-1, 64 * 1024, 64, CHAN_LOCK_FREE, &lost);
	t.loop = loop_new("auto");
	mailbox_init(&t.orders, t.loop, on_order, NULL);
	mailbox_init(&t.drained, t.loop, on_drained, NULL);
	loop_async_start(&t.quit, t.loop, on_quit);
	t.run_dirfd = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.output = output_start(t.run_dirfd, t.chan, &t.drained, &e);
	ck_assert_msg(t.output != NULL, "%s", e.message);
	put(0, "web", STATE_RUNNING);
	put(1, "db", STATE_FAILED);
	setup.listen_fd = control_listen(config_current(), &e);
	ck_assert_msg(setup.listen_fd >= 0, "%s", e.message);
	setup.board = t.board;
	setup.chan = t.chan;
	setup.output = t.output;
	setup.orders = &t.orders;
	setup.main_loop = t.loop;
	t.control = control_start(&setup, &e);
	ck_assert_ptr_nonnull(t.control);
	ck_assert_int_eq(pthread_create(&t.thread, NULL, main_thread, NULL), 0);
}

static void join_main(void)
{
	loop_async_send(&t.quit);
	pthread_join(t.thread, NULL);
}

static void tear_down(void)
{
	join_main();
	control_stop(t.control);
	for (unsigned i = 0; i < t.held; i++)	/* the door is closed: these are only freed */
		answer(container_of(t.kept[i], struct control_order, mail));
	output_stop(t.output);
	mailbox_fini(&t.orders);
	mailbox_fini(&t.drained);
	loop_async_stop(&t.quit);
	ev_loop_destroy(t.loop);
	chan_close(t.chan);
	chan_free(t.chan);
	rcu_unregister_thread();
	board_free(t.board);
	fifo_remove_all(t.run_dirfd);
	close(t.run_dirfd);
	nftw(t.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- the client ----------------------------------------------------------------------------------- */

static struct client connected(void)
{
	struct client c = CLIENT_INIT;
	struct error e = ERROR_INIT;

	ck_assert_int_eq(client_connect(&c, t.path, &e), 0);
	c.deadline_ns = clock_mono_ns() + 15 * NS_PER_SEC;
	return c;
}

static void tell(struct client *c, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(c->fd, text, n, MSG_NOSIGNAL);

		if (sent < 0)
			return;
		text += sent;
		n -= (size_t)sent;
	}
}

static void say(struct client *c, const char *text)
{
	tell(c, text, strlen(text));
}

/* The next line as JSON; NULL: the end. */
static json_t *hear(struct client *c)
{
	const char *line;
	size_t len;
	int rc = client_line(c, &line, &len);

	ck_assert_msg(rc >= 0, "client_line: %s", strerror(-rc));
	return rc > 0 ? json_loadb(line, len, 0, NULL) : NULL;
}

static int code_of(json_t *answer)
{
	return (int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));
}

static int data_code_of(json_t *answer)
{
	return (int)json_integer_value(json_object_get(json_object_get(
		json_object_get(answer, "error"), "data"), "code"));
}

static json_t *ask(struct client *c, const char *method, json_t *params)
{
	const char *line;
	size_t len;

	ck_assert_int_eq(client_ask(c, method, params, &line, &len), 1);
	return json_loadb(line, len, 0, NULL);
}

static json_t *result_of(json_t *answer)
{
	return json_object_get(answer, "result");
}

static int error_code(struct client *c, const char *method, json_t *params)
{
	auto_free(json_decrefp) json_t *answer_ = ask(c, method, params);

	return data_code_of(answer_);
}

/* --- tests ---------------------------------------------------------------------------------------- */

START_TEST(status_tells_daemon_and_subsystems)
{
	struct client c = connected();
	auto_free(json_decrefp) json_t *a = ask(&c, "status.get", NULL);
	json_t *list = json_object_get(result_of(a), "subsystems"), *web = json_array_get(list, 0);

	ck_assert_str_eq(json_string_value(json_object_get(result_of(a), "name")), "test");
	ck_assert_str_eq(json_string_value(json_object_get(result_of(a), "config_file")),
			 "/etc/test.toml");
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_object_get(web, "name")), "web");
	ck_assert_str_eq(json_string_value(json_object_get(web, "state")), "running");
	ck_assert_int_eq(json_integer_value(json_object_get(web, "pid")), 4242);
	ck_assert(json_is_null(json_object_get(web, "exit_code")));
	ck_assert_uint_eq(json_array_size(json_object_get(web, "groups")), 2);
	ck_assert_str_eq(json_string_value(json_object_get(web, "last_error")),
			 "exec: \x1b[31m\xef\xbf\xbd");
	client_fini(&c);
}
END_TEST

START_TEST(names_select_and_unknown_ones_are_named)
{
	struct client c = connected();
	auto_free(json_decrefp) json_t *a =
		ask(&c, "status.get", json_pack("{s:[s]}", "names", "d*"));
	auto_free(json_decrefp) json_t *b =
		ask(&c, "status.get", json_pack("{s:[s,s]}", "names", "web", "nope"));

	ck_assert_uint_eq(json_array_size(json_object_get(result_of(a), "subsystems")), 1);
	ck_assert_int_eq(data_code_of(b), ERROR_SUBSYSTEM_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(
		json_object_get(b, "error"), "message")), "nope"));
	client_fini(&c);
}
END_TEST

START_TEST(why_explains_each_name)
{
	struct client c = connected();
	auto_free(json_decrefp) json_t *a = ask(&c, "subsystem.why", json_pack("{s:s}", "names", "all"));
	json_t *list = json_object_get(result_of(a), "subsystems");

	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_uint_gt(json_array_size(json_object_get(json_array_get(list, 1), "why")), 0);
	client_fini(&c);
}
END_TEST

START_TEST(orders_go_to_the_main_thread_and_come_back)
{
	struct client c = connected();
	auto_free(json_decrefp) json_t *a =
		ask(&c, "subsystem.start", json_pack("{s:[s,s]}", "names", "web", "db"));
	auto_free(json_decrefp) json_t *b =
		ask(&c, "subsystem.start", json_pack("{s:s}", "names", "broken"));
	auto_free(json_decrefp) json_t *p = ask(&c, "config.plan", NULL);

	ck_assert_uint_eq(json_array_size(json_object_get(result_of(a), "names")), 2);
	ck_assert_int_eq(data_code_of(b), ERROR_SUBSYSTEM_START);
	ck_assert_int_eq(json_integer_value(json_object_get(result_of(p), "kind")), CONTROL_PLAN);
	client_fini(&c);
}
END_TEST

START_TEST(bad_parameters_are_refused_with_their_name)
{
	struct client c = connected();
	auto_free(json_decrefp) json_t *a = ask(&c, "status.get", json_pack("{s:i}", "nmaes", 1));

	ck_assert_int_eq(code_of(a), RPC_INVALID_PARAMS);
	ck_assert_int_eq(error_code(&c, "subsystem.start", NULL), ERROR_STATE_VALUE);
	ck_assert_int_eq(error_code(&c, "subsystem.start", json_pack("{s:[]}", "names")),
			 ERROR_STATE_VALUE);
	ck_assert_int_eq(error_code(&c, "subsystem.start", json_pack("{s:[i]}", "names", 1)),
			 ERROR_STATE_VALUE);
	ck_assert_int_eq(error_code(&c, "subsystem.signal", json_pack("{s:s,s:s}", "names", "web",
			 "signal", "SIGNOPE")), ERROR_SIGNAL_INVALID);
	ck_assert_int_eq(error_code(&c, "subsystem.signal", json_pack("{s:s}", "names", "web")),
			 ERROR_SIGNAL_INVALID);
	ck_assert_int_eq(error_code(&c, "events.get", json_pack("{s:i}", "since", -1)),
			 ERROR_STATE_VALUE);
	ck_assert_int_eq(error_code(&c, "daemon.log_level", json_pack("{s:s}", "level", "loud")),
			 ERROR_STATE_VALUE);
	ck_assert_int_eq(error_code(&c, "daemon.shutdown", json_pack("{s:s}", "mode", "now")),
			 ERROR_STATE_VALUE);
	ck_assert_int_eq(error_code(&c, "no.such", NULL), ERROR_PLATFORM_FEATURE);
	client_fini(&c);
}
END_TEST

START_TEST(pipelined_requests_are_all_answered_and_notifications_never)
{
	struct client c = connected();
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 500; i++) {
		strbuf_addf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"status.get\"}\n", i);
		strbuf_addstr(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"status.get\"}\n\n");
	}
	tell(&c, text.buf, text.len);
	for (int i = 0; i < 500; i++) {
		auto_free(json_decrefp) json_t *a = hear(&c);

		ck_assert_int_eq(json_integer_value(json_object_get(a, "id")), i);
	}
	client_fini(&c);
}
END_TEST

START_TEST(a_request_in_pieces_and_one_without_line_end_are_understood)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"events.get\"}";
	struct client c = connected();
	json_t *a;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		tell(&c, text + i, 1);
	say(&c, "\n");
	a = hear(&c);
	ck_assert_str_eq(json_string_value(json_object_get(a, "id")), "x");
	json_decref(a);
	tell(&c, text, sizeof(text) - 1);
	shutdown(c.fd, SHUT_WR);
	a = hear(&c);
	ck_assert_str_eq(json_string_value(json_object_get(a, "id")), "x");
	json_decref(a);
	ck_assert_ptr_null(hear(&c));
	client_fini(&c);
}
END_TEST

START_TEST(garbage_is_answered_and_the_talk_goes_on)
{
	struct client c = connected();
	json_t *a;

	say(&c, "hello\n");
	a = hear(&c);
	ck_assert_int_eq(code_of(a), RPC_PARSE_ERROR);
	ck_assert(json_is_null(json_object_get(a, "id")));
	json_decref(a);
	a = ask(&c, "events.get", NULL);
	ck_assert_ptr_nonnull(result_of(a));
	json_decref(a);
	client_fini(&c);
}
END_TEST

START_TEST(a_line_too_long_or_too_deep_ends_the_talk_after_an_error)
{
	for (int deep = 0; deep < 2; deep++) {
		struct client c = connected();
		size_t n = deep ? 2000 : 300 * 1024;
		auto_free(freep) char *text = x_malloc(n);
		json_t *a;

		memset(text, deep ? '[' : 'x', n);
		text[n - 1] = '\n';
		tell(&c, text, n);
		a = hear(&c);
		ck_assert_int_eq(code_of(a), RPC_INVALID_REQUEST);
		json_decref(a);
		ck_assert_ptr_null(hear(&c));	/* an end, not a reset */
		client_fini(&c);
	}
}
END_TEST

START_TEST(a_gigantic_request_costs_nothing_but_its_sender)
{
	struct client c = connected(), other = connected();
	auto_free(freep) char *text = x_calloc(1, 1024 * 1024);
	json_t *a;

	memset(text, '{', 1024 * 1024);
	for (int i = 0; i < 16; i++)
		tell(&c, text, 1024 * 1024);
	a = ask(&other, "events.get", NULL);
	ck_assert_ptr_nonnull(result_of(a));
	json_decref(a);
	client_fini(&c);
	client_fini(&other);
}
END_TEST

START_TEST(the_seventeenth_connection_of_a_user_is_turned_away_politely)
{
	struct client c[CONTROL_CONNECTIONS_PER_UID + 1];
	json_t *a;

	for (int i = 0; i < CONTROL_CONNECTIONS_PER_UID; i++) {
		c[i] = connected();
		a = ask(&c[i], "events.get", NULL);
		ck_assert_ptr_nonnull(result_of(a));
		json_decref(a);
	}
	c[CONTROL_CONNECTIONS_PER_UID] = connected();
	a = hear(&c[CONTROL_CONNECTIONS_PER_UID]);
	ck_assert_int_eq(data_code_of(a), ERROR_RESOURCE_FDS);
	json_decref(a);
	ck_assert_ptr_null(hear(&c[CONTROL_CONNECTIONS_PER_UID]));
	client_fini(&c[0]);
	for (;;) {	/* its place is free as soon as the front thread has seen the end */
		struct client again = connected();

		say(&again, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.get\"}\n");
		a = hear(&again);
		client_fini(&again);
		if (result_of(a))
			break;
		json_decref(a);
	}
	json_decref(a);
	for (int i = 1; i <= CONTROL_CONNECTIONS_PER_UID; i++)
		client_fini(&c[i]);
}
END_TEST

/* What METHOD answers to a process of uid and gid 65534: 0 a result, 2 no permission. */
static int answer_to_nobody(const char *method, gid_t group)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct client c = CLIENT_INIT;
		struct error e = ERROR_INIT;
		const char *line;
		size_t len;

		if (setgroups(group != 0, &group) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		    setresuid(65534, 65534, 65534) < 0 || client_connect(&c, t.path, &e) < 0 ||
		    client_ask(&c, method, NULL, &line, &len) <= 0)
			_exit(99);
		_exit(client_result_text(line, len, &len) ? 0 :
		      memmem(line, len, "\"code\":5002", 11) ? 2 : 3);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

START_TEST(strangers_are_refused_and_groups_get_their_class)
{
	struct config *config = x_calloc(1, sizeof(*config));

	if (geteuid() != 0)	/* only root can play somebody else */
		return;
	chmod(t.dir, 0711);
	chmod(t.path, 0666);
	ck_assert_int_eq(answer_to_nobody("status.get", 0), 2);
	config->name = x_strdup("test");
	config->control.gid = 4001;
	config->control.read_gid = 4002;
	config->events.queue = 50;
	config_publish(config, 1);
	ck_assert_int_eq(answer_to_nobody("status.get", 0), 2);
	ck_assert_int_eq(answer_to_nobody("status.get", 4002), 0);
	ck_assert_int_eq(answer_to_nobody("subsystem.reset", 4002), 2);
	ck_assert_int_eq(answer_to_nobody("config.get", 4002), 2);
	ck_assert_int_eq(answer_to_nobody("subsystem.reset", 4001), 0);
	ck_assert_int_eq(answer_to_nobody("daemon.shutdown", 4001), 2);
}
END_TEST

START_TEST(without_descriptors_a_client_is_refused_and_later_ones_are_served)
{
	struct rlimit before, now;
	int fd[3];

	for (int i = 0; i < 3; i++)
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	now.rlim_cur = (rlim_t)fd[2] + 1;	/* every number below is taken */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	for (int i = 0; i < 3; i++) {
		struct client c = CLIENT_INIT;
		struct sockaddr_un addr;
		int dirfd;
		json_t *a;

		if (i == 2)
			setrlimit(RLIMIT_NOFILE, &before);
		ck_assert_int_eq(socket_address(t.path, &addr, &dirfd), 0);
		ck_assert_int_eq(connect(fd[i], (struct sockaddr *)&addr, sizeof(addr)), 0);
		c.fd = fd[i];
		c.deadline_ns = clock_mono_ns() + 10 * NS_PER_SEC;
		if (i == 2) {
			a = ask(&c, "events.get", NULL);
			ck_assert_ptr_nonnull(result_of(a));
		} else {
			a = hear(&c);
			ck_assert_int_eq(data_code_of(a), ERROR_RESOURCE_FDS);
		}
		json_decref(a);
		client_fini(&c);
		if (i < 2)	/* the number must stay taken */
			ck_assert_int_eq(dup(STDIN_FILENO), fd[i]);
	}
}
END_TEST

static void send_events(int n, const char *padding)
{
	for (int i = 0; i < n; i++)
		event_send(t.chan, EVENT_RUN_SKIPPED, json_pack("{s:s}", "name", padding));
}

START_TEST(a_subscriber_gets_the_past_it_asks_for_and_every_new_event)
{
	struct client c = connected();
	json_t *a;

	send_events(10, "past");
	a = ask(&c, "events.subscribe", json_pack("{s:i}", "since", 7));
	ck_assert_int_eq(json_integer_value(json_object_get(result_of(a), "since")), 7);
	json_decref(a);
	send_events(5, "new");
	for (int seq = 8; seq <= 15; seq++) {
		a = hear(&c);
		ck_assert_str_eq(json_string_value(json_object_get(a, "method")), "event");
		ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(a, "params"),
								    "seq")), seq);
		json_decref(a);
	}
	client_fini(&c);
}
END_TEST

START_TEST(events_get_counts_events_and_not_gaps)
{
	struct client c = connected();
	json_t *a, *list;

	send_events(100, "x");	/* the ring keeps 64 */
	a = ask(&c, "events.get", json_pack("{s:i,s:i}", "since", 0, "count", 1));
	list = json_object_get(result_of(a), "events");
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "type")), "gap");
	json_decref(a);
	a = ask(&c, "events.get", json_pack("{s:i}", "last", 3));
	list = json_object_get(result_of(a), "events");
	ck_assert_uint_eq(json_array_size(list), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 2), "seq")), 100);
	ck_assert_int_eq(json_integer_value(json_object_get(result_of(a), "last_seq")), 100);
	json_decref(a);
	a = ask(&c, "events.get", NULL);
	ck_assert_str_ne(json_string_value(json_object_get(json_array_get(json_object_get(
		result_of(a), "events"), 0), "type")), "gap");
	json_decref(a);
	client_fini(&c);
}
END_TEST

START_TEST(a_subscriber_that_does_not_read_gets_gaps_and_holds_nobody_up)
{
	struct client slow = connected(), quick = connected();
	char padding[4000];
	int64_t seen = 0, lost = 0;
	json_t *a;

	memset(padding, 'p', sizeof(padding) - 1);
	padding[sizeof(padding) - 1] = '\0';
	json_decref(ask(&slow, "events.subscribe", NULL));
	json_decref(ask(&quick, "events.subscribe", NULL));
	for (int i = 0; i < 1000; i++) {
		send_events(1, padding);
		a = hear(&quick);	/* each one, at once */
		ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(a, "params"),
								    "seq")), i + 1);
		json_decref(a);
	}
	while (seen + lost < 1000) {
		json_t *params;

		a = hear(&slow);
		params = json_object_get(a, "params");
		if (json_object_get(params, "seq"))
			seen++;
		lost += json_integer_value(json_object_get(params, "lost"));
		if (json_object_get(params, "seq"))
			ck_assert_int_eq(json_integer_value(json_object_get(params, "seq")),
					 seen + lost);
		json_decref(a);
	}
	ck_assert_int_gt(lost, 0);
	ck_assert_int_eq(seen + lost, 1000);
	client_fini(&slow);
	client_fini(&quick);
}
END_TEST

START_TEST(a_flooding_client_does_not_starve_the_others)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status.get\"}\n";
	struct client flood = connected(), quiet = connected();
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	for (int i = 0; i < 2000; i++)
		strbuf_addstr(&text, line);
	fd_set_nonblock(flood.fd, true);
	for (int i = 0; i < 20; i++) {	/* it never reads */
		json_t *a;

		(void)!send(flood.fd, text.buf, text.len, MSG_NOSIGNAL);
		a = ask(&quiet, "events.get", NULL);
		ck_assert_ptr_nonnull(result_of(a));
		json_decref(a);
	}
	client_fini(&flood);
	client_fini(&quiet);
}
END_TEST

/* --- captured output ------------------------------------------------------------------------------ */

/* Slot 0, "web", has its output captured: the child's end of the FIFO. */
static int attach_web(void)
{
	struct subsystem_options *o = subsystem_options_unknown("web", KILL_MODE_GROUP,
								SIGTERM, TIMEOUT_UNSET);
	int fd;

	o->log_file = x_asprintf("%s/web.log", t.dir);
	policy_write(o)->log_max_file_size = 1u << 30;
	mkdirat(t.run_dirfd, "fifo", 0700);
	mkfifoat(t.run_dirfd, "fifo/0.out", 0600);
	fd = openat(t.run_dirfd, "fifo/0.out", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	output_attach(t.output, 0, o);
	subsystem_options_unref(o);
	return fd;
}

/* The text of the next "log" notification; NULL: log_end. */
static char *hear_log(struct client *c)
{
	auto_free(json_decrefp) json_t *a = hear(c);
	json_t *params = json_object_get(a, "params");

	if (strcmp(json_string_value(json_object_get(a, "method")), "log_end") == 0)
		return NULL;
	ck_assert_str_eq(json_string_value(json_object_get(params, "name")), "web");
	ck_assert_str_eq(json_string_value(json_object_get(params, "stream")), "stdout");
	return x_strdup(json_string_value(json_object_get(params, "text")));
}

START_TEST(captured_output_is_followed_shown_and_cut_to_lines)
{
	struct client c = connected(), d = connected();
	int fd = attach_web();
	json_t *a = ask(&c, "logs.follow", json_pack("{s:s}", "names", "web")), *logs;
	char *text;

	ck_assert_uint_eq(json_array_size(json_object_get(result_of(a), "names")), 1);
	json_decref(a);
	ck_assert_int_eq(fd_write_all(fd, "one\ntwo\nthree\n", 14), 0);
	text = hear_log(&c);
	ck_assert_str_eq(text, "one\ntwo\nthree\n");
	free(text);
	a = ask(&d, "logs.get", json_pack("{s:s,s:i}", "names", "web", "lines", 2));
	logs = json_object_get(result_of(a), "logs");
	ck_assert_uint_eq(json_array_size(logs), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(logs, 0), "text")),
			 "two\nthree\n");
	json_decref(a);
	json_decref(ask(&d, "logs.follow", json_pack("{s:s,s:i,s:b}", "names", "all", "lines", 1,
						     "follow", 0)));
	text = hear_log(&d);
	ck_assert_str_eq(text, "three\n");
	free(text);
	ck_assert_ptr_null(hear_log(&d));
	ck_assert_int_eq(error_code(&d, "logs.get", json_pack("{s:s}", "names", "nope")),
			 ERROR_SUBSYSTEM_NOT_FOUND);
	close(fd);
	client_fini(&c);
	client_fini(&d);
}
END_TEST

START_TEST(output_that_is_not_text_travels_as_base64)
{
	struct client c = connected();
	int fd = attach_web();
	json_t *a;

	json_decref(ask(&c, "logs.follow", json_pack("{s:s}", "names", "web")));
	ck_assert_int_eq(fd_write_all(fd, "\xff\xfe\n", 3), 0);
	a = hear(&c);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "params"), "base64")),
			 "//4K");
	json_decref(a);
	close(fd);
	client_fini(&c);
}
END_TEST

START_TEST(a_follower_that_does_not_read_loses_lines_and_learns_how_many_bytes)
{
	struct client slow = connected(), quick = connected();
	auto_free(freep) char *line = x_malloc(4096);
	int64_t seen = 0, lost = 0, total = 0, at = 0;
	int fd = attach_web();

	memset(line, 'l', 4096);
	line[4095] = '\n';
	json_decref(ask(&slow, "logs.follow", json_pack("{s:s}", "names", "web")));
	json_decref(ask(&quick, "logs.follow", json_pack("{s:s}", "names", "web")));
	for (int i = 0; i < 400; i++) {	/* far more than socket, buffer and ring hold */
		ck_assert_int_eq(fd_write_all(fd, line, 4096), 0);
		for (total += 4096; at < total;) {
			json_t *a = hear(&quick), *params = json_object_get(a, "params");

			at += (int64_t)json_string_length(json_object_get(params, "text"));
			at += json_integer_value(json_object_get(params, "lost"));
			json_decref(a);
		}
	}
	while (seen + lost < total) {
		json_t *a = hear(&slow), *params = json_object_get(a, "params");

		seen += (int64_t)json_string_length(json_object_get(params, "text"));
		lost += json_integer_value(json_object_get(params, "lost"));
		json_decref(a);
	}
	ck_assert_int_eq(seen + lost, total);
	ck_assert_int_gt(lost, 0);
	close(fd);
	client_fini(&slow);
	client_fini(&quick);
}
END_TEST

START_TEST(orders_of_a_client_that_left_are_answered_into_the_void)
{
	struct client c = connected(), other = connected();
	json_t *a;

	t.hold = true;
	for (int i = 0; i < 3; i++)
		say(&c, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.plan\"}\n");
	while (t.held < 3)
		usleep(1000);
	client_fini(&c);
	t.hold = false;
	a = ask(&other, "config.plan", NULL);	/* tear_down() answers the kept ones */
	ck_assert_ptr_nonnull(result_of(a));
	json_decref(a);
	client_fini(&other);
}
END_TEST

START_TEST(what_is_queued_is_still_sent_at_the_end)
{
	struct client c = connected();
	json_t *a;
	int n = 0;

	json_decref(ask(&c, "events.subscribe", NULL));
	join_main();
	send_events(40, "last words");
	chan_close(t.chan);
	control_stop(t.control);
	while ((a = hear(&c))) {
		n++;
		json_decref(a);
	}
	ck_assert_int_eq(n, 40);
	client_fini(&c);
	_exit(0);	/* the rest of tear_down() has nothing left to do */
}
END_TEST

START_TEST(a_live_socket_is_respected_and_a_stale_one_replaced)
{
	struct error e = ERROR_INIT;
	struct stat st;
	char *path = config_current()->control.socket;
	struct config other = { .control = { .socket = path, .mode = 0640,
		.gid = (gid_t)-1, .read_gid = (gid_t)-1 } };
	int fd;

	ck_assert_int_eq(control_listen(&other, &e), -EADDRINUSE);
	error_fini(&e);
	other.control.socket = x_asprintf("%s/stale", t.dir);
	fd = control_listen(&other, &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
	fd = control_listen(&other, &e);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(lstat(other.control.socket, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	unlink(other.control.socket);
	ck_assert_int_eq(symlink("/etc/passwd", other.control.socket), 0);
	ck_assert_int_eq(control_listen(&other, &e), -EEXIST);
	unlink(other.control.socket);
	error_fini(&e);
	free(other.control.socket);
}
END_TEST

START_TEST(a_path_longer_than_a_socket_address_works)
{
	auto_free(freep) char *dir = x_asprintf("%s/%0120d", t.dir, 0);
	auto_free(freep) char *path = x_asprintf("%s/control.sock", dir);
	struct config config = { .control = { .socket = path, .mode = 0600,
		.gid = (gid_t)-1, .read_gid = (gid_t)-1 } };
	struct error e = ERROR_INIT;
	int fd, peer;

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	fd = control_listen(&config, &e);
	ck_assert_int_ge(fd, 0);
	peer = socket_connect(path, 0);
	ck_assert_int_ge(peer, 0);
	close(peer);
	close(fd);
}
END_TEST

START_TEST(ten_thousand_subsystems_are_told_in_one_answer)
{
	struct client c = connected();
	const char *line;
	size_t len;
	int64_t began;

	for (uint32_t i = 2; i < 10000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "worker-%05u", i);
		put(i, name, STATE_RUNNING);
	}
	began = clock_mono_ns();
	ck_assert_int_eq(client_ask(&c, "status.get", NULL, &line, &len), 1);
	ck_assert_uint_gt(len, 10000 * 100);
	if (getenv("PROCD_TEST_SHOW"))
		printf("10,000 subsystems: %zu bytes in %.1f ms\n", len,
		       (double)(clock_mono_ns() - began) / 1e6);
	client_fini(&c);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		status_tells_daemon_and_subsystems,
		names_select_and_unknown_ones_are_named,
		why_explains_each_name,
		orders_go_to_the_main_thread_and_come_back,
		bad_parameters_are_refused_with_their_name,
		pipelined_requests_are_all_answered_and_notifications_never,
		a_request_in_pieces_and_one_without_line_end_are_understood,
		garbage_is_answered_and_the_talk_goes_on,
		a_line_too_long_or_too_deep_ends_the_talk_after_an_error,
		a_gigantic_request_costs_nothing_but_its_sender,
		the_seventeenth_connection_of_a_user_is_turned_away_politely,
		strangers_are_refused_and_groups_get_their_class,
		without_descriptors_a_client_is_refused_and_later_ones_are_served,
		a_subscriber_gets_the_past_it_asks_for_and_every_new_event,
		events_get_counts_events_and_not_gaps,
		a_subscriber_that_does_not_read_gets_gaps_and_holds_nobody_up,
		a_flooding_client_does_not_starve_the_others,
		captured_output_is_followed_shown_and_cut_to_lines,
		output_that_is_not_text_travels_as_base64,
		a_follower_that_does_not_read_loses_lines_and_learns_how_many_bytes,
		orders_of_a_client_that_left_are_answered_into_the_void,
		what_is_queued_is_still_sent_at_the_end,
		a_live_socket_is_respected_and_a_stale_one_replaced,
		a_path_longer_than_a_socket_address_works,
		ten_thousand_subsystems_are_told_in_one_answer,
	};

	return unit_run_in("control: server", set_up, tear_down, tests, ARRAY_LEN(tests));
}
