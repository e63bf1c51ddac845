// SPDX-License-Identifier: Apache-2.0
// What all maps of a sandbox promise together: private memory that can be written, touched or not. Where that
// is below a limit nobody needs to look at what is touched.
#ifndef SENTRY_MM_MEM_POOL_H
#define SENTRY_MM_MEM_POOL_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct mem_pool {
    _Atomic uint64_t promised;         // [a] bytes
    _Atomic uint64_t threshold;        // [a] `over` is called when a change leaves more; 0: never
    void (*over)(struct mem_pool *p);  // [c] under a map's lock
};

static inline void mem_pool_add(struct mem_pool *p, uint64_t more) {
    uint64_t now = atomic_fetch_add_explicit(&p->promised, more, memory_order_relaxed) + more;
    uint64_t most = atomic_load_explicit(&p->threshold, memory_order_relaxed);
    if (most && now > most && (int64_t)more > 0)
        p->over(p);
}

// May n bytes be made present in one go? Where memory could run out only so much that a look, which waits for
// the map, does not come late.
// LIMIT: near a memory limit, MAP_POPULATE, MADV_POPULATE_*, mlock(2) and mlockall(2) of more than 16 MiB at
// a time leave the pages to the first touch.
#define MEM_FILL_MOST (UINT64_C(16) << 20)
static inline bool mem_pool_may_fill(const struct mem_pool *p, uint64_t n) {
    uint64_t most = p ? atomic_load_explicit(&p->threshold, memory_order_relaxed) : 0;
    return !most || n <= MEM_FILL_MOST ||
           atomic_load_explicit(&p->promised, memory_order_relaxed) + n <= most;
}

#endif
