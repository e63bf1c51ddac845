// SPDX-License-Identifier: Apache-2.0
// See clock.h.
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <sys/random.h>

void random_bytes(void *buf, size_t n) {
    char *p = buf;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            panic("getrandom: errno %d", errno);
        p += got;
        n -= (size_t)got;
    }
}
uint64_t random_u64(void) {
    uint64_t v;
    random_bytes(&v, sizeof v);
    return v;
}
