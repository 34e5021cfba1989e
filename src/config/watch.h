/* Watching configuration files by name: says when what the names lead to may have changed.
 *
 * Editors replace files, tools swap symlinks, directories are renamed. So no file is watched for
 * itself: every directory that is looked into on the way to it is, along all symlinks. A change
 * anywhere there starts one delay; at its end everything is armed anew by name, and only then the
 * owner is told, so that no change falls between its reading and the next watch.
 *
 * Where inotify does not work, a look at the files every 30 s takes its place. Otherwise nothing
 * wakes up while nothing changes. One thread: the loop's. */
#ifndef CONFIG_WATCH_H
#define CONFIG_WATCH_H

#include "base/loop.h"
#include "base/strlist.h"

/* What to watch; all absolute. */
struct watch_set {
	struct strlist files;
	struct strlist globs;		/* a file that comes to match is a change */
	int64_t debounce_ms;		/* from the first change to CHANGED */
};
void watch_set_fini(struct watch_set *s);

struct watch;
/* CHANGED(CTX): read the files now. Also called when they turn out to be as they were, for example
 * after a touch. */
struct watch *watch_new(struct ev_loop *loop, void (*changed)(void *ctx), void *ctx);
void watch_free(struct watch *w);	/* NULL is fine */

/* Watch SET (contents are moved) from now on. What was read before SINCE_REAL_NS is known to the
 * owner; when a file may be newer than that, CHANGED follows after the delay. The same set again
 * changes nothing. */
void watch_start(struct watch *w, struct watch_set *set, int64_t since_real_ns);
void watch_stop(struct watch *w);
/* The owner reads the files now, by itself: what they are now is known from here on. */
void watch_note_read(struct watch *w);
bool watch_is_polling(const struct watch *w);	/* inotify alone is not enough */

/* --- the parts (watch_arm.c, watch_print.c) ------------------------------------------------- */

/* Arm INOTIFY_FD for everything in SET. 0; or a negative errno and in *TROUBLE (caller frees)
 * where: something could not be watched or never reports changes (-EOPNOTSUPP: a network file
 * system). */
int watch_arm(int inotify_fd, const struct watch_set *set, char **trouble);

/* What can be seen of the files without reading them. */
struct watch_print {
	uint64_t hash;
	int64_t newest_real_ns;		/* latest change of any of them */
	bool missing;			/* a listed file is not there */
};
struct watch_print watch_print_take(const struct watch_set *set);

#endif
