/* What a signal to the instance means: the [signals] table, and behind "default" procd's own. */
#include "base/log.h"
#include "base/signame.h"
#include "config/family.h"
#include "core/live.h"
#include "core/reconcile.h"

static enum signal_action own_action(int signo)
{
	switch (signo) {
	case SIGTERM:
	case SIGINT:
		return SIGNAL_SHUTDOWN;
	case SIGQUIT:
		return SIGNAL_IMMEDIATE;
	case SIGHUP:
		return SIGNAL_RELOAD;
	case SIGUSR1:
		return SIGNAL_REOPEN_LOGS;
	case SIGUSR2:
		return SIGNAL_DUMP;
	default:
		return SIGNAL_IGNORE;
	}
}

static void forward_to(struct core *c, const char *name, int signo)
{
	struct subsystem *s = registry_find(&c->registry, name);

	if (s == NULL || !subsystem_is_up(s))
		log_warn("%s not forwarded: %s does not run", signame(signo), name);
	else
		c->ops->signal(c->ops_ctx, s->proc.slot, s->proc.spawn_id, signo, SCOPE_MAIN,
			       false);
}

/* Loading saw to it that there is such a one. */
static void forward(struct core *c, const char *target, int signo)
{
	const struct config *config = config_current();
	uint32_t first, n;

	if (target == NULL || !config_select(config, target, &first, &n))
		return;
	for (uint32_t i = first; i < first + n; i++)
		forward_to(c, config->subsystems[i]->name, signo);
}

/* Whoever ends `procd run -- CMD` means both: CMD is sent the signal and not restarted after it.
 * Between two of its processes there is nothing to wait for. True: done. */
static bool end_main(struct core *c, const char *target, int signo)
{
	struct subsystem *s = c->main_name != NULL ? registry_find(&c->registry, c->main_name)
						   : NULL;

	if (s == NULL || target == NULL || strcmp(target, s->name) != 0 ||
	    (signo != SIGTERM && signo != SIGINT))
		return false;
	c->main_leaves = true;
	if (subsystem_is_up(s))
		return false;
	shutdown_escalate(c);
	return true;
}

void core_signal(struct core *c, int signo)
{
	const struct signal_option *o;
	enum signal_action action;

	if (signo <= 0 || signo >= NSIG)
		return;
	o = &config_current()->signals[signo];
	action = o->action == SIGNAL_DEFAULT ? own_action(signo) : o->action;
	switch (action) {
	case SIGNAL_SHUTDOWN:
		shutdown_escalate(c);
		break;
	case SIGNAL_IMMEDIATE:
		shutdown_request(c, SHUTDOWN_KILL, "signal");
		break;
	case SIGNAL_RELOAD:
		if (!shutdown_active(&c->shutdown))
			c->ops->reload(c->ops_ctx);
		break;
	case SIGNAL_REOPEN_LOGS:
		c->ops->reopen_logs(c->ops_ctx);
		break;
	case SIGNAL_DUMP:
		c->ops->dump(c->ops_ctx);
		break;
	case SIGNAL_FORWARD:
		if (!end_main(c, o->target, signo))
			forward(c, o->target, signo);
		break;
	case SIGNAL_IGNORE:
	case SIGNAL_DEFAULT:
		break;
	}
}
