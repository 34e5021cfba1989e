/* Orders about the configuration, and what the loader found. The loader reads; the core applies;
 * here is only who gets which answer. */
#include <config.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/nofile.h"
#include "command/supervisor.h"
#include "config/store.h"

void supervisor_claim_descriptors(const struct supervisor *s, const struct config *config)
{
	if (nofile_claim(s->welcome.keeper_pid, config->descriptors_wanted) < config->descriptors)
		log_warn("the keeper needs %llu open files and may not have so many: some starts "
			 "will have to wait", (unsigned long long)config->descriptors);
}

void supervisor_reload(struct supervisor *s)
{
	s->reload_pending = true;
	loader_request(s->loader, LOAD_SIGNAL, NULL);
}

void supervisor_on_order(void *ctx, struct mail *mail)
{
	struct supervisor *s = ctx;
	struct control_order *order = container_of(mail, struct control_order, mail);

	switch (order->kind) {
	case CONTROL_CORE:
		core_request(s->core, &order->request);	/* its done() answers */
		return;
	case CONTROL_SCALE:
		scale_request(s, order);
		return;
	case CONTROL_PLAN:
		loader_request(s->loader, LOAD_PLAN, order);
		return;
	case CONTROL_RELOAD:
		loader_request(s->loader, LOAD_REQUEST, order);
		return;
	case CONTROL_REOPEN_LOGS:
		output_reopen(s->output);
		break;
	case CONTROL_LOG_LEVEL:
		log_set_level(order->level);
		break;
	case CONTROL_MEMORY:
		core_memory_used(s->core, order->memory.slot, order->memory.spawn_id,
				 order->memory.over, order->memory.value, order->memory.limit);
		break;
	case CONTROL_UPGRADE:
		upgrade_request(s, order);	/* which answers */
		return;
	case CONTROL_PROFILE:
		if (WITH_PROFILING)	/* else it was refused at the door */
			profile_request(s, order);	/* likewise */
		return;
	}
	control_answer(order);
}

void supervisor_refused(const struct config_diag *diag, struct error *e, json_t **result)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	config_diag_print(diag, false, &text);
	while (text.len > 0 && text.buf[text.len - 1] == '\n')
		text.buf[--text.len] = '\0';
	error_set(e, config_diag_code(diag), 0, "%s", text.buf);
	*result = json_pack("{s:o}", "errors", config_diag_json(diag, false));
}

void supervisor_log_issues(const struct config_diag *diag)
{
	for (size_t i = 0; i < diag->n; i++) {
		const struct config_issue *issue = &diag->issues[i];
		const char *file = issue->file != NULL ? issue->file : "command line";
		enum log_level level = issue->warning ? LOG_WARN : LOG_ERROR;

		if (issue->line > 0)
			log_at(level, NULL, "%s:%d:%d: %s", file, issue->line, issue->column,
			       issue->message);
		else
			log_at(level, NULL, "%s: %s", file, issue->message);
	}
}

static void load_plan(struct load_result *r)
{
	struct control_order *order = r->cookie;

	if (r->exit_code != 0)
		supervisor_refused(&r->diag, &order->error, &order->result);
	else
		order->result = take(r->plan);
	control_answer(order);
}

/* Whoever comes after a death in the middle of a reload goes on with the new configuration, and
 * knows what runs with the old one. */
void supervisor_on_publishing(void *ctx, uint64_t generation)
{
	struct supervisor *s = ctx;

	bundle_publish(s, s->publishing, generation);
}

/* Apply what was read. Returns the summary for a client, NULL with *E set when it was refused. */
static json_t *load_apply(struct supervisor *s, struct load_result *r, bool allow_empty,
			  struct error *e)
{
	json_t *summary = NULL;
	int rc;

	supervisor_claim_descriptors(s, r->config);
	s->publishing = r;
	rc = core_apply(s->core, take(r->config), allow_empty, &summary);
	tally_add(s->tally, rc == 0 ? TALLY_RELOAD_APPLIED : rc == -EALREADY ?
		  TALLY_RELOAD_UNCHANGED : TALLY_RELOAD_REJECTED, 1);
	if (rc == -ESHUTDOWN) {
		error_set(e, ERROR_SHUTDOWN_IN_PROGRESS, 0,
			  "procd is shutting down; the configuration stays as it is");
		return NULL;
	}
	if (rc == -ENOENT) {
		struct config_issue issue = { .file = config_current()->file };
		struct config_diag diag = { .issues = &issue, .n = 1, .nerrors = 1 };

		error_set(e, ERROR_CONFIG_INVALID, 0,
			  "%s: no subsystems are left; the running configuration stays "
			  "(reload-config --allow-empty stops them all)", issue.file);
		issue.message = e->message;
		core_reject(s->core, &diag);
		return NULL;
	}
	if (rc == 0) {
		const struct config *now = config_current();

		tally_took(s->tally, TALLY_RELOAD, clock_mono_ns() - r->began_mono_ns);
		tally_enable(s->tally, now->monitoring.enable_metrics);
		bundle_applied(s->run_dirfd);
		loader_published(s->loader, now, now->hot_reload);
		file_watch_retime(s->file_watch, now->reload.debounce_ms);
		log_set_level(now->logging.level);
		supervisor_tell_loader(now);
		output_reconfigure(s->output);
		control_reconfigured(s->control);
	}
	return summary ? summary : json_object();
}

void supervisor_tell_loader(const struct config *config)
{
	log_debug("the configuration is of %u files, %u of them read through memory maps",
		  config->files.n, config->nmapped);
}

void supervisor_on_load(void *ctx, struct mail *mail)
{
	struct supervisor *s = ctx;
	struct load_result *r = container_of(mail, struct load_result, mail);
	struct control_order *order = r->why == LOAD_REQUEST ? r->cookie : NULL;
	struct error error = ERROR_INIT;

	/* Whoever sent a SIGHUP waits for the end of a reload, even if nothing comes of it. */
	if (r->why == LOAD_SIGNAL) {
		s->reload_pending = false;
		core_tell_reload(s->core);
	}
	if (r->why == LOAD_SCALE) {
		scale_on_load(s, r);
	} else if (r->why == LOAD_PLAN) {
		load_plan(r);
	} else if (r->exit_code != 0) {
		supervisor_log_issues(&r->diag);
		tally_add(s->tally, TALLY_RELOAD_REJECTED, 1);
		core_reject(s->core, &r->diag);
		if (order)
			supervisor_refused(&r->diag, &order->error, &order->result);
	} else {
		json_t *summary = load_apply(s, r, order && order->allow_empty, &error);

		supervisor_log_issues(&r->diag);
		if (error_is_set(&error))
			log_error("%s", error.message);
		if (order) {
			order->result = summary;
			order->error = error;
			error = (struct error)ERROR_INIT;
		} else {
			json_decref(summary);
		}
	}
	if (order)
		control_answer(order);
	error_fini(&error);
	bundle_unstage(s, r);
	load_result_free(r);
}
