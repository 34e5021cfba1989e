/* The spawn plan: building it on the supervisor's side, distrusting it on the keeper's.
 *
 * The block is one header, then strings and vectors in the order in which they were added. It
 * always ends with a NUL byte, so a string whose offset lies inside the block ends inside it, too:
 * the check of a string is the check of one number. */
#include <errno.h>
#include <signal.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "keeper/plan.h"
#include "keeper/record.h"

ENUMTEXT(spawn_stage, "spawn stage",
	 [STAGE_NONE] = "none", [STAGE_PLAN] = "plan", [STAGE_SPAWN] = "spawn",
	 [STAGE_OUTPUT] = "output", [STAGE_ENV_FILE] = "env_file", [STAGE_PRE_START] = "pre_start",
	 [STAGE_LISTEN] = "listen", [STAGE_CGROUP_LIMITS] = "cgroup_limits",
	 [STAGE_SESSION] = "session", [STAGE_CGROUP] = "cgroup",
	 [STAGE_LIMITS] = "limits", [STAGE_NICE] = "nice", [STAGE_OOM] = "oom",
	 [STAGE_AFFINITY] = "affinity", [STAGE_SCHED] = "sched_policy",
	 [STAGE_IO_CLASS] = "io_class", [STAGE_NUMA] = "numa_node", [STAGE_UMASK] = "umask",
	 [STAGE_STDIN] = "stdin", [STAGE_STDOUT] = "stdout", [STAGE_STDERR] = "stderr",
	 [STAGE_READY] = "ready",
	 [STAGE_MOUNT_NAMESPACE] = "mount_namespace", [STAGE_ROOT_DIR] = "root_dir",
	 [STAGE_PRIVATE_TMP] = "private_tmp", [STAGE_CREDENTIALS] = "credentials",
	 [STAGE_PROTECT_SYSTEM] = "protect_system",
	 [STAGE_CAPABILITIES] = "capabilities", [STAGE_GROUPS] = "groups", [STAGE_GID] = "gid",
	 [STAGE_UID] = "uid", [STAGE_AMBIENT] = "ambient_capabilities", [STAGE_CHDIR] = "chdir",
	 [STAGE_NO_NEW_PRIVILEGES] = "no_new_privileges", [STAGE_SIGNALS] = "signals",
	 [STAGE_LANDLOCK] = "landlock", [STAGE_SECCOMP] = "seccomp", [STAGE_EXEC] = "exec");

ENUMTEXT(plan_cgroup_limit, "limit", [LIMIT_MEMORY_MAX] = "memory_max",
	 [LIMIT_MEMORY_HIGH] = "memory_high", [LIMIT_CPU_QUOTA] = "cpu_quota",
	 [LIMIT_CPU_WEIGHT] = "cpu_weight", [LIMIT_TASKS_MAX] = "tasks_max",
	 [LIMIT_IO_WEIGHT] = "io_weight");

/* --- supervisor's side -------------------------------------------------------------------- */

struct plan_builder {
	char *block;
	size_t size, cap;
	bool too_big;
};

/* There may be secrets in it: what is left behind is overwritten. */
static void plan_move(struct plan_builder *b, char *block, size_t cap)
{
	if (b->block != NULL) {
		memcpy(block, b->block, b->size);
		explicit_bzero(b->block, b->cap);
		free(b->block);
	}
	b->block = block;
	b->cap = cap;
}

/* Room for N more bytes; where they begin. Stops growing (and says so at the end) when too big. */
static uint32_t plan_room(struct plan_builder *b, size_t n, size_t align)
{
	size_t at = (b->size + align - 1) & ~(align - 1);

	if (b->too_big || n > PLAN_MAX || at + n > PLAN_MAX - 1) {
		b->too_big = true;
		return 0;
	}
	if (at + n > b->cap) {
		size_t cap = MAX(2 * b->cap, at + n);

		plan_move(b, x_calloc(1, cap), cap);
	}
	b->size = at + n;
	return (uint32_t)at;
}

