// SPDX-License-Identifier: Apache-2.0
// The names of the machine, uname(2), as a group of processes sees them.
#ifndef SENTRY_PROC_UTS_NS_H
#define SENTRY_PROC_UTS_NS_H
#include "fs/nsfs.h"

struct uts_ns {
    struct ns ns;
    char hostname[65], domainname[65];  // [T]
};

struct uts_ns *uts_ns_new(struct vfs *v, uint64_t ino, struct ns *owner);  // NULL: no memory

#endif
