// SPDX-License-Identifier: Apache-2.0
// A value within bounds: v, or the bound that it is beyond. least must not be above most.
#ifndef BASE_CLAMP_H
#define BASE_CLAMP_H
#include <stdint.h>

static inline uint64_t clamp_u64(uint64_t v, uint64_t least, uint64_t most) {
    if (v < least)
        return least;
    return v > most ? most : v;
}
static inline uint32_t clamp_u32(uint32_t v, uint32_t least, uint32_t most) {
    return (uint32_t)clamp_u64(v, least, most);
}
static inline int64_t clamp_i64(int64_t v, int64_t least, int64_t most) {
    if (v < least)
        return least;
    return v > most ? most : v;
}

#endif
