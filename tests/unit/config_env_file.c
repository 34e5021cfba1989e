/* Environment files: what a line means, where a mistake is, and that reading has bounds. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/defaults.h"
#include "config/env_file.h"
#include "config/part.h"
#include "config/start_files.h"
#include "unit.h"

static struct env_file_error error;
static char joined[1024];

/* The variables of TEXT, each followed by '|'; NULL: refused. */
static const char *parsed(const char *text)
{
	struct strlist list = STRLIST_INIT;
	size_t len = 0;
	int ret = env_file_parse(text, strlen(text), &list, &error);

	joined[0] = '\0';
	for (size_t i = 0; i < list.n && len < sizeof(joined); i++)
		len += (size_t)snprintf(joined + len, sizeof(joined) - len, "%s|", list.items[i]);
	strlist_fini(&list);
	return ret == 0 ? joined : NULL;
}

static void refused(const char *text, int line, int column, const char *what)
{
	ck_assert_msg(parsed(text) == NULL, "accepted: %s", text);
	ck_assert_str_eq(error.what, what);
	ck_assert_int_eq(error.line, line);
	ck_assert_int_eq(error.column, column);
}

START_TEST(a_line_is_a_variable_a_comment_or_nothing)
{
	ck_assert_str_eq(parsed(""), "");
	ck_assert_str_eq(parsed("\n \t\n# A=1\n ; B=2\n"), "");
	ck_assert_str_eq(parsed("A=1\nB=2"), "A=1|B=2|");
	ck_assert_str_eq(parsed("  A=1  \n\tB = x\n") ? "" : error.what,
			 "expected '=' behind the name of a variable");
	ck_assert_str_eq(parsed("A=\nB= \n"), "A=|B=|");
	ck_assert_str_eq(parsed("\xef\xbb\xbf" "A=1\r\nB=2\r\n"), "A=1|B=2|");
	ck_assert_str_eq(parsed("a.b-c_1=x"), "a.b-c_1=x|");
}
END_TEST

START_TEST(export_is_passed_over)
{
	ck_assert_str_eq(parsed("export A=1\nexport\tB=2\n export  C=3"), "A=1|B=2|C=3|");
	ck_assert_str_eq(parsed("export=1\nexported=2"), "export=1|exported=2|");
}
END_TEST

START_TEST(an_unquoted_value_is_kept_as_it_is)
{
	ck_assert_str_eq(parsed("A=one two  \nB=a=b\nC=x # y\nD=\\n$HOME`id`\nE=a\"b\"'c'\n"),
			 "A=one two|B=a=b|C=x # y|D=\\n$HOME`id`|E=a\"b\"'c'|");
}
END_TEST

START_TEST(quotes_keep_blanks_and_lines)
{
	ck_assert_str_eq(parsed("A=\"  x \"\nB='  y '\nC=''\nD=\"\""), "A=  x |B=  y |C=|D=|");
	ck_assert_str_eq(parsed("A='a\nb'\nB=\"c\r\nd\"\n"), "A=a\nb|B=c\r\nd|");
	ck_assert_str_eq(parsed("A='\\n$X\"'\n"), "A=\\n$X\"|");
	ck_assert_str_eq(parsed("A=\"\\\"\\\\\\$\\`\\n\\t\\x\"\n"), "A=\"\\$`\n\t\\x|");
	ck_assert_str_eq(parsed("A=\"1\" # one\nB='2';two\n"), "A=1|B=2|");
}
END_TEST

START_TEST(the_last_of_a_name_counts)
{
	ck_assert_str_eq(parsed("A=1\nAB=2\nA=3\n"), "A=3|AB=2|");
}
END_TEST

START_TEST(mistakes_have_a_place_and_quote_nothing)
{
	refused("A=1\n  secret\n", 2, 9, "expected '=' behind the name of a variable");
	refused("=x\n", 1, 1, "expected NAME=VALUE");
	refused("1A=x\n", 1, 1, "expected NAME=VALUE");
	refused("export \n", 1, 8, "expected NAME=VALUE");
	refused("A B=x\n", 1, 2, "expected '=' behind the name of a variable");
	refused("\n\nA=\"x\ny\n", 3, 3, "the quote is not closed");
	refused("A='x", 1, 3, "the quote is not closed");
	refused("A=\"x\\", 1, 3, "the quote is not closed");
	refused("A='x'y\n", 1, 6, "text behind the closing quote");
	refused("A='x\ny'z\n", 2, 3, "text behind the closing quote");
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	struct strlist list = STRLIST_INIT;

	ck_assert_int_eq(env_file_parse("A=x\0y", 5, &list, &error), -EINVAL);
	ck_assert_str_eq(error.what, "a NUL byte in a value");
	ck_assert_int_eq(env_file_parse("A=1\nB='\0'\n", 10, &list, &error), -EINVAL);
	ck_assert_int_eq(error.line, 2);
	ck_assert_int_eq(env_file_parse("\0\n", 2, &list, &error), -EINVAL);
	strlist_fini(&list);
}
END_TEST

