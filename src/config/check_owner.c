/* What root runs, root alone should decide. Whoever can write a file of the configuration, or put
 * another one in its place, becomes root by it at the next reload: that is worth a word, and no
 * more, because there are machines where it is meant so. */
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/check.h"

char *owner_others(const char *path)
{
	struct stat st;
	bool sticky;

	if (stat(path, &st) < 0)
		return NULL;
	/* In a directory like /tmp one can make files, but not replace those of others. */
	sticky = S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX;
	if (st.st_uid != 0)
		return x_asprintf("belongs to user %u", (unsigned)st.st_uid);
	if (st.st_mode & S_IWOTH && !sticky)
		return x_strdup("can be written by everybody");
	if (st.st_mode & S_IWGRP && st.st_gid != 0 && !sticky)
		return x_asprintf("can be written by group %u", (unsigned)st.st_gid);
	return NULL;
}

static void warn(const struct candidate *c, const char *shown, const char *what, const char *path)
{
	struct place place = { .file = shown };
	auto_free(freep) char *who = owner_others(path);

	if (who != NULL)
		diag_warn(c->diag, &place, "%s %s: whoever may write there decides what runs as "
			  "root", what, who);
}

void check_owners(const struct candidate *c)
{
	if (geteuid() != 0 || c->saved)
		return;
	for (size_t i = 0; i < c->files.n; i++) {
		auto_free(freep) char *real = realpath(c->files.items[i], NULL);
		auto_free(freep) char *dir = NULL;

		if (real == NULL)
			continue;
		warn(c, c->shown.items[i], "this file", real);
		dir = x_strdup(real);
		warn(c, c->shown.items[i], "the directory of this file", dirname(dir));
	}
}
