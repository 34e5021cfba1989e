/* What the kernel and the dynamic loader will look at, looked at before: the program's headers,
 * those of the interpreter that a script names, and whether starting it changes rights. Programs
 * that load with another dynamic loader than procd's own belong to another C library, or another
 * architecture. */
#include "config/preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <config.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/util.h"

#define SCRIPTS_MAX 4		/* interpreters that are scripts themselves */
#define HEAD_MAX 256
#define SEGMENTS_MAX 256

ENUMTEXT(preload_verdict, "verdict", [PRELOAD_FINE] = "fine",
	 [PRELOAD_NO_OBJECT] = "the profiler's object is not installed",
	 [PRELOAD_STATIC] = "the program is statically linked",
	 [PRELOAD_PRIVILEGED] = "the program gets other rights when it starts (set-user-ID, "
				"set-group-ID or file capabilities)",
	 [PRELOAD_FOREIGN] = "the program is of another architecture or C library than procd");

struct loader {
	bool elf, known;		/* known: NAME is set */
	unsigned machine;
	char name[HEAD_MAX];		/* "": none, it is static */
};

static void loader_read(int fd, struct loader *l)
{
	ElfW(Phdr) segments[SEGMENTS_MAX];
	ElfW(Ehdr) h;
	size_t size;

	*l = (struct loader){ .elf = false };
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) ||
	    memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	l->elf = true;
	l->machine = h.e_machine | (unsigned)h.e_ident[EI_CLASS] << 16;
	size = h.e_phnum * sizeof(segments[0]);
	if (h.e_phentsize != sizeof(segments[0]) || h.e_phnum > SEGMENTS_MAX ||
	    pread(fd, segments, size, (off_t)h.e_phoff) != (ssize_t)size)
		return;
	l->known = true;
	for (unsigned i = 0; i < h.e_phnum; i++)
		if (segments[i].p_type == PT_INTERP && segments[i].p_filesz < sizeof(l->name) &&
		    pread(fd, l->name, segments[i].p_filesz, (off_t)segments[i].p_offset) < 0)
			l->known = false;
}

static bool changes_rights(int fd, const struct subsystem_options *o)
{
	const struct subsystem_rights *r = o->rights;
	uid_t uid = subsystem_uid(o);
	gid_t gid = r->set_ids ? r->gid : getegid();
	struct stat st;

	if (r->no_new_privileges || fstat(fd, &st) < 0)
		return false;
	return (st.st_mode & S_ISUID && st.st_uid != uid) ||
	       ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != gid) ||
	       (uid != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0);
}

/* The interpreter of the script FD into PATH; false: it is none. */
static bool interpreter_of(int fd, char *path, size_t size)
{
	char head[HEAD_MAX + 1] = "";
	size_t skip, n;

	if (pread(fd, head, HEAD_MAX, 0) < 3 || head[0] != '#' || head[1] != '!')
		return false;
	skip = 2 + strspn(head + 2, " \t");
	n = strcspn(head + skip, " \t\n");
	if (n == 0 || n >= size)
		return false;
	memcpy(path, head + skip, n);
	path[n] = '\0';
	return true;
}

static bool loader_of_procd(struct loader *l)
{
	auto_free(closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	loader_read(fd, l);
	return l->known;
}

static enum preload_verdict check_elf(int fd, const struct subsystem_options *o)
{
	struct loader program, own;

	loader_read(fd, &program);
	if (!program.elf || !loader_of_procd(&own))
		return PRELOAD_FINE;
	if (program.machine != own.machine)
		return PRELOAD_FOREIGN;
	if (!program.known)
		return PRELOAD_FINE;
	if (program.name[0] == '\0')
		return PRELOAD_STATIC;
	if (own.name[0] != '\0' && strcmp(program.name, own.name) != 0)
		return PRELOAD_FOREIGN;
	return changes_rights(fd, o) ? PRELOAD_PRIVILEGED : PRELOAD_FINE;
}

static int open_program(int dir, const char *path)
{
	struct stat st;
	int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111)
		return fd;
	close(fd);
	return -1;
}

/* As execvp(3) looks. */
static int find_program(int dir, const char *command, const char *path)
{
	int fd = -1;

	if (strchr(command, '/') != NULL)
		return open_program(dir, command);
	for (const char *at = path; fd < 0; at++) {
		size_t n = strcspn(at, ":");
		auto_free(freep) char *full = n == 0 ? x_strdup(command)
						     : x_asprintf("%.*s/%s", (int)n, at, command);

		fd = open_program(dir, full);
		at += n;
		if (*at == '\0')
			break;
	}
	return fd;
}

static void replace(int *fd, int other)
{
	close(*fd);
	*fd = other;
}

enum preload_verdict preload_check(const char *command, const char *dir, const char *path,
				   const struct subsystem_options *o)
{
	auto_free(closep) int at = open(dir != NULL ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free(closep) int fd = find_program(at, command, path);
	char interpreter[HEAD_MAX];

	for (int i = 0; i < SCRIPTS_MAX && fd >= 0; i++) {
		if (!interpreter_of(fd, interpreter, sizeof(interpreter)))
			return check_elf(fd, o);
		replace(&fd, open_program(at, interpreter));
	}
	return PRELOAD_FINE;
}

char *preload_object(const char *name)
{
	auto_free(freep) char *exe = x_malloc(PATH_MAX);
	auto_free(freep) char *beside = NULL;
	ssize_t n = readlink("/proc/self/exe", exe, PATH_MAX - 1);
	char *installed;

	if (n > 0) {
		exe[n] = '\0';
		*strrchr(exe, '/') = '\0';
		beside = x_asprintf("%s/%s", exe, name);
		if (access(beside, R_OK) == 0)
			return take(beside);
	}
	installed = x_asprintf("%s/procd/%s", PROCD_LIBEXECDIR, name);
	if (access(installed, R_OK) < 0) {
		free(installed);
		return NULL;
	}
	return installed;
}
