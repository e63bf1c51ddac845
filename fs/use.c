// SPDX-License-Identifier: Apache-2.0
// See use.h. No locks.
#include "fs/use.h"
#include "fs/core.h"
#include "fs/tmpfs/node.h"

#define INSISTS      10000u  // refused calls
#define MOST_AT_ONCE (INT64_C(1) << 60)
#define OUTPUT_TIMES 8       // so many times the limit, and OUTPUT_MORE bytes, are dropped in patience
#define OUTPUT_MORE  (1u << 20)

void vfs_set_use(struct vfs *v, struct vfs_use *use, bool tmpfs_too) {
    v->use = use;
    v->memory->use = tmpfs_too ? use : NULL;
}

struct budget *vfs_buffers(struct vfs *v) {
    return &v->buffers;
}

void use_refused(struct vfs_use *u) {
    bool limited = u->max_disk || u->max_files;
    if (atomic_fetch_add(&u->refused, 1) + 1 == INSISTS && limited && u->insists)
        u->insists(u->owner, false);
}

static bool take(struct vfs_use *u, _Atomic int64_t *used, uint64_t max, int64_t n) {
    if (max && n > MOST_AT_ONCE) {  // a sum with it could overflow
        use_refused(u);
        return false;
    }
    int64_t now = atomic_fetch_add(used, n) + n;
    if (n <= 0 || !max || now <= 0 || (uint64_t)now <= max)
        return true;
    atomic_fetch_sub(used, n);
    use_refused(u);
    return false;
}
bool vfs_use_disk(const struct vfs *v, int64_t bytes) {
    return !v->use || take(v->use, &v->use->disk, v->use->max_disk, bytes);
}
bool vfs_disk_limited(const struct vfs *v) { return v->use && v->use->max_disk; }
uint64_t vfs_disk_left(const struct vfs *v) {
    if (!vfs_disk_limited(v))
        return UINT64_MAX;
    int64_t used = atomic_load(&v->use->disk);
    uint64_t max = v->use->max_disk;
    if (used <= 0)
        return max;
    return (uint64_t)used < max ? max - (uint64_t)used : 0;
}
bool vfs_use_files(const struct vfs *v, int64_t n) {
    return !v->use || take(v->use, &v->use->files, v->use->max_files, n);
}

uint64_t use_output(struct vfs_use *u, struct vfs_output *o, uint64_t n) {
    uint64_t was = atomic_load(&o->passed), got;
    do
        got = u->max_output && u->max_output - was < n ? u->max_output - was : n;
    while (!atomic_compare_exchange_weak(&o->passed, &was, was + got));
    return got;
}
void use_output_done(struct vfs_use *u, struct vfs_output *o, uint64_t reserved, uint64_t given,
                     uint64_t dropped) {
    atomic_fetch_sub(&o->passed, reserved - given);
    uint64_t total = atomic_fetch_add(&o->total, given + dropped) + given + dropped;
    uint64_t most = u->max_output * (OUTPUT_TIMES + 1) + OUTPUT_MORE;
    if (u->max_output && total > most && u->insists)
        u->insists(u->owner, true);
}
