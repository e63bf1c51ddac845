// SPDX-License-Identifier: Apache-2.0
// See cpu_timers.h. The host does not tell when a process has used up processor time, so a kernel timer
// looks: at the earliest moment at which the next expiry can have come, if all threads ran all the while. A
// process that did not run since the last look is looked at more and more rarely, down to IDLE_NS. Costs one
// host call and a turn of the event thread per look, and nothing for processes without such a timer or limit.
// LIMIT: expiries come up to 1 ms late, of a process that was idle up to 50 ms; ITIMER_VIRTUAL counts system
// time too. Locks: tasks_lock (who runs), then the process's sig_lock.
#include "sentry/time/cpu_timers.h"
#include "base/clamp.h"
#include "base/clock.h"
#include "sentry/kernel.h"
#include "sentry/proc/task.h"
#include "sentry/signal/signal.h"

#define LEAST_NS 1000000u
#define IDLE_NS  50000000u

static const int signals[CPU_TIMERS] = {LINUX_SIGVTALRM, LINUX_SIGPROF};

// A live thread of the process stands for its address space.
uint64_t tgroup_cpu_ns(struct tgroup *g) {
    uint64_t ns = g->cpu_ns_dead;
    if (list_empty(&g->tasks))
        return ns;
    struct task *t = list_first(&g->tasks, struct task, tg_link);
    LOCKED(&t->thread_lock);
    return t->thread ? ns + plat_cpu_ns(t->thread) : ns;
}

uint64_t task_cpu_ns(struct task *t) {
    LOCKED(&t->k->tasks_lock);
    return tgroup_cpu_ns(t->tg);
}

uint64_t cpu_look_at(struct tgroup *g, uint64_t left) {
    unsigned n = atomic_load(&g->nalive);
    n = n > g->k->ncpus ? g->k->ncpus : n;
    uint64_t wait = n > 1 ? left / n : left;
    return mono_ns() + (wait < LEAST_NS ? LEAST_NS : wait);
}

static uint64_t nearer(uint64_t a, uint64_t b) { return !a || (b && b < a) ? b : a; }

// A limit in seconds as a time; 0 is over at once, and 0 ns would mean none.
static uint64_t limit_ns(uint64_t seconds) { return seconds ? seconds * NS_PER_SEC : 1; }

// The nearest expiry, or 0: there is nothing to look for.
static uint64_t nearest(const struct tgroup *g) {
    const struct cpu_timers *c = &g->cpu;
    const struct linux_rlimit64 *l = &g->rlimits[LINUX_RLIMIT_CPU];
    uint64_t at = nearer(c->next[CPU_VIRTUAL], c->next[CPU_PROF]);
    if (l->rlim_cur < UINT64_MAX / NS_PER_SEC)
        at = nearer(at, c->next_xcpu ? c->next_xcpu : limit_ns(l->rlim_cur));
    if (l->rlim_max < UINT64_MAX / NS_PER_SEC)
        at = nearer(at, limit_ns(l->rlim_max));
    return at;
}

// sig_lock held.
static void look_again(struct tgroup *g, uint64_t now) {
    struct cpu_timers *c = &g->cpu;
    uint64_t at = nearest(g), when;
    if (!at)
        return;
    when = cpu_look_at(g, at > now ? at - now : 0);
    bool idle = now == c->seen;
    c->wait = idle ? clamp_u64(c->wait * 2, LEAST_NS, IDLE_NS) : LEAST_NS;
    c->seen = now;
    uint64_t least = mono_ns() + c->wait;
    ktimer_set(&c->look, idle && when < least ? least : when);
}

// What is due at `now` is taken: a set of signals. sig_lock held.
static uint64_t take_due(struct tgroup *g, uint64_t now) {
    struct cpu_timers *c = &g->cpu;
    uint64_t due = 0;
    for (unsigned i = 0; i < CPU_TIMERS; i++) {
        if (!c->next[i] || c->next[i] > now)
            continue;
        due |= LINUX_SIGMASK(signals[i]);
        c->next[i] =
            c->interval[i] ? c->next[i] + ((now - c->next[i]) / c->interval[i] + 1) * c->interval[i] : 0;
    }
    const struct linux_rlimit64 *l = &g->rlimits[LINUX_RLIMIT_CPU];
    if (l->rlim_max < UINT64_MAX / NS_PER_SEC && now >= l->rlim_max * NS_PER_SEC)
        return LINUX_SIGMASK(LINUX_SIGKILL);
    if (l->rlim_cur >= UINT64_MAX / NS_PER_SEC)
        return due;
    uint64_t at = c->next_xcpu ? c->next_xcpu : l->rlim_cur * NS_PER_SEC;
    if (now < at)
        return due;
    c->next_xcpu = now + NS_PER_SEC;  // again each second, setrlimit(2)
    return due | LINUX_SIGMASK(LINUX_SIGXCPU);
}

static void look(struct ktimer *kt) {
    struct tgroup *g = container_of(kt, struct tgroup, cpu.look);
    LOCKED(&g->k->tasks_lock);
    if (list_empty(&g->tasks))
        return;
    uint64_t now = tgroup_cpu_ns(g), due;
    {
        LOCKED(&g->sig_lock);
        due = take_due(g, now);
        look_again(g, now);
    }
    for (int sig = 1; due >> (sig - 1); sig++)
        if (due & LINUX_SIGMASK(sig) && sig == LINUX_SIGKILL)
            signal_kill(g);
        else if (due & LINUX_SIGMASK(sig))
            signal_send_group(g, sig, NULL);
}

// What is left of a timer that expires at `next`, 0: is not set. One that is overdue still runs.
static uint64_t timer_left(uint64_t next, uint64_t now) {
    if (!next)
        return 0;
    return next > now ? next - now : 1;
}

static uint64_t sum_or_never(uint64_t a, uint64_t b) { return a + b > a ? a + b : UINT64_MAX; }

void cpu_timer_set(struct tgroup *g, unsigned which, bool set, uint64_t value, uint64_t interval,
                   uint64_t *old_value, uint64_t *old_interval) {
    struct cpu_timers *c = &g->cpu;
    LOCKED(&g->k->tasks_lock);
    uint64_t now = tgroup_cpu_ns(g);
    LOCKED(&g->sig_lock);
    *old_value = timer_left(c->next[which], now);
    *old_interval = c->interval[which];
    if (!set)
        return;
    c->next[which] = value ? sum_or_never(now, value) : 0;
    c->interval[which] = value ? interval : 0;
    c->seen = UINT64_MAX;
    look_again(g, now);
}

void cpu_timers_limit(struct tgroup *g) {
    g->cpu.next_xcpu = 0;
    g->cpu.seen = UINT64_MAX;
    look_again(g, 0);
}

void cpu_timers_init(struct tgroup *g) { ktimer_init(&g->k->timers, &g->cpu.look, look); }
void cpu_timers_stop(struct tgroup *g) {
    g->cpu.next[CPU_VIRTUAL] = g->cpu.next[CPU_PROF] = 0;
    ktimer_cancel(&g->cpu.look);
}
void cpu_timers_free(struct tgroup *g) { ktimer_cancel_sync(&g->cpu.look); }
