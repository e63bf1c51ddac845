// SPDX-License-Identifier: Apache-2.0
// Timers of a process that end in signals: setitimer(2) ITIMER_REAL and timer_create(2). Called by
// sys_timer.c, by the signal queues when a timer's signal is taken, and by the life of processes.
//
//   stopped --- settime ---> armed --- its time comes, on the event thread ---> signal queued; one shot:
//   stopped signal queued, with an interval ("due") --- the signal is taken ---> armed for the next multiple
//   that is not past;
//                                               the multiples between are the overrun count
// So however short its interval, a timer costs nothing while its signal is not taken. When the signal is
// ignored nobody takes it: then the next expiry is at least IGNORED_NS away.
//
// Timers of the real-time clock are kept on the monotonic one: LIMIT: they do not move when the host's clock
// is set. Locks: the process's sig_lock for all fields; the timer queue's lock inside it. A timer is freed
// only after ktimer_cancel_sync(), without sig_lock.
#include "sentry/time/posix_timers.h"
#include "abi/misc.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/signal/impl.h"
#include "sentry/time/time_ns.h"
#include "sentry/time/timeconv.h"
#include <stdlib.h>

#define IGNORED_NS  1000000u
#define CPU_IDLE_NS 20000000u  // between looks at the processor time of a process that does not run

struct posix_timer {
    struct list link;        // [S] in g->posix_timers
    struct ktimer kt;
    struct sigentry entry;   // [S] on a queue while the signal is pending
    struct sigqueue *queue;  // [S] which one
    struct tgroup *g;        // [c] borrowed: the process frees its timers
    int32_t id, clock;       // [c]
    int notify;              // [c] LINUX_SIGEV_*
    int32_t tid;             // [c] SIGEV_THREAD_ID
    int sig;                 // [c]
    linux_sigval_t value;    // [c]
    // [S] ns of the expiry that is, or was, waited for; 0: stopped. On the line of expiries
    //     (timeconv.h), or of processor time, as `cpu` says
    uint64_t next;
    bool cpu;                // [c]
    uint64_t interval;       // [S]
    uint64_t cpu_seen;       // [S] processor time at the last look
    bool due;                // [S] expired, with an interval: goes on when the signal is taken
    int overrun;             // [S] of the signal taken last
    bool dead;               // [S]
};

// Moves *next past now by whole intervals: how many.
static uint64_t forward(uint64_t *next, uint64_t interval, uint64_t now) {
    if (*next > now)
        return 0;
    uint64_t n = (now - *next) / interval + 1;
    *next += n * interval;
    return n;
}

static uint64_t remaining(uint64_t next, uint64_t interval, uint64_t now) {
    if (!next)
        return 0;
    if (next <= now && interval)
        forward(&next, interval, now);
    return next > now ? next - now : 1;
}

// ---- ITIMER_REAL ------------------------------------------------------------------------------------------
static void itimer_rearm(struct tgroup *g, uint64_t least) {
    uint64_t now = mono_ns();
    forward(&g->itimer_real_next, g->itimer_real_interval, now);
    g->itimer_real_due = false;
    ktimer_set(&g->itimer_real, g->itimer_real_next < now + least ? now + least : g->itimer_real_next);
}

static void itimer_expired(struct ktimer *kt) {
    struct tgroup *g = container_of(kt, struct tgroup, itimer_real);
    LOCKED(&g->sig_lock);
    if (!g->itimer_real_next || g->itimer_real_next > mono_ns())
        return;  // set anew meanwhile
    if (!g->itimer_real_interval)
        g->itimer_real_next = 0;
    else
        g->itimer_real_due = true;
    if (!signal_post_alarm(g) && g->itimer_real_due && !list_empty(&g->tasks))
        itimer_rearm(g, IGNORED_NS);
}

void itimer_real_taken(struct tgroup *g) {
    if (g->itimer_real_due)
        itimer_rearm(g, 0);
}

static void itimer_read(struct tgroup *g, uint64_t *value, uint64_t *interval) {
    *value = remaining(g->itimer_real_next, g->itimer_real_interval, mono_ns());
    *interval = g->itimer_real_interval;
}

void itimer_real_get(struct tgroup *g, uint64_t *value, uint64_t *interval) {
    LOCKED(&g->sig_lock);
    itimer_read(g, value, interval);
}

void itimer_real_set(struct tgroup *g, uint64_t value, uint64_t interval, uint64_t *old_value,
                     uint64_t *old_interval) {
    LOCKED(&g->sig_lock);
    itimer_read(g, old_value, old_interval);
    g->itimer_real_due = false;
    g->itimer_real_interval = value ? interval : 0;
    g->itimer_real_next = value ? time_after(value) : 0;
    if (value)
        ktimer_set(&g->itimer_real, g->itimer_real_next);
    else
        ktimer_cancel(&g->itimer_real);
}

