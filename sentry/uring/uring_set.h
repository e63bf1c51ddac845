// SPDX-License-Identifier: Apache-2.0
// Which rings of io_uring there are: what the kernel object holds (sentry/uring/uring.h).
#ifndef SENTRY_URING_URING_SET_H
#define SENTRY_URING_URING_SET_H
#include "base/list.h"
#include "base/lock.h"
#include "sentry/run/worker.h"
#include <stdatomic.h>
#include <stdint.h>

struct task;

struct uring_set {
    struct lock lock;           // RANK_URINGS
    struct list rings;          // [lock] struct uring.in_set; borrowed
    uint64_t last;              // [lock] number of the newest
    _Atomic unsigned requests;     // of all rings: what is charged
    struct worker_budget budget;  // bytes of what rings keep: completions, buffers, files, what was read
};
void uring_set_init(struct uring_set *s);
void uring_set_destroy(struct uring_set *s);  // no ring is left
// t ends, or begins another program: the requests that were made in its name end.
void uring_task_ends(struct task *t);

#endif
