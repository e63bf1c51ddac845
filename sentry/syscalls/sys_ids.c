// SPDX-License-Identifier: Apache-2.0
// Who a process is: ids of tasks, groups, sessions, users; capabilities. getpid gettid getppid getpgrp
// getpgid setpgid getsid setsid vhangup, get/set of user and group ids, getgroups setgroups, capget capset.
#include "abi/caps.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/jobctl.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_clone.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>
#include <string.h>

#define NO_ID ((uint32_t)-1)

int64_t sys_getpid(struct task *t, const struct sysargs *a) { return task_vpid(t); }
int64_t sys_gettid(struct task *t, const struct sysargs *a) { return task_vtid(t); }
int64_t sys_getppid(struct task *t, const struct sysargs *a) { return tgroup_ppid(t->tg); }
int64_t sys_getuid(struct task *t, const struct sysargs *a) { return task_uid_out(t, t->cred->uid); }
int64_t sys_geteuid(struct task *t, const struct sysargs *a) { return task_uid_out(t, t->cred->euid); }
int64_t sys_getgid(struct task *t, const struct sysargs *a) { return task_gid_out(t, t->cred->gid); }
int64_t sys_getegid(struct task *t, const struct sysargs *a) { return task_gid_out(t, t->cred->egid); }

// ---- Groups and sessions ----------------------------------------------------------------------------------
int32_t tgroup_pgid(struct tgroup *g) {
    LOCKED(&g->k->tasks_lock);
    return g->pgrp ? g->pgrp->pgid : 0;
}

// 0 names the caller. What `get` finds, or -LINUX_ESRCH.
static int64_t of_process(struct task *t, int32_t pid, int64_t (*get)(const struct tgroup *g)) {
    struct kernel *k = t->k;
    if (pid < 0)
        return -LINUX_ESRCH;
    LOCKED(&k->tasks_lock);
    int32_t own = pid ? pid_in(t->tg->pid_ns, pid) : t->tid;
    struct task *other = own ? k->pids[own] : NULL;
    struct tgroup *g = other ? other->tg : NULL;
    return g && g->pgrp ? pid_out(t->tg->pid_ns, (int32_t)get(g)) : -LINUX_ESRCH;
}
static int64_t pgid_of(const struct tgroup *g) { return g->pgrp->pgid; }
static int64_t sid_of(const struct tgroup *g) { return g->pgrp->session->sid; }

int64_t sys_getpgrp(struct task *t, const struct sysargs *a) { return of_process(t, 0, pgid_of); }
int64_t sys_getpgid(struct task *t, const struct sysargs *a) { return of_process(t, arg_int(a, 0), pgid_of); }
int64_t sys_getsid(struct task *t, const struct sysargs *a) { return of_process(t, arg_int(a, 0), sid_of); }

int64_t sys_setpgid(struct task *t, const struct sysargs *a) {
    int32_t pid = arg_int(a, 0), pgid = arg_int(a, 1);
    if (pgid < 0 || (pid < 0 && !pgid))  // without a group, the process's number is its
        return -LINUX_EINVAL;
    if (pid < 0)
        return -LINUX_ESRCH;
    LOCKED(&t->k->tasks_lock);
    const struct pid_ns *ns = t->tg->pid_ns;
    if (pid && !(pid = pid_in(ns, pid)))
        return -LINUX_ESRCH;
    // A number that nobody has names a group that cannot be made: after all else has been looked at.
    if (pgid && !(pgid = pid_in(ns, pgid)))
        pgid = PID_MAX;
    return tgroup_setpgid(t->tg, pid, pgid);
}
int64_t sys_setsid(struct task *t, const struct sysargs *a) {
    LOCKED(&t->k->tasks_lock);
    int sid = tgroup_setsid(t->tg);
    return sid < 0 ? sid : pid_out(t->tg->pid_ns, sid);
}
int64_t sys_vhangup(struct task *t, const struct sysargs *a) {
    return task_capable(t, LINUX_CAP_SYS_TTY_CONFIG) ? jobctl_vhangup(t) : -LINUX_EPERM;
}

unsigned task_count_uid(struct kernel *k, uint32_t uid) {
    LOCKED(&k->tasks_lock);
    unsigned n = 0;
    for (int32_t pid = 1; pid < k->pid_end; pid++)
        n += k->pids[pid] && k->pids[pid]->cred->uid == uid;
    return n;
}

// ---- User ids, credentials(7) -----------------------------------------------------------------------------
static bool one_of(uint32_t id, uint32_t x, uint32_t y, uint32_t z) { return id == x || id == y || id == z; }

