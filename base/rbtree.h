// SPDX-License-Identifier: Apache-2.0
// An intrusive red-black tree. The owner searches and finds the place to insert (see rb_insert()); links are
// guarded by the owner's lock.
#ifndef BASE_RBTREE_H
#define BASE_RBTREE_H
#include "base/list.h"
#include <stdbool.h>

struct rb_node {
    struct rb_node *parent, *left, *right;
    bool red;
};
struct rb_root {
    struct rb_node *node;
};

#define rb_entry(ptr, type, member) container_of(ptr, type, member)

// Links `node` as a child of `parent` at *link (NULL before, found by the owner's descent) and rebalances.
void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent, struct rb_node **link);
void rb_erase(struct rb_root *root, struct rb_node *node);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#endif
