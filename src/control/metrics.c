/* metrics.get: the text is made here, on the front thread, from what others publish. */
#include "config.h"
#include "config/store.h"
#include "control/emit.h"
#include "control/methods.h"
#include "control/server.h"
#include "metrics/scrape.h"

static bool format_of(struct connection *c, const struct rpc_request *r,
		      enum exposition_format *format)
{
	const char *text = "openmetrics";
	int found;

	if (!param_text(c, r, "format", &text))
		return false;
	found = enumtext_find(&exposition_format_text, text);
	if (found < 0) {
		reply_error(c, r, RPC_INVALID_PARAMS, ERROR_STATE_VALUE,
			    "unknown format \"%.32s\"; known are openmetrics, prometheus, json", text);
		return false;
	}
	*format = (enum exposition_format)found;
	return true;
}

static bool enabled(struct connection *c, const struct rpc_request *r)
{
	bool on;

	rcu_enter();
	on = config_current()->monitoring.enable_metrics;
	rcu_leave();
	if (!on)
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_PLATFORM_FEATURE,
			    "metrics are off (monitoring.enable_metrics = false)");
	return on;
}

void method_metrics(struct connection *c, const struct rpc_request *r)
{
	struct control *s = c->server;
	struct scrape scrape = {
		.board = s->setup.board, .chan = s->setup.chan, .tally = s->setup.tally,
		.sampler = s->sampler, .connections = s->nconnections,
	};
	enum exposition_format format = EXPOSITION_OPENMETRICS;

	if (!WITH_METRICS) {
		reply_error(c, r, RPC_SERVER_ERROR, ERROR_PLATFORM_FEATURE,
			    "this procd was built without metrics (--enable-metrics)");
		return;
	}
	if (!format_of(c, r, &format) || !enabled(c, r) || !r->id)
		return;
	tally_add(s->setup.tally, TALLY_SCRAPES, 1);
	sampler_scrape(s->sampler);
	rpc_result_begin(&c->out, r->id);
	if (format == EXPOSITION_JSON) {
		scrape_format(&scrape, format, false, &c->out);
	} else {
		emit_open(&c->out, NULL, '{');
		emit_text(&c->out, "content_type", exposition_content_type(format));
		emit_raw(&c->out, "text", "\"");
		scrape_format(&scrape, format, true, &c->out);
		strbuf_addch(&c->out, '"');
		emit_close(&c->out, '}');
	}
	rpc_result_end(&c->out);
}
