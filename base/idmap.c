// SPDX-License-Identifier: Apache-2.0
// See idmap.h.
#include "base/idmap.h"
#include <stddef.h>

uint32_t idmap_in_range(const struct id_map *map, uint32_t id, uint32_t count) {
    if (!map)
        return id;
    unsigned n = atomic_load_explicit(&map->n, memory_order_acquire);
    for (const struct id_range *r = map->ranges; n > 0; n--, r++)
        if (id >= r->first && id - r->first < r->count && count <= r->count - (id - r->first))
            return r->lower + (id - r->first);
    return ID_NONE;
}

uint32_t idmap_in(const struct id_map *map, uint32_t id) { return idmap_in_range(map, id, 1); }

uint32_t idmap_out(const struct id_map *map, uint32_t kid) {
    if (!map)
        return kid;
    unsigned n = atomic_load_explicit(&map->n, memory_order_acquire);
    for (const struct id_range *r = map->ranges; n > 0; n--, r++)
        if (kid >= r->lower && kid - r->lower < r->count)
            return r->first + (kid - r->lower);
    return ID_NONE;
}

uint32_t idmap_shown(const struct id_map *map, uint32_t kid) {
    uint32_t id = idmap_out(map, kid);
    return id == ID_NONE ? ID_OVERFLOW : id;
}
