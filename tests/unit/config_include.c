/* Includes of includes: whose patterns they are, where they point, and what is remembered. */
#include "config_fixture.h"

#define WEB "[subsystem.web]\ncommand = \"true\"\n"

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(name, 0755), 0);
}

static char *in_dir(const char *name)
{
	char here[4096];

	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	return x_asprintf("%s/%s", here, name);
}

static void expect_list(const struct strlist *list, const char *const *names)
{
	size_t n = 0;

	for (; names[n] != NULL; n++) {
		auto_free(freep) char *wanted = in_dir(names[n]);

		ck_assert_msg(n < list->n, "%s is missing", wanted);
		ck_assert_str_eq(list->items[n], wanted);
	}
	ck_assert_uint_eq(list->n, n);
}

/* Load from the bundle of the last load. */
static void load_bundle(void)
{
	struct strbuf text = bundle;
	struct config_source source = { .bundle = text.buf, .bundle_len = text.len };

	strbuf_init(&bundle);
	forget();
	ck_assert_int_eq(config_load(&source, &config, &diag, NULL), 0);
	strbuf_fini(&text);
}

static void write_tree(void)
{
	make_dir("a.d");
	make_dir("a.d/deep");
	write_text("a.d/2.toml", "name = \"two\"\ninclude = [\"deep/*.toml\", \"../z.toml\"]\n");
	write_text("a.d/1.toml", "name = \"one\"\n[subsystem.one]\ncommand = x\n");
	write_text("a.d/3.toml.bak", "nonsense\n");
	write_text("a.d/.4.toml", "nonsense\n");
	write_text("a.d/deep/d.toml", "name = \"deep\"\n[subsystem.d]\ncommand = x\n");
	write_text("z.toml", "[subsystem.z]\ncommand = x\n");
	write_text("main.toml", "name = \"main\"\ninclude = [\"a.d/*.toml\"]\n" WEB);
}

static void expect_tree(void)
{
	static const char *const files[] = { "main.toml", "a.d/1.toml", "a.d/2.toml",
					     "a.d/deep/d.toml", "a.d/../z.toml", NULL };
	static const char *const globs[] = { "a.d/*.toml", "a.d/deep/*.toml", "a.d/../z.toml",
					     NULL };

	ck_assert_str_eq(config->name, "deep");
	ck_assert_uint_eq(config->nsubsystems, 4);
	ck_assert_ptr_nonnull(config_find(config, "z"));
	ck_assert_uint_eq(config->include.n, 1);
	ck_assert_str_eq(config->include.items[0], "a.d/*.toml");
	expect_list(&config->files, files);
	expect_list(&config->globs, globs);
}

START_TEST(each_file_has_its_own_patterns_relative_to_itself)
{
	write_tree();
	ck_assert_int_eq(load_file("main.toml", NULL), 0);
	expect_tree();
}
END_TEST

START_TEST(a_bundle_knows_the_same_files_and_patterns)
{
	write_tree();
	ck_assert_int_eq(load_file("main.toml", NULL), 0);
	ck_assert_int_eq(unlink("main.toml"), 0);
	ck_assert_int_eq(unlink("a.d/1.toml"), 0);
	load_bundle();
	expect_tree();
}
END_TEST

START_TEST(patterns_have_variables)
{
	write_tree();
	setenv("CONF", "a.d", 1);
	write_text("v.toml", "include = \"${CONF}/1.toml\"\n" WEB);
	ck_assert_int_eq(load_file("v.toml", NULL), 0);
	ck_assert_str_eq(config->name, "one");
	ck_assert_str_eq(config->include.items[0], "a.d/1.toml");
	expect_error("include = [\"${NOT_SET_AT_ALL}/*.toml\"]\n" WEB, 1, 12,
		     "NOT_SET_AT_ALL is not set");
}
END_TEST

START_TEST(mistakes_in_an_included_files_include_are_told_there)
{
	auto_free(freep) char *found = NULL;

	write_text("i.toml", "include = { a = 1 }\n");
	write_text("j.toml", "include = [\"~/x.toml\", \"x.conf\", \".x.toml\", \"\"]\n");
	ck_assert_int_eq(load_text("include = [\"i.toml\", \"j.toml\"]\n" WEB), EXIT_CONFIG);
	found = errors();
	ck_assert_uint_eq(diag.nerrors, 2);
	ck_assert_str_eq(diag.issues[0].file, "i.toml");
	ck_assert_int_eq(diag.issues[0].column, 11);
	ck_assert_str_eq(diag.issues[1].file, "j.toml");
	ck_assert_ptr_nonnull(strstr(found, "must not be empty"));
	write_text("j.toml", "include = [\"~/x.toml\", \"none.toml\", \"x.conf\", \".x.toml\"]\n");
	ck_assert_int_eq(load_text("include = [\"j.toml\"]\n" WEB), EXIT_CONFIG);
	ck_assert_uint_eq(diag.nerrors, 4);
	ck_assert_int_eq(diag.issues[3].column, 47);
}
END_TEST

START_TEST(a_directory_may_have_the_characters_of_a_glob)
{
	make_dir("x[1]*");
	write_text("x[1]*/b.toml", "name = \"odd\"\n");
	write_text("x[1]*/m.toml", "include = [\"b*.toml\"]\n" WEB);
	ck_assert_int_eq(load_file("x[1]*/m.toml", NULL), 0);
	ck_assert_str_eq(config->name, "odd");
}
END_TEST

START_TEST(a_file_that_leads_back_to_itself_is_refused_by_any_name)
{
	ck_assert_int_eq(symlink("t.toml", "link.toml"), 0);
	expect_error("include = [\"link.toml\"]\n" WEB, 1, 12, "may not include itself");
	ck_assert_int_eq(unlink("link.toml"), 0);
	expect_error("include = [\"*.toml\"]\n" WEB, 1, 12, "may not include itself");
	expect_error("include = [\"a.d/*.conf\"]\n" WEB, 1, 12, "only files that end in .toml");
}
END_TEST

START_TEST(the_environment_includes_from_the_start_directory)
{
	const char *sets[] = { "include=[\"a.d/1.toml\"]", NULL };
	static const char *const files[] = { "sub/m.toml", "a.d/1.toml", NULL };

	write_tree();
	make_dir("sub");
	write_text("sub/m.toml", WEB);
	ck_assert_int_eq(load_file("sub/m.toml", sets), 0);
	ck_assert_str_eq(config->name, "one");
	expect_list(&config->files, files);
	load_bundle();
	expect_list(&config->files, files);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		each_file_has_its_own_patterns_relative_to_itself,
		a_bundle_knows_the_same_files_and_patterns, patterns_have_variables,
		mistakes_in_an_included_files_include_are_told_there,
		a_directory_may_have_the_characters_of_a_glob,
		a_file_that_leads_back_to_itself_is_refused_by_any_name,
		the_environment_includes_from_the_start_directory,
	};

	return unit_run_in("config: include", setup, teardown, tests, ARRAY_LEN(tests));
}
