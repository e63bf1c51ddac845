// SPDX-License-Identifier: Apache-2.0
// A host thread of the seccomp platform.
//
// States, who changes them, to what (sc_set_state() stops at any other change):
//   STARTING  its host thread does not exist yet, or has not checked in    -> HELD (its check-in), DEAD, FREE
//   HELD      we have its notification (`hold` says of which kind), or its call in the ring
//                                                                          -> RUNNING, OPS (resumed), KEPT,
//                                                                             DEAD
//   KEPT      it has been given back, stands in the gate, and waits for the next thread of its process
//             (keep.c)                                                     -> HELD (taken), DEAD
//   OPS       it makes the host calls that it was ordered                  -> RUNNING (after the last),
//                                                                             HELD (report), DEAD, FREE
//   RUNNING   in guest code, or on its way to or from there                -> HELD (an event), DEAD
//   DEAD      the host process is gone (the reaper)                        -> FREE
//   FREE      not in use; the memory stays a thread's, so that a stale pointer of the tid table can be locked
//                                                                          -> STARTING
// A thread that the sentry has given back (destroyed) lives on as a *doomed* one until its host thread is
// gone: what it does is answered here, never reported.
#ifndef PLATFORM_SECCOMP_THREAD_H
#define PLATFORM_SECCOMP_THREAD_H
#include "base/list.h"
#include "base/lock.h"
#include "platform/backend.h"
#include "platform/seccomp/fastcall/ring.h"
#include "platform/seccomp/fastcall/sites.h"
#include "platform/seccomp/hostops.h"
#include "platform/seccomp/keep.h"
#include "platform/seccomp/notify.h"
#include "platform/seccomp/process.h"
#include "platform/seccomp/regs.h"
#include "platform/seccomp/rest.h"

enum sc_state { SC_FREE, SC_STARTING, SC_HELD, SC_OPS, SC_RUNNING, SC_KEPT, SC_DEAD };
// In what a held thread stands: a plain call, in the kernel or in the ring; the handler; its first call; the
// gate with a host call that the handler makes of its own accord, and that goes on if it is what is decided.
enum sc_hold { HOLD_VALUE, HOLD_EVENT, HOLD_CHECKIN, HOLD_PROPOSAL };
// A thread to be: nobody has been told to make it; its parent has the order; the host does it, so it may
// appear at any moment; the order was taken back or has failed, so it never will.
enum sc_birth { BIRTH_NONE, BIRTH_ORDERED, BIRTH_LAUNCHED, BIRTH_OFF };
enum sc_go { GO_NOT, GO_RESUME, GO_FLUSH };
// An interrupt for the sentry: none; wanted, to be sent when the thread is resumed; the signal is under way.
enum sc_intr { INTR_NONE, INTR_WANTED, INTR_SENT };

// The guest's call that a held thread stands in.
struct sc_call {
    uint64_t nr;       // of a SYSCALL event, else -1
    uint64_t args[6];  // HOLD_VALUE, HOLD_PROPOSAL
    bool proposed;     // it goes on if it is what is decided
    bool anywhere;     // an mmap without a wish where
};

struct sc_thread {
    struct plat_thread base;
    struct lock lock;
    // [P] platform->lock
    struct list proc_link, pool_link;
    struct list keep_link;  // KEPT: sc_proc.kept
    struct list link;  // the free list, or what the zygote has to make, or pending children
    struct sc_proc *proc;
    int hint;  // STARTING: the number that the parent's stub says it has
    // [W] platform->wait.lock
    struct list death_link;  // sc_listener.deaths
    int death_cause;
    bool violated;  // it left its protocol
    // [K] platform->parked.lock
    struct list park_link;
    _Atomic bool parked;  // [a] changed under K: it is on that list
    uint64_t parked_at;   // [K] monotonic ns
    // [lock], the rest too: who it is
    int tid;
    unsigned slot;
    bool leader, internal;
    bool clean;    // made by the zygote
    bool renewed;  // it was KEPT, and its slot has still marks of the thread before
    // where it is in its life
    enum sc_state state;
    enum sc_hold hold;
    enum sc_go go;  // STARTING: what to do at check-in
    uint64_t cookie;
    _Atomic int birth;  // STARTING: enum sc_birth; its parent's thread changes it
    bool doomed, exiting;
    // interrupts
    enum sc_intr intr;
    enum sc_rest rest;  // HELD
    bool rest_over;     // it is to go on when it comes
    bool to_handler;  // RUNNING: interrupted so that it does its queued work; the signal serves for both
    // what it stands in, and what it is to do
    struct sc_notif notif;
    struct sc_call call;
    struct op_queue queue;
    uint64_t place_top;  // where the next proposals are to be made, 0: as before
    struct reg_cache cache;
    // its fast calls
    _Atomic unsigned ring_no;  // its slot's ring, 0: none; set once
    bool aside;                // its host thread keeps off the core of the poller of its ring
    _Atomic bool dispatched;   // its calls go to the ring's selector first; set once
    struct ring_call ring;
    struct fastcall *fast;  // owned; NULL: it has made no call that counts yet
    struct fast_wish wish;
    unsigned proposals;     // mmaps that came by the handler
    unsigned trapped;       // other calls that did, and may go by a ring
    uint64_t touched_at;    // the last fault at memory that may have been guarded
    uint64_t fetched_at;    // ... and at an instruction that may have been under patch_x86.c's hands
    unsigned fetched_in;    // ... by its patch of this number
};

// STARTING; in `proc`, or in the process of `sibling`. NULL: no memory, or that process is gone.
struct sc_thread *sc_thread_new(struct sc_as *as, struct sc_proc *proc, const struct sc_thread *sibling);
void sc_thread_at(struct sc_thread *t, unsigned slot);  // no lock; its slot, once, and the ring that is there
void sc_thread_free(struct sc_thread *t);  // [lock] the host thread is gone, the sentry's handle too
void sc_thread_destroy(struct plat_thread *t);
void sc_thread_forget(struct sc_thread *t);  // [lock] all that is a guest thread's; the host thread's stays
// No lock; the reaper: its process, `proc`, is gone. (Meanwhile it may have ended by itself, and be another.)
void sc_thread_lost(struct sc_thread *t, const struct sc_proc *proc, int cause);
void sc_set_state(struct sc_thread *t, enum sc_state s);           // [lock] counts who runs
// [lock] RUNNING: HELD by an event; id 0: by a call in the ring
void sc_hold(struct sc_thread *t, uint64_t id, enum sc_hold how);
void sc_doom(struct sc_thread *t);                         // [lock] an event of a doomed thread: make it end
void sc_violation(struct sc_thread *t, const char *what);  // [lock] kills its process
int sc_host_tid(const struct plat_thread *t);
int sc_host_pid(const struct plat_thread *t);

// resume.c: held threads go on.
void sc_answer(struct plat_thread *t, int64_t value, struct lock *outer);
void sc_resume(struct plat_thread *t, struct lock *outer);
void sc_flush(struct plat_thread *t);
void sc_interrupt(struct plat_thread *t);
bool sc_send_interrupt(struct sc_thread *t);           // [lock] whatever it does; false: it is gone
void sc_interrupt_again(struct sc_thread *t);          // [lock] RUNNING: the ring's code may have missed it
void sc_interrupt_running(struct sc_thread *t);        // [lock] wants it; sends it when it runs
void sc_at_handler(struct sc_thread *t, uint64_t id);  // [lock] it has come for its work
void sc_resume_held(struct sc_thread *t);              // [lock] as its registers, rax and queue say
void sc_resume_gate(struct sc_thread *t);              // [lock] the same, of one that stands in the gate

#endif
