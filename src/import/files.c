/* All that an import reads passes through here: there is one place that counts bytes and files, and
 * one that looks at characters. What a reader gets is text in which it need not look for
 * surprises. */
#include "import/files.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "config/bytes.h"

struct complaint {
	struct import *im;
	const char *path;
};

static void complain(void *ctx, int line, int column, const char *message)
{
	const struct complaint *c = ctx;
	auto_free(freep) char *file = x_asprintf("%s:%d", c->path, line);

	import_fail(c->im, file, column, "%s", message);
}

/* The bytes in OUT are the file's: make them text. */
static int make_text(struct import *im, const char *path, struct strbuf *out)
{
	struct complaint c = { .im = im, .path = path };
	struct bad_lines bad = { 0 };
	size_t to = 0;
	char *copy;

	if (out->len >= 3 && memcmp(out->buf, "\xef\xbb\xbf", 3) == 0)
		strbuf_consume(out, 3);
	copy = bytes_check(out->buf, out->len, complain, &c, &bad);
	free(copy);
	free(bad.lines);
	if (copy != NULL)
		return -EINVAL;
	for (size_t i = 0; i < out->len; i++)
		if (out->buf[i] != '\r')
			out->buf[to++] = out->buf[i];
	out->len = to;
	if (out->len > 0)
		out->buf[out->len] = '\0';
	if (out->len > 0 && out->buf[out->len - 1] != '\n')
		strbuf_addch(out, '\n');
	return 0;
}

static bool is_masked(const char *path)
{
	struct stat link, st;

	return lstat(path, &link) == 0 && S_ISLNK(link.st_mode) && stat(path, &st) == 0 &&
	       S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static int refuse(struct import *im, const char *path, int err)
{
	switch (-err) {
	case EFBIG:
		return import_fail(im, path, 0, "is larger than %zu bytes", IMPORT_FILE_MAX);
	case ENOENT:
	case ENOTDIR:
		return import_fail_code(im, EXIT_NO_CONFIG, "%s: there is no such file", path);
	case EACCES:
	case EPERM:
		return import_fail_code(im, EXIT_PERMISSION, "%s: may not be read", path);
	case EISDIR:
		return import_fail(im, path, 0, "is a directory");
	case EINVAL:
		return import_fail(im, path, 0, is_masked(path) ? "is masked: a link to /dev/null" :
				   "is not an ordinary file");
	default:
		return import_fail(im, path, 0, "cannot be read: %s", strerror(-err));
	}
}

int import_read_if_there(struct import *im, const char *path, struct strbuf *out)
{
	int r;

	strbuf_reset(out);
	if (im->only != NULL) {
		if (strcmp(path, im->only_name) != 0)
			return 1;
		strbuf_add(out, im->only, im->only_n);
		return make_text(im, path, out);
	}
	r = file_read(path, IMPORT_FILE_MAX, out);
	if (r == -ENOENT || r == -ENOTDIR)
		return 1;
	if (r < 0)
		return refuse(im, path, r);
	im->bytes += out->len;
	if (++im->files > IMPORT_FILES_MAX || im->bytes > IMPORT_BYTES_MAX)
		return import_fail(im, path, 0, "these are too many files to import at once: more than "
				   "%d, or %zu bytes", IMPORT_FILES_MAX, IMPORT_BYTES_MAX);
	return make_text(im, path, out);
}

int import_read(struct import *im, const char *path, struct strbuf *out)
{
	int r = import_read_if_there(im, path, out);

	return r == 1 ? refuse(im, path, -ENOENT) : r;
}

static mode_t type_of(const struct import *im, const char *path)
{
	struct stat st;

	if (im->only != NULL)
		return strcmp(path, im->only_name) == 0 ? S_IFREG : 0;
	return stat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

bool import_is_file(const struct import *im, const char *path)
{
	return type_of(im, path) == S_IFREG;
}

bool import_is_dir(const struct import *im, const char *path)
{
	return type_of(im, path) == S_IFDIR;
}

int import_list_dir(struct import *im, const char *path, struct strlist *out)
{
	const struct dirent *entry;
	DIR *dir = im->only != NULL ? NULL : opendir(path);

	if (dir == NULL)
		return refuse(im, path, im->only != NULL ? -ENOENT : -errno);
	while ((entry = readdir(dir)) != NULL && out->n <= IMPORT_SERVICES_MAX)
		if (entry->d_name[0] != '.')
			strlist_add(out, entry->d_name);
	closedir(dir);
	if (out->n > IMPORT_SERVICES_MAX)
		return import_fail(im, path, 0, "holds more than %d names", IMPORT_SERVICES_MAX);
	strlist_sort(out);
	return 0;
}

int import_glob(struct import *im, const char *pattern, struct strlist *out)
{
	glob_t g;

	if (im->only != NULL)
		return 0;
	if (glob(pattern, GLOB_NOSORT, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc && i <= IMPORT_FILES_MAX; i++)
			strlist_add(out, g.gl_pathv[i]);
		globfree(&g);
	}
	if (out->n > IMPORT_FILES_MAX)
		return import_fail(im, pattern, 0, "matches more than %d files", IMPORT_FILES_MAX);
	strlist_sort(out);
	return 0;
}

char *import_path(const char *dir, const char *name)
{
	if (*name == '/')
		return x_strdup(name);
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	return strcmp(dir, "/") == 0 ? x_asprintf("/%s", name) : x_asprintf("%s/%s", dir, name);
}

char *import_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return x_strdup(".");
	return slash == path ? x_strdup("/") : x_strndup(path, (size_t)(slash - path));
}

char *import_base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return x_strdup(slash != NULL ? slash + 1 : path);
}
