/* The FIFOs that carry a child's stdout and stderr. They have names, so that the bytes in them wait
 * for the next procd whoever was killed (fifo(7)). */
#ifndef KEEPER_FIFO_H
#define KEEPER_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#define FIFO_NAME_CAP 24

/* Open the directory of the FIFOs, making it where it is missing. It is reached as "fifo" in the
 * run directory; when that is on a disk the name is a link to a directory in /dev/shm, because a
 * disk file system takes longer to make a FIFO than the kernel to start a process. Verified to be
 * ours alone. A close-on-exec descriptor, or -errno. Any process of procd, any thread. */
int fifo_dir_open(int run_dirfd);

/* "SLOT.out" or "SLOT.err", within that directory. */
void fifo_name(char name[FIFO_NAME_CAP], uint32_t slot, bool is_stderr);
/* Make NAME where it is missing and open it for reading and writing, not blocking: such an end
 * never sees an end of file. A close-on-exec descriptor, or -errno (-EEXIST: it is no FIFO). */
int fifo_open(int fifo_dirfd, const char *name);

/* The same for a FIFO that is there. */
int fifo_open_existing(int fifo_dirfd, const char *name);

/* Remove them all, also those of an earlier keeper, and their directory; at the end. */
void fifo_remove_all(int run_dirfd);

#endif