// A number of the caller's, or NO_ID: true, and the kernel's in its place; false: nobody has it (EINVAL).
static bool read_id(struct task *t, bool group, uint32_t *id) {
    if (*id == NO_ID)
        return true;
    *id = group ? task_gid_in(t, *id) : task_uid_in(t, *id);
    return *id != ID_NONE;
}

// What changing user ids does to capabilities, capabilities(7) "Effect of user ID changes".
static void fix_caps(struct cred *c, const struct cred *old) {
    if (!(c->securebits & LINUX_SECBIT_NO_SETUID_FIXUP)) {
        const uint32_t root = cred_root(c);
        if (root == ID_NONE)
            return;
        bool had_root = one_of(root, old->uid, old->euid, old->suid);
        bool has_root = one_of(root, c->uid, c->euid, c->suid);
        if (had_root && !has_root) {
            if (!(c->securebits & LINUX_SECBIT_KEEP_CAPS))
                c->cap_permitted = 0;
            c->cap_effective = c->cap_ambient = 0;
        }
        if (old->euid == root && c->euid != root)
            c->cap_effective = 0;
        if (old->euid != root && c->euid == root)
            c->cap_effective = c->cap_permitted;
        if (old->fsuid != c->fsuid) {
            if (c->fsuid == root)
                c->cap_effective |= c->cap_permitted & LINUX_CAP_FS_MASK;
            else if (old->fsuid == root)
                c->cap_effective &= ~LINUX_CAP_FS_MASK;
        }
    }
}

// Publishes `c` (taken over) in place of t's credentials.
static int64_t commit_ids(struct task *t, struct cred *c) {
    fix_caps(c, t->cred);
    task_commit_cred(t, c);
    return 0;
}

// The three ids that setresuid() and its kin set, for users or groups; NO_ID leaves one.
struct ids {
    uint32_t real, effective, saved;
};

static int64_t set_ids(struct task *t, bool group, const struct ids *n, bool allowed) {
    if (!allowed)
        return -LINUX_EPERM;
    struct cred *c = cred_dup(t->cred, t->cred->ngroups);
    if (!c)
        return -LINUX_ENOMEM;
    uint32_t *real = group ? &c->gid : &c->uid, *eff = group ? &c->egid : &c->euid,
             *saved = group ? &c->sgid : &c->suid, *fs = group ? &c->fsgid : &c->fsuid;
    if (n->real != NO_ID)
        *real = n->real;
    if (n->effective != NO_ID)
        *eff = n->effective;
    if (n->saved != NO_ID)
        *saved = n->saved;
    *fs = *eff;
    return commit_ids(t, c);
}

static int64_t do_setres(struct task *t, bool group, uint32_t r, uint32_t e, uint32_t s) {
    const struct cred *c = t->cred;
    if (!read_id(t, group, &r) || !read_id(t, group, &e) || !read_id(t, group, &s))
        return -LINUX_EINVAL;
    uint32_t cr = group ? c->gid : c->uid, ce = group ? c->egid : c->euid, cs = group ? c->sgid : c->suid;
    bool ok = task_own_capable(t, group ? LINUX_CAP_SETGID : LINUX_CAP_SETUID) ||
              ((r == NO_ID || one_of(r, cr, ce, cs)) && (e == NO_ID || one_of(e, cr, ce, cs)) &&
               (s == NO_ID || one_of(s, cr, ce, cs)));
    return set_ids(t, group, &(struct ids){r, e, s}, ok);
}

static int64_t do_setre(struct task *t, bool group, uint32_t r, uint32_t e) {
    const struct cred *c = t->cred;
    if (!read_id(t, group, &r) || !read_id(t, group, &e))
        return -LINUX_EINVAL;
    uint32_t cr = group ? c->gid : c->uid, ce = group ? c->egid : c->euid, cs = group ? c->sgid : c->suid;
    bool ok = task_own_capable(t, group ? LINUX_CAP_SETGID : LINUX_CAP_SETUID) ||
              ((r == NO_ID || r == cr || r == ce) && (e == NO_ID || one_of(e, cr, ce, cs)));
    // The saved id follows when the real one is set, or the effective one to something else than the old real
    // one.
    uint32_t saved = NO_ID;
    if (r != NO_ID || (e != NO_ID && e != cr))
        saved = e != NO_ID ? e : ce;
    return set_ids(t, group, &(struct ids){r, e, saved}, ok);
}

