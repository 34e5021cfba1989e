/* Files that subsystems are restarted for (`watch`): says when what is in one of them has become
 * something else.
 *
 * Looking at files can block, so it is done by a thread, which is made when the first file is
 * named. What it watches, and how, is config/watch's work. News go to a mailbox of the main
 * thread. */
#ifndef CONFIG_FILE_WATCH_H
#define CONFIG_FILE_WATCH_H

#include "base/mailbox.h"
#include "base/strlist.h"

/* About the files of one subsystem. Heap; the receiver's. */
struct file_news {
	struct mail mail;
	uint32_t slot;
	uint64_t id;
	uint32_t print;		/* of all its files as they are now; never 0 */
	char *changed;		/* one that has changed; NULL: none, this is how they were found */
};
void file_news_free(struct file_news *n);	/* NULL is fine */

struct file_watch;
struct file_watch *file_watch_new(struct mailbox *news);
/* From now on the files of subsystem ID in SLOT are FILES (absolute, copied; none: nothing is
 * watched for it any more). KNOWN is the print of earlier news about the same files, of an earlier
 * process too: when they differ from that, they have changed. 0: what is written from now on is a
 * change. */
void file_watch_set(struct file_watch *w, uint32_t slot, uint64_t id, const struct strlist *files,
		    uint32_t known, int64_t debounce_ms);
/* Another delay for all that is watched. */
void file_watch_retime(struct file_watch *w, int64_t debounce_ms);
/* Joins the thread. News that were sent are the receiver's. NULL is fine. */
void file_watch_free(struct file_watch *w);

#endif
