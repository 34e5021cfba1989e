/* jansson, fed with clean text. jansson refuses a whole value because of one bad byte, so text
 * from outside is cleaned first; and it trusts its input, so requests are measured first. */
#include "base/json.h"

#include "base/alloc.h"
#include "base/signame.h"
#include "base/text.h"

void json_setup(void)
{
	json_set_alloc_funcs(x_malloc, free);
	json_object_seed(0);
}

/* Only the end of memory can make jansson refuse clean text. */
static json_t *must(json_t *j)
{
	BUG_ON(j == NULL);
	return j;
}

json_t *json_text(const char *s)
{
	return s != NULL ? json_text_n(s, strlen(s)) : json_null();
}

json_t *json_text_n(const char *s, size_t n)
{
	auto_free(strbuf_fini) struct strbuf clean = STRBUF_INIT;

	if (utf8_valid(s, n))
		return must(json_stringn_nocheck(s, n));
	utf8_clean(s, n, &clean);
	return must(json_stringn_nocheck(clean.buf, clean.len));
}

json_t *json_signal(int signo)
{
	return signo != 0 ? json_text(signame(signo)) : json_null();
}

static void put(json_t *object, const char *key, json_t *value)
{
	BUG_ON(json_object_set_new_nocheck(object, key, value) < 0);
}

json_t *json_error_object(int rpc_code, const struct error *e)
{
	enum error_category category = error_code_category(e->code);
	json_t *object = must(json_object());
	json_t *data = must(json_object());

	put(data, "category", json_text(enumtext_name(&error_category_text, (int)category)));
	put(data, "code", must(json_integer(e->code)));
	put(data, "name", json_text(error_code_name(e->code)));
	if (e->errnum != 0)
		put(data, "errno", json_text(errno_name(e->errnum)));
	put(object, "code", must(json_integer(rpc_code)));
	put(object, "message", json_text(e->message != NULL ? e->message : ""));
	put(object, "data", data);
	return object;
}

/* json_dumpb() tells the size it needs: most texts fit at the first try. */
void json_dump(const json_t *j, struct strbuf *out)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t room, need;

	strbuf_reserve(out, 255);
	room = out->cap - out->len - 1;
	need = json_dumpb(j, out->buf + out->len, room, flags);
	BUG_ON(need == 0);
	if (need > room) {
		strbuf_reserve(out, need);
		BUG_ON(json_dumpb(j, out->buf + out->len, need, flags) != need);
	}
	out->len += need;
	out->buf[out->len] = '\0';
}

/* Nesting of containers, not counting brackets inside strings. Malformed text may be measured
 * wrongly, but never as flatter than the parser would find it before it gives up. */
static int nesting_depth(const char *s, size_t n, int enough)
{
	bool in_string = false;
	int deepest = 0;
	int depth = 0;

	for (size_t i = 0; i < n && deepest <= enough; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
			continue;
		}
		if (s[i] == '"')
			in_string = true;
		else if (s[i] == '{' || s[i] == '[')
			depth++;
		else if (s[i] == '}' || s[i] == ']')
			depth--;
		deepest = MAX(deepest, depth);
	}
	return deepest;
}

json_t *json_parse_untrusted(const char *s, size_t n, int max_depth, struct error *e)
{
	json_error_t why;
	json_t *j;

	if (nesting_depth(s, n, max_depth) > max_depth) {
		error_set(e, ERROR_CONFIG_PARSE, 0, "nested deeper than %d levels", max_depth);
		return NULL;
	}
	j = json_loadb(s, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (j == NULL)
		error_set(e, ERROR_CONFIG_PARSE, 0, "line %d column %d: %s", MAX(why.line, 1),
			  MAX(why.column, 0), why.text);
	return j;
}
