/* `procd scale`: the loader makes a successor of the running configuration, which has other numbers
 * of instances; the core applies it. Should a reload have been faster, the successor is that of a
 * configuration that does not run any more, and is made again. */
#include "core/scale.h"

#include "base/alloc.h"
#include "base/log.h"
#include "command/supervisor.h"
#include "config/store.h"

int scale_read_running(void *ctx, struct strbuf *text, uint64_t *generation)
{
	const struct supervisor *s = ctx;

	return bundle_look(s->run_dir, text, generation);
}

void scale_inherit(const char *run_dir, const struct run_options *options, struct config **config,
		   struct strbuf *bundle)
{
	auto_free(scales_fini) struct scales ordered = SCALES_INIT, declared = SCALES_INIT;
	auto_free(strbuf_fini) struct strbuf saved = STRBUF_INIT, text = STRBUF_INIT;
	struct config_source source = supervisor_source(options);
	struct config_diag diag = CONFIG_DIAG_INIT;
	struct config *config_then;
	uint64_t generation;

	if (bundle_look(run_dir, &saved, &generation) < 0)
		return;
	scales_read(saved.buf, saved.len, &ordered);
	scales_declared(*config, &declared);
	scales_prune(&ordered, &declared);
	if (ordered.n == 0)
		return;
	source.scales = &ordered;
	if (config_load(&source, &config_then, &diag, &text) == 0) {
		config_free(*config);
		*config = config_then;
		strbuf_reset(bundle);
		strbuf_add(bundle, text.buf, text.len);
	} else {
		log_warn("the numbers of instances that procd scale had ordered are lost: the "
			 "configuration cannot be read a second time");
	}
	config_diag_fini(&diag);
}

void scale_request(struct supervisor *s, struct control_order *order)
{
	auto_free(scales_fini) struct scales wanted = SCALES_INIT;

	if (!core_scale_wanted(s->core, &order->request, &wanted)) {
		control_answer(order);
		return;
	}
	bundle_save_again(s);
	order->generation = config_current()->generation;
	loader_scale(s->loader, &wanted, order);
}

/* The core answers by the request's done(). */
static void carry_out(struct supervisor *s, struct load_result *r, struct core_request *request)
{
	const struct config *now;

	supervisor_claim_descriptors(s, r->config);
	s->publishing = r;
	if (!core_scale(s->core, take(r->config), request))
		return;
	now = config_current();
	bundle_applied(s->run_dirfd);
	loader_published(s->loader, now, now->hot_reload);
	control_reconfigured(s->control);
}

void scale_on_load(struct supervisor *s, struct load_result *r)
{
	struct control_order *order = r->cookie;
	uint64_t now = config_current()->generation;
	json_t *errors = NULL;

	if (r->exit_code == 0 && r->generation == now) {
		carry_out(s, r, &order->request);
		return;
	}
	if (order->generation != now) {
		scale_request(s, order);
		return;
	}
	if (r->exit_code == 0)
		error_set(&order->request.error, ERROR_IO, 0, "the run directory does not hold "
			  "the running configuration: it could not be saved there");
	else
		supervisor_refused(&r->diag, &order->request.error, &errors);
	if (r->generation == 0)
		order->request.error.code = ERROR_IO;
	json_decref(errors);
	control_answer(order);
}
