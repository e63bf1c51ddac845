// SPDX-License-Identifier: Apache-2.0
// Inside fs/layers; see layers.c for how it works.
#ifndef FS_LAYERS_LAYERS_H
#define FS_LAYERS_LAYERS_H
#include "base/rbtree.h"
#include "fs/core.h"
#include "fs/layers.h"

struct layers {  // sb->priv
    struct lock change;    // RANK_LAYERS_CHANGE: names of the upper layer change under it
    struct lock lock;      // RANK_OBJECT; fields marked [o]
    struct rb_root nodes;  // [o] by key
    struct mount *upper;   // [c] owned, seen by nobody else; NULL: nothing can be changed
    struct dentry *work;   // [c] owned: where objects lie until they are complete; on the upper file system
    struct mount **lower;  // [c] owned, likewise; the topmost first
    unsigned n;            // [c]
    bool one_fs;           // [c] all layers are: their inode numbers are shown
    bool userxattr;        // [c]
    uint64_t charged;      // [c] bytes of its options, of the budget of buffers
    struct vfs_ctx ctx;    // [c] who mounted it: in whose name the layers are changed
    void *cred;            // [c] owned: what ctx.cred borrows from
    void (*cred_put)(void *cred);
    _Atomic uint64_t temp;  // [a] the last temporary name's number
};

struct below {         // an object of a lower layer
    struct dentry *d;  // owned
    unsigned layer;
};

struct lnode {  // inode->priv
    struct inode *inode;              // [c] back
    _Atomic(struct dentry *) upper;   // owned; NULL until it is copied up, then for good
    struct dentry *parent;            // [c] owned: ours, of what has to be copied up first; NULL: the root
    const void *key;                  // [o] the upper inode, or the first lower dentry
    struct rb_node by_key;            // [o]
    bool in_tree;                     // [o]
    _Atomic bool gone;                // its name was removed
    uint64_t charged;                 // [c] bytes, of the budget of buffers
    unsigned n;                       // [c] of a directory, all that are merged; of others one at most
    struct below lower[];             // [c]
};

static inline struct layers *layers_of(const struct inode *i) { return i->sb->priv; }
static inline struct lnode *lnode(const struct inode *i) { return i->priv; }
static inline struct dentry *lnode_upper(const struct lnode *n) {
    return atomic_load_explicit(&n->upper, memory_order_acquire);
}
// The object that it shows; borrowed from the node.
static inline struct path lnode_real(const struct layers *o, const struct lnode *n) {
    struct dentry *up = lnode_upper(n);
    return up ? (struct path){o->upper, up} : (struct path){o->lower[n->lower[0].layer], n->lower[0].d};
}

// layers.c
extern const char layers_opaque[], layers_user_opaque[];
bool layers_is_whiteout(struct inode *i);
// Objects of the layers, for who mounted us: what that one may not do is nobody's to do through us.
int layers_look(const struct layers *o, struct dentry *dir, const char *name, struct dentry **out);
int layers_open_real(const struct layers *o, const struct path *p, unsigned flags, int mask,
                     struct file **out);
// The inode for an object that is made in the upper layer (taken over), below parent (ours).
int layers_inode(struct superblock *sb, struct dentry *parent, struct dentry *upper, struct below *lower,
                 unsigned n, struct inode **out);
// It has been copied up. upper: taken over.
void layers_rekey(struct inode *i, struct dentry *upper);
void layers_sync(struct inode *i);  // what the VFS knows of it, after its object was changed
int layers_getattr(struct inode *i, struct vfs_attr *a);
int layers_setattr(struct inode *i, const struct vfs_attr *a, unsigned which);

// change.c: the upper layer's names.
// In the name of who mounted it; with the caller's user and group, where there is one.
void layers_ctx(const struct layers *o, const struct vfs_ctx *caller, struct vfs_ctx *out);
int layers_copy_up(struct inode *i, uint64_t bytes);  // at most so many bytes of a file
void layers_temp_name(struct layers *o, char *buf, size_t size);
extern const struct inode_ops layers_dir_ops;
// names.c: those of layers_dir_ops that change names
int layers_create(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx);
int layers_mkdir(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx);
int layers_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev,
                 const struct vfs_ctx *ctx);
int layers_symlink(struct inode *dir, struct dentry *d, const char *target, const struct vfs_ctx *ctx);
int layers_link(struct inode *dir, struct dentry *d, struct inode *target);
int layers_unlink(struct inode *dir, struct dentry *d);
int layers_rmdir(struct inode *dir, struct dentry *d);
int layers_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                  unsigned flags);
int layers_tmpfile(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx);

// list.c
extern const struct file_ops layers_dir_fops;
int layers_empty(struct inode *dir);  // 0, -LINUX_ENOTEMPTY, or another error
// Calls fn with each name of a directory of one layer, until it is not 0.
int layers_each(const struct layers *o, const struct path *dir, int (*fn)(void *arg, const char *name),
                void *arg);

// file.c
extern const struct file_ops layers_file_fops;
int layers_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx);
int layers_open_device(struct inode *i, struct file *f, const struct vfs_ctx *ctx);

#endif
