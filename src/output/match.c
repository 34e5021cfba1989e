/* The ring is looked at, not what is read: so a line counts that came before anybody waited, or
 * that a supervisor captured which died before it could tell. What the process before wrote lies
 * before the ring's RUN_FROM and does not count. Lines are those of the log: whole, and cut where
 * that cuts. */
#include "output/match.h"

#include <regex.h>

#include "base/alloc.h"
#include "base/log.h"
#include "output/capture.h"
#include "output/lines.h"

struct match {
	regex_t regex;
	uint64_t spawn_id;
	uint64_t looked[2];		/* up to where in the rings of stdout and stderr */
	char text[OUTPUT_LINE_MAX + 1];	/* the line, as a string */
};

static uint64_t run_from(const struct stream *s)
{
	return s != NULL && s->ring != NULL ? ring_run_from(s->ring) : 0;
}

void match_begin(struct slot *slot, const char *pattern, uint64_t spawn_id)
{
	struct match *m = x_calloc(1, sizeof *m);
	int err = regcomp(&m->regex, pattern, REG_EXTENDED | REG_NOSUB);

	match_end(slot);
	if (err != 0) {		/* it did when the configuration was read: memory is out */
		log_error("%s: the pattern of its readiness cannot be used now",
			  slot->options->name);
		free(m);
		return;
	}
	m->spawn_id = spawn_id;
	m->looked[false] = run_from(&slot->out);
	m->looked[true] = run_from(slot->err);
	slot->match = m;
}

void match_end(struct slot *slot)
{
	struct match *m = take(slot->match);

	if (m == NULL)
		return;
	regfree(&m->regex);
	free(m);
}

/* A NUL byte is no end, but some other byte that no pattern means. */
static bool matches(struct match *m, const struct line *line)
{
	for (size_t i = 0; i < line->len; i++)
		m->text[i] = line->text[i] != '\0' ? line->text[i] : '\1';
	m->text[line->len] = '\0';
	return regexec(&m->regex, m->text, 0, NULL, 0) == 0;
}

bool match_look(struct stream *s, uint64_t *spawn_id)
{
	struct match *m = s->slot->match;
	uint64_t head, *looked;
	struct line line;

	if (m == NULL || s->ring == NULL)
		return false;
	head = ring_head(s->ring);
	looked = &m->looked[s->is_stderr];
	*looked = MAX(*looked, head - MIN(head, (uint64_t)RING_DATA));
	while (lines_next(s->ring->data + *looked % RING_DATA, (size_t)(head - *looked),
			  OUTPUT_LINE_MAX, &line)) {
		*looked += line.raw_len;
		if (!matches(m, &line))
			continue;
		*spawn_id = m->spawn_id;
		match_end(s->slot);
		return true;
	}
	return false;
}
