/* The programs that a configuration names: are they there, and who decides what they do? A file
 * that others can write, or put another one in its place, is their way to become root, as a file of
 * the configuration is (check_owner.c). It is looked at through links, with the directory that it
 * is in; what a shell or an interpreter is told to run is not known here. */
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "config/check.h"
#include "config/source.h"

void programs_fini(struct programs *p)
{
	map_for_each(slot, &p->found)
		free(slot->value);
	map_fini(&p->found);
	map_fini(&p->judged);
}

static bool is_program(const char *path)
{
	struct stat st;

	return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static char *in_path(const char *name, const char *path)
{
	while (*path != '\0') {
		size_t n = strcspn(path, ":");
		auto_free(freep) char *full = x_asprintf("%.*s/%s", (int)n, path, name);

		if (is_program(full))
			return take(full);
		path += n + (path[n] == ':');
	}
	return NULL;
}

static const char *path_variable(const struct subsystem_options *o)
{
	const char *path = subsystem_inherits(o, "PATH=") ? getenv("PATH") : NULL;

	for (size_t i = 0; i < o->environment.n; i++)
		if (strncmp(o->environment.items[i], "PATH=", 5) == 0)
			path = o->environment.items[i] + 5;
	return path != NULL ? path : "/usr/local/bin:/usr/bin:/bin";
}

const char *program_find(struct programs *p, const struct subsystem_options *o, const char *name)
{
	const char *dir = o->rights->working_dir != NULL ? o->rights->working_dir
							  : p->config->work_dir;
	auto_free(freep) char *relative = *name == '/' ? NULL :
		x_asprintf("%s\n%s\n%s", name, dir != NULL ? dir : "", path_variable(o));
	const char *key = relative != NULL ? relative : name;
	auto_free(freep) char *full = NULL;
	char *found = map_find(&p->found, key);

	if (found == NULL) {
		if (strchr(name, '/') == NULL)
			found = in_path(name, path_variable(o));
		else
			full = *name == '/' || dir == NULL ? x_strdup(name)
							   : path_absolute(dir, name);
		if (full != NULL && is_program(full))
			found = take(full);
		found = found != NULL ? found : x_strdup("");
		map_put(&p->found, key, found);
	}
	return *found != '\0' ? found : NULL;
}

static void warn_of(struct programs *p, const struct candidate *c, const struct place *place,
		    const char *program, const char *what, const char *path)
{
	static char done[] = "done";
	auto_free(freep) char *who = NULL;

	if (map_find(&p->judged, path) != NULL)
		return;
	map_put(&p->judged, path, done);
	who = owner_others(path);
	if (who != NULL)
		diag_warn(c->diag, place, "%.200s: %s %s: whoever may write there decides what runs "
			  "as root", program, what, who);
}

void program_warn(struct programs *p, const struct candidate *c, const struct place *place,
		  const char *path)
{
	auto_free(freep) char *real = NULL, *dir = NULL, *link_dir = NULL;

	/* a command on procd's own command line is its caller's */
	if (c->files.n == 0 || map_find(&p->judged, path) != NULL)
		return;
	real = realpath(path, NULL);
	if (real == NULL)
		return;
	warn_of(p, c, place, path, "this program", path);
	dir = x_strdup(real);
	link_dir = x_strdup(path);
	warn_of(p, c, place, path, "the directory of this program", dirname(dir));
	warn_of(p, c, place, path, "the directory of this program's name", dirname(link_dir));
}
