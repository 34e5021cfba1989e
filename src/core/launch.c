/* How a configured program becomes a plan.
 *
 * The environment is laid in layers, each replacing names of the one below: what procd inherited
 * (without what was meant for procd alone), what belongs to the user, what the options say, what
 * the files of env_file say, and PROCD_SUBSYSTEM with PROCD_INSTANCE. A command without slash is
 * looked up in the PATH that the child will have; the candidates travel in the plan and execve(2)
 * itself is the test, so nothing is checked twice. */
#include <errno.h>

#include "base/alloc.h"
#include "config/family.h"
#include "config/heap_object.h"
#include "config/listen.h"
#include "core/launch.h"
#include "core/launch_rights.h"
#include "keeper/record.h"

/* Meant for procd itself; a trailing * stands for any rest of the name. */
static const char *const removed[] = {
	"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID",
	"WATCHDOG_USEC", "WATCHDOG_PID", "PROCD_*",
};

static bool name_matches(const char *pattern, const char *name, size_t len)
{
	size_t n = strlen(pattern);

	if (n > 0 && pattern[n - 1] == '*')
		return len >= n - 1 && strncmp(pattern, name, n - 1) == 0;
	return len == n && strncmp(pattern, name, n) == 0;
}

static bool is_removed(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(removed); i++)
		if (name_matches(removed[i], name, len))
			return true;
	return false;
}

void launch_init(struct launch *l, char *const *environment)
{
	size_t n = 0;

	*l = (struct launch){ 0 };
	while (environment != NULL && environment[n] != NULL)
		n++;
	l->base = x_calloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		const char *eq = strchr(environment[i], '=');

		if (eq == NULL || is_removed(environment[i], (size_t)(eq - environment[i])))
			continue;
		l->base[l->nbase++] = x_strdup(environment[i]);
		if (strncmp(environment[i], "PATH=", 5) == 0)
			l->base_path = l->base[l->nbase - 1] + 5;
	}
}

void launch_fini(struct launch *l)
{
	for (size_t i = 0; i < l->nbase; i++)
		free(l->base[i]);
	free(l->base);
	*l = (struct launch){ 0 };
}

/* The environment under construction: borrowed strings, one per name. */
struct env {
	const char **items;
	size_t n;
};

static size_t name_length(const char *item)
{
	return strcspn(item, "=");
}

static void env_set(struct env *env, const char *item)
{
	size_t len = name_length(item) + 1;

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->items[i], item, len) == 0) {
			env->items[i] = item;
			return;
		}
	}
	env->items[env->n++] = item;
}

static const char *env_get(const struct env *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = env->n; i-- > 0;)
		if (strncmp(env->items[i], name, len) == 0 && env->items[i][len] == '=')
			return env->items[i] + len + 1;
	return NULL;
}

/* Strings made for one plan. */
struct made {
	char *items[16];
	size_t n;
};

static void made_fini(struct made *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->items[i]);
}

static const char *make_var(struct made *m, const char *name, const char *value)
{
	m->items[m->n] = x_asprintf("%s=%s", name, value);
	return m->items[m->n++];
}

/* In front of what is preloaded anyway. */
static void env_add_profiler(struct env *env, const struct subsystem_options *o,
			     const struct start_files *files, struct made *made)
{
	auto_free(freep) char *order = NULL, *all = NULL;
	const char *others;

	if (files == NULL || files->profiler_object == NULL || files->profiler != PRELOAD_FINE)
		return;
	others = env_get(env, "LD_PRELOAD");
	all = x_asprintf("%s%s%s", files->profiler_object, others != NULL ? ":" : "",
			 others != NULL ? others : "");
	order = x_asprintf(HEAP_OWNER_NOBODY ":%d:%s", o->policy->stop_signal,
			   o->rights->heap_profile);
	env_set(env, make_var(made, "LD_PRELOAD", all));
	env_set(env, make_var(made, HEAP_VARIABLE, order));
}

