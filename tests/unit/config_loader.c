/* The loader thread with real files: what it tells the main thread, and what it keeps to itself. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/thread.h"
#include "config/loader.h"

#include "unit.h"

#define DEADLINE_S 10

static char path[64];			/* of the main file */
static char dir[32];
static struct ev_loop *loop;
static struct mailbox results;
static struct loader *loader;
static struct config *current;
static struct load_result *got[16];	/* what came, oldest first */
static size_t ngot;
static struct strbuf saved = STRBUF_INIT;	/* what the run directory would hold */

/* As one step: the loader reads whenever it likes, and half a file would be told, rightly. */
static void write_text(const char *to, const char *text)
{
	ck_assert_int_eq(file_replace_at(AT_FDCWD, to, text, strlen(text), 0644), 0);
}

/* A good file that differs by its NAME. */
static void write_good(const char *name)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "name = \"%s\"\ninclude = [\"conf.d/*.toml\"]\n"
		    "[reload]\ndebounce = \"20ms\"\n[subsystem.web]\ncommand = [\"sleep\", \"1\"]\n",
		    name);
	write_text(path, text.buf);
}

static void on_result(void *ctx, struct mail *mail)
{
	(void)ctx;
	ck_assert_uint_lt(ngot, ARRAY_LEN(got));
	got[ngot++] = container_of(mail, struct load_result, mail);
	ev_break(loop, EVBREAK_ALL);
}

static void on_deadline(struct loop_timer *timer)
{
	(void)timer;
	ck_abort_msg("no result came");
}

static void forget_results(void)
{
	while (ngot > 0)
		load_result_free(got[--ngot]);
}

/* The next result; all before it must have been looked at. */
static struct load_result *next_result(void)
{
	struct loop_timer deadline;

	forget_results();
	loop_timer_init(&deadline, loop, on_deadline);
	loop_timer_set(&deadline, DEADLINE_S * NS_PER_SEC);
	while (ngot == 0)
		ev_run(loop, 0);
	loop_timer_set(&deadline, -1);
	ck_assert_uint_eq(ngot, 1);
	return got[0];
}

static void publish(struct load_result *r, bool watch)
{
	config_free(current);
	current = take(r->config);
	loader_published(loader, current, watch);
}

static int read_running(void *ctx, struct strbuf *text, uint64_t *generation)
{
	(void)ctx;
	strbuf_add(text, saved.buf, saved.len);
	*generation = 7;
	return saved.len > 0 ? 0 : -ENOENT;
}

static void start(bool watch)
{
	struct loader_running running = { .read = read_running };
	struct config_source source = { .path = path };
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct error e = ERROR_INIT;

	write_good("first");
	ck_assert_int_eq(config_load(&source, &current, &diag, NULL), 0);
	config_diag_fini(&diag);
	loader = loader_start(&source, current, &running, &results, &e);
	ck_assert_ptr_nonnull(loader);
	loader_published(loader, current, watch);
}

static void set_up(void)
{
	rcu_register_thread();
	snprintf(dir, sizeof(dir), "/tmp/procd-loader-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/daemon.toml", dir);
	loop = loop_new("auto");
	mailbox_init(&results, loop, on_result, NULL);
}

static void tear_down(void)
{
	static const char *const names[] = { "daemon.toml", "conf.d/a.toml", "conf.d", "" };
	char name[128];

	loader_stop(loader);
	mailbox_fini(&results);
	forget_results();
	ev_loop_destroy(loop);
	config_free(current);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		remove(name);
	}
	rcu_unregister_thread();
}

START_TEST(a_changed_file_is_loaded_and_told)
{
	struct load_result *r;

	start(true);
	write_good("second");
	r = next_result();
	ck_assert_int_eq(r->why, LOAD_WATCH);
	ck_assert_int_eq(r->exit_code, 0);
	ck_assert(!r->unchanged);
	ck_assert_str_eq(r->config->name, "second");
	ck_assert_uint_gt(r->bundle.len, 0);
	publish(r, true);
	write_good("third");
	ck_assert_str_eq(next_result()->config->name, "third");
}
END_TEST

