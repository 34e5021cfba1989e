/* A directory of its own for each test, files in it, and a load that keeps what came out. */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/config.h"
#include "unit.h"

static char dir[64];
static struct config *config;
static struct config_diag diag;
static struct strbuf bundle;

static inline int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void forget(void)
{
	config_free(take(config));
	config_diag_fini(&diag);
	strbuf_fini(&bundle);
}

static inline void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/procd-config-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
	strbuf_init(&bundle);
	for (char **e = environ; *e != NULL;) {
		auto_free(freep) char *name = x_strndup(*e, strcspn(*e, "="));

		if (strncmp(name, "DAEMON_", 7) == 0)
			unsetenv(name);
		else
			e++;
	}
}

static inline void teardown(void)
{
	forget();
	ck_assert_int_eq(chdir("/"), 0);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void write_bytes(const char *name, const void *bytes, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static inline void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

/* SETS: NULL or a NULL-terminated list. */
static inline int load_file(const char *name, const char *const *sets)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT;
	struct config_source source = { .path = name, .sets = &list };

	forget();
	for (; sets != NULL && *sets != NULL; sets++)
		strlist_add(&list, *sets);
	return config_load(&source, &config, &diag, &bundle);
}

static inline int load_text(const char *text)
{
	write_text("t.toml", text);
	return load_file("t.toml", NULL);
}

static inline void load_fine(const char *text)
{
	auto_free(strbuf_fini) struct strbuf all = STRBUF_INIT;
	int ret = load_text(text);

	config_diag_print(&diag, true, &all);
	ck_assert_msg(ret == 0, "%d: %s", ret, all.buf);
}

/* Errors of the last load as "LINE:COLUMN: MESSAGE" lines. */
static inline char *errors(void)
{
	struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < diag.n; i++)
		if (!diag.issues[i].warning)
			strbuf_addf(&out, "%d:%d: %s\n", diag.issues[i].line,
				    diag.issues[i].column, diag.issues[i].message);
	return strbuf_detach(&out);
}

/* The only error stands at LINE:COLUMN and holds WORDS. */
static inline void expect_error(const char *text, int line, int column, const char *words)
{
	auto_free(freep) char *found = NULL;
	auto_free(freep) char *wanted = x_asprintf("%d:%d: ", line, column);

	ck_assert_int_eq(load_text(text), EXIT_CONFIG);
	ck_assert_ptr_null(config);
	found = errors();
	ck_assert_msg(diag.nerrors == 1 && strncmp(found, wanted, strlen(wanted)) == 0 &&
		      strstr(found, words) != NULL, "wanted %s%s, got %s\nfor %s", wanted, words,
		      found, text);
}

#endif
