// SPDX-License-Identifier: Apache-2.0
// The machine and the limits: uname sysinfo sethostname setdomainname getrandom, get/setrlimit prlimit64
// getrusage, arch_prctl personality.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/uio.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/sysinfo.h"
#include "abi/utsname.h"
#include "base/clock.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include "sentry/proc/uts_ns.h"
#include "sentry/run/limits.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/cpu_timers.h"
#include "sentry/time/time_ns.h"
#include <stdio.h>
#include <string.h>

// ---- uname ------------------------------------------------------------------------------------------------
int64_t sys_uname(struct task *t, const struct sysargs *a) {
    struct linux_utsname u = {.sysname = "Linux", .release = KERNEL_RELEASE, .machine = "x86_64"};
    snprintf(u.version, sizeof u.version, "#1 SMP Picket %s", PICKET_VERSION);
    {
        LOCKED(&t->k->tasks_lock);
        memcpy(u.nodename, task_uts(t)->hostname, sizeof u.nodename);
        memcpy(u.domainname, task_uts(t)->domainname, sizeof u.domainname);
    }
    return copy_out_obj(t, arg_ptr(a, 0), &u);
}

static int64_t set_name(struct task *t, const struct sysargs *a, size_t which) {
    char text[LINUX_UTSNAME_LENGTH] = {0};
    int len = arg_int(a, 1);
    if (!task_capable_over(t, &task_uts(t)->ns, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (len < 0 || len > LINUX_HOST_NAME_MAX)
        return -LINUX_EINVAL;
    if (copy_in(t, text, arg_ptr(a, 0), (size_t)len) < 0)
        return -LINUX_EFAULT;
    LOCKED(&t->k->tasks_lock);
    memcpy((char *)task_uts(t) + which, text, sizeof text);
    return 0;
}
int64_t sys_sethostname(struct task *t, const struct sysargs *a) {
    return set_name(t, a, offsetof(struct uts_ns, hostname));
}
int64_t sys_setdomainname(struct task *t, const struct sysargs *a) {
    return set_name(t, a, offsetof(struct uts_ns, domainname));
}

int64_t sys_sysinfo(struct task *t, const struct sysargs *a) {
    struct linux_sysinfo s = {.mem_unit = 1, .totalram = limits_mem_total(t->k, t->tg)};
    uint64_t up = task_time_out(t, LINUX_CLOCK_BOOTTIME, kernel_uptime_ns());
    s.uptime = (int64_t)(up / NS_PER_SEC + (up % NS_PER_SEC != 0));  // as Linux rounds it
    uint64_t used = kernel_mem_used(t->k);
    s.freeram = used < s.totalram ? s.totalram - used : 0;
    {
        LOCKED(&t->k->tasks_lock);
        s.procs = (uint16_t)t->k->ntasks;
    }
    return copy_out_obj(t, arg_ptr(a, 0), &s);
}

#define RANDOM_CHUNK 4096u

int64_t sys_getrandom(struct task *t, const struct sysargs *a) {
    unsigned char buf[RANDOM_CHUNK];
    uint64_t len = arg_size(a, 1), done = 0;
    unsigned flags = arg_u32(a, 2);
    const unsigned known = LINUX_GRND_NONBLOCK | LINUX_GRND_RANDOM | LINUX_GRND_INSECURE;
    if ((flags & ~known) ||
        (flags & (LINUX_GRND_RANDOM | LINUX_GRND_INSECURE)) == (LINUX_GRND_RANDOM | LINUX_GRND_INSECURE))
        return -LINUX_EINVAL;
    if (len > LINUX_MAX_RW_COUNT)
        len = LINUX_MAX_RW_COUNT;
    if (!user_range_ok(arg_ptr(a, 0).v, len))
        return -LINUX_EFAULT;
    while (done < len) {
        uint64_t n = len - done < sizeof buf ? len - done : sizeof buf;
        random_bytes(buf, n);
        int64_t put = copy_out_some(t, uaddr_add(arg_ptr(a, 0), done), buf, n);
        done += put > 0 ? (uint64_t)put : 0;
        if (put < (int64_t)n)
            return done ? (int64_t)done : -LINUX_EFAULT;
        if (task_interrupted(t) && done >= 256)
            break;
    }
    return (int64_t)done;
}

// ---- Limits, getrlimit(2) ---------------------------------------------------------------------------------
static bool all_ids_are(const struct cred *c, struct task *other) {
    LOCKED(&other->k->tasks_lock);
    const struct cred *o = other->cred;
    return c->uid == o->uid && c->uid == o->euid && c->uid == o->suid && c->gid == o->gid &&
           c->gid == o->egid && c->gid == o->sgid;
}

// The process that prlimit64 names: the caller's, or another of the same user.
static struct tgroup *limits_of(struct task *t, int32_t pid, int64_t *err) {
    if (pid == 0)
        return tgroup_get(t->tg);
    struct task *other = task_find(t, pid);
    *err = -LINUX_ESRCH;
    if (!other)
        return NULL;
    struct tgroup *g = tgroup_get(other->tg);
    bool same = all_ids_are(t->cred, other);
    task_put(other);
    if (g != t->tg && !same && !task_capable(t, LINUX_CAP_SYS_RESOURCE)) {
        tgroup_put(g);
        *err = -LINUX_EPERM;
        return NULL;
    }
    return g;
}

static int64_t change_limit(struct task *t, struct tgroup *g, unsigned which,
                            const struct linux_rlimit64 *new, struct linux_rlimit64 *old) {
    LOCKED(&g->sig_lock);
    struct linux_rlimit64 *now = &g->rlimits[which];
    *old = *now;
    if (!new)
        return 0;
    if (new->rlim_cur > new->rlim_max)
        return -LINUX_EINVAL;
    if (new->rlim_max > now->rlim_max && !task_capable(t, LINUX_CAP_SYS_RESOURCE))
        return -LINUX_EPERM;
    if (which == LINUX_RLIMIT_NOFILE && new->rlim_max > (uint64_t)kernel_knob(t->k, KNOB_NR_OPEN))
        return -LINUX_EPERM;
    *now = *new;
    if (which == LINUX_RLIMIT_CPU)
        cpu_timers_limit(g);
    return 0;
}

static int64_t do_prlimit(struct task *t, int32_t pid, unsigned which, const struct linux_rlimit64 *new,
                          struct linux_rlimit64 *old) {
    int64_t err = 0;
    struct tgroup *g = limits_of(t, pid, &err);
    if (!g)
        return err;
    err = which < LINUX_RLIM_NLIMITS ? change_limit(t, g, which, new, old) : -LINUX_EINVAL;
    tgroup_put(g);
    return err;
}

int64_t sys_prlimit64(struct task *t, const struct sysargs *a) {
    struct linux_rlimit64 new, old;
    if (arg_given(a, 2) && copy_in_obj(t, &new, arg_ptr(a, 2)) < 0)
        return -LINUX_EFAULT;
    int64_t err = do_prlimit(t, arg_int(a, 0), arg_u32(a, 1), arg_given(a, 2) ? &new : NULL, &old);
    return err == 0 && arg_given(a, 3) ? copy_out_obj(t, arg_ptr(a, 3), &old) : err;
}
int64_t sys_getrlimit(struct task *t, const struct sysargs *a) {
    struct linux_rlimit64 old;
    int64_t err = do_prlimit(t, 0, arg_u32(a, 0), NULL, &old);
    return err < 0 ? err : copy_out_obj(t, arg_ptr(a, 1), &old);
}
int64_t sys_setrlimit(struct task *t, const struct sysargs *a) {
    struct linux_rlimit64 new, old;
    if (copy_in_obj(t, &new, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    return do_prlimit(t, 0, arg_u32(a, 0), &new, &old);
}

// LIMIT: getrusage gives user time and the peak of mapped memory; system time is not told apart, and faults
// are zero.
int64_t sys_getrusage(struct task *t, const struct sysargs *a) {
    struct linux_rusage ru = {0};
    uint64_t cpu;
    switch (arg_int(a, 0)) {
    case LINUX_RUSAGE_SELF:
    case LINUX_RUSAGE_THREAD: {
        cpu = task_cpu_ns(t);
        uint64_t peak = atomic_load(&t->mm->peak);
        LOCKED(&t->k->tasks_lock);
        peak = t->tg->peak_dead > peak ? t->tg->peak_dead : peak;
        ru.ru_maxrss = (int64_t)(peak / 1024);
        break;
    }
    case LINUX_RUSAGE_CHILDREN: {
        LOCKED(&t->k->tasks_lock);
        cpu = t->tg->cpu_ns_children;
        ru.ru_maxrss = (int64_t)(t->tg->peak_children / 1024);
        break;
    }
    default:
        return -LINUX_EINVAL;
    }
    ru.ru_utime.tv_sec = (int64_t)(cpu / NS_PER_SEC);
    ru.ru_utime.tv_usec = (int64_t)(cpu % NS_PER_SEC / 1000);
    return copy_out_obj(t, arg_ptr(a, 1), &ru);
}

// ---- Registers and personality ----------------------------------------------------------------------------
int64_t sys_arch_prctl(struct task *t, const struct sysargs *a) {
    struct lx_regs regs;
    int err = plat_get_regs(t->thread, &regs);
    if (err < 0)
        return err;
    switch (arg_int(a, 0)) {
    case LINUX_ARCH_SET_FS:
    case LINUX_ARCH_SET_GS:
        *(arg_int(a, 0) == LINUX_ARCH_SET_FS ? &regs.fs_base : &regs.gs_base) = arg_ulong(a, 1);
        return plat_set_regs(t->thread, &regs) < 0 ? -LINUX_EPERM : 0;
    case LINUX_ARCH_GET_FS:
        return copy_out_obj(t, arg_ptr(a, 1), &regs.fs_base);
    case LINUX_ARCH_GET_GS:
        return copy_out_obj(t, arg_ptr(a, 1), &regs.gs_base);
    case LINUX_ARCH_GET_CPUID:  // as a processor that cannot make the instruction fault
        return 1;
    case LINUX_ARCH_SET_CPUID:
        return -LINUX_ENODEV;
    default:
        return -LINUX_EINVAL;
    }
}

// LIMIT: personality(2) is kept and shown; only ADDR_NO_RANDOMIZE and the Linux domain make sense here.
int64_t sys_personality(struct task *t, const struct sysargs *a) {
    uint32_t old = t->personality, new = arg_u32(a, 0);
    if (new != 0xffffffffu)
        t->personality = new;
    return old;
}
