// SPDX-License-Identifier: Apache-2.0
// Host processes and address spaces as objects: making, giving back, killing. Called by the rest of the
// backend. Locks: platform->lock.
//
// Who holds whom: a process and each of its threads hold the memory of their address space; the sentry's
// references to it count as one hold. A process lives until the reaper has seen its end and its threads are
// told.
#include "base/fault.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

// ---- Address spaces ---------------------------------------------------------------------------------------

struct sc_as *sc_as_new(struct sc_platform *p) {
    struct sc_as *as = znew(struct sc_as);
    if (!as)
        return NULL;
    plat_as_init(&as->base, &p->base);
    atomic_fetch_sub(&p->base.nspaces, 1);  // counted when the sentry gets it
    list_init(&as->procs);
    sc_premap_init(&as->premap);
    sc_heap_init(&as->heap);
    as->holds = 1;
    return as;
}

void sc_as_drop(struct sc_as *as) {
    invariant(as->holds > 0);
    if (--as->holds)
        return;
    sc_rings_free(as);
    sc_premap_fini(as);
    sc_heap_fini(as);
    free(as->slots);
    plat_as_fini(&as->base);
    free(as);
}

void sc_as_hold(struct sc_as *as) {
    struct sc_platform *p = sc_of(as->base.p);
    lock_nested(&p->lock);
    as->holds++;
    lock_drop(&p->lock);
}

void sc_as_unhold(struct sc_as *as) {
    struct sc_platform *p = sc_of(as->base.p);
    LOCKED(&p->lock);
    sc_as_drop(as);
}

void sc_as_release(struct plat_as *pas) {
    struct sc_as *as = sc_as_of(pas);
    struct sc_platform *p = sc_of(pas->p);
    struct sc_proc *proc;
    lock_nested(&p->lock);
    list_for_each(proc, &as->procs, as_link) {
        sc_proc_kill(proc);
    }
    sc_as_drop(as);
    lock_drop(&p->lock);
}

bool sc_slot_claim(struct sc_as *as, unsigned slot) {
    unsigned need = slot / 64 + 1;
    if (need > as->nslot_words) {
        uint64_t *slots = realloc(as->slots, need * sizeof *slots);
        if (!slots)
            return false;
        memset(slots + as->nslot_words, 0, (need - as->nslot_words) * sizeof *slots);
        as->slots = slots;
        as->nslot_words = need;
    }
    as->slots[slot / 64] |= 1ull << slot % 64;
    return true;
}

int sc_slot_take(struct sc_as *as) {
    unsigned w = 0;
    while (w < as->nslot_words && as->slots[w] == ~0ull)
        w++;
    unsigned slot = w * 64 + (w < as->nslot_words ? (unsigned)__builtin_ctzll(~as->slots[w]) : 0);
    return slot < sc_of(as->base.p)->nslots && sc_slot_claim(as, slot) ? (int)slot : -1;
}

void sc_slot_give(struct sc_as *as, unsigned slot) { as->slots[slot / 64] &= ~(1ull << slot % 64); }

// ---- Processes --------------------------------------------------------------------------------------------

struct sc_proc *sc_proc_new(struct sc_as *as) {
    struct sc_platform *p = sc_of(as->base.p);
    struct sc_proc *proc = znew(struct sc_proc);
    if (!proc)
        return NULL;
    proc->as = as;
    list_init(&proc->threads);
    list_init(&proc->kept);
    lock_nested(&p->lock);
    list_add_tail(&as->procs, &proc->as_link);
    list_add_tail(&p->procs, &proc->all_link);
    as->holds++;
    lock_drop(&p->lock);
    return proc;
}

void sc_proc_drop(struct sc_proc *proc) {
    invariant(list_empty(&proc->threads));
    list_del(&proc->as_link);
    list_del(&proc->all_link);
    sc_as_drop(proc->as);
    free(proc);
}

void sc_proc_kill(struct sc_proc *proc) {
    if (proc->killed || proc->dead)
        return;
    proc->killed = true;
    if (proc->pid)
        kill(proc->pid, SIGKILL);
}
