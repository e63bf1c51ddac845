// SPDX-License-Identifier: Apache-2.0
// See disk.h. Called by the handlers of reads and of fsync(2). Host calls: fsync(2), where there is no ring.
#include "sentry/syscalls/disk.h"
#include "abi/mman.h"
#include "base/cleanup.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/task.h"
#include "sentry/run/call.h"
#include "sentry/run/hostring.h"
#include "sentry/run/park.h"

#define FETCHES 3u  // in vain, of one call: what is fetched may be gone again before the call is run

static void disk_end(struct task *t) { hostring_put(take_ptr(t->call.own.disk)); }

// What the call waits for from now on: op (taken over), or NULL.
static bool begun(struct task *t, struct hostring_op *op) {
    park_waiter(t);  // off the queue of the one before, where a run that follows at once finds it still
    hostring_put(t->call.own.disk);
    t->call.own.disk = op;
    t->call.cleanup = disk_end;
    return op != NULL;
}
static int64_t wait_for(struct task *t, struct file *f) {
    struct hostring_op *op = t->call.own.disk;
    int64_t answer;
    park_arm_in(t, f, hostring_queue(op));
    return hostring_done(op, &answer) ? SYS_AGAIN : park_killable(t);
}

int64_t disk_fetch(struct task *t, struct file *f, uint64_t off, uint64_t len) {
    struct disk_wait *w = &t->call.notes.disk;
    struct hostring_op *op = t->call.own.disk;
    int64_t answer;
    if (op && !hostring_done(op, &answer))
        return wait_for(t, f);
    w->fetches = op ? w->fetches + 1 : 0;
    if (w->fetches == FETCHES || (op && answer <= 0))
        return 0;
    int fd = t->k->ring ? vfs_mmap_fd(f, LINUX_PROT_READ, false) : -1;
    op = fd < 0 ? NULL : hostring_fetch(t->k->ring, f, fd, off, len);
    return begun(t, op) ? wait_for(t, f) : 0;
}

static int64_t sync_here(struct task *t, struct file *f, bool data_only) {
    plat_block_begin(t->k->platform);
    int err = vfs_fsync(f, data_only);
    plat_block_end(t->k->platform);
    return err;
}
int64_t disk_sync(struct task *t, struct file *f, bool data_only) {
    struct hostring_op *op = t->call.own.disk;
    int64_t answer;
    if (op && !hostring_done(op, &answer))
        return wait_for(t, f);
    if (op)
        return answer == HOSTRING_UNDONE ? sync_here(t, f, data_only) : answer;
    int fd = t->k->ring ? vfs_sync_fd(f) : -1;
    op = fd < 0 ? NULL : hostring_sync(t->k->ring, f, fd, data_only);
    if (!op)
        return sync_here(t, f, data_only);
    begun(t, op);
    return wait_for(t, f);
}
