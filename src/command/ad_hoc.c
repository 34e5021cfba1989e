/* An ad-hoc command is a configuration, too: one that is written with --set. So it goes through the
 * same table, checks and core as any other. */
#include "command/ad_hoc.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/strbuf.h"
#include "config/value.h"

void ad_hoc_sets(const struct strlist *command, const char *restart, struct strlist *sets)
{
	auto_free(strbuf_fini) struct strbuf argv = STRBUF_INIT;

	strbuf_addstr(&argv, "subsystem." AD_HOC_SUBSYSTEM ".command=[");
	for (size_t i = 0; i < command->n; i++) {
		if (i > 0)
			strbuf_addch(&argv, ',');
		toml_quote(command->items[i], &argv);
	}
	strbuf_addch(&argv, ']');
	strlist_take(sets, x_asprintf("name=run-%d", (int)getppid()));
	strlist_add(sets, argv.buf);
	strlist_add(sets, "subsystem." AD_HOC_SUBSYSTEM ".stdin=inherit");
	strlist_add(sets, "subsystem." AD_HOC_SUBSYSTEM ".stdout=inherit");
	strlist_add(sets, "subsystem." AD_HOC_SUBSYSTEM ".stderr=inherit");
	strlist_take(sets, x_asprintf("subsystem." AD_HOC_SUBSYSTEM ".restart=%s",
				      restart ? restart : "never"));
	strlist_add(sets, "signals.term=forward:" AD_HOC_SUBSYSTEM);
	strlist_add(sets, "signals.interrupt=forward:" AD_HOC_SUBSYSTEM);
	strlist_add(sets, "logging.level=error");
}
