// SPDX-License-Identifier: Apache-2.0
// Sending signals: kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal. Who may send to
// whom is signal_may_send(). A number that names nobody is ESRCH before a bad signal number is EINVAL, as on
// Linux. Locks: tasks_lock while targets are found and asked; the queues' locks inside.
#include "abi/misc.h"
#include "sentry/fd/fdtable.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pgroup.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/pidfd.h"
#include "sentry/procfs/procfs.h"
#include "sentry/signal/impl.h"
#include "sentry/syscalls/table.h"

static struct linux_siginfo sent_by(const struct task *t, int sig, int code) {
    struct linux_siginfo info = {.si_signo = sig, .si_code = code};
    info.si_pid = task_vpid(t);
    info.si_uid = task_uid_out(t, t->cred->uid);
    return info;
}

// The sender, in the numbers of who gets it: none, when that cannot see it.
static struct linux_siginfo as_seen_by(const struct task *from, const struct tgroup *to,
                                       const struct linux_siginfo *info) {
    struct linux_siginfo i = *info;
    bool tells = i.si_code == LINUX_SI_USER || i.si_code == LINUX_SI_TKILL || i.si_code == LINUX_SI_QUEUE;
    const struct user_ns *its = to->leader ? to->leader->cred->user : NULL;
    if (tells && its && its != from->cred->user)
        i.si_uid = idmap_shown(user_ns_uids(its), task_uid_in(from, i.si_uid));
    if (tells && !pid_out(to->pid_ns, from->tg->pid))
        i.si_pid = 0;
    return i;
}

// tasks_lock held. `to`: one thread of g, or NULL for the process.
static int send_checked(struct task *from, struct tgroup *g, struct task *to, int sig,
                        const struct linux_siginfo *info) {
    if (sig < 0 || sig > LINUX_NSIG)
        return -LINUX_EINVAL;
    if (!signal_may_send(from, g, sig))
        return -LINUX_EPERM;
    if (sig == 0)
        return 0;
    struct linux_siginfo shown = as_seen_by(from, g, info);
    info = &shown;
    return to ? signal_send_task(to, sig, info) : signal_send_group(g, sig, info);
}

static struct tgroup *find_group(struct task *t, int32_t nr) {
    struct kernel *k = t->k;
    int32_t pid = pid_in(t->tg->pid_ns, nr);
    if (!pid)
        return NULL;
    if (!k->tgs[pid] && k->pids[pid])
        return k->pids[pid]->tg;  // the number of a thread names its process here
    return k->tgs[pid];
}

// ---- kill -------------------------------------------------------------------------------------------------
static int64_t kill_pgrp(struct task *t, struct pgroup *p, int sig, const struct linux_siginfo *info) {
    struct tgroup *g;
    int64_t err = -LINUX_ESRCH;
    bool any = false;
    if (!p)
        return err;
    list_for_each(g, &p->members, pgrp_link) {
        int e = send_checked(t, g, NULL, sig, info);
        any |= e == 0;
        err = e;
    }
    return any ? 0 : err;
}

// Everybody but the init and the caller's own process.
static int64_t kill_all(struct task *t, int sig, const struct linux_siginfo *info) {
    int64_t err = 0;
    bool any = false;
    for (int32_t pid = 2; pid < t->k->pid_end; pid++) {
        struct tgroup *g = t->k->tgs[pid];
        if (!g || g == t->tg || pid_out(t->tg->pid_ns, pid) < 2)
            continue;
        any = true;
        int e = send_checked(t, g, NULL, sig, info);
        if (e != -LINUX_EPERM)
            err = e;
    }
    return any ? err : -LINUX_ESRCH;
}

int64_t sys_kill(struct task *t, const struct sysargs *a) {
    int32_t pid = arg_int(a, 0);
    int sig = arg_int(a, 1);
    struct linux_siginfo info = sent_by(t, sig, LINUX_SI_USER);
    struct kernel *k = t->k;
    LOCKED(&k->tasks_lock);
    if (pid > 0) {
        struct tgroup *g = find_group(t, pid);
        return g ? send_checked(t, g, NULL, sig, &info) : -LINUX_ESRCH;
    }
    if (pid == -1)
        return kill_all(t, sig, &info);
    if (pid == INT32_MIN)
        return -LINUX_ESRCH;
    return kill_pgrp(t, pid == 0 ? t->tg->pgrp : pgroup_find(k, pid_in(t->tg->pid_ns, -pid)), sig, &info);
}

