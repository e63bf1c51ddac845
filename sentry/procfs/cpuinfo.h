// SPDX-License-Identifier: Apache-2.0
#ifndef SENTRY_PROCFS_CPUINFO_H
#define SENTRY_PROCFS_CPUINFO_H
#include "sentry/procfs/impl.h"

int proc_show_cpuinfo(struct proc_text *x, const struct proc_node *n);

#endif
