/* Regular expressions from the configuration. The C library writes repetitions out when it compiles
 * them (a+ is aa*, and x{9} is nine times x, however large x is), so a short text can ask for all
 * memory; that is estimated before it gets the text. Back references, an extension, can make each
 * match take for ever. */
#include <regex.h>

#include "base/util.h"
#include "config/probe.h"

/* Characters and groups after writing repetitions out. Time and memory for compiling grow with the
 * square where repetitions that may be empty are repeated. */
#define EXPANDED_MAX 2000
#define DEPTH_MAX 64

struct estimate {
	uint64_t group[DEPTH_MAX];	/* size of each open group so far */
	int depth;
	uint64_t last;			/* size of the last thing, which a repetition multiplies */
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

static void add(struct estimate *e, uint64_t size)
{
	e->last = size;
	e->group[e->depth] += size;
	if (e->group[e->depth] > EXPANDED_MAX)
		e->wrong = "its repetitions make it too large";
}

static void one_character(struct estimate *e, const char **p)
{
	uint64_t last, times;

	switch (**p) {
	case '(':
		if (e->depth + 1 == DEPTH_MAX) {
			e->wrong = "its groups are nested too deeply";
			return;
		}
		e->group[++e->depth] = 1;
		e->last = 0;
		return;
	case ')':
		if (e->depth > 0) {
			e->depth--;
			add(e, e->group[e->depth + 1]);
		}
		return;
	case '\\':
		if ((*p)[1] >= '1' && (*p)[1] <= '9')
			e->wrong = "back references are not supported";
		*p += (*p)[1] != '\0';
		break;
	case '[':
		skip_bracket(p);
		break;
	case '*':
	case '?':
		last = e->last;
		add(e, 1);
		e->last = last + 1;
		return;
	case '+':
		add(e, e->last);
		e->last *= 2;
		return;
	case '{':
		times = interval(p);
		last = e->last;
		if (times > 0) {
			add(e, last * (times - 1));
			e->last = last * times;
			return;
		}
		break;
	default:
		break;
	}
	add(e, 1);
}

bool pattern_refused(const char *text, struct strbuf *why)
{
	struct estimate e = { .last = 0 };
	char message[160];
	regex_t regex;
	int r;

	if (*text == '\0')
		e.wrong = "it is empty";
	else if (strlen(text) > PATTERN_MAX)
		e.wrong = "it is longer than 1024 bytes";
	for (const char *p = text; *p != '\0' && e.wrong == NULL; p++)
		one_character(&e, &p);
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
