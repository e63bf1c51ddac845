// SPDX-License-Identifier: Apache-2.0
// A circular, intrusive, doubly linked list. The head is a node without an owner. No locks: the owner's lock
// guards it.
#ifndef BASE_LIST_H
#define BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name) {&(name), &(name)}
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) container_of((head)->next, type, member)
#define list_for_each(it, head, member)                                                                      \
    for (it = container_of((head)->next, __typeof__(*it), member); &it->member != (head);                    \
         it = container_of(it->member.next, __typeof__(*it), member))
// The body may unlink (and free) `it`, and nothing else.
#define list_for_each_safe(it, tmp, head, member)                                                            \
    for (it = container_of((head)->next, __typeof__(*it), member),                                           \
        tmp = container_of(it->member.next, __typeof__(*it), member);                                        \
         &it->member != (head); it = tmp, tmp = container_of(tmp->member.next, __typeof__(*it), member))

static inline void list_init(struct list *l) { l->next = l->prev = l; }
// A head in a table that was zeroed, ready from its first use on: a page of the table that nobody has used
// takes no memory.
static inline struct list *list_bucket(struct list *l) {
    if (!l->next)
        list_init(l);
    return l;
}
static inline bool list_empty(const struct list *l) { return l->next == l; }
// For a node: is it on a list? (Nodes are initialised, and list_del() leaves them so.)
static inline bool list_linked(const struct list *l) { return l->next != l; }

static inline void list_insert(struct list *node, struct list *prev, struct list *next) {
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}
static inline void list_add(struct list *head, struct list *node) { list_insert(node, head, head->next); }
static inline void list_add_tail(struct list *head, struct list *node) {
    list_insert(node, head->prev, head);
}
static inline void list_del(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
// Moves all of `from` to the tail of `to`; `from` is empty afterwards.
static inline void list_splice_tail(struct list *to, struct list *from) {
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
