// SPDX-License-Identifier: Apache-2.0
// What the files of the VFS core share and file systems do not see. Included by fs/*.c, fs/pipe and
// fs/overlay.
//
// Locks, outermost first: file->pos_lock, an append stripe, mounts_lock, sb->rename_lock, directories (parent
// first, an overlay's before its lower's), inodes, the dcache lock. Nothing is freed under the dcache lock:
// puts come after it.
#ifndef FS_CORE_H
#define FS_CORE_H
#include "base/budget.h"
#include "base/fault.h"
#include "base/rbtree.h"
#include "fs/use.h"
#include "fs/knobs.h"
#include "fs/vfs.h"

#define DCACHE_MAX      65536u  // names kept beyond their use
#define APPEND_STRIPES  16u
#define LANDLOCK_BYTES  (64u << 20)  // what rules of guests are charged

// Whose file system a file without a name belongs to, as statfs(2) tells.
enum nameless { NAMELESS_ANON, NAMELESS_PIPE, NAMELESS_SOCKET, NAMELESS_NS, NAMELESS_KINDS };

struct fuse_caller;
struct notify_who;
struct vfs {
    struct lock dcache;
    struct list *buckets;  // [d] dentries by parent and name; a head that is all zero is an empty list
    size_t bucket_mask;    // [d]
    struct list lru;       // [d] all hashed dentries, the most recently added first
    size_t ndentries;      // [d] on lru
    uint64_t seed;         // [c] so that a guest cannot choose names that collide

    struct lock mounts_lock;
    struct mnt_ns *ns;       // [c] owned: the first namespace
    _Atomic unsigned nmounts;  // [a] that there are, wherever they lie: MOUNTS_MAX
    uint64_t next_mount;       // [m] the last one's number
    unsigned next_group;       // [m] the last peer group's

    struct lock append[APPEND_STRIPES];  // serialises "where is the end" with the write there, by inode

    struct lock acl_lock;        // RANK_LEAF: which ACLs an inode has
    struct lock host_files_lock;  // RANK_LEAF
    struct rb_root host_files;    // [h: host_files_lock] fs/goferfs/hostfile.c
    struct lock waits_lock;      // RANK_LEAF
    struct list lock_waits;      // [w: waits_lock] who waits for whose file lock (fs/locks.c)

    struct mount *nameless[NAMELESS_KINDS];  // [c] owned: files without names; not in mounts
    struct mount *shm;       // [c] owned: a tmpfs for memfds
    struct vfs_memory *memory;  // [c] owned: what tmpfs and memfds have taken (fs/tmpfs/quota.c)
    struct budget landlock;     // rules of guests (fs/landlock.h)
    struct budget buffers;      // of pipes and unix sockets: memory of ours that guests fill
    struct vfs_use *use;        // [c] borrowed: what may be used up; NULL: nothing is counted
    void (*watched_release)(void *owner, struct file *f);  // [c] vfs_set_watched_release(), or NULL
    void *watched_owner;
    uint64_t fan_stamp;                     // likewise: of the event that is being told
    struct list fan_groups;                 // under the lock of fs/notify.c: all groups (fs/fanotify.c)
    struct notify_who (*notify_who)(void);  // [c] vfs_set_notify_who(), or NULL
    void (*file_told)(struct file *f);     // [c] vfs_set_file_told(), or NULL
    const struct hostfd_watcher *watcher;  // [c] of host descriptors (fs/hostfd.h); NULL: none
    void *watcher_owner;
    void (*ns_uncharge)(struct ns *owner, enum ns_kind kind);  // [c] nsfs_set_uncharge()
    _Atomic bool has_fuse;                                     // [a] some FUSE file system was mounted once
    struct fuse_caller (*fuse_caller)(void);                   // [c] vfs_set_fuse_caller(), or NULL
    bool (*caller_dies)(void);  // [c] vfs_set_caller_dies(), or NULL
    struct knobs knobs;         // settings of /proc/sys
    _Atomic uint32_t next_dev;
    _Atomic uint64_t next_ino;  // of objects without a number of their own
    _Atomic unsigned nptys;     // in all devpts (fs/tty/devpts.c)
    _Atomic long inodes, dentry_count, files, supers;  // live objects, for vfs_destroy()
};

// dcache.c
uint32_t name_hash(const struct vfs *v, const char *name, size_t len);
// borrowed
struct dentry *dcache_find_locked(struct dentry *parent, const char *name, size_t len, uint32_t hash);
// A new unhashed, negative dentry, one reference.
struct dentry *dentry_new(struct superblock *sb, struct dentry *parent, const char *name, size_t len);
// Finds or looks up a name; *out referenced, positive or negative. _locked: the caller holds parent's inode's
// lock. next: what the caller will ask for then, or NULL.
int dcache_lookup(struct dentry *parent, const char *name, size_t len, const struct vfs_ahead *next,
                  struct dentry **out);
int dcache_lookup_locked(struct dentry *parent, const char *name, size_t len, const struct vfs_ahead *next,
                         struct dentry **out);
void dcache_unhash(struct dentry *d);  // the name is gone
// After a rename on the file system: d takes nd's place (nd is unhashed), or both change places.
struct dentry_move {
    char *name_d, *name_nd;  // long names, allocated beforehand
};
int dentry_move_prepare(struct dentry_move *m, const struct dentry *d, const struct dentry *nd,
                        bool exchange);
void dentry_move(struct dentry_move *m, struct dentry *d, struct dentry *nd, bool exchange);
bool dentry_is_ancestor(struct dentry *a, struct dentry *d);  // of d, or d itself; rename_lock is held
void dcache_drop_super(struct superblock *sb);

