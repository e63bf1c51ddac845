// SPDX-License-Identifier: Apache-2.0
// Control groups, cgroups(7), version 2, as guests see and make them: a tree, whose top is the sandbox
// itself, with the limits and the use of that (sentry/run/limits.h). All of it is under tasks_lock; nothing
// is counted for the top, so who makes no groups pays nothing.
#ifndef SENTRY_CGROUP_CGROUP_H
#define SENTRY_CGROUP_CGROUP_H
#include "base/list.h"
#include "base/refcount.h"
#include "base/waitq.h"
#include "fs/nsfs.h"
#include <stdbool.h>
#include <stdint.h>

struct file;
struct kernel;
struct superblock;
struct task;
struct tgroup;
struct vfs;
struct vfs_cred;

#define CGROUP_DEPTH_MAX 64u
#define CGROUP_NO_LIMIT  UINT64_MAX

enum cgroup_controller { CGROUP_CPU = 1, CGROUP_PIDS = 2, CGROUP_SERVED = CGROUP_CPU | CGROUP_PIDS };

// The files that can be given away, one by one, and the directory itself.
enum cgroup_owned { CGROUP_DIR, CGROUP_PROCS, CGROUP_THREADS, CGROUP_SUBTREE, CGROUP_OTHERS, CGROUP_OWNED };
struct cgroup_owner {
    uint32_t mode, uid, gid;
};

struct cgroup {
    struct refcount refs;    // its children, processes, namespaces, inodes; and its name
    struct kernel *k;        // [c]
    struct cgroup *parent;   // [c] owned; NULL: the top
    struct list children;    // [T]
    struct list sibling;     // [T]
    char *name;              // [c] owned
    uint64_t id;             // [T] set when it is linked: children come in the order of it
    uint64_t member;         // [c] of which container of a pod its maker was: only that one sees it
    unsigned depth;          // [c]
    bool dead;               // [T] removed
    unsigned nprocs;         // [T] living processes in it; of the top: not counted
    unsigned populated;      // [T] ... and below
    unsigned ntasks, peak;   // [T] threads, and zombies, in it and below; the most there were
    unsigned enabled;        // [T] enum cgroup_controller, for its children
    uint64_t pids_max, pids_refused;  // [T]
    uint64_t cpu_ns;         // [T] of what has ended or left, here and below
    uint64_t cpu_quota, cpu_period, cpu_weight;  // [T] us; as they were written
    struct cgroup_owner own[CGROUP_OWNED];       // [T]
    uint64_t changes;        // [T] of cgroup.events
    struct waitq changed;
};

// In struct tgroup. A reference of its own, and what is counted in the group for it.
struct cgroup_member {
    struct cgroup *in;   // [T] owned; NULL: the top
    unsigned tasks;      // [T] counted
    uint64_t cpu_base;   // [T] what it had used when it came
};

struct cgroup *cgroup_top(struct kernel *k);  // NULL: no memory
struct cgroup *cgroup_get(struct cgroup *g);
void cgroup_put(struct cgroup *g);  // NULL: nothing
// That of a process, a reference. Takes tasks_lock.
struct cgroup *cgroup_of(struct tgroup *g);

// ---- With tasks_lock held ---------------------------------------------------------------------------------
// Is it of the container whose task looks?
bool cgroup_is_shown(const struct cgroup *g);
bool cgroup_is_within(const struct cgroup *g, const struct cgroup *top);
// May there be one more task in it? Counts the refusal.
bool cgroup_has_room(struct cgroup *g);
void cgroup_count(struct tgroup *g, int tasks);  // of one that is published
void cgroup_born(struct tgroup *g);              // a living process
void cgroup_ended(struct tgroup *g);             // not any more; what it used is known
void cgroup_reaped(struct tgroup *g);
// 0; EBUSY: it has controllers for its children; ENODEV: it is gone.
int cgroup_may_hold(const struct cgroup *g);
void cgroup_move(struct tgroup *g, struct cgroup *to, struct cgroup **was);  // *was is to be put
uint64_t cgroup_cpu_ns(const struct cgroup *g);
uint64_t cgroup_memory(const struct cgroup *g);  // bytes that its processes' areas promise
// May these credentials write to that file of it?
int cgroup_permission(const struct cgroup *g, enum cgroup_owned which, const struct vfs_cred *c);
void cgroup_kill_all(struct cgroup *g);
unsigned cgroup_available(const struct cgroup *g);  // controllers that it has

// ---- Without it -------------------------------------------------------------------------------------------
// A child. EEXIST, ENODEV, EAGAIN (too deep), ENOMEM.
int cgroup_mkdir(struct cgroup *parent, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
                struct cgroup **out);
int cgroup_rmdir(struct cgroup *g);  // EBUSY, ENODEV
struct cgroup *cgroup_child(struct cgroup *parent, const char *name);  // a reference, or NULL
int cgroup_text(const struct cgroup *g, const struct cgroup *root, char *buf, size_t size);  // as /proc says

// ---- Namespaces -------------------------------------------------------------------------------------------
struct cgroup_ns {
    struct ns ns;
    struct cgroup *root;  // [c] owned
};
struct cgroup_ns *cgroup_ns_new(struct vfs *v, uint64_t ino, struct ns *owner, struct cgroup *root);
int cgroup_ns_make(struct task *t, struct ns *owner, struct ns **out);
struct cgroup *cgroup_root_for(struct task *t);  // of what t sees; a reference

// ---- The file system (cgroupfs.c) -------------------------------------------------------------------------
int cgroupfs_create(struct vfs *vfs, struct cgroup *root, struct superblock **out);
// For clone3(2): the group whose directory is open as fd, and that t may put a child of its into. EBADF,
// EACCES, EBUSY, ENODEV, ENOENT.
int cgroup_for_child(struct task *t, int fd, struct cgroup **out);
// May t move a process from one to the other? tasks_lock is held.
int cgroup_may_move(struct task *t, const struct vfs_cred *c, struct cgroup *from, struct cgroup *to);

#endif
