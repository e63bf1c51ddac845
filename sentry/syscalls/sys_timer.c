// SPDX-License-Identifier: Apache-2.0
// Timers: getitimer setitimer alarm; timer_create timer_settime timer_gettime timer_getoverrun timer_delete;
// timerfd_create timerfd_settime timerfd_gettime. Decodes; the meaning is in time/.
#include "abi/misc.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/posix_timers.h"
#include "sentry/time/timeconv.h"
#include "sentry/time/timerfd.h"

// ---- setitimer --------------------------------------------------------------------------------------------
static int put_itimerval(struct task *t, uaddr_t addr, uint64_t value, uint64_t interval) {
    struct linux_itimerval out = {.it_interval = time_to_val(interval), .it_value = time_to_val(value)};
    if (value && !out.it_value.tv_sec && !out.it_value.tv_usec)
        out.it_value.tv_usec = 1;  // still running
    return copy_out_obj(t, addr, &out);
}

static unsigned cpu_which(uint32_t which) { return which == LINUX_ITIMER_VIRTUAL ? CPU_VIRTUAL : CPU_PROF; }

int64_t sys_getitimer(struct task *t, const struct sysargs *a) {
    uint64_t value = 0, interval = 0;
    if (arg_u32(a, 0) > LINUX_ITIMER_PROF)
        return -LINUX_EINVAL;
    if (arg_u32(a, 0) == LINUX_ITIMER_REAL)
        itimer_real_get(t->tg, &value, &interval);
    else
        cpu_timer_set(t->tg, cpu_which(arg_u32(a, 0)), false, 0, 0, &value, &interval);
    return put_itimerval(t, arg_ptr(a, 1), value, interval);
}

int64_t sys_setitimer(struct task *t, const struct sysargs *a) {
    uint32_t which = arg_u32(a, 0);
    struct linux_itimerval set = {{0, 0}, {0, 0}};  // no new value stops the timer, as on Linux
    uint64_t value, interval, old_value = 0, old_interval = 0;
    if (arg_given(a, 1) && copy_in_obj(t, &set, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (!time_from_val(&set.it_value, &value) || !time_from_val(&set.it_interval, &interval))
        return -LINUX_EINVAL;
    if (which > LINUX_ITIMER_PROF)
        return -LINUX_EINVAL;
    if (which == LINUX_ITIMER_REAL)
        itimer_real_set(t->tg, value, interval, &old_value, &old_interval);
    else
        cpu_timer_set(t->tg, cpu_which(which), true, value, interval, &old_value, &old_interval);
    return arg_given(a, 2) ? put_itimerval(t, arg_ptr(a, 2), old_value, old_interval) : 0;
}

int64_t sys_alarm(struct task *t, const struct sysargs *a) {
    uint64_t old, old_interval;
    itimer_real_set(t->tg, (uint64_t)arg_u32(a, 0) * NS_PER_SEC, 0, &old, &old_interval);
    uint64_t s = old / NS_PER_SEC, rest = old % NS_PER_SEC;
    return (int64_t)(s + ((s == 0 && rest) || rest >= NS_PER_SEC / 2));  // never 0 while one was running
}

// ---- timer_create -----------------------------------------------------------------------------------------
int64_t sys_timer_create(struct task *t, const struct sysargs *a) {
    struct linux_sigevent ev;
    if (arg_given(a, 1) && copy_in_obj(t, &ev, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    const int32_t none = -1;
    if (arg_int(a, 0) < 0 && copy_out_obj(t, arg_ptr(a, 2), &none) < 0)  // before such a clock is looked at
        return -LINUX_EFAULT;
    int64_t id = do_timer_create(t, arg_int(a, 0), arg_given(a, 1) ? &ev : NULL);
    if (id < 0)
        return id;
    int32_t out = (int32_t)id;
    if (copy_out_obj(t, arg_ptr(a, 2), &out) < 0) {
        do_timer_delete(t, out);
        return -LINUX_EFAULT;
    }
    return 0;
}

int64_t sys_timer_settime(struct task *t, const struct sysargs *a) {
    struct linux_itimerspec set, old;
    if (!arg_given(a, 2))
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &set, arg_ptr(a, 2)) < 0)
        return -LINUX_EFAULT;
    int err = do_timer_settime(t, arg_int(a, 0), arg_int(a, 1) & LINUX_TIMER_ABSTIME, &set, &old);
    if (err < 0)
        return err;
    return copy_out_opt(t, arg_ptr(a, 3), &old);
}

int64_t sys_timer_gettime(struct task *t, const struct sysargs *a) {
    struct linux_itimerspec out;
    int err = do_timer_gettime(t, arg_int(a, 0), &out);
    return err < 0 ? err : copy_out_obj(t, arg_ptr(a, 1), &out);
}

int64_t sys_timer_getoverrun(struct task *t, const struct sysargs *a) {
    return do_timer_getoverrun(t, arg_int(a, 0));
}

int64_t sys_timer_delete(struct task *t, const struct sysargs *a) {
    return do_timer_delete(t, arg_int(a, 0));
}

// ---- timerfd ----------------------------------------------------------------------------------------------
int64_t sys_timerfd_create(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 1);
    if (flags & ~(unsigned)(LINUX_TFD_NONBLOCK | LINUX_TFD_CLOEXEC))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = NULL;
    int err = timerfd_open(t, arg_int(a, 0), flags & LINUX_TFD_NONBLOCK, &f);
    if (err < 0)
        return err;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_TFD_CLOEXEC);
}

int64_t sys_timerfd_settime(struct task *t, const struct sysargs *a) {
    struct linux_itimerspec set, old;
    unsigned flags = arg_u32(a, 1);
    if (copy_in_obj(t, &set, arg_ptr(a, 2)) < 0)
        return -LINUX_EFAULT;
    if (flags & ~(unsigned)(LINUX_TFD_TIMER_ABSTIME | LINUX_TFD_TIMER_CANCEL_ON_SET))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    int err = timerfd_set(t, f, flags & LINUX_TFD_TIMER_ABSTIME, &set, &old);
    if (err < 0)
        return err;
    return copy_out_opt(t, arg_ptr(a, 3), &old);
}

int64_t sys_timerfd_gettime(struct task *t, const struct sysargs *a) {
    struct linux_itimerspec out;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    int err = timerfd_get(f, &out);
    return err < 0 ? err : copy_out_obj(t, arg_ptr(a, 1), &out);
}
