// SPDX-License-Identifier: Apache-2.0
// See lock.h. Mutexes are adaptive: sections are short, and a futex wake across cores costs tens of
// microseconds.
#include "base/lock.h"
#include "base/log.h"

#ifdef PICKET_DEBUG
#define MAX_HELD 16
static _Thread_local const struct lock *held[MAX_HELD];
static _Thread_local unsigned nheld;

static void check_order(const struct lock *l, bool nested) {
    for (unsigned i = 0; i < nheld; i++) {
        if (held[i] == l)
            panic("lock of rank %d taken twice", l->rank);
        if (held[i]->rank > l->rank || (held[i]->rank == l->rank && !nested))
            panic("lock order: rank %d is held, rank %d wanted", held[i]->rank, l->rank);
    }
}
static void note_taken(const struct lock *l) {
    if (nheld == MAX_HELD)
        panic("%d locks held", MAX_HELD);
    held[nheld++] = l;
}
static void note_dropped(const struct lock *l) {
    for (unsigned i = nheld; i-- > 0;)
        if (held[i] == l) {
            held[i] = held[--nheld];
            return;
        }
    panic("a lock of rank %d is dropped that was not held", l->rank);
}
bool lock_held(const struct lock *l) {
    for (unsigned i = 0; i < nheld; i++)
        if (held[i] == l)
            return true;
    return false;
}
void lock_assert_none(const char *where) {
    if (nheld)
        panic("%s: a lock of rank %d is still held", where, held[nheld - 1]->rank);
}
#else
static void check_order(const struct lock *l, bool nested) {}
static void note_taken(const struct lock *l) {}
static void note_dropped(const struct lock *l) {}
bool lock_held(const struct lock *l) { return true; }
void lock_assert_none(const char *where) {}
#endif

void lock_init(struct lock *l, enum lock_rank rank) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(&l->m, &attr);
    pthread_mutexattr_destroy(&attr);
    l->rank = rank;
}
void lock_destroy(struct lock *l) { pthread_mutex_destroy(&l->m); }
void lock_take(struct lock *l) {
    check_order(l, false);
    pthread_mutex_lock(&l->m);
    note_taken(l);
}
void lock_nested(struct lock *l) {
    check_order(l, true);
    pthread_mutex_lock(&l->m);
    note_taken(l);
}
bool lock_try(struct lock *l) {
    if (pthread_mutex_trylock(&l->m) != 0)
        return false;
    check_order(l, false);
    note_taken(l);
    return true;
}
void lock_drop(struct lock *l) {
    note_dropped(l);
    pthread_mutex_unlock(&l->m);
}
