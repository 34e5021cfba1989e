/* What does not fit is refused with numbers when it is read, not found out by the thousandth
 * start. */
#include "config/descriptors.h"

#include "base/nofile.h"
#include "config/check.h"

/* Those of one subsystem that may run at the same moment, beside its main process or instead of
 * it. */
static uint64_t commands_at_once(const struct subsystem_options *o)
{
	bool alone =
		o->policy->pre_start.n + o->policy->post_stop.n + o->policy->stop_command.n > 0;

	return (uint64_t)alone + (o->policy->reload_command.n > 0);
}

uint64_t config_descriptors(const struct config *config, uint64_t *wanted)
{
	uint64_t keeper = DESCRIPTORS_OWN, supervisor = DESCRIPTORS_OWN, processes = 0;

	for (size_t i = 0; i < config->nsubsystems; i++) {
		const struct subsystem_options *o = config->subsystems[i];
		uint64_t streams = (uint64_t)stdio_is_captured(&o->streams->stdio[1]) +
				   (uint64_t)stdio_is_captured(&o->streams->stdio[2]);
		bool command =
			o->policy->health != NULL && o->policy->health->kind == PROBE_COMMAND;
		bool probe = o->policy->health != NULL && !command;
		uint64_t sockets = o->policy->listen.n + subsystem_speaks(o);

		keeper += streams + sockets;
		processes += 1 + command + commands_at_once(o);
		supervisor += streams + (o->log_file != NULL) + sockets + probe;
	}
	*wanted = MAX(keeper + processes, supervisor);
	return MAX(keeper, supervisor);
}

void check_descriptors(const struct candidate *c, struct config *config)
{
	struct place place = { .file = c->shown.n > 0 ? c->shown.items[0] : NULL };
	uint64_t wanted, need = config_descriptors(config, &wanted);
	uint64_t have = nofile_claim(0, wanted + DESCRIPTORS_CONNECTIONS);

	config->descriptors = need;
	config->descriptors_wanted = wanted;
	if (have < need && !c->saved)
		diag_error(c->diag, &place, "procd needs %llu open files for %zu subsystems, but "
			   "its hard limit is %llu; raise it (ulimit -Hn, or LimitNOFILE= of the "
			   "systemd unit)", (unsigned long long)need, config->nsubsystems,
			   (unsigned long long)have);
	else if (have < wanted)
		diag_warn(c->diag, &place, "procd would use %llu open files for %zu subsystems, but "
			  "its hard limit is %llu: it has to look at all of them to find the ends "
			  "of some", (unsigned long long)wanted, config->nsubsystems,
			  (unsigned long long)have);
	else if (have < wanted + DESCRIPTORS_CONNECTIONS)
		diag_warn(c->diag, &place, "procd needs %llu open files for %zu subsystems and "
			  "%d for control connections, but its hard limit is %llu",
			  (unsigned long long)wanted, config->nsubsystems, DESCRIPTORS_CONNECTIONS,
			  (unsigned long long)have);
}
