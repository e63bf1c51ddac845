// SPDX-License-Identifier: Apache-2.0
// Time namespaces, time_namespaces(7): monotonic and boot time as they are shown in one. Inside the sentry
// all times are the first one's; they are turned where they come from a guest or go to one. Offsets are set
// before the first process is in it, and never again.
//
// LIMIT: the vDSO knows of none: a program that is started in one with offsets is given no vDSO, so that its
// library makes calls; what is only forked into one, or comes by setns, reads the clocks of before by the
// vDSO until it executes something.
#ifndef SENTRY_TIME_TIME_NS_H
#define SENTRY_TIME_TIME_NS_H
#include "abi/time.h"
#include "fs/nsfs.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct kernel;
struct task;
struct vfs;

struct time_ns {
    struct ns ns;
    _Atomic int64_t monotonic, boottime;  // [a] ns, to be added
    _Atomic bool frozen;                  // somebody is or was in it
};

struct time_ns *time_ns_new(struct vfs *v, uint64_t ino, struct ns *owner);  // NULL: no memory
// For unshare(2): as that of t's children. 0, ENOMEM.
int time_ns_make(struct task *t, struct ns *owner, struct ns **out);
// t, which is new or executes, goes over to the one that was made for its like. 0, ENOMEM.
int time_ns_enter_children(struct task *t);
void time_ns_freeze(struct ns *n);                    // somebody comes to it
bool time_ns_children_shifted(const struct task *t);  // has that one offsets?

// A time of that clock as t sees it, and one that t gave as ours; both saturate. Other clocks are as they
// are.
uint64_t task_time_out(const struct task *t, int32_t clock, uint64_t ns);
uint64_t task_time_in(const struct task *t, int32_t clock, uint64_t ns);
// ... for a timer, where 0 is none: what is past is the first instant.
static inline uint64_t task_deadline_in(const struct task *t, int32_t clock, uint64_t ns) {
    uint64_t at = task_time_in(t, clock, ns);
    return at ? at : 1;
}

struct time_offsets {
    struct linux_timespec monotonic, boottime;
};
void time_ns_offsets(const struct ns *n, struct time_offsets *out);
// EACCES: it is in use already; ERANGE: a clock would be before 0, or end. NULL: as it is.
int time_ns_set_offsets(struct ns *n, const struct linux_timespec *monotonic,
                        const struct linux_timespec *boottime);

#endif
