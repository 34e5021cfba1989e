/* Rights and limits: what this process has, beside what the configuration asks for. Each right is a
 * row; who needs it is asked of each subsystem. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "command/doctor.h"
#include "config/descriptors.h"
#include "config/listen.h"

bool doctor_capable(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[cap / 32].effective & 1u << cap % 32) != 0;
}

/* --- rights ----------------------------------------------------------------------------------- */

static bool becomes_another(const struct subsystem_options *o)
{
	const struct subsystem_rights *r = o->rights;

	return r->set_ids && (r->uid != geteuid() || r->gid != getegid());
}

static bool sees_other_files(const struct subsystem_options *o)
{
	const struct subsystem_rights *r = o->rights;

	return r->private_tmp || r->protect_system != PROTECT_FALSE || r->credentials.n > 0;
}

static bool has_root_dir(const struct subsystem_options *o)
{
	return o->rights->root_dir != NULL;
}

static bool drops_capabilities(const struct subsystem_options *o)
{
	return o->rights->capabilities.set;
}

static bool hurries(const struct subsystem_options *o)
{
	return o->rights->nice != INT64_MIN && o->rights->nice < 0;
}

static unsigned port_of(const struct listen_address *a)
{
	return a->addr.any.sa_family == AF_INET ? ntohs(a->addr.in.sin_port) :
	       a->addr.any.sa_family == AF_INET6 ? ntohs(a->addr.in6.sin6_port) : 0;
}

/* From this port on everybody may listen. */
static unsigned first_free_port(void)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	if (file_read("/proc/sys/net/ipv4/ip_unprivileged_port_start", 16, &text) != 0)
		return 1024;
	return (unsigned)strtoul(text.buf, NULL, 10);
}

static bool listens_low(const struct subsystem_options *o)
{
	unsigned first = first_free_port();

	for (size_t i = 0; i < o->policy->listen.n; i++) {
		auto_free(strbuf_fini) struct strbuf why = STRBUF_INIT;
		struct listen_address a;
		const char *text = listen_address_text(o->policy->listen.items[i]);

		if (listen_parse(text, &a, &why) == 0 && port_of(&a) > 0 && port_of(&a) < first)
			return true;
	}
	return false;
}

static const struct {
	const char *name;
	int capability;
	bool (*asked)(const struct subsystem_options *o);
	const char *what, *fix;
} rights[] = {
	{ "cap_setuid", CAP_SETUID, becomes_another, "user and group",
	  "start procd as root; in a container: --cap-add SETUID" },
	{ "cap_setgid", CAP_SETGID, becomes_another, "user and group",
	  "start procd as root; in a container: --cap-add SETGID" },
	{ "cap_kill", CAP_KILL, becomes_another, "signals to programs of other users",
	  "start procd as root; in a container: --cap-add KILL" },
	{ "cap_sys_chroot", CAP_SYS_CHROOT, has_root_dir, "root_dir",
	  "start procd as root; in a container: --cap-add SYS_CHROOT" },
	{ "cap_sys_admin", CAP_SYS_ADMIN, sees_other_files,
	  "private_tmp, protect_system and credentials",
	  "start procd as root; in a container: --cap-add SYS_ADMIN" },
	{ "cap_setpcap", CAP_SETPCAP, drops_capabilities, "capabilities",
	  "start procd as root; in a container: --cap-add SETPCAP" },
	{ "cap_sys_nice", CAP_SYS_NICE, hurries, "a negative nice",
	  "start procd as root, or setcap cap_sys_nice+ep on procd" },
	{ "cap_net_bind_service", CAP_NET_BIND_SERVICE, listens_low, "ports below 1024",
	  "setcap cap_net_bind_service+ep on procd, or sysctl net.ipv4.ip_unprivileged_port_start=80" },
};

/* The first of CONFIG's subsystems that asks; NULL: none. */
static const char *asker(const struct config *config,
			 bool (*asked)(const struct subsystem_options *o))
{
	for (size_t i = 0; config != NULL && i < config->nsubsystems; i++)
		if (asked(config->subsystems[i]))
			return config->subsystems[i]->name;
	return NULL;
}

