/* Reading through a memory map: the same bytes, or none; and never a signal. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/fd.h"
#include "config/map_file.h"
#include "config_fixture.h"

#define LARGEST (1u << 20)

static void fill(const char *name, char c, size_t n)
{
	auto_free(closep) int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	auto_free(freep) char *text = x_malloc(n + 1);

	ck_assert_int_ge(fd, 0);
	memset(text, c, n);
	ck_assert_int_eq(fd_write_all(fd, text, n), 0);
}

START_TEST(the_text_is_appended_whole)
{
	static const size_t sizes[] = { 1, 100, 4095, 4096, 4097, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

		strbuf_addstr(&out, "before ");
		fill("a", 'x', sizes[i]);
		ck_assert(map_file_read("a", LARGEST, &out));
		ck_assert_uint_eq(out.len, 7 + sizes[i]);
		ck_assert_uint_eq(strspn(out.buf + 7, "x"), sizes[i]);
	}
}
END_TEST

START_TEST(what_is_not_for_a_map_is_left_to_ordinary_reading)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	strbuf_addstr(&out, "kept");
	fill("empty", 'x', 0);
	ck_assert(!map_file_read("empty", LARGEST, &out));
	fill("large", 'x', LARGEST + 1);
	ck_assert(!map_file_read("large", LARGEST, &out));
	ck_assert(!map_file_read("missing", LARGEST, &out));
	ck_assert(!map_file_read(".", LARGEST, &out));
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert(!map_file_read("fifo", LARGEST, &out));
	ck_assert_str_eq(out.buf, "kept");
}
END_TEST

static _Atomic bool over;

static void *truncate_on(void *arg)
{
	(void)arg;
	while (!over) {
		ck_assert_int_eq(truncate("a", 0), 0);
		ck_assert_int_eq(truncate("a", 600000), 0);
	}
	return NULL;
}

START_TEST(a_file_that_shrinks_meanwhile_is_no_signal)
{
	pthread_t other;
	unsigned refused = 0;

	fill("a", 'x', 600000);
	over = false;
	ck_assert_int_eq(pthread_create(&other, NULL, truncate_on, NULL), 0);
	for (int i = 0; i < 2000; i++) {
		auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

		if (!map_file_read("a", LARGEST, &out))
			refused++;
		else
			ck_assert_uint_eq(out.len, 600000);
	}
	over = true;
	pthread_join(other, NULL);
	ck_assert_uint_gt(refused, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_text_is_appended_whole, what_is_not_for_a_map_is_left_to_ordinary_reading,
		a_file_that_shrinks_meanwhile_is_no_signal,
	};

	return unit_run_in("config: map_file", setup, teardown, tests, ARRAY_LEN(tests));
}