// ---- To one thread ----------------------------------------------------------------------------------------
// tgid 0: of any process.
static int64_t send_thread(struct task *t, int32_t tgid, int32_t tid, int sig,
                           const struct linux_siginfo *info) {
    struct kernel *k = t->k;
    LOCKED(&k->tasks_lock);
    int32_t pid = pid_in(t->tg->pid_ns, tid);
    struct task *to = pid ? k->pids[pid] : NULL;
    if (!to || (tgid && to->tg->pid != pid_in(t->tg->pid_ns, tgid)))
        return -LINUX_ESRCH;
    return send_checked(t, to->tg, to, sig, info);
}

int64_t sys_tkill(struct task *t, const struct sysargs *a) {
    int32_t tid = arg_int(a, 0);
    struct linux_siginfo info = sent_by(t, arg_int(a, 1), LINUX_SI_TKILL);
    return tid <= 0 ? -LINUX_EINVAL : send_thread(t, 0, tid, arg_int(a, 1), &info);
}

int64_t sys_tgkill(struct task *t, const struct sysargs *a) {
    int32_t tgid = arg_int(a, 0), tid = arg_int(a, 1);
    struct linux_siginfo info = sent_by(t, arg_int(a, 2), LINUX_SI_TKILL);
    return tgid <= 0 || tid <= 0 ? -LINUX_EINVAL : send_thread(t, tgid, tid, arg_int(a, 2), &info);
}

// ---- With a siginfo of the sender's own -------------------------------------------------------------------
// Nobody may pretend to be the kernel or kill(2) towards others.
static int64_t read_info(struct task *t, struct linux_siginfo *info, uaddr_t addr, int sig, bool self) {
    if (copy_in_obj(t, info, addr) < 0)
        return -LINUX_EFAULT;
    info->si_signo = sig;
    if (!self && (info->si_code >= 0 || info->si_code == LINUX_SI_TKILL))
        return -LINUX_EPERM;
    return 0;
}

int64_t sys_rt_sigqueueinfo(struct task *t, const struct sysargs *a) {
    int32_t pid = arg_int(a, 0);
    int sig = arg_int(a, 1);
    struct linux_siginfo info;
    int64_t err = read_info(t, &info, arg_ptr(a, 2), sig, pid == task_vpid(t));
    if (err < 0)
        return err;
    LOCKED(&t->k->tasks_lock);
    struct tgroup *g = find_group(t, pid);
    return g ? send_checked(t, g, NULL, sig, &info) : -LINUX_ESRCH;
}

int64_t sys_rt_tgsigqueueinfo(struct task *t, const struct sysargs *a) {
    int32_t tgid = arg_int(a, 0), tid = arg_int(a, 1);
    int sig = arg_int(a, 2);
    struct linux_siginfo info;
    if (copy_in_obj(t, &info, arg_ptr(a, 3)) < 0)
        return -LINUX_EFAULT;
    if (tgid <= 0 || tid <= 0)
        return -LINUX_EINVAL;
    info.si_signo = sig;
    if (tid != task_vtid(t) && (info.si_code >= 0 || info.si_code == LINUX_SI_TKILL))
        return -LINUX_EPERM;
    return send_thread(t, tgid, tid, sig, &info);
}

// LIMIT: the PIDFD_SIGNAL_* scopes are EINVAL; the signal goes to the process.
int64_t sys_pidfd_send_signal(struct task *t, const struct sysargs *a) {
    int sig = arg_int(a, 1);
    if (arg_u32(a, 3))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get(t->files, arg_int(a, 0));
    struct tgroup *g = f ? pidfd_tgroup(f) : NULL;
    if (!g && f)
        g = procfs_process(f);
    if (!g)
        return -LINUX_EBADF;
    struct linux_siginfo info = sent_by(t, sig, LINUX_SI_USER);
    if (arg_given(a, 2)) {
        if (copy_in_obj(t, &info, arg_ptr(a, 2)) < 0)
            return -LINUX_EFAULT;
        if (info.si_signo != sig)
            return -LINUX_EINVAL;
        if (g != t->tg && (info.si_code >= 0 || info.si_code == LINUX_SI_TKILL))
            return -LINUX_EPERM;
    }
    LOCKED(&t->k->tasks_lock);
    if (g->state == TG_REAPED)
        return -LINUX_ESRCH;
    if (!pid_ns_is_in(g->pid_ns, t->tg->pid_ns))
        return -LINUX_EINVAL;
    return send_checked(t, g, NULL, sig, &info);
}
