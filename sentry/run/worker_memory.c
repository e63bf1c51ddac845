// SPDX-License-Identifier: Apache-2.0
// What a worker has read of guest memory (worker.h). It is the worker's own, and whoever runs it has it: no
// lock. A look goes by all of it, which is a few pieces: a header, a vector, a name.
#include "base/fault.h"
#include "sentry/run/worker.h"
#include <string.h>

#define PRETENDED  (UINT64_C(1) << 63)  // the kernel's half: no address of a guest
#define MEMORY_MAX (64u << 10)          // of one worker

struct memory {
    struct list link;
    uint64_t addr;
    size_t n;
    char bytes[];
};

bool worker_charge(struct worker_budget *b, size_t n) {
    size_t used = atomic_load(&b->used);
    do
        if (used > b->most || n > b->most - used)
            return false;
    while (!atomic_compare_exchange_weak(&b->used, &used, used + n));
    return true;
}

static struct memory *find(const struct worker *w, uint64_t addr, size_t n) {
    struct memory *m;
    list_for_each(m, &w->memory, link)
        if (addr >= m->addr && addr - m->addr <= m->n && n <= m->n - (addr - m->addr))
            return m;
    return NULL;
}

bool worker_recall(const struct worker *w, void *dst, uint64_t addr, size_t n) {
    const struct memory *m = find(w, addr, n);
    if (m)
        memcpy(dst, m->bytes + (addr - m->addr), n);
    return m;
}

static bool add(struct worker *w, uint64_t addr, const void *src, size_t n) {
    if (n > MEMORY_MAX - w->remembered || !worker_charge(w->budget, sizeof(struct memory) + n))
        return false;
    struct memory *m = xcalloc(1, sizeof *m + n);
    if (!m) {
        worker_uncharge(w->budget, sizeof *m + n);
        return false;
    }
    m->addr = addr;
    m->n = n;
    memcpy(m->bytes, src, n);
    w->remembered += n;
    list_add_tail(&w->memory, &m->link);
    return true;
}

void worker_remember(struct worker *w, uint64_t addr, const void *src, size_t n) { add(w, addr, src, n); }

uint64_t worker_pretend(struct worker *w, const void *src, size_t n) {
    uint64_t addr = PRETENDED + w->remembered * 16;
    return add(w, addr, src, n) ? addr : 0;
}

bool worker_write_back(struct worker *w, uint64_t addr, const void *src, size_t n) {
    struct memory *m = addr >= PRETENDED ? find(w, addr, n) : NULL;
    if (m)
        memcpy(m->bytes + (addr - m->addr), src, n);
    return m;
}

void worker_forget(struct worker *w) {
    struct memory *m, *tmp;
    list_for_each_safe(m, tmp, &w->memory, link) {
        worker_uncharge(w->budget, sizeof *m + m->n);
        free(m);
    }
    list_init(&w->memory);
    w->remembered = 0;
}
