// SPDX-License-Identifier: Apache-2.0
// See time_ns.h.
#include "sentry/time/time_ns.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/time/timeconv.h"
#include <stdlib.h>

static void time_ns_free(struct ns *n) { free((struct time_ns *)n); }

struct time_ns *time_ns_new(struct vfs *v, uint64_t ino, struct ns *owner) {
    struct time_ns *x = znew(struct time_ns);
    if (x)
        ns_init(&x->ns, NS_TIME, v, ino, owner, time_ns_free);
    return x;
}

static struct time_ns *of(const struct ns *n) { return (struct time_ns *)(uintptr_t)n; }

int time_ns_make(struct task *t, struct ns *owner, struct ns **out) {
    const struct time_ns *old = of(t->nsproxy->time_for_children);
    struct time_ns *x = time_ns_new(t->k->vfs, 0, owner);
    if (!x)
        return -LINUX_ENOMEM;
    x->monotonic = old->monotonic;
    x->boottime = old->boottime;
    *out = &x->ns;
    return 0;
}

void time_ns_freeze(struct ns *n) { of(n)->frozen = true; }

int time_ns_enter_children(struct task *t) {
    struct ns *to = t->nsproxy->time_for_children;
    if (to == t->nsproxy->of[NS_TIME])
        return 0;
    struct nsproxy *p = nsproxy_copy(t->nsproxy);
    if (!p)
        return -LINUX_ENOMEM;
    time_ns_freeze(to);
    nsproxy_set(p, NS_TIME, ns_get(to));
    task_set_nsproxy(t, p);
    return 0;
}

bool time_ns_children_shifted(const struct task *t) {
    const struct time_ns *n = of(t->nsproxy->time_for_children);
    return n->monotonic || n->boottime;
}

// ---- Times ------------------------------------------------------------------------------------------------
static int64_t offset_of(const struct task *t, int32_t clock) {
    const struct time_ns *n = of(t->nsproxy->of[NS_TIME]);
    switch (clock) {
    case LINUX_CLOCK_MONOTONIC:
    case LINUX_CLOCK_MONOTONIC_RAW:
    case LINUX_CLOCK_MONOTONIC_COARSE:
        return n->monotonic;
    case LINUX_CLOCK_BOOTTIME:
    case LINUX_CLOCK_BOOTTIME_ALARM:
        return n->boottime;
    default:
        return 0;
    }
}

static uint64_t shifted(uint64_t ns, int64_t by) {
    if (by < 0)
        return ns > 0 - (uint64_t)by ? ns - (0 - (uint64_t)by) : 0;
    return ns < TIME_MAX - (uint64_t)by ? ns + (uint64_t)by : TIME_MAX;
}

uint64_t task_time_out(const struct task *t, int32_t clock, uint64_t ns) {
    return shifted(ns, offset_of(t, clock));
}
uint64_t task_time_in(const struct task *t, int32_t clock, uint64_t ns) {
    return ns >= TIME_MAX ? ns : shifted(ns, -offset_of(t, clock));
}

// ---- Offsets ----------------------------------------------------------------------------------------------
#define SEC_MAX (INT64_MAX / (int64_t)NS_PER_SEC)

static struct linux_timespec spec_of(int64_t ns) {
    int64_t sec = ns / (int64_t)NS_PER_SEC, rest = ns % (int64_t)NS_PER_SEC;
    if (rest < 0)
        return (struct linux_timespec){sec - 1, rest + (int64_t)NS_PER_SEC};
    return (struct linux_timespec){sec, rest};
}

void time_ns_offsets(const struct ns *n, struct time_offsets *out) {
    out->monotonic = spec_of(of(n)->monotonic);
    out->boottime = spec_of(of(n)->boottime);
}

// At most half of what there is, so that no sum passes the end.
static int offset_from(const struct linux_timespec *ts, uint64_t now, int64_t *out) {
    if (ts->tv_sec > SEC_MAX || ts->tv_sec < -SEC_MAX)
        return -LINUX_ERANGE;
    int64_t sec = ts->tv_sec + (int64_t)(now / NS_PER_SEC);
    if (sec + (ts->tv_nsec + (int64_t)(now % NS_PER_SEC) >= (int64_t)NS_PER_SEC) < 0 || sec > SEC_MAX / 2)
        return -LINUX_ERANGE;
    *out = ts->tv_sec * (int64_t)NS_PER_SEC + ts->tv_nsec;
    return 0;
}

int time_ns_set_offsets(struct ns *n, const struct linux_timespec *monotonic,
                        const struct linux_timespec *boottime) {
    int64_t m = of(n)->monotonic, b = of(n)->boottime;
    int err = monotonic ? offset_from(monotonic, mono_ns(), &m) : 0;
    err = err < 0 || !boottime ? err : offset_from(boottime, clock_ns(CLOCK_BOOTTIME), &b);
    if (err < 0)
        return err;
    if (of(n)->frozen)
        return -LINUX_EACCES;
    of(n)->monotonic = m;
    of(n)->boottime = b;
    return 0;
}