static void look_at_rights(struct report *r, const struct config *config)
{
	for (size_t i = 0; i < ARRAY_LEN(rights); i++) {
		const char *who = asker(config, rights[i].asked);
		bool has = doctor_capable(rights[i].capability);
		auto_free(freep) char *effect = who == NULL ?
			x_asprintf("%s cannot be had", rights[i].what) :
			x_asprintf("%s cannot be had, and %s asks for it", rights[i].what, who);

		report_add(r, rights[i].name, has ? FINDING_OK :
			   who != NULL ? FINDING_BROKEN : FINDING_DEGRADED, effect, rights[i].fix);
	}
}

/* --- limits ----------------------------------------------------------------------------------- */

static bool wants_memory(const struct subsystem_options *o)
{
	return o->rights->memory_max != 0 || o->rights->memory_high != 0;
}

static bool wants_cpu(const struct subsystem_options *o)
{
	return o->rights->cpu_quota != 0 || o->rights->cpu_weight != INT64_MIN;
}

static bool wants_pids(const struct subsystem_options *o)
{
	return o->rights->tasks_max != INT64_MIN;
}

static bool wants_io(const struct subsystem_options *o)
{
	return o->rights->io_weight != INT64_MIN;
}

static const struct {
	const char *controller, *name, *keys;
	bool (*asked)(const struct subsystem_options *o);
} controllers[] = {
	{ "memory", "controller_memory", "memory_max and memory_high", wants_memory },
	{ "cpu", "controller_cpu", "cpu_quota and cpu_weight", wants_cpu },
	{ "pids", "controller_pids", "tasks_max", wants_pids },
	{ "io", "controller_io", "io_weight", wants_io },
};

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; *list != '\0'; list += strcspn(list, " "), list += *list != '\0')
		if (strcspn(list, " ") == n && strncmp(list, word, n) == 0)
			return true;
	return false;
}

static void look_at_controllers(struct report *r, const struct config *config)
{
	auto_free(strbuf_fini) struct strbuf have = STRBUF_INIT;

	doctor_controllers(&have);
	for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
		const char *who = asker(config, controllers[i].asked);
		auto_free(freep) char *effect = NULL;

		if (who == NULL)
			continue;
		effect = x_asprintf("%s of %s have no effect: it runs without them",
				    controllers[i].keys, who);
		report_add(r, controllers[i].name, has_word(have.buf, controllers[i].controller) ?
			   FINDING_OK : FINDING_BROKEN, effect,
			   "Delegate=yes in the systemd unit; see cgroup2 and cgroup_controllers");
	}
}

static void look_at_files(struct report *r, const struct config *config)
{
	uint64_t wanted = DESCRIPTORS_OWN;
	uint64_t need = config != NULL ? config_descriptors(config, &wanted) : DESCRIPTORS_OWN;
	auto_free(freep) char *effect = NULL, *fix = NULL;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	effect = x_asprintf("procd uses %llu open files and may have %llu: %s",
			    (unsigned long long)wanted, (unsigned long long)limit.rlim_max,
			    limit.rlim_max < need ? "some starts have to wait" :
			    "it has to look at all processes to find the ends of some");
	fix = x_asprintf("LimitNOFILE=%llu in the systemd unit, or ulimit -Hn %llu",
			 (unsigned long long)wanted, (unsigned long long)wanted);
	report_add(r, "open_files", limit.rlim_max >= wanted || doctor_capable(CAP_SYS_RESOURCE) ?
		   FINDING_OK : limit.rlim_max >= need ? FINDING_DEGRADED : FINDING_BROKEN, effect,
		   fix);
}

/* Of what is there of PATH. */
static bool is_in_memory(const char *path)
{
	auto_free(freep) char *at = x_strdup(path);
	struct statfs fs;

	while (statfs(at, &fs) != 0) {
		char *slash = strrchr(at, '/');

		if (slash == NULL || slash == at)
			return statfs("/", &fs) == 0 && fs.f_type == TMPFS_MAGIC;
		*slash = '\0';
	}
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

static void look_at_run_dir(struct report *r, const struct config *config)
{
	auto_free(freep) char *effect = NULL;

	if (config == NULL)
		return;
	effect = x_asprintf("%s is on a disk: starts and ends wait for it", config->run_dir);
	report_add(r, "run_dir", is_in_memory(config->run_dir) ? FINDING_OK : FINDING_DEGRADED, effect,
		   "run_dir on a file system in memory, such as /run (mount -t tmpfs tmpfs /run)");
}

void doctor_config(struct report *r, const struct config *config)
{
	look_at_rights(r, config);
	look_at_controllers(r, config);
	look_at_files(r, config);
	look_at_run_dir(r, config);
}
