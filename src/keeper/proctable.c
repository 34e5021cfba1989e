/* Who is there, who made it, and which session it is in: /proc read once, into a flat table.
 *
 * Nobody who lives through a look is missed, and nobody who forks during it has all of its line
 * missed, however fast that goes: processes are asked for one by one in the order of their numbers,
 * so whoever forks and ends before its turn has a child whose turn is still to come. That holds
 * until the numbers begin anew; then the look does, too. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "keeper/linereader.h"
#include "keeper/proctable.h"
#include "keeper/record.h"

#define LOOKS_MAX 3
#define REREADS_MAX 3

int proctable_init(struct proctable *t)
{
	t->procs = mmap(NULL, PROCTABLE_MAX * sizeof(*t->procs), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return t->procs == MAP_FAILED ? -errno : 0;
}

/* "PID (COMM) STATE PPID PGRP SESSION ...": COMM may hold anything, also ')'. */
static bool proc_parse(const char *text, struct proc *out)
{
	const char *at = strrchr(text, ')');
	unsigned long long field[23] = { 0 };
	char state;

	if (at == NULL || at[1] != ' ' || at[2] == '\0')
		return false;
	state = at[2];
	at += 3;
	for (int i = 4; i <= 22; i++) {
		char *end;

		field[i] = strtoull(at, &end, 10);	/* negative ones are of no interest */
		if (end == at)
			return false;
		at = end;
	}
	out->ppid = (pid_t)field[4];
	out->pgrp = (pid_t)field[5];
	out->sid = (pid_t)field[6];
	out->start_ticks = field[22];
	out->dead = (state == 'Z' || state == 'X') && field[20] <= 1;
	return true;
}

static bool proc_read(const struct proctable *t, int proc_fd, const char *pid, struct proc *out)
{
	char path[32], text[1024];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%.12s/stat", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	out->pid = (pid_t)strtol(pid, NULL, 10);
	out->marker = 0;
	if (!proc_parse(text, out))
		return false;
	if (t->on_read != NULL)
		t->on_read(t->ctx, out);
	return true;
}

/* The latest number that was given to a process; 0: not to be had. */
static pid_t newest_pid(int proc_fd)
{
	int fd = openat(proc_fd, "loadavg", O_RDONLY | O_CLOEXEC);
	char text[128];
	const char *last;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	last = strrchr(text, ' ');
	return last != NULL ? (pid_t)strtol(last, NULL, 10) : 0;
}

static void look_once(struct proctable *t, int proc_fd)
{
	struct direntry_reader r;
	const char *name;

	t->n = 0;
	direntry_init(&r, proc_fd);
	direntry_one_by_one(&r);
	while (t->n < PROCTABLE_MAX && (name = direntry_next(&r, DIRENTRY_NUMBERS)) != NULL)
		if (proc_read(t, proc_fd, name, &t->procs[t->n]))
			t->n++;
}

/* Whose parent ended after it was read has another one now. False: nobody. */
static bool reread_orphans(struct proctable *t, int proc_fd)
{
	bool any = false;

	for (uint32_t i = 0; i < t->n; i++) {
		struct proc *p = &t->procs[i];
		const struct proc *parent;
		char pid[16];

		if (p->dead || p->ppid == 0)
			continue;
		parent = proctable_find(t, p->ppid);
		if (parent != NULL && !parent->dead)
			continue;
		snprintf(pid, sizeof(pid), "%d", (int)p->pid);
		p->dead = !proc_read(t, proc_fd, pid, p) || p->dead;
		any = true;
	}
	return any;
}

int proctable_look(struct proctable *t)
{
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t before;

	t->n = 0;
	if (proc_fd < 0)
		return -errno;
	t->looked_at_ns = clock_mono_ns();
	for (int i = 0; i < LOOKS_MAX; i++) {
		before = newest_pid(proc_fd);
		look_once(t, proc_fd);
		if (newest_pid(proc_fd) >= before)
			break;
	}
	for (int i = 0; i < REREADS_MAX && reread_orphans(t, proc_fd); i++)
		;
	close(proc_fd);
	return 0;
}

void proctable_drop(struct proctable *t)
{
	if (t->looked_at_ns == 0)
		return;
	madvise(t->procs, t->n * sizeof(*t->procs), MADV_DONTNEED);
	t->n = 0;
	t->looked_at_ns = 0;
}

const struct proc *proctable_find(const struct proctable *t, pid_t pid)
{
	uint32_t low = 0, high = t->n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (t->procs[mid].pid == pid)
			return &t->procs[mid];
		if (t->procs[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* --- the environment marker ------------------------------------------------------------------- */

/* Entries longer than this are read past: the marker is short. */
#define MARKER_ENTRY 256

/* The value of ENTRY ("NAME=VALUE") if its name is KEY ("NAME="), and it fits. */
static void entry_take(const char *entry, const char *key, char *out, size_t cap)
{
	size_t n = strlen(key);

	if (strncmp(entry, key, n) == 0 && strlen(entry + n) < cap)
		memcpy(out, entry + n, strlen(entry + n) + 1);
}

bool proc_marker(pid_t pid, char name[NAME_CAP])
{
	char path[32], buf[4096], entry[MARKER_ENTRY], instance[16] = "", task[16] = "";
	char place[4] = "";
	size_t n = 0;
	ssize_t got;
	int fd;

	name[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while ((got = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (n < sizeof(entry) - 1)
				entry[n++] = buf[i];
			if (buf[i] != '\0')
				continue;
			entry[n] = '\0';
			n = 0;
			entry_take(entry, "PROCD_SUBSYSTEM=", name, NAME_CAP);
			entry_take(entry, "PROCD_INSTANCE=", instance, sizeof(instance));
			entry_take(entry, PROCD_TASK_VARIABLE "=", task, sizeof(task));
			entry_take(entry, PROCD_PLACE_VARIABLE "=", place, sizeof(place));
		}
	}
	close(fd);
	n = strlen(name);
	if (instance[0] != '\0' && strchr(name, '@') == NULL && n + 1 + strlen(instance) < NAME_CAP)
		snprintf(name + n, NAME_CAP - n, "@%s", instance);
	record_name_add_task(name, task[0] != '\0' ? task : place);
	return n > 0;
}

bool proc_between_programs(pid_t pid)
{
	static const char *const files[] = { "environ", "cmdline" };
	char path[32], byte;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOENT;
		n = read(fd, &byte, 1);
		close(fd);
		if (n > 0)
			return false;
	}
	return true;
}

bool proc_has_marker(pid_t pid, const char *name)
{
	char found[NAME_CAP];

	return proc_marker(pid, found) && strcmp(found, name) == 0;
}
