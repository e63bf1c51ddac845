// SPDX-License-Identifier: Apache-2.0
// Namespaces of mounts, mount(2) and its kin: trees of mounts, copied, bound, moved and taken off. Calls that
// can fail give -LINUX_E*.
#ifndef FS_MNT_NS_H
#define FS_MNT_NS_H
#include "fs/vfs.h"

// Paths are borrowed; what lies in another namespace than ns is EINVAL. Flags of a mount: those that it
// shows; of times RELATIME, NOATIME or neither.
#define MOUNT_ATIME (LINUX_MS_NOATIME | LINUX_MS_NODIRATIME | LINUX_MS_RELATIME)
#define MOUNT_FLAGS \
    (LINUX_MS_RDONLY | LINUX_MS_NOSUID | LINUX_MS_NODEV | LINUX_MS_NOEXEC | LINUX_MS_NOSYMFOLLOW | \
     MOUNT_ATIME)
#define MOUNT_ATIME_LOCKED LINUX_MS_STRICTATIME  // in locked_flags: those of times stay as they are
// How often what is mounted has changed; no lock. And the queue that is told, for who has a reference.
uint64_t mnt_ns_changes(const struct mnt_ns *ns);
struct waitq *mnt_ns_waitq(struct mnt_ns *ns);
struct mnt_ns *mnt_ns_get(struct mnt_ns *ns);
void mnt_ns_put(struct mnt_ns *ns);            // the last one takes its mounts off
struct mnt_ns *vfs_first_ns(struct vfs *vfs);  // borrowed
// A namespace of `owner` in which sb, which is taken over in any case, is the root and all there is. *out: a
// reference.
int mnt_ns_begin(struct vfs *vfs, struct superblock *sb, unsigned flags, const char *source,
                 struct ns *owner, struct mnt_ns **out);
// A copy of all that is mounted in ns, of `owner`. Each of the n paths that lies in ns is led to the same
// place in the copy.
int mnt_ns_copy(struct mnt_ns *ns, struct ns *owner, struct mnt_ns **out, struct path *paths[], unsigned n);
// from (and, `recursive`, what is mounted below it) once more at another place.
int vfs_bind_tree(struct mnt_ns *ns, const struct path *from, const struct path *at, bool recursive);
int vfs_mount_in(struct mnt_ns *ns, struct superblock *sb, const struct path *at, unsigned flags,
                 const char *source);  // vfs_mount(); sb is taken over in any case
// root: the caller's. beneath: below what lies there, instead of on it.
int vfs_move_mount(struct mnt_ns *ns, const struct path *from, const struct path *at, const struct path *root,
                   bool beneath);
int vfs_remount_check(struct mnt_ns *ns, const struct path *at, unsigned flags);  // would it be let?
int vfs_remount(struct mnt_ns *ns, const struct path *at, unsigned flags);
// kind: LINUX_MS_SHARED, SLAVE, PRIVATE or UNBINDABLE. may: over the namespace that it lies in? (EPERM)
int vfs_set_propagation(const struct path *at, unsigned long kind, bool recursive,
                        bool (*may)(void *arg, const struct ns *ns), void *arg);
int vfs_set_group(const struct path *from, const struct path *to, bool (*may)(void *arg, const struct ns *ns),
                  void *arg);
// propagation: 0: as it is
int vfs_mount_setattr(struct mnt_ns *ns, const struct path *at, bool recursive, unsigned set, unsigned clear,
                      unsigned long propagation);
// Is at the root of a mount of ns that may be taken off? -LINUX_EINVAL.
int vfs_may_umount(const struct mnt_ns *ns, const struct path *at);
// flags: LINUX_MNT_*. DETACH: with all that lies on it.
int vfs_umount_in(struct mnt_ns *ns, const struct path *at, unsigned flags);
// Trees that lie in no namespace yet, until vfs_move_mount(). *out is owned; whoever has it calls
// vfs_tree_end() once (FMODE_TREE).
int vfs_tree_clone(struct mnt_ns *ns, const struct path *from, bool recursive, struct path *out);
int vfs_mount_nowhere(struct mnt_ns *ns, struct superblock *sb, unsigned flags, const char *source,
                      struct path *out);  // takes a reference of its own
void vfs_tree_end(const struct path *p);
bool vfs_is_in(struct mnt_ns *ns, const struct path *p);
// Where the tree of ns begins, for who comes to it; owned; none: nothing is mounted.
struct path mnt_ns_root(struct mnt_ns *ns);
bool vfs_is_root_of(struct mnt_ns *ns, const struct path *p);
// new_root becomes the root, what was the caller's root is mounted on put_old. The caller leads processes
// over.
int vfs_pivot_root(struct mnt_ns *ns, const struct path *root, const struct path *new_root,
                   const struct path *put_old);

// ---- What there is ----------------------------------------------------------------------------------------
// The first mount of ns from that number on, the last one up to it: a reference, or NULL.
struct mount *mnt_ns_next(struct mnt_ns *ns, uint64_t number);
struct mount *mnt_ns_prev(struct mnt_ns *ns, uint64_t number);
struct mount_info {
    int id, parent_id;  // its own, for a root
    uint64_t number, parent_number;
    unsigned flags;
    unsigned group, master,
        from;  // peer groups, 0: none; from: the nearest to master that is seen below root
    bool unbindable;
};
void mount_tell(struct mount *m, const struct path *root, struct mount_info *out);
bool mount_is_reachable(const struct mount *m, const struct path *root);
struct mnt_ns *mnt_ns_anon(struct mnt_ns *like);  // NULL: no memory
bool ns_is_first_user(const struct ns *owner);    // of a user namespace (NULL: nobody's)

#endif
