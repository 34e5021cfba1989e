/* A list of owned strings. The array keeps a NULL behind its last item, so it can be handed to
 * execve as it is. */
#include "base/strlist.h"

#include "base/alloc.h"

void strlist_fini(struct strlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i]);
	free(l->items);
	*l = (struct strlist)STRLIST_INIT;
}

void strlist_add(struct strlist *l, const char *s)
{
	strlist_take(l, x_strdup(s));
}

void strlist_reserve(struct strlist *l, size_t more)
{
	if (more == 0 || l->n + more < l->cap)
		return;
	l->cap = (uint32_t)(l->n + more + 1);
	l->items = x_reallocarray(l->items, l->cap, sizeof(*l->items));
	l->items[l->n] = NULL;
}

void strlist_take(struct strlist *l, char *s)
{
	BUG_ON(s == NULL);
	if (l->n + 1 >= l->cap)
		strlist_reserve(l, MAX(l->cap, 1u));
	l->items[l->n++] = s;
	l->items[l->n] = NULL;
}

void strlist_copy(struct strlist *dst, const struct strlist *src)
{
	struct strlist copy = STRLIST_INIT;

	strlist_reserve(&copy, src->n);
	for (size_t i = 0; i < src->n; i++)
		strlist_add(&copy, src->items[i]);
	strlist_fini(dst);
	*dst = copy;
}

bool strlist_equal(const struct strlist *a, const struct strlist *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

bool strlist_has(const struct strlist *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], s) == 0)
			return true;
	return false;
}

static int compare_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *l)
{
	if (l->n > 1)
		qsort(l->items, l->n, sizeof(*l->items), compare_bytes);
}
