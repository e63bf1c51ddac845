// SPDX-License-Identifier: Apache-2.0
// mseal(2) and remap_file_pages(2), with the turn to change the map taken: 0 or -LINUX_E*.
#ifndef SENTRY_MM_MM_SEAL_H
#define SENTRY_MM_MM_SEAL_H
#include "sentry/mm/mm.h"

int64_t do_mseal(struct mm *mm, uaddr_t at, uint64_t len, uint64_t flags);
// page: in the file. Host work is queued on `th`.
int64_t do_remap_file_pages(struct task *t, struct mm *mm, struct plat_thread *th, uint64_t start,
                            uint64_t size, uint64_t page, uint64_t flags);

#endif
