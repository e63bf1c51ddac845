// SPDX-License-Identifier: Apache-2.0
// A system call in progress: its arguments, what its handler may return, what it has noted and what it has
// registered.
//
// The life of a call: a worker gets an event from the platform (run.c), copies number and arguments into
// task->call and calls the handler. The handler runs to its end and returns a value, a negative error, or one
// of the SYS_* words below. A handler never sleeps. To wait, it arms what it waits for and returns park(t)
// (park.h): the task is *parked*, its host thread stays held, and nothing of ours waits for it. When it is
// woken the handler is run again from its start, with what it noted in task->call (progress, deadline,
// phase).
//
// Field letters: [o] as in proc/task.h: only the sentry thread that handles the task.
#ifndef SENTRY_RUN_CALL_H
#define SENTRY_RUN_CALL_H
#include "abi/errno.h"
#include "base/waitq.h"
#include "sentry/run/args.h"
#include "sentry/run/notes.h"
#include <stdbool.h>
#include <stdint.h>

struct file;
struct fuse_asked;
struct task;

typedef int64_t (*sys_fn)(struct task *t, const struct sysargs *a);

// What a handler may return besides a value and -LINUX_E* (1..4095) and -LINUX_ERESTART* (512..):
#define SYS_PARK   INT64_C(-0x10001)  // only through park()
// host work is queued on t->thread: do it, then run me again (call.flush_result)
#define SYS_FLUSH  INT64_C(-0x10002)
#define SYS_RESUME INT64_C(-0x10003)  // the registers are set: go on without a value
#define SYS_GONE   INT64_C(-0x10004)  // the task has ended: do not touch it
#define SYS_AGAIN  INT64_C(-0x10005)  // run me again at once; what is armed stays so (call.armed)
// the task has stopped for its tracer (ptrace_event()): run me again afterwards
#define SYS_STOP   INT64_C(-0x10006)
#define SYS_ANSWER INT64_C(-0x10007)  // call.value is the guest's as it stands, whatever it is

// What a call has put on queues, and what keeps these there: park.c's alone. It begins empty, is filled by
// park_*(), and ends in one place, park_end(), which the run loop calls at every end of a call, death
// included, before call.cleanup: so a clean-up may give back what the queues belong to. A task that goes back
// to its guest, or is dead, has none.
struct parked {
    struct waiter waiter;   // park_arm(), park_arm_file(), park_waiter()
    // owned: a close by another thread does not free it, and a rerun finds it behind its number
    struct file *file;
    struct waiter *many;    // owned: park_many()
    unsigned nmany;
};

// TEXT: changes its text for the platform, before the call is begun; GROWTH: an area that grows downward has
// been touched below its start.
enum map_work { MAP_WORK_NONE, MAP_WORK_TEXT, MAP_WORK_GROWTH };

struct call {  // [o] the system call in progress
    uint64_t nr;
    struct sysargs args;
    bool again;            // this is not the first run of the handler
    bool timed_out;        // the deadline passed
    bool context;          // full registers may be had (REGS calls; on ptrace all)
    // it is answered through the registers: a ptrace-stop has taken the thread out of its call
    bool by_regs;
    bool fresh;            // handled by the sentry thread that got the event, since the event
    enum map_work
        map_work;          // what its host thread does, outside of any call, with the turn to change the map
    // the supervisor of a filter of the guest's is asked first (sentry/seccomp/notify.c)
    bool supervised;
    int64_t value;         // of SYS_ANSWER
    bool armed;            // a rerun after SYS_AGAIN: the waiters have been on their queues since before it
    unsigned phase;        // an enum of the handler's own; 0 at first
    uint64_t proposal;     // as in the event: where mmap might go, or 0
    int64_t done;          // bytes moved so far, by calls that go on in pieces
    int64_t flush_result;  // of SYS_FLUSH: 0 or the error of the host
    uint64_t deadline;     // monotonic ns, absolute; 0: none. Survives reruns.
    union call_notes notes;
    union call_own own;
    // called once when the call ends in any way, death included; may be NULL
    void (*cleanup)(struct task *t);
    struct parked parked;
    // fuse_wait.c: what it has asked of daemons (owned; NULL: nothing); its last run was undone, and was the
    // first
    struct fuse_asked *fuse;
    bool undone, first;
};

#endif
