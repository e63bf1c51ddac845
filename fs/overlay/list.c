// SPDX-License-Identifier: Apache-2.0
// Listings of merged directories: first our own entries (tmpfs), then the lower names that no entry lies
// over. The lower listing is read once, whole, and kept with the node, so that its offsets are stable:
// READDIR_LOWER plus the place in the list. The directory's lock is held.
#include "fs/overlay/overlay.h"
#include <string.h>

struct lower_name {
    uint64_t ino;
    uint32_t at;  // in text
    uint8_t len, type;
};
struct lower_list {
    struct readdir_sink sink;  // while it is read
    bool failed;
    uint32_t n, room, text_len, text_room;
    struct lower_name *names;
    char *text;
};

static bool make_room(void **p, uint32_t *room, uint32_t want, size_t size) {
    uint32_t to = *room ? *room : 64;
    if (want <= *room)
        return true;
    while (to < want) {
        if (to > 1u << 30)
            return false;
        to *= 2;
    }
    void *q = xrealloc(*p, to * size);
    if (!q)
        return false;
    *p = q;
    *room = to;
    return true;
}
static bool add_name(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned type,
                     uint64_t off) {
    struct lower_list *l = container_of(s, struct lower_list, sink);
    if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
        return true;
    if (len > LINUX_NAME_MAX || !make_room((void **)&l->names, &l->room, l->n + 1, sizeof *l->names) ||
        !make_room((void **)&l->text, &l->text_room, l->text_len + (uint32_t)len, 1)) {
        l->failed = true;
        return false;
    }
    l->names[l->n++] = (struct lower_name){ino, l->text_len, (uint8_t)len, (uint8_t)type};
    memcpy(l->text + l->text_len, name, len);
    l->text_len += (uint32_t)len;
    return true;
}
static void list_free(struct lower_list *l) {
    if (!l)
        return;
    free(l->names);
    free(l->text);
    free(l);
}
void ovl_list_free(struct tnode *n) {
    list_free(n->listing);
    n->listing = NULL;
}
static int read_all(struct file *f, struct lower_list *l) {
    uint64_t off = 0, was;
    if (!f->ops->readdir)
        return -LINUX_ENOTDIR;
    LOCKED_NESTED(&f->inode->lock);
    do {
        was = off;
        int err = f->ops->readdir(f, &l->sink, &off);
        if (l->failed)
            return -LINUX_ENOMEM;
        if (err)
            return err;
    } while (off != was);
    return 0;
}
static int load(struct tnode *n) {
    struct file *f;
    if (n->listing)
        return 0;
    int err = file_open_dentry(NULL, n->lower, LINUX_O_RDONLY | LINUX_O_DIRECTORY, &f);
    if (err)
        return err;
    struct lower_list *l = znew(struct lower_list);
    err = -LINUX_ENOMEM;
    if (l) {
        l->sink.emit = add_name;
        err = read_all(f, l);
    }
    file_put(f);
    if (err) {
        list_free(l);
        return err;
    }
    n->listing = l;
    return 0;
}
static bool hidden(struct tnode *n, const struct lower_name *e) {
    const char *name = n->listing->text + e->at;
    if (!n->dir.names.node)
        return false;
    return tdir_find(n, name, e->len, name_hash(n->inode->sb->vfs, name, e->len));
}
int ovl_readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct tnode *n = tnode(f->inode);
    int err = load(n);
    if (err)
        return err;
    if (*off < READDIR_LOWER)
        *off = READDIR_LOWER;
    for (uint64_t k = *off - READDIR_LOWER; k < n->listing->n; k++) {
        const struct lower_name *e = &n->listing->names[k];
        if (!hidden(n, e) &&
            !s->emit(s, n->listing->text + e->at, e->len, e->ino, e->type, READDIR_LOWER + k + 1))
            return 0;
        *off = READDIR_LOWER + k + 1;
    }
    return 0;
}
int ovl_empty(struct inode *dir) {
    struct tnode *n = tnode(dir);
    int err = load(n);
    for (uint32_t k = 0; !err && k < n->listing->n; k++)
        if (!hidden(n, &n->listing->names[k]))
            err = -LINUX_ENOTEMPTY;
    return err;
}
