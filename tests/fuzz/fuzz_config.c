/* Whole configurations from arbitrary bytes, without a disk: a bundle holds the text. Whatever
 * comes in, a load either complains at a place that exists, or gives a configuration that says of
 * itself something that loads again as the same. The first byte chooses what the rest is: t TOML,
 * j JSON, s lines for --set, b a bundle. */
#include "base/alloc.h"
#include "config/config.h"
#include "config/source.h"
#include "fuzz.h"

/* Every error has a message; one with a line points into the text. */
static void check_issues(const struct config_diag *d, const char *text, size_t n)
{
	int lines = 2;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	for (size_t i = 0; i < d->n; i++) {
		const struct config_issue *issue = &d->issues[i];

		check(issue->message != NULL && issue->message[0] != '\0');
		check(issue->line >= 0 && issue->line <= lines && issue->column >= 0);
		check((issue->line > 0) == (issue->column > 0));
	}
}

static struct config *load(const char *name, const char *text, size_t n, const struct strlist *sets,
			   struct config_diag *diag)
{
	auto_free(strbuf_fini) struct strbuf bundle = STRBUF_INIT;
	struct config_source source = { .sets = sets };
	struct config *config = NULL;
	int ret;

	if (name != NULL)
		bundle_add(&bundle, name, text, n);
	source.bundle = name != NULL ? bundle.buf : text;
	source.bundle_len = name != NULL ? bundle.len : n;
	ret = config_load(&source, &config, diag, NULL);
	check((ret == 0) == (config != NULL) && (ret == 0) == (diag->nerrors == 0));
	return config;
}

/* What a configuration says of itself is the same configuration. */
static void check_dump(const struct config *config)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config_diff diff;
	struct config *again;
	json_t *json = config_dump_json(config);

	check(json != NULL);
	json_decref(json);
	config_dump_toml(config, &text);
	again = load("/again.toml", text.buf, text.len, NULL, &diag);
	check(again != NULL);
	config_diff(config, again, &diff);
	check(diff.equal || config->include.n > 0);	/* the files are all in the dump already */
	check(diff.added.n + diff.removed.n + diff.restarted.n + diff.updated.n == 0);
	check(diff.needs_procd_restart.n == 0);
	config_diff_fini(&diff);
	config_diag_fini(&diag);
	config_free(again);
}

static void split_lines(const char *text, size_t n, struct strlist *out)
{
	for (size_t at = 0; at < n;) {
		const char *lf = memchr(text + at, '\n', n - at);
		size_t len = lf != NULL ? (size_t)(lf - (text + at)) : n - at;

		strlist_take(out, x_strndup(text + at, len));
		at += len + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free(strlist_fini) struct strlist sets = STRLIST_INIT;
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config;
	const char *text = (const char *)bytes + 1;
	size_t n = size - 1;

	if (size == 0)
		return 0;
	switch (bytes[0]) {
	case 't':
		config = load("/f.toml", text, n, NULL, &diag);
		break;
	case 'j':
		config = load("/f.json", text, n, NULL, &diag);
		break;
	case 's':
		split_lines(text, n, &sets);
		config = load("/f.toml", "", 0, &sets, &diag);
		break;
	case 'b':
		config = load(NULL, text, n, NULL, &diag);
		break;
	default:
		return 0;
	}
	if (bytes[0] != 'b') {	/* whose accounts only it knows */
		check_issues(&diag, text, n);
		if (config != NULL)
			check_dump(config);
	}
	config_diag_fini(&diag);
	config_free(config);
	return 0;
}
