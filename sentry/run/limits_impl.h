// SPDX-License-Identifier: Apache-2.0
// Inside limits.c.
#ifndef SENTRY_RUN_LIMITS_IMPL_H
#define SENTRY_RUN_LIMITS_IMPL_H
#include "base/clock.h"
#include "fs/use.h"
#include "sentry/control.h"
#include "sentry/mm/mem_pool.h"
#include "sentry/report.h"
#include "sentry/run/hostevent.h"
#include "sentry/time/timer.h"

#define LOOK_LEAST_NS 2000000u
#define LOOK_MOST_NS  100000000u
#define FILL_RATE     (UINT64_C(4) << 30)  // bytes a second that one processor fills at most
#define ANSWER_NS     500000000u           // an answer that has not come by then is lost
#define DYING_NS      500000000u           // for so long nobody else is chosen
#define BUFFERS_PART  4                    // of the memory limit: what pipes and sockets may hold
#define INSISTS       10000u               // refused calls

// One container of a pod.
#define LIMIT_PARTS CONTROL_PEERS
struct limit_part {
    _Atomic uint64_t number;  // [a] its processes' (struct tgroup); 0: free. Changed by the event thread
    _Atomic uint64_t memory, pids;  // [a] 0: no limit
    unsigned being_made;            // [T]
    uint64_t killed_at;             // [e] ns
    _Atomic uint64_t used;          // [a] bytes at the last look
    _Atomic uint64_t peak;          // [a] bytes
    _Atomic uint32_t kills;         // [a]
};

// What a look has found.
struct found {
    uint64_t used, max;    // bytes; 0: no limit
    uint64_t least;        // bytes that there are at least: what one process has, shared or not
    int64_t badness;       // the worst one's
    struct tgroup *worst;  // borrowed; NULL: none may be chosen
    bool dying;            // one that was chosen has not gone yet
};

// Of the sandbox, and of each container of a pod.
struct all_found {
    struct found all, parts[LIMIT_PARTS];
};

struct limits {
    struct kernel *k;          // [c] back
    struct sentry_limits max;  // [e] the event thread's; what does not change: [c]
    int fd;                    // [c] owned: to the supervisor; -1: none
    struct hostevent_source source;
    struct ktimer timeout, cpu, memory, insists;
    _Atomic uint32_t insisted;      // [a] enum end_cause
    _Atomic uint64_t pids;          // [a] 0: no limit
    unsigned being_made;            // [T] processes and threads that are not published yet
    _Atomic uint64_t refused_pids;  // [a]
    uint64_t cpu_seen, cpu_wait;    // [e]
    struct mem_pool pool;
    _Atomic bool watching;        // [a] a look is due
    uint64_t asked_at, took;      // [e] ns: the last question, and until its answer
    uint64_t killed_at, started;  // [e] ns; the program
    _Atomic uint64_t used;        // [a] bytes at the last look; 0: none since the pool is small
    uint64_t base;                // [e] of the sentry, at the first look
    uint64_t peak;                // [e]
    unsigned quiet;                  // [e] looks without growth
    _Atomic uint32_t kills;          // [a]
    _Atomic uint64_t memory_max;     // [a] max.memory
    uint32_t look;                // [e] number of the look, for mm->counted
    struct vfs_use use;
    struct limit_part parts[LIMIT_PARTS];
    struct all_found found;  // [e] of the look that is under way
    union {  // [e]
        struct report_memory memory;
        char room[sizeof(struct report_memory) + REPORT_PROCESSES_MAX * sizeof(struct report_process)];
    } reply;
};

// ---- limit_parts.c ----------------------------------------------------------------------------------------
struct limit_part *limits_part(struct limits *l, uint64_t number);  // NULL: none has it, or it is 0
uint64_t limits_tightest(struct limits *l);
// tasks_lock is held.
bool limits_part_takes_pid(struct kernel *k, uint64_t number);
void limits_part_gives_pid(struct kernel *k, uint64_t number);
void limits_watch(struct limits *l);  // a limit of memory has changed; event thread

#endif
