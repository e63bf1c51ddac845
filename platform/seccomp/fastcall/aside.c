// SPDX-License-Identifier: Apache-2.0
// Threads whose rings are polled keep off the poller's core. Called by poller.c, which puts them aside, by
// keep.c and checkin.c. Locks: thread->lock.
//
// Where as many guest threads run as there are CPUs, the host would run one of them in turn with the poller,
// some ms each: calls of all the others wait meanwhile, or come by notification and pull the guests together
// on one core after all. A poller that pays has its core to itself, and what it polls shares the other ones.
//
// A child of a thread that is aside is born there: as it checks in it may go anywhere again.
//
// Host calls of ours: one for each thread that is put aside, and one when it comes back.
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// LIMIT: CPUs that a sandbox is given while it runs (a wider cpuset) are used by threads that were never kept
// off a poller's core, nor born of such, and not by the others: the mask that was set last counts.
void sc_run_on(int tid, const cpu_set_t *cpus) {
    cpu_set_t any;
    if (syscall(SYS_sched_setaffinity, tid, sizeof *cpus, cpus) == 0 || errno != EINVAL)
        return;
    memset(&any, 0xff, sizeof any);  // a cpuset has none of them any more: all that it has, as the host does
    syscall(SYS_sched_setaffinity, tid, sizeof any, &any);
}

// [lock] The number is its thread's own: no thread ends without our word but with its process, which is not
// reaped while t->lock is held and its state is not DEAD. A running thread that has to leave its core is
// waited for: the host's stopper takes it, ahead of all else.
static void run_on(const struct sc_thread *t, const cpu_set_t *cpus) {
    if (t->tid)
        sc_run_on(t->tid, cpus);
}

bool sc_aside_begin(struct sc_platform *p, cpu_set_t *others) {
    int cpu = sched_getcpu();
    cpu_set_t here;
    if (cpu < 0 || cpu >= CPU_SETSIZE)
        return false;
    *others = p->pollers.all;
    CPU_CLR((unsigned)cpu, others);
    CPU_ZERO(&here);
    CPU_SET((unsigned)cpu, &here);
    return CPU_COUNT(others) > 0 && sched_setaffinity(0, sizeof here, &here) == 0;
}

bool sc_aside_put(struct sc_platform *p, unsigned ring, const cpu_set_t *others) {
    struct sc_thread *t = atomic_load(&p->rings.owner[ring - 1]);
    if (!t)
        return false;
    LOCKED(&t->lock);
    if (atomic_load(&t->ring_no) != ring || t->state == SC_DEAD || t->state == SC_FREE || t->aside)
        return false;
    atomic_store(&p->pollers.any_aside, true);  // before the host knows: its children see it
    t->aside = true;
    run_on(t, others);
    plat_count_one(&p->base, STAT_ASIDE);
    return true;
}

void sc_aside_over(struct sc_thread *t) {
    if (!t->aside)
        return;
    t->aside = false;
    if (t->state != SC_DEAD)
        run_on(t, &sc_plat(t)->pollers.all);
}

void sc_aside_return(struct sc_platform *p, unsigned ring) {
    struct sc_thread *t = atomic_load(&p->rings.owner[ring - 1]);
    if (!t)
        return;
    LOCKED(&t->lock);
    if (atomic_load(&t->ring_no) == ring)
        sc_aside_over(t);
}

void sc_aside_born(const struct sc_thread *t) {
    const struct sc_pollers *pollers = &sc_plat(t)->pollers;
    if (!t->clean && atomic_load(&pollers->any_aside))
        run_on(t, &pollers->all);
}
