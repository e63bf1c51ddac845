// SPDX-License-Identifier: Apache-2.0
// The settings' first values and bounds: see knobs.h. Shown and stored by sentry/procfs/sysctl.c.
#include "fs/knobs.h"
#include "fs/core.h"

static const struct knob_bounds bounds[] = {
#define KNOB_BOUNDS(name, first, least, most) {(int64_t)(first), least, most},
    KNOBS(KNOB_BOUNDS)
#undef KNOB_BOUNDS
};

struct knob_bounds knob_bounds(enum knob_id id) {
    return bounds[id];
}

void knobs_init(struct knobs *k) {
    for (int i = 0; i < KNOB_COUNT; i++)
        atomic_init(&k->v[i], bounds[i].first);
}

struct knobs *vfs_knobs(struct vfs *v) { return &v->knobs; }
