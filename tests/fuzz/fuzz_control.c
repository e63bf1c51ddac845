// SPDX-License-Identifier: Apache-2.0
// CONTROL_EXEC as hostile bytes. What must hold: what is accepted lies inside the message, every string ends
// there.
#include "base/fault.h"
#include "sentry/control.h"
#include "sentry/run/controlexec.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

#define CHECK(cond) \
    do { \
        if (!(cond)) \
            abort(); \
    } while (0)

static void check_vector(char *const *v, const char *from, const char *end) {
    for (; *v; v++)
        CHECK(*v >= from && *v < end && *v + strlen(*v) < end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n > CONTROL_MAX)
        return 0;
    size_t room = n < sizeof(struct control_head) ? sizeof(struct control_head) : n;
    char *m = malloc(room);  // its own block, so that a read beyond it is seen
    CHECK(m);
    memset(m, 0, room);
    memcpy(m, data, n);
    struct exec_request *r = controlexec_read(m, room);
    if (r) {
        CHECK(r->process.argv[0] && r->process.cwd >= m && r->process.cwd < m + room);
        CHECK(r->process.more_fds <= SENTRY_FDS - 3);
        check_vector(r->process.argv, m, m + room);
        check_vector(r->process.envp, m, m + room);
        controlexec_free(r);
    }
    free(m);
    return 0;
}
