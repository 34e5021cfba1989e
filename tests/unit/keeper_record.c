/* The record file: kept over a restart of the keeper in the same boot, never trusted otherwise, and
 * readable by the other side while it grows. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/record.h"
#include "unit.h"

static char base[64];
static int dirfd;

static void setup(void)
{
	snprintf(base, sizeof(base), "/tmp/record-unit-XXXXXX");
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

START_TEST(a_torn_file_is_set_aside)
{
	struct records r;

	create(&r, 100, false);
	records_unmap(&r);
	{
		int fd = openat(dirfd, RECORDS_FILE, O_RDWR | O_CLOEXEC);

		ck_assert_int_eq(ftruncate(fd, 5000), 0);
		close(fd);
	}
	create(&r, 1, true);
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

int main(void)
{
	const TTest *tests[] = {
		records_outlive_their_keeper, a_foreign_file_is_set_aside,
		a_file_of_another_boot_is_set_aside, a_file_of_another_version_is_set_aside,
		a_torn_file_is_set_aside, a_link_in_its_place_is_not_followed,
		a_reader_sees_the_file_grow, growing_ends_at_the_limit,
		a_reader_refuses_what_is_no_record_file,
	};

	return unit_run_in("keeper: record", setup, teardown, tests, ARRAY_LEN(tests));
}
