/* Users and groups, as the name service or an earlier load knows them. May block; loader thread
 * only. Inside the config room only. */
#ifndef CONFIG_ACCOUNT_H
#define CONFIG_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/map.h"
#include "base/strbuf.h"

#define ACCOUNT_GROUPS_MAX 64

struct account {
	bool found;
	int err;		/* why that could not be told; 0: it is known */
	unsigned long id;
	gid_t gid;		/* users: primary group */
	bool has_entry;		/* users: there is more than a number */
	char *name, *home, *shell;
	gid_t *gids;		/* users: all groups */
	size_t ngids;
};

/* ACCOUNTS, all zero at first: struct account by "user:NAME" or "group:NAME". NAME may be a number.
 * What had to be looked up is appended to BUNDLE (NULL: nowhere). Never NULL. */
const struct account *account_user(struct map *accounts, const char *name, struct strbuf *bundle);
const struct account *account_group(struct map *accounts, const char *name, struct strbuf *bundle);
/* A fact of an earlier load: what is in a bundle under KEY. */
void account_known(struct map *accounts, const char *key, const char *text, size_t n);
void accounts_fini(struct map *accounts);

#endif
