// SPDX-License-Identifier: Apache-2.0
// Call sites of a thread: how many calls come from each, and what is to be done for the hot ones.
#ifndef PLATFORM_SECCOMP_FASTCALL_SITES_H
#define PLATFORM_SECCOMP_FASTCALL_SITES_H
#include "platform/platform.h"

struct sc_as;
struct sc_platform;
struct sc_thread;

#define SC_SITES 64  // that are counted; a power of two
#define SC_HEAT  64  // calls from a site before it is patched
#define SC_WARM  16  // ... when it was hot in another process
#define SC_KNOWN 512  // of these; a power of two

struct call_site {
    uint64_t ip;  // behind the syscall instruction
    unsigned calls;
    enum { SITE_PLAIN, SITE_TRIED, SITE_PATCHED } state;
};

// What is kept of a thread that makes calls which might be made fast.
struct fastcall {
    struct call_site sites[SC_SITES];
    uint64_t since;  // of `calls`
    unsigned calls;  // from patched sites, by notification
    bool on;         // its ring is on: patched sites use it
    bool alone;      // ... also for maps
    // the poller's: so many times its ring is not to be polled; and how many that were the last time
    unsigned poll_skip, poll_pause;
    unsigned breaks;  // brk()s by the handler
};

// What its last call has shown to be worth doing; for the receiver of the event, which looks without a lock:
// the thread may be freed meanwhile, but its memory stays a thread's.
struct fast_wish {
    uint64_t hot_site;      // to be patched, if the sentry lets us; 0: none
    uint64_t warm_site;     // ... if it is known; 0: none
    uint64_t premap_bytes;  // of free addresses that we would like to have, 0: none
    uint64_t heap_bytes;    // the same behind the break
    bool poller;            // somebody should poll its ring
};

// Which numbers may go through a ring; from struct plat_config.
void sc_sites_open(struct sc_platform *p, const bool *needs_context);
bool sc_ring_serves(struct sc_thread *t, uint64_t nr);  // now; memory calls with guarded memory only
// [lock] `calls` more have come from the site behind whose syscall instruction `ip` is.
void sc_site_count(struct sc_thread *t, uint64_t ip, uint64_t nr, unsigned calls);
// [lock] The same of a call that came by the handler: where from, is found out for one in some.
void sc_site_count_trapped(struct sc_thread *t, uint64_t nr);
struct call_site *sc_site_of(struct sc_thread *t, uint64_t ip);  // [lock] NULL: not counted
void sc_sites_shared(struct sc_thread *t);  // [lock] it gets company: no maps by patched sites
// No lock; the receiver, before the sentry has the event: asks it what it lets us do for this call's site and
// memory. True: sc_text_work() has something to do.
bool sc_ask_guest(struct sc_thread *t);
// The sentry's, with the turn to change the map of the address space.
bool sc_text_work(struct plat_thread *t);
// What became of a site: nothing, it cannot be patched; nothing, its thread cannot be given orders now; it
// must be asked for again when nobody changes the map of the address space; ordered.
enum patch { PATCH_NOT, PATCH_LATER, PATCH_TURN, PATCH_DONE };
// known.c: hot sites of all processes. No lock; `owner` as in struct plat_guest_ops, referenced.
struct plat_guest_ops;
void sc_known_add(struct sc_platform *p, const struct plat_guest_ops *guest, void *owner, uint64_t site);
bool sc_known_has(struct sc_platform *p, const struct plat_guest_ops *guest, void *owner, uint64_t site);
// [lock] It is held by a call in that address space, and has no work yet.
bool sc_may_order(const struct sc_thread *t, const struct sc_as *as);
// patch_x86.c: no lock. Orders what makes the calls of this site fast; [start, end) is the text around it.
// `as` is held by the caller, and the thread's, unless that has ended meanwhile. turn: nobody changes the map
// of the address space until the ops are done.
enum patch sc_patch(struct sc_thread *t, struct sc_as *as, uint64_t ip, const struct plat_text *text,
                    bool turn);
void sc_patch_over(const struct sc_thread *t);  // its ops are done, or it is gone
// [lock] A fault of fetching an instruction: may it have been taken away only for a moment?
bool sc_patch_hid(struct sc_thread *t, uint64_t addr);

#endif
