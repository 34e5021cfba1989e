/* Enum <-> text: loops over the table, nothing else. */
#include "base/enumtext.h"

const char *enumtext_name(const struct enumtext *t, int value)
{
	if (value < 0 || value >= t->count || t->names[value] == NULL)
		return "?";
	return t->names[value];
}

int enumtext_find(const struct enumtext *t, const char *text)
{
	return enumtext_find_n(t, text, strlen(text));
}

int enumtext_find_n(const struct enumtext *t, const char *text, size_t len)
{
	for (int i = 0; i < t->count; i++)
		if (t->names[i] != NULL && strlen(t->names[i]) == len &&
		    memcmp(t->names[i], text, len) == 0)
			return i;
	return -1;
}

void enumtext_join(const struct enumtext *t, struct strbuf *out)
{
	const char *separator = "";

	for (int i = 0; i < t->count; i++) {
		if (t->names[i] == NULL)
			continue;
		strbuf_addstr(out, separator);
		strbuf_addstr(out, t->names[i]);
		separator = ", ";
	}
}
