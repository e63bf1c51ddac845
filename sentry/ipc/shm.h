// SPDX-License-Identifier: Apache-2.0
// System V shared memory segments of the sandbox: what sys_shm.c decodes for. Each is a memfd; its areas in
// memory maps hold references to the file, so their number is the count of attachments, whoever forks, unmaps
// or dies.
#ifndef SENTRY_IPC_SHM_H
#define SENTRY_IPC_SHM_H
#include "abi/shm.h"
#include "base/lock.h"
#include <stdbool.h>
#include <stdint.h>

#define SHM_MAX 4096  // segments

struct file;
struct shmseg;
struct task;

// Which index a new object of a family gets: the next free one behind the last, and from the start again,
// with the next sequence, when that is beyond what is used and half of it more, as on Linux since 5.2.
struct ipc_order {
    int next;  // index
    uint16_t seq;
};

struct shm_table {
    struct lock lock;
    struct shmseg *segs[SHM_MAX];  // [lock] owned
    int top;                       // [lock] no index at or above is used
    struct ipc_order order;        // [lock]
};
void shm_init(struct shm_table *x);     // of zeroed memory
void shm_destroy(struct shm_table *x);  // nobody is left

int64_t do_shmget(struct task *t, int32_t key, uint64_t size, unsigned flags);
// The segment's file (referenced) and size; notes the attachment. may: MAY_READ, MAY_WRITE, MAY_EXEC.
int shm_attach(struct task *t, int id, int may, struct file **f, uint64_t *size);
// Is f a segment? Its size, or 0.
uint64_t shm_size_of(struct task *t, const struct file *f);
void shm_detached(struct task *t, const struct file *f);  // notes it, and lets go of what was to be removed
// IPC_STAT and its kin (SHM_STAT takes an index and returns the id).
int64_t shm_stat(struct task *t, int id, int cmd, struct linux_shmid64_ds *out);
int shm_set(struct task *t, int id, const struct linux_shmid64_ds *in);  // IPC_SET
int shm_remove(struct task *t, int id);                                  // IPC_RMID
int shm_lock(struct task *t, int id, bool lock);
int shm_info(struct task *t, struct linux_shm_info *out);       // highest used index
int shm_limits(struct task *t, struct linux_shminfo64 *out);    // highest used index

#endif
