/* [logging] and [events] of the published configuration, turned into targets. */
#include "output/configure.h"

#include <unistd.h>

#include "base/alloc.h"
#include "base/rcu.h"
#include "config/store.h"
#include "output/datagram.h"
#include "output/thread.h"

struct wanted {
	bool json, color;
	char *file;			/* NULL: stderr */
	uint64_t max_file_size;
	int64_t max_files;
	enum events_output events;
	char *events_path;
	int events_fd;
	size_t name_width;		/* of the longest name of a subsystem */
};

static void read_config(struct wanted *w)
{
	rcu_enter();
	const struct config *c = config_current();
	*w = (struct wanted){
		.json = c->logging.json,
		.color = c->logging.color,
		.file = x_strdup(c->logging.file),
		.max_file_size = c->logging.max_file_size,
		.max_files = c->logging.max_files,
		.events = c->events.enabled ? c->events.output : EVENTS_NONE,
		.events_path = x_strdup(c->events.output_path),
		.events_fd = c->events.output_fd,
	};
	for (size_t i = 0; i < c->nsubsystems; i++)
		w->name_width = MAX(w->name_width, strlen(c->subsystems[i]->name));
	rcu_leave();
}

static struct target *events_target(struct output *o, const struct wanted *w)
{
	switch (w->events) {
	case EVENTS_STDOUT:
		return target_fd(&o->targets, STDOUT_FILENO);
	case EVENTS_STDERR:
		return target_fd(&o->targets, STDERR_FILENO);
	case EVENTS_FD:
		return target_fd(&o->targets, w->events_fd);
	case EVENTS_FILE:
		return target_file(&o->targets, w->events_path, 0, 0);
	case EVENTS_NONE:
		break;
	}
	return NULL;
}

static struct target *ownlog_target(struct output *o, const struct wanted *w)
{
	if (w->file == NULL)
		return target_fd(&o->targets, STDERR_FILENO);
	if (strcmp(w->file, "syslog") == 0)
		return target_daemon(&o->targets, DATAGRAM_SYSLOG);
	if (strcmp(w->file, "journal") == 0)
		return target_daemon(&o->targets, DATAGRAM_JOURNAL);
	return target_file(&o->targets, w->file, w->max_file_size, w->max_files);
}

void configure_output(struct output *o)
{
	struct wanted w;

	read_config(&w);
	ownlog_set_target(&o->ownlog, ownlog_target(o, &w), w.json, w.color, w.name_width);
	sink_set_target(&o->sink, events_target(o, &w));
	free(w.file);
	free(w.events_path);
}
