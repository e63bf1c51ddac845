// SPDX-License-Identifier: Apache-2.0
// Which call sites of a thread are hot, and what the sentry lets us do about it. Called by dispatch.c for
// each call that arrives by notification, and by listener.c before the sentry has the event. Locks:
// thread->lock.
#include "abi/syscalls.h"
#include "base/clock.h"
#include "base/fault.h"
#include "platform/seccomp/sc.h"
#include <sys/syscall.h>

#define BUSY_CALLS 32       // in BUSY_NS, of a thread whose ring should be polled
#define JOIN_CALLS 4        // ... where one is at work already
#define BUSY_NS    4000000  // ... for each thread that runs: a call may cost 100 us that has to wake a core
#define SC_SAMPLE  16       // of so many calls by the handler, one is asked for its site

// mmap and munmap are patched for their place's sake; they go by the ring only with premapped memory, as brk
// only with memory behind the break.
static bool is_memory_call(uint64_t nr) { return nr == SYS_mmap || nr == SYS_munmap || nr == SYS_brk; }

void sc_sites_open(struct sc_platform *p, const bool *needs_context) {
    for (unsigned nr = 0; nr < 512 && p->pollers.ncpus > 1; nr++) {
        const struct sysdesc *d = sysdesc(nr);
        bool by_host = d && d->context == SYSCALL_HOST;  // it may go on as it stands, which a ring cannot do
        p->ring_serves[nr] = !by_host && !(needs_context && needs_context[nr]);
    }
}

static bool may_be_served(const struct sc_platform *p, uint64_t nr) {
    return nr < 512 && (p->ring_serves[nr] || is_memory_call(nr));
}

bool sc_ring_serves(struct sc_thread *t, uint64_t nr) {
    const struct sc_as *as = sc_as(t);
    if (nr < 512 && is_memory_call(nr))
        return nr == SYS_brk ? atomic_load(&as->heap.on) : atomic_load(&as->premap.on);
    return nr < 512 && sc_plat(t)->ring_serves[nr];
}

// ---- Counting ---------------------------------------------------------------------------------------------

// Sites that fall on one entry push each other out.
static struct call_site *entry_of(struct fastcall *f, uint64_t ip) {
    return &f->sites[ip * 0x9e3779b97f4a7c15ull >> 32 & (SC_SITES - 1)];
}

struct call_site *sc_site_of(struct sc_thread *t, uint64_t ip) {
    struct call_site *s = t->fast ? entry_of(t->fast, ip) : NULL;
    return s && s->ip == ip ? s : NULL;
}

// A call by notification that a ring would have taken, if anybody had polled it.
static void count_unpolled(struct sc_thread *t, unsigned calls) {
    struct fastcall *f = t->fast;
    if (f->calls == 0)
        f->since = mono_ns();
    f->calls += calls;
    if (f->calls < (atomic_load(&sc_plat(t)->pollers.busy) ? JOIN_CALLS : BUSY_CALLS))
        return;
    unsigned running = atomic_load(&sc_plat(t)->nrunning);
    t->wish.poller = mono_ns() - f->since < BUSY_NS * (1 + running);
    f->calls = 0;
}

static bool is_hot(struct call_site *s) {
    if (s->state == SITE_PATCHED)  // there was another thread for a while: maps are to be switched on again
        return s->calls % SC_HEAT == 0;
    if (s->state != SITE_PLAIN || s->calls < SC_HEAT)
        return false;
    s->state = SITE_TRIED;
    return true;
}

static bool gets_warm(const struct call_site *s, unsigned calls) {
    return s->state == SITE_PLAIN && s->calls >= SC_WARM && s->calls < SC_WARM + calls;
}

void sc_site_count(struct sc_thread *t, uint64_t ip, uint64_t nr, unsigned calls) {
    const struct sc_platform *p = sc_plat(t);
    bool alone = sc_as_has_one_thread(sc_as(t));
    if (!p->rings.mem || t->internal || !may_be_served(p, nr) || (is_memory_call(nr) && !alone))
        return;
    if (!t->fast && !(t->fast = znew(struct fastcall)))
        return;
    struct fastcall *f = t->fast;
    struct call_site *s = entry_of(f, ip);
    if (s->ip != ip)
        *s = (struct call_site){.ip = ip};
    s->calls += calls;
    if (atomic_load(&t->dispatched) && s->state != SITE_PATCHED && !is_memory_call(nr))
        count_unpolled(t, calls);
    if (s->state != SITE_PATCHED || !f->on || (is_memory_call(nr) && !f->alone)) {
        t->wish.warm_site = gets_warm(s, calls) ? ip : 0;
        t->wish.hot_site = is_hot(s) ? ip : 0;
        return;
    }
    if (sc_ring_serves(t, nr))
        count_unpolled(t, calls);
    if (nr == SYS_munmap && s->calls % SC_HEAT == 0)
        t->wish.premap_bytes = sc_premap_wanted(t);
}

void sc_site_count_trapped(struct sc_thread *t, uint64_t nr) {
    if ((!sc_ring_serves(t, nr) && nr != SYS_brk) || t->internal)
        return;
    if (nr == SYS_brk && t->fast && t->fast->on)
        t->wish.heap_bytes = sc_heap_wanted(t, t->fast->breaks++);
    if (++t->trapped % SC_SAMPLE == 0 && sc_regs_load(t) == 0)
        sc_site_count(t, t->cache.regs.rip, nr, SC_SAMPLE);
}