static uint32_t plan_add_string(struct plan_builder *b, const char *s)
{
	size_t n = strlen(s) + 1;
	uint32_t at = plan_room(b, n, 1);

	if (at != 0)
		memcpy(b->block + at, s, n);
	return at;
}

static uint32_t plan_add_vector(struct plan_builder *b, const struct strlist *l)
{
	uint32_t at = plan_room(b, (l->n + 1) * sizeof(uint32_t), sizeof(uint32_t));

	for (size_t i = 0; i < l->n && at != 0; i++) {
		uint32_t string = plan_add_string(b, l->items[i]);

		memcpy(b->block + at + i * sizeof(string), &string, sizeof(string));
	}
	return at;
}

struct plan *plan_header(struct plan_builder *b)
{
	return (struct plan *)(void *)b->block;
}

struct plan_builder *plan_new(const char *name)
{
	struct plan_builder *b = x_calloc(1, sizeof(*b));
	uint32_t at;

	plan_room(b, sizeof(struct plan), 1);
	at = plan_add_string(b, name);
	plan_header(b)->magic = PLAN_MAGIC;
	plan_header(b)->name = at;
	plan_header(b)->oom_score_adjust = INT32_MIN;
	return b;
}

void plan_set_exec(struct plan_builder *b, const struct strlist *exec_paths,
		   const struct strlist *argv, const struct strlist *envp)
{
	uint32_t at = plan_add_vector(b, exec_paths);

	plan_header(b)->exec_paths = at;
	at = plan_add_vector(b, argv);
	plan_header(b)->argv = at;
	at = plan_add_vector(b, envp);
	plan_header(b)->envp = at;
}

void plan_set_cwd(struct plan_builder *b, const char *path)
{
	uint32_t at = path != NULL ? plan_add_string(b, path) : 0;

	plan_header(b)->cwd = at;
}

void plan_set_landlock(struct plan_builder *b, const struct strlist *read,
		       const struct strlist *write)
{
	uint32_t at = read->n > 0 ? plan_add_vector(b, read) : 0;

	plan_header(b)->landlock_read = at;
	at = write->n > 0 ? plan_add_vector(b, write) : 0;
	plan_header(b)->landlock_write = at;
}

void plan_set_root_dir(struct plan_builder *b, const char *path)
{
	uint32_t at = plan_add_string(b, path);

	plan_header(b)->root_dir = at;
}

/* N bytes as they are; where they begin. */
static uint32_t plan_add_bytes(struct plan_builder *b, const void *bytes, size_t n)
{
	uint32_t at = plan_room(b, n, sizeof(uint64_t));

	if (at != 0 && n > 0)
		memcpy(b->block + at, bytes, n);
	return at;
}

void plan_set_cpus(struct plan_builder *b, const uint64_t *mask, size_t words)
{
	uint32_t at = plan_add_bytes(b, mask, words * sizeof(*mask));

	plan_header(b)->cpus = at;
	plan_header(b)->cpus_size = (uint32_t)(words * sizeof(*mask));
}

void plan_set_credentials(struct plan_builder *b, size_t n)
{
	uint32_t at = plan_room(b, n * sizeof(struct plan_credential), sizeof(uint64_t));

	plan_header(b)->credentials = at;
	plan_header(b)->ncredentials = (uint32_t)n;
}

void plan_set_credential(struct plan_builder *b, size_t i, const char *name, size_t name_size,
			 const void *data, size_t size)
{
	uint32_t text = plan_room(b, name_size + 1, 1);
	uint32_t bytes = plan_add_bytes(b, data, size);
	struct plan_credential *c;

	if (b->too_big)
		return;
	memcpy(b->block + text, name, name_size);	/* what is new is zero: it ends there */
	c = (struct plan_credential *)(void *)(b->block + plan_header(b)->credentials) + i;
	*c = (struct plan_credential){ .name = text, .data = bytes, .size = (uint32_t)size };
}

void plan_set_filter(struct plan_builder *b, const uint64_t *code, size_t n)
{
	uint32_t at = plan_add_bytes(b, code, n * sizeof(*code));

	plan_header(b)->filter = at;
	plan_header(b)->nfilter = (uint32_t)n;
}

