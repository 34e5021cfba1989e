/* Files opened with distrust: what is refused, and that a refusal harms nothing. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "unit.h"

/* A fresh directory; each test runs in a process of its own. */
static char dir[] = "/tmp/procd-unit-fd-XXXXXX";
static int dirfd = -1;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dirfd, 0);
}

static void teardown(void)
{
	static const char *const names[] = { "file", "link", "fifo", "socket", "sub", "other" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unlinkat(dirfd, names[i], 0);
		unlinkat(dirfd, names[i], AT_REMOVEDIR);
	}
	close(dirfd);
	ck_assert_int_eq(chdir("/"), 0);
	/* Fails when a test left anything behind, such as a temporary file. */
	ck_assert_int_eq(rmdir(dir), 0);
}

static void write_file(const char *name, const char *text)
{
	ck_assert_int_eq(file_replace_at(dirfd, name, text, strlen(text), 0600), 0);
}

static void check_content(const char *name, const char *text)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	ck_assert_int_eq(file_read(name, 1 << 20, &out), 0);
	ck_assert_str_eq(out.buf, text);
}

START_TEST(a_new_log_file_is_created_for_appending)
{
	int fd = file_open_owned(dirfd, "file", 0, 0640);
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777 & ~0640u, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_APPEND, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fd_write_all(fd, "one\n", 4), 0);
	close(fd);
	fd = file_open_owned(dirfd, "file", O_WRONLY, 0640);
	ck_assert_int_eq(fd_write_all(fd, "two\n", 4), 0);
	close(fd);
	check_content("file", "one\ntwo\n");
}
END_TEST

START_TEST(a_pid_file_can_be_truncated_and_read)
{
	char byte;
	int fd;

	write_file("file", "old content");
	fd = file_open_owned(dirfd, "file", O_RDWR | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	check_content("file", "");
}
END_TEST

START_TEST(a_planted_symlink_is_refused_and_its_target_untouched)
{
	write_file("other", "precious");
	ck_assert_int_eq(symlink("other", "link"), 0);
	ck_assert_int_eq(file_open_owned(dirfd, "link", O_TRUNC, 0600), -ELOOP);
	check_content("other", "precious");
	unlink("link");
	ck_assert_int_eq(symlink("file", "link"), 0);
	ck_assert_int_eq(file_open_owned(dirfd, "link", 0, 0600), -ELOOP);
	ck_assert_int_eq(access("file", F_OK), -1);
}
END_TEST

START_TEST(a_file_with_a_second_link_is_refused_and_untouched)
{
	write_file("other", "precious");
	ck_assert_int_eq(link("other", "file"), 0);
	ck_assert_int_eq(file_open_owned(dirfd, "file", O_TRUNC, 0600), -EPERM);
	check_content("other", "precious");
}
END_TEST

START_TEST(a_foreign_file_is_refused)
{
	if (geteuid() != 0)
		return;		/* only root can make one */
	write_file("file", "theirs");
	ck_assert_int_eq(chown("file", 12345, 12345), 0);
	/* Some kernels refuse earlier (fs.protected_regular), with another number. */
	ck_assert_int_lt(file_open_owned(dirfd, "file", O_TRUNC, 0600), 0);
	check_content("file", "theirs");
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused_without_waiting)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(file_open_owned(dirfd, "fifo", 0, 0600), -EINVAL);
	ck_assert_int_eq(file_open_owned(dirfd, "fifo", O_RDWR, 0600), -EINVAL);
	ck_assert_int_eq(mkdir("sub", 0700), 0);
	ck_assert_int_eq(file_open_owned(dirfd, "sub", 0, 0600), -EINVAL);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(file_open_owned(dirfd, "socket", 0, 0600), -EINVAL);
	ck_assert_int_eq(file_open_owned(AT_FDCWD, "/dev/null", 0, 0600), -EINVAL);
	ck_assert_int_eq(file_open_owned(dirfd, "missing/file", 0, 0600), -ENOENT);
	close(fd);
}
END_TEST

