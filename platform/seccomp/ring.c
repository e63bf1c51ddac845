// SPDX-License-Identifier: Apache-2.0
// The syscall ring: calls of a busy single-threaded guest without any host call. Called by dispatch.c, run.c, listener.c.
//
// A *site* is a syscall instruction right behind one of 5 bytes that we know (`mov $nr,%eax`; in the C library's
// syscall(3): `mov 8(%rsp),%r9`). When many plain calls come from it, and the sentry says that it lies in private
// file-backed text (text_range()), those 5 bytes become a jump to a *thunk*: the same instruction, then the address
// behind the site to rcx, then on to the blob's ring code. The syscall instruction stays, so whatever stood or jumps
// between the two is right as before, and the ring code goes back to it when there is no ring: interrupts, restarts
// and frames see addresses of the guest's own text alone. Thunks lie in the zeros behind the text's end, in its last
// page; where these do not suffice, nothing is patched. A fork copies all that with the text; the copy's ring is off
// until it has one of its own.
//
// The *ring* is two pages that an address space with one thread shares with us: number, arguments, value. A *poller*
// spins on it while its thread calls often (SC_HOT calls in SC_HOT_NS), gives up SC_POLL_NS after the last call, and
// does so only with a core to spare; at most one ring is polled at a time. Two waiters are pollers, one bound to the
// even, one to the odd ones of our CPUs: the one that is not where the guest runs is woken, so that waking it moves
// neither it nor the guest. A thread whose call is not taken soon takes it back and makes it. One that was taken and
// must not, or cannot, be answered in the ring (an interrupt, host work, a call that sleeps) is told to come by a host
// call (STUB_RING_WAIT); from then on it is held by a plain notification, and since answering that may bring the thread
// to the poller's own core, the poller goes to sleep.
//
// All of it is guest memory. A ring says nothing about who calls: a polled ring belongs to one thread, which must be
// RUNNING, and each field is read once. A guest that goes on while its call is TAKEN makes its next host call in the
// wrong state, and is killed. No signal is sent to a thread while its call is TAKEN: it is HELD, and a call of one to
// which a signal is under way is not taken.
//
// LIMIT: a guest that reads its own text sees the jump. While an address space has a second thread (or vfork child) it has no ring.
// When the host refuses to make text writable for the moment (strict overcommit), the process ends.
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/clock.h"
#include "platform/seccomp/sc.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SC_HOT      32
#define SC_HOT_NS   4000000 // a call may cost 100 us here when it has to wake another core
#define SC_POLL_NS 100000
#define SC_POLL_MOST_NS 1000000
#define SC_MAX_PAUSE 1023 // times SC_HOT calls
#define THUNK_LEN   32
#define THUNK_GAP   64 // zeros that may still belong to the program

static_assert(offsetof(struct stub_ring, value) == 56 && offsetof(struct stub_ring, polled) == 64, "blob.S");
static_assert(offsetof(struct stub_ring, str) == 128 && offsetof(struct stub_ring, out) == 512 &&
                  sizeof(struct stub_ring) == STUB_RING_LEN && STUB_RING_STR == 384 && STUB_RING_OUT == 7680,
              "blob.S");
static_assert(offsetof(struct stub_scratch, slot) == 48 && offsetof(struct stub_scratch, value) == 80 &&
                  offsetof(struct stub_scratch, stack) == 88 && sizeof(struct stub_scratch) == 120 &&
                  offsetof(struct stub_slot, place_at) == 16 && offsetof(struct stub_slot, place_top) == 32, "blob.S");
static_assert(offsetof(struct stub_scratch, rsi) == 40 && offsetof(struct stub_scratch, flags) == 24 && STUB_SCRATCH_AT == 16384 &&
                  STUB_RING_AT == 20480,
              "blob.S");

static _Thread_local struct sc_poller *me;     // NULL: an ordinary waiter
static _Thread_local struct sc_as *polling;    // held
static _Thread_local struct sc_thread *call_of; // whose call of the ring this thread handles
static _Thread_local bool in_ring;              // ... and was it answered in the ring?
static _Thread_local unsigned taken;            // calls from it

