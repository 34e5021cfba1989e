/* Bytes of a client: lines, requests, and the client's own scanner over the same bytes. */
#include "control/client.h"
#include "control/rpc.h"
#include "control/scan.h"
#include "fuzz.h"

static void parse(const char *line, size_t len)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	struct rpc_request r;
	struct rpc_refusal why;

	if (rpc_parse(line, len, &r, &why) < 0)
		rpc_error(&out, r.id, why.code, &why.error, NULL);
	else
		rpc_result(&out, r.id ? r.id : json_null(), r.root);
	error_fini(&why.error);
	rpc_request_fini(&r);
}

static void walk(const char *text, size_t n)
{
	auto_free(strbuf_fini) struct strbuf s = STRBUF_INIT;
	struct scan scan = scan_text(text, n);
	struct span key, value;
	int64_t number;

	if (!scan_enter(&scan, '{'))
		return;
	while (scan_key(&scan, &key) && scan_value(&scan, &value)) {
		span_int(value, &number);
		span_string(value, &s);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line;
	size_t pos = 0, len;

	while (rpc_next_line(text, size, &pos, &line, &len) > 0) {
		parse(line, len);
		walk(line, len);
		client_result_text(line, len, &len);
	}
	walk(text, size);
	return 0;
}
