// SPDX-License-Identifier: Apache-2.0
// See queue.h. A standard signal costs one small allocation while it is pending; without memory its bit alone
// stands.
#include "sentry/signal/queue.h"
#include "base/fault.h"
#include "sentry/signal/signal.h"
#include "sentry/time/posix_timers.h"
#include <stdlib.h>

struct sigqueue *sigqueue_new(void) {
    struct sigqueue *q = znew(struct sigqueue);
    if (q)
        list_init(&q->entries);
    return q;
}

static void unlink_entry(struct sigqueue *q, struct sigentry *e) {
    list_del(&e->link);
    q->n--;
}

void sigqueue_free(struct sigqueue *q) {
    if (!q)
        return;
    struct sigentry *e, *tmp;
    list_for_each_safe(e, tmp, &q->entries, link) {
        bool heap = !e->timer;
        unlink_entry(q, e);
        if (heap)
            free(e);
    }
    free(q);
}

static struct sigentry *find(struct sigqueue *q, int sig) {
    struct sigentry *e;
    list_for_each(e, &q->entries, link)
        if (e->info.si_signo == sig)
            return e;
    return NULL;
}

int sigqueue_add(struct sigqueue *q, int sig, const struct linux_siginfo *info, uint64_t limit) {
    uint64_t bit = SIGBIT(sig);
    if (sig < SIG_FIRST_RT && (q->set & bit))
        return 0;
    // What the kernel sends without details, and kill(2), is never refused; any other real-time signal is,
    // signal(7).
    bool refusable =
        sig >= SIG_FIRST_RT && info->si_code != LINUX_SI_USER && info->si_code != LINUX_SI_KERNEL;
    bool full = (sig >= SIG_FIRST_RT || info->si_code < 0) && q->n >= limit;
    struct sigentry *e = full ? NULL : znew(struct sigentry);
    if (!e && refusable)
        return -LINUX_EAGAIN;
    q->set |= bit;
    if (!e)
        return 0;
    e->info = *info;
    e->info.si_signo = sig;
    list_add_tail(&q->entries, &e->link);
    q->n++;
    return 0;
}

void sigqueue_add_entry(struct sigqueue *q, struct sigentry *e) {
    q->set |= SIGBIT(e->info.si_signo);
    list_add_tail(&q->entries, &e->link);
    q->n++;
}

void sigqueue_take(struct sigqueue *q, int sig, struct linux_siginfo *info) {
    struct sigentry *e = find(q, sig);
    if (!e) {
        *info = (struct linux_siginfo){.si_signo = sig, .si_code = LINUX_SI_USER};
        q->set &= ~SIGBIT(sig);
        return;
    }
    *info = e->info;
    unlink_entry(q, e);
    // A timer's entry may stand beside a standard signal that came otherwise: one bit, one delivery at a
    // time.
    if (!find(q, sig))
        q->set &= ~SIGBIT(sig);
    if (e->timer)
        posix_timer_taken(e, info);
    else
        free(e);
}

void sigqueue_drop(struct sigqueue *q, uint64_t set) {
    if (!(q->set & set))
        return;
    q->set &= ~set;
    struct sigentry *e, *tmp;
    list_for_each_safe(e, tmp, &q->entries, link) {
        if (!(SIGBIT(e->info.si_signo) & set))
            continue;
        unlink_entry(q, e);
        if (e->timer)
            posix_timer_taken(e, NULL);
        else
            free(e);
    }
}

void sigqueue_unlink(struct sigqueue *q, struct sigentry *e) {
    int sig = e->info.si_signo;
    unlink_entry(q, e);
    if (!find(q, sig))
        q->set &= ~SIGBIT(sig);
}

int signal_first(uint64_t set) {
    if (!set)
        return 0;
    uint64_t sync = set & SIGSET_SYNC;
    return __builtin_ctzll(sync ? sync : set) + 1;
}
