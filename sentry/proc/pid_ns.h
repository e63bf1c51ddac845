// SPDX-License-Identifier: Apache-2.0
// Namespaces of processes, pid_namespaces(7).
#ifndef SENTRY_PROC_PID_NS_H
#define SENTRY_PROC_PID_NS_H
#include "fs/nsfs.h"

struct kernel;
struct tgroup;

struct pid_ns {
    struct ns ns;
    struct pid_ns *parent;  // [c] owned; NULL: the first
    unsigned level;         // [c]
};
struct pid_ns *pid_ns_first(struct kernel *k);  // NULL: no memory
bool pid_ns_is_in(const struct pid_ns *p, const struct pid_ns *outer);  // or is it
#endif
