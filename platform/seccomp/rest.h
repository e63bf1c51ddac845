// SPDX-License-Identifier: Apache-2.0
// Threads whose calls wait for long sleep in the host, off the listener's list; rest.c has the theory.
#ifndef PLATFORM_SECCOMP_REST_H
#define PLATFORM_SECCOMP_REST_H
#include "base/list.h"
#include "base/lock.h"
#include <linux/seccomp.h>
#include <stdbool.h>

struct plat_thread;
struct sc_platform;
struct sc_thread;

// Of a HELD thread:
//   AWAKE   -> CALLED    it is to leave the plain call that it stands in: answered, and interrupted
//   CALLED  -> ORDERED   it has come to the handler, and is told to sleep
//   AWAKE   -> ORDERED   it was in the handler
//   ORDERED -> ASLEEP    it has asked for that sleep, and was let go on
//   ORDERED, ASLEEP -> WAKING   what it is to go on with is decided
//   these three -> AWAKE        it reports that the sleep is over
enum sc_rest { REST_AWAKE, REST_CALLED, REST_ORDERED, REST_ASLEEP, REST_WAKING };

// HELD threads whose calls wait, and whose notifications the kernel keeps for that time.
struct sc_parked {
    struct lock lock;   // K: taken last
    struct list list;   // [K] sc_thread.park_link, the longest first
    _Atomic unsigned n; // [a] changed under K
};

void sc_parked_init(struct sc_parked *p);
void sc_park(struct plat_thread *t);
void sc_parked_trim(struct sc_platform *p);  // no lock; now and then: who has waited for long is moved
void sc_unpark(struct sc_thread *t);     // [lock] it is to go on
bool sc_rest_wake(struct sc_thread *t);  // [lock] false: it is awake; else it goes on when it comes
// [lock] It has come to the handler, or back from its sleep.
void sc_rest_arrive(struct sc_thread *t, uint64_t id);
bool sc_rest_approve(struct sc_thread *t, const struct seccomp_notif *n);  // [lock] false: not that call

#endif
