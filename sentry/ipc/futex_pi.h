// SPDX-License-Identifier: Apache-2.0
// Locks whose owner the kernel knows (FUTEX_LOCK_PI and its kin, futex(2)): the word holds the owner's thread
// number. Nothing here has a priority, so there is none to inherit; what is kept is what programs rely on:
// owners are named, the lock is handed from one to the next, in the order in which they came, and the death
// of an owner passes it on.
#ifndef SENTRY_IPC_FUTEX_PI_H
#define SENTRY_IPC_FUTEX_PI_H
#include "sentry/ipc/futex.h"

// All waits for such locks; a member of struct futex_table.
void pi_table_init(struct pi_table *x);
void pi_table_destroy(struct pi_table *x);  // nobody waits

// As a handler returns: 0: the lock is t's; else SYS_PARK and errors. deadline: mono ns, 0: none.
int64_t pi_lock(struct task *t, uaddr_t word, bool private, bool try_only, uint64_t deadline);
int64_t pi_lock_again(struct task *t);  // the reruns of pi_lock()
int64_t pi_unlock(struct task *t, uaddr_t word, bool private);
// t ends, or leaves its memory: whoever waits for what it owns goes on.
void pi_owner_ends(struct task *t);

#endif
