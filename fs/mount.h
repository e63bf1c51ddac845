// SPDX-License-Identifier: Apache-2.0
// Mounts and their namespaces as structures; what is done with them is in fs/vfs.h, fs/mnt_ns.h and, for the
// files that do it, fs/mnt.h. Part of fs/vfs.h. Field letters: [c] constant, [a] atomic, [m] the mounts lock.
#ifndef FS_MOUNT_H
#define FS_MOUNT_H
#include "base/list.h"
#include "base/rbtree.h"
#include "base/refcount.h"
#include "base/waitq.h"
#include "fs/nsfs.h"
#include <stdbool.h>
#include <stdint.h>

struct dentry;
struct superblock;
struct vfs;
struct mount;

struct path {
    struct mount *mnt;  // both borrowed or both owned, as the holder says; {NULL, NULL} is "none"
    struct dentry *dentry;
};

// What a group of processes sees mounted: a tree, to which other namespaces have no way. An anonymous one is
// what open_tree(2) and fsmount(2) hang a tree in until it has a place: its root owns it.
struct mnt_ns {
    struct ns ns;
    struct vfs *vfs;        // [c] borrowed
    struct mount *root;     // [m] borrowed; NULL: nothing is mounted
    struct rb_root mounts;  // [m] by number
    bool anon;              // [c]
    uint64_t origin;        // [c] anon: the number of the namespace that it was made in
    uint64_t changes;       // [m] how often what is mounted has changed
    struct waitq changed;
};

// How far a mount is on its way off the tree, while others are looked at (fs/propagate.c).
enum mount_fate { MOUNT_STAYS, MOUNT_CANDIDATE, MOUNT_DOOMED };

struct mount {
    struct refcount refs;
    struct superblock *sb;  // [c] owned
    struct dentry *root;    // [c] owned
    // [m] owned. [m]: written under the mounts lock and the dcache lock, read under either
    struct mount *parent;
    struct dentry *mountpoint;  // [m] owned
    struct rb_node by_number;   // [m] in ns->mounts
    struct list link, heard;    // [m] in whatever lists are worked on
    struct list children;       // [m] mounts that lie on this one
    struct list sibling;        // [m] in parent->children
    struct rb_root by_place;    // [m] the same, by the names that they lie on
    struct rb_node at_place;    // [m] in parent->by_place
    struct mnt_ns *ns;          // [m] borrowed; NULL: it lies nowhere, or on such a one (mount_leave())
    struct path left;           // [m] owned: the place that it was taken off, to be put when no lock is held
    // [m] Propagation, mount_namespaces(7): all that share a group are in one ring
    unsigned group;             // 0: not shared
    struct list peers;          // the ring, without a head
    struct mount *master;       // borrowed, one of those that it is a slave of; NULL: none
    struct list slaves, slave;  // those that have it as their master; in master->slaves
    bool unbindable;
    // [m] of no meaning but while something is worked on: fs/propagate.c, fs/mnt_tree.c
    struct mount *copy, *relay;
    enum mount_fate fate;
    bool new_group, kept;
    _Atomic int expiring;    // > 0: marked by MNT_EXPIRE, and not used since but by who marked it
    struct list marks;       // under the lock of fs/notify.c: of fanotify
    _Atomic unsigned flags;  // MOUNT_FLAGS
    // [m] came from a namespace of another owner: it does not come off, nor do these flags, for who could
    // else see or do what it was there to keep from
    bool locked;
    unsigned locked_flags;
    int id;
    uint64_t number;  // [c] no other mount ever has it
    char *source;
};

#endif
