// SPDX-License-Identifier: Apache-2.0
// The sandbox's kernel: one object that everything hangs on.
#ifndef SENTRY_KERNEL_H
#define SENTRY_KERNEL_H
#include "base/clock.h"
#include "base/lock.h"
#include "fs/knobs.h"
#include "platform/platform.h"
#include "sentry/fd/async.h"
#include "sentry/fd/epoll.h"
#include "sentry/ipc/futex.h"
#include "sentry/ipc/ipc.h"
#include "sentry/proc/task.h"
#include "sentry/socket/net_ns.h"
#include "sentry/time/load.h"
#include "sentry/time/timer.h"
#include "sentry/uring/uring_set.h"
#include <stdbool.h>
#include <stdint.h>

#define PID_MAX 32768
#define KERNEL_RELEASE "6.18.14-picket"  // what uname(2) says: the newest release whose behaviour is served

struct control;
struct ctty;
struct hostevents;
struct hostring;
struct key_table;
struct nsproxy;
struct links;
struct limits;
struct pid_ns;
struct pid_numbers;
struct user_ns;
struct uts_ns;
struct seccomp_filter;
struct sentry_config;

// Field letters: as in proc/task.h; [own]: it has locks of its own.
struct kernel {
    struct platform *platform;   // [c]
    struct vfs *vfs;             // [c]
    struct hostevents *events;   // [c] borrowed
    struct hostring *ring;       // [c] borrowed; NULL: work on host files sleeps
    struct control *control;     // [c] owned: an OCI container's control socket; NULL: there is none
    struct links *links;         // [c] owned, once the program starts: to the outside; NULL: none
    // processes
    struct lock tasks_lock;      // RANK_TASKS: process tree, pid tables, groups, sessions
    struct task **pids;          // [T] by tid, PID_MAX entries; borrowed
    struct tgroup **tgs;         // [T] by pid, zombies included; borrowed
    struct pid_numbers **pid_numbers;  // [T] by number: what it is in inner namespaces (proc/pid_ns.c); owned
    // [T] by number: how often it was given out, to tell one bearer from the next
    uint32_t *pid_uses;
    struct list pgroups, sessions;  // [T]
    int32_t last_pid;            // [T]
    int32_t pid_end;             // [T] all numbers given out so far are below: where looks at all of them end
    unsigned ntasks;             // [T] alive
    unsigned nzombies;           // [T] processes that have ended and not been waited for: they have a number
    // [c] built in: the parent of what comes from outside. Number 1, which reaps orphans; or 0, seen by
    // nobody, when the main process is number 1
    struct tgroup *init;
    struct tgroup *main;         // [T] owned, while others end, too: whose end ends the sandbox
    bool main_orphaned;          // [c] nobody outside could continue it
    int exit_status;             // [T] wait status of main
    _Atomic bool shutting_down;
    struct seccomp_filter *first_filter;  // [c] owned: of all that comes from outside; NULL: none
    // limits
    struct limits *limits;  // [c] owned (sentry/run/limits.c)
    uint64_t cpu_ns_gone;   // [T] processor time of processes that have ended
    uint64_t sys_ns_gone;   // [T] their system time
    uint32_t end_cause;     // [T] enum end_cause: what main's end was blamed on; 0: nothing
    // the caller's job control
    struct ctty *callers_tty;    // [T] the caller's terminal, borrowed; NULL: it is not among the stdio
    unsigned char continues;     // [T] SIGCONTs that the CLI has handed on (modulo 256)
    // what processes share, wait for and meet by
    struct timer_queue timers;   // [own]
    struct load load;            // [own]
    struct epoll_graph epolls;   // [own]
    struct async_queue async;    // [own]
    struct futex_table futexes;  // [own]
    struct ipc_ns ipc;           // [own]
    struct key_table *keys;      // [c] owned; [own] (sentry/keys/keys.h)
    _Atomic unsigned aio_nr;     // events that all contexts of io_setup(2) have room for
    struct uring_set urings;     // [own]
    struct nets nets;            // [own]
    struct net_ns net;           // [own] the first network namespace
    // the machine, as guests see it
    // [c] owned: the first namespaces of their kinds (those of sockets and IPC are above)
    struct user_ns *user_ns;
    struct pid_ns *pid_ns;
    struct uts_ns *uts;  // the names that the machine has at first
    struct ns *cgroup_ns, *time_ns;
    struct cgroup *cgroup;       // [c] owned: the top of all control groups
    struct nsproxy *nsproxy;     // [c] owned: all of them
    char core_pattern[128];      // [T] (sentry/proc/coredump.h)
    unsigned char boot_id[16];   // [c] random: proc/sys/kernel/random/boot_id
    uint64_t born_tsc, born_ns;  // [c] the processor's counter, and CLOCK_MONOTONIC_RAW at that moment
    uint64_t kcmp_key[2];        // [c] random, and told to nobody: the order of objects that kcmp(2) tells
    uint64_t machine;            // [c] bytes of memory that the host has
    _Atomic uint64_t mem_total;  // [a] bytes, for meminfo and sysinfo
    unsigned ncpus;              // [c] of the machine
    // [c] the processors that guests may run on: the host's numbers, as the vDSO tells them
    uint64_t cpus;
    bool strace;                 // [c]
};

// With the built-in init; its platform is the caller's to set, before there is a guest. NULL: no memory.
struct kernel *kernel_new(struct vfs *vfs, const struct sentry_config *c);
// All tasks are gone and the workers have returned: gives back what they were. True: nothing leaked. Files of
// procfs may still name processes: the kernel itself goes when the VFS has gone.
bool kernel_end(struct kernel *k);
void kernel_free(struct kernel *k);
// The one of this process, for code that is called without a task, a kernel or an object of it: procfs, which
// the VFS calls, and what terminals ask of job control (fs/tty/ctty.h). Everything else goes by task->k.
extern struct kernel *the_kernel;

// ns since boot, as CLOCK_BOOTTIME of guests: uptime, start times and btime are all of this clock.
static inline uint64_t kernel_uptime_ns(void) { return clock_ns(CLOCK_BOOTTIME); }

// A setting of /proc/sys.
static inline int64_t kernel_knob(struct kernel *k, enum knob_id id) { return knob(vfs_knobs(k->vfs), id); }

// Bytes of memory that guests use now: an estimate for meminfo and sysinfo.
uint64_t kernel_mem_used(struct kernel *k);
// The main process has ended (tasks_lock held): everything else is to go, then the workers return.
void kernel_main_ended(struct kernel *k);

#endif
