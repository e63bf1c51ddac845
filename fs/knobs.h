// SPDX-License-Identifier: Apache-2.0
// Settings below /proc/sys that root inside may change, and that have an effect here: numbers, each with
// bounds: Linux', or what this kernel can do. They lie with the VFS, which is below all who ask for them.
#ifndef FS_KNOBS_H
#define FS_KNOBS_H
#include <stdatomic.h>
#include <stdint.h>

// KNOB(name, at first, least, most)
#define KNOBS(KNOB) \
    KNOB(AIO_MAX_NR, 65536, 0, 65536) \
    KNOB(FANOTIFY_EVENTS, 16384, 0, 16384) \
    KNOB(FANOTIFY_GROUPS, 128, 0, 8192) \
    KNOB(FANOTIFY_MARKS, 65536, 0, 1048576) \
    KNOB(INOTIFY_EVENTS, 16384, 0, 16384) \
    KNOB(INOTIFY_INSTANCES, 128, 0, 8192) \
    KNOB(INOTIFY_WATCHES, 65536, 0, 1048576) \
    KNOB(LEASE_BREAK, 45, 0, INT32_MAX) \
    KNOB(MQ_MSG_DEFAULT, 10, 1, 65536) \
    KNOB(MQ_MSG_MAX, 10, 1, 65536) \
    KNOB(MQ_SIZE_DEFAULT, 8192, 128, 16777216) \
    KNOB(MQ_SIZE_MAX, 8192, 128, 16777216) \
    KNOB(MQ_QUEUES, 256, 0, 1024) \
    KNOB(NR_OPEN, 1048576, 64, 1048576) \
    KNOB(PIPE_MAX, 1048576, 4096, 16777216) \
    KNOB(PROTECTED_HARDLINKS, 1, 0, 1) \
    KNOB(PROTECTED_SYMLINKS, 0, 0, 1) \
    KNOB(CORE_USES_PID, 0, 0, 1) \
    KNOB(MSG_MAX, 8192, 0, 1048576) \
    KNOB(MSG_MNB, 16384, 0, 16777216) \
    KNOB(MSG_MNI, 4096, 0, 4096) \
    KNOB(MSG_NEXT_ID, -1, 0, INT32_MAX) \
    KNOB(SEM_NEXT_ID, -1, 0, INT32_MAX) \
    KNOB(SHM_NEXT_ID, -1, 0, INT32_MAX) \
    KNOB(SHM_ALL, -16777217, 0, INT64_MAX) \
    KNOB(SHM_MAX, -16777217, 0, INT64_MAX) \
    KNOB(SHM_MNI, 4096, 0, 4096) \
    KNOB(RANDOMIZE, 2, 0, 2) \
    KNOB(RR_TIMESLICE, 100, 1, INT32_MAX) \
    KNOB(MAP_COUNT, 65400, 0, INT32_MAX) \
    KNOB(URING_DISABLED, 0, 0, 2) \
    KNOB(URING_GROUP, -1, 0, INT32_MAX)

enum knob_id {
#define KNOB_ID(name, first, least, most) KNOB_##name,
    KNOBS(KNOB_ID)
#undef KNOB_ID
        KNOB_COUNT
};

struct knobs {
    _Atomic int64_t v[KNOB_COUNT];
};
struct knob_bounds {
    int64_t first, least, most;
};

void knobs_init(struct knobs *k);
struct knob_bounds knob_bounds(enum knob_id id);
static inline int64_t knob(const struct knobs *k, enum knob_id id) {
    return atomic_load_explicit(&k->v[id], memory_order_relaxed);
}

struct vfs;
struct knobs *vfs_knobs(struct vfs *v);  // borrowed

#endif
