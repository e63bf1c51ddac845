// SPDX-License-Identifier: Apache-2.0
// New host threads: ordered by plat_clone() (clone.c) or by the pool of clean processes (pool.c), known to us
// when they check in (checkin.c).
#ifndef PLATFORM_SECCOMP_CLONE_H
#define PLATFORM_SECCOMP_CLONE_H
#include "platform/platform.h"
#include <linux/seccomp.h>
#include <sched.h>

struct sc_platform;
struct sc_thread;

// clone.c
#define SC_CLONE_COPY   CLONE_PARENT
#define SC_CLONE_VM     (CLONE_PARENT | CLONE_VM)
#define SC_CLONE_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
int sc_clone(struct plat_thread *t, unsigned flags, struct plat_thread **child, struct plat_as **as);
// [lock of t] Orders the clone that makes `child`; flags: SC_CLONE_*. 0 or -LINUX_ENOMEM.
int sc_order_clone(struct sc_thread *t, struct sc_thread *child, uint64_t flags);
// A space with one process and one thread to be, in slot `slot`; no lock. NULL: no memory.
struct sc_thread *sc_space_new(struct sc_platform *p, unsigned slot);

// checkin.c
bool sc_started(const struct plat_thread *t);
// False: not a child of ours. *got: *ev is for the sentry.
bool sc_check_in(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev, bool *got);
void sc_child_off(struct sc_thread *t);                // [lock] the queue is dropped
void sc_child_hint(struct sc_thread *t, int64_t tid);  // [lock] its child's number, as the stub says
void sc_settle_children(struct sc_platform *p);        // no lock; those that never come; cheap when none

// pool.c
int sc_as_create(struct platform *p, struct plat_as **as, struct plat_thread **thread);
void sc_pool_fill(struct sc_platform *p);
void sc_zygote_report(struct sc_platform *p, int64_t result);  // no lock
void sc_pool_forget(struct sc_thread *t);                      // [P] a pooled process has died

#endif
