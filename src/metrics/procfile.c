/* Reading what the kernel prints. Everything is found by its place or its name, so a field that a
 * later kernel adds changes nothing. */
#include "metrics/procfile.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define STAT_FIELDS 22	/* behind the name that are looked at: state .. rss */

/* One decimal number without a sign, up to a blank or the end. NULL: none. */
static const char *number(const char *s, uint64_t *out)
{
	uint64_t value = 0;
	const char *start = s;

	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value))
			return NULL;
	*out = value;
	return s == start ? NULL : s;
}

/* The name may hold blanks and parentheses: fields are counted from the last one. */
bool proc_stat_parse(const char *text, size_t len, struct proc_stat *out)
{
	uint64_t field[STAT_FIELDS] = { 0 };
	const char *at = memrchr(text, ')', len);

	if (at == NULL || at[1] != ' ' || at[2] == '\0' || at[3] != ' ')
		return false;
	memset(out, 0, sizeof(*out));
	out->state = at[2];
	at += 4;
	for (int i = 1; i < STAT_FIELDS; i++) {
		at += *at == '-';	/* priorities and groups of terminals; none is looked at */
		at = number(at, &field[i]);
		if (at == NULL || (*at != ' ' && i + 1 < STAT_FIELDS))
			return false;
		at += *at == ' ';
	}
	out->ppid = (pid_t)field[1];
	out->cpu_ticks = field[11] + field[12] + field[13] + field[14];
	out->threads = (uint32_t)MIN(field[17], (uint64_t)UINT32_MAX);
	out->start_ticks = field[19];
	out->rss_pages = field[21];
	return true;
}

bool keyed_number(const char *text, const char *key, uint64_t *out)
{
	size_t n = strlen(key);

	for (const char *line = text; *line != '\0';) {
		if (strncmp(line, key, n) == 0 && strchr(" :\t", line[n]) != NULL &&
		    line[n] != '\0')
			return number(line + n + strspn(line + n, " :\t"), out) != NULL;
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	return false;
}

bool pressure_total(const char *text, const char *kind, uint64_t *out)
{
	size_t n = strlen(kind);

	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');
		const char *total = strncmp(line, kind, n) == 0 && line[n] == ' ' ?
			memmem(line, (size_t)(end - line), " total=", 7) : NULL;

		if (total != NULL)
			return number(total + 7, out) != NULL;
		line = *end == '\n' ? end + 1 : NULL;
	}
	return false;
}

size_t pid_list_parse(const char *text, pid_t *pids, size_t max)
{
	size_t n = 0;
	uint64_t pid;

	while (n < max) {
		text += strspn(text, " \n");
		text = number(text, &pid);
		if (text == NULL || pid == 0 || pid > INT32_MAX)
			break;
		pids[n++] = (pid_t)pid;
	}
	return n;
}