static void env_fill(struct env *env, const struct launch *l, const struct subsystem_options *o,
		     const struct start_files *files, const struct launch_task *t,
		     struct made *made)
{
	size_t base;

	for (size_t i = 0; i < l->nbase; i++)
		if (subsystem_inherits(o, l->base[i]))
			env->items[env->n++] = l->base[i];
	if (o->rights->user != NULL) {
		if (o->rights->home != NULL)
			env_set(env, make_var(made, "HOME", o->rights->home));
		if (o->rights->user_name != NULL) {
			env_set(env, make_var(made, "USER", o->rights->user_name));
			env_set(env, make_var(made, "LOGNAME", o->rights->user_name));
		}
		if (o->rights->login_shell != NULL)
			env_set(env, make_var(made, "SHELL", o->rights->login_shell));
	}
	for (size_t i = 0; i < o->environment.n; i++)
		env_set(env, o->environment.items[i]);
	for (size_t i = 0; files != NULL && i < files->environment.n; i++)
		env_set(env, files->environment.items[i]);
	if (o->rights->credentials.n > 0)
		env_set(env, make_var(made, "CREDENTIALS_DIRECTORY", PLAN_CREDENTIALS_DIR));
	env_set(env, make_var(made, "PROCD_SUBSYSTEM", o->name));
	if (instance_number(o->name, &base) >= 0)
		env_set(env, make_var(made, "PROCD_INSTANCE", o->name + base + 1));
	if (t == NULL) {
		env_add_profiler(env, o, files, made);
		return;
	}
	for (size_t i = 0; t->extra_env != NULL && i < t->extra_env->n; i++)
		env_set(env, t->extra_env->items[i]);
	env_set(env, make_var(made, PROCD_TASK_VARIABLE, t->name));
}

/* Source: sd_listen_fds(3). */
static void env_add_sockets(struct env *env, const struct subsystem_options *o, size_t n,
			    struct made *made)
{
	auto_free(strbuf_fini) struct strbuf names = STRBUF_INIT;
	char number[24];

	for (size_t i = 0; i < n; i++) {
		const char *item = o->policy->listen.items[i], *address = listen_address_text(item);

		strbuf_addstr(&names, i > 0 ? ":" : "");
		if (address != item)
			strbuf_add(&names, item, (size_t)(address - item) - 1);
		else
			strbuf_addstr(&names, o->name);
	}
	snprintf(number, sizeof(number), "%zu", n);
	env_set(env, make_var(made, "LISTEN_FDS", number));
	env_set(env, make_var(made, "LISTEN_FDNAMES", names.buf));
	env_set(env, make_var(made, PLAN_LISTEN_PID, PLAN_PID_UNKNOWN));
}

static void env_add_ways(struct env *env, const struct launch_ways *w,
			 const struct subsystem_options *o, struct made *made)
{
	char usec[24];

	if (w != NULL && w->capture_of != 0)
		env_set(env, make_var(made, PROCD_PLACE_VARIABLE, RECORD_SECOND_PLACE));
	if (w != NULL && w->sockets != NULL && w->sockets->n > 0)
		env_add_sockets(env, o, w->sockets->n, made);
	if (w == NULL || w->socket == NULL || !w->announce)
		return;
	env_set(env, make_var(made, "NOTIFY_SOCKET", w->socket));
	if (w->watchdog_ms <= 0)
		return;
	snprintf(usec, sizeof(usec), "%lld", (long long)w->watchdog_ms * 1000);
	env_set(env, make_var(made, "WATCHDOG_USEC", usec));
	env_set(env, make_var(made, PLAN_WATCHDOG_PID, PLAN_PID_UNKNOWN));
}

