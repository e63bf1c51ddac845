// SPDX-License-Identifier: Apache-2.0
// What the files about mounts share: mount.c, mnt_tree.c, propagate.c, mnt_ns.c, mnt_ops.c. Everything here
// wants mounts_lock, if nothing else is said.
#ifndef FS_MNT_H
#define FS_MNT_H
#include "fs/core.h"
#include "fs/mnt_ns.h"

#define MOUNTS_MAX  100000u  // of all namespaces: /proc/sys/fs/mount-max
#define MOUNT_BYTES 1024u    // what one is charged

// ---- One mount (mount.c) ----------------------------------------------------------------------------------
// Without a lock. Not put on any tree yet, m is freed without its file system.
void mount_discard(struct mount *m);
// 0; -LINUX_ENOSPC: there are as many as there can be; -LINUX_EINTR: the caller dies. Asked for each new one.
int mount_room(struct vfs *v);
// m, which is on no tree, to a place (its references are taken over), or to be the root of ns (no place). It
// belongs to ns from now on; NULL: it is part of a copy that lies nowhere yet.
void mount_link(struct vfs *v, struct mount *m, struct path place, struct mnt_ns *ns);
void mount_enter(struct vfs *v, struct mount *m, struct mnt_ns *ns);  // ... nothing but that
void mount_exit(struct vfs *v, struct mount *m);
// m off its place, which is put into m->left, and out of its namespace.
void mount_unlink(struct vfs *v, struct mount *m);
// As mount_unlink(), but it stays on its parent, which is to be taken off as well: that owns it from now on.
void mount_leave(struct vfs *v, struct mount *m);
// m, with all that lies on it, to another place of its namespace; the old one is to be put.
struct path mount_hang(struct vfs *v, struct mount *m, const struct path *to);
void mount_put_left(struct mount *m);  // no lock is held: the place, and the table's reference
bool mounts_fit(const struct path *at, const struct dentry *root);  // both directories, or both none
bool dentry_lies_below(const struct dentry *d, const struct dentry *top);

// What the sandbox begins with: relatime, if nothing is said.
static inline unsigned mount_usual(unsigned flags) {
    return flags & (MOUNT_ATIME | LINUX_MS_STRICTATIME) ? flags & MOUNT_FLAGS
                                                        : (flags & MOUNT_FLAGS) | LINUX_MS_RELATIME;
}

// ---- Trees (mnt_tree.c) -----------------------------------------------------------------------------------
struct mount *tree_next(const struct mount *m, const struct mount *top);  // parents before their children
struct mount *tree_next_beside(const struct mount *m, const struct mount *top);  // not below m
bool tree_has(const struct mount *tree, const struct mount *m);
bool tree_has_unbindable(struct mount *tree);
bool is_ns_of_mounts(const struct mount *m);

#define COPY_SLAVE      1u  // of what is shared; else the copy is in its group
#define COPY_SHARED     2u  // whatever it was
#define COPY_PRIVATE    4u
#define COPY_UNBINDABLE 8u   // these too; else they are left out, and an error as the top
#define COPY_NAMESPACES 16u  // files that stand for namespaces of mounts too
// A copy of top below root, and with `all` of what lies there, in no namespace. Errors: ENOMEM, ENOSPC,
// EINVAL, EPERM, EINTR. What has been made then is put on `gone`.
int tree_copy(struct mount *top, struct dentry *root, bool all, unsigned how, struct mount **out,
              struct list *gone);
void tree_discard(struct mount *copy, struct list *gone);
// tree, which has no place, is the root of an anonymous namespace, or lies in that of `at`, to that place,
// and by propagation to others: all or nothing. What lay there lies on it then. ns: the caller's. *was: where
// a moved one lay, to be put. An anonymous namespace has lost its root then.
int tree_attach(struct mnt_ns *ns, struct mount *tree, const struct path *at, struct path *was,
                struct list *gone);
// top and all that lies on it, off. What is locked stays on its parent: who has a file open there must not
// come to see what it hides.
enum take_how { TAKE_ALONE = 0, TAKE_PROPAGATE = 1, TAKE_CONNECTED = 2, TAKE_SYNC = 4 };
void tree_take_off(struct mount *top, unsigned how, struct list *gone);
void tree_lock(struct mount *tree, bool top_too);  // for another owner, who may do less with it
void put_all(struct list *gone);                   // no lock is held
void mnt_ns_changed(struct mnt_ns *ns);

// ---- Propagation (propagate.c) ----------------------------------------------------------------------------
bool mounts_are_peers(const struct mount *a, const struct mount *b);
void propagation_inherit(struct mount *copy, struct mount *old, unsigned how);
void propagation_set(struct mount *m, unsigned long kind);   // LINUX_MS_SHARED, SLAVE, PRIVATE, UNBINDABLE
void propagation_join(struct mount *m, struct mount *like);  // MOVE_MOUNT_SET_GROUP
// Copies of tree, which goes to `at`, for all that hears of it there; each with its place in `left`, on
// `out`.
int propagate_mount(struct mount *tree, const struct path *at, struct list *out, struct list *gone);
bool propagates_to(const struct mount *from, const struct mount *to);
// Is m, or what goes with it, used by others than `refs` holders?
bool propagate_busy(struct mount *m, long refs);
// Adds to `doomed` what has to go with those on it, and puts what lay on that in its place.
void propagate_umount(struct list *doomed);
void propagate_unlock(struct mount *m);  // the copies of m are no longer locked: it goes off itself
// A group of mounts near to m that the caller sees (below root): mountinfo's propagate_from; 0: none.
unsigned propagation_dominating(struct mount *m, const struct path *root);

#endif
