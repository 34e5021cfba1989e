/* The profile of the calling process as a file. Async-signal-safe while the calling thread is not
 * inside of its bookkeeping. */
#ifndef PROFILE_PRELOAD_DUMP_H
#define PROFILE_PRELOAD_DUMP_H

/* The whole file at once, or none: a temporary file beside PATH takes its place when it is complete.
 * 0 or negative errno; nothing is left behind. -EINVAL: PATH is something that no file may take the
 * place of, such as a device. */
int heap_dump(const char *path);

#endif
