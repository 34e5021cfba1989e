/* Rules for each subsystem, across keys and against the world around; check_top.c has those for
 * procd itself. What may become right by itself before it is needed (a program that is about to be
 * installed, a directory that a oneshot makes) is a warning; what cannot is an error. */
#include "config/check.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/type.h"

/* --- for every rule ------------------------------------------------------------------------- */

struct place check_place(const struct candidate *c, const struct setting *s)
{
	if (s == NULL)
		return (struct place){ 0 };
	return setting_place(c, s, s->value.line, s->value.column);
}

bool check_is_bad(const struct setting *s)
{
	return s != NULL && s->bad;
}

bool check_bad_in(const struct candidate *c, const struct scope *scope, uint32_t at)
{
	const struct setting *s = scope_find_at(scope, at);

	return check_is_bad(s != NULL ? s : scope_find_at(&c->defaults, at));
}

char *check_parent(const char *path, const char **why)
{
	const char *slash = path != NULL ? strrchr(path, '/') : NULL;
	auto_free(freep) char *dir = NULL;
	struct stat st;

	if (slash == NULL)
		return NULL;
	dir = x_strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (stat(dir, &st) < 0)
		*why = errno == ENOENT ? "does not exist" : strerror(errno);
	else if (!S_ISDIR(st.st_mode))
		*why = "is no directory";
	else
		return NULL;
	return take(dir);
}

/* --- subsystems ----------------------------------------------------------------------------- */

/* What SCOPE itself gives, where that is other than the default: what `procd config` writes repeats
 * the defaults. */
static const struct setting *chosen_in(const struct candidate *c, const struct scope *scope,
				       const struct subsystem_options *o, uint32_t at)
{
	const struct setting *s = scope_find_at(scope, at);
	const struct option *row = s != NULL ? schema_row(s->key) : NULL;

	return s == NULL || row->def == NULL || !row->type->equal(row, c->plain, o) ? s : NULL;
}

/* Where the key at AT stands for SCOPE, or SCOPE's header. */
static struct place place_in(const struct candidate *c, const struct scope *scope, uint32_t at)
{
	struct source_point header = {
		.kind = scope->file >= 0 ? ORIGIN_FILE : ORIGIN_CLI,
		.file = scope->file, .line = scope->line, .column = scope->column,
		.label = scope->label,
	};
	const struct setting *s = scope_find_at(scope, at);

	s = s != NULL ? s : scope_find_at(&c->defaults, at);
	return s != NULL ? check_place(c, s) : candidate_place(c, &header);
}