// ---- Opening -------------------------------------------------------------------------------------------------------

// Every second one of our CPUs, from the first or from the second on.
static void split_cpus(const cpu_set_t *all, cpu_set_t half[SC_POLLERS]) {
    CPU_ZERO(&half[0]);
    CPU_ZERO(&half[1]);
    for (unsigned cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, all))
            CPU_SET(cpu, &half[n++ % SC_POLLERS]);
}

void sc_fastcall_open(struct sc_platform *p, const bool *needs_context) {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) || (p->ring_fd = memfd_create("picket-rings", MFD_CLOEXEC)) < 0)
        return;
    p->ncpus = (unsigned)CPU_COUNT(&all);
    cpu_set_t half[SC_POLLERS];
    split_cpus(&all, half);
    for (int i = 0; i < SC_POLLERS; i++)
        p->pollers[i].cpus = half[i];
    for (unsigned nr = 0; nr < 512 && p->ncpus > 1; nr++) // these three go on as they stand, which a ring cannot do
        p->ring_calls[nr] = !(needs_context && needs_context[nr]) && nr != SYS_munmap && nr != SYS_mprotect &&
                            nr != SYS_madvise;
    void *at = MAP_FAILED;
    if (ftruncate(p->ring_fd, SC_RINGS * (off_t)STUB_RING_LEN) == 0)
        at = mmap(NULL, SC_RINGS * STUB_RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, p->ring_fd, 0);
    if (at != MAP_FAILED)
        p->rings = at;
}

void sc_fastcall_close(struct sc_platform *p) {
    if (p->rings)
        munmap(p->rings, SC_RINGS * STUB_RING_LEN);
    if (p->ring_fd >= 0)
        close(p->ring_fd);
}

static struct stub_ring *ring_of(const struct sc_as *as) {
    return (struct stub_ring *)(sc_of(as->base.p)->rings + (as->ring - 1) * STUB_RING_LEN);
}

// [P] No process has it mapped any more.
void sc_ring_free(struct sc_as *as) {
    if (!as->ring)
        return;
    memset(ring_of(as), 0, STUB_RING_LEN);
    sc_of(as->base.p)->rings_used &= ~(1ull << (as->ring - 1));
    as->ring = 0;
}

void sc_ring_premap_hint(struct sc_as *as, uint64_t room, uint64_t top) {
    if (!as->ring)
        return;
    struct stub_ring *ring = ring_of(as);
    __atomic_store_n(&ring->room, room, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->top, top, __ATOMIC_RELAXED);
}

static bool ring_alloc(struct sc_platform *p, struct sc_as *as) {
    lock_nested(&p->lock);
    if (~p->rings_used) {
        as->ring = (unsigned)__builtin_ctzll(~p->rings_used) + 1;
        p->rings_used |= 1ull << (as->ring - 1);
    }
    lock_drop(&p->lock);
    return as->ring != 0;
}

// ---- Which sites, which threads --------------------------------------------------------------------------------------

static bool alone(const struct sc_as *as) {
    return atomic_load(&as->nthreads) == 1;
}

// Sites that fall on one entry push each other out.
static struct sc_heat *heat_of(struct sc_thread *t, uint64_t ip) {
    return &t->heat[ip * 0x9e3779b97f4a7c15ull >> 32 & (SC_SITES - 1)];
}

uint64_t sc_site_count(struct sc_thread *t, uint64_t ip, uint64_t nr, unsigned calls) {
    const struct sc_platform *p = sc_plat(t);
    bool memory = nr == SYS_mmap || nr == SYS_munmap; // patched for its place's sake; in the ring only with premapped memory
    if (!p->rings || t->internal || nr >= 512 || !(p->ring_calls[nr] || memory) || !alone(sc_as(t)))
        return 0;
    struct sc_heat *h = heat_of(t, ip);
    if (h->ip != ip)
        *h = (struct sc_heat){.ip = ip};
    h->calls += calls;
    if (h->state == SITE_PATCHED && t->ring_on) {
        if (memory && !atomic_load(&sc_as(t)->premap.on))
            return 0;
        if (t->ring_calls++ == 0)
            t->ring_since = mono_ns();
        if (t->ring_calls < SC_HOT)
            return 0;
        t->ring_hot = mono_ns() - t->ring_since < SC_HOT_NS;
        t->ring_calls = 0;
        return 0;
    }
    if (h->state == SITE_PATCHED) // there was another thread for a while: to be switched on again
        return h->calls % SC_HEAT ? 0 : ip;
    if (h->state != SITE_PLAIN || h->calls < SC_HEAT)
        return 0;
    h->state = SITE_TRIED;
    return ip;
}

