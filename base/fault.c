// SPDX-License-Identifier: Apache-2.0
// See fault.h. Nothing is counted until a test asks for the first time: until then the cost is one load.
#include "base/fault.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Atomic bool counting;
static _Atomic unsigned fail_at, count;

static bool inject(void) {
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return false;
    unsigned n = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) + 1;
    return n == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

unsigned fault_alloc_at(unsigned nth) {
    atomic_store(&counting, true);
    atomic_store(&fail_at, nth);
    return atomic_exchange(&count, 0);
}

void *xcalloc(size_t n, size_t size) { return inject() ? NULL : calloc(n, size); }
void *xrealloc(void *p, size_t size) { return inject() ? NULL : realloc(p, size); }
char *xstrdup(const char *s) { return inject() ? NULL : strdup(s); }
char *xstrndup(const char *s, size_t n) { return inject() ? NULL : strndup(s, n); }
