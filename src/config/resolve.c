/* Paths become absolute, names become numbers, and the machine is asked what only it can say. */
#include "config/resolve.h"

#include <config.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "config/account.h"
#include "config/family.h"
#include "config/source.h"
#include "config/type.h"

void resolve_init(struct resolve *r, const struct candidate *c, const char *bundle_in, size_t len,
		  struct strbuf *bundle_out)
{
	const char *name, *text;
	size_t offset = 0, n;

	*r = (struct resolve){ .c = c, .bundle = bundle_out };
	while (bundle_in != NULL && bundle_next(bundle_in, len, &offset, &name, &text, &n)) {
		if (*name == '/')
			continue;
		if (strncmp(name, RESOLVE_ZONE, strlen(RESOLVE_ZONE)) == 0) {
			resolve_zone_known(r, name + strlen(RESOLVE_ZONE), text, n);
			continue;
		}
		account_known(&r->accounts, name, text, n);
	}
}

void resolve_fini(struct resolve *r)
{
	accounts_fini(&r->accounts);
	resolve_zones_fini(r);
	free(r->base);
}

/* --- errors with their place ---------------------------------------------------------------- */

/* Where the key at AT stands: in SCOPE, in [defaults], or (not given) at SCOPE's header. */
static struct place place_of(const struct resolve *r, const struct scope *scope, bool top,
			     uint32_t at)
{
	const struct setting *s = scope_find_at(scope, at);

	if (s == NULL && !top)
		s = scope_find_at(&r->c->defaults, at);
	if (s != NULL)
		return setting_place(r->c, s, s->value.line, s->value.column);
	return (struct place){ .label = scope->name };
}

#define PLACE_TOP(r, field) place_of(r, &(r)->c->top, true, offsetof(struct config, field))
#define PLACE_SUB(r, scope, field) \
	place_of(r, scope, false, AT_##field)

/* Tell that A, a KIND called NAME, is not to be had. */
static void tell_missing(const struct resolve *r, const struct place *place,
			 const struct account *a, const char *kind, const char *name)
{
	if (a->err != 0)
		diag_error(r->c->diag, place, "cannot look up %s \"%s\": %s", kind, name,
			   strerror(a->err));
	else
		diag_error(r->c->diag, place, "there is no %s \"%s\"", kind, name);
}

/* --- paths ---------------------------------------------------------------------------------- */

static void path_resolve(const struct resolve *r, const struct option *o, void *obj)
{
	char **path = o->type->path != NULL ? o->type->path(o, obj) : NULL, *full;

	if (path == NULL || *path == NULL || **path == '/')
		return;
	full = path_absolute(r->base, *path);
	free(*path);
	*path = full;
}

static void paths_resolve(const struct resolve *r, enum option_part part,
			  struct subsystem_options *o)
{
	for (const struct option *const *row = schema_of_part(part); *row != NULL; row++)
		path_resolve(r, *row, o);
}

static char *default_run_dir(const char *name)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		return x_asprintf("%s/procd/%s", PROCD_RUNSTATEDIR, name);
	if (runtime != NULL && *runtime == '/')
		return x_asprintf("%s/procd/%s", runtime, name);
	return x_asprintf("/tmp/procd-%u/%s", (unsigned)geteuid(), name);
}