static int64_t do_setid(struct task *t, bool group, uint32_t id) {
    const struct cred *c = t->cred;
    if (id == NO_ID || !read_id(t, group, &id))
        return -LINUX_EINVAL;
    if (task_own_capable(t, group ? LINUX_CAP_SETGID : LINUX_CAP_SETUID))
        return set_ids(t, group, &(struct ids){id, id, id}, true);
    bool ok = id == (group ? c->gid : c->uid) || id == (group ? c->sgid : c->suid);
    return set_ids(t, group, &(struct ids){NO_ID, id, NO_ID}, ok);
}

int64_t sys_setuid(struct task *t, const struct sysargs *a) { return do_setid(t, false, arg_u32(a, 0)); }
int64_t sys_setgid(struct task *t, const struct sysargs *a) { return do_setid(t, true, arg_u32(a, 0)); }
int64_t sys_setreuid(struct task *t, const struct sysargs *a) {
    return do_setre(t, false, arg_u32(a, 0), arg_u32(a, 1));
}
int64_t sys_setregid(struct task *t, const struct sysargs *a) {
    return do_setre(t, true, arg_u32(a, 0), arg_u32(a, 1));
}
int64_t sys_setresuid(struct task *t, const struct sysargs *a) {
    return do_setres(t, false, arg_u32(a, 0), arg_u32(a, 1), arg_u32(a, 2));
}
int64_t sys_setresgid(struct task *t, const struct sysargs *a) {
    return do_setres(t, true, arg_u32(a, 0), arg_u32(a, 1), arg_u32(a, 2));
}

// setfsuid(2) answers the old id whether or not it changed anything.
static int64_t do_setfs(struct task *t, bool group, uint32_t id) {
    const struct cred *c = t->cred;
    uint32_t old = group ? c->fsgid : c->fsuid;
    uint32_t shown = group ? task_gid_out(t, old) : task_uid_out(t, old);
    if (!read_id(t, group, &id))
        return shown;
    bool ok = task_own_capable(t, group ? LINUX_CAP_SETGID : LINUX_CAP_SETUID) || id == old ||
              (group ? one_of(id, c->gid, c->egid, c->sgid) : one_of(id, c->uid, c->euid, c->suid));
    struct cred *n = id != NO_ID && ok && id != old ? cred_dup(c, c->ngroups) : NULL;
    if (n) {
        *(group ? &n->fsgid : &n->fsuid) = id;
        commit_ids(t, n);
    }
    return shown;
}
int64_t sys_setfsuid(struct task *t, const struct sysargs *a) { return do_setfs(t, false, arg_u32(a, 0)); }
int64_t sys_setfsgid(struct task *t, const struct sysargs *a) { return do_setfs(t, true, arg_u32(a, 0)); }

static int64_t put_ids(struct task *t, const struct sysargs *a, uint32_t r, uint32_t e, uint32_t s) {
    if (copy_out_obj(t, arg_ptr(a, 0), &r) < 0 || copy_out_obj(t, arg_ptr(a, 1), &e) < 0 ||
        copy_out_obj(t, arg_ptr(a, 2), &s) < 0)
        return -LINUX_EFAULT;
    return 0;
}
int64_t sys_getresuid(struct task *t, const struct sysargs *a) {
    const struct cred *c = t->cred;
    return put_ids(t, a, task_uid_out(t, c->uid), task_uid_out(t, c->euid), task_uid_out(t, c->suid));
}
int64_t sys_getresgid(struct task *t, const struct sysargs *a) {
    const struct cred *c = t->cred;
    return put_ids(t, a, task_gid_out(t, c->gid), task_gid_out(t, c->egid), task_gid_out(t, c->sgid));
}

#define NGROUPS_MAX 65536u

static int put_groups(struct task *t, uaddr_t to) {
    const struct cred *c = t->cred;
    uint32_t some[64];
    for (unsigned done = 0, n; done < c->ngroups; done += n) {
        for (n = 0; n < sizeof some / sizeof some[0] && done + n < c->ngroups; n++)
            some[n] = task_gid_out(t, c->groups[done + n]);
        if (copy_out(t, uaddr_add(to, done * sizeof some[0]), some, n * sizeof some[0]) < 0)
            return -LINUX_EFAULT;
    }
    return 0;
}

int64_t sys_getgroups(struct task *t, const struct sysargs *a) {
    int32_t size = arg_int(a, 0);
    const struct cred *c = t->cred;
    if (size < 0 || (size && (unsigned)size < c->ngroups))
        return -LINUX_EINVAL;
    return size && put_groups(t, arg_ptr(a, 1)) < 0 ? -LINUX_EFAULT : (int64_t)c->ngroups;
}

