// SPDX-License-Identifier: Apache-2.0
// Numbers of users and groups of a user namespace, user_namespaces(7), and those that the kernel knows them
// by: which are the first namespace's. A map is written once; until then it maps nothing.
#ifndef BASE_IDMAP_H
#define BASE_IDMAP_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define IDMAP_MAX   340u  // ranges of one map, as on Linux
#define ID_NONE     (~0u)
#define ID_OVERFLOW 65534u  // what is shown of one that has no number

struct id_range {
    uint32_t first, lower, count;  // inside; the kernel's; how many
};
struct id_map {
    _Atomic unsigned n;       // [a] set last: the ranges are there then
    struct id_range *ranges;  // owned
};

// The kernel's number of `id`, or ID_NONE. map NULL: the first namespace's, where they are the same.
uint32_t idmap_in(const struct id_map *map, uint32_t id);
uint32_t idmap_out(const struct id_map *map, uint32_t kid);    // what it is inside, or ID_NONE
uint32_t idmap_shown(const struct id_map *map, uint32_t kid);  // the same, or ID_OVERFLOW
// A range of `count` from `id` as one range of the kernel's: its first, or ID_NONE (not all, or in pieces).
uint32_t idmap_in_range(const struct id_map *map, uint32_t id, uint32_t count);

#endif
