// SPDX-License-Identifier: Apache-2.0
// Call sites that were hot in some process of the sandbox, by their place in a file: the next process that
// runs that program or library has them patched after SC_WARM calls instead of SC_HEAT. Called by sites.c. No
// locks.
//
// The table holds hashes, and is a hint: what a site's bytes are, and whether they may be changed, is looked
// at anew each time (patch_x86.c). So a file that has changed, a hash that is another's, or a guest that
// fills the table costs time, and that guest's sandbox alone.
#include "platform/seccomp/sc.h"

// The sentry's name of the place; 0: it has none.
static uint64_t hash_of(const struct plat_guest_ops *guest, void *owner, uint64_t site) {
    uint64_t name[3], hash = 0;
    if (!guest->text_name || !guest->text_name(owner, site, name))
        return 0;
    for (unsigned i = 0; i < 3; i++) {
        hash = (hash ^ name[i]) * 0x9e3779b97f4a7c15ull;
        hash ^= hash >> 29;
    }
    return hash | 1;
}

static _Atomic uint64_t *entry_of(struct sc_platform *p, uint64_t hash) {
    return &p->known[hash >> 32 & (SC_KNOWN - 1)];
}

void sc_known_add(struct sc_platform *p, const struct plat_guest_ops *guest, void *owner, uint64_t site) {
    uint64_t hash = hash_of(guest, owner, site);
    if (hash)
        atomic_store_explicit(entry_of(p, hash), hash, memory_order_relaxed);
}

bool sc_known_has(struct sc_platform *p, const struct plat_guest_ops *guest, void *owner, uint64_t site) {
    uint64_t hash = hash_of(guest, owner, site);
    return hash && atomic_load_explicit(entry_of(p, hash), memory_order_relaxed) == hash;
}
