/* A cheap fingerprint of files: what stat(2) says about them. Noise in a watched directory (a log
 * file that lies beside the configuration) then costs a few system calls and not a load. */
#include <errno.h>
#include <glob.h>
#include <sys/stat.h>

#include "config/watch.h"

static void mix(struct watch_print *p, uint64_t word)
{
	p->hash = (p->hash << 7 | p->hash >> 57) ^ word;
	p->hash *= UINT64_C(0x9e3779b97f4a7c15);
}

static void mix_text(struct watch_print *p, const char *s)
{
	for (; *s != '\0'; s++)
		mix(p, (unsigned char)*s);
}

static void mix_time(struct watch_print *p, const struct timespec *ts)
{
	int64_t ns = (int64_t)ts->tv_sec * NS_PER_SEC + ts->tv_nsec;

	mix(p, (uint64_t)ns);
	p->newest_real_ns = MAX(p->newest_real_ns, ns);
}

static void mix_file(struct watch_print *p, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		p->missing = true;
		mix(p, (uint64_t)errno);
		return;
	}
	mix(p, st.st_dev);
	mix(p, st.st_ino);
	mix(p, (uint64_t)st.st_size);
	mix_time(p, &st.st_mtim);
	mix_time(p, &st.st_ctim);
}

struct watch_print watch_print_take(const struct watch_set *set)
{
	struct watch_print p = { .hash = 1 };

	for (size_t i = 0; i < set->files.n; i++)
		mix_file(&p, set->files.items[i]);
	for (size_t i = 0; i < set->globs.n; i++) {
		glob_t found = { 0 };

		mix(&p, i);
		if (glob(set->globs.items[i], 0, NULL, &found) == 0)
			for (size_t k = 0; k < found.gl_pathc; k++) {
				mix_text(&p, found.gl_pathv[k]);
				mix_file(&p, found.gl_pathv[k]);
			}
		globfree(&found);
	}
	return p;
}
