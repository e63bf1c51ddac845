// SPDX-License-Identifier: Apache-2.0
// What all nodes of one host file share: see node.h. Called by node.c, dir.c, file.c and attr.c.
#include "fs/core.h"
#include "fs/goferfs/node.h"

static int order(const struct gofer_attr *a, const struct hostfile *f) {
    if (a->dev != f->dev)
        return a->dev < f->dev ? -1 : 1;
    if (a->ino != f->ino)
        return a->ino < f->ino ? -1 : 1;
    return 0;
}

static struct hostfile *hostfile_new(struct vfs *v, const struct gofer_attr *a) {
    struct hostfile *f = znew(struct hostfile);
    if (!f)
        return NULL;
    lock_init(&f->lock, RANK_FILE_POS);
    f->vfs = v;
    f->dev = a->dev;
    f->ino = a->ino;
    f->refs = 1;
    f->counted = LINUX_S_ISREG(a->mode) ? a->size : 0;
    return f;
}

struct hostfile *hostfile_get(struct vfs *v, const struct gofer_attr *a) {
    LOCKED(&v->host_files_lock);
    struct rb_node **at = &v->host_files.node, *parent = NULL;
    while (*at) {
        struct hostfile *f = rb_entry(*at, struct hostfile, link);
        int o = order(a, f);
        if (o == 0) {
            atomic_store(&f->sure, false);  // it may be another one with a number that was used before
            f->refs++;
            return f;
        }
        parent = *at;
        at = o < 0 ? &parent->left : &parent->right;
    }
    struct hostfile *f = hostfile_new(v, a);
    if (f)
        rb_insert(&v->host_files, &f->link, parent, at);
    return f;
}

struct hostfile *hostfile_again(struct hostfile *f) {
    LOCKED(&f->vfs->host_files_lock);
    f->refs++;
    return f;
}

// The number may be another file's from now on, so nobody finds this one by it any more.
void hostfile_gone(struct hostfile *f) {
    LOCKED(&f->vfs->host_files_lock);
    if (!f->gone)
        rb_erase(&f->vfs->host_files, &f->link);
    f->gone = true;
}

bool hostfile_is(struct hostfile *f, const struct gofer_attr *a) {
    LOCKED(&f->vfs->host_files_lock);
    return order(a, f) == 0 && !(f->gone && a->nlink);
}

bool hostfile_shared(struct hostfile *f) {
    LOCKED(&f->vfs->host_files_lock);
    return f->refs > 1;
}

static bool drop(struct hostfile *f) {
    LOCKED(&f->vfs->host_files_lock);
    if (--f->refs)
        return false;
    if (!f->gone)
        rb_erase(&f->vfs->host_files, &f->link);
    return true;
}
void hostfile_put(struct hostfile *f) {
    if (!f || !drop(f))
        return;
    if (f->gone) {
        vfs_use_files(f->vfs, -1);
        vfs_use_disk(f->vfs, -(int64_t)f->counted);
    }
    lock_destroy(&f->lock);
    free(f);
}
