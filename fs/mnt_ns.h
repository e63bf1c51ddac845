// SPDX-License-Identifier: Apache-2.0
// Namespaces of mounts, mount(2) and its kin: trees of mounts, copied, bound, moved and taken off. Calls that
// can fail give -LINUX_E*.
#ifndef FS_MNT_NS_H
#define FS_MNT_NS_H
#include "fs/vfs.h"

// Paths are borrowed; what lies in another namespace than ns is EINVAL.
#define MOUNT_FLAGS \
    (LINUX_MS_RDONLY | LINUX_MS_NOSUID | LINUX_MS_NODEV | LINUX_MS_NOEXEC | LINUX_MS_NOATIME | \
     LINUX_MS_NODIRATIME | LINUX_MS_RELATIME)
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
int vfs_move_mount(struct mnt_ns *ns, const struct path *from, const struct path *at);
int vfs_remount(struct mnt_ns *ns, const struct path *at, unsigned flags);
int vfs_umount_tree(struct mnt_ns *ns, const struct path *at);  // MNT_DETACH: with all that lies on it
bool vfs_is_in(struct mnt_ns *ns, const struct path *p);
// Where the tree of ns begins, for who comes to it; owned; none: nothing is mounted.
struct path mnt_ns_root(struct mnt_ns *ns);
bool vfs_is_root_of(struct mnt_ns *ns, const struct path *p);
// new_root becomes the root, what was the caller's root is mounted on put_old. The caller leads processes
// over.
int vfs_pivot_root(struct mnt_ns *ns, const struct path *root, const struct path *new_root,
                   const struct path *put_old);

#endif