START_TEST(there_are_not_more_variables_than_a_start_can_bear)
{
	char *text = malloc(16 * (ENV_FILE_VARIABLES + 1));
	size_t n = 0;

	for (int i = 0; i < ENV_FILE_VARIABLES; i++)
		n += (size_t)snprintf(text + n, 16, "V%d=\n", i);
	ck_assert_ptr_nonnull(parsed(text));
	snprintf(text + n, 16, "V7=\nMORE=\n");
	refused(text, ENV_FILE_VARIABLES + 2, 1, "too many variables");
	free(text);
}
END_TEST

/* --- the files of a start ----------------------------------------------------------------------- */

static char dir[] = "/tmp/procd-env-XXXXXX";

static struct start_files *read_items(const char *first, const char *second)
{
	struct subsystem_options *template = subsystem_options_template();
	struct subsystem_options *o = subsystem_options_new(template, "web");
	struct start_files *f;

	subsystem_options_unref(template);
	strlist_add(&rights_write(o)->env_file, first);
	if (second != NULL)
		strlist_add(&rights_write(o)->env_file, second);
	f = start_files_new(o, 3, 7);
	subsystem_options_unref(o);
	start_files_read(f);
	return f;
}

static void put(const char *name, const char *text, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
}

static void fails(const char *item, int errnum, const char *why)
{
	struct start_files *f = read_items(item, NULL);

	ck_assert_int_eq(f->failed, START_FILES_ENV);
	ck_assert_int_eq(f->errnum, errnum);
	ck_assert_str_eq(f->why, why);
	start_files_free(f);
}

START_TEST(later_files_win_and_optional_ones_may_be_missing)
{
	struct start_files *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	put("a", "A=1\nB=1\n", 8);
	put("b", "B=2", 3);
	f = read_items("a", "-b");
	ck_assert_int_eq(f->failed, START_FILES_OK);
	ck_assert_uint_eq(f->environment.n, 2);
	ck_assert_str_eq(f->environment.items[1], "B=2");
	start_files_free(f);
	f = read_items("-none", "a");
	ck_assert_int_eq(f->failed, START_FILES_OK);
	ck_assert_uint_eq(f->environment.n, 2);
	start_files_free(f);
	f = read_items("-a/b", NULL);
	ck_assert_int_eq(f->failed, START_FILES_OK);
	start_files_free(f);
}
END_TEST

START_TEST(credentials_are_read_as_they_are)
{
	struct subsystem_options *template = subsystem_options_template();
	struct subsystem_options *o = subsystem_options_new(template, "web");
	struct start_files *f;

	subsystem_options_unref(template);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	put("key", "a\0b\n", 4);
	strlist_add(&rights_write(o)->credentials, "db=key");
	f = start_files_new(o, 3, 7);
	ck_assert(start_files_needed(o));
	start_files_read(f);
	ck_assert_int_eq(f->failed, START_FILES_OK);
	ck_assert_uint_eq(f->credentials[0].size, 4);
	ck_assert_int_eq(memcmp(f->credentials[0].data, "a\0b\n", 4), 0);
	start_files_free(f);
	strlist_add(&rights_write(o)->credentials, "none=nowhere");
	f = start_files_new(o, 3, 7);
	start_files_read(f);
	ck_assert_int_eq(f->failed, START_FILES_CREDENTIALS);
	ck_assert_int_eq(f->errnum, ENOENT);
	ck_assert_str_eq(f->why, "nowhere: No such file or directory");
	start_files_free(f);
	subsystem_options_unref(o);
}
END_TEST

START_TEST(what_cannot_be_read_fails_with_the_name_of_the_file)
{
	static char big[ENV_FILE_MAX + 1];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	fails("none", ENOENT, "none: No such file or directory");
	fails(".", EISDIR, ".: Is a directory");
	ck_assert_int_eq(mkfifo("pipe", 0600), 0);
	fails("pipe", EINVAL, "pipe: not a regular file");
	fails("-pipe", EINVAL, "pipe: not a regular file");
	fails("/dev/zero", EINVAL, "/dev/zero: not a regular file");
	put("bad", "A=1\nsecret", 10);
	fails("-bad", EINVAL, "bad:2:7: expected '=' behind the name of a variable");
	memset(big, '\n', sizeof(big));
	put("big", big, sizeof(big));
	fails("big", EFBIG, "big: longer than 65536 bytes");
	put("big", big, sizeof(big) - 1);
	start_files_free(read_items("big", NULL));
}
END_TEST

UNIT_MAIN("config: environment files", a_line_is_a_variable_a_comment_or_nothing,
	  export_is_passed_over, an_unquoted_value_is_kept_as_it_is, quotes_keep_blanks_and_lines,
	  the_last_of_a_name_counts, mistakes_have_a_place_and_quote_nothing, nul_bytes_are_refused,
	  there_are_not_more_variables_than_a_start_can_bear,
	  later_files_win_and_optional_ones_may_be_missing, credentials_are_read_as_they_are,
	  what_cannot_be_read_fails_with_the_name_of_the_file)
