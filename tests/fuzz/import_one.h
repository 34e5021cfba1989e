/* What all fuzz targets of importers do: whatever the text is, either one line says what is wrong with it,
 * or the result is a configuration that procd accepts, and that another look at it does not change. */
#include "base/alloc.h"
#include "config/config.h"
#include "import/import.h"
#include "fuzz.h"

static void check_accepted(const struct strbuf *text)
{
	auto_free(strbuf_fini) struct strbuf bundle = STRBUF_INIT;
	struct config_source source = { 0 };
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config = NULL;

	config_bundle(&bundle, "/f.toml", text->buf, text->len);
	source.bundle = bundle.buf;
	source.bundle_len = bundle.len;
	check(config_load(&source, &config, &diag, NULL) == 0);
	config_diag_fini(&diag);
	config_free(config);
}

static void check_result(int r, const struct strbuf *out, const struct error *e)
{
	check((r == 0) == !error_is_set(e) && (r == 0) == (out->len > 0));
	if (r == 0)
		check_accepted(out);
	else
		check(strchr(e->message, '\n') == NULL);
}

static inline int import_one(const char *name, const char *format, const uint8_t *bytes, size_t size)
{
	auto_free(strbuf_fini) struct strbuf out = STRBUF_INIT;
	auto_free(freep) char *exact = x_malloc(size + 1);	/* a byte too far is a finding */
	struct error e = ERROR_INIT;

	memcpy(exact, bytes, size);
	check_result(import_text(name, exact, size, format, &out, &e), &out, &e);
	error_fini(&e);
	return 0;
}
