// SPDX-License-Identifier: Apache-2.0
// Listings of merged directories. The names of all layers are read whole when a listing begins, each once,
// from the topmost layer that has it, and kept with the open file: a place in the list is an offset. What
// they take is charged as buffers are.
#include "fs/layers/layers.h"
#include <string.h>

#define LOOK_EACH 1024u  // names between two looks whether the caller dies

struct name {
    uint64_t ino;
    uint32_t at, hash;  // of its text
    uint8_t len, type;
    bool hidden;        // a whiteout
};
struct listing {
    struct readdir_sink sink;  // while a layer is read
    struct vfs *vfs;
    int err;
    uint32_t n, room, text_len, text_room, slots_mask;
    uint32_t *slots;  // 1 + an index, or 0; by hash
    struct name *names;
    char *text;
    uint64_t charged;
};

static void listing_free(struct listing *l) {
    if (!l)
        return;
    budget_give(vfs_buffers(l->vfs), l->charged);
    free(l->slots);
    free(l->names);
    free(l->text);
    free(l);
}
static bool grow(struct listing *l, void **p, uint32_t *room, uint32_t want, size_t size) {
    uint32_t to = *room ? *room : 64;
    if (want <= *room)
        return true;
    while (to < want) {
        if (to > 1u << 28)
            return false;
        to *= 2;
    }
    uint64_t more = (uint64_t)(to - *room) * size;
    if (!budget_take(vfs_buffers(l->vfs), more))
        return false;
    l->charged += more;
    void *q = xrealloc(*p, to * size);
    if (!q)
        return false;
    *p = q;
    *room = to;
    return true;
}
static uint32_t *slot_of(const struct listing *l, uint32_t hash, const char *name, size_t len) {
    for (uint32_t k = hash & l->slots_mask;; k = (k + 1) & l->slots_mask) {
        uint32_t *s = &l->slots[k];
        const struct name *e = *s ? &l->names[*s - 1] : NULL;
        if (!e || (e->hash == hash && e->len == len && !memcmp(l->text + e->at, name, len)))
            return s;
    }
}
static bool grow_slots(struct listing *l) {
    uint32_t n = l->slots ? (l->slots_mask + 1) * 2 : 128;
    if (l->slots && l->n < l->slots_mask / 2)
        return true;
    if (!budget_take(vfs_buffers(l->vfs), n * sizeof *l->slots))
        return false;
    l->charged += n * sizeof *l->slots;
    uint32_t *slots = xcalloc(n, sizeof *slots);
    if (!slots)
        return false;
    free(l->slots);
    l->slots = slots;
    l->slots_mask = n - 1;
    for (uint32_t k = 0; k < l->n; k++)
        *slot_of(l, l->names[k].hash, l->text + l->names[k].at, l->names[k].len) = k + 1;
    return true;
}
static bool add(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned type,
                uint64_t off) {
    struct listing *l = container_of(s, struct listing, sink);
    if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.'))
        return true;
    uint32_t hash = name_hash(l->vfs, name, len);
    if (l->n % LOOK_EACH == LOOK_EACH - 1 && vfs_caller_dies(l->vfs))
        l->err = -LINUX_EINTR;
    else if (len > LINUX_NAME_MAX || !grow_slots(l) ||
             !grow(l, (void **)&l->names, &l->room, l->n + 1, sizeof *l->names) ||
             !grow(l, (void **)&l->text, &l->text_room, l->text_len + (uint32_t)len, 1))
        l->err = -LINUX_ENOMEM;
    if (l->err)
        return false;
    uint32_t *slot = slot_of(l, hash, name, len);
    if (*slot)
        return true;
    *slot = ++l->n;
    l->names[l->n - 1] = (struct name){ino, l->text_len, hash, (uint8_t)len, (uint8_t)type, false};
    memcpy(l->text + l->text_len, name, len);
    l->text_len += (uint32_t)len;
    return true;
}
static int read_dir(struct file *f, struct listing *l) {
    uint64_t off = 0, was;
    if (!f->ops->readdir)
        return -LINUX_ENOTDIR;
    LOCKED_NESTED(&f->inode->lock);
    do {
        was = off;
        int err = f->ops->readdir(f, &l->sink, &off);
        if (l->err || err)
            return l->err ? l->err : err;
    } while (off != was);
    return 0;
}
static const char *name_text(const struct listing *l, uint32_t k, char text[LINUX_NAME_MAX + 1]) {
    memcpy(text, l->text + l->names[k].at, l->names[k].len);
    text[l->names[k].len] = '\0';
    return text;
}
// Which of those that came with this layer are whiteouts?
static int find_whiteouts(const struct layers *o, struct listing *l, struct dentry *dir, uint32_t from) {
    const unsigned unknown = 0, device = LINUX_S_IFCHR >> 12;
    for (uint32_t k = from; k < l->n; k++) {
        struct name *e = &l->names[k];
        struct dentry *d;
        if (e->type != unknown && e->type != device)
            continue;
        char text[LINUX_NAME_MAX + 1];
        int err = layers_look(o, dir, name_text(l, k, text), &d);
        if (err)
            return err;
        e->hidden = layers_is_whiteout(d->inode);
        dentry_put(d);
    }
    return 0;
}
static int read_layer(const struct layers *o, struct listing *l, const struct path *dir) {
    struct file *f;
    uint32_t from = l->n;
    int err = layers_open_real(o, dir, LINUX_O_RDONLY | LINUX_O_DIRECTORY, MAY_READ, &f);
    if (err)
        return err;
    err = read_dir(f, l);
    file_put(f);
    return err ? err : find_whiteouts(o, l, dir->dentry, from);
}
static struct listing *listing_new(struct vfs *v) {
    struct listing *l = znew(struct listing);
    if (l) {
        l->vfs = v;
        l->sink.emit = add;
    }
    return l;
}
static int list(struct inode *dir, struct listing **out) {
    struct layers *o = layers_of(dir);
    struct lnode *n = lnode(dir);
    struct dentry *up = lnode_upper(n);
    struct listing *l = listing_new(dir->sb->vfs);
    if (!l)
        return -LINUX_ENOMEM;
    int err = up ? read_layer(o, l, &(struct path){o->upper, up}) : 0;
    for (unsigned k = 0; k < n->n && !err; k++)
        err = read_layer(o, l, &(struct path){o->lower[n->lower[k].layer], n->lower[k].d});
    if (err) {
        listing_free(l);
        return err;
    }
    *out = l;
    return 0;
}

