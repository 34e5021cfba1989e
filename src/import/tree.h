/* JSON and YAML as one tree, with the place of everything. Inside the import room only. */
#ifndef IMPORT_TREE_H
#define IMPORT_TREE_H

#include "config/value.h"
#include "import/files.h"

#define TREE_DEPTH_MAX 32
#define TREE_VALUES_MAX 100000	/* aliases of YAML counted where they are used */
#define TREE_KEYS_MAX 10000	/* of one mapping of YAML */

/* The file PATH. -EINVAL: IM has the failure, *OUT is nothing. value_fini() in any case. */
int tree_read_json(struct import *im, const char *path, struct value *out);
int tree_read_yaml(struct import *im, const char *path, struct value *out);	/* tree_yaml.c */

/* All of these take NULL for "it is not there". */
const struct value *tree_get(const struct value *table, const char *key);	/* null counts as not there */
const char *tree_text(const struct value *v);	/* of a string, number or boolean; else NULL */
bool tree_bool(const struct value *v, bool fallback);
/* The texts of a list, or of one that stands for a list of one. -EINVAL: something in it is
 * none. */
int tree_list(const struct value *v, struct strlist *out);
int tree_line(const struct value *v);
/* V as it may be shown: its text, or what kind of thing it is. */
const char *tree_shown(const struct value *v);

#endif
