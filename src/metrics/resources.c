/* Adding up what a tree uses. The cgroup lists its members; without one the tree is walked down
 * from the main process by the kernel's own lists of children, so nothing else is looked at. */
#include "metrics/resources.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "keeper/cgroup.h"
#include "metrics/procfile.h"

#define THREADS_ASKED 64	/* for their children: one that has more does not fork in each */

/* The beginning of a file, NUL-terminated; its length, -1: none. */
static ssize_t read_at(int dirfd, const char *path, char *buf, size_t size)
{
	auto_free(closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	buf[MAX(n, 0)] = '\0';
	return n;
}

/* --- one process ------------------------------------------------------------------------------- */

static bool read_stat(pid_t pid, struct proc_stat *out)
{
	char path[48], text[1024];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = read_at(AT_FDCWD, path, text, sizeof(text));
	return n > 0 && proc_stat_parse(text, (size_t)n, out);
}

static bool count_entries(const char *path, uint32_t *out)
{
	DIR *dir = opendir(path);

	if (dir == NULL)
		return false;
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		*out += e->d_name[0] != '.';
	closedir(dir);
	return true;
}

/* Since Linux 6.2 the size of the directory is the number, which anybody may know. Before, only who
 * may look into it. */
static bool add_fds(pid_t pid, uint32_t *out)
{
	char path[48];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if (stat(path, &st) < 0)
		return false;
	if (st.st_size == 0)
		return count_entries(path, out);
	*out += (uint32_t)st.st_size;
	return true;
}

static void add_process(pid_t pid, const struct proc_stat *stat, struct resources *out)
{
	out->cpu_us += stat->cpu_ticks * (1000000 / (uint64_t)MAX(sysconf(_SC_CLK_TCK), 1));
	out->rss_bytes += stat->rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	out->processes++;
	out->threads += stat->threads;
	out->fds_known = add_fds(pid, &out->fds) && out->fds_known;
}

/* --- who belongs to it ------------------------------------------------------------------------- */

struct members {
	pid_t pids[RESOURCES_PROCESSES];
	size_t n;
};

static void add_children_of_thread(pid_t pid, pid_t tid, struct members *m)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
	if (m->n < RESOURCES_PROCESSES && read_at(AT_FDCWD, path, text, sizeof(text)) > 0)
		m->n += pid_list_parse(text, m->pids + m->n, RESOURCES_PROCESSES - m->n);
}

