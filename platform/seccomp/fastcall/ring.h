// SPDX-License-Identifier: Apache-2.0
// The syscall ring: the pages that a guest's thread and the sentry share, and the call in it; ring.c has the
// theory.
#ifndef PLATFORM_SECCOMP_FASTCALL_RING_H
#define PLATFORM_SECCOMP_FASTCALL_RING_H
#include "platform/platform.h"
#include "platform/stub/layout.h"
#include <linux/seccomp.h>

struct sc_as;
struct sc_platform;
struct sc_thread;

#define SC_RINGS 1024

// Rings are known by their numbers, from 1 on; 0: none.
struct sc_rings {
    char *mem;                                    // SC_RINGS times struct stub_ring, NULL: none here
    int fd;                                       // the same
    uint64_t used[SC_RINGS / 64];                 // [P]
    _Atomic(struct sc_thread *) owner[SC_RINGS];  // changed under P; whose it is, NULL: nobody's now
};

// The call of a thread in its ring; changed under the thread's lock:
//   NONE      -> HELD                a poller has taken it: its thread is SC_HELD (HOLD_VALUE)
//   HELD      -> ANSWERED            the value is in the ring; it runs, but may come for it all the same
//   HELD      -> DEFERRED            it cannot be answered there: the thread is to come by a host call
//   DEFERRED  -> RESUME_ON_ARRIVAL   what it is to go on with is decided
//   these two -> NONE                it has come: it is held by a notification, or resumed
//   ANSWERED  -> NONE                its next event
enum ring_call_state { RING_NONE, RING_HELD, RING_DEFERRED, RING_RESUME_ON_ARRIVAL, RING_ANSWERED };
struct ring_call {
    enum ring_call_state state;
    int64_t value;               // ANSWERED
    bool bare;                   // the thread copies nothing: it is in its handler
    uint32_t staged;             // NONE, HELD by a plain call: so many bytes of `str` came with it
    uint64_t out_addr, out_len;  // what is to be copied with the value: in the ring's `out`; 0: nothing
};

void sc_rings_open(struct sc_platform *p);  // without rings when it cannot
void sc_rings_close(struct sc_platform *p);
struct stub_ring *sc_ring_at(const struct sc_platform *p, unsigned ring);  // shared with the guest
// A ring belongs to a slot of an address space until that is gone: whoever has it mapped is never another's.
bool sc_ring_alloc(struct sc_thread *t);     // for its slot; no platform lock; false: none is free
void sc_ring_take_back(struct sc_thread *t); // the same; it has not been mapped
// [lock] Orders that of its slot to be mapped, unless it is. False: it cannot.
bool sc_ring_order(struct sc_thread *t);
void sc_ring_bind(struct sc_thread *t);      // [P] a new thread gets its slot's, if that has one
void sc_ring_unbind(struct sc_thread *t);    // [P] its host thread is gone
void sc_rings_free(struct sc_as *as);        // [P] no process has them mapped any more
// What is to come by the ring: maps of up to `room` bytes, and the munmap of what begins at `top`.
void sc_ring_premap_hint(struct sc_platform *p, unsigned ring, uint64_t room, uint64_t top);
// ... brk() from `low` to `high`.
void sc_ring_heap_hint(struct sc_platform *p, unsigned ring, uint64_t low, uint64_t high);
void sc_ring_set_polled(struct sc_platform *p, unsigned ring, bool polled);
bool sc_ring_is_polled(const struct sc_platform *p, unsigned ring);  // the guest clears it when nobody came
bool sc_ring_has_call(const struct sc_platform *p, unsigned ring);
// dispatched.c: Syscall User Dispatch, for the sites that cannot be patched.
void sc_dispatch_probe(struct sc_platform *p);
// [lock] Orders it for a thread that is held by a call and has a ring, or an order for one. False: it cannot.
bool sc_dispatch_order(struct sc_thread *t);
void sc_dispatch_select(struct sc_platform *p, unsigned ring, bool polled);  // no lock; calls go to the ring?
void sc_dispatch_again(struct sc_thread *t);  // [lock] it is held: a call of it has gone another way

// Takes the call that is in the ring. True: *ev is for the sentry. No lock; a poller.
bool sc_ring_take(struct sc_platform *p, unsigned ring, struct plat_event *ev);
// The ring of the call that the calling thread took last, when that was not answered in it: its thread, if it
// still waits there, is deferred. 0: it is over.
unsigned sc_ring_settle_last(void);
void sc_ring_answer(struct sc_thread *t, int64_t value);     // [lock]
void sc_ring_defer(struct sc_thread *t);                     // [lock]
// [lock] A notification of it has come: what it has staged, for that call or an older one, is not for
// another. How many bytes are, for this one.
uint32_t sc_ring_take_staged(struct sc_thread *t, const struct seccomp_notif *n);
bool sc_ring_arrive(struct sc_thread *t, uint64_t id);       // [lock] false: it had nothing to come for
void sc_ring_copy_now(struct sc_thread *t, int64_t *value);  // [lock] what was to be copied with the value
int64_t sc_ring_string(struct plat_thread *t, uint64_t src, char *dst, size_t size);
int64_t sc_ring_data(struct plat_thread *t, uint64_t src, void *dst, size_t len);
bool sc_ring_copy_later(struct plat_thread *t, uint64_t dst, const void *src, size_t len);

#endif
