// SPDX-License-Identifier: Apache-2.0
// The fast lane: calls of a busy single-threaded guest without any host call. Called by event.c, run.c, wait.c.
//
// A *site* is a syscall instruction right behind one of 5 bytes that we know (`mov $nr,%eax`; in the C library's
// syscall(3): `mov 8(%rsp),%r9`). When many plain calls come from it, and the sentry says that it lies in private
// file-backed text (text_range()), those 5 bytes become a jump to a *thunk*: the same instruction, then the address
// behind the site to rcx, then on to the blob's lane code. The syscall instruction stays, so whatever stood or jumps
// between the two is right as before, and the lane code goes back to it when there is no lane: interrupts, restarts
// and frames see addresses of the guest's own text alone. Thunks lie in the zeros behind the text's end, in its last
// page; where these do not suffice, nothing is patched. A fork copies all that with the text; the copy's lane is off
// until it has one of its own.
//
// The *lane* is two pages that an address space with one thread shares with us: number, arguments, value. A *watcher*
// spins on it while its thread calls often (SC_HOT calls in SC_HOT_NS), gives up SC_WATCH_NS after the last call, and
// does so only with a core to spare; at most one lane is watched at a time. Two waiters are watchers, one bound to the
// even, one to the odd ones of our CPUs: the one that is not where the guest runs is woken, so that waking it moves
// neither it nor the guest. A thread whose call is not taken soon takes it back and makes it. One that was taken and
// must not, or cannot, be answered in the lane (an interrupt, host work, a call that sleeps) is told to come by a host
// call (STUB_LANE_WAIT); from then on it is held by a plain notification, and since answering that may bring the thread
// to the watcher's own core, the watcher goes to sleep.
//
// All of it is guest memory. A lane says nothing about who calls: a watched lane belongs to one thread, which must be
// RUNNING, and each field is read once. A guest that goes on while its call is TAKEN makes its next host call in the
// wrong state, and is killed. No signal is sent to a thread while its call is TAKEN: it is HELD, and a call of one to
// which a signal is under way is not taken.
//
// LIMIT: a guest that reads its own text sees the jump. While an address space has a second thread (or vfork child) it has no lane.
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
#define SC_WATCH_NS 100000
#define SC_WATCH_MOST_NS 1000000
#define SC_MAX_PAUSE 1023 // times SC_HOT calls
#define THUNK_LEN   32
#define THUNK_GAP   64 // zeros that may still belong to the program

static_assert(offsetof(struct stub_lane, value) == 56 && offsetof(struct stub_lane, watched) == 64, "blob.S");
static_assert(offsetof(struct stub_lane, str) == 128 && offsetof(struct stub_lane, out) == 512 &&
                  sizeof(struct stub_lane) == STUB_LANE_LEN && STUB_LANE_STR == 384 && STUB_LANE_OUT == 7680,
              "blob.S");
static_assert(offsetof(struct stub_ctl, slot) == 48 && offsetof(struct stub_ctl, value) == 80 &&
                  offsetof(struct stub_ctl, stack) == 88 && sizeof(struct stub_ctl) == 120 &&
                  offsetof(struct stub_slot, place_at) == 16 && offsetof(struct stub_slot, place_top) == 32, "blob.S");
static_assert(offsetof(struct stub_ctl, rsi) == 40 && offsetof(struct stub_ctl, flags) == 24 && STUB_CTL_AT == 16384 &&
                  STUB_LANE_AT == 20480,
              "blob.S");

static _Thread_local struct sc_watcher *me;     // NULL: an ordinary waiter
static _Thread_local struct sc_as *watching;    // held
static _Thread_local struct sc_thread *call_of; // whose call of the lane this thread handles
static _Thread_local bool in_lane;              // ... and was it answered in the lane?
static _Thread_local unsigned taken;            // calls from it

// ---- Opening -------------------------------------------------------------------------------------------------------