START_TEST(a_file_is_replaced_whole_with_the_given_mode)
{
	struct stat st;

	write_file("file", "old");
	umask(0777);
	ck_assert_int_eq(file_replace_at(dirfd, "file", "new", 3, 0644), 0);
	umask(022);
	check_content("file", "new");
	ck_assert_int_eq(stat("file", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(file_replace_at(dirfd, "file", "", 0, 0600), 0);
	check_content("file", "");
}
END_TEST

START_TEST(replacing_a_symlink_replaces_the_link_not_its_target)
{
	write_file("other", "precious");
	ck_assert_int_eq(symlink("other", "link"), 0);
	ck_assert_int_eq(file_replace_at(dirfd, "link", "mine", 4, 0600), 0);
	check_content("other", "precious");
	check_content("link", "mine");
}
END_TEST

/* The tear-down proves that no temporary file is left. */
START_TEST(a_failed_replacement_leaves_nothing_behind)
{
	char name[5000];

	ck_assert_int_eq(mkdir("sub", 0700), 0);
	ck_assert_int_eq(file_replace_at(dirfd, "sub", "x", 1, 0600), -EISDIR);
	ck_assert_int_eq(file_replace_at(dirfd, "missing/file", "x", 1, 0600), -ENOENT);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(file_replace_at(dirfd, name, "x", 1, 0600), -ENAMETOOLONG);
}
END_TEST

START_TEST(only_regular_files_up_to_the_limit_are_read)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	write_file("file", "12345");
	strbuf_addstr(&out, "kept");
	ck_assert_int_eq(file_read("file", 4, &out), -EFBIG);
	ck_assert_str_eq(out.buf, "kept");
	ck_assert_int_eq(file_read("file", 5, &out), 0);
	ck_assert_str_eq(out.buf, "kept12345");
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(file_read("fifo", 100, &out), -EINVAL);
	ck_assert_int_eq(file_read("/dev/zero", 100, &out), -EINVAL);
	ck_assert_int_eq(file_read(".", 100, &out), -EISDIR);
	ck_assert_int_eq(file_read("missing", 100, &out), -ENOENT);
	ck_assert_str_eq(out.buf, "kept12345");
	strbuf_reset(&out);
	ck_assert_int_eq(file_read("/proc/self/stat", 4096, &out), 0);
	ck_assert_uint_gt(out.len, 20);
}
END_TEST

START_TEST(writing_goes_on_over_short_counts)
{
	static char bytes[1 << 20];
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	int ends[2];
	pid_t pid;
	int status;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit(fd_write_all(ends[1], bytes, sizeof(bytes)) == 0 ? 0 : 1);
	}
	close(ends[1]);
	ck_assert_int_eq(fd_read_all(ends[0], sizeof(bytes), &out), 0);
	ck_assert_uint_eq(out.len, sizeof(bytes));
	ck_assert_mem_eq(out.buf, bytes, sizeof(bytes));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(ends[0]);
	ck_assert_int_eq(fd_write_all(ends[0], "x", 1), -EBADF);
}
END_TEST

START_TEST(descriptor_flags_are_set_and_cleared)
{
	int fd = open("/dev/null", O_RDWR);

	ck_assert_int_eq(fd_set_nonblock(fd, true), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fd_set_nonblock(fd, false), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fd_set_cloexec(fd, true), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fd_set_cloexec(fd, false), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
	close(fd);
	ck_assert_int_eq(fd_set_nonblock(fd, true), -EBADF);
}
END_TEST

START_TEST(the_boot_has_an_id)
{
	char id[37], again[37];

	boot_id_read(id);
	boot_id_read(again);
	ck_assert_uint_eq(strlen(id), 36);
	ck_assert_str_eq(id, again);
}
END_TEST

/* The program's name is in the same line and may look like the end of the field. */
START_TEST(a_start_time_belongs_to_one_process_whatever_its_name)
{
	uint64_t before = process_start_time(getpid());
	pid_t pid;
	uint64_t child;

	ck_assert_uint_gt(before, 0);
	ck_assert_int_eq(pthread_setname_np(pthread_self(), "a) R 1 (b) 7 7"), 0);
	ck_assert_uint_eq(process_start_time(getpid()), before);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	child = process_start_time(pid);
	ck_assert_uint_ge(child, before);
	ck_assert_uint_lt(child, before + 100 * (uint64_t)sysconf(_SC_CLK_TCK));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_uint_eq(process_start_time(pid), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_new_log_file_is_created_for_appending,
		a_pid_file_can_be_truncated_and_read,
		a_planted_symlink_is_refused_and_its_target_untouched,
		a_file_with_a_second_link_is_refused_and_untouched,
		a_foreign_file_is_refused,
		what_is_no_regular_file_is_refused_without_waiting,
		a_file_is_replaced_whole_with_the_given_mode,
		replacing_a_symlink_replaces_the_link_not_its_target,
		a_failed_replacement_leaves_nothing_behind,
		only_regular_files_up_to_the_limit_are_read,
		writing_goes_on_over_short_counts,
		descriptor_flags_are_set_and_cleared,
		the_boot_has_an_id,
		a_start_time_belongs_to_one_process_whatever_its_name,
	};

	return unit_run_in("base: fd", setup, teardown, tests, ARRAY_LEN(tests));
}
