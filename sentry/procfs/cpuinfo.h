// SPDX-License-Identifier: Apache-2.0
#ifndef SENTRY_PROCFS_CPUINFO_H
#define SENTRY_PROCFS_CPUINFO_H
#include "sentry/procfs/impl.h"

// A cache as the processor tells any program of it (cpuid leaf 4, of AMD 0x8000001d).
struct cpu_cache {
    unsigned level;
    unsigned type;  // 1 data, 2 instructions, 3 both
    unsigned line;  // bytes
    unsigned partitions, ways, sets;
};
// False: it has no cache with that number, which begin at 0.
bool cpu_cache_read(unsigned number, struct cpu_cache *out);

int proc_show_cpuinfo(struct proc_text *x, const struct proc_node *n);

#endif
