// SPDX-License-Identifier: Apache-2.0
// Inside tmpfs: its nodes (inode->priv), their names, data and attributes, shared with devfs (more nodes),
// memfds (nodes without names) and overlay (nodes through which a lower file system shows).
//
// Locks: a directory's names and attributes by its inode->lock, a file's data and attributes by its own;
// always taken with lock_nested(), because a tmpfs can be the lower file system of another whose lock is
// held.
#ifndef FS_TMPFS_NODE_H
#define FS_TMPFS_NODE_H
#include "base/rbtree.h"
#include "fs/core.h"
#include "fs/tmpfs/window.h"

// Up to this many pages are kept in our heap; a larger file, or one that is mapped, becomes a memfd of its
// own (so that thousands of small files cost no descriptor).
#define HEAP_PAGES 256u

// Linux' measure for what is no page: an inode counts as so many bytes, an extended attribute as what it
// takes.
#define INODE_BYTES 1024u
#define TMPFS_NAME_SIZE 20u  // what a name adds to the size of a directory, "." and ".." too

// What is taken of a limit. Each tmpfs has its own and takes part in the sandbox' (struct vfs_memory).
struct tquota {
    _Atomic uint64_t max_pages, max_bytes;  // [a] 0: no limit
    _Atomic uint64_t pages, bytes;  // [a] of data; of inodes and attributes
};
// All tmpfs of a sandbox, memfds, shared anonymous memory and SysV segments. Stores through a mapping make
// pages on the host without our knowledge: mapped files are counted anew before somebody else gets something.
struct vfs_memory {
    struct tquota quota;
    struct lock lock;             // RANK_LEAF
    struct list mapped;           // [l] tnode.mapped_link
    _Atomic unsigned nmapped;     // [a] how many
    _Atomic int64_t next_count;   // [a] ns; not before then are they counted again
    struct windows windows;       // own lock
    struct vfs_use *use;          // [c] borrowed: who counts refusals, or NULL
};

struct tsuper {  // sb->priv
    struct tquota quota;
    struct vfs_memory *memory;           // [c] borrowed
    const struct torigin *origin;        // [c] overlay's; NULL: a plain tmpfs
    void *origin_priv;                   // [c]
    // [c] added to our own inode numbers, so that lower ones do not collide
    uint64_t ino_base;
};

struct tentry {  // a name in a directory
    struct rb_node by_name, by_cookie;
    uint64_t cookie;       // the offset of readdir; never reused in a directory
    struct inode *inode;   // owned; NULL: a whiteout (the lower name does not show)
    uint32_t hash;
    uint32_t len;
    char name[];
};
struct tdir {
    struct rb_root names, order;
    uint64_t next_cookie;
    unsigned live;  // entries that are no whiteouts
};
struct tdata {
    uint8_t **pages;   // [npages] heap pages; NULL: a hole. All unused once fd >= 0
    uint32_t npages;
    uint32_t cap0;     // bytes of pages[0], which grows by doubling
    // [a] pages that the quota was asked for; changed under the inode's lock, a mapped file's under
    // vfs_memory.lock
    _Atomic uint64_t charged;
    int fd;            // the memfd, or -1
    uint64_t dense;    // a multiple of a page: all pages of the memfd below it are there (some above it too)
    bool mapped;       // guests may have touched pages without our knowledge
};
struct txattr {
    struct list link;
    size_t size;
    char *value;
    char name[];
};
struct tnode {
    struct inode *inode;  // [c] back
    struct list xattrs;   // [i]
    uint32_t xattr_names, xattr_values;  // [i] bytes
    union {
        struct tdir dir;
        struct tdata data;
        char *target;  // symlinks; constant once it is set (an overlay sets it when it is first read)
    };
    unsigned seals;               // [i] LINUX_F_SEAL_*
    bool can_seal;                // [c] a memfd
    _Atomic int32_t shared_maps;  // [a] shared mappings that can be written

    bool charged;                 // [c] counts against the quota of inodes (what lower merely shows does not)
    uint32_t target_pages;        // [c] a long symlink's, charged
    uint32_t extra_links;         // [i] names beyond the first, each charged like an inode
    struct list mapped_link;      // [vfs_memory.lock]

    // Overlay only. [o] the overlay's lock
    struct dentry *lower;        // [c] owned: what this node shows, or showed before it was changed
    _Atomic bool lower_data;     // a file whose bytes are still those of lower; never true again once false
    _Atomic bool pinned;         // written under [o]: changed, so kept although no dentry holds it
    bool in_tree;                // [o] by_lower is linked
    unsigned names;              // [o] visible names
    struct rb_node by_lower;     // [o]
    struct list pin_link;        // [o]
    struct file *lower_file;     // [o] open while `holders` is not 0
    unsigned holders;            // [o]
    struct lower_list *listing;  // [i] the names of a lower directory
};
static inline struct tnode *tnode(const struct inode *i) { return i->priv; }
static inline struct tsuper *tsuper(const struct inode *i) { return i->sb->priv; }