START_TEST(the_same_content_again_is_told_only_to_those_who_ask)
{
	struct load_result *r;
	int cookie;

	start(true);
	write_good("first");
	loader_request(loader, LOAD_REQUEST, &cookie);
	r = next_result();
	ck_assert_int_eq(r->why, LOAD_REQUEST);
	ck_assert_ptr_eq(r->cookie, &cookie);
	ck_assert(r->unchanged);
	write_good("second");
	ck_assert_str_eq(next_result()->config->name, "second");
}
END_TEST

START_TEST(going_back_before_anybody_published_is_told_as_a_change)
{
	start(true);
	write_good("second");
	ck_assert_str_eq(next_result()->config->name, "second");
	write_good("first");
	ck_assert_str_eq(next_result()->config->name, "first");
	ck_assert(!got[0]->unchanged);
}
END_TEST

START_TEST(a_bad_file_is_told_once_and_so_is_its_repair)
{
	struct load_result *r;

	start(true);
	write_text(path, "nonsense = = 1\n");
	r = next_result();
	ck_assert_int_eq(r->exit_code, EXIT_CONFIG);
	ck_assert_ptr_null(r->config);
	ck_assert_uint_ge(r->diag.nerrors, 1);
	write_text(path, "nonsense = = 1\n");	/* noise: nothing new to tell */
	loader_request(loader, LOAD_WATCH, NULL);
	write_good("first");
	r = next_result();
	ck_assert_int_eq(r->exit_code, 0);
	ck_assert(r->unchanged);
}
END_TEST

static void expect_last_good_stays(enum load_why why)
{
	struct load_result *r = next_result();

	ck_assert_int_eq(r->why, why);
	ck_assert_int_ne(r->exit_code, 0);
	ck_assert_ptr_null(r->config);
	ck_assert_uint_eq(r->diag.n, 1);
	ck_assert_uint_eq(r->diag.nerrors, 1);
	ck_assert_int_eq(r->diag.issues[0].line, 0);
	ck_assert_str_eq(r->diag.issues[0].file, path);
	ck_assert_ptr_nonnull(strstr(r->diag.issues[0].message, "last good"));
}

START_TEST(a_deleted_file_leaves_the_last_good_one)
{
	start(true);
	ck_assert_int_eq(unlink(path), 0);
	expect_last_good_stays(LOAD_WATCH);
	write_good("second");
	ck_assert_str_eq(next_result()->config->name, "second");
}
END_TEST

START_TEST(an_emptied_file_leaves_the_last_good_one)
{
	start(true);
	write_text(path, "");
	expect_last_good_stays(LOAD_WATCH);
	write_text(path, " \n\t\n");
	loader_request(loader, LOAD_SIGNAL, NULL);
	expect_last_good_stays(LOAD_SIGNAL);
}
END_TEST

