// SPDX-License-Identifier: Apache-2.0
// From rows of a host_syscalls.def to a loaded filter; see confine.h.
#include "host/confine.h"
#include "abi/errno.h"
#include <seccomp.h>

static int add_rules(scmp_filter_ctx ctx, const struct filter *f) {
    const struct {
        enum scmp_filter_attr attr;
        uint32_t value;
    } attrs[] = {
        {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
        {SCMP_FLTATR_CTL_TSYNC, f->all_threads},
        {SCMP_FLTATR_CTL_OPTIMIZE, 2},  // a binary tree: few comparisons for each call
    };
    for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
        int err = seccomp_attr_set(ctx, attrs[i].attr, attrs[i].value);
        if (err)
            return err;
    }
    for (size_t i = 0; i < f->nrows; i++) {
        int err = f->when >> f->rows[i].when & 1 ? f->allow(ctx, &f->rows[i], f->arg) : 0;
        if (err)
            return err;
    }
    return 0;
}

static void ctx_release(scmp_filter_ctx *ctx) { seccomp_release(*ctx); }

int filter_load(const struct filter *f) {
    scmp_filter_ctx ctx __attribute__((cleanup(ctx_release))) = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return -LINUX_ENOMEM;
    int err = add_rules(ctx, f);
    return err ? err : seccomp_load(ctx);
}