void plan_set_ready(struct plan_builder *b, int fd, const char *path)
{
	uint32_t at = plan_add_string(b, path);

	plan_header(b)->ready_fd = (uint32_t)fd;
	plan_header(b)->ready_path = at;
}

void plan_set_stdio_path(struct plan_builder *b, int fd, const char *path)
{
	uint32_t at = plan_add_string(b, path);

	plan_header(b)->stdio_path[fd] = at;
}

int plan_finish(struct plan_builder *b, const void **block, size_t *size)
{
	if (b->too_big)
		return -E2BIG;
	plan_room(b, 1, 1);
	plan_header(b)->size = (uint32_t)b->size;
	*block = b->block;
	*size = b->size;
	return 0;
}

void plan_free(struct plan_builder *b)
{
	if (b == NULL)
		return;
	explicit_bzero(b->block, b->cap);
	free(b->block);
	free(b);
}

/* --- keeper's side ------------------------------------------------------------------------- */

static bool string_ok(const struct plan *p, uint32_t off)
{
	return off >= sizeof(*p) && off < p->size;
}

/* A string that has to be there and to say something. */
static bool text_ok(const struct plan *p, uint32_t off)
{
	return string_ok(p, off) && ((const char *)p)[off] != '\0';
}

static bool string_or_absent_ok(const struct plan *p, uint32_t off)
{
	return off == 0 || string_ok(p, off);
}

static bool vector_ok(const struct plan *p, uint32_t off, bool may_be_empty)
{
	uint32_t at = off;

	if (off < sizeof(*p) || off % sizeof(uint32_t) != 0)
		return false;
	for (; at <= p->size - sizeof(uint32_t); at += sizeof(uint32_t)) {
		uint32_t item = *(const uint32_t *)(const void *)((const char *)p + at);

		if (item == 0)
			return at != off || may_be_empty;
		if (!string_ok(p, item))
			return false;
	}
	return false;
}

static bool stdio_ok(const struct plan *p, int fd)
{
	switch (p->stdio[fd]) {
	case PLAN_STDIO_NULL:
	case PLAN_STDIO_INHERIT:
		return true;
	case PLAN_STDIO_FILE:
		return text_ok(p, p->stdio_path[fd]);
	case PLAN_STDIO_CAPTURE:
		return fd != 0;
	case PLAN_STDIO_STDOUT:
		return fd == 2;
	default:
		return false;
	}
}

static bool ready_ok(const struct plan *p)
{
	if (p->ready_fd == 0)
		return p->ready_path == 0;
	return p->ready_fd > 2 && p->ready_fd <= PLAN_MAX_READY_FD && text_ok(p, p->ready_path) &&
	       strlen((const char *)p + p->ready_path) <
		       sizeof(((struct sockaddr_un *)0)->sun_path);
}

static bool limits_ok(const struct plan *p)
{
	for (int i = 0; i < PLAN_NLIMITS; i++) {
		const struct plan_limit *l = &p->limits[i];

		if (l->set > 1 || (l->set == 1 && l->soft > l->hard))
			return false;
	}
	return true;
}

/* N bytes that are read as 64-bit words. */
static bool bytes_ok(const struct plan *p, uint32_t off, uint32_t n)
{
	return off >= sizeof(*p) && off % sizeof(uint64_t) == 0 && off < p->size &&
	       n < p->size - off;
}

static bool placement_ok(const struct plan *p)
{
	bool cpus = p->cpus == 0 ? p->cpus_size == 0
				 : p->cpus_size > 0 && p->cpus_size <= PLAN_MAX_CPUS_SIZE &&
				   p->cpus_size % sizeof(uint64_t) == 0 &&
				   bytes_ok(p, p->cpus, p->cpus_size);

	return cpus && p->numa_node < PLAN_MAX_NODES && p->sched_policy <= INT32_MAX &&
	       p->sched_priority <= INT32_MAX && p->io_priority <= UINT16_MAX;
}

