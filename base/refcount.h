// SPDX-License-Identifier: Apache-2.0
// A reference count that aborts on misuse: on overflow, on taking a reference to a dead object, on one put
// too many. Convention: x_get() takes a reference and returns x, x_put() gives it back and frees on the last
// one.
#ifndef BASE_REFCOUNT_H
#define BASE_REFCOUNT_H
#include "base/log.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct refcount {
    _Atomic uint32_t n;
};

static inline void ref_init(struct refcount *r, uint32_t n) { atomic_init(&r->n, n); }
static inline uint32_t ref_read(struct refcount *r) {
    return atomic_load_explicit(&r->n, memory_order_relaxed);
}
static inline void ref_get(struct refcount *r) {
    uint32_t old = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
    if (__builtin_expect(old == 0 || old > UINT32_MAX / 2, 0))
        panic("reference count: get at %u", old);
}
// Takes a reference unless the object is dying: for lookups under a lock that the last put also takes.
static inline bool ref_get_unless_zero(struct refcount *r) {
    uint32_t n = atomic_load_explicit(&r->n, memory_order_relaxed);
    while (n != 0)
        if (atomic_compare_exchange_weak_explicit(&r->n, &n, n + 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}
// True when this was the last reference: the caller frees.
static inline bool ref_put(struct refcount *r) {
    uint32_t old = atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel);
    if (__builtin_expect(old == 0, 0))
        panic("reference count: put at zero");
    return old == 1;
}

#endif