// Of a munmap, each so many times when it comes from a patched site: bytes of premapped memory to be had, or 0.
uint64_t sc_site_premap_wanted(struct sc_thread *t, uint64_t ip, uint64_t nr) {
    const struct sc_heat *h = heat_of(t, ip);
    bool hot = nr == SYS_munmap && h->ip == ip && h->state == SITE_PATCHED && t->ring_on && h->calls % SC_HEAT == 0;
    return hot && alone(sc_as(t)) ? sc_premap_wanted(t) : 0;
}

// ---- Patching --------------------------------------------------------------------------------------------------------

static bool read_guest(struct sc_thread *t, void *buf, uint64_t at, size_t len) {
    struct iovec local = {buf, len}, remote = {(void *)at, len};
    return plat_memory_raw(t->base.as, false, &local, 1, &remote, 1) == (int64_t)len;
}

// The jump's reach.
static bool rel32(uint64_t from, uint64_t to, int32_t *out) {
    int64_t d = (int64_t)(to - from);
    *out = (int32_t)d;
    return d == *out;
}

static bool make_thunk(const struct sc_platform *p, unsigned char thunk[THUNK_LEN], uint64_t at, const unsigned char *first,
                       uint64_t ip) {
    int32_t d;
    uint64_t ring = p->place.base + stub_header()->ring;
    if (!rel32(at + 12, ip, &d))
        return false;
    memset(thunk, 0xcc, THUNK_LEN);
    memcpy(thunk, first, 5);
    memcpy(thunk + 5, "\x48\x8d\x0d", 3); // lea d(%rip), %rcx
    memcpy(thunk + 8, &d, 4);
    memcpy(thunk + 12, "\xff\x25\x06\x00\x00\x00", 6); // jmp *6(%rip): the last 8 bytes
    memcpy(thunk + 24, &ring, 8);
    return true;
}

// Is it a jump of ours, of this address space or of the one that it is a copy of?
static bool is_patched(struct sc_thread *t, const unsigned char *b, uint64_t ip) {
    unsigned char now[THUNK_LEN], want[THUNK_LEN];
    int32_t d;
    if (b[0] != 0xe9)
        return false;
    memcpy(&d, b + 1, 4);
    uint64_t at = ip - 2 + (uint64_t)(int64_t)d;
    return read_guest(t, now, at, sizeof now) && make_thunk(sc_plat(t), want, at, now, ip) &&
           memcmp(now, want, sizeof now) == 0;
}

// The byte before tells most longer instructions that end in the same bytes.
static bool may_patch(const unsigned char *b, uint8_t before, uint64_t nr) {
    uint32_t imm;
    if (memcmp(b, "\x4c\x8b\x4c\x24\x08", 5) == 0)
        return true;
    memcpy(&imm, b + 1, 4);
    return b[0] == 0xb8 && imm == nr && (before & 0xf0) != 0x40 && before != 0x8b && before != 0x8d && before != 0x89;
}

// A place for a thunk: where in the page, or 0.
static unsigned find_zeros(const unsigned char page[STUB_PAGE]) {
    unsigned i = STUB_PAGE;
    while (i && !page[i - 1])
        i--;
    i = (i + THUNK_GAP + 7) & ~7u;
    return i + THUNK_LEN <= STUB_PAGE ? i : 0;
}

static bool order(struct sc_thread *t, uint64_t nr, const uint64_t a[6], uint64_t expect) {
    struct sc_op *o = sc_ops_add(t);
    if (!o)
        return false;
    o->call = (struct host_call){nr, {a[0], a[1], a[2], a[3], a[4], a[5]}};
    o->expect = expect;
    return true;
}
static bool order_store(struct sc_thread *t, uint64_t page, int prot, uint64_t at, uint64_t word) {
    return order(t, SYS_mprotect, (uint64_t[6]){page & ~(STUB_PAGE - 1), STUB_PAGE, (uint64_t)prot, at, word},
                 STUB_EXPECT_STORE);
}

