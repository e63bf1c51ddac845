// SPDX-License-Identifier: Apache-2.0
// Patching a call site. Called by sites.c for a hot one that lies in private file-backed text.
//
// A *site* is a syscall instruction behind others that we know (thunk_x86.c). These become a jump to a
// *thunk*: the same instructions, then the address behind the site to rcx, then on to the blob's ring code.
// The syscall instruction stays, so whatever stood or jumps between the two is right as before, and the ring
// code goes back to it when there is no ring: interrupts, restarts and frames see addresses of the guest's
// own text alone. Thunks lie behind the program's text, among the zeros that fill its last page; where these
// do not suffice, nothing is patched. A fork copies all that with the text; the copy's ring is off until it
// has one of its own.
//
// The stub does it, by host ops of its thread: pages are made writable, words stored, pages made executable
// again. A thread that runs there meanwhile faults when it fetches its next instruction, is sent back, and
// tries again; no core has the old text in its pipeline when the page comes back, since all have been through
// the kernel. Nobody else may change the map then: where there are other threads, the sentry is asked to see
// to that (plat_text_work()).
//
// LIMIT: a guest that reads its own text sees the jump, and one that takes away only the last page of text
// that it goes on to run, or maps something else there, takes the thunks away with it. When the host refuses
// to make text writable for the moment (strict overcommit), the process ends.
#include "abi/mman.h"
#include "platform/seccomp/fastcall/thunk_x86.h"
#include "platform/seccomp/sc.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_LEN 16  // of what a jump replaces

static uint64_t ring_code(const struct sc_platform *p) { return p->place.base + stub_header()->ring; }

static bool read_guest(struct sc_as *as, void *buf, uint64_t at, size_t len) {
    struct iovec local = {buf, len}, remote = {(void *)at, len};
    return plat_memory_raw(&as->base, false, &local, 1, &remote, 1) == (int64_t)len;
}

// Does a jump that ends `behind` bytes before the syscall instruction lead to a thunk of ours, of this
// address space or of the one that it is a copy of?
static bool is_jump(struct sc_thread *t, const uint8_t *syscall, unsigned behind, uint64_t ip) {
    uint8_t thunk[THUNK_LEN];
    int32_t d;
    const uint8_t *jump = syscall - behind - 5;
    if (jump[0] != 0xe9)
        return false;
    memcpy(&d, jump + 1, 4);
    uint64_t entry = ip - 2 - behind + (uint64_t)(int64_t)d;
    for (uint64_t at = entry & ~7ull; at + THUNK_LEN > entry; at -= 8)
        if (read_guest(sc_as(t), thunk, at, sizeof thunk) &&
            thunk_leads_back(thunk, at, ip, ring_code(sc_plat(t))))
            return true;
    return false;
}

