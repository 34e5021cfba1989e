/* Reading a configuration file through a memory map. Inside the config room only. */
#ifndef CONFIG_MAP_FILE_H
#define CONFIG_MAP_FILE_H

#include "base/strbuf.h"

/* Append the regular file PATH to OUT, copied out of a private, read-only map of it. False: it is
 * to be read in the ordinary way, which also tells what is wrong with it: it is empty, no regular
 * file, larger than MAX, cannot be mapped, or changed meanwhile. OUT is then as it was. Any
 * thread. */
bool map_file_read(const char *path, size_t max, struct strbuf *out);

#endif
