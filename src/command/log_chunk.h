/* A piece of captured output, as the notifications of logs.follow bring it. */
#ifndef COMMAND_LOG_CHUNK_H
#define COMMAND_LOG_CHUNK_H

#include "base/strbuf.h"

struct log_chunk {
	struct strbuf name, stream, bytes;
	int64_t lost;		/* bytes that were overwritten before this */
	int64_t at;		/* where the daemon goes on */
};
#define LOG_CHUNK_INIT { .name = STRBUF_INIT, .stream = STRBUF_INIT, .bytes = STRBUF_INIT }

void log_chunk_fini(struct log_chunk *c);
bool log_chunk_read(const char *text, size_t len, struct log_chunk *c);	/* false: no object */

#endif
