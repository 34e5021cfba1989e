/* Regular expressions from the configuration. The C library writes repetitions out when it compiles
 * them (a+ is aa*, and x{9} is nine times x, however large x is), so a short text can ask for all
 * memory; that is estimated before it gets the text. A repetition of what may be empty is a loop
 * that it walks on every way there is: each one more can double its time, or multiply it by the
 * ways on which it may be empty, as (|||a)+ has three. Back references, an extension, can make each
 * match take for ever. */
#include <regex.h>

#include "base/util.h"
#include "config/probe.h"

/* Characters and groups after writing repetitions out. Time and memory for compiling grow with the
 * square where repetitions that may be empty are repeated. */
#define EXPANDED_MAX 2000
#define DEPTH_MAX 64
#define LOOPS_MAX 8
#define WAYS_MAX UINT64_C(1000000)

/* Of a thing (a character or a group, with its repetitions), or of several in a row. */
struct extent {
	uint64_t size;
	uint64_t loops;			/* repetitions in it of what may be empty, by their weight */
	uint64_t ways;			/* so many in which it may be empty */
};

struct estimate {
	struct {
		struct extent done;	/* before the last thing */
		uint64_t ways;		/* those of its alternatives before */
	} group[DEPTH_MAX];		/* each open one */
	int depth;
	struct extent last;		/* thing, which a repetition multiplies */
	const char *wrong;
};

static uint64_t number(const char **p)
{
	uint64_t n = 0;

	for (; **p >= '0' && **p <= '9'; (*p)++)
		n = MIN(n * 10 + (uint64_t)(**p - '0'), UINT64_C(1000000));
	return n;
}

/* At '{': how often at most; 0: it is no repetition. Goes to the '}'. {,M} is {0,M} to some. */
static uint64_t interval(const char **p)
{
	const char *at = *p + 1;
	uint64_t least, most;

	if ((*at < '0' || *at > '9') && *at != ',')
		return 0;
	least = most = number(&at);
	if (*at == ',') {
		at++;
		most = number(&at);
	}
	if (*at != '}')
		return 0;
	*p = at;
	return MAX(least, most) + 1;
}

/* At '[': goes to the closing bracket, or to the last character. */
static void skip_bracket(const char **p)
{
	const char *at = *p + 1;

	at += *at == '^';
	at += *at == ']';
	while (*at != '\0' && *at != ']') {
		if (*at == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '=')) {
			char kind = at[1];

			for (at += 2; *at != '\0' && !(at[0] == kind && at[1] == ']'); at++)
				;
			at += *at != '\0';
		}
		at += *at != '\0';
	}
	*p = *at != '\0' ? at : at - 1;
}

/* The last thing will not be repeated any more. */
static void settle(struct estimate *e)
{
	struct extent *done = &e->group[e->depth].done;

	done->size += e->last.size;
	done->loops += e->last.loops;
	done->ways = MIN(done->ways * e->last.ways, WAYS_MAX);
	e->last = (struct extent){ .ways = 1 };
	if (done->size > EXPANDED_MAX)
		e->wrong = "its repetitions make it too large";
	else if (done->loops > LOOPS_MAX)
		e->wrong = "it repeats what may be empty too often";
}

static void open_group(struct estimate *e)
{
	settle(e);
	if (e->depth + 1 == DEPTH_MAX) {
		e->wrong = "its groups are nested too deeply";
		return;
	}
	e->depth++;
	e->group[e->depth].done = (struct extent){ .size = 1, .ways = 1 };
	e->group[e->depth].ways = 0;
}

static void close_group(struct estimate *e)
{
	settle(e);
	if (e->depth == 0)
		return;
	e->last = e->group[e->depth].done;
	e->last.ways = MIN(e->last.ways + e->group[e->depth].ways, WAYS_MAX);
	e->depth--;
}

static void next_alternative(struct estimate *e)
{
	settle(e);
	e->group[e->depth].ways = MIN(e->group[e->depth].ways + e->group[e->depth].done.ways,
				      WAYS_MAX);
	e->group[e->depth].done.ways = 1;
}

/* The last thing so many TIMES written out, at LEAST one of which is needed, or none. */
static void repeat(struct estimate *e, uint64_t times, bool least)
{
	uint64_t ways = e->last.ways;

	e->last.loops *= times;
	for (uint64_t w = ways; w > 0; w /= 2)
		e->last.loops++;
	for (uint64_t i = 1; i < times && e->last.ways > 1 && e->last.ways < WAYS_MAX; i++)
		e->last.ways = MIN(e->last.ways * ways, WAYS_MAX);
	e->last.size = e->last.size * times + 1;
	e->last.ways += !least;
	if (e->last.size > EXPANDED_MAX)
		e->wrong = "its repetitions make it too large";
}

static void one_character(struct estimate *e, const char **p)
{
	const char *begin = *p;
	uint64_t times;

	switch (**p) {
	case '(':
		open_group(e);
		return;
	case ')':
		close_group(e);
		return;
	case '|':
		next_alternative(e);
		return;
	case '*':
	case '?':
		repeat(e, 1, false);
		return;
	case '+':
		repeat(e, 2, true);
		return;
	case '{':
		times = interval(p);
		if (times > 0) {
			repeat(e, times, begin[1] != '0' && begin[1] != ',');
			return;
		}
		break;
	default:
		break;
	}
	settle(e);
	e->last = (struct extent){ .size = 1 };
	switch (**p) {
	case '\\':
		if ((*p)[1] >= '1' && (*p)[1] <= '9')
			e->wrong = "back references are not supported";
		*p += (*p)[1] != '\0';
		/* a place between two characters */
		e->last.ways = strchr("bB<>`'", **p) != NULL;
		break;
	case '[':
		skip_bracket(p);
		break;
	case '^':
	case '$':
		e->last.ways = 1;
		break;
	default:
		break;
	}
}

bool pattern_refused(const char *text, struct strbuf *why)
{
	struct estimate e = { .group[0].done.ways = 1, .last.ways = 1 };
	char message[160];
	regex_t regex;
	int r;

	if (*text == '\0')
		e.wrong = "it is empty";
	else if (strlen(text) > PATTERN_MAX)
		e.wrong = "it is longer than 1024 bytes";
	for (const char *p = text; *p != '\0' && e.wrong == NULL; p++)
		one_character(&e, &p);
	if (e.wrong == NULL)
		settle(&e);
	if (e.wrong != NULL) {
		strbuf_addf(why, "the regular expression is refused: %s", e.wrong);
		return true;
	}
	r = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
	if (r == 0) {
		regfree(&regex);
		return false;
	}
	regerror(r, NULL, message, sizeof(message));
	strbuf_addf(why, "not a regular expression: %s", message);
	return true;
}