int layers_empty(struct inode *dir) {
    struct listing *l;
    int err = list(dir, &l);
    if (err)
        return err;
    for (uint32_t k = 0; k < l->n && !err; k++)
        err = l->names[k].hidden ? 0 : -LINUX_ENOTEMPTY;
    listing_free(l);
    return err;
}
int layers_each(const struct layers *o, const struct path *dir, int (*fn)(void *arg, const char *name),
                void *arg) {
    struct listing *l = listing_new(o->ctx.vfs);
    char text[LINUX_NAME_MAX + 1];
    if (!l)
        return -LINUX_ENOMEM;
    int err = read_layer(o, l, dir);
    for (uint32_t k = 0; k < l->n && !err; k++)
        err = fn(arg, name_text(l, k, text));
    listing_free(l);
    return err;
}

// ---- The open file ----------------------------------------------------------------------------------------
// The directory's and the offset's lock are held.
static int read_merged(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct listing *l = f->priv;
    struct dentry *up = f->path.dentry->parent;
    if (*off == 0 || !l) {
        int err = list(f->inode, &l);
        if (err)
            return err;
        listing_free(f->priv);
        f->priv = l;
    }
    for (; *off < 2; (*off)++)
        if (!s->emit(s, "..", *off + 1, *off ? up->inode->attr.ino : f->inode->attr.ino, LINUX_S_IFDIR >> 12,
                     *off + 1))
            return 0;
    for (uint64_t k = *off - 2; k < l->n; k++) {
        const struct name *e = &l->names[k];
        if (!e->hidden && !s->emit(s, l->text + e->at, e->len, e->ino, e->type, k + 3))
            return 0;
        *off = k + 3;
    }
    return 0;
}
static void release_dir(struct file *f) { listing_free(f->priv); }
static int sync_dir(struct file *f, bool data_only) { return 0; }
const struct file_ops layers_dir_fops = {
    .readdir = read_merged, .release = release_dir, .fsync = sync_dir};
