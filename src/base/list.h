/* Intrusive doubly linked list with a sentinel head. No allocation; one thread at a time. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>

#include "base/util.h"

struct list {
	struct list *prev;
	struct list *next;
};

#define LIST_HEAD_INIT(head) { &(head), &(head) }

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

/* True for an empty head and for an element that is in no list. */
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* Leaves ITEM re-initialised, so a second call is harmless. */
static inline void list_remove(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	list_init(item);
}

static inline struct list *list_pop(struct list *head)
{
	struct list *item = head->next;

	if (item == head)
		return NULL;
	list_remove(item);
	return item;
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
/* The element may be removed from the list inside the loop, others may not. */
#define list_for_each(pos, head)                                                                  \
	for (struct list *pos = (head)->next, *pos##_next = pos->next; pos != (head);             \
	     pos = pos##_next, pos##_next = pos->next)

#endif