static bool order_ring(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    uint64_t at = p->place.base + STUB_RING_AT;
    atomic_store(&as->ring_thread, t);
    if (as->ring)
        return true;
    int fd = fcntl(p->ring_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return false;
    if (!ring_alloc(p, as) ||
        !order(t, SYS_mmap,
               (uint64_t[6]){at, STUB_RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                             (uint64_t)sc_stub_fd(t), (as->ring - 1) * STUB_RING_LEN},
               STUB_EXPECT_VALUE)) {
        close(fd);
        return false;
    }
    t->ops[t->nops - 1].fd = fd;
    return order(t, SYS_madvise, (uint64_t[6]){at, STUB_RING_LEN, MADV_DONTFORK}, STUB_EXPECT_ZERO);
}

static bool order_patch(struct sc_thread *t, uint64_t ip, uint64_t at, const unsigned char *thunk, const unsigned char *b) {
    const int rw = LINUX_PROT_READ | LINUX_PROT_WRITE, rx = LINUX_PROT_READ | LINUX_PROT_EXEC;
    unsigned char now[8];
    uint64_t words[THUNK_LEN / 8], word;
    int32_t d;
    if (!rel32(ip - 2, at, &d))
        return false;
    memcpy(words, thunk, THUNK_LEN);
    memcpy(now, b, 8);
    now[0] = 0xe9; // jmp d
    memcpy(now + 1, &d, 4);
    memcpy(&word, now, 8);
    for (unsigned i = 0; i < THUNK_LEN / 8; i++)
        if (!order_store(t, at, rw, at + i * 8, words[i]))
            return false;
    return order(t, SYS_mprotect, (uint64_t[6]){at & ~(STUB_PAGE - 1), STUB_PAGE, (uint64_t)rx}, STUB_EXPECT_ZERO) &&
           order_store(t, ip, rw, ip - 7, word);
}

static void take_back(struct sc_thread *t, bool ring_too) {
    struct sc_platform *p = sc_plat(t);
    sc_ops_clear(t);
    lock_nested(&p->lock);
    if (ring_too)
        sc_ring_free(sc_as(t));
    lock_drop(&p->lock);
}

static void hot_text(struct sc_thread *t, uint64_t ip, uint64_t start, uint64_t end) {
    struct sc_platform *p = sc_plat(t);
    unsigned char page[STUB_PAGE], thunk[THUNK_LEN], b[10]; // b: from one byte before the site's 5 bytes
    if (!p->rings || ip - start < 8 || ((ip - 8) ^ (ip + 1)) & ~(STUB_PAGE - 1) || !read_guest(t, b, ip - 8, sizeof b) ||
        b[6] != 0x0f || b[7] != 0x05)
        return;
    LOCKED(&t->lock);
    struct sc_heat *h = heat_of(t, ip);
    if (t->state != SC_HELD || (t->hold != HOLD_VALUE && t->hold != HOLD_PROPOSAL) || t->nops || h->ip != ip ||
        !alone(sc_as(t)))
        return;
    uint64_t ctl = p->place.base + STUB_SCRATCH_AT;
    bool fresh = !sc_as(t)->ring, done = is_patched(t, b + 1, ip), ok = order_ring(t);
    if (ok && !done) {
        unsigned at = may_patch(b + 1, b[0], t->call_nr) && read_guest(t, page, end - STUB_PAGE, STUB_PAGE) ? find_zeros(page)
                                                                                                          : 0;
        ok = at && make_thunk(p, thunk, end - STUB_PAGE + at, b + 1, ip) &&
             order_patch(t, ip, end - STUB_PAGE + at, thunk, b + 1);
    }
    const int rx = LINUX_PROT_READ | LINUX_PROT_EXEC;
    ok = ok && order_store(t, ip, rx, ctl + offsetof(struct stub_scratch, slot), sc_slot_addr(t)) &&
         order_store(t, ip, rx, ctl + offsetof(struct stub_scratch, on), 1);
    if (ok) {
        h->state = SITE_PATCHED;
        t->ring_on = true;
    } else {
        take_back(t, fresh);
    }
}

// Its owner, with a reference; NULL: it is being destroyed, or has none.
static void *hold_owner(const struct plat_guest_ops *guest, struct sc_thread *t) {
    LOCKED(&t->lock);
    void *owner = t->doomed ? NULL : atomic_load(&t->base.owner);
    if (owner)
        guest->owner_get(owner);
    return owner;
}

static void ask_text(const struct plat_guest_ops *guest, struct sc_thread *t, void *owner) {
    uint64_t site = t->hot_site, start, end;
    if (site && guest->text_range && guest->text_range(owner, site, &start, &end) &&
        !((start | end) & (STUB_PAGE - 1)) && site >= start && site < end)
        hot_text(t, site, start, end);
}

static void ask_range(const struct plat_guest_ops *guest, struct sc_thread *t, void *owner) {
    uint64_t len = t->premap_wanted, at = len && guest->free_range ? guest->free_range(owner, len) : 0;
    if (at && plat_range_ok(t->base.p, at, len))
        sc_premap_make(t, at, len);
}

void sc_ask_guest(struct sc_thread *t) {
    const struct plat_guest_ops *guest = t->base.p->guest;
    void *owner = guest && (t->hot_site || t->premap_wanted) ? hold_owner(guest, t) : NULL;
    if (!owner)
        return;
    ask_text(guest, t, owner);
    ask_range(guest, t, owner);
    guest->owner_put(owner);
}

// ---- A call in the ring ------------------------------------------------------------------------------------------------

static uint32_t ring_state(const struct stub_ring *ring) {
    return __atomic_load_n(&ring->state, __ATOMIC_SEQ_CST);
}
static void set_ring_state(struct stub_ring *ring, uint32_t state) {
    __atomic_store_n(&ring->state, state, __ATOMIC_SEQ_CST);
}

void sc_ring_answer(struct sc_thread *t, int64_t value) {
    struct stub_ring *ring = ring_of(sc_as(t));
    t->ring_value = value;
    t->ring_done = true;
    in_ring = true;
    sc_set_state(t, SC_RUNNING);
    ring->out_addr = t->out_addr;
    __atomic_store_n(&ring->out_len, t->out_len, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->value, (uint64_t)value, __ATOMIC_RELAXED);
    set_ring_state(ring, STUB_RING_DONE);
}

void sc_ring_defer(struct sc_thread *t) {
    if (t->ring_slow)
        return;
    t->ring_slow = true;
    set_ring_state(ring_of(sc_as(t)), STUB_RING_DEFERRED);
}

// ---- Copies that travel with the call ----------------------------------------------------------------------------------

// A path: the thread has copied it with its own rights, as it stands in its own memory.
int64_t sc_ring_string(struct plat_thread *pt, uint64_t src, char *dst, size_t size) {
    struct sc_thread *t = sc_thread_of(pt);
    if (call_of != t)
        return -LINUX_EAGAIN;
    LOCKED(&t->lock);
    if (t->state != SC_HELD || t->hold != HOLD_RING)
        return -LINUX_EAGAIN;
    const struct stub_ring *ring = ring_of(sc_as(t));
    uint32_t len = __atomic_load_n(&ring->str_len, __ATOMIC_RELAXED);
    bool second = t->call_nr == SYS_newfstatat || t->call_nr == SYS_statx;
    if (!len || len > STUB_RING_STR || len > size || src != t->call_args[second])
        return -LINUX_EAGAIN;
    memcpy(dst, ring->str, len);
    const char *nul = memchr(dst, 0, len); // it may have changed
    return nul ? nul - dst : -LINUX_EAGAIN;
}

// Calls that change nothing: when the thread cannot copy what they give, they can be made again. None of them parks, so
// while call_of still stands for one, nobody else's call is handled on this thread.
static bool repeats(uint64_t nr) {
    return nr == SYS_pread64 || nr == SYS_stat || nr == SYS_lstat || nr == SYS_fstat || nr == SYS_newfstatat ||
           nr == SYS_statx;
}

// One piece for each call; others are copied at once.
bool sc_ring_copy_later(struct plat_as *as, uint64_t dst, const void *src, size_t len) {
    struct sc_thread *t = call_of;
    if (!t || t->base.as != as || len == 0 || len > STUB_RING_OUT)
        return false;
    LOCKED(&t->lock);
    if (t->state != SC_HELD || t->hold != HOLD_RING || t->ring_slow || t->out_len || !repeats(t->call_nr))
        return false;
    memcpy(ring_of(sc_as(t))->out, src, len);
    t->out_addr = dst;
    t->out_len = len;
    return true;
}

void sc_ring_copy_now(struct sc_thread *t, int64_t *value) {
    if (!t->out_len)
        return;
    struct iovec local = {ring_of(sc_as(t))->out, t->out_len}, remote = {(void *)t->out_addr, t->out_len};
    if (plat_memory_raw(t->base.as, true, &local, 1, &remote, 1) != (int64_t)t->out_len && *value >= 0)
        *value = -LINUX_EFAULT;
    t->out_len = 0;
}

bool sc_ring_arrive(struct sc_thread *t, uint64_t id) {
    if (!sc_as(t)->ring)
        return false;
    if (t->state == SC_HELD && t->hold == HOLD_RING) {
        set_ring_state(ring_of(sc_as(t)), STUB_RING_FREE);
        t->hold = HOLD_VALUE;
        t->id = id;
        t->call_nr = (uint64_t)-1; // what it stands in is not what it asked for
        if (t->ring_go)
            sc_let_go(t);
        return true;
    }
    if (t->state != SC_RUNNING || !t->ring_done || t->to_handler)
        return false;
    sc_ring_copy_now(t, &t->ring_value);
    t->ring_done = false; // it was answered while it was on its way
    set_ring_state(ring_of(sc_as(t)), STUB_RING_FREE);
    t->id = id;
    sc_reply(t, t->ring_value);
    return true;
}

// ---- Polling --------------------------------------------------------------------------------------------------------

static void drop_space(struct sc_platform *p, struct sc_as *as) {
    lock_take(&p->lock);
    sc_as_drop(as);
    lock_drop(&p->lock);
}

static void wake(struct sc_poller *w) {
    atomic_store(&w->word, 1);
    syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void sc_poller_wake(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    int cpu = t->ring_hot ? sched_getcpu() : -1;
    t->ring_hot = false;
    if (cpu < 0 || !as->ring || (as->poll_skip && as->poll_skip--))
        return;
    struct sc_poller *w = &p->pollers[CPU_ISSET((unsigned)cpu, &p->pollers[0].cpus)];
    if (!atomic_load(&w->there) || atomic_exchange(&p->polled, true))
        return;
    lock_take(&p->lock);
    as->holds++;
    lock_drop(&p->lock);
    atomic_store(&w->work, as);
    wake(w);
}

static void poll_end(struct sc_platform *p) {
    __atomic_store_n(&ring_of(polling)->polled, 0, __ATOMIC_SEQ_CST);
    // Little came of it: other work of the host has the cores. Next time later.
    polling->poll_pause = taken < SC_HOT ? polling->poll_pause * 2 + 1 : 0;
    if (polling->poll_pause > SC_MAX_PAUSE)
        polling->poll_pause = SC_MAX_PAUSE;
    polling->poll_skip = polling->poll_pause;
    taken = 0;
    drop_space(p, polling);
    polling = NULL;
    atomic_store(&p->polled, false);
}

static bool take(struct sc_platform *p, struct sc_thread *t, struct stub_ring *ring, struct plat_event *ev) {
    uint32_t req = STUB_RING_REQ;
    LOCKED(&t->lock);
    if (t->base.as != &polling->base || t->state != SC_RUNNING || t->intr_sent || t->intr_wanted || t->to_handler ||
        t->doomed || !alone(polling) ||
        !__atomic_compare_exchange_n(&ring->state, &req, STUB_RING_TAKEN, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    uint32_t nr = __atomic_load_n(&ring->nr, __ATOMIC_RELAXED);
    bool memory = (nr == SYS_mmap || nr == SYS_munmap) && atomic_load(&polling->premap.on);
    if (nr >= 512 || !(p->ring_calls[nr] || memory)) {
        set_ring_state(ring, STUB_RING_REFUSED);
        return false;
    }
    taken++;
    sc_hold(t, 0, HOLD_RING);
    call_of = t;
    in_ring = false;
    *ev = (struct plat_event){.kind = PLAT_SYSCALL, .thread = &t->base, .owner = atomic_load(&t->base.owner)};
    ev->call.nr = t->call_nr = nr;
    for (unsigned i = 0; i < 6; i++)
        ev->call.args[i] = __atomic_load_n(&ring->args[i], __ATOMIC_RELAXED);
    t->call_args[0] = ev->call.args[0];
    t->call_args[1] = ev->call.args[1];
    if (nr == SYS_mmap)
        ev->call.proposal = sc_premap_proposal(t, ev->call.args);
    return true;
}

// The call that was taken last is over, in the ring; else its thread, if it still waits there, must not wait awake.
static bool last_is_over(struct sc_thread *t) {
    bool ok = !call_of || in_ring;
    call_of = NULL;
    if (ok)
        return true;
    LOCKED(&t->lock);
    if (t->base.as == &polling->base && t->state == SC_HELD && t->hold == HOLD_RING)
        sc_ring_defer(t);
    return false;
}

// Has the thread made no call for too long? Time in which it cannot, since the sentry holds it by a call that went
// another way, does not count; but not for ever.
static bool is_over(struct sc_platform *p, uint64_t start, uint64_t *until, uint64_t *last) {
    uint64_t now = mono_ns();
    if (atomic_load(&p->nrunning) == 0)
        *until += now - *last;
    *last = now;
    return now > *until || now > start + SC_POLL_MOST_NS;
}

// No host call while it spins: the clock is in the vDSO.
static bool spin(struct sc_platform *p, struct plat_event *ev) {
    struct sc_thread *t = atomic_load(&polling->ring_thread);
    struct stub_ring *ring = ring_of(polling);
    if (last_is_over(t)) {
        __atomic_store_n(&ring->polled, 1, __ATOMIC_SEQ_CST);
        uint64_t start = mono_ns(), last = start, until = start + SC_POLL_NS;
        for (unsigned i = 1;; i++) {
            if (ring_state(ring) == STUB_RING_REQ && take(p, t, ring, ev))
                return true;
            if (i % 64 == 0 && (!__atomic_load_n(&ring->polled, __ATOMIC_RELAXED) || atomic_load(&p->nrunning) >= p->ncpus ||
                                atomic_load(&p->closed) || is_over(p, start, &until, &last)))
                break;
            __builtin_ia32_pause();
        }
    }
    poll_end(p);
    return false;
}

bool sc_poller_begin(struct sc_platform *p) {
    unsigned n = p->rings && p->ncpus > 1 ? atomic_fetch_add(&p->nwaiters, 1) : 0;
    if (n < SC_LISTENERS || n >= SC_LISTENERS + SC_POLLERS)
        return false;
    me = &p->pollers[n - SC_LISTENERS];
    if (sched_setaffinity(0, sizeof me->cpus, &me->cpus)) {
        me = NULL;
        return false;
    }
    atomic_store(&me->there, true);
    return true;
}

int sc_poller_wait(struct sc_platform *p, struct plat_event *ev) {
    for (;;) {
        if (polling && spin(p, ev))
            return 0;
        if (atomic_load(&p->closed))
            break;
        if ((polling = atomic_exchange(&me->work, NULL)))
            continue;
        if (!atomic_exchange(&me->word, 0))
            syscall(SYS_futex, &me->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    struct sc_as *as = atomic_exchange(&me->work, NULL);
    if (as)
        drop_space(p, as);
    return -LINUX_ESHUTDOWN;
}

void sc_pollers_close(struct sc_platform *p) {
    atomic_store(&p->closed, true);
    for (int i = 0; i < SC_POLLERS; i++)
        wake(&p->pollers[i]);
}
