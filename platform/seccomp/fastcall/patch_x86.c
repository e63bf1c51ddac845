// SPDX-License-Identifier: Apache-2.0
// Patching a call site. Called by sites.c for a hot one that lies in private file-backed text.
//
// A *site* is a syscall instruction right behind one of 5 bytes that we know (`mov $nr,%eax`; in the C
// library's syscall(3): `mov 8(%rsp),%r9`). Those 5 bytes become a jump to a *thunk*: the same instruction,
// then the address behind the site to rcx, then on to the blob's ring code. The syscall instruction stays, so
// whatever stood or jumps between the two is right as before, and the ring code goes back to it when there is
// no ring: interrupts, restarts and frames see addresses of the guest's own text alone. Thunks lie in the
// zeros behind the text's end, in its last page; where these do not suffice, nothing is patched. A fork
// copies all that with the text; the copy's ring is off until it has one of its own.
//
// The stub does it, by host ops of its thread: pages are made writable, words stored, pages made executable
// again. A thread that runs there meanwhile faults when it fetches its next instruction, is sent back, and
// tries again; no core has the old text in its pipeline when the page comes back, since all have been through
// the kernel. Nobody else may change the map then: where there are other threads, the sentry is asked to see
// to that (plat_text_work()).
//
// LIMIT: a guest that reads its own text sees the jump. When the host refuses to make text writable for the
// moment (strict overcommit), the process ends.
#include "abi/mman.h"
#include "platform/seccomp/sc.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THUNK_LEN 32
#define THUNK_GAP 64  // zeros that may still belong to the program

// ---- Text -------------------------------------------------------------------------------------------------

static bool read_guest(struct sc_as *as, void *buf, uint64_t at, size_t len) {
    struct iovec local = {buf, len}, remote = {(void *)at, len};
    return plat_memory_raw(&as->base, false, &local, 1, &remote, 1) == (int64_t)len;
}

// The jump's reach.
static bool rel32(uint64_t from, uint64_t to, int32_t *out) {
    int64_t d = (int64_t)(to - from);
    *out = (int32_t)d;
    return d == *out;
}

static bool make_thunk(const struct sc_platform *p, unsigned char thunk[THUNK_LEN], uint64_t at,
                       const unsigned char *first, uint64_t ip) {
    int32_t d;
    uint64_t entry = p->place.base + stub_header()->ring;
    if (!rel32(at + 12, ip, &d))
        return false;
    memset(thunk, 0xcc, THUNK_LEN);
    memcpy(thunk, first, 5);
    memcpy(thunk + 5, "\x48\x8d\x0d", 3);  // lea d(%rip), %rcx
    memcpy(thunk + 8, &d, 4);
    memcpy(thunk + 12, "\xff\x25\x06\x00\x00\x00", 6);  // jmp *6(%rip): the last 8 bytes
    memcpy(thunk + 24, &entry, 8);
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
    return read_guest(sc_as(t), now, at, sizeof now) && make_thunk(sc_plat(t), want, at, now, ip) &&
           memcmp(now, want, sizeof now) == 0;
}

// The byte before tells most longer instructions that end in the same bytes.
static bool may_patch(const unsigned char *b, uint8_t before, uint64_t nr) {
    uint32_t imm;
    if (memcmp(b, "\x4c\x8b\x4c\x24\x08", 5) == 0)
        return true;
    memcpy(&imm, b + 1, 4);
    return b[0] == 0xb8 && imm == nr && (before & 0xf0) != 0x40 && before != 0x8b && before != 0x8d &&
           before != 0x89;
}

// A place for a thunk: where in the page, or 0.
static unsigned find_zeros(const unsigned char page[STUB_PAGE]) {
    unsigned i = STUB_PAGE;
    while (i && !page[i - 1])
        i--;
    i = (i + THUNK_GAP + 7) & ~7u;
    return i + THUNK_LEN <= STUB_PAGE ? i : 0;
}

// ---- Host ops ---------------------------------------------------------------------------------------------

static bool add_op(struct sc_thread *t, uint64_t nr, const uint64_t a[6], uint64_t expect) {
    struct sc_op *o = sc_ops_add(t);
    if (!o)
        return false;
    o->call = (struct host_call){nr, {a[0], a[1], a[2], a[3], a[4], a[5]}};
    o->expect = expect;
    return true;
}
// Stores a word into a page, which is writable from then on.
static bool store_op(struct sc_thread *t, uint64_t at, uint64_t word) {
    const int rw = LINUX_PROT_READ | LINUX_PROT_WRITE;
    return add_op(t, SYS_mprotect, (uint64_t[6]){at & ~(STUB_PAGE - 1), STUB_PAGE, (uint64_t)rw, at, word},
                  STUB_EXPECT_STORE);
}
static bool text_op(struct sc_thread *t, uint64_t at) {
    const int rx = LINUX_PROT_READ | LINUX_PROT_EXEC;
    return add_op(t, SYS_mprotect, (uint64_t[6]){at & ~(STUB_PAGE - 1), STUB_PAGE, (uint64_t)rx},
                  STUB_EXPECT_ZERO);
}

