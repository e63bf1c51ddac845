// SPDX-License-Identifier: Apache-2.0
// The namespace of System V IPC, and what semaphores and message queues share: numbered objects with a key,
// an owner and a mode, sysvipc(7). An object is its table's: it is looked up, used and removed under the
// table's lock, and nobody keeps a pointer to it. Who waits for one waits on the queue of its number, and
// looks it up again.
#ifndef SENTRY_IPC_IPC_H
#define SENTRY_IPC_IPC_H
#include "abi/ipc.h"
#include "abi/mman.h"
#include "base/lock.h"
#include "base/waitq.h"
#include "fs/knobs.h"
#include "fs/nsfs.h"
#include "sentry/ipc/mq.h"
#include "sentry/ipc/shm.h"
#include "sentry/proc/task.h"

#define IPC_QUEUES 64
#define IPC_MAX    4096  // objects of one family; LIMIT: Linux has 32,000

struct ipc_object {
    int id;
    struct linux_ipc64_perm perm;
};
struct ipc_table {
    struct lock lock;
    struct ipc_object *objects[IPC_MAX];  // [lock] owned
    int top;                              // [lock] no index at or above is used
    int count;                            // [lock]
    struct ipc_order order;               // [lock]
    struct waitq queues[IPC_QUEUES];      // [own] by number
};

// All System V objects and message queues that its processes see: the kernel has one.
struct ipc_ns {
    struct ns ns;
    struct ipc_table msg;
    uint64_t msg_bytes;       // [msg.lock] of all messages
    struct ipc_table sem;
    int nsems;                // [sem.lock] semaphores in all sets
    uint64_t undo_bytes;      // [sem.lock]
    _Atomic unsigned nundos;  // adjustments there are: exits look no further when there are none
    struct shm_table shm;
    struct mq_table mq;  // POSIX message queues
};
void ipc_ns_init(struct ipc_ns *ns);     // of zeroed memory: its tables take none until they are used
void ipc_ns_destroy(struct ipc_ns *ns);  // all tasks are gone: what they left goes too

// All of these: the table's lock is held, unless said otherwise.
struct ipc_object *ipc_find(struct ipc_table *x, int id);         // or NULL
struct ipc_object *ipc_find_key(struct ipc_table *x, int32_t key);
struct ipc_object *ipc_by_index(struct ipc_table *x, int index);  // of the STAT commands that take one
// Its number, or -LINUX_ENOSPC beyond `most`. next: the setting that asks for a number once.
int ipc_publish(struct ipc_table *x, struct ipc_object *o, struct knobs *knobs, int64_t most,
                enum knob_id next);
// The number that was asked for by writing to that setting, which is used up: index and sequence, or -1.
int ipc_next_number(struct knobs *knobs, enum knob_id next, uint16_t *seq);
// The index for a new object among `max`, of which `count` are used, or -1. `used` looks into the table; the
// order goes on, and says the sequence.
int ipc_pick(struct ipc_order *order, int max, int count, bool (*used)(const void *table, int i),
             const void *table);
void ipc_unlink(struct ipc_table *x, struct ipc_object *o);       // the caller frees it
int ipc_highest(const struct ipc_table *x);                       // highest used index, or 0
struct waitq *ipc_queue(struct ipc_table *x, int id);             // the lock need not be held
void ipc_owner(struct task *t, struct ipc_object *o, int32_t key, unsigned mode);  // a new object's
bool ipc_allowed(struct task *t, const struct ipc_object *o, unsigned want);       // bits of an rwx triple
bool ipc_owns(struct task *t, const struct ipc_object *o);
int ipc_set_owner(struct task *t, struct ipc_object *o, const struct linux_ipc64_perm *from);  // IPC_SET
// An object with the key is there already: its number, EEXIST or EACCES.
int ipc_existing(struct task *t, const struct ipc_object *o, unsigned flags);
int64_t ipc_now(void);  // seconds

#endif