/* Complain of the key of FIELD, where it stands for SCOPE. It is looked for only then. */
#define ERROR_AT(c, scope, field, ...) \
	diag_error((c)->diag, PLACE_IN(c, scope, AT_##field), __VA_ARGS__)
#define WARN_AT(c, scope, field, ...) \
	diag_warn((c)->diag, PLACE_IN(c, scope, AT_##field), __VA_ARGS__)
#define PLACE_IN(c, scope, at) ((struct place[]){ place_in(c, scope, at) })

static const char *key_at(uint32_t at)
{
	for (size_t key = schema_top_n; key < schema_n; key++)
		if (schema[key].at == at)
			return schema[key].name;
	BUG("no key fills this field");
}

static void warn_env_files(const struct candidate *c, const struct scope *scope,
			   const struct subsystem_options *o)
{
	const struct strlist *files = &o->rights->env_file;

	for (size_t i = 0; i < files->n; i++)
		if (files->items[i][0] != '-' && access(files->items[i], R_OK) < 0)
			WARN_AT(c, scope, RIGHTS(env_file), "subsystem.%s.env_file: %s: %s",
				scope->name, files->items[i], strerror(errno));
}

static void warn_credentials(const struct candidate *c, const struct scope *scope,
			     const struct subsystem_options *o)
{
	for (size_t i = 0; i < o->rights->credentials.n; i++) {
		const char *path = strchr(o->rights->credentials.items[i], '=') + 1;

		if (access(path, R_OK) < 0)
			WARN_AT(c, scope, RIGHTS(credentials), "subsystem.%s.credentials: %s: %s",
				scope->name, path, strerror(errno));
	}
}

/* What is inside is not looked at: links in there lead elsewhere for us. */
static void warn_root(const struct candidate *c, const struct scope *scope,
		      const struct subsystem_options *o)
{
	const char *root = o->rights->root_dir;
	struct stat st;

	if (stat(root, &st) < 0)
		WARN_AT(c, scope, RIGHTS(root_dir), "subsystem.%s.root_dir: %s: %s", scope->name,
			root, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		WARN_AT(c, scope, RIGHTS(root_dir), "subsystem.%s.root_dir: %s is no directory",
			scope->name, root);
}

/* The kernel would refuse it at each start. */
static void check_ambient(const struct candidate *c, const struct scope *scope,
			  const struct subsystem_options *o)
{
	uint64_t beyond = o->rights->ambient_capabilities.mask & ~o->rights->capabilities.mask;

	if (o->rights->capabilities.set && beyond != 0)
		ERROR_AT(c, scope, RIGHTS(ambient_capabilities), "subsystem.%s.ambient_capabilities: "
			 "%s is not among its capabilities", scope->name,
			 enumtext_name(&capability_text, __builtin_ctzll(beyond)));
}

static void warn_logs(const struct candidate *c, const struct scope *scope,
		      const struct subsystem_options *o)
{
	if (o->log_file != NULL && o->streams->stdio[1].kind != STDIO_LOG &&
	    o->streams->stdio[2].kind != STDIO_LOG && scope_find_at(scope, AT_OWN(log_file)))
		WARN_AT(c, scope, OWN(log_file), "subsystem.%s.log_file: stays empty, neither stdout "
			"nor stderr is \"log\"", o->name);
	if (o->log_file == NULL && !check_bad_in(c, scope, AT_OWN(log_file)) &&
	    chosen_in(c, scope, o, AT_POLICY(log_format)))
		WARN_AT(c, scope, POLICY(log_format), "subsystem.%s.log_format: says how log_file "
			"looks, and there is none; procd's own log has logging.json", o->name);
}

/* Its start will fail. What is meant inside another root is not looked for out here. */
static void warn_paths(const struct candidate *c, const struct scope *scope, uint32_t at,
		       const struct subsystem_options *o)
{
	const struct strlist *paths = part_read(at, o);

	for (size_t i = 0; i < paths->n && o->rights->root_dir == NULL; i++)
		if (access(paths->items[i], F_OK) < 0)
			diag_warn(c->diag, PLACE_IN(c, scope, at), "subsystem.%s.%s: %s: %s",
				  o->name, key_at(at), paths->items[i], strerror(errno));
}

static void warn_watch(const struct candidate *c, const struct scope *scope,
		       const struct subsystem_options *o)
{
	struct stat st;

	for (size_t i = 0; i < o->policy->watch.n; i++)
		if (stat(o->policy->watch.items[i], &st) == 0 && S_ISDIR(st.st_mode))
			WARN_AT(c, scope, POLICY(watch), "subsystem.%s.watch: %s is a directory; name "
				"the files in it", o->name, o->policy->watch.items[i]);
}

static void check_periodic(const struct candidate *c, const struct scope *scope,
			   const struct subsystem_options *o)
{
	const struct setting *type = scope_find_at(scope, AT_OWN(type));
	struct place place = check_place(c, type);

	if (!subsystem_is_periodic(o)) {
		if (chosen_in(c, scope, o, AT_POLICY(random_delay_ms)) &&
		    !check_bad_in(c, scope, AT_POLICY(schedule)) &&
		    !check_bad_in(c, scope, AT_POLICY(every_ms)))
			WARN_AT(c, scope, POLICY(random_delay_ms), "subsystem.%s.random_delay: has no "
				"effect without schedule or every", o->name);
		return;
	}
	if (type != NULL && !type->bad && type->value.text != NULL &&
	    strcmp(type->value.text, "service") == 0)
		diag_error(c->diag, &place, "subsystem.%s.type: one with schedule or every is a "
			   "oneshot; leave type out", o->name);
	if (o->policy->schedule != NULL && o->policy->every_ms >= 0)
		ERROR_AT(c, scope, POLICY(every_ms), "subsystem.%s.every: only one of schedule and "
			 "every can say when it runs", o->name);
	if (o->policy->restart == RESTART_ALWAYS ||
	    o->policy->restart == RESTART_EXPONENTIAL_BACKOFF)
		WARN_AT(c, scope, POLICY(restart), "subsystem.%s.restart: with \"%s\" each run is "
			"followed by the next, whatever schedule or every say", o->name,
			enumtext_name(&restart_policy_text, (int)o->policy->restart));
}

/* What says how health is probed, where it is not. */
static void warn_health(const struct candidate *c, const struct scope *scope,
			const struct subsystem_options *o)
{
	static const uint32_t keys[] = {
		AT_POLICY(health_interval_ms),
		AT_POLICY(health_timeout_ms),
		AT_POLICY(health_retries),
		AT_POLICY(health_start_period_ms),
		AT_POLICY(on_unhealthy),
	};

	if (o->policy->health != NULL || check_bad_in(c, scope, AT_POLICY(health)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct setting *s = chosen_in(c, scope, o, keys[i]);
		struct place place;

		if (s == NULL)
			continue;
		place = check_place(c, s);
		diag_warn(c->diag, &place, "subsystem.%s.%s: has no effect without the key "
			  "\"health\"", o->name, schema_row(s->key)->name);
	}
}

static void warn_memory_limit(const struct candidate *c, const struct config *config,
			      const struct scope *scope, const struct subsystem_options *o)
{
	if (o->policy->memory_soft_limit != 0 && !config->monitoring.track_resources)
		WARN_AT(c, scope, POLICY(memory_soft_limit), "subsystem.%s.memory_soft_limit: has no "
			"effect with monitoring.track_resources = false", scope->name);
	if (o->policy->memory_soft_limit == 0 && o->policy->on_memory_limit != ON_MEMORY_EVENT)
		WARN_AT(c, scope, POLICY(on_memory_limit), "subsystem.%s.on_memory_limit: has no "
			"effect without the key \"memory_soft_limit\"", scope->name);
}

static const uint32_t hook_keys[] = {
	AT_POLICY(pre_start), AT_POLICY(post_stop),
	AT_POLICY(stop_command),
	AT_POLICY(reload_command),
};

static bool runs_as_root(const struct programs *programs, const struct subsystem_options *o)
{
	return programs->by_root && (!o->rights->set_ids || o->rights->uid == 0);
}

/* COMMAND is the value of the key at AT. */
static void warn_command(const struct candidate *c, const struct scope *scope,
			 const struct subsystem_options *o, uint32_t at,
			 const struct strlist *command, struct programs *programs)
{
	const char *path;

	if (command->n == 0)
		return;
	path = program_find(programs, o, command->items[0]);
	if (path == NULL)
		diag_warn(c->diag, PLACE_IN(c, scope, at), "subsystem.%s.%s: \"%.200s\" is not "
			  "there or not executable (yet)", scope->name, key_at(at),
			  command->items[0]);
	else if (runs_as_root(programs, o))
		program_warn(programs, c, PLACE_IN(c, scope, at), path);
}

static void warn_probe(const struct candidate *c, const struct scope *scope,
		       const struct subsystem_options *o, uint32_t at,
		       const struct probe_option *probe, struct programs *programs)
{
	const char *path = probe != NULL && probe->kind == PROBE_COMMAND
				   ? program_find(programs, o, probe->command.items[0]) : NULL;

	if (path != NULL && runs_as_root(programs, o))
		program_warn(programs, c, PLACE_IN(c, scope, at), path);
}

static void warn_commands(const struct candidate *c, const struct scope *scope,
			  const struct subsystem_options *o, struct programs *programs)
{
	if (!o->shell)
		warn_command(c, scope, o, AT_OWN(command), &o->command, programs);
	for (size_t i = 0; i < ARRAY_LEN(hook_keys); i++)
		warn_command(c, scope, o, hook_keys[i], part_read(hook_keys[i], o), programs);
	warn_probe(c, scope, o, AT_POLICY(ready), o->policy->ready, programs);
	warn_probe(c, scope, o, AT_POLICY(health), o->policy->health, programs);
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* NOTIFY_SOCKET names a path that a program with a view of its own may not see. */
static void warn_hidden_socket(const struct candidate *c, const struct config *config,
			       const struct scope *scope, const struct subsystem_options *o)
{
	const char *dir = config->run_dir;
	bool root = o->rights->root_dir != NULL, tmp = o->rights->private_tmp;
	uint32_t at = subsystem_ready_kind(o) == PROBE_NOTIFY ? AT_POLICY(ready)
							      : AT_POLICY(watchdog_ms);

	if (!subsystem_notifies(o) || dir == NULL ||
	    (!root && !(tmp && (is_below(dir, "/tmp") || is_below(dir, "/var/tmp")))))
		return;
	diag_warn(c->diag, PLACE_IN(c, scope, at), "subsystem.%s: NOTIFY_SOCKET is in %s, which it "
		  "does not see with %s", scope->name, dir, root ? "root_dir" : "private_tmp");
}

/* Only what procd reads can say that it is ready. */
static void check_ready(const struct candidate *c, const struct scope *scope,
			const struct subsystem_options *o)
{
	if (subsystem_ready_kind(o) == PROBE_LOG && !stdio_is_captured(&o->streams->stdio[1]) &&
	    !stdio_is_captured(&o->streams->stdio[2]))
		ERROR_AT(c, scope, POLICY(ready), "subsystem.%s.ready: log: needs output that procd "
			 "reads, and stdout and stderr go elsewhere", scope->name);
}

static void check_heap_profile(const struct candidate *c, const struct scope *scope,
			       const struct subsystem_options *o)
{
	const char *why = NULL;
	auto_free(freep) char *dir = check_parent(o->rights->heap_profile, &why);

	if (o->rights->heap_profile != NULL && o->rights->root_dir != NULL)
		ERROR_AT(c, scope, RIGHTS(heap_profile), "subsystem.%s.heap_profile: does not go with "
			 "root_dir: the program could not load the profiler there", scope->name);
	else if (dir != NULL)
		WARN_AT(c, scope, RIGHTS(heap_profile), "subsystem.%s.heap_profile: the directory %s "
			"%s", scope->name, dir, why);
}

/* Each would write over what the other wrote. */
static void warn_shared_profile(const struct candidate *c, const struct scope *scope,
				const struct subsystem_options *a,
				const struct subsystem_options *b)
{
	if (a->rights->heap_profile != NULL && b->rights->heap_profile != NULL &&
	    strcmp(a->rights->heap_profile, b->rights->heap_profile) == 0)
		WARN_AT(c, scope, RIGHTS(heap_profile), "subsystem.%s.heap_profile: %s and %s write "
			"the same file; %%n stands for the name, %%i for the instance", scope->name,
			a->name, b->name);
}

static void check_subsystem(const struct candidate *c, const struct config *config,
			    const struct scope *scope, const struct subsystem_options *o,
			    struct programs *programs)
{
	const struct subsystem_rights *r = o->rights;

	check_periodic(c, scope, o);
	if (r->root_dir != NULL)
		warn_root(c, scope, o);
	else
		warn_commands(c, scope, o, programs);
	if (r->working_dir != NULL && r->root_dir == NULL && access(r->working_dir, X_OK) < 0)
		WARN_AT(c, scope, RIGHTS(working_dir), "subsystem.%s.working_dir: %s: %s",
			scope->name, r->working_dir, strerror(errno));
	warn_env_files(c, scope, o);
	warn_credentials(c, scope, o);
	warn_watch(c, scope, o);
	warn_paths(c, scope, AT_RIGHTS(landlock_read), o);
	warn_paths(c, scope, AT_RIGHTS(landlock_write), o);
	check_ambient(c, scope, o);
	check_ready(c, scope, o);
	check_heap_profile(c, scope, o);
	warn_hidden_socket(c, config, scope, o);
	warn_logs(c, scope, o);
	warn_health(c, scope, o);
	warn_memory_limit(c, config, scope, o);
	if (r->set_ids && geteuid() != 0 && (r->uid != geteuid() || r->gid != getegid()))
		diag_warn(c->diag,
			  PLACE_IN(c, scope, r->user != NULL ? AT_RIGHTS(user) : AT_RIGHTS(group)),
			  "subsystem.%s: procd does not run as root and cannot change user or group: "
			  "its start will fail", scope->name);
}

void check_subsystems(const struct candidate *c, const struct config *config)
{
	const struct scope *told = NULL;	/* what all instances do wrong is told of the first */
	struct programs programs = { .config = config, .by_root = geteuid() == 0 };

	for (size_t i = 0; i < config->nsubsystems && !c->saved; i++) {
		size_t before = c->diag->n;

		if (c->owners[i] != told)
			check_subsystem(c, config, c->owners[i], config->subsystems[i], &programs);
		if (c->owners[i] != told && i > 0)
			warn_shared_profile(c, c->owners[i], config->subsystems[i - 1],
					    config->subsystems[i]);
		told = c->diag->n > before ? c->owners[i] : told;
	}
	programs_fini(&programs);
	if (config_declared(config) == 0 && c->diag->nerrors == 0) {
		struct place place = { .file = c->shown.n > 0 ? c->shown.items[0] : NULL };

		diag_warn(c->diag, &place, "there are no subsystems; add a [subsystem.NAME] "
			  "section");
	}
}
