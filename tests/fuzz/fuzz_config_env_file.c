/* An environment file from anywhere. What is accepted consists of names and values that execve()
 * takes; written with quotes it reads back as the same. A refusal has a place inside the text. */
#include "base/util.h"
#include "config/env_file.h"
#include "base/strbuf.h"
#include "fuzz.h"

static void add_quoted(const char *item, struct strbuf *out)
{
	const char *eq = strchr(item, '=');

	check(eq != NULL && eq != item);
	strbuf_add(out, item, (size_t)(eq + 1 - item));
	strbuf_addch(out, '"');
	for (const char *at = eq + 1; *at != '\0'; at++) {
		if (*at == '"' || *at == '\\')
			strbuf_addch(out, '\\');
		strbuf_addch(out, *at);
	}
	strbuf_addstr(out, "\"\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free(strlist_fini) struct strlist list = STRLIST_INIT, again = STRLIST_INIT;
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct env_file_error e = { 0 };
	char *exact = malloc(size ? size : 1);	/* one byte too far is a finding */

	check(exact != NULL);
	if (size > 0)
		memcpy(exact, bytes, size);
	if (env_file_parse(exact, size, &list, &e) < 0) {
		check(e.line >= 1 && e.column >= 1 && e.what != NULL);
		check((size_t)e.line <= size + 1 && (size_t)e.column <= size + 1);
	} else {
		for (size_t i = 0; i < list.n; i++)
			add_quoted(list.items[i], &text);
		check(env_file_parse(text.buf, text.len, &again, &e) == 0);
		check(strlist_equal(&list, &again));
	}
	free(exact);
	return 0;
}
