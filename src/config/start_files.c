/* Reading what one start needs. Whatever is read may be a secret: it is never quoted, and
 * overwritten before its memory is given back. */
#include "config/start_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "config/env_file.h"
#include "config/heap_object.h"
#include "config/store.h"

bool start_files_needed(const struct subsystem_options *o)
{
	const struct subsystem_rights *r = o->rights;

	return r->env_file.n > 0 || r->credentials.n > 0 || r->heap_profile != NULL;
}

static void run(struct work *w)
{
	start_files_read(container_of(w, struct start_files, work));
}

static void drop(struct work *w)
{
	start_files_free(container_of(w, struct start_files, work));
}

struct start_files *start_files_new(struct subsystem_options *options, uint32_t slot,
				    uint64_t spawn_id)
{
	struct start_files *f = x_calloc(1, sizeof(*f));

	f->work.run = run;
	f->work.drop = drop;
	f->options = subsystem_options_ref(options);
	f->slot = slot;
	f->spawn_id = spawn_id;
	return f;
}

void start_files_free(struct start_files *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->environment.n; i++)
		explicit_bzero(f->environment.items[i], strlen(f->environment.items[i]));
	strlist_fini(&f->environment);
	for (size_t i = 0; f->credentials != NULL && i < f->options->rights->credentials.n; i++) {
		if (f->credentials[i].data != NULL)
			explicit_bzero(f->credentials[i].data, f->credentials[i].size);
		free(f->credentials[i].data);
	}
	free(f->credentials);
	subsystem_options_unref(f->options);
	free(f->profiler_object);
	free(f->why);
	free(f);
}

static void fail(struct start_files *f, enum start_files_part part, int errnum, char *why)
{
	f->failed = part;
	f->errnum = errnum;
	f->why = why;
}

/* At most MAX bytes of the regular file PATH into BUF, which has room for one more. Length or
 * -errno. */
static ssize_t read_file(const char *path, char *buf, size_t max)
{
	auto_free(closep) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	while (n <= max) {
		ssize_t got = read(fd, buf + n, max + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return (ssize_t)n;
		n += (size_t)got;
	}
	return -EFBIG;
}

static char *why_not_read(const char *path, int errnum, unsigned max)
{
	if (errnum == EFBIG)
		return x_asprintf("%s: longer than %u bytes", path, max);
	if (errnum == EINVAL)
		return x_asprintf("%s: not a regular file", path);
	return x_asprintf("%s: %s", path, strerror(errnum));
}

/* ITEM is a path; a leading '-' says that the file need not be there. */
static void read_env_file(struct start_files *f, const char *item)
{
	const char *path = *item == '-' ? item + 1 : item;
	char *buf = x_malloc(ENV_FILE_MAX + 1);
	struct env_file_error e;
	ssize_t n = read_file(path, buf, ENV_FILE_MAX);

	if (n < 0 && !(*item == '-' && (n == -ENOENT || n == -ENOTDIR)))
		fail(f, START_FILES_ENV, (int)-n, why_not_read(path, (int)-n, ENV_FILE_MAX));
	else if (n >= 0 && env_file_parse(buf, (size_t)n, &f->environment, &e) < 0)
		fail(f, START_FILES_ENV, EINVAL,
		     x_asprintf("%s:%d:%d: %s", path, e.line, e.column, e.what));
	explicit_bzero(buf, ENV_FILE_MAX + 1);
	free(buf);
}

/* ITEM is "NAME=PATH". */
static void read_credential(struct start_files *f, const char *item, struct start_credential *out)
{
	const char *path = strchr(item, '=') + 1;
	char *buf = x_malloc(CREDENTIAL_MAX + 1);
	ssize_t n = read_file(path, buf, CREDENTIAL_MAX);

	if (n < 0) {
		fail(f, START_FILES_CREDENTIALS, (int)-n,
		     why_not_read(path, (int)-n, CREDENTIAL_MAX));
	} else {
		out->size = (size_t)n;
		out->data = x_malloc(out->size + 1);
		memcpy(out->data, buf, out->size);
	}
	explicit_bzero(buf, CREDENTIAL_MAX + 1);
	free(buf);
}

/* --- heap_profile --- */

static const char *path_in(const struct strlist *environment)
{
	for (size_t i = environment->n; i-- > 0;)
		if (strncmp(environment->items[i], "PATH=", 5) == 0)
			return environment->items[i] + 5;
	return NULL;
}

/* The PATH that it will have. */
static const char *path_of(const struct start_files *f)
{
	const struct subsystem_options *o = f->options;
	const char *path = path_in(&f->environment);

	if (path == NULL)
		path = path_in(&o->environment);
	if (path == NULL)
		path = getenv("PATH");
	return path != NULL ? path : DEFAULT_PATH;
}

/* Where it starts; the caller frees it. */
static char *directory_of(const struct subsystem_options *o)
{
	char *dir;

	rcu_enter();
	dir = x_strdup(o->rights->working_dir != NULL ? o->rights->working_dir :
		       config_current() != NULL ? config_current()->work_dir : NULL);
	rcu_leave();
	return dir;
}

static void look_at_program(struct start_files *f)
{
	const struct subsystem_options *o = f->options;
	auto_free(freep) char *dir = directory_of(o);
	const char *command = o->shell ? "/bin/sh" : o->command.items[0];

	f->profiler_object = preload_object(HEAP_OBJECT_NAME);
	f->profiler = f->profiler_object == NULL ? PRELOAD_NO_OBJECT
						 : preload_check(command, dir, path_of(f), o);
}

void start_files_read(struct start_files *f)
{
	const struct subsystem_options *o = f->options;

	f->credentials = x_calloc(o->rights->credentials.n + 1, sizeof(*f->credentials));
	for (size_t i = 0; i < o->rights->env_file.n && f->failed == START_FILES_OK; i++)
		read_env_file(f, o->rights->env_file.items[i]);
	for (size_t i = 0; i < o->rights->credentials.n && f->failed == START_FILES_OK; i++)
		read_credential(f, o->rights->credentials.items[i], &f->credentials[i]);
	if (o->rights->heap_profile != NULL && f->failed == START_FILES_OK)
		look_at_program(f);
}
