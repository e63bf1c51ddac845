// SPDX-License-Identifier: Apache-2.0
// Who may look into whom: ptrace(2), "Ptrace access mode checking", without the security modules of a
// distribution (there is no Yama here). A boundary between users inside the sandbox. Called with tasks_lock
// held, which keeps both credentials from being replaced.
#include "abi/caps.h"
#include "fs/landlock.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/ptrace/ptrace.h"

static bool same_ids(const struct cred *t, uint32_t uid, uint32_t gid) {
    return uid == t->euid && uid == t->suid && uid == t->uid && gid == t->egid && gid == t->sgid &&
           gid == t->gid;
}

// What is in memory may be from before the task's credentials, or not for its user to read: then the
// namespace counts that the program was begun in.
bool ptrace_may_see(const struct cred *c, const struct mm *mm) {
    return mm->dumpable == 1 || cred_ns_capable(c, mm->user, LINUX_CAP_SYS_PTRACE);
}

bool ptrace_may_access(const struct task *me, const struct task *t, enum ptrace_creds how) {
    const struct cred *c = me->cred, *o = t->cred;
    if (me->tg == t->tg)
        return true;
    if (!landlock_is_inside(o->landlock, c->landlock))
        return false;
    bool fs = how == PTRACE_FSCREDS;
    uint64_t mine = fs ? c->cap_effective : c->cap_permitted;
    bool alike = same_ids(o, fs ? c->fsuid : c->uid, fs ? c->fsgid : c->gid) && c->user == o->user &&
                 !(o->cap_permitted & ~mine);
    return (alike || cred_ns_capable(c, o->user, LINUX_CAP_SYS_PTRACE)) &&
           (!t->mm || ptrace_may_see(c, t->mm));
}

bool ptrace_tracer_capable(struct task *t) {
    LOCKED(&t->k->tasks_lock);
    const struct task *tracer = t->ptrace ? t->ptrace->tracer : NULL;
    return !tracer || task_ns_capable(tracer, t->cred->user, LINUX_CAP_SYS_PTRACE);
}
