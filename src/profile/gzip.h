/* Bytes in gzip's form (RFC 1952). zlib is loaded when it is needed, so only who writes a profile
 * pays for it. */
#ifndef PROFILE_GZIP_H
#define PROFILE_GZIP_H

#include <stdbool.h>

#include "base/strbuf.h"

/* Append the compressed DATA to OUT. False: there is no zlib here, OUT is as it was. Any thread. */
bool gzip_add(struct strbuf *out, const void *data, size_t n);

#endif
