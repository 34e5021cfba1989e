/* Small grammars of the keys that say where and when a program runs. */
#include "config/placement.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>

/* --- processors --------------------------------------------------------------------------------- */

/* A number at *AT, which moves behind it; -1: none is there, -2: too high. */
static int cpu_number(const char **at)
{
	int n = 0;

	if (**at < '0' || **at > '9')
		return -1;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		n = 10 * n + (**at - '0');
		if (n >= CPU_LIST_MAX)
			return -2;
	}
	return n;
}

static void skip_blanks(const char **at)
{
	while (**at == ' ')
		(*at)++;
}

/* "3" or "0-1" */
static int cpu_range(const char **at, int *first, int *last)
{
	skip_blanks(at);
	*first = *last = cpu_number(at);
	if (*first >= 0 && **at == '-') {
		(*at)++;
		*last = cpu_number(at);
	}
	skip_blanks(at);
	if (*first == -2 || *last == -2)
		return -ERANGE;
	return *first < 0 || *last < *first ? -EINVAL : 0;
}

int cpu_list_parse(const char *text, uint64_t mask[CPU_LIST_WORDS])
{
	int first, last, ret;

	for (const char *at = text;; at++) {
		ret = cpu_range(&at, &first, &last);
		if (ret < 0)
			return ret;
		for (int cpu = first; cpu <= last; cpu++)
			mask[cpu / 64] |= UINT64_C(1) << cpu % 64;
		if (*at == '\0')
			return 0;
		if (*at != ',')
			return -EINVAL;
	}
}

static bool has(const uint64_t mask[CPU_LIST_WORDS], int cpu)
{
	return cpu < CPU_LIST_MAX && mask[cpu / 64] >> cpu % 64 & 1;
}

void cpu_list_format(const uint64_t mask[CPU_LIST_WORDS], struct strbuf *out)
{
	const char *separator = "";

	for (int cpu = 0; cpu < CPU_LIST_MAX; cpu++) {
		int last = cpu;

		if (!has(mask, cpu))
			continue;
		while (has(mask, last + 1))
			last++;
		strbuf_addf(out, last > cpu ? "%s%d-%d" : "%s%d", separator, cpu, last);
		separator = ",";
		cpu = last;
	}
}

size_t cpu_list_words(const uint64_t mask[CPU_LIST_WORDS])
{
	size_t n = CPU_LIST_WORDS;

	while (n > 0 && mask[n - 1] == 0)
		n--;
	return n;
}

/* --- policies ------------------------------------------------------------------------------------- */

/* The number behind "WORD:"; -1: TEXT is not that, or it is not from MIN to MAX. WORD alone is
 * DEF. */
static int number_behind(const char *text, const char *word, int min, int max, int def)
{
	size_t n = strlen(word);
	int value = 0;

	if (strncmp(text, word, n) != 0)
		return -1;
	if (text[n] == '\0')
		return def;
	if (text[n] != ':' || text[n + 1] == '\0' || strlen(text + n + 1) > 2)
		return -1;
	for (const char *at = text + n + 1; *at != '\0'; at++) {
		if (*at < '0' || *at > '9')
			return -1;
		value = 10 * value + (*at - '0');
	}
	return value >= min && value <= max ? value : -1;
}

bool sched_policy_parse(const char *text, int *policy, int *priority)
{
	static const struct {
		const char *name;
		int policy;
		bool realtime;
	} policies[] = {
		{ "other", SCHED_OTHER, false }, { "batch", SCHED_BATCH, false },
		{ "idle", SCHED_IDLE, false }, { "fifo", SCHED_FIFO, true },
		{ "rr", SCHED_RR, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		*policy = policies[i].policy;
		*priority = policies[i].realtime ? number_behind(text, policies[i].name, 1, 99, -1)
						 : 0;
		if (policies[i].realtime ? *priority > 0 : strcmp(text, policies[i].name) == 0)
			return true;
	}
	return false;
}

bool io_class_parse(const char *text, int *priority)
{
	static const struct {
		const char *name;
		int number;
	} classes[] = {
		{ "best-effort", IOPRIO_CLASS_BE }, { "realtime", IOPRIO_CLASS_RT },
	};

	*priority = IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0);
	if (strcmp(text, "idle") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		int level = number_behind(text, classes[i].name, 0, 7, 4);

		*priority = IOPRIO_PRIO_VALUE(classes[i].number, level);
		if (level >= 0)
			return true;
	}
	return false;
}
