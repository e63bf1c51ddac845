// SPDX-License-Identifier: Apache-2.0
// What poll(2) and select(2) have in common: a set of open files with the events that are wanted of each, and
// the wait until one of them has any. A set that finds something at once, or has no time to wait, costs no
// allocation while it has at most POLL_FAST files, and puts nobody on any queue.
#ifndef SENTRY_SYSCALLS_POLL_SET_H
#define SENTRY_SYSCALLS_POLL_SET_H
#include "abi/poll.h"
#include "sentry/proc/task.h"
#include "sentry/time/timeconv.h"

#define POLL_FAST 8
#define POLL_FOREVER TIME_MAX  // no deadline
#define POLL_AT_ONCE 0         // no waiting

struct poll_entry {
    int32_t fd;           // < 0: ignored
    uint32_t events;      // wanted
    uint32_t revents;     // found, within `events` and what is always told
    struct file *file;    // owned while the call waits; NULL: POLLNVAL
};

struct poll_set {
    struct task *t;
    unsigned n;
    uint32_t always;       // told although not wanted: POLLERR and POLLHUP for poll(2)
    struct poll_entry *e;  // `fast`, or allocated: then the set lies in the heap and call.own has it
    struct waiter *w;      // [n] when the call waits: park_many()
    struct poll_entry fast[POLL_FAST];
};

// For the first run: room for n entries; e is zero. The set is the caller's own, on its stack. 0 or
// -LINUX_ENOMEM; poll_set_free() is right after either.
int poll_set_init(struct poll_set *s, struct task *t, unsigned n, uint32_t always);
void poll_set_free(struct poll_set *s);
// The set of a call that has waited, or NULL.
struct poll_set *poll_set_of(struct task *t);
// Fills revents: how many entries have any; 0 after the deadline (monotonic ns); SYS_PARK;
// -LINUX_ERESTARTNOHAND. After it the entries may be in another place: *s is updated.
int64_t poll_set_wait(struct poll_set **s, uint64_t deadline);

static inline uint64_t poll_deadline(uint64_t ns) { return ns ? time_after(ns) : POLL_AT_ONCE; }

#endif