int64_t sys_setgroups(struct task *t, const struct sysargs *a) {
    uint32_t n = arg_u32(a, 0);
    if (!user_ns_may_setgroups(t))
        return -LINUX_EPERM;
    if (n > NGROUPS_MAX)
        return -LINUX_EINVAL;
    struct cred *c = cred_dup(t->cred, n);
    if (!c)
        return -LINUX_ENOMEM;
    if (copy_in(t, c->groups, arg_ptr(a, 1), n * sizeof c->groups[0]) < 0) {
        cred_put(c);
        return -LINUX_EFAULT;
    }
    for (uint32_t i = 0; i < n; i++)
        if ((c->groups[i] = task_gid_in(t, c->groups[i])) == ID_NONE) {
            cred_put(c);
            return -LINUX_EINVAL;
        }
    cred_sort_groups(c);
    task_commit_cred(t, c);
    return 0;
}

// ---- Capabilities, capget(2) ------------------------------------------------------------------------------
// How many 32-bit words a header's version means; an unknown version is answered with the best one.
static int64_t cap_words(struct task *t, uaddr_t addr, struct linux_cap_user_header *h) {
    if (copy_in_obj(t, &h->version, addr) < 0)  // alone first: an unknown one may have no pid behind it
        return -LINUX_EFAULT;
    int64_t words = h->version == LINUX_CAPABILITY_VERSION_1 ? 1 : 2;
    switch (h->version) {
    case LINUX_CAPABILITY_VERSION_1:
    case LINUX_CAPABILITY_VERSION_2:
    case LINUX_CAPABILITY_VERSION_3:
        return copy_in_obj(t, &h->pid, uaddr_add(addr, sizeof h->version)) < 0 ? -LINUX_EFAULT : words;
    }
    uint32_t best = LINUX_CAPABILITY_VERSION_3;
    return copy_out(t, addr, &best, sizeof best) < 0 ? -LINUX_EFAULT : -LINUX_EINVAL;
}

int64_t sys_capget(struct task *t, const struct sysargs *a) {
    struct linux_cap_user_header h;
    int64_t words = cap_words(t, arg_ptr(a, 0), &h);
    if (!arg_given(a, 1) && (words >= 0 || words == -LINUX_EINVAL))
        return 0;  // it asks for the version alone
    if (words < 0)
        return words;
    if (h.pid < 0)
        return -LINUX_EINVAL;
    struct task *other = h.pid ? task_find(t, h.pid) : task_get(t);
    if (!other)
        return -LINUX_ESRCH;
    struct linux_cap_user_data d[2];
    {
        LOCKED(&t->k->tasks_lock);
        const struct cred *c = other->cred;
        for (int i = 0; i < 2; i++)
            d[i] = (struct linux_cap_user_data){(uint32_t)(c->cap_effective >> 32 * i),
                                                (uint32_t)(c->cap_permitted >> 32 * i),
                                                (uint32_t)(c->cap_inheritable >> 32 * i)};
    }
    task_put(other);
    return copy_out(t, arg_ptr(a, 1), d, (size_t)words * sizeof d[0]);
}

int64_t sys_capset(struct task *t, const struct sysargs *a) {
    struct linux_cap_user_header h;
    struct linux_cap_user_data d[2] = {0};
    int64_t words = cap_words(t, arg_ptr(a, 0), &h);
    if (words < 0)
        return words;
    if (h.pid != 0 && h.pid != task_vtid(t))
        return -LINUX_EPERM;
    if (copy_in(t, d, arg_ptr(a, 1), (size_t)words * sizeof d[0]) < 0)
        return -LINUX_EFAULT;
    uint64_t eff = (d[0].effective | (uint64_t)d[1].effective << 32) & LINUX_CAP_ALL;
    uint64_t perm = (d[0].permitted | (uint64_t)d[1].permitted << 32) & LINUX_CAP_ALL;
    uint64_t inh = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & LINUX_CAP_ALL;
    const struct cred *c = t->cred;
    bool may_inherit = task_own_capable(t, LINUX_CAP_SETPCAP);
    if ((perm & ~c->cap_permitted) || (eff & ~perm) || (inh & ~(c->cap_inheritable | c->cap_bounding)) ||
        (!may_inherit && (inh & ~(c->cap_inheritable | c->cap_permitted))))
        return -LINUX_EPERM;
    struct cred *n = cred_dup(c, c->ngroups);
    if (!n)
        return -LINUX_ENOMEM;
    n->cap_permitted = perm;
    n->cap_effective = eff;
    n->cap_inheritable = inh;
    n->cap_ambient &= perm & inh;
    task_commit_cred(t, n);
    return 0;
}
