// SPDX-License-Identifier: Apache-2.0
// Clocks and sleeping: clock_gettime clock_settime clock_getres clock_nanosleep nanosleep gettimeofday time
// times adjtimex clock_adjtime. Most clock reads never come here: libc makes them in the vDSO. settimeofday:
// EPERM, by its row in abi/syscalls.def.
// LIMIT: CPU time of a thread is that of its whole process.
#include "sentry/kernel.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/time/time_ns.h"
#include "sentry/time/timeconv.h"

// ---- CPU clocks -------------------------------------------------------------------------------------------
// A negative clock id names a process or thread, clock_getcpuclockid(3).
static int cpu_clock(struct task *t, int32_t clock, uint64_t *ns) {
    int32_t pid = ~(clock >> 3);
    struct kernel *k = t->k;
    if ((clock & LINUX_CPUCLOCK_CLOCK_MASK) > LINUX_CPUCLOCK_SCHED || pid < 0 || pid >= PID_MAX)
        return -LINUX_EINVAL;
    LOCKED(&k->tasks_lock);
    struct task *other = pid ? k->pids[pid] : t;
    bool thread = clock & LINUX_CPUCLOCK_PERTHREAD_MASK;
    if (!other || (thread && other->tg != t->tg) || (!thread && pid && !k->tgs[pid]))
        return -LINUX_EINVAL;
    *ns = tgroup_cpu_ns(other->tg);
    return 0;
}

// ---- Reading ----------------------------------------------------------------------------------------------
// The host's clock of the same meaning, or -1.
static clockid_t host_clock(int32_t clock) {
    switch (clock) {
    case LINUX_CLOCK_REALTIME:
    case LINUX_CLOCK_REALTIME_ALARM:
        return CLOCK_REALTIME;
    case LINUX_CLOCK_MONOTONIC:
        return CLOCK_MONOTONIC;
    case LINUX_CLOCK_MONOTONIC_RAW:
        return CLOCK_MONOTONIC_RAW;
    case LINUX_CLOCK_REALTIME_COARSE:
        return CLOCK_REALTIME_COARSE;
    case LINUX_CLOCK_MONOTONIC_COARSE:
        return CLOCK_MONOTONIC_COARSE;
    case LINUX_CLOCK_BOOTTIME:
    case LINUX_CLOCK_BOOTTIME_ALARM:
        return CLOCK_BOOTTIME;
    case LINUX_CLOCK_TAI:
        return CLOCK_TAI;
    default:
        return -1;
    }
}

static int clock_read(struct task *t, int32_t clock, uint64_t *ns) {
    clockid_t host = host_clock(clock);
    if (clock < 0)
        return cpu_clock(t, clock, ns);
    if (clock == LINUX_CLOCK_PROCESS_CPUTIME_ID || clock == LINUX_CLOCK_THREAD_CPUTIME_ID) {
        *ns = task_cpu_ns(t);
        return 0;
    }
    if (host < 0)
        return -LINUX_EINVAL;
    *ns = task_time_out(t, clock, clock_ns(host));
    return 0;
}

int64_t sys_clock_gettime(struct task *t, const struct sysargs *a) {
    uint64_t ns;
    int err = clock_read(t, arg_int(a, 0), &ns);
    if (err < 0)
        return err;
    struct linux_timespec ts = time_to_spec(ns);
    return copy_out_obj(t, arg_ptr(a, 1), &ts);
}

// The clock is the host's: arguments are checked as Linux checks them, and then nobody may.
int64_t sys_clock_settime(struct task *t, const struct sysargs *a) {
    uint64_t ns, now;
    int32_t clock = arg_int(a, 0);
    if (clock > 0)  // no other can be set; of processes' own that is said last
        return -LINUX_EINVAL;
    int err = wait_time(t, arg_ptr(a, 1), &ns);
    if (err == 0 && clock < 0)
        err = cpu_clock(t, clock, &now);
    return err < 0 ? err : -LINUX_EPERM;
}

int64_t sys_clock_getres(struct task *t, const struct sysargs *a) {
    int32_t clock = arg_int(a, 0);
    uint64_t ns;
    int err = clock_read(t, clock, &ns);
    if (err < 0)
        return err;
    struct timespec host = {0, 1};
    if (clock >= 0 && host_clock(clock) >= 0)
        clock_getres(host_clock(clock), &host);
    struct linux_timespec ts = {host.tv_sec, host.tv_nsec};
    return copy_out_opt(t, arg_ptr(a, 1), &ts);
}

