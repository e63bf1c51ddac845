// SPDX-License-Identifier: Apache-2.0
// See pid_ns.h.
#include "sentry/proc/pid_ns.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>

#define PID_NS_FIRST 0xeffffffcu  // the number of the first one, as Linux has it

static void pid_ns_free(struct ns *n) {
    struct pid_ns *p = (struct pid_ns *)n;
    if (p->parent)
        ns_put(&p->parent->ns);
    free(p);
}

struct pid_ns *pid_ns_first(struct kernel *k) {
    struct pid_ns *p = znew(struct pid_ns);
    if (p)
        ns_init(&p->ns, NS_PID, k->vfs, PID_NS_FIRST, &k->user_ns->ns, pid_ns_free);
    return p;
}

bool pid_ns_is_in(const struct pid_ns *p, const struct pid_ns *outer) {
    while (p && p != outer && p->level > outer->level)
        p = p->parent;
    return p == outer;
}
