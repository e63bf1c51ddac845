// SPDX-License-Identifier: Apache-2.0
// The counters of a stack, from stats.def. Counted under the stack's lock.
#ifndef NETSTACK_CORE_STATS_H
#define NETSTACK_CORE_STATS_H

enum stat {
#define STAT(name, text) STAT_##name,
#include "netstack/core/stats.def"
#undef STAT
    STAT_COUNT,
};
// count(ns, tcp_in)
#define count(ns, name)      ((ns)->stats[STAT_##name]++)
#define count_n(ns, name, n) ((ns)->stats[STAT_##name] += (n))

#endif