// mount.c
struct mount *mount_new(struct vfs *v, struct superblock *sb, struct dentry *root, unsigned flags,
                        const char *src);
// Are they one name? [d] is held.
bool mount_same_place(const struct dentry *a, const struct dentry *b);
// A namespace of mounts.
struct mnt_ns *mnt_ns_new(struct vfs *v, uint64_t ino, struct ns *owner);
// dcache or mounts lock held; borrowed
struct mount *mount_find_locked(struct mount *parent, struct dentry *at);
bool path_read_only(const struct path *p);
static inline bool path_equal(const struct path *a, const struct path *b) {
    return a->mnt == b->mnt && a->dentry == b->dentry;
}

// walk.c
#define WALK_MAX_LINKS 40
enum last_type { LAST_NORM, LAST_DOT, LAST_DOTDOT, LAST_ROOT };
struct walk {
    const struct vfs_ctx *ctx;
    struct vfs *vfs;
    unsigned flags, links, depth;
    struct path root;  // borrowed: what ".." does not leave
    struct path cur;   // where we are: protected by the dcache lock, or by pin, held and the caller's base
    struct path pin;   // owned, or none
    struct dentry *held;  // owned, or NULL
    const char *s;        // what is left of the text
    bool must_dir;        // a slash at the end
    const char *last;     // the last component, when stopped before it
    size_t last_len;
    enum last_type last_type;
    struct {
        const char *rest;  // what follows the link
        char *text;        // the target; owned unless it is `first`
    } frames[WALK_MAX_LINKS];
    bool first_used;
    char first[LINUX_PATH_MAX];  // most walks meet no link within a link: no allocation
};
int walk_begin(struct walk *w, const struct vfs_ctx *ctx, const struct path *base, const char *name,
               unsigned flags);
// to the end, or to the directory of the last component; cur is pinned
int walk_run(struct walk *w, bool parent);
int walk_into_link(struct walk *w, struct dentry *link);  // cur: the link's directory, pinned
void walk_end(struct walk *w);
#define cleanup_walk __attribute__((cleanup(walk_end)))  // walk_begin() comes at once, whatever it says
// Enters mounts on *p (owned).
void path_into_mounts(struct vfs *v, struct path *p);

// namei.c
bool cred_has(const struct vfs_cred *c, unsigned cap);  // over the sandbox as a whole
// ... over an object: also of a user namespace, where that knows both of its owners.
bool cred_has_over(const struct vfs_cred *c, const struct inode *i, unsigned cap);
bool cred_in_group(const struct vfs_cred *c, uint32_t gid);
int may_create(struct inode *dir, const struct vfs_cred *c);
// A new object's mode (not a directory's set-gid bit), by who makes it and the umask: unless the directory's
// default ACL is going to say what is left of it.
uint32_t mode_for_new(const struct inode *dir, uint32_t mode, const struct vfs_ctx *ctx);

// file.c
struct file *file_new(struct vfs *v, const struct path *p /* taken over on success */, unsigned flags,
                      unsigned mode);
// Opens an inode that the tree itself reads (an overlay's lower file): no permission check. d: borrowed.
int file_open_dentry(struct mount *mnt, struct dentry *d, unsigned flags, struct file **out);

// attr.c
int inode_attr(struct inode *i, struct vfs_attr *out);
int inode_setattr(struct inode *i, const struct vfs_attr *a, unsigned which);
int dentry_setattr(struct dentry *d, const struct vfs_attr *a, unsigned which);  // and tells those who watch
bool inode_owner_or_capable(const struct inode *i, const struct vfs_cred *c);
// What of ATTR_KILL_* goes with a write by c.
unsigned inode_must_drop_priv(const struct inode *i, const struct vfs_cred *c);
static inline bool inode_flagged(const struct inode *i, uint32_t flags) {  // any of LINUX_FS_*_FL
    return atomic_load_explicit(&i->flags, memory_order_relaxed) & flags;
}
// fileattr.c: chattr(1). -LINUX_ENOTTY: none of its ioctls, or none here.
int64_t fileattr_ioctl(const struct vfs_ctx *ctx, struct file *f, unsigned cmd, uint64_t arg,
                       struct uaccess *ua);
int inode_write_begin(struct inode *i);  // ETXTBSY
static inline void inode_write_end(struct inode *i) { atomic_fetch_sub(&i->writers, 1); }
int inode_exec_begin(struct inode *i);
static inline void inode_exec_end(struct inode *i) { atomic_fetch_add(&i->writers, 1); }

// locks.c, leases.c
void locks_release_file(struct file *f);
void leases_release_file(struct file *f);

// tmpfs/super.c
struct vfs_memory *vfs_memory_new(void);
void vfs_memory_free(struct vfs_memory *m);

// pipe/fifo.c
int fifo_open(struct inode *i, struct file *f);
int fifo_open_again(struct file *f, struct waiter *w);  // see vfs_open_again()

// vfs.c: mounts that are in no tree.
bool mount_is_nameless(const struct vfs *v, const struct mount *m);
// For inodes that keep no size: changes the block itself.
int inode_setattr_block(struct inode *i, const struct vfs_attr *a, unsigned which);

// fs.protected_hardlinks: who does not own a file names it once more only if it is a plain one that he may
// read and write, so that nobody keeps a set-uid program, or lets a daemon write by a name of his choice.
// Returns 0 or -EPERM.
int inode_may_link(struct inode *i, const struct vfs_cred *c);

#endif
