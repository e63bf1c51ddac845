// SPDX-License-Identifier: Apache-2.0
// Host threads that outlive their guest thread, for the next one of their process; keep.c has the theory.
#ifndef PLATFORM_SECCOMP_KEEP_H
#define PLATFORM_SECCOMP_KEEP_H
#include <stdbool.h>

struct sc_thread;

#define SC_KEPT_MOST     16  // in a process
#define SC_KEPT_MOST_ALL 32  // in a sandbox: each is an entry in the list that every notification walks

bool sc_keep(struct sc_thread *t);         // [lock] doomed, and held by an event; false: it is to end
void sc_keep_forget(struct sc_thread *t);  // [lock, P] KEPT no more
// No lock, both. Is there one for a thread that `maker`, which is held, makes, without work of its host?
bool sc_keep_has(struct sc_thread *maker);
// It: HELD by an event; fp: its FP state, taken over. NULL: there is none any more.
struct sc_thread *sc_keep_take(const struct sc_thread *maker, void *fp);

#endif