static bool ring_ops(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    uint64_t at = sc_slot_addr(t) + STUB_RING_AT;
    if (atomic_load(&t->ring_no))
        return true;
    int fd = fcntl(p->rings.fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return false;
    if (!sc_ring_alloc(t) ||
        !add_op(t, SYS_mmap,
                (uint64_t[6]){at, STUB_RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                              (uint64_t)sc_stub_fd(t), (atomic_load(&t->ring_no) - 1) * STUB_RING_LEN},
                STUB_EXPECT_VALUE)) {
        close(fd);
        return false;
    }
    t->queue.ops[t->queue.n - 1].fd = fd;
    return add_op(t, SYS_madvise, (uint64_t[6]){at, STUB_RING_LEN, MADV_DONTFORK}, STUB_EXPECT_ZERO);
}

static bool patch_ops(struct sc_thread *t, uint64_t ip, uint64_t at, const unsigned char *thunk,
                      const unsigned char *b) {
    unsigned char now[8];
    uint64_t words[THUNK_LEN / 8], word;
    int32_t d;
    if (!rel32(ip - 2, at, &d))
        return false;
    memcpy(words, thunk, THUNK_LEN);
    memcpy(now, b, 8);
    now[0] = 0xe9;  // jmp d
    memcpy(now + 1, &d, 4);
    memcpy(&word, now, 8);
    for (unsigned i = 0; i < THUNK_LEN / 8; i++)
        if (!store_op(t, at + i * 8, words[i]))
            return false;
    return text_op(t, at) && store_op(t, ip - 7, word) && text_op(t, ip);
}

static bool switch_on(struct sc_thread *t) {
    uint64_t scratch = sc_slot_addr(t) + offsetof(struct stub_slot, scratch);
    return (!sc_as_has_one_thread(sc_as(t)) ||
            store_op(t, scratch + offsetof(struct stub_scratch, alone), 1)) &&
           store_op(t, scratch + offsetof(struct stub_scratch, on), STUB_RING_ON);
}

// ---- Other threads meanwhile ------------------------------------------------------------------------------

static void begin_hiding(struct sc_thread *t, uint64_t start, uint64_t end) {
    struct sc_as *as = sc_as(t);
    atomic_store(&as->text_start, start);
    atomic_store(&as->text_end, end);
    atomic_store(&as->patcher, t);
}

void sc_patch_over(const struct sc_thread *t) {
    const struct sc_thread *me = t;
    atomic_compare_exchange_strong(&sc_as(t)->patcher, &me, NULL);
}

// When the page is back, the fault may have been on its way to us: each such place has a second try.
bool sc_patch_hid(struct sc_thread *t, uint64_t addr) {
    const struct sc_as *as = sc_as(t);
    if (addr < atomic_load(&as->text_start) || addr >= atomic_load(&as->text_end))
        return false;
    bool again = t->fetched_at == addr;
    t->fetched_at = addr;
    return !again || atomic_load(&as->patcher);
}

// [lock] `b`: from one byte before the site's 5 bytes.
static bool new_thunk(struct sc_thread *t, uint64_t ip, uint64_t end, const unsigned char *b) {
    unsigned char page[STUB_PAGE], thunk[THUNK_LEN];
    uint64_t last = end - STUB_PAGE;
    if (!may_patch(b + 1, b[0], t->call.nr) || !read_guest(sc_as(t), page, last, STUB_PAGE))
        return false;
    unsigned at = find_zeros(page);
    return at && make_thunk(sc_plat(t), thunk, last + at, b + 1, ip) &&
           patch_ops(t, ip, last + at, thunk, b + 1);
}

static void take_back(struct sc_thread *t, bool ring_too) {
    sc_ops_clear(t);
    if (ring_too)
        sc_ring_take_back(t);
}

// [lock] The held call is a plain one, or one that can be answered like that, and has no work yet.
static bool may_order(const struct sc_thread *t, const struct sc_as *as) {
    return t->state == SC_HELD && sc_as(t) == as && (t->hold == HOLD_VALUE || t->hold == HOLD_PROPOSAL) &&
           !t->queue.n;
}

bool sc_patch(struct sc_thread *t, struct sc_as *as, uint64_t ip, uint64_t start, uint64_t end, bool turn) {
    unsigned char b[10];
    if (ip - start < 8 || ((ip - 8) ^ (ip + 1)) & ~(STUB_PAGE - 1) || !read_guest(as, b, ip - 8, sizeof b) ||
        b[6] != 0x0f || b[7] != 0x05)
        return true;
    LOCKED(&t->lock);
    struct call_site *site = sc_site_of(t, ip);
    if (!may_order(t, as) || !site)
        return true;
    bool fresh = !atomic_load(&t->ring_no), done = is_patched(t, b + 1, ip);
    bool alone = sc_as_has_one_thread(as);
    site->state = SITE_TRIED;
    if (!done && !alone && !turn) {
        *site = (struct call_site){.ip = ip};
        return false;
    }
    if (!ring_ops(t) || !(done || new_thunk(t, ip, end, b)) || !switch_on(t)) {
        take_back(t, fresh);
        return true;
    }
    if (!done) {
        plat_count_one(t->base.p, alone ? STAT_PATCHED : STAT_PATCHED_SHARED);
        begin_hiding(t, start, end);
    }
    site->state = SITE_PATCHED;
    t->fast->on = true;
    t->fast->alone = alone;
    return true;
}