/* Every file that the command may mean, in order. */
static void add_candidates(const char *command, const char *path, struct strlist *out)
{
	if (strchr(command, '/') != NULL) {
		strlist_add(out, command);
		return;
	}
	for (const char *dir = path;; dir++) {
		size_t len = strcspn(dir, ":");

		strlist_take(out, len == 0 ? x_asprintf("./%s", command)
					   : x_asprintf("%.*s/%s", (int)len, dir, command));
		dir += len;
		if (*dir == '\0')
			return;
	}
}

static enum plan_stdio plan_stdio_of(enum stdio_kind kind)
{
	switch (kind) {
	case STDIO_NULL:
		return PLAN_STDIO_NULL;
	case STDIO_INHERIT:
		return PLAN_STDIO_INHERIT;
	case STDIO_LOG:
	case STDIO_SYSLOG:
	case STDIO_JOURNAL:
		return PLAN_STDIO_CAPTURE;
	case STDIO_STDOUT:
		return PLAN_STDIO_STDOUT;
	case STDIO_FILE:
		return PLAN_STDIO_FILE;
	}
	BUG("unknown stdio kind");
}

static void fill_ids(struct plan *p, const struct subsystem_options *o)
{
	if (!o->rights->set_ids)
		return;
	p->flags |= PLAN_SET_IDS;
	p->uid = o->rights->uid;
	p->gid = o->rights->gid;
	p->ngroups = (uint32_t)o->rights->ngids;
	for (size_t i = 0; i < o->rights->ngids; i++)
		p->groups[i] = o->rights->gids[i];
}

static void fill_limits(struct plan *p, const struct subsystem_options *o)
{
	_Static_assert(PLAN_NLIMITS >= RLIM_NLIMITS, "every limit has room in a plan");

	for (size_t i = 0; i < RLIM_NLIMITS; i++)
		if (o->rights->limits[i].set)
			p->limits[i] = (struct plan_limit){ .soft = o->rights->limits[i].soft,
							    .hard = o->rights->limits[i].hard,
							    .set = 1 };
}

static void fill_scalars(struct plan *p, const struct subsystem_options *o)
{
	int64_t oom = o->rights->oom_score_adjust;

	if (o->policy->kill_mode == KILL_MODE_GROUP)
		p->flags |= PLAN_TREE;
	if (o->policy->on_supervisor_death == KEEPER_DEATH_STOP)
		p->flags |= PLAN_DIE_WITH_KEEPER;
	fill_ids(p, o);
	if (o->rights->umask >= 0) {
		p->flags |= PLAN_SET_UMASK;
		p->umask = (uint32_t)o->rights->umask;
	}
	if (o->rights->nice != INT64_MIN) {
		p->flags |= PLAN_SET_NICE;
		p->nice = (int32_t)o->rights->nice;
	}
	p->oom_score_adjust = oom == INT64_MIN ? INT32_MIN : (int32_t)oom;
	p->stop_signal = (uint32_t)o->policy->stop_signal;
	fill_limits(p, o);
	for (int fd = 0; fd < 3; fd++)
		p->stdio[fd] = plan_stdio_of(o->streams->stdio[fd].kind);
}

static void set_exec(struct plan_builder *b, const struct launch *l, const struct strlist *command,
		     bool in_shell, const struct env *env)
{
	auto_free(strlist_fini) struct strlist paths = STRLIST_INIT;
	auto_free(strlist_fini) struct strlist shell = STRLIST_INIT;
	/* A view: the strings and the array stay the environment's. */
	struct strlist envp = { .items = (char **)(void *)env->items, .n = env->n };
	const char *path = env_get(env, "PATH");

	if (path == NULL)
		path = l->base_path ? l->base_path : DEFAULT_PATH;
	if (in_shell) {
		strlist_add(&paths, "/bin/sh");
		strlist_add(&shell, "/bin/sh");
		strlist_add(&shell, "-c");
		strlist_add(&shell, command->items[0]);
	} else {
		add_candidates(command->items[0], path, &paths);
	}
	plan_set_exec(b, &paths, in_shell ? &shell : command, &envp);
}