/* A name that stays in its directory. */
static bool file_name_ok(const struct plan *p, uint32_t off)
{
	const char *name = (const char *)p + off;

	return text_ok(p, off) && *name != '.' && strchr(name, '/') == NULL;
}

static bool credentials_ok(const struct plan *p)
{
	const uint32_t size = (uint32_t)sizeof(struct plan_credential);
	const struct plan_credential *c;

	if (p->credentials == 0)
		return p->ncredentials == 0;
	if (p->ncredentials == 0 || p->ncredentials > PLAN_MAX_CREDENTIALS ||
	    !bytes_ok(p, p->credentials, p->ncredentials * size))
		return false;
	c = (const struct plan_credential *)(const void *)((const char *)p + p->credentials);
	for (uint32_t i = 0; i < p->ncredentials; i++)
		if (!file_name_ok(p, c[i].name) || !bytes_ok(p, c[i].data, c[i].size))
			return false;
	return true;
}

static bool sandbox_ok(const struct plan *p)
{
	bool filter = p->filter == 0 ? p->nfilter == 0
				     : p->nfilter > 0 && p->nfilter <= PLAN_MAX_FILTER &&
				       bytes_ok(p, p->filter,
						p->nfilter * (uint32_t)sizeof(uint64_t));

	bool paths = (p->landlock_read == 0 || vector_ok(p, p->landlock_read, false)) &&
		     (p->landlock_write == 0 || vector_ok(p, p->landlock_write, false));

	return filter && paths && credentials_ok(p) &&
	       (p->root_dir == 0 || text_ok(p, p->root_dir)) &&
	       p->protect_system < PLAN_PROTECT_COUNT;
}

static bool listen_ok(const struct plan *p)
{
	if (p->nlisten > PLAN_MAX_LISTEN)
		return false;
	for (uint32_t i = 0; i < p->nlisten; i++)
		if (p->listen[i] >= RECORDS_MAX_SLOTS)
			return false;
	return true;
}

static bool numbers_ok(const struct plan *p)
{
	const uint32_t known = PLAN_SET_IDS | PLAN_SET_UMASK | PLAN_SET_NICE |
			       PLAN_DIE_WITH_KEEPER | PLAN_TREE | PLAN_SET_SCHED |
			       PLAN_SET_NUMA | PLAN_SET_CAPABILITIES | PLAN_SET_AMBIENT |
			       PLAN_NO_NEW_PRIVILEGES | PLAN_PRIVATE_TMP;

	return (p->flags & ~known) == 0 && p->ngroups <= PLAN_MAX_GROUPS && listen_ok(p) &&
	       p->umask <= 0777 && p->nice >= -20 && p->nice <= 19 &&
	       (p->oom_score_adjust == INT32_MIN ||
		(p->oom_score_adjust >= -1000 && p->oom_score_adjust <= 1000)) &&
	       p->stop_signal <= 64 && p->capture_of <= RECORDS_MAX_SLOTS &&
	       (!(p->flags & PLAN_DIE_WITH_KEEPER) || p->stop_signal != 0) &&
	       /* (uid_t)-1 means "leave as it is" to setresuid: never what a plan wants */
	       (!(p->flags & PLAN_SET_IDS) || (p->uid != UINT32_MAX && p->gid != UINT32_MAX));
}

bool plan_check(const void *block, size_t size)
{
	const struct plan *p = block;

	if (size <= sizeof(*p) || size > PLAN_MAX || (uintptr_t)block % sizeof(uint64_t) != 0 ||
	    p->magic != PLAN_MAGIC || p->size != size || ((const char *)block)[size - 1] != '\0')
		return false;
	if (!text_ok(p, p->name) || strlen((const char *)p + p->name) >= NAME_CAP)
		return false;
	return vector_ok(p, p->exec_paths, false) && vector_ok(p, p->argv, false) &&
	       vector_ok(p, p->envp, true) && string_or_absent_ok(p, p->cwd) && stdio_ok(p, 0) &&
	       stdio_ok(p, 1) && stdio_ok(p, 2) && limits_ok(p) && ready_ok(p) &&
	       placement_ok(p) && sandbox_ok(p) && numbers_ok(p);
}
