// SPDX-License-Identifier: Apache-2.0
// See mm_policy.h. A policy is five bits of an area's flags, so areas with different ones are not merged.
#include "sentry/mm/mm_policy.h"
#include "abi/errno.h"
#include "abi/mempolicy.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm_queue.h"

#define SHIFT         16
#define BIT_STATIC    8u
#define BIT_RELATIVE  16u
#define POLICY_MODE   7u

static uint32_t pack(uint32_t policy) {
    uint32_t bits = policy & POLICY_MODE;
    bits |= policy & LINUX_MPOL_F_STATIC_NODES ? BIT_STATIC : 0;
    bits |= policy & LINUX_MPOL_F_RELATIVE_NODES ? BIT_RELATIVE : 0;
    return bits << SHIFT;
}
static uint32_t unpack(uint32_t flags) {
    uint32_t bits = (flags & VMA_POLICY) >> SHIFT, policy = bits & POLICY_MODE;
    policy |= bits & BIT_STATIC ? LINUX_MPOL_F_STATIC_NODES : 0;
    return policy | (bits & BIT_RELATIVE ? LINUX_MPOL_F_RELATIVE_NODES : 0);
}

int mm_policy_set(struct mm *mm, uint64_t start, uint64_t end, uint32_t policy) {
    struct area_bin bin = {NULL};
    int r;
    if (!mm_is_mapped(mm, start, end))
        return -LINUX_EFAULT;
    {
        LOCKED(&mm->lock);
        r = flag_range(mm, start, end, pack(policy), VMA_POLICY, &bin);
    }
    area_bin_empty(&bin);
    return r;
}

int mm_policy_at(struct mm *mm, uint64_t addr, uint32_t *policy) {
    LOCKED(&mm->lock);
    const struct vma *v = area_find_shown(mm, addr);
    if (!v || v->start > addr)
        return -LINUX_EFAULT;
    *policy = unpack(v->flags);
    return 0;
}

int mm_policy_home(struct mm *mm, uint64_t start, uint64_t end) {
    int r = -LINUX_ENOENT;
    LOCKED(&mm->lock);
    for (const struct vma *v = area_find_shown(mm, start); v && v->start < end; v = area_next(v)) {
        uint32_t mode = unpack(v->flags) & POLICY_MODE;
        if (mode == LINUX_MPOL_DEFAULT)
            continue;
        if (mode != LINUX_MPOL_BIND && mode != LINUX_MPOL_PREFERRED_MANY)
            return -LINUX_EOPNOTSUPP;
        r = 0;
    }
    return r;
}