int64_t sys_gettimeofday(struct task *t, const struct sysargs *a) {
    struct linux_timeval tv = time_to_val(real_ns());
    struct linux_timezone tz = {0, 0};
    if (copy_out_opt(t, arg_ptr(a, 0), &tv) < 0)
        return -LINUX_EFAULT;
    return copy_out_opt(t, arg_ptr(a, 1), &tz);
}

int64_t sys_time(struct task *t, const struct sysargs *a) {
    int64_t now = (int64_t)(real_ns() / NS_PER_SEC);
    if (copy_out_opt(t, arg_ptr(a, 0), &now) < 0)
        return -LINUX_EFAULT;
    return now;
}

int64_t sys_times(struct task *t, const struct sysargs *a) {
    const uint64_t tick = NS_PER_SEC / LINUX_USER_HZ;
    struct linux_tms out = {0};
    out.tms_utime = (int64_t)(task_cpu_ns(t) / tick);
    out.tms_stime = (int64_t)(atomic_load(&t->tg->sys_ns) / tick);
    {
        LOCKED(&t->k->tasks_lock);
        out.tms_cutime = (int64_t)(t->tg->cpu_ns_children / tick);
        out.tms_cstime = (int64_t)(t->tg->sys_ns_children / tick);
    }
    if (copy_out_opt(t, arg_ptr(a, 0), &out) < 0)
        return -LINUX_EFAULT;
    return (int64_t)(mono_ns() / tick);
}

// ---- Sleeping ---------------------------------------------------------------------------------------------
static int64_t sleep_again(struct task *t);

static int64_t sleep_interrupted(struct task *t) {
    const struct sleep_wait *s = &t->call.notes.sleep;
    uint64_t now = mono_ns();
    if (s->absolute)
        return -LINUX_ERESTARTNOHAND;  // the same call again is right
    if (s->deadline <= now)
        return 0;
    struct linux_timespec rem = time_to_spec(s->deadline - now);
    if (copy_out_opt(t, s->rem, &rem) < 0)
        return -LINUX_EFAULT;
    t->restart_notes.sleep = *s;
    t->restart_fn = sleep_again;
    return -LINUX_ERESTART_RESTARTBLOCK;
}

// By processor time, which others may use: looked at again when it can be over at the earliest.
static int64_t sleep_cpu(struct task *t, int32_t clock) {
    const struct sleep_wait *s = &t->call.notes.sleep;
    uint64_t now, step = NS_PER_SEC / 1000;
    int err = clock_read(t, clock, &now);
    if (err < 0 || now >= s->deadline)
        return err;
    uint64_t left = s->deadline - now;
    step = left / t->k->ncpus > step ? left / t->k->ncpus : step;
    t->call.deadline = 0;
    t->call.timed_out = false;
    park_deadline(t, time_after(step));
    int64_t r = park(t);
    if (r == SYS_PARK)
        return r;
    if (s->absolute)
        return -LINUX_ERESTARTNOHAND;
    struct linux_timespec rem = time_to_spec(left);
    if (copy_out_opt(t, s->rem, &rem) < 0)
        return -LINUX_EFAULT;
    t->restart_notes.sleep = *s;
    t->restart_fn = sleep_again;
    return -LINUX_ERESTART_RESTARTBLOCK;
}

static int64_t sleep_run(struct task *t) {
    if (t->call.notes.sleep.cpu)
        return sleep_cpu(t, t->call.notes.sleep.cpu);
    park_deadline(t, t->call.notes.sleep.deadline);
    if (t->call.timed_out)
        return 0;
    int64_t r = park(t);
    return r == SYS_PARK ? r : sleep_interrupted(t);
}

static int64_t sleep_again(struct task *t) {
    if (!t->call.again)
        t->call.notes.sleep = t->restart_notes.sleep;
    return sleep_run(t);
}

static uint64_t sleep_deadline(const struct task *t, int32_t clock, bool absolute, uint64_t ns) {
    if (!absolute)
        return time_after(ns);
    ns = task_time_in(t, clock, ns);
    if (clock == LINUX_CLOCK_MONOTONIC)
        return time_deadline(ns, false);
    uint64_t now = clock_ns(host_clock(clock));
    return time_after(ns > now ? ns - now : 0);
}