void sc_sites_shared(struct sc_thread *t) {
    if (t->fast)
        t->fast->alone = false;
}

// ---- Asking -----------------------------------------------------------------------------------------------

static uint64_t take_word(uint64_t *word) {
    uint64_t value = *word;
    *word = 0;
    return value;
}

// Whom and what a question is about. The sentry has not claimed the event yet, so its thread may be destroyed
// meanwhile.
struct question {
    struct sc_thread *t;
    struct sc_as *as;  // held
    void *owner;       // the same
};

// False: it is being destroyed, or has no owner.
static bool hold(const struct plat_guest_ops *guest, struct question *q) {
    struct sc_thread *t = q->t;
    LOCKED(&t->lock);
    q->owner = t->state == SC_HELD && !t->doomed ? atomic_load(&t->base.owner) : NULL;
    if (!q->owner)
        return false;
    guest->owner_get(q->owner);
    q->as = sc_as(t);
    sc_as_hold(q->as);
    return true;
}

// [lock] A call that came by the handler may be ordered anything; the sentry has not been told yet.
bool sc_may_order(const struct sc_thread *t, const struct sc_as *as) {
    return t->state == SC_HELD && sc_as(t) == as && t->hold != HOLD_CHECKIN && t->call.nr != (uint64_t)-1 &&
           !t->queue.n;
}

// The next best for a site that cannot be patched.
static void dispatch(const struct question *q) {
    struct sc_thread *t = q->t;
    LOCKED(&t->lock);
    if (!sc_plat(t)->dispatches || atomic_load(&t->dispatched) || !sc_may_order(t, q->as))
        return;
    bool fresh = !atomic_load(&t->ring_no);
    if (sc_ring_order(t) && sc_dispatch_order(t)) {
        plat_count_one(t->base.p, STAT_DISPATCHED);
        return;
    }
    sc_ops_clear(t);
    if (fresh)
        sc_ring_take_back(t);
}

static void ask_known(const struct plat_guest_ops *guest, const struct question *q) {
    struct sc_platform *p = sc_plat(q->t);
    uint64_t site = take_word(&q->t->wish.warm_site);
    if (!site || !sc_known_has(p, guest, q->owner, site))
        return;
    plat_count_one(&p->base, STAT_KNOWN);
    q->t->wish.hot_site = site;
}

// False: it must be asked again when nobody changes the map.
static bool ask_text(const struct plat_guest_ops *guest, const struct question *q, bool turn) {
    uint64_t site = take_word(&q->t->wish.hot_site);
    struct plat_text text;
    if (!site)
        return true;
    bool known = guest->text_range && guest->text_range(q->owner, site, &text) &&
                 !((text.start | text.end) & (STUB_PAGE - 1)) && site >= text.start && site < text.end;
    enum patch result = known ? sc_patch(q->t, q->as, site, &text, turn) : PATCH_NOT;
    if (result == PATCH_NOT)
        dispatch(q);
    if (result == PATCH_DONE)
        sc_known_add(sc_plat(q->t), guest, q->owner, site);
    if (result == PATCH_TURN)
        q->t->wish.hot_site = site;
    return result != PATCH_TURN;
}

static void ask_range(const struct plat_guest_ops *guest, const struct question *q) {
    uint64_t len = take_word(&q->t->wish.premap_bytes);
    uint64_t at = len && guest->free_range ? guest->free_range(q->owner, len) : 0;
    if (at && plat_range_ok(q->as->base.p, at, len) && !sc_heap_overlaps(q->as, at, len))
        sc_premap_make(q->t, q->as, at, len);
}

static void ask_heap(const struct plat_guest_ops *guest, const struct question *q) {
    uint64_t len = take_word(&q->t->wish.heap_bytes);
    uint64_t at = len && guest->heap_room ? guest->heap_room(q->owner, len) : 0;
    if (at && plat_range_ok(q->as->base.p, at, len) && !sc_premap_overlaps(q->as, at, len))
        sc_heap_offer(q->t, q->as, at);
}

bool sc_ask_guest(struct sc_thread *t) {
    const struct plat_guest_ops *guest = t->base.p->guest;
    struct question q = {.t = t};
    bool asks = t->wish.hot_site || t->wish.warm_site || t->wish.premap_bytes || t->wish.heap_bytes;
    if (!asks || !guest || !hold(guest, &q))
        return false;
    ask_known(guest, &q);
    bool later = !ask_text(guest, &q, false);
    ask_range(guest, &q);
    ask_heap(guest, &q);
    sc_as_unhold(q.as);
    guest->owner_put(q.owner);
    return later;
}

bool sc_text_work(struct plat_thread *pt) {
    struct sc_thread *t = sc_thread_of(pt);
    struct question q = {.t = t};
    if (!t->wish.hot_site || !hold(pt->p->guest, &q))
        return false;
    ask_text(pt->p->guest, &q, true);
    sc_as_unhold(q.as);
    pt->p->guest->owner_put(q.owner);
    LOCKED(&t->lock);
    return t->queue.n > 0;
}
