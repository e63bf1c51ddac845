// SPDX-License-Identifier: Apache-2.0
// What namespaces of all kinds have in common, and their file system: an open file of it stands for a
// namespace, namespaces(7). A kind's own structure begins with a struct ns.
#ifndef FS_NSFS_H
#define FS_NSFS_H
#include "base/refcount.h"
#include <stdbool.h>
#include <stdint.h>

struct file;
struct path;
struct vfs;

// In the order in which setns(2) enters several: what is owned comes after who owns it.
enum ns_kind { NS_USER, NS_MNT, NS_UTS, NS_IPC, NS_PID, NS_CGROUP, NS_NET, NS_TIME, NS_KINDS };

struct ns {
    struct refcount refs;
    struct vfs *vfs;    // [c] borrowed
    enum ns_kind kind;  // [c]
    uint64_t ino;       // [c] its number, /proc/PID/ns; later ones have greater ones
    struct ns *owner;   // [c] owned: the user namespace it was made in; of one: its parent; NULL: none
    bool charged;       // [c] counted in the owner: given back at the end
    void (*free)(struct ns *n);  // [c] the last reference is gone; the owner is put afterwards
};

const char *ns_kind_name(enum ns_kind kind);  // "mnt"
uint64_t ns_kind_flag(enum ns_kind kind);     // LINUX_CLONE_NEW*
// One reference; takes one of the owner, which may be NULL. ino: 0 for a new one.
void ns_init(struct ns *n, enum ns_kind kind, struct vfs *v, uint64_t ino, struct ns *owner,
             void (*free)(struct ns *n));
// How what was `charged` is given back; set once, before the first one is.
void nsfs_set_uncharge(struct vfs *v, void (*fn)(struct ns *owner, enum ns_kind kind));
struct ns *ns_get(struct ns *n);
void ns_put(struct ns *n);  // n may be NULL

// A place that stands for n: owned by the caller then. 0, ENOMEM.
int nsfs_path(struct vfs *v, struct ns *n, struct path *out);
struct ns *nsfs_of(const struct file *f);       // borrowed; NULL: it stands for none
struct ns *nsfs_of_path(const struct path *p);  // the same of a place
#endif
