/* The saved text of the running configuration, with every bit flipped and cut at every length: it is
 * the one that was saved, or none, and then it is kept aside. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "command/supervisor.h"
#include "unit.h"

static const char saved[] = "\1\0\0\0a text of several\0 files\n[subsystem.web]\ncommand = \"x\"\n";
#define LEN (sizeof(saved) - 1)
#define GENERATION 4711

static char base[64];
static int dirfd;

static void quiet(void *ctx, enum log_level level, const char *subsystem, const char *text)
{
	(void)ctx;
	(void)level;
	(void)subsystem;
	(void)text;
}

static void save(void)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_add(&text, saved, LEN);
	bundle_write(dirfd, &text, GENERATION);
}

static void setup(void)
{
	snprintf(base, sizeof(base), "%s/bundle-unit-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(base));
	dirfd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd, 0);
	log_set_sink(quiet, NULL);
	save();
}

static void teardown(void)
{
	bundle_remove(dirfd);
	unlinkat(dirfd, "config.bundle.bad", 0);
	close(dirfd);
	rmdir(base);
}

/* True: it was there, and as saved. */
static bool read_back(void)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	uint64_t generation = 0;

	if (!bundle_read(base, &text, &generation)) {
		ck_assert_uint_eq(text.len, 0);
		ck_assert_uint_eq(generation, 0);
		return false;
	}
	ck_assert_uint_eq(generation, GENERATION);
	ck_assert_uint_eq(text.len, LEN);
	ck_assert_mem_eq(text.buf, saved, LEN);
	return true;
}

static bool there(const char *file)
{
	return faccessat(dirfd, file, F_OK, 0) == 0;
}

static size_t content(char bytes[512])
{
	int fd = openat(dirfd, "config.bundle", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, 512);

	ck_assert_int_gt(n, (ssize_t)LEN);
	close(fd);
	return (size_t)n;
}

static void replace(const char *bytes, size_t n)
{
	unlinkat(dirfd, "config.bundle.bad", 0);
	ck_assert_int_eq(file_replace_at(dirfd, "config.bundle", bytes, n, 0600), 0);
}

START_TEST(what_was_saved_is_read_again)
{
	ck_assert(read_back());
	ck_assert(!there("config.bundle.bad"));
	bundle_remove(dirfd);
	ck_assert(!read_back());
	ck_assert(!there("config.bundle.bad"));
}
END_TEST

START_TEST(no_flipped_bit_is_believed)
{
	char bytes[512];
	size_t n = content(bytes);

	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
		replace(bytes, n);
		ck_assert_msg(!read_back(), "bit %zu", bit);
		ck_assert(there("config.bundle.bad") && !there("config.bundle"));
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
	}
}
END_TEST

START_TEST(no_cut_is_believed)
{
	char bytes[512];
	size_t n = content(bytes);

	for (size_t cut = 0; cut < n; cut++) {
		replace(bytes, cut);
		ck_assert(!read_back());
		ck_assert(there("config.bundle.bad"));
	}
	bytes[n] = 'x';		/* nor is more */
	replace(bytes, n + 1);
	ck_assert(!read_back());
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		what_was_saved_is_read_again, no_flipped_bit_is_believed, no_cut_is_believed,
	};

	return unit_run_in("command: bundle", setup, teardown, tests, ARRAY_LEN(tests));
}