// ---- Expiry of the others ---------------------------------------------------------------------------------
// The next look at processor time, which is now `now`; see cpu_timers.c.
static void cpu_rearm(struct posix_timer *p, uint64_t now) {
    uint64_t when = cpu_look_at(p->g, p->next > now ? p->next - now : 0), least = mono_ns() + IGNORED_NS;
    if (!p->dead)
        ktimer_set(&p->kt, now == p->cpu_seen && when < least + CPU_IDLE_NS ? least + CPU_IDLE_NS : when);
    p->cpu_seen = now;
}

// Of n expiries at once the first is told by the signal, the others by its overrun.
static int overrun_of(uint64_t n) {
    if (n == 0)
        return 0;
    return n > (uint64_t)INT32_MAX ? INT32_MAX : (int)(n - 1);
}

static void rearm(struct posix_timer *p, uint64_t least) {
    uint64_t now = p->cpu ? p->cpu_seen : expiry_now(), n = forward(&p->next, p->interval, now);
    p->due = false;
    p->overrun = overrun_of(n);
    if (p->cpu && !p->dead)
        ktimer_set(&p->kt, cpu_look_at(p->g, p->next - now));
    else if (!p->dead)
        ktimer_set(&p->kt, expiry_mono(p->next < now + least ? now + least : p->next));
}

static struct task *thread_of(struct posix_timer *p) {
    struct task *t;
    list_for_each(t, &p->g->tasks, tg_link)
        if (t->tid == p->tid)
            return t;
    return NULL;
}

static void queue_signal(struct posix_timer *p) {
    struct task *t = p->notify == LINUX_SIGEV_THREAD_ID ? thread_of(p) : NULL;
    if (p->notify == LINUX_SIGEV_THREAD_ID && !t)
        return;  // nobody is left to tell
    if (list_linked(&p->entry.link))
        return;  // set anew while its signal was pending: one signal
    p->entry.info = (struct linux_siginfo){.si_signo = p->sig, .si_code = LINUX_SI_TIMER};
    p->entry.info.si_timerid = p->id;
    p->entry.info.si_value = p->value;
    p->queue = t ? t->pending : p->g->shared_pending;
    if (!signal_post_timer(p->g, t, &p->entry) && p->due)
        rearm(p, IGNORED_NS);
}

// sig_lock held; now: on the timer's clock.
static void expire(struct posix_timer *p, uint64_t now) {
    if (p->dead || !p->next || p->due)
        return;
    if (p->next > now) {
        if (p->cpu)
            cpu_rearm(p, now);
        return;
    }
    p->cpu_seen = now;
    if (p->interval)
        p->due = true;
    else
        p->next = 0;
    queue_signal(p);
}

static void expired(struct ktimer *kt) {
    struct posix_timer *p = container_of(kt, struct posix_timer, kt);
    LOCKED(&p->g->sig_lock);
    expire(p, expiry_now());
}

static void cpu_expired(struct ktimer *kt) {
    struct posix_timer *p = container_of(kt, struct posix_timer, kt);
    LOCKED(&p->g->k->tasks_lock);
    uint64_t now = tgroup_cpu_ns(p->g);
    LOCKED(&p->g->sig_lock);
    expire(p, now);
}

void posix_timer_taken(struct sigentry *e, struct linux_siginfo *info) {
    struct posix_timer *p = e->timer;
    p->overrun = 0;
    if (p->due)
        rearm(p, info ? 0 : IGNORED_NS);
    if (info)
        info->si_overrun = (uint32_t)p->overrun;
}

// ---- The calls --------------------------------------------------------------------------------------------
static struct posix_timer *find(struct tgroup *g, int id) {
    struct posix_timer *p;
    list_for_each(p, &g->posix_timers, link)
        if (p->id == id)
            return p;
    return NULL;
}

// Processor time of the caller's own process or thread, also by its numbers as clock_getcpuclockid(3) makes
// them (libc always uses those). LIMIT: the time of a thread is that of its whole process; not that of other
// processes.
static bool is_cpu_clock(const struct task *t, int clock) {
    int32_t pid = ~(clock >> 3);
    if (clock >= 0)
        return clock == LINUX_CLOCK_PROCESS_CPUTIME_ID || clock == LINUX_CLOCK_THREAD_CPUTIME_ID;
    return (clock & LINUX_CPUCLOCK_CLOCK_MASK) <= LINUX_CPUCLOCK_SCHED &&
           (pid == 0 || pid == task_vpid(t) || pid == task_vtid(t));
}

