/* How many open files a configuration needs, and what happens when there are not so many. */
#include <grp.h>
#include <sys/resource.h>

#include "base/nofile.h"
#include "config/descriptors.h"
#include "config_fixture.h"

#define TWO "[subsystem.a]\ncommand = \"true\"\n[subsystem.b]\ncommand = \"true\"\n"

static void limit(rlim_t soft, rlim_t hard)
{
	struct rlimit r = { soft, hard };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
}

static rlim_t soft_limit(void)
{
	struct rlimit r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &r), 0);
	return r.rlim_cur;
}

/* Each test is a process of its own. */
static void give_up_root(void)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chown(dir, 65534, 65534), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresgid(65534, 65534, 65534), 0);
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
}

static void many(struct strbuf *text, int n)
{
	for (int i = 0; i < n; i++)
		strbuf_addf(text, "[subsystem.s%d]\ncommand = \"true\"\n", i);
}

static uint64_t wanted;

static uint64_t need_of(const char *text)
{
	load_fine(text);
	return config_descriptors(config, &wanted);
}

START_TEST(each_process_each_stream_and_each_log_file_is_counted_where_it_is_open)
{
	ck_assert_uint_eq(need_of(""), DESCRIPTORS_OWN);
	ck_assert_uint_eq(need_of(TWO), DESCRIPTORS_OWN + 2);
	ck_assert_uint_eq(wanted, DESCRIPTORS_OWN + 4);
	ck_assert_uint_eq(need_of("[defaults]\nstdout = \"null\"\n" TWO), DESCRIPTORS_OWN);
	ck_assert_uint_eq(wanted, DESCRIPTORS_OWN + 2);
	ck_assert_uint_eq(need_of("[defaults]\nstderr = \"log\"\n" TWO), DESCRIPTORS_OWN + 4);
	ck_assert_uint_eq(wanted, DESCRIPTORS_OWN + 6);
	/* the keeper: process and stream; the supervisor: stream and file */
	ck_assert_uint_eq(need_of("[defaults]\nlog_file = \"/tmp/%n\"\n" TWO),
			  DESCRIPTORS_OWN + 4);
	ck_assert_uint_eq(wanted, DESCRIPTORS_OWN + 4);
}
END_TEST

START_TEST(the_soft_limit_is_raised_to_what_is_needed)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	give_up_root();
	limit(100, 4096);
	many(&text, 200);
	load_fine(text.buf);
	ck_assert_uint_eq(soft_limit(), DESCRIPTORS_OWN + 400 + DESCRIPTORS_CONNECTIONS);
	ck_assert_uint_eq(diag.nerrors, 0);
}
END_TEST

START_TEST(a_limit_that_is_high_enough_is_not_touched)
{
	limit(1500, 4096);
	load_fine(TWO);
	ck_assert_uint_eq(soft_limit(), 1500);
}
END_TEST

START_TEST(what_cannot_fit_is_refused_with_need_and_limit)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(freep) char *found = NULL;

	give_up_root();
	limit(100, 250);
	many(&text, 200);
	ck_assert_int_eq(load_text(text.buf), EXIT_CONFIG);
	found = errors();
	ck_assert_ptr_nonnull(strstr(found, "264"));
	ck_assert_ptr_nonnull(strstr(found, "250"));
}
END_TEST

START_TEST(what_leaves_no_pidfd_for_some_is_a_warning)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	give_up_root();
	limit(100, 300);
	many(&text, 200);
	ck_assert_int_eq(load_text(text.buf), 0);
	ck_assert_uint_eq(diag.nerrors, 0);
	ck_assert_ptr_nonnull(strstr(diag.issues[diag.n - 1].message, "would use 464"));
	ck_assert_uint_eq(soft_limit(), 300);
}
END_TEST

START_TEST(what_leaves_too_little_for_clients_is_a_warning)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	give_up_root();
	limit(100, 500);
	many(&text, 200);
	ck_assert_int_eq(load_text(text.buf), 0);
	ck_assert_uint_eq(diag.nerrors, 0);
	ck_assert_ptr_nonnull(strstr(diag.issues[diag.n - 1].message, "464"));
	ck_assert_ptr_nonnull(strstr(diag.issues[diag.n - 1].message, "500"));
	ck_assert_uint_eq(soft_limit(), 500);
}
END_TEST

/* It runs already; whoever lowered the limit meanwhile must not keep the supervisor from coming back. */
START_TEST(a_saved_configuration_is_never_refused)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	auto_free(strbuf_fini) struct strbuf saved = STRBUF_INIT;
	struct config_source source = { 0 };

	many(&text, 200);
	load_fine(text.buf);
	strbuf_add(&saved, bundle.buf, bundle.len);
	forget();
	give_up_root();
	limit(100, 300);
	source.bundle = saved.buf;
	source.bundle_len = saved.len;
	ck_assert_int_eq(config_load(&source, &config, &diag, NULL), 0);
	ck_assert_uint_eq(diag.nerrors, 0);
	ck_assert_uint_eq(config->nsubsystems, 200);
}
END_TEST

START_TEST(who_may_raise_the_hard_limit_does)
{
	struct rlimit was, up;

	/* Root of a container may well not. */
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	up = (struct rlimit){ was.rlim_max + 1, was.rlim_max + 1 };
	if (setrlimit(RLIMIT_NOFILE, &up) < 0)
		return;
	limit(100, 300);
	ck_assert_uint_eq(nofile_claim(0, 400), 400);
	ck_assert_uint_eq(soft_limit(), 400);
	ck_assert_uint_eq(nofile_claim(0, 200), 400);
	ck_assert_uint_eq(soft_limit(), 400);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		each_process_each_stream_and_each_log_file_is_counted_where_it_is_open,
		the_soft_limit_is_raised_to_what_is_needed,
		a_limit_that_is_high_enough_is_not_touched,
		what_cannot_fit_is_refused_with_need_and_limit,
		what_leaves_no_pidfd_for_some_is_a_warning,
		what_leaves_too_little_for_clients_is_a_warning,
		a_saved_configuration_is_never_refused, who_may_raise_the_hard_limit_does,
	};

	return unit_run_in("config: descriptors", setup, teardown, tests, ARRAY_LEN(tests));
}
