// SPDX-License-Identifier: Apache-2.0
// The names of the machine, uname(2), as a group of processes sees them.
#ifndef SENTRY_PROC_UTS_NS_H
#define SENTRY_PROC_UTS_NS_H
#include "base/refcount.h"
#include <stdint.h>

struct uts_ns {
    struct refcount refs;
    uint64_t ino;                       // [c] its number in /proc/PID/ns
    char hostname[65], domainname[65];  // [T]
};

struct uts_ns *uts_ns_new(uint64_t ino);                             // NULL: no memory
struct uts_ns *uts_ns_copy(const struct uts_ns *old, uint64_t ino);  // tasks_lock held; NULL: no memory
struct uts_ns *uts_ns_get(struct uts_ns *u);
void uts_ns_put(struct uts_ns *u);  // u may be NULL

#endif
