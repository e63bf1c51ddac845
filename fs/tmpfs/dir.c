// SPDX-License-Identifier: Apache-2.0
// The names of a tmpfs directory: two trees, by name (hash first) and by cookie. A cookie is given once and
// is the readdir offset, so listings stay stable while names come and go. The directory's lock is held.
#include "fs/tmpfs/node.h"
#include <string.h>

static int compare(uint32_t hash, const char *name, size_t len, const struct tentry *e) {
    if (hash != e->hash)
        return hash < e->hash ? -1 : 1;
    if (len != e->len)
        return len < e->len ? -1 : 1;
    return memcmp(name, e->name, len);
}
struct tentry *tdir_find(struct tnode *n, const char *name, size_t len, uint32_t hash) {
    struct rb_node *at = n->dir.names.node;
    while (at) {
        struct tentry *e = rb_entry(at, struct tentry, by_name);
        int c = compare(hash, name, len, e);
        if (c == 0)
            return e;
        at = c < 0 ? at->left : at->right;
    }
    return NULL;
}
struct tentry *tentry_new(const struct dentry *d) {
    size_t len = strlen(d->name);
    struct tentry *e = xcalloc(1, sizeof *e + len + 1);
    if (!e)
        return NULL;
    e->hash = d->namehash;
    e->len = (uint32_t)len;
    memcpy(e->name, d->name, len);
    return e;
}
void tdir_insert(struct tnode *n, struct tentry *e) {
    struct rb_node *parent = NULL, **link = &n->dir.names.node;
    while (*link) {
        parent = *link;
        bool left = compare(e->hash, e->name, e->len, rb_entry(parent, struct tentry, by_name)) < 0;
        link = left ? &parent->left : &parent->right;
    }
    rb_insert(&n->dir.names, &e->by_name, parent, link);
    e->cookie = n->dir.next_cookie++;
    parent = rb_last(&n->dir.order);
    rb_insert(&n->dir.order, &e->by_cookie, parent, parent ? &parent->right : &n->dir.order.node);
    n->dir.live += e->inode != NULL;
}
void tdir_remove(struct tnode *n, struct tentry *e) {
    rb_erase(&n->dir.names, &e->by_name);
    rb_erase(&n->dir.order, &e->by_cookie);
    n->dir.live -= e->inode != NULL;
    free(e);
}
struct tentry *tdir_from(struct tnode *n, uint64_t cookie) {
    struct rb_node *at = n->dir.order.node;
    struct tentry *best = NULL;
    while (at) {
        struct tentry *e = rb_entry(at, struct tentry, by_cookie);
        if (e->cookie >= cookie)
            best = e;
        at = e->cookie >= cookie ? at->left : at->right;
    }
    return best;
}
// A tree can be as deep as a guest likes: directories whose names are to go wait on a list.
// Takes the names of one directory away; subdirectories (with their reference) go to the list.
static void empty_dir(struct inode *dir, struct list *todo) {
    struct tnode *n = tnode(dir);
    struct rb_node *at;
    while ((at = n->dir.names.node)) {
        struct tentry *e = rb_entry(at, struct tentry, by_name);
        struct inode *i = e->inode;
        tdir_remove(n, e);
        if (i && inode_is_dir(i) && tnode(i)->dir.names.node) {
            // Nobody has it open any more, so its list of locks is free to serve as the link.
            list_add(todo, &i->locks);
        } else if (i) {
            inode_put(i);
        }
    }
}
void tdir_destroy_tree(struct inode *root) {
    struct list todo = LIST_INIT(todo);
    empty_dir(root, &todo);
    while (!list_empty(&todo)) {
        struct inode *i = list_first(&todo, struct inode, locks);
        list_del(&i->locks);
        empty_dir(i, &todo);
        inode_put(i);
    }
}
