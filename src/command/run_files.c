/* What a supervisor finds in the run directory, and what it leaves there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "command/supervisor.h"

bool run_files_recorded(const struct supervisor *s)
{
	for (uint32_t slot = 0; slot < s->records.header->nslots; slot++)
		if (atomic_load(&record_get(&s->records, slot)->state) != RECORD_FREE)
			return true;
	return false;
}

int run_file_open(struct supervisor *s, const char *name)
{
	const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(s->run_dirfd, name, flags);

	if (fd < 0 && errno != ENOENT && errno != EROFS &&
	    (s->welcome.recovering || run_files_recorded(s))) {
		fprintf(stderr, "procd: cannot open %s in the run directory: %s\n", name,
			strerror(errno));
		_exit(EXIT_OS);
	}
	if (fd < 0)
		fd = openat(s->run_dirfd, name, flags | O_CREAT, 0600);
	if (fd < 0)
		log_warn("cannot open %s in the run directory: %s; it will not survive a crash of "
			 "the supervisor", name, strerror(errno));
	return fd;
}

bool run_files_killed(const struct supervisor *s)
{
	auto_free(closep) int fd = openat(s->run_dirfd, MEMORY_FILE_NAME,
					  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && core_saved_generation(fd) != 0;
}

void run_files_reset(const struct supervisor *s)
{
	static const char *const files[] = {
		EVENTS_FILE_NAME, MEMORY_FILE_NAME, NOTES_FILE_NAME, "output.state", TALLY_FILE,
	};
	DIR *rings;

	if (run_files_recorded(s) || run_files_killed(s))
		return;
	bundle_applied(s->run_dirfd);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(s->run_dirfd, files[i], 0);
	rings = fdopendir(openat(s->run_dirfd, "ring", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (struct dirent *e; rings && (e = readdir(rings));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(rings), e->d_name, 0);
	if (rings)
		closedir(rings);
}

void run_files_drop_unfinished(const struct supervisor *s)
{
	DIR *dir = fdopendir(openat(s->run_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	for (struct dirent *e; dir && (e = readdir(dir));)
		if (fnmatch("*.[0-9]*.[0-9]*.new", e->d_name, 0) == 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

/* An ad-hoc instance has a name that does not come again: nobody would ever read what it left. */
static void run_dir_forget(const struct supervisor *s)
{
	run_files_reset(s);
	bundle_remove(s->run_dirfd);
	unlinkat(s->run_dirfd, "ring", AT_REMOVEDIR);
}

void run_files_end(const struct supervisor *s)
{
	for (uint32_t slot = 0; slot < s->records.header->nslots; slot++) {
		unsigned state = atomic_load(&record_get(&s->records, slot)->state);

		if (state != RECORD_FREE && state != RECORD_GONE)
			return;		/* given up: it may live on */
	}
	unlinkat(s->run_dirfd, MEMORY_FILE_NAME, 0);
	unlinkat(s->run_dirfd, NOTES_FILE_NAME, 0);
	unlinkat(s->run_dirfd, TALLY_FILE, 0);
	if (s->options->main_name)
		run_dir_forget(s);
}