// Every second one of our CPUs, from the first or from the second on.
static void split_cpus(const cpu_set_t *all, cpu_set_t half[SC_WATCHERS]) {
    CPU_ZERO(&half[0]);
    CPU_ZERO(&half[1]);
    for (unsigned cpu = 0, n = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, all))
            CPU_SET(cpu, &half[n++ % SC_WATCHERS]);
}

void sc_lanes_open(struct sc_platform *p, const bool *needs_context) {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) || (p->lane_fd = memfd_create("picket-lanes", MFD_CLOEXEC)) < 0)
        return;
    p->ncpus = (unsigned)CPU_COUNT(&all);
    cpu_set_t half[SC_WATCHERS];
    split_cpus(&all, half);
    for (int i = 0; i < SC_WATCHERS; i++)
        p->watchers[i].cpus = half[i];
    for (unsigned nr = 0; nr < 512 && p->ncpus > 1; nr++) // these three go on as they stand, which a lane cannot do
        p->lane_calls[nr] = !(needs_context && needs_context[nr]) && nr != SYS_munmap && nr != SYS_mprotect &&
                            nr != SYS_madvise;
    void *at = MAP_FAILED;
    if (ftruncate(p->lane_fd, SC_LANES * (off_t)STUB_LANE_LEN) == 0)
        at = mmap(NULL, SC_LANES * STUB_LANE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, p->lane_fd, 0);
    if (at != MAP_FAILED)
        p->lanes = at;
}

void sc_lanes_close(struct sc_platform *p) {
    if (p->lanes)
        munmap(p->lanes, SC_LANES * STUB_LANE_LEN);
    if (p->lane_fd >= 0)
        close(p->lane_fd);
}

static struct stub_lane *lane_of(const struct sc_as *as) {
    return (struct stub_lane *)(sc_of(as->base.p)->lanes + (as->lane - 1) * STUB_LANE_LEN);
}

// [P] No process has it mapped any more.
void sc_lane_free(struct sc_as *as) {
    if (!as->lane)
        return;
    memset(lane_of(as), 0, STUB_LANE_LEN);
    sc_of(as->base.p)->lanes_used &= ~(1ull << (as->lane - 1));
    as->lane = 0;
}

void sc_lane_spare(struct sc_as *as, uint64_t room, uint64_t top) {
    if (!as->lane)
        return;
    struct stub_lane *lane = lane_of(as);
    __atomic_store_n(&lane->room, room, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->top, top, __ATOMIC_RELAXED);
}

static bool lane_alloc(struct sc_platform *p, struct sc_as *as) {
    lock_nested(&p->lock);
    if (~p->lanes_used) {
        as->lane = (unsigned)__builtin_ctzll(~p->lanes_used) + 1;
        p->lanes_used |= 1ull << (as->lane - 1);
    }
    lock_drop(&p->lock);
    return as->lane != 0;
}

// ---- Which sites, which threads --------------------------------------------------------------------------------------

static bool alone(const struct sc_as *as) {
    return atomic_load(&as->nthreads) == 1;
}

// Sites that fall on one entry push each other out.
static struct sc_heat *heat_of(struct sc_thread *t, uint64_t ip) {
    return &t->heat[ip * 0x9e3779b97f4a7c15ull >> 32 & (SC_SITES - 1)];
}