static int check_clock(int clock) {
    switch (clock) {
    case LINUX_CLOCK_REALTIME:
    case LINUX_CLOCK_MONOTONIC:
    case LINUX_CLOCK_BOOTTIME:
    case LINUX_CLOCK_TAI:
        return 0;
    case LINUX_CLOCK_MONOTONIC_RAW:
    case LINUX_CLOCK_REALTIME_COARSE:
    case LINUX_CLOCK_MONOTONIC_COARSE:
    case LINUX_CLOCK_REALTIME_ALARM:
    case LINUX_CLOCK_BOOTTIME_ALARM:
        return -LINUX_EOPNOTSUPP;
    default:
        // LIMIT: no timers on the processor time of other processes.
        return clock < 0 && (clock & LINUX_CPUCLOCK_CLOCK_MASK) <= LINUX_CPUCLOCK_SCHED ? -LINUX_EOPNOTSUPP
                                                                                        : -LINUX_EINVAL;
    }
}

static bool in_group(struct task *t, int32_t tid) {
    struct task *other = task_find(t, tid);
    bool ok = other && other->tg == t->tg;
    if (other)
        task_put(other);
    return ok;
}

static int check_event(struct task *t, const struct linux_sigevent *ev) {
    switch (ev->sigev_notify) {
    case LINUX_SIGEV_NONE:
        return 0;
    case LINUX_SIGEV_THREAD_ID:
        if (!in_group(t, ev->sigev_tid))
            return -LINUX_EINVAL;
        break;
    case LINUX_SIGEV_SIGNAL:
    case LINUX_SIGEV_THREAD:
        break;
    default:
        return -LINUX_EINVAL;
    }
    return ev->sigev_signo < 1 || ev->sigev_signo > LINUX_NSIG ? -LINUX_EINVAL : 0;
}

// Ids count up; after 2^31 of them those in use are passed over. RLIMIT_SIGPENDING bounds their number, as on
// Linux.
static int add(struct tgroup *g, struct posix_timer *p) {
    struct list *l;
    uint64_t n = 0;
    LOCKED(&g->sig_lock);
    for (l = g->posix_timers.next; l != &g->posix_timers; l = l->next)
        n++;
    if (n >= g->rlimits[LINUX_RLIMIT_SIGPENDING].rlim_cur)
        return -LINUX_EAGAIN;
    do {
        p->id = g->next_timer_id;
        g->next_timer_id = g->next_timer_id == INT32_MAX ? 0 : g->next_timer_id + 1;
    } while (find(g, p->id));
    list_add_tail(&g->posix_timers, &p->link);
    return p->id;
}

int64_t do_timer_create(struct task *t, int clock, const struct linux_sigevent *ev) {
    bool cpu = is_cpu_clock(t, clock);
    int err = cpu ? 0 : check_clock(clock);
    if (err == 0 && ev)
        err = check_event(t, ev);
    if (err < 0)
        return err;
    struct posix_timer *p = znew(struct posix_timer);
    if (!p)
        return -LINUX_EAGAIN;
    p->g = t->tg;
    p->clock = clock;
    p->notify = ev ? ev->sigev_notify : LINUX_SIGEV_SIGNAL;
    p->sig = ev ? ev->sigev_signo : LINUX_SIGALRM;
    p->tid = ev && ev->sigev_notify == LINUX_SIGEV_THREAD_ID ? task_pid_in(t, ev->sigev_tid) : 0;
    p->entry.timer = p;
    list_init(&p->entry.link);
    list_init(&p->link);
    p->cpu = cpu;
    ktimer_init(&t->k->timers, &p->kt, cpu ? cpu_expired : expired);
    if (ev)
        p->value = ev->sigev_value;
    int id = add(t->tg, p);
    if (id < 0)
        free(p);
    else if (!ev)
        p->value.sival_int = id;  // nobody else knows the id yet
    return id;
}

// Processor time so far, when timer `id` counts that: it is asked for before sig_lock is taken.
static uint64_t cpu_for(struct task *t, int id) {
    {
        LOCKED(&t->tg->sig_lock);
        const struct posix_timer *p = find(t->tg, id);
        if (!p || !p->cpu)
            return 0;
    }
    return task_cpu_ns(t);
}