static void work_dir_resolve(struct resolve *r, struct config *config)
{
	auto_free(freep) char *start = start_directory();
	struct place place = PLACE_TOP(r, work_dir);
	struct stat st;

	if (config->work_dir == NULL) {
		r->base = take(start);
		return;
	}
	r->base = path_absolute(start, config->work_dir);
	free(config->work_dir);
	config->work_dir = x_strdup(r->base);
	if (r->c->saved)
		return;
	if (stat(r->base, &st) < 0)
		diag_error(r->c->diag, &place, "work_dir %s: %s", r->base, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		diag_error(r->c->diag, &place, "work_dir %s is not a directory", r->base);
}

void resolve_base(struct resolve *r, const struct config *config)
{
	free(r->base);
	r->base = config->work_dir != NULL ? x_strdup(config->work_dir) : start_directory();
}

static void group_resolve(struct resolve *r, const char *name, struct place place, gid_t *gid)
{
	const struct account *a;

	if (name == NULL)
		return;
	a = account_group(&r->accounts, name, r->bundle);
	if (a->found)
		*gid = (gid_t)a->id;
	else
		tell_missing(r, &place, a, "group", name);
}

void resolve_top(struct resolve *r, struct config *config)
{
	work_dir_resolve(r, config);
	for (size_t i = 0; i < schema_top_n; i++)
		path_resolve(r, &schema[i], config);
	if (config->run_dir == NULL)
		config->run_dir = default_run_dir(config->name);
	if (config->control.socket == NULL)
		config->control.socket = x_asprintf("%s/control.sock", config->run_dir);
	group_resolve(r, config->control.group, PLACE_TOP(r, control.group), &config->control.gid);
	group_resolve(r, config->control.read_group, PLACE_TOP(r, control.read_group),
		      &config->control.read_gid);
}

/* --- ids ------------------------------------------------------------------------------------ */

static void add_gid(struct subsystem_rights *o, gid_t gid)
{
	for (size_t i = 0; i < o->ngids; i++)
		if (o->gids[i] == gid)
			return;
	o->gids = x_reallocarray(o->gids, o->ngids + 1, sizeof(*o->gids));
	o->gids[o->ngids++] = gid;
}

static void user_resolve(struct resolve *r, const struct scope *scope, struct subsystem_rights *o)
{
	const struct account *a = account_user(&r->accounts, o->user, r->bundle);

	if (!a->found) {
		struct place place = PLACE_SUB(r, scope, RIGHTS(user));

		tell_missing(r, &place, a, "user", o->user);
		return;
	}
	o->uid = (uid_t)a->id;
	o->gid = a->gid;
	o->home = x_strdup(a->home);
	o->login_shell = x_strdup(a->shell);
	o->user_name = x_strdup(a->name);
	for (size_t i = 0; i < a->ngids; i++)
		add_gid(o, a->gids[i]);
}

static void ids_resolve(struct resolve *r, const struct scope *scope, struct subsystem_rights *o)
{
	o->set_ids = o->user != NULL || o->group != NULL || o->supplementary_groups.n > 0;
	if (!o->set_ids)
		return;
	o->uid = geteuid();
	o->gid = getegid();
	if (o->user != NULL)
		user_resolve(r, scope, o);
	group_resolve(r, o->group, PLACE_SUB(r, scope, RIGHTS(group)), &o->gid);
	for (size_t i = 0; i < o->supplementary_groups.n; i++) {
		gid_t gid = (gid_t)-1;

		group_resolve(r, o->supplementary_groups.items[i],
			      PLACE_SUB(r, scope, RIGHTS(supplementary_groups)), &gid);
		if (gid != (gid_t)-1)
			add_gid(o, gid);
	}
	if (o->ngids > ACCOUNT_GROUPS_MAX) {
		struct place place = PLACE_SUB(r, scope, RIGHTS(supplementary_groups));

		diag_error(r->c->diag, &place, "more than %d groups", ACCOUNT_GROUPS_MAX);
	}
}

/* --- files that are read at each start -------------------------------------------------------- */

static void env_files_resolve(struct resolve *r, const struct scope *scope,
			      struct subsystem_rights *o)
{
	for (size_t i = 0; i < o->env_file.n; i++) {
		char *item = o->env_file.items[i];
		bool optional = *item == '-';
		auto_free(freep) char *full = path_absolute(r->base, item + optional);
		struct place place = PLACE_SUB(r, scope, RIGHTS(env_file));

		if (item[optional] == '\0' || strlen(full) >= PATH_MAX) {
			diag_error(r->c->diag, &place, "env_file: \"%.80s\" is not a path", item);
			continue;
		}
		o->env_file.items[i] = x_asprintf("%s%s", optional ? "-" : "", full);
		free(item);
	}
}

static void credentials_resolve(struct resolve *r, const struct scope *scope,
				struct subsystem_rights *o)
{
	for (size_t i = 0; i < o->credentials.n; i++) {
		char *item = o->credentials.items[i];
		size_t n = strcspn(item, "=");
		auto_free(freep) char *full = path_absolute(r->base, item + n + 1);
		struct place place = PLACE_SUB(r, scope, RIGHTS(credentials));

		if (strlen(full) >= PATH_MAX)
			diag_error(r->c->diag, &place, "credentials: \"%.80s\" is not a path", item);
		o->credentials.items[i] = x_asprintf("%.*s=%s", (int)n, item, full);
		free(item);
	}
}

/* Lists of paths, which are meant from the directory of the configuration. */
static void path_list_resolve(struct resolve *r, const struct place *place, const char *key,
			      struct strlist *paths)
{
	for (size_t i = 0; i < paths->n; i++) {
		char *item = paths->items[i];
		char *full = path_absolute(r->base, item);

		if (*item == '\0' || strlen(full) >= PATH_MAX)
			diag_error(r->c->diag, place, "%s: \"%.80s\" is not a path", key, item);
		paths->items[i] = full;
		free(item);
	}
}

static void watch_resolve(struct resolve *r, const struct scope *scope, struct subsystem_policy *o)
{
	struct place place = PLACE_SUB(r, scope, POLICY(watch));

	path_list_resolve(r, &place, "watch", &o->watch);
}

static void landlock_resolve(struct resolve *r, const struct scope *scope,
			     struct subsystem_rights *o)
{
	struct place reading = PLACE_SUB(r, scope, RIGHTS(landlock_read));
	struct place writing = PLACE_SUB(r, scope, RIGHTS(landlock_write));

	path_list_resolve(r, &reading, "landlock_read", &o->landlock_read);
	path_list_resolve(r, &writing, "landlock_write", &o->landlock_write);
}

/* --- the machine ---------------------------------------------------------------------------------- */

/* A configuration that was in force is not refused for what the machine has lost: its starts
 * fail. */
static void numa_resolve(struct resolve *r, const struct scope *scope, struct subsystem_rights *o)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;
	struct place place = PLACE_SUB(r, scope, RIGHTS(numa_node));
	char path[64];
	int ret;

	if (o->numa_node == INT64_MIN)
		return;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/cpulist", (int)o->numa_node);
	ret = file_read(path, 64 * 1024, &text);
	if (ret == 0)
		o->numa_cpus = x_strndup(text.buf, strcspn(text.buf, "\n"));
	else if (!r->c->saved)
		diag_error(r->c->diag, &place, ret == -ENOENT ?
			   "numa_node: this machine has no NUMA node %d" :
			   "numa_node: cannot look at NUMA node %d", (int)o->numa_node);
}