// What an overlay adds. Directory hooks run with the directory's lock held, the others with none.
struct torigin {
    // d is not among the entries: lower's, or left negative.
    int (*lookup)(struct inode *dir, struct dentry *d, const struct vfs_ahead *next);
    int (*has)(struct inode *dir, struct dentry *name);  // 1: lower has that name below dir; 0; or an error
    int (*empty)(struct inode *dir);                     // 0: shows nothing; or an error (ENOTEMPTY)
    int (*readdir)(struct file *f, struct readdir_sink *s, uint64_t *off);
    int (*copy_up)(struct inode *i, uint64_t bytes);     // makes the data ours, at most so many bytes of it
    int (*open)(struct inode *i, struct file *f);
    void (*release)(struct file *f);
    int (*readlink)(struct inode *i, char *buf, size_t size);
    int64_t (*read)(struct file *f, struct uio *u, uint64_t off);
    int64_t (*llseek)(struct file *f, int64_t off, int whence);
    int (*mmap_fd)(struct file *f, int prot, bool shared);
    void (*changed)(struct inode *i);                    // differs from lower now: must be kept
    void (*renamed)(struct inode *i, int names);         // so many visible names more
    void (*evict)(struct inode *i);
    void (*shutdown)(struct superblock *sb);
    void (*kill)(struct superblock *sb);
};
#define READDIR_LOWER (1ull << 48)  // offsets from here on belong to torigin.readdir

// quota.c. Pages of data; bytes of inodes and attributes. False: there are not so many left.
bool tquota_take(struct tsuper *s, uint64_t pages);
void tquota_give(struct tsuper *s, uint64_t pages);
void tquota_count(struct vfs_memory *m);  // pages made through mappings, at most each 20 ms
bool tquota_full(struct tsuper *s);  // not one page is left
bool tquota_take_bytes(struct tsuper *s, uint64_t bytes);
void tquota_give_bytes(struct tsuper *s, uint64_t bytes);
void tquota_mapped(struct tnode *n);    // guests may make pages of it from now on
// takes the pages that the host says there are; the inode's lock is held
void tquota_recount(struct tnode *n);
void tquota_forget(struct tnode *n);    // gives its pages back: it ends
void tquota_statfs(struct tsuper *s, struct linux_statfs *out);
// super.c
bool sb_is_tmpfs(const struct superblock *sb);

// dir.c. Names of a directory; its lock is held.
struct tentry *tdir_find(struct tnode *n, const char *name, size_t len, uint32_t hash);
struct tentry *tentry_new(const struct dentry *d);
void tdir_insert(struct tnode *n, struct tentry *e);
void tdir_remove(struct tnode *n, struct tentry *e);  // frees it; the inode is the caller's
struct tentry *tdir_from(struct tnode *n, uint64_t cookie);  // the first at or after it
void tdir_destroy_tree(struct inode *root);                  // teardown, without recursion

// data.c. The inode's lock is held.
void tdata_init(struct tdata *t);
void tdata_free(struct tnode *n);
int64_t tdata_read(struct tnode *n, struct uio *u, uint64_t off);
int64_t tdata_write(struct tnode *n, struct uio *u, uint64_t off);
int tdata_truncate(struct tnode *n, uint64_t size);
int tdata_fallocate(struct tnode *n, int mode, uint64_t off, uint64_t len);
int64_t tdata_seek(struct tnode *n, uint64_t off, int whence);
int tdata_fd(struct tnode *n);  // promotes it to a memfd
int tdata_seal_write(struct tnode *n);  // see hostmem_seal_write()

// hostmem.c: the host calls behind it. Negative LINUX_E* on failure.
// an empty memfd with a high number, charged to the caller; -LINUX_ENFILE: not one more for that one
int hostmem_new(void);
void hostmem_close(int fd);
int hostmem_resize(int fd, uint64_t size);
int hostmem_write(int fd, const void *p, size_t n, uint64_t off);
int hostmem_punch(int fd, uint64_t off, uint64_t len);
int hostmem_fill(int fd, uint64_t off, uint64_t len);  // allocates without changing the size
int hostmem_seal_write(int fd);  // for good; -LINUX_EBUSY while any process has it mapped for writing
int64_t hostmem_pages(int fd);
int64_t hostmem_seek(int fd, uint64_t off, int whence);

// xattr.c
int64_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int tmpfs_setxattr(struct inode *i, const char *name, const void *value, size_t size, int flags);
int64_t tmpfs_listxattr(struct inode *i, char *buf, size_t size, bool trusted);
int tmpfs_removexattr(struct inode *i, const char *name);
int tmpfs_set_acl(struct inode *i, enum acl_kind kind, struct acl *a, bool keep_sgid);
void txattr_drop_caps(struct tnode *n);  // security.capability; the inode's lock is held
void txattr_free(struct tnode *n);       // and the ACLs
// With the inode's lock held, or before anybody else knows it. acl: taken over, also when it fails.
int tacl_set(struct inode *i, enum acl_kind kind, struct acl *a);
int tacl_follow_mode(struct inode *i, uint32_t mode);  // chmod(2)
int tacl_inherit(struct inode *dir, struct inode *i);  // i, new, gets what dir's default ACL gives

// inode.c
// NULL: no memory, or none of the quota is left.
struct inode *tnode_new(struct superblock *sb, const struct vfs_attr *a);
struct inode *tnode_uncharged(struct superblock *sb, const struct vfs_attr *a);
extern const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops, tmpfs_link_ops, tmpfs_special_ops;
extern const struct file_ops tmpfs_file_fops, tmpfs_dir_fops;
int tmpfs_getattr(struct inode *i, struct vfs_attr *a);
int tmpfs_setattr(struct inode *i, const struct vfs_attr *a, unsigned which);
int tmpfs_set_flags(struct inode *i, uint32_t was, uint32_t flags);
void tmpfs_accessed(struct inode *i, unsigned flags);  // LINUX_O_*; the inode's lock is held
void tmpfs_used(struct file *f);                       // the same, as its mount has it
void tmpfs_evict(struct inode *i);
// Puts an inode (taken over on success) into a directory by name; for what a file system is born with.
int tmpfs_add(struct inode *dir, const char *name, struct inode *i);
// A new node for a character device: gets what it does, if it is one of those in /dev (fs/devfs).
void devfs_attach(struct inode *i);

#endif
