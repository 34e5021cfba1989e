/* What is wrong with the places that lines go to, in words for status: of all, and of each slot. */
#ifndef OUTPUT_TROUBLE_H
#define OUTPUT_TROUBLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "output/capture.h"

struct troubles {
	pthread_mutex_t lock;		/* the next three; held briefly */
	struct strbuf all;
	struct slot_trouble *of;	/* by rising slot */
	size_t n;
	_Atomic bool any;		/* is OF worth a look? */
};

void troubles_init(struct troubles *t);
void troubles_fini(struct troubles *t);

/* Look at everything. O(targets), and O(slots) while a target fails. Log thread. */
void troubles_describe(struct troubles *t, const struct targets *targets,
		       const struct captures *captures);
/* Does a target fail, as of the last description? Log thread. */
bool troubles_there(const struct troubles *t);

/* Append newline-separated text, or nothing. Any thread. */
void troubles_tell(struct troubles *t, struct strbuf *out);
/* The same of the streams of SLOT, a newline behind each. */
void troubles_tell_slot(struct troubles *t, uint32_t slot, struct strbuf *out);

#endif