uint64_t sc_lane_heat(struct sc_thread *t, uint64_t ip, uint64_t nr, unsigned calls) {
    const struct sc_platform *p = sc_plat(t);
    bool memory = nr == SYS_mmap || nr == SYS_munmap; // patched for its place's sake; in the lane only with spare memory
    if (!p->lanes || t->internal || nr >= 512 || !(p->lane_calls[nr] || memory) || !alone(sc_as(t)))
        return 0;
    struct sc_heat *h = heat_of(t, ip);
    if (h->ip != ip)
        *h = (struct sc_heat){.ip = ip};
    h->calls += calls;
    if (h->state == SITE_PATCHED && t->lane_on) {
        if (memory && !atomic_load(&sc_as(t)->spare.on))
            return 0;
        if (t->lane_calls++ == 0)
            t->lane_since = mono_ns();
        if (t->lane_calls < SC_HOT)
            return 0;
        t->lane_hot = mono_ns() - t->lane_since < SC_HOT_NS;
        t->lane_calls = 0;
        return 0;
    }
    if (h->state == SITE_PATCHED) // there was another thread for a while: to be switched on again
        return h->calls % SC_HEAT ? 0 : ip;
    if (h->state != SITE_PLAIN || h->calls < SC_HEAT)
        return 0;
    h->state = SITE_TRIED;
    return ip;
}

