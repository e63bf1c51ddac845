// SPDX-License-Identifier: Apache-2.0
// Inside overlay; see overlay.c for how it works.
#ifndef FS_OVERLAY_OVERLAY_H
#define FS_OVERLAY_OVERLAY_H
#include "fs/tmpfs/node.h"

struct overlay {  // tsuper->origin_priv
    struct lock lock;         // RANK_OBJECT; fields marked [o]
    struct rb_root by_lower;  // [o] all nodes that have a lower name, by its dentry
    struct list pinned;       // [o] those that were changed; each with a reference
    struct superblock *lower; // [c] owned
};
static inline struct overlay *overlay_of(const struct inode *i) { return tsuper(i)->origin_priv; }

// data.c
int ovl_open(struct inode *i, struct file *f);
void ovl_release(struct file *f);
int64_t ovl_read(struct file *f, struct uio *u, uint64_t off);
int64_t ovl_llseek(struct file *f, int64_t off, int whence);
int ovl_mmap_fd(struct file *f, int prot, bool shared);
int ovl_copy_up(struct inode *i, uint64_t bytes);
int ovl_readlink(struct inode *i, char *buf, size_t size);

// list.c
int ovl_readdir(struct file *f, struct readdir_sink *s, uint64_t *off);
int ovl_empty(struct inode *dir);
void ovl_list_free(struct tnode *n);

#endif
