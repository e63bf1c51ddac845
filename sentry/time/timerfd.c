// SPDX-License-Identifier: Apache-2.0
// Timer descriptors: a count of expiries that can be read and polled. Called by sys_timer.c and, as a file,
// by fs/. An interval is not ticked while nobody reads: the multiples that went by are counted when it is
// read, so an unread timer costs one wake-up in all.
// LIMIT: TFD_TIMER_CANCEL_ON_SET is accepted; the clock inside is never set, so nothing is ever cancelled. A
// deadline of the real-time clock does not move when the host's clock is set.
// Locks: one for each descriptor, RANK_OBJECT; the timer queue's and the wait queue's inside it.
#include "sentry/time/timerfd.h"
#include "abi/caps.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/time/time_ns.h"
#include "sentry/time/timeconv.h"
#include <stdlib.h>

struct timerfd {
    struct lock lock;
    struct ktimer kt;
    int clock;           // [c]
    uint64_t next;       // [lock] the expiry that is, or was, waited for (timeconv.h); 0: stopped
    uint64_t interval;   // [lock]
    bool fired;          // [lock] `next` has come and was not read yet
    struct waitq wait;
};

static void fire(struct ktimer *kt) {
    struct timerfd *d = container_of(kt, struct timerfd, kt);
    LOCKED(&d->lock);
    if (!d->next || d->next > expiry_now())
        return;  // set anew meanwhile
    d->fired = true;
    waitq_wake(&d->wait, LINUX_POLLIN);
}

static uint64_t take(struct timerfd *d) {
    LOCKED(&d->lock);
    if (!d->fired)
        return 0;
    d->fired = false;
    if (!d->interval) {
        d->next = 0;
        return 1;
    }
    uint64_t now = expiry_now(), n = (now - d->next) / d->interval + 1;
    d->next += n * d->interval;
    ktimer_set(&d->kt, expiry_mono(d->next));
    return n;
}

static int64_t timerfd_read(struct file *f, struct uio *u, uint64_t off) {
    uint64_t n;
    if (u->left < sizeof n)
        return -LINUX_EINVAL;
    n = take(f->priv);
    if (!n)
        return -LINUX_EAGAIN;
    return uio_to(u, &n, sizeof n) == (int64_t)sizeof n ? (int64_t)sizeof n : -LINUX_EFAULT;
}

static uint32_t timerfd_poll(struct file *f, struct waiter *w) {
    struct timerfd *d = f->priv;
    if (w)
        waitq_add(&d->wait, w);
    LOCKED(&d->lock);
    return d->fired ? LINUX_POLLIN | LINUX_POLLRDNORM : 0;
}

static void timerfd_free(struct timerfd *d) {
    ktimer_cancel_sync(&d->kt);
    waitq_destroy(&d->wait);
    lock_destroy(&d->lock);
    free(d);
}

static void timerfd_release(struct file *f) { timerfd_free(f->priv); }

static const struct file_ops timerfd_ops = {
    .seek = SEEK_NOWHERE,
    .read = timerfd_read,
    .poll = timerfd_poll,
    .release = timerfd_release,
};

static void read_setting(const struct timerfd *d, struct linux_itimerspec *out) {
    uint64_t now = expiry_now(), left = 0;
    if (d->next > now)
        left = d->next - now;
    else if (d->next && d->interval)
        left = d->interval - (now - d->next) % d->interval;
    out->it_interval = time_to_spec(d->interval);
    out->it_value = time_to_spec(left);
}

int timerfd_get(struct file *f, struct linux_itimerspec *out) {
    if (f->ops != &timerfd_ops)
        return -LINUX_EINVAL;
    struct timerfd *d = f->priv;
    LOCKED(&d->lock);
    read_setting(d, out);
    return 0;
}

static uint64_t first_expiry(const struct timerfd *d, bool abstime, uint64_t value) {
    if (!abstime)
        return expiry_after(value);
    if (d->clock == LINUX_CLOCK_MONOTONIC)
        return value + EXPIRY_ORIGIN;
    return expiry_at(value, d->clock == LINUX_CLOCK_BOOTTIME ? clock_ns(CLOCK_BOOTTIME) : real_ns());
}

int timerfd_set(struct task *t, struct file *f, bool abstime, const struct linux_itimerspec *set,
                struct linux_itimerspec *old) {
    uint64_t value, interval;
    if (!time_from_spec(&set->it_value, &value) || !time_from_spec(&set->it_interval, &interval))
        return -LINUX_EINVAL;
    if (f->ops != &timerfd_ops)
        return -LINUX_EINVAL;
    struct timerfd *d = f->priv;
    LOCKED(&d->lock);
    read_setting(d, old);
    d->fired = false;
    d->interval = value ? interval : 0;
    if (abstime && value)
        value = task_deadline_in(t, d->clock, value);
    d->next = value ? first_expiry(d, abstime, value) : 0;
    if (value)
        ktimer_set(&d->kt, expiry_mono(d->next));
    else
        ktimer_cancel(&d->kt);
    return 0;
}

int timerfd_open(struct task *t, int clock, unsigned flags, struct file **out) {
    switch (clock) {
    case LINUX_CLOCK_REALTIME:
    case LINUX_CLOCK_MONOTONIC:
    case LINUX_CLOCK_BOOTTIME:
        break;
    case LINUX_CLOCK_REALTIME_ALARM:  // LIMIT: nothing here can wake a sleeping machine
    case LINUX_CLOCK_BOOTTIME_ALARM:
        return task_capable(t, LINUX_CAP_WAKE_ALARM) ? -LINUX_EOPNOTSUPP : -LINUX_EPERM;
    default:
        return -LINUX_EINVAL;
    }
    struct timerfd *d = znew(struct timerfd);
    if (!d)
        return -LINUX_ENOMEM;
    lock_init(&d->lock, RANK_OBJECT);
    waitq_init(&d->wait);
    ktimer_init(&t->k->timers, &d->kt, fire);
    d->clock = clock;
    int err = file_anon(t->k->vfs, "anon_inode:[timerfd]", NULL, &timerfd_ops, d, LINUX_O_RDWR | flags, out);
    if (err < 0)
        timerfd_free(d);
    return err;
}
