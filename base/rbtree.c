// SPDX-License-Identifier: Apache-2.0
// See rbtree.h. The textbook algorithm (Cormen et al., chapter 13), with NULL as the black leaf.
#include "base/rbtree.h"
#include <stddef.h>

static bool is_red(const struct rb_node *n) { return n && n->red; }

static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
                          struct rb_node *new) {
    if (!parent)
        root->node = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
}
static void rotate_left(struct rb_root *root, struct rb_node *x) {
    struct rb_node *y = x->right;
    x->right = y->left;
    if (y->left)
        y->left->parent = x;
    y->parent = x->parent;
    replace_child(root, x->parent, x, y);
    y->left = x;
    x->parent = y;
}
static void rotate_right(struct rb_root *root, struct rb_node *x) {
    struct rb_node *y = x->left;
    x->left = y->right;
    if (y->right)
        y->right->parent = x;
    y->parent = x->parent;
    replace_child(root, x->parent, x, y);
    y->right = x;
    x->parent = y;
}

void rb_insert(struct rb_root *root, struct rb_node *n, struct rb_node *parent, struct rb_node **link) {
    *n = (struct rb_node){.parent = parent, .red = true};
    *link = n;
    while (is_red(n->parent)) {
        struct rb_node *p = n->parent, *g = p->parent;
        bool left = p == g->left;
        struct rb_node *uncle = left ? g->right : g->left;
        if (is_red(uncle)) {
            p->red = uncle->red = false;
            g->red = true;
            n = g;
            continue;
        }
        if (n == (left ? p->right : p->left)) {
            left ? rotate_left(root, p) : rotate_right(root, p);
            n = p;
            p = n->parent;
        }
        p->red = false;
        g->red = true;
        left ? rotate_right(root, g) : rotate_left(root, g);
    }
    root->node->red = false;
}

// x (may be NULL) below `parent` lacks one black node.
static void fix_erase(struct rb_root *root, struct rb_node *x, struct rb_node *parent) {
    while (x != root->node && !is_red(x)) {
        bool left = x == parent->left;
        struct rb_node *w = left ? parent->right : parent->left;
        if (is_red(w)) {
            w->red = false;
            parent->red = true;
            left ? rotate_left(root, parent) : rotate_right(root, parent);
            w = left ? parent->right : parent->left;
        }
        struct rb_node *near = left ? w->left : w->right, *far = left ? w->right : w->left;
        if (!is_red(near) && !is_red(far)) {
            w->red = true;
            x = parent;
            parent = x->parent;
            continue;
        }
        if (!is_red(far)) {
            near->red = false;
            w->red = true;
            left ? rotate_right(root, w) : rotate_left(root, w);
            w = left ? parent->right : parent->left;
            far = left ? w->right : w->left;
        }
        w->red = parent->red;
        parent->red = false;
        far->red = false;
        left ? rotate_left(root, parent) : rotate_right(root, parent);
        x = root->node;
        break;
    }
    if (x)
        x->red = false;
}

void rb_erase(struct rb_root *root, struct rb_node *n) {
    struct rb_node *child, *parent;
    bool black = !n->red;
    if (n->left && n->right) {
        struct rb_node *next = n->right;
        while (next->left)
            next = next->left;
        black = !next->red;
        child = next->right;
        parent = next->parent;
        if (parent == n) {
            parent = next;
        } else {
            parent->left = child;
            if (child)
                child->parent = parent;
            next->right = n->right;
            n->right->parent = next;
        }
        next->parent = n->parent;
        next->left = n->left;
        next->red = n->red;
        n->left->parent = next;
        replace_child(root, n->parent, n, next);
    } else {
        child = n->left ? n->left : n->right;
        parent = n->parent;
        if (child)
            child->parent = parent;
        replace_child(root, parent, n, child);
    }
    if (black)
        fix_erase(root, child, parent);
    *n = (struct rb_node){0};
}

struct rb_node *rb_first(const struct rb_root *root) {
    struct rb_node *n = root->node;
    while (n && n->left)
        n = n->left;
    return n;
}
struct rb_node *rb_last(const struct rb_root *root) {
    struct rb_node *n = root->node;
    while (n && n->right)
        n = n->right;
    return n;
}
struct rb_node *rb_next(const struct rb_node *n) {
    if (n->right) {
        n = n->right;
        while (n->left)
            n = n->left;
        return (struct rb_node *)n;
    }
    while (n->parent && n == n->parent->right)
        n = n->parent;
    return n->parent;
}
struct rb_node *rb_prev(const struct rb_node *n) {
    if (n->left) {
        n = n->left;
        while (n->right)
            n = n->right;
        return (struct rb_node *)n;
    }
    while (n->parent && n == n->parent->left)
        n = n->parent;
    return n->parent;
}
