/* `doctor`: what is well here, what is not, and what would help. */
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "command/doctor.h"
#include "command/verbs.h"
#include "config/config.h"
#include "console/table.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static void add_line(struct strbuf *out, bool colour, enum tint tint, const json_t *finding)
{
	auto_free(strbuf_fini) struct strbuf safe = STRBUF_INIT;
	const char *status = text_of(finding, "status");

	tint_add(out, colour, tint, status, strlen(status));
	strbuf_addf(out, "%*s %s\n", (int)(9 - strlen(status)), "", text_of(finding, "name"));
	if (tint == TINT_GREEN)
		return;
	terminal_escape(text_of(finding, "effect"), strlen(text_of(finding, "effect")), &safe);
	strbuf_addf(out, "          %s\n          fix: %s\n", safe.buf, text_of(finding, "fix"));
}

/* What is well comes first, so that what is not is seen at the end. */
static void add_findings(struct strbuf *out, const struct report *r)
{
	static const enum tint tints[] = { TINT_GREEN, TINT_YELLOW, TINT_RED };
	bool colour = colour_wanted(STDOUT_FILENO);

	for (int status = FINDING_OK; status < FINDING_COUNT; status++) {
		json_t *finding;
		size_t i;

		json_array_foreach(r->findings, i, finding)
			if (strcmp(text_of(finding, "status"),
				   enumtext_name(&finding_text, status)) == 0)
				add_line(out, colour, tints[status], finding);
	}
	strbuf_addf(out, "\n%zu ok, %zu degraded, %zu broken\n", r->counts[FINDING_OK],
		    r->counts[FINDING_DEGRADED], r->counts[FINDING_BROKEN]);
}

static int print_report(const struct cli_options *o, const struct report *r)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;

	if (o->json)
		return cli_print_json(json_pack("{s:b, s:O}", "ok",
						(int)(r->counts[FINDING_BROKEN] == 0),
						"findings", r->findings));
	if (o->quiet)
		return EXIT_OK;
	add_findings(&out, r);
	return cli_print(out.buf, out.len);
}

int verb_doctor(const struct cli_options *o)
{
	struct report r = { .findings = json_array() };
	auto_free(freep) char *path = config_locate(o->config);
	struct config *config = NULL;
	int rc = path != NULL || o->config != NULL ? verb_load_config(o, &config) : 0;

	if (rc == 0) {
		doctor_machine(&r);
		doctor_config(&r, config);
		rc = print_report(o, &r);
	}
	json_decref(r.findings);
	config_free(config);
	return rc != 0 ? rc : r.counts[FINDING_BROKEN] > 0 ? EXIT_FAILED : EXIT_OK;
}