static void fill_sockets(struct plan *p, const struct launch_ways *w)
{
	_Static_assert(PLAN_MAX_LISTEN >= LISTEN_MAX, "every socket has room in a plan");

	for (size_t i = 0; w != NULL && w->sockets != NULL && i < w->sockets->n; i++)
		p->listen[p->nlisten++] = sockets_slot(w->sockets, i);
}

static void fill_task(struct plan *p, const struct launch_task *t)
{
	p->flags |= PLAN_TREE;
	p->stdio[0] = PLAN_STDIO_NULL;
	p->capture_of = t->owner_slot + 1;
	if (t->mute)
		p->stdio[1] = p->stdio[2] = PLAN_STDIO_NULL;
}

static struct plan_builder *plan_for(const struct subsystem_options *o,
				     const struct launch_ways *ways, const struct launch_task *t)
{
	char name[NAME_CAP];

	snprintf(name, sizeof(name), "%s", o->name);
	if (t != NULL)
		record_name_add_task(name, t->name);
	else if (ways != NULL && ways->capture_of != 0)
		record_name_add_task(name, RECORD_SECOND_PLACE);
	return plan_new(name);
}

/* T NULL: the main process. */
static int build(const struct launch *l, const struct subsystem_options *o,
		 const struct start_files *files, const struct launch_ways *ways,
		 const struct launch_task *t, const char *work_dir, struct plan_builder **builder,
		 const void **block, size_t *size)
{
	/* work_dir is a path outside */
	const char *start = o->rights->root_dir != NULL ? "/" : work_dir;
	const char *cwd = o->rights->working_dir != NULL ? o->rights->working_dir : start;
	auto_free(made_fini) struct made made = { .n = 0 };
	struct env env = { .n = 0 };
	struct plan_builder *b;
	int r;

	if (o->rights->ngids > PLAN_MAX_GROUPS)
		return -E2BIG;
	env.items = x_calloc(l->nbase + o->environment.n + ARRAY_LEN(made.items) + 1 +
			     (files ? files->environment.n : 0) +
			     (t && t->extra_env ? t->extra_env->n : 0), sizeof(char *));
	env_fill(&env, l, o, files, t, &made);
	env_add_ways(&env, ways, o, &made);
	b = plan_for(o, ways, t);
	fill_scalars(plan_header(b), o);
	fill_sockets(plan_header(b), ways);
	if (t != NULL)
		fill_task(plan_header(b), t);
	else if (ways != NULL)
		plan_header(b)->capture_of = ways->capture_of;
	set_exec(b, l, t ? t->command : &o->command, t == NULL && o->shell, &env);
	launch_rights(b, o, files);
	free(env.items);
	if (ways != NULL && ways->socket != NULL && ways->ready_fd > 0)
		plan_set_ready(b, ways->ready_fd, ways->socket);
	if (cwd != NULL)
		plan_set_cwd(b, cwd);
	for (int fd = 0; fd < 3; fd++)
		if (plan_header(b)->stdio[fd] == PLAN_STDIO_FILE)
			plan_set_stdio_path(b, fd, o->streams->stdio[fd].path);
	r = plan_finish(b, block, size);
	if (r < 0) {
		plan_free(b);
		return r;
	}
	*builder = b;
	return 0;
}

int launch_build(const struct launch *l, const struct subsystem_options *o,
		 const struct start_files *files, const struct launch_ways *ways,
		 const char *work_dir, struct plan_builder **builder, const void **block,
		 size_t *size)
{
	return build(l, o, files, ways, NULL, work_dir, builder, block, size);
}

int launch_build_task(const struct launch *l, const struct subsystem_options *o,
		      const struct start_files *files, const struct launch_task *t,
		      const char *work_dir, struct plan_builder **builder, const void **block,
		      size_t *size)
{
	return build(l, o, files, NULL, t, work_dir, builder, block, size);
}
