// SPDX-License-Identifier: Apache-2.0
// Host ops: the host calls that a stub's thread is ordered to make. They are queued on its thread, written to
// its slot in batches, and approved one by one as it makes them through the gate. All under the thread's
// lock.
#ifndef PLATFORM_SECCOMP_HOSTOPS_H
#define PLATFORM_SECCOMP_HOSTOPS_H
#include "platform/backend.h"
#include <linux/seccomp.h>

struct sc_thread;

// Ops that mean something to guard.c when they come up.
enum sc_special { SC_ORDINARY, SC_PREMAP_BEGIN, SC_PREMAP_UNDO, SC_HEAP_BEGIN, SC_HEAP_UNDO };

struct sc_op {
    struct host_call call;
    uint64_t expect;  // STUB_EXPECT_*
    enum sc_special special;
    uint64_t file;  // which one the call maps: SC_FILE_*, or as in struct plat_op; 0: none
    int fd;         // owned; -1: it is there already when the op's turn comes
};
// Files without a name of their own: all alike to nobody, the rings' memory, what a copy of a process has
// got.
#define SC_FILE_UNNAMED (1ull << 63)
#define SC_FILE_RINGS   (SC_FILE_UNNAMED - 1)
#define SC_FILE_UNKNOWN (SC_FILE_UNNAMED - 2)

struct sc_map {
    uint64_t addr, len;  // len 0: none
};

struct op_queue {
    struct sc_op *ops;
    unsigned n, cap;
    unsigned next;            // the first that has not been approved
    unsigned batch, batch_n;  // the part that the slot holds
    bool flush;               // it reports when all is done
    uint64_t file;            // what is open at the thread's number; 0: nothing
    uint64_t unnamed;         // files so far
    bool may_fail;            // RUNNING: the last op may still be reported as failed
    struct sc_map last_map;   // RUNNING, may_fail: what it was, if it was a map
    int64_t undo;             // a map is being undone, which failed with this; 0: none is
    struct sc_thread *child;  // being made by the queue's clone
};

struct sc_op *sc_ops_add(struct sc_thread *t);  // NULL: no memory
void sc_ops_clear(struct sc_thread *t);
int sc_queue(struct plat_thread *t, const struct plat_op *op);  // takes the lock
void sc_place_below(struct plat_thread *t, uint64_t top);       // takes the lock
struct sc_map sc_op_map(const struct sc_op *o);  // what it maps
// Writes the next batch, and the frame's registers when they were set, to the slot. False: the process is
// gone.
bool sc_ops_write(struct sc_thread *t);
// The reply that starts the batch.
void sc_ops_start(struct sc_thread *t);
// The op's file is open at the thread's number, while its call is held. 0 or -LINUX_E*.
int sc_ops_give_file(struct sc_thread *t, const struct sc_op *o);
bool sc_ops_approve(struct sc_thread *t, const struct seccomp_notif *n);  // false: not what was ordered
// A report of the handler. 0: handled here; 1: *result is for the sentry; -1: not possible
int sc_ops_report(struct sc_thread *t, uint64_t done, int64_t value, int64_t *result);
// HELD; the host is said to have failed. True: maps that were not made are being undone, by calls that we
// see, and the error is reported afterwards. False: there is none.
bool sc_ops_undo(struct sc_thread *t, int64_t error);

#endif