// No thread can wait for time that it uses itself.
static int check_cpu_sleep(struct task *t, int32_t clock, uint64_t *now) {
    int32_t pid = ~(clock >> 3);
    bool thread = clock < 0 && (clock & LINUX_CPUCLOCK_PERTHREAD_MASK);
    return thread && (pid == 0 || pid == task_vtid(t)) ? -LINUX_EINVAL : clock_read(t, clock, now);
}

static int64_t sleep_first(struct task *t, int32_t clock, bool absolute, uaddr_t req, uaddr_t rem) {
    uint64_t ns, now = 0, deadline;
    int err = wait_time(t, req, &ns);
    bool cpu = clock < 0 || clock == LINUX_CLOCK_PROCESS_CPUTIME_ID;
    if (err == 0 && cpu)
        err = check_cpu_sleep(t, clock, &now);
    if (err < 0)
        return err;
    if (!cpu)
        deadline = sleep_deadline(t, clock, absolute, ns);
    else if (absolute)
        deadline = ns;
    else
        deadline = ns < TIME_MAX - now ? now + ns : TIME_MAX;
    t->call.notes.sleep = (struct sleep_wait){
        .deadline = deadline,
        .cpu = cpu ? clock : 0,
        .rem = absolute ? UADDR_NULL : rem,
        .absolute = absolute,
    };
    return sleep_run(t);
}

int64_t sys_nanosleep(struct task *t, const struct sysargs *a) {
    return t->call.again ? sleep_run(t)
                         : sleep_first(t, LINUX_CLOCK_MONOTONIC, false, arg_ptr(a, 0), arg_ptr(a, 1));
}

int64_t sys_clock_nanosleep(struct task *t, const struct sysargs *a) {
    int32_t clock = arg_int(a, 0);
    if (t->call.again)
        return sleep_run(t);
    switch (clock) {
    case LINUX_CLOCK_REALTIME:
    case LINUX_CLOCK_MONOTONIC:
    case LINUX_CLOCK_BOOTTIME:
    case LINUX_CLOCK_TAI:
        return sleep_first(t, clock, arg_int(a, 1) & LINUX_TIMER_ABSTIME, arg_ptr(a, 2), arg_ptr(a, 3));
    case LINUX_CLOCK_PROCESS_CPUTIME_ID:
        return sleep_first(t, clock, arg_int(a, 1) & LINUX_TIMER_ABSTIME, arg_ptr(a, 2), arg_ptr(a, 3));
    default:
        if (clock < 0)
            return sleep_first(t, clock, arg_int(a, 1) & LINUX_TIMER_ABSTIME, arg_ptr(a, 2), arg_ptr(a, 3));
        return clock > LINUX_CLOCK_TAI || clock == 10 ? -LINUX_EINVAL : -LINUX_EOPNOTSUPP;
    }
}

// ---- The clock's discipline: reading alone ----------------------------------------------------------------
#define TIMEX_SS_READ 0xa001u

static int64_t adjust(struct task *t, uaddr_t addr) {
    struct linux_timex x;
    if (copy_in_obj(t, &x, addr) < 0)
        return -LINUX_EFAULT;
    if ((x.modes & LINUX_ADJ_ADJTIME) && !(x.modes & LINUX_ADJ_OFFSET))
        return -LINUX_EINVAL;
    if (x.modes && x.modes != TIMEX_SS_READ)
        return -LINUX_EPERM;
    x = (struct linux_timex){
        .modes = x.modes,
        .maxerror = 16000000,
        .esterror = 16000000,
        .status = LINUX_STA_UNSYNC,
        .constant = 2,
        .precision = 1,
        .tolerance = 32768000,
        .time = time_to_val(real_ns()),
        .tick = 10000,
    };
    return copy_out_obj(t, addr, &x) < 0 ? -LINUX_EFAULT : LINUX_TIME_ERROR;
}

int64_t sys_adjtimex(struct task *t, const struct sysargs *a) { return adjust(t, arg_ptr(a, 0)); }

int64_t sys_clock_adjtime(struct task *t, const struct sysargs *a) {
    uint64_t ns;
    struct linux_timex x;
    if (arg_int(a, 0) == LINUX_CLOCK_REALTIME)
        return adjust(t, arg_ptr(a, 1));
    if (copy_in_obj(t, &x, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (arg_int(a, 0) < 0)  // processes' clocks cannot be adjusted, whether there is one or not
        return -LINUX_EOPNOTSUPP;
    return clock_read(t, arg_int(a, 0), &ns) < 0 ? -LINUX_EINVAL : -LINUX_EOPNOTSUPP;
}
