// SPDX-License-Identifier: Apache-2.0
// From rows of a host_syscalls.def to a loaded filter; see confine.h.
#include "host/confine.h"
#include "abi/errno.h"
#include <seccomp.h>

static int fill(scmp_filter_ctx ctx, const struct filter *f) {
    int err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, f->all_threads);
    // a binary tree: few comparisons for each call
    if (!err)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    for (size_t i = 0; !err && i < f->nrows; i++)
        if (f->when >> f->rows[i].when & 1)
            err = f->allow(ctx, &f->rows[i], f->arg);
    return err;
}

int filter_load(const struct filter *f) {
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return -LINUX_ENOMEM;
    int err = fill(ctx, f);
    if (!err)
        err = seccomp_load(ctx);
    seccomp_release(ctx);
    return err;
}
