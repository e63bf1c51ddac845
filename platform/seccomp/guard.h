// SPDX-License-Identifier: Apache-2.0
// Guarded memory of a guest: mapped in the host, but its first touch is ours to judge; guard.c has the
// theory.
#ifndef PLATFORM_SECCOMP_GUARD_H
#define PLATFORM_SECCOMP_GUARD_H
#include "base/lock.h"
#include "platform/seccomp/hostops.h"

struct sc_as;
struct sc_platform;

// What a touch has met: not ours; free memory, so nothing is there; memory that is open now: try again.
enum sc_touch { TOUCH_OTHER, TOUCH_NOTHING, TOUCH_OPENED };

void sc_guard_probe(struct sc_platform *p);   // before the sentry is caged
void sc_guard_settle(struct sc_platform *p);  // when it is known how stubs' memory is reached
// [lock] All that is guarded, heap.c's and premap.c's. 1: done; 0: go on; -LINUX_ENOMEM
int sc_guard_work(struct sc_thread *t, const struct plat_op *op);
enum sc_touch sc_guard_touched(struct sc_thread *t, uint64_t addr);  // [lock] by SIGBUS
bool sc_guard_admit(struct plat_as *as, const struct iovec *remote, int n);
bool sc_guard_give_up(struct sc_thread *t);                       // [lock] false: no memory
bool sc_guard_any(const struct sc_as *as);                        // is there some?
void sc_guard_begin(struct sc_thread *t, const struct sc_op *o);  // [lock] a *_BEGIN comes up
bool sc_guard_makes(struct sc_thread *t,
                    const struct sc_op *o);  // [lock] false: an *_UNDO, and all went well

// For the two of them.
bool sc_guard_possible(const struct sc_as *as);
// [lock] Orders the map, noted by `begin` and undone by the op behind it. False: no
// memory, and some may be queued.
bool sc_guard_order_map(struct sc_thread *t, uint64_t addr, uint64_t len, enum sc_special begin);
bool sc_guard_order_unmap(struct sc_thread *t, uint64_t addr, uint64_t len);
// [lock] Fetches the stub's descriptor, and has it guard [addr, addr + len). -1: there is no guard.
int sc_guard_take(struct sc_thread *t, uint64_t addr, uint64_t len);
// [low, high) becomes ordinary memory. Only a host without memory refuses: then the process ends.
void sc_guard_open(struct sc_as *as, int fd, uint64_t low, uint64_t high);
bool sc_guard_overlaps(uint64_t start, uint64_t len, uint64_t low, uint64_t high);
bool sc_guard_concerns(const struct plat_op *op, uint64_t low, uint64_t high);

#endif
