// SPDX-License-Identifier: Apache-2.0
// Bytes that several objects may have together. A NULL budget, and one without a limit, has enough.
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
    uint64_t max;           // [c] 0: no limit
    _Atomic uint64_t used;  // [a]
};

static inline void budget_give(struct budget *b, uint64_t n) {
    if (b)
        atomic_fetch_sub_explicit(&b->used, n, memory_order_relaxed);
}
static inline bool budget_take(struct budget *b, uint64_t n) {
    if (!b)
        return true;
    uint64_t now = atomic_fetch_add_explicit(&b->used, n, memory_order_relaxed) + n;
    if (!b->max || now <= b->max)
        return true;
    budget_give(b, n);
    return false;
}

#endif
