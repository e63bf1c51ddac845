// SPDX-License-Identifier: Apache-2.0
// Watched inodes, inotify(7): the VFS tells here what happens to an object, and whoever watches it gets an
// event. File systems know nothing of it. Where nobody watches anything a hook costs one load.
//
// Called by fs/*.c with directories' and inodes' locks held, or none; never with a lock above RANK_DCACHE.
// The queue of events, and what a guest sees of it, is fs/anon/inotify.c.
// LIMIT: changes that are made on the host below a bind are not told. Files of procfs are new inodes at each
// look-up: nothing is told of them. Pipes, sockets and other files without a name tell nothing.
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H
#include "abi/fanotify.h"
#include "abi/inotify.h"
#include "base/rbtree.h"
#include "fs/vfs.h"

struct fan_mark;
struct inotify;

// ---- Hooks ------------------------------------------------------------------------------------------------
extern _Atomic uint32_t notify_watches;  // how many watches there are in all
static inline bool notify_on(void) {
    return __builtin_expect(atomic_load_explicit(&notify_watches, memory_order_relaxed) != 0, 0);
}

// Something was done to what d names: the directory that it lies in is told its name, then the object itself.
// event: LINUX_IN_*, and LINUX_FAN_OPEN_EXEC. via: through an open file by this path, or NULL; IN_EXCL_UNLINK
// ignores that once the name is gone.
void notify_object(struct dentry *d, uint32_t event, const struct path *via);
static inline void notify_file(struct file *f, uint32_t event) {
    if (notify_on() && (f->mode & FMODE_NOTIFY))
        notify_object(f->path.dentry, event, &f->path);
}
// A name came, went or moved in dir, whose lock is held. event: with LINUX_IN_ISDIR when it is a directory's.
struct notify_name {
    const char *p;  // not ended by a NUL
    size_t len;
    uint32_t cookie;      // of a rename; else 0
    struct inode *child;  // borrowed: the object
};
void notify_name(struct inode *dir, uint32_t event, const struct notify_name *name);
// A rename; the cookies are made here. Both directories are locked.
void notify_moved(struct inode *odir, struct notify_name *from, struct inode *ndir, struct notify_name *to);
void notify_new_name(struct inode *dir, struct dentry *d);
static inline void notify_created(struct inode *dir, struct dentry *d) {  // the lock of dir is held
    if (notify_on())
        notify_new_name(dir, d);
}
// i has one name more than before; then notify_created().
void notify_linked(struct inode *i);
// To the object alone.
void notify_inode(struct inode *i, uint32_t event);
// An open file is ready: it is told of from now on, with its closing.
void notify_opened(struct file *f);
// i has lost a name: unlinked, removed, or replaced by a rename. Its link count was changed, unless it is a
// directory that rmdir took. Watches let go of the dentry, so that the object can end.
void notify_unlinked(struct inode *i, bool is_rmdir);
// The last dentry of i is going, and is still its owner: when i has no name any more, it ends here for who
// watches it.
void notify_dentry_gone(struct inode *i);
// Nobody has sb mounted any more, and nobody can come to it.
void notify_super_gone(struct superblock *sb);
void notify_mount_gone(struct mount *m);  // it is about to be freed
// How events find out who acts: the thread, its process, and which use of the process's number it is. Set
// once.
struct notify_who {
    int32_t tid, pid;  // the kernel's numbers; 0: nobody of the guest's
    uint32_t use;
};
void vfs_set_notify_who(struct vfs *v, struct notify_who (*fn)(void));

// ---- Watches: for fs/anon/inotify.c -----------------------------------------------------------------------
// [n]: the lock of all watches, which also keeps an instance that has any from being freed.
struct watch {
    struct inotify *owner;  // [c] borrowed; NULL: of fanotify, or of F_NOTIFY
    struct fan_mark *mark;  // [c] of fanotify (fs/fanotify.h): begins with this; NULL: it is none
    // F_NOTIFY (fs/dnotify.c):
    struct file *told;      // [c] borrowed
    const void *told_by;    // [c] the table of descriptors that asked; to be compared only
    struct inode *inode;    // [c] owned
    struct dentry *pin;     // [n] owned, or NULL: some file systems know an inode again by its dentry alone
    uint32_t mask;          // [n] LINUX_IN_ALL_EVENTS, IN_EXCL_UNLINK, IN_ONESHOT
    int32_t wd;             // [n]
    struct list on_inode;   // [n] in inode->watches
    struct rb_node by_wd;   // [n] in the owner's tree
};
extern struct lock notify_lock;  // RANK_NOTIFY
// All with notify_lock held. watch_attach() takes over an allocated watch with its owner, number and mask;
// the inode is p's, which the caller holds.
void watch_attach(struct watch *w, const struct path *p);
struct watch *watch_find(struct inode *i, const struct inotify *owner);
void watch_set_mask(struct watch *w, uint32_t mask);
void watch_detach(struct watch *w, struct list *gone);  // to be freed by watches_free()
// Without any lock of notify.
void watches_free(struct list *gone);
// after watch_attach(): if d has lost its name meanwhile
void watch_unpin_deleted(struct inode *i, struct dentry *d);

// ---- Whom all this is charged to: a user by each instance's maker -----------------------------------------
#define NOTIFY_QUEUED_BYTES (8u << 20)  // of events, in all queues of a user
struct notify_user {
    struct list link;
    unsigned refs;                // [n]
    uint32_t uid;                 // [c]
    unsigned instances, watches;  // [n] of inotify
    unsigned groups, marks;       // [n] of fanotify
    _Atomic size_t queued;        // [a] bytes of events
};
struct notify_user *notify_user_get(uint32_t uid);  // NULL: no memory
void notify_user_put(struct notify_user *u);        // without notify_lock
bool notify_user_charge(struct notify_user *u, size_t bytes);
void notify_user_uncharge(struct notify_user *u, size_t bytes);

// What fs/anon/inotify.c does for notify.c; notify_lock is held.
void inotify_queue(struct inotify *in, int32_t wd, uint32_t mask, const struct notify_name *name);
void inotify_forget(struct watch *w);                                              // off the owner's tree
void inotify_each(bool (*match)(const struct watch *w, const void *arg), const void *arg,
                  void (*fn)(struct watch *w, struct list *gone), struct list *gone);

#endif