static bool is_patched(struct sc_thread *t, const uint8_t *syscall, uint64_t ip) {
    for (unsigned behind = 0; behind <= MOST_LEN - 5; behind++)
        if (is_jump(t, syscall, behind, ip))
            return true;
    return false;
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
// The same, into a page that is writable already.
static bool silent_store_op(struct sc_thread *t, uint64_t at, uint64_t word) {
    return add_op(t, STUB_NO_CALL, (uint64_t[6]){0, 0, 0, at, word}, STUB_EXPECT_STORE);
}
static bool text_op(struct sc_thread *t, uint64_t at) {
    const int rx = LINUX_PROT_READ | LINUX_PROT_EXEC;
    return add_op(t, SYS_mprotect, (uint64_t[6]){at & ~(STUB_PAGE - 1), STUB_PAGE, (uint64_t)rx},
                  STUB_EXPECT_ZERO);
}

// The thunk's words, and then the jump to it.
static bool patch_ops(struct sc_thread *t, uint64_t at, const uint8_t thunk[THUNK_LEN], uint64_t site,
                      const uint8_t jump[8]) {
    uint64_t words[THUNK_LEN / 8], word;
    memcpy(words, thunk, THUNK_LEN);
    memcpy(&word, jump, 8);
    if (!store_op(t, at, words[0]))
        return false;
    for (unsigned i = 1; i < THUNK_LEN / 8; i++)
        if (!silent_store_op(t, at + i * 8, words[i]))
            return false;
    return text_op(t, at) && store_op(t, site, word) && text_op(t, site);
}

static bool switch_on(struct sc_thread *t) {
    uint64_t scratch = sc_slot_addr(t) + offsetof(struct stub_slot, scratch);
    return (!sc_as_has_one_thread(sc_as(t)) ||
            store_op(t, scratch + offsetof(struct stub_scratch, alone), 1)) &&
           store_op(t, scratch + offsetof(struct stub_scratch, on), STUB_RING_ON);
}

// ---- Other threads meanwhile ------------------------------------------------------------------------------

static void begin_hiding(struct sc_thread *t) {
    struct sc_as *as = sc_as(t);
    atomic_fetch_add(&as->patches, 1);
    atomic_store(&as->patcher, t);
}

void sc_patch_over(const struct sc_thread *t) {
    const struct sc_thread *me = t;
    atomic_compare_exchange_strong(&sc_as(t)->patcher, &me, NULL);
}

// When the page is back, the fault may have been on its way to us: after each patch, each place has a second
// try.
bool sc_patch_hid(struct sc_thread *t, uint64_t addr) {
    const struct sc_as *as = sc_as(t);
    if (atomic_load(&as->patcher))
        return true;
    unsigned patches = atomic_load(&as->patches);
    bool again = !patches || (t->fetched_at == addr && t->fetched_in == patches);
    t->fetched_at = addr;
    t->fetched_in = patches;
    return !again;
}

// [lock] The word that the jump is part of lies in one page.
static bool new_thunk(struct sc_thread *t, uint64_t ip, const struct plat_text *text,
                      const uint8_t *syscall) {
    uint8_t page[STUB_PAGE], thunk[THUNK_LEN], jump[8];
    uint64_t last = text->end - STUB_PAGE, ring = ring_code(sc_plat(t));
    unsigned len = site_length(syscall, t->call.nr);
    uint64_t site = ip - 2 - len;
    if (!len || len > MOST_LEN || (site ^ (site + 7)) & ~(STUB_PAGE - 1) ||
        !read_guest(sc_as(t), page, last, STUB_PAGE))
        return false;
    unsigned at = thunk_room(page, STUB_PAGE, text->used_end > last ? text->used_end - last : 0);
    uint64_t entry = at ? thunk_make(thunk, last + at, syscall, len, ip, ring) : 0;
    return entry && site_jump(jump, syscall, len, ip, entry) && patch_ops(t, last + at, thunk, site, jump);
}

static void take_back(struct sc_thread *t, bool ring_too) {
    sc_ops_clear(t);
    if (ring_too)
        sc_ring_take_back(t);
}

enum patch sc_patch(struct sc_thread *t, struct sc_as *as, uint64_t ip, const struct plat_text *text,
                    bool turn) {
    uint8_t code[SITE_MOST + SITE_BEHIND], *syscall = code + SITE_MOST;
    if (ip - text->start < sizeof code || !read_guest(as, code, ip - 2 - SITE_MOST, sizeof code) ||
        syscall[0] != 0x0f || syscall[1] != 0x05)
        return PATCH_NOT;
    LOCKED(&t->lock);
    struct call_site *site = sc_site_of(t, ip);
    if (!sc_may_order(t, as) || !site)
        return PATCH_LATER;
    bool fresh = !atomic_load(&t->ring_no), done = is_patched(t, syscall, ip);
    bool alone = sc_as_has_one_thread(as);
    site->state = SITE_TRIED;
    if (!done && !alone && !turn) {
        *site = (struct call_site){.ip = ip};
        return PATCH_TURN;
    }
    if (!sc_ring_order(t) || !(done || new_thunk(t, ip, text, syscall)) || !switch_on(t)) {
        take_back(t, fresh);
        return PATCH_NOT;
    }
    if (!done) {
        plat_count_one(t->base.p, alone ? STAT_PATCHED : STAT_PATCHED_SHARED);
        if (!alone)  // then there is a report when it is done
            begin_hiding(t);
    }
    site->state = SITE_PATCHED;
    t->fast->on = true;
    t->fast->alone = alone;
    return PATCH_DONE;
}
