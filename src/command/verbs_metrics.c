/* `procd metrics`: the text as the front thread made it. */
#include "command/call.h"
#include "command/verbs.h"
#include "control/scan.h"
#include "metrics/exposition.h"

/* The member "text" of the result. */
static int print_text(const char *text, size_t len)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct scan s = scan_text(text, len);
	struct span key, value;
	bool found = false;

	if (scan_enter(&s, '{'))
		while (!found && scan_key(&s, &key) && scan_value(&s, &value))
			found = span_is(key, "text") && span_string(value, &out);
	if (!found) {
		fputs("procd: the answer cannot be read\n", stderr);
		return EXIT_OS;
	}
	return cli_print(out.buf, out.len);
}

static int ask(const struct cli_options *o, const char *format)
{
	auto_free(call_fini) struct call call;
	const char *text;
	size_t len;
	int rc = call_begin(&call, o, "metrics.get", json_pack("{s:s}", "format", format),
			    CALL_PROMPT, &text, &len);

	if (rc != 0)
		return rc;
	if (strcmp(format, "json") != 0)
		return print_text(text, len);
	rc = cli_print(text, len);
	return rc == 0 ? cli_print("\n", 1) : rc;
}

int verb_metrics(const struct cli_options *o)
{
	const char *format = cli_value(o, "format");

	if (format == NULL)
		format = o->json ? "json" : "openmetrics";
	if (enumtext_find(&exposition_format_text, format) < 0)
		return cli_fail_usage(o, "unknown format '%s'; known are openmetrics, prometheus, "
				      "json", format);
	return ask(o, format);
}
