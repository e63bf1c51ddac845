// SPDX-License-Identifier: Apache-2.0
// Memory policies of areas, mbind(2): kept for show, with their flags, as MPOL_* has them.
#ifndef SENTRY_MM_MM_POLICY_H
#define SENTRY_MM_MM_POLICY_H
#include <stdint.h>

struct mm;

// With the turn taken. -LINUX_EFAULT: a hole; -LINUX_ENOMEM.
int mm_policy_set(struct mm *mm, uint64_t start, uint64_t end, uint32_t policy);
int mm_policy_at(struct mm *mm, uint64_t addr, uint32_t *policy);  // -LINUX_EFAULT: nothing is there
// set_mempolicy_home_node(2): may these areas have a home? -LINUX_ENOENT: none has a policy.
int mm_policy_home(struct mm *mm, uint64_t start, uint64_t end);

#endif
