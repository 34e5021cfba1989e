/* Each account is looked up once per load, and what was found goes into the bundle: a supervisor
 * that replaces a dead one must not depend on a name service that is down. */
#include "config/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "base/alloc.h"
#include "config/source.h"

static void account_free(struct account *a)
{
	free(a->name);
	free(a->home);
	free(a->shell);
	free(a->gids);
	free(a);
}

/* --- facts in the bundle -------------------------------------------------------------------- */

/* "found id gid has_entry ngids gids...\nname\nhome\nshell\n" */
static void account_write(const struct account *a, const char *key, struct strbuf *bundle)
{
	auto_free(strbuf_fini) struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "%d %lu %u %d %zu", a->found, a->id, a->gid, a->has_entry, a->ngids);
	for (size_t i = 0; i < a->ngids; i++)
		strbuf_addf(&text, " %u", a->gids[i]);
	strbuf_addf(&text, "\n%s\n%s\n%s\n", a->name ? a->name : "", a->home ? a->home : "",
		    a->shell ? a->shell : "");
	bundle_add(bundle, key, text.buf, text.len);
}

static char *next_line(char **at)
{
	char *line = *at, *end = strchr(line, '\n');

	if (end == NULL)
		return NULL;
	*end = '\0';
	*at = end + 1;
	return *line != '\0' ? x_strdup(line) : NULL;
}

static struct account *account_read(const char *text, size_t n)
{
	auto_free(freep) char *copy = x_strndup(text, n);
	struct account *a = x_calloc(1, sizeof(*a));
	char *at = copy, *end;

	a->found = strtoul(at, &at, 10) != 0;
	a->id = strtoul(at, &at, 10);
	a->gid = (gid_t)strtoul(at, &at, 10);
	a->has_entry = strtoul(at, &at, 10) != 0;
	a->ngids = strtoul(at, &at, 10);
	a->ngids = MIN(a->ngids, (size_t)ACCOUNT_GROUPS_MAX);
	a->gids = x_calloc(ACCOUNT_GROUPS_MAX, sizeof(*a->gids));
	for (size_t i = 0; i < a->ngids; i++)
		a->gids[i] = (gid_t)strtoul(at, &at, 10);
	end = strchr(at, '\n');
	if (end != NULL) {
		at = end + 1;
		a->name = next_line(&at);
		a->home = next_line(&at);
		a->shell = next_line(&at);
	}
	return a;
}

/* --- looking up ----------------------------------------------------------------------------- */

static bool parse_id(const char *text, unsigned long *id)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*id = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *id < UINT32_MAX;
}

static void fill_user(struct account *a, const struct passwd *pw)
{
	int n = ACCOUNT_GROUPS_MAX;

	a->found = a->has_entry = true;
	a->id = pw->pw_uid;
	a->gid = pw->pw_gid;
	a->name = x_strdup(pw->pw_name);
	a->home = x_strdup(pw->pw_dir);
	a->shell = x_strdup(pw->pw_shell);
	a->gids = x_calloc(ACCOUNT_GROUPS_MAX, sizeof(*a->gids));
	if (getgrouplist(pw->pw_name, pw->pw_gid, a->gids, &n) < 0)
		n = ACCOUNT_GROUPS_MAX;
	a->ngids = (size_t)n;
}

/* "No entry" comes as no errno at all, or as one of these; see getpwnam(3). */
static bool look_up_failed(int errnum)
{
	return errnum != 0 && errnum != ENOENT && errnum != ESRCH && errnum != EBADF &&
	       errnum != EPERM;
}

static struct account *look_up_user(const char *name)
{
	struct account *a = x_calloc(1, sizeof(*a));
	unsigned long id = 0;
	bool number = parse_id(name, &id);
	const struct passwd *pw;

	errno = 0;
	pw = number ? getpwuid((uid_t)id) : getpwnam(name);
	if (pw != NULL) {
		fill_user(a, pw);
	} else if (look_up_failed(errno)) {
		a->err = errno;
	} else if (number) {	/* an id without an entry is its own, only group */
		a->found = true;
		a->id = id;
		a->gid = (gid_t)id;
	}
	return a;
}

static struct account *look_up_group(const char *name)
{
	struct account *a = x_calloc(1, sizeof(*a));
	unsigned long id;
	const struct group *gr;

	if (parse_id(name, &id)) {
		a->found = true;
		a->id = id;
		return a;
	}
	errno = 0;
	gr = getgrnam(name);
	if (gr == NULL && look_up_failed(errno))
		a->err = errno;
	a->found = gr != NULL;
	a->id = gr != NULL ? gr->gr_gid : 0;
	return a;
}

static const struct account *get(struct map *accounts, const char *kind, const char *name,
				 struct account *(*look_up)(const char *), struct strbuf *bundle)
{
	auto_free(freep) char *key = x_asprintf("%s:%s", kind, name);
	struct account *a = map_find(accounts, key);

	if (a == NULL) {
		a = look_up(name);
		map_put(accounts, key, a);
		if (bundle != NULL && a->err == 0)
			account_write(a, key, bundle);
	}
	return a;
}

const struct account *account_user(struct map *accounts, const char *name, struct strbuf *bundle)
{
	return get(accounts, "user", name, look_up_user, bundle);
}

const struct account *account_group(struct map *accounts, const char *name, struct strbuf *bundle)
{
	return get(accounts, "group", name, look_up_group, bundle);
}

void account_known(struct map *accounts, const char *key, const char *text, size_t n)
{
	struct account *old = map_put(accounts, key, account_read(text, n));

	if (old != NULL)
		account_free(old);
}

void accounts_fini(struct map *accounts)
{
	map_for_each(slot, accounts)
		account_free(slot->value);
	map_fini(accounts);
}