static void add_children(pid_t pid, uint32_t threads, struct members *m)
{
	char path[48];
	DIR *dir;

	if (threads <= 1) {
		add_children_of_thread(pid, pid, m);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	for (int i = 0; dir != NULL && i < THREADS_ASKED + 2; i++) {
		struct dirent *e = readdir(dir);

		if (e == NULL)
			break;
		if (e->d_name[0] != '.')
			add_children_of_thread(pid, (pid_t)atoi(e->d_name), m);
	}
	if (dir != NULL)
		closedir(dir);
}

/* The main process is counted already. */
static void add_descendants(pid_t main_pid, uint32_t threads, struct resources *out)
{
	struct members m = { .n = 0 };
	struct proc_stat stat;

	add_children(main_pid, threads, &m);
	for (size_t i = 0; i < m.n; i++) {
		if (!read_stat(m.pids[i], &stat))
			continue;
		add_process(m.pids[i], &stat, out);
		add_children(m.pids[i], stat.threads, &m);
	}
}

static bool add_members(const struct resource_target *t, struct resources *out)
{
	struct members m;
	char path[32], text[1024];
	struct proc_stat stat;
	uint64_t cpu_us;
	int n = cgroup_members(t->cgroup_fd, t->slot, m.pids, RESOURCES_PROCESSES);

	if (n <= 0)
		return false;
	for (int i = 0; i < MIN(n, RESOURCES_PROCESSES); i++)
		/* cppcheck-suppress uninitvar ; filled above */
		if (m.pids[i] != t->pid && read_stat(m.pids[i], &stat))
			add_process(m.pids[i], &stat, out);
	/* finer, and with those who have gone */
	snprintf(path, sizeof(path), "%u/cpu.stat", t->slot);
	if (read_at(t->cgroup_fd, path, text, sizeof(text)) > 0 &&
	    keyed_number(text, "usage_usec", &cpu_us))
		out->cpu_us = cpu_us;
	return true;
}

static bool is_target(const struct resource_target *t, const struct proc_stat *stat)
{
	if (stat->state == 'Z')
		return false;
	return t->start_ticks != 0 ? stat->start_ticks == t->start_ticks : stat->ppid == t->parent;
}

bool resources_read(const struct resource_target *t, struct resources *out)
{
	struct proc_stat stat;

	memset(out, 0, sizeof(*out));
	if (!read_stat(t->pid, &stat) || !is_target(t, &stat))
		return false;
	out->start_ticks = stat.start_ticks;
	out->fds_known = true;
	add_process(t->pid, &stat, out);
	if (t->cgroup_fd < 0 || !add_members(t, out))
		add_descendants(t->pid, stat.threads, out);
	return true;
}

/* --- more -------------------------------------------------------------------------------------- */

ENUMTEXT(pressure, "resource", [PRESSURE_CPU] = "cpu", [PRESSURE_MEMORY] = "memory",
	 [PRESSURE_IO] = "io");

static void read_switches(pid_t pid, struct resources_more *out)
{
	char path[48], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	out->switches_known = read_at(AT_FDCWD, path, text, sizeof(text)) > 0 &&
		keyed_number(text, "voluntary_ctxt_switches", &out->voluntary_switches) &&
		keyed_number(text, "nonvoluntary_ctxt_switches", &out->involuntary_switches);
}

static void read_io(pid_t pid, struct resources_more *out)
{
	char path[48], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	out->io_known = read_at(AT_FDCWD, path, text, sizeof(text)) > 0 &&
		keyed_number(text, "read_bytes", &out->read_bytes) &&
		keyed_number(text, "write_bytes", &out->written_bytes);
}

static void read_group(const struct resource_target *t, struct resources_more *out)
{
	char path[48], text[1024];

	snprintf(path, sizeof(path), "%u/memory.current", t->slot);
	if (read_at(t->cgroup_fd, path, text, sizeof(text)) > 0) {
		out->memory_bytes = strtoull(text, NULL, 10);
		out->memory_known = true;
	}
	for (int i = 0; i < PRESSURE_COUNT; i++) {
		snprintf(path, sizeof(path), "%u/%s.pressure", t->slot,
			 enumtext_name(&pressure_text, i));
		if (read_at(t->cgroup_fd, path, text, sizeof(text)) <= 0)
			continue;
		out->some_known[i] = pressure_total(text, "some", &out->some_us[i]);
		out->full_known[i] = pressure_total(text, "full", &out->full_us[i]);
	}
}

void resources_read_more(const struct resource_target *t, struct resources_more *out)
{
	memset(out, 0, sizeof(*out));
	read_switches(t->pid, out);
	read_io(t->pid, out);
	if (t->cgroup_fd >= 0)
		read_group(t, out);
}

/* --- the cgroup -------------------------------------------------------------------------------- */

/* The keeper and its supervisors may have been moved to a group beside it ("NAME-self"). */
int resources_cgroup_open(const struct records_header *h)
{
	char parent[PATH_MAX], name[32], self[48];
	auto_free(closep) int dirfd = -1;
	char *last;

	records_group_get(h, name);
	if (name[0] == '\0' || !cgroup_find_own(parent, NULL))
		return -1;
	snprintf(self, sizeof(self), "%s-self", name);
	last = strrchr(parent, '/');
	if (last != NULL && strcmp(last + 1, self) == 0)
		*last = '\0';
	dirfd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? -1 :
	       openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
