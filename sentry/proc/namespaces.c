// SPDX-License-Identifier: Apache-2.0
// See namespaces.h. A mount namespace is the place's (struct fs_ctx), which is never shared across one; the
// machine's names are the task's.
#include "sentry/proc/namespaces.h"
#include "abi/caps.h"
#include "abi/sched.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/uts_ns.h"
#include <string.h>

#define SERVED (LINUX_CLONE_NEWNS | LINUX_CLONE_NEWUTS)

struct uts_ns *uts_ns_get(struct uts_ns *u) {
    ref_get(&u->refs);
    return u;
}

void uts_ns_put(struct uts_ns *u) {
    if (u && ref_put(&u->refs))
        free(u);
}

struct uts_ns *uts_ns_new(uint64_t ino) {
    struct uts_ns *u = znew(struct uts_ns);
    if (!u)
        return NULL;
    ref_init(&u->refs, 1);
    u->ino = ino;
    memcpy(u->domainname, "(none)", sizeof "(none)");
    return u;
}

struct uts_ns *uts_ns_copy(const struct uts_ns *old, uint64_t ino) {
    struct uts_ns *u = uts_ns_new(ino);
    if (!u)
        return NULL;
    memcpy(u->hostname, old->hostname, sizeof u->hostname);
    memcpy(u->domainname, old->domainname, sizeof u->domainname);
    return u;
}

int namespaces_may(struct task *t, uint64_t flags) {
    if (!(flags & LINUX_CLONE_NS_FLAGS))
        return 0;
    if (flags & LINUX_CLONE_NS_FLAGS & ~SERVED)
        return -LINUX_EPERM;
    return task_capable(t, LINUX_CAP_SYS_ADMIN) ? 0 : -LINUX_EPERM;
}

// The names that t has are copied for c, which may be t.
static int new_uts(struct task *t, struct task *c) {
    struct uts_ns *old;
    {
        LOCKED(&t->k->tasks_lock);
        struct uts_ns *u = uts_ns_copy(t->uts, inode_next_ino(t->k->vfs) + 0xf0000000u);
        if (!u)
            return -LINUX_ENOMEM;
        old = c->uts;
        c->uts = u;
    }
    uts_ns_put(old);
    return 0;
}

int namespaces_for_child(struct task *t, struct task *c, uint64_t flags) {
    int err = flags & LINUX_CLONE_NEWUTS ? new_uts(t, c) : 0;
    return err == 0 && (flags & LINUX_CLONE_NEWNS) ? fs_ctx_new_ns(c->fs) : err;
}

int namespaces_unshare(struct task *t, uint64_t flags) {
    int err = flags & LINUX_CLONE_NEWUTS ? new_uts(t, t) : 0;
    return err == 0 && (flags & LINUX_CLONE_NEWNS) ? fs_ctx_new_ns(t->fs) : err;
}
