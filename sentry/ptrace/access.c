// SPDX-License-Identifier: Apache-2.0
// Who may look into whom: ptrace(2), "Ptrace access mode checking", without the security modules of a
// distribution (there is no Yama here). A boundary between users inside the sandbox. Called with tasks_lock
// held, which keeps both credentials from being replaced.
#include "abi/caps.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/ptrace/ptrace.h"

static bool same_ids(const struct cred *t, uint32_t uid, uint32_t gid) {
    return uid == t->euid && uid == t->suid && uid == t->uid && gid == t->egid && gid == t->sgid &&
           gid == t->gid;
}

bool ptrace_may_access(const struct task *me, const struct task *t, enum ptrace_creds how) {
    const struct cred *c = me->cred, *o = t->cred;
    if (me->tg == t->tg || cred_ns_capable(c, o->user, LINUX_CAP_SYS_PTRACE))
        return true;
    bool fs = how == PTRACE_FSCREDS;
    uint64_t mine = fs ? c->cap_effective : c->cap_permitted;
    return same_ids(o, fs ? c->fsuid : c->uid, fs ? c->fsgid : c->gid) && t->tg->dumpable == 1 &&
           c->user == o->user && !(o->cap_permitted & ~mine);
}

bool ptrace_tracer_capable(struct task *t) {
    LOCKED(&t->k->tasks_lock);
    const struct task *tracer = t->ptrace ? t->ptrace->tracer : NULL;
    return !tracer || task_ns_capable(tracer, t->cred->user, LINUX_CAP_SYS_PTRACE);
}
