// SPDX-License-Identifier: Apache-2.0
// The tables behind abi/flags.h, filled from abi/flags/*.def. Constant data, no locks.
#include "abi/flags.h"

#include <string.h>

// The casts: constants are int or wider, and negative ones (RUSAGE_CHILDREN) stand in the low half alone.
// clang-format off: it takes the closing brace of a macro apart
#define SET(set)          static const struct flagentry set##_entries[] = {
#define FLAG(name)        {(uint64_t)LINUX_##name, (uint64_t)LINUX_##name, #name},
#define FIELD(bits, name) {(uint64_t)(bits), (uint64_t)LINUX_##name, #name},
#define VALUE(name)       {0xffffffffu, (uint32_t)LINUX_##name, #name},
#define END(set)          };
// clang-format on
#include "abi/flags/all.def"
#undef SET
#undef FLAG
#undef FIELD
#undef VALUE
#undef END

#define FLAG(name)
#define FIELD(bits, name)
#define VALUE(name)
#define END(set)
#define SET(set)                                                                                             \
    const struct flagset flagset_##set = {                                                                   \
        .name = #set,                                                                                        \
        .entries = set##_entries,                                                                            \
        .count = sizeof(set##_entries) / sizeof(set##_entries[0]),                                           \
        .known = LINUX_KNOWN_##set,                                                                          \
    };
#include "abi/flags/all.def"
#undef SET

static const struct flagset *const all_sets[] = {
#define SET(set) &flagset_##set,
#include "abi/flags/all.def"
#undef SET
};

const struct flagset *flagset_find(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof(all_sets) / sizeof(all_sets[0]); i++) {
        const char *have = all_sets[i]->name;
        if (strlen(have) == len && memcmp(have, name, len) == 0)
            return all_sets[i];
    }
    return NULL;
}

const char *flagset_name(const struct flagset *set, uint64_t value) {
    for (size_t i = 0; i < set->count; i++) {
        if ((value & set->entries[i].mask) == set->entries[i].value)
            return set->entries[i].name;
    }
    return NULL;
}