START_TEST(a_directory_in_its_place_leaves_the_last_good_one)
{
	start(true);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	expect_last_good_stays(LOAD_WATCH);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(files_that_come_to_be_included_are_noticed)
{
	char name[64];

	start(true);
	snprintf(name, sizeof(name), "%s/conf.d", dir);
	ck_assert_int_eq(mkdir(name, 0755), 0);
	snprintf(name, sizeof(name), "%s/conf.d/a.toml", dir);
	write_text(name, "[subsystem.db]\ncommand = [\"sleep\", \"2\"]\n");
	ck_assert_uint_eq(next_result()->config->nsubsystems, 2);
	publish(got[0], true);
	write_text(name, "[subsystem.db]\ncommand = [\"sleep\", \"3\"]\n");
	ck_assert_uint_eq(next_result()->config->nsubsystems, 2);
}
END_TEST

START_TEST(without_watching_only_requests_are_answered)
{
	int cookie;

	start(false);
	write_good("second");
	loader_request(loader, LOAD_PLAN, &cookie);
	ck_assert_int_eq(next_result()->why, LOAD_PLAN);
	ck_assert_str_eq(got[0]->config->name, "second");
	loader_request(loader, LOAD_SIGNAL, NULL);
	ck_assert_int_eq(next_result()->why, LOAD_SIGNAL);
	ck_assert(!got[0]->unchanged);
}
END_TEST

START_TEST(watching_can_be_turned_on_later)
{
	start(false);
	write_good("second");	/* before the watch, after the load: must not be missed */
	loader_published(loader, current, true);
	ck_assert_str_eq(next_result()->config->name, "second");
}
END_TEST

START_TEST(no_request_is_left_without_an_answer)
{
	enum { REQUESTS = 8 };
	int cookies[REQUESTS];
	size_t answers;

	start(true);
	for (int i = 0; i < REQUESTS; i++)
		loader_request(loader, LOAD_REQUEST, &cookies[i]);
	loader_stop(take(loader));
	while (ngot < REQUESTS)
		ev_run(loop, EVRUN_NOWAIT);
	for (answers = 0; answers < ngot; answers++)
		ck_assert_ptr_eq(got[answers]->cookie, &cookies[answers]);
	ck_assert_uint_eq(answers, REQUESTS);
}
END_TEST

/* With a family: what runs, and what the loader is to make of it. */
static struct load_result *scale(uint32_t declared, uint32_t n)
{
	auto_free(scales_fini) struct scales wanted = SCALES_INIT;

	scales_order(&wanted, "many", declared, n);
	loader_scale(loader, &wanted, &wanted);
	return next_result();
}

static void write_many(unsigned n, const char *name)
{
	auto_free(freep) char *text = x_asprintf("name = \"%s\"\n[subsystem.many]\n"
						 "command = \"true\"\ninstances = %u\n", name, n);

	write_text(path, text);
}

static struct load_result *reload(void)
{
	loader_request(loader, LOAD_REQUEST, NULL);
	return next_result();
}

START_TEST(a_scale_starts_from_what_runs_and_later_loads_know_it)
{
	struct load_result *r;

	start(false);
	ck_assert_int_eq(scale(2, 5)->exit_code, EXIT_FAILED);	/* nothing was saved */
	ck_assert_uint_eq(got[0]->generation, 0);
	write_many(2, "first");
	r = reload();
	strbuf_add(&saved, r->bundle.buf, r->bundle.len);
	publish(r, false);
	write_text(path, "broken [");
	r = scale(2, 5);
	ck_assert_int_eq(r->why, LOAD_SCALE);
	ck_assert_int_eq(r->exit_code, 0);
	ck_assert_uint_eq(r->generation, 7);
	ck_assert_str_eq(r->config->name, "first");
	ck_assert_uint_eq(r->config->nsubsystems, 5);
	publish(r, false);
	write_many(2, "second");
	ck_assert_uint_eq(reload()->config->nsubsystems, 5);
	write_many(3, "third");
	r = reload();
	ck_assert_uint_eq(r->config->nsubsystems, 3);
	publish(r, false);
	write_many(2, "fourth");
	ck_assert_uint_eq(reload()->config->nsubsystems, 2);
	strbuf_fini(&saved);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_changed_file_is_loaded_and_told,
		the_same_content_again_is_told_only_to_those_who_ask,
		going_back_before_anybody_published_is_told_as_a_change,
		a_bad_file_is_told_once_and_so_is_its_repair,
		a_deleted_file_leaves_the_last_good_one,
		an_emptied_file_leaves_the_last_good_one,
		a_directory_in_its_place_leaves_the_last_good_one,
		files_that_come_to_be_included_are_noticed,
		without_watching_only_requests_are_answered,
		watching_can_be_turned_on_later,
		no_request_is_left_without_an_answer,
		a_scale_starts_from_what_runs_and_later_loads_know_it,
	};

	return unit_run_in("config: loader", set_up, tear_down, tests, ARRAY_LEN(tests));
}