// Of a munmap, each so many times when it comes from a patched site: bytes of spare memory to be had, or 0.
uint64_t sc_lane_spare_wanted(struct sc_thread *t, uint64_t ip, uint64_t nr) {
    const struct sc_heat *h = heat_of(t, ip);
    bool hot = nr == SYS_munmap && h->ip == ip && h->state == SITE_PATCHED && t->lane_on && h->calls % SC_HEAT == 0;
    return hot && alone(sc_as(t)) ? sc_spare_wanted(t) : 0;
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
    uint64_t lane = p->place.base + stub_header()->lane;
    if (!rel32(at + 12, ip, &d))
        return false;
    memset(thunk, 0xcc, THUNK_LEN);
    memcpy(thunk, first, 5);
    memcpy(thunk + 5, "\x48\x8d\x0d", 3); // lea d(%rip), %rcx
    memcpy(thunk + 8, &d, 4);
    memcpy(thunk + 12, "\xff\x25\x06\x00\x00\x00", 6); // jmp *6(%rip): the last 8 bytes
    memcpy(thunk + 24, &lane, 8);
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

static bool order_lane(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    uint64_t at = p->place.base + STUB_LANE_AT;
    atomic_store(&as->lane_thread, t);
    if (as->lane)
        return true;
    int fd = fcntl(p->lane_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return false;
    if (!lane_alloc(p, as) ||
        !order(t, SYS_mmap,
               (uint64_t[6]){at, STUB_LANE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                             (uint64_t)sc_stub_fd(t), (as->lane - 1) * STUB_LANE_LEN},
               STUB_EXPECT_VALUE)) {
        close(fd);
        return false;
    }
    t->ops[t->nops - 1].fd = fd;
    return order(t, SYS_madvise, (uint64_t[6]){at, STUB_LANE_LEN, MADV_DONTFORK}, STUB_EXPECT_ZERO);
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

static void take_back(struct sc_thread *t, bool lane_too) {
    struct sc_platform *p = sc_plat(t);
    sc_ops_clear(t);
    lock_nested(&p->lock);
    if (lane_too)
        sc_lane_free(sc_as(t));
    lock_drop(&p->lock);
}

static void hot_text(struct sc_thread *t, uint64_t ip, uint64_t start, uint64_t end) {
    struct sc_platform *p = sc_plat(t);
    unsigned char page[STUB_PAGE], thunk[THUNK_LEN], b[10]; // b: from one byte before the site's 5 bytes
    if (!p->lanes || ip - start < 8 || ((ip - 8) ^ (ip + 1)) & ~(STUB_PAGE - 1) || !read_guest(t, b, ip - 8, sizeof b) ||
        b[6] != 0x0f || b[7] != 0x05)
        return;
    LOCKED(&t->lock);
    struct sc_heat *h = heat_of(t, ip);
    if (t->state != SC_HELD || (t->hold != HOLD_VALUE && t->hold != HOLD_PROPOSAL) || t->nops || h->ip != ip ||
        !alone(sc_as(t)))
        return;
    uint64_t ctl = p->place.base + STUB_CTL_AT;
    bool fresh = !sc_as(t)->lane, done = is_patched(t, b + 1, ip), ok = order_lane(t);
    if (ok && !done) {
        unsigned at = may_patch(b + 1, b[0], t->call_nr) && read_guest(t, page, end - STUB_PAGE, STUB_PAGE) ? find_zeros(page)
                                                                                                          : 0;
        ok = at && make_thunk(p, thunk, end - STUB_PAGE + at, b + 1, ip) &&
             order_patch(t, ip, end - STUB_PAGE + at, thunk, b + 1);
    }
    const int rx = LINUX_PROT_READ | LINUX_PROT_EXEC;
    ok = ok && order_store(t, ip, rx, ctl + offsetof(struct stub_ctl, slot), sc_slot_addr(t)) &&
         order_store(t, ip, rx, ctl + offsetof(struct stub_ctl, on), 1);
    if (ok) {
        h->state = SITE_PATCHED;
        t->lane_on = true;
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
    uint64_t len = t->spare_wanted, at = len && guest->free_range ? guest->free_range(owner, len) : 0;
    if (at && plat_range_ok(t->base.p, at, len))
        sc_spare(t, at, len);
}

void sc_ask_guest(struct sc_thread *t) {
    const struct plat_guest_ops *guest = t->base.p->guest;
    void *owner = guest && (t->hot_site || t->spare_wanted) ? hold_owner(guest, t) : NULL;
    if (!owner)
        return;
    ask_text(guest, t, owner);
    ask_range(guest, t, owner);
    guest->owner_put(owner);
}

// ---- A call in the lane ------------------------------------------------------------------------------------------------

static uint32_t lane_state(const struct stub_lane *lane) {
    return __atomic_load_n(&lane->state, __ATOMIC_SEQ_CST);
}
static void set_lane_state(struct stub_lane *lane, uint32_t state) {
    __atomic_store_n(&lane->state, state, __ATOMIC_SEQ_CST);
}

void sc_lane_done(struct sc_thread *t, int64_t value) {
    struct stub_lane *lane = lane_of(sc_as(t));
    t->lane_value = value;
    t->lane_done = true;
    in_lane = true;
    sc_set_state(t, SC_RUNNING);
    lane->out_addr = t->out_addr;
    __atomic_store_n(&lane->out_len, t->out_len, __ATOMIC_RELAXED);
    __atomic_store_n(&lane->value, (uint64_t)value, __ATOMIC_RELAXED);
    set_lane_state(lane, STUB_LANE_DONE);
}

void sc_lane_slow(struct sc_thread *t) {
    if (t->lane_slow)
        return;
    t->lane_slow = true;
    set_lane_state(lane_of(sc_as(t)), STUB_LANE_SLOW);
}

// ---- Copies that travel with the call ----------------------------------------------------------------------------------

// A path: the thread has copied it with its own rights, as it stands in its own memory.
int64_t sc_call_string(struct plat_thread *pt, uint64_t src, char *dst, size_t size) {
    struct sc_thread *t = sc_thread_of(pt);
    if (call_of != t)
        return -LINUX_EAGAIN;
    LOCKED(&t->lock);
    if (t->state != SC_HELD || t->hold != HOLD_LANE)
        return -LINUX_EAGAIN;
    const struct stub_lane *lane = lane_of(sc_as(t));
    uint32_t len = __atomic_load_n(&lane->str_len, __ATOMIC_RELAXED);
    bool second = t->call_nr == SYS_newfstatat || t->call_nr == SYS_statx;
    if (!len || len > STUB_LANE_STR || len > size || src != t->call_args[second])
        return -LINUX_EAGAIN;
    memcpy(dst, lane->str, len);
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
bool sc_copy_later(struct plat_as *as, uint64_t dst, const void *src, size_t len) {
    struct sc_thread *t = call_of;
    if (!t || t->base.as != as || len == 0 || len > STUB_LANE_OUT)
        return false;
    LOCKED(&t->lock);
    if (t->state != SC_HELD || t->hold != HOLD_LANE || t->lane_slow || t->out_len || !repeats(t->call_nr))
        return false;
    memcpy(lane_of(sc_as(t))->out, src, len);
    t->out_addr = dst;
    t->out_len = len;
    return true;
}

void sc_copy_now(struct sc_thread *t, int64_t *value) {
    if (!t->out_len)
        return;
    struct iovec local = {lane_of(sc_as(t))->out, t->out_len}, remote = {(void *)t->out_addr, t->out_len};
    if (plat_memory_raw(t->base.as, true, &local, 1, &remote, 1) != (int64_t)t->out_len && *value >= 0)
        *value = -LINUX_EFAULT;
    t->out_len = 0;
}

bool sc_lane_come(struct sc_thread *t, uint64_t id) {
    if (!sc_as(t)->lane)
        return false;
    if (t->state == SC_HELD && t->hold == HOLD_LANE) {
        set_lane_state(lane_of(sc_as(t)), STUB_LANE_FREE);
        t->hold = HOLD_VALUE;
        t->id = id;
        t->call_nr = (uint64_t)-1; // what it stands in is not what it asked for
        if (t->lane_go)
            sc_let_go(t);
        return true;
    }
    if (t->state != SC_RUNNING || !t->lane_done || t->to_handler)
        return false;
    sc_copy_now(t, &t->lane_value);
    t->lane_done = false; // it was answered while it was on its way
    set_lane_state(lane_of(sc_as(t)), STUB_LANE_FREE);
    t->id = id;
    sc_reply(t, t->lane_value);
    return true;
}

// ---- Watching --------------------------------------------------------------------------------------------------------

static void drop_space(struct sc_platform *p, struct sc_as *as) {
    lock_take(&p->lock);
    sc_as_drop(as);
    lock_drop(&p->lock);
}

static void wake(struct sc_watcher *w) {
    atomic_store(&w->word, 1);
    syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void sc_lane_warm(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    int cpu = t->lane_hot ? sched_getcpu() : -1;
    t->lane_hot = false;
    if (cpu < 0 || !as->lane || (as->watch_skip && as->watch_skip--))
        return;
    struct sc_watcher *w = &p->watchers[CPU_ISSET((unsigned)cpu, &p->watchers[0].cpus)];
    if (!atomic_load(&w->there) || atomic_exchange(&p->watched, true))
        return;
    lock_take(&p->lock);
    as->holds++;
    lock_drop(&p->lock);
    atomic_store(&w->work, as);
    wake(w);
}

static void watch_end(struct sc_platform *p) {
    __atomic_store_n(&lane_of(watching)->watched, 0, __ATOMIC_SEQ_CST);
    // Little came of it: other work of the host has the cores. Next time later.
    watching->watch_pause = taken < SC_HOT ? watching->watch_pause * 2 + 1 : 0;
    if (watching->watch_pause > SC_MAX_PAUSE)
        watching->watch_pause = SC_MAX_PAUSE;
    watching->watch_skip = watching->watch_pause;
    taken = 0;
    drop_space(p, watching);
    watching = NULL;
    atomic_store(&p->watched, false);
}

static bool take(struct sc_platform *p, struct sc_thread *t, struct stub_lane *lane, struct plat_event *ev) {
    uint32_t req = STUB_LANE_REQ;
    LOCKED(&t->lock);
    if (t->base.as != &watching->base || t->state != SC_RUNNING || t->intr_sent || t->intr_wanted || t->to_handler ||
        t->doomed || !alone(watching) ||
        !__atomic_compare_exchange_n(&lane->state, &req, STUB_LANE_TAKEN, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    uint32_t nr = __atomic_load_n(&lane->nr, __ATOMIC_RELAXED);
    bool memory = (nr == SYS_mmap || nr == SYS_munmap) && atomic_load(&watching->spare.on);
    if (nr >= 512 || !(p->lane_calls[nr] || memory)) {
        set_lane_state(lane, STUB_LANE_REFUSED);
        return false;
    }
    taken++;
    sc_hold(t, 0, HOLD_LANE);
    call_of = t;
    in_lane = false;
    *ev = (struct plat_event){.kind = PLAT_SYSCALL, .thread = &t->base, .owner = atomic_load(&t->base.owner)};
    ev->call.nr = t->call_nr = nr;
    for (unsigned i = 0; i < 6; i++)
        ev->call.args[i] = __atomic_load_n(&lane->args[i], __ATOMIC_RELAXED);
    t->call_args[0] = ev->call.args[0];
    t->call_args[1] = ev->call.args[1];
    if (nr == SYS_mmap)
        ev->call.proposal = sc_spare_proposal(t, ev->call.args);
    return true;
}

// The call that was taken last is over, in the lane; else its thread, if it still waits there, must not wait awake.
static bool last_is_over(struct sc_thread *t) {
    bool ok = !call_of || in_lane;
    call_of = NULL;
    if (ok)
        return true;
    LOCKED(&t->lock);
    if (t->base.as == &watching->base && t->state == SC_HELD && t->hold == HOLD_LANE)
        sc_lane_slow(t);
    return false;
}

// Has the thread made no call for too long? Time in which it cannot, since the sentry holds it by a call that went
// another way, does not count; but not for ever.
static bool is_over(struct sc_platform *p, uint64_t start, uint64_t *until, uint64_t *last) {
    uint64_t now = mono_ns();
    if (atomic_load(&p->nrunning) == 0)
        *until += now - *last;
    *last = now;
    return now > *until || now > start + SC_WATCH_MOST_NS;
}

// No host call while it spins: the clock is in the vDSO.
static bool spin(struct sc_platform *p, struct plat_event *ev) {
    struct sc_thread *t = atomic_load(&watching->lane_thread);
    struct stub_lane *lane = lane_of(watching);
    if (last_is_over(t)) {
        __atomic_store_n(&lane->watched, 1, __ATOMIC_SEQ_CST);
        uint64_t start = mono_ns(), last = start, until = start + SC_WATCH_NS;
        for (unsigned i = 1;; i++) {
            if (lane_state(lane) == STUB_LANE_REQ && take(p, t, lane, ev))
                return true;
            if (i % 64 == 0 && (!__atomic_load_n(&lane->watched, __ATOMIC_RELAXED) || atomic_load(&p->nrunning) >= p->ncpus ||
                                atomic_load(&p->closed) || is_over(p, start, &until, &last)))
                break;
            __builtin_ia32_pause();
        }
    }
    watch_end(p);
    return false;
}

bool sc_watcher_begin(struct sc_platform *p) {
    unsigned n = p->lanes && p->ncpus > 1 ? atomic_fetch_add(&p->nwaiters, 1) : 0;
    if (n < SC_LISTENERS || n >= SC_LISTENERS + SC_WATCHERS)
        return false;
    me = &p->watchers[n - SC_LISTENERS];
    if (sched_setaffinity(0, sizeof me->cpus, &me->cpus)) {
        me = NULL;
        return false;
    }
    atomic_store(&me->there, true);
    return true;
}

int sc_watcher_wait(struct sc_platform *p, struct plat_event *ev) {
    for (;;) {
        if (watching && spin(p, ev))
            return 0;
        if (atomic_load(&p->closed))
            break;
        if ((watching = atomic_exchange(&me->work, NULL)))
            continue;
        if (!atomic_exchange(&me->word, 0))
            syscall(SYS_futex, &me->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
    struct sc_as *as = atomic_exchange(&me->work, NULL);
    if (as)
        drop_space(p, as);
    return -LINUX_ESHUTDOWN;
}

void sc_watchers_close(struct sc_platform *p) {
    atomic_store(&p->closed, true);
    for (int i = 0; i < SC_WATCHERS; i++)
        wake(&p->watchers[i]);
}