static void rights_resolve(struct resolve *r, const struct scope *scope, struct subsystem_rights *o)
{
	ids_resolve(r, scope, o);
	env_files_resolve(r, scope, o);
	credentials_resolve(r, scope, o);
	landlock_resolve(r, scope, o);
	numa_resolve(r, scope, o);
}

static void resolve_subsystem(struct resolve *r, const struct scope *scope,
			      struct subsystem_options *o)
{
	struct subsystem_policy *policy = part_resolve(AT_POLICY(refs), o);
	struct subsystem_rights *rights = part_resolve(AT_RIGHTS(refs), o);

	for (enum option_part part = PART_OWN; part < PART_N; part++)
		if (!(part == PART_POLICY && policy->resolved) &&
		    !(part == PART_RIGHTS && rights->resolved))
			paths_resolve(r, part, o);
	if (policy->schedule != NULL) {
		struct place place = PLACE_SUB(r, scope, POLICY(schedule));

		resolve_zone(r, &place, o);
	}
	if (!policy->resolved)
		watch_resolve(r, scope, policy);
	if (!rights->resolved)
		rights_resolve(r, scope, rights);
	policy->resolved = rights->resolved = true;
}

/* Instances are alike: what is wrong is told once. */
static void resolve_once(struct resolve *r, struct scope *scope, struct subsystem_options *o)
{
	size_t errors = r->c->diag->nerrors;

	if (scope->unresolved)
		return;
	resolve_subsystem(r, scope, o);
	scope->unresolved = r->c->diag->nerrors > errors;
}

void resolve_subsystems(struct resolve *r, const struct config *config)
{
	for (size_t i = 0; i < config->nfamilies; i++)
		resolve_once(r, map_find(&r->c->by_name, config->families[i].name),
			     config->families[i].options);
	for (size_t i = 0; i < config->nsubsystems; i++)
		resolve_once(r, r->c->owners[i], config->subsystems[i]);
}