static void read_setting(const struct posix_timer *p, uint64_t cpu, struct linux_itimerspec *out) {
    uint64_t now = p->cpu ? cpu : expiry_now();
    out->it_interval = time_to_spec(p->interval);
    out->it_value = time_to_spec(remaining(p->next, p->interval, now));
    if (p->notify == LINUX_SIGEV_NONE && !p->interval && p->next && p->next <= now)
        out->it_value = time_to_spec(0);
}

static uint64_t clock_now(int clock) {
    return clock == LINUX_CLOCK_REALTIME ? real_ns()
                                         : clock_ns(clock == LINUX_CLOCK_TAI ? CLOCK_TAI : CLOCK_BOOTTIME);
}

// From a time of the timer's own.
static uint64_t first_expiry(const struct posix_timer *p, bool abstime, uint64_t value, uint64_t cpu) {
    if (p->cpu && abstime)
        return value;
    if (p->cpu)
        return cpu + value > cpu ? cpu + value : UINT64_MAX;
    if (!abstime)
        return expiry_after(value);
    return p->clock == LINUX_CLOCK_MONOTONIC ? value + EXPIRY_ORIGIN : expiry_at(value, clock_now(p->clock));
}

int do_timer_settime(struct task *t, int id, bool abstime, const struct linux_itimerspec *set,
                     struct linux_itimerspec *old) {
    uint64_t value, interval;
    if (!time_from_spec(&set->it_value, &value) || !time_from_spec(&set->it_interval, &interval))
        return -LINUX_EINVAL;
    uint64_t cpu = cpu_for(t, id);
    LOCKED(&t->tg->sig_lock);
    struct posix_timer *p = find(t->tg, id);
    if (!p)
        return -LINUX_EINVAL;
    read_setting(p, cpu, old);
    ktimer_cancel(&p->kt);
    p->due = false;
    p->overrun = 0;
    p->interval = value ? interval : 0;
    if (abstime && value)
        value = task_deadline_in(t, p->clock, value);
    p->next = value ? first_expiry(p, abstime, value, cpu) : 0;
    p->cpu_seen = UINT64_MAX;
    if (value && p->notify != LINUX_SIGEV_NONE && p->cpu)
        cpu_rearm(p, cpu);
    else if (value && p->notify != LINUX_SIGEV_NONE)
        ktimer_set(&p->kt, expiry_mono(p->next));
    return 0;
}

int do_timer_gettime(struct task *t, int id, struct linux_itimerspec *out) {
    uint64_t cpu = cpu_for(t, id);
    LOCKED(&t->tg->sig_lock);
    struct posix_timer *p = find(t->tg, id);
    if (!p)
        return -LINUX_EINVAL;
    read_setting(p, cpu, out);
    return 0;
}

int64_t do_timer_getoverrun(struct task *t, int id) {
    LOCKED(&t->tg->sig_lock);
    struct posix_timer *p = find(t->tg, id);
    return p ? p->overrun : -LINUX_EINVAL;
}

// ---- Ends -------------------------------------------------------------------------------------------------
// sig_lock held: after this, no signal and no queue knows the timer.
static void detach(struct posix_timer *p) {
    p->dead = true;
    list_del(&p->link);
    if (list_linked(&p->entry.link))
        sigqueue_unlink(p->queue, &p->entry);
}

static void destroy(struct posix_timer *p) {
    ktimer_cancel_sync(&p->kt);
    free(p);
}

int do_timer_delete(struct task *t, int id) {
    struct posix_timer *p;
    {
        LOCKED(&t->tg->sig_lock);
        p = find(t->tg, id);
        if (!p)
            return -LINUX_EINVAL;
        detach(p);
    }
    destroy(p);
    return 0;
}

void posix_timers_exec(struct tgroup *g) {
    for (;;) {
        struct posix_timer *p;
        {
            LOCKED(&g->sig_lock);
            if (list_empty(&g->posix_timers))
                return;
            p = list_first(&g->posix_timers, struct posix_timer, link);
            detach(p);
        }
        destroy(p);
    }
}

void tgroup_timers_init(struct tgroup *g) { ktimer_init(&g->k->timers, &g->itimer_real, itimer_expired); }

void tgroup_timers_stop(struct tgroup *g) {
    LOCKED(&g->sig_lock);
    g->itimer_real_next = g->itimer_real_interval = 0;
    g->itimer_real_due = false;
    ktimer_cancel(&g->itimer_real);
    cpu_timers_stop(g);
    struct posix_timer *p;
    list_for_each(p, &g->posix_timers, link) {
        p->dead = true;
        ktimer_cancel(&p->kt);
    }
}

void tgroup_timers_free(struct tgroup *g) {
    ktimer_cancel_sync(&g->itimer_real);
    posix_timers_exec(g);
}
