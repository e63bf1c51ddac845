// SPDX-License-Identifier: Apache-2.0
// What handlers note for the reruns of a call, and what a call owns: one member for each family that needs
// any. A call has one handler, so these are unions; a handler touches its own member only. Notes are rubbish
// when a call begins: the first run (or the first phase) fills them in. What is owned is NULL then, and is
// given back by call.cleanup at the latest.
//
// Times are monotonic ns, absolute.
#ifndef SENTRY_RUN_NOTES_H
#define SENTRY_RUN_NOTES_H
#include "base/uaddr.h"
#include <stdbool.h>
#include <stdint.h>

struct aio_ctx;
struct asked;
struct copy;
struct exec;
struct file;
struct hostring_op;
struct lock_wait;
struct pi_waiter;
struct poll_set;
struct task;
struct waitv;

// nanosleep(2), clock_nanosleep(2)
struct sleep_wait {
    uint64_t deadline;
    uaddr_t rem;      // where to write what is left, or NULL
    bool absolute;    // by the caller's own deadline: the same call again is right
    int32_t cpu;      // a clock of processor time, by which the deadline is; 0: monotonic time
};

// futex(2): all that a wait for one word is
struct futex_wait {
    uaddr_t word;
    uint32_t value, bitset;
    bool private;
    bool same_again;    // interrupted, the call is made again as it stands: its deadline is absolute
    uint64_t deadline;  // 0: none
};

// poll(2), select(2) and their kin
struct poll_wait {
    uint64_t deadline;  // or POLL_FOREVER, POLL_AT_ONCE
    uaddr_t fds;        // poll: for its restart
    unsigned n;         // entries; of select: descriptors that are looked at
};

// epoll_wait(2) and its kin
struct epoll_wait {
    uint64_t deadline;  // TIME_MAX: none; 0: does not wait
};

// rt_sigtimedwait(2)
struct signal_wait {
    uint64_t set;
    uint64_t deadline;  // 0: none
    bool at_once;       // does not wait
};

// sendmmsg(2), recvmmsg(2)
struct mmsg {
    unsigned n;         // messages so far
    uint64_t deadline;  // looked at between messages; TIME_MAX: none
};

// mq_timedsend(2), mq_timedreceive(2)
struct mq_wait {
    uint64_t deadline;  // 0: none
};

// semop(2): which semaphore's count of waiters it is in
struct sem_wait {
    int id;
    uint16_t num;
    bool zero;          // waits for it to be zero, else for it to grow
};

// Changes of the memory map (mm_turn.c)
struct map_change {
    int64_t value;      // what the guest gets when the host has done its part
    uint64_t asked;     // mremap: the address that the host was asked for
};

// F_ADD_SEALS: asked again until the host has ended who still maps the file
struct seal_wait {
    unsigned tries;
};

// Reads of what is not in memory
struct disk_wait {
    unsigned fetches;  // that have ended
};

// clone(2), clone3(2), fork(2), vfork(2)
#define SET_TID_MOST 33  // MAX_PID_NS_LEVEL and the first namespace
struct clone_req {
    int32_t set_tid[SET_TID_MOST];  // innermost first
    unsigned nset;
    uint64_t flags;  // LINUX_CLONE_*, without the exit signal
    uint64_t exit_signal;
    uint64_t stack;  // stack pointer of the child, 0: the caller's
    uint64_t tls;
    uaddr_t parent_tid, child_tid, pidfd;
    int cgroup;  // of LINUX_CLONE_INTO_CGROUP: a descriptor
};
struct clone {
    struct clone_req req;
    int32_t child;   // its number, once it is published
};

union call_notes {
    struct sleep_wait sleep;
    struct futex_wait futex;
    struct poll_wait poll;
    struct epoll_wait epoll;
    struct signal_wait signal;
    struct mmsg mmsg;
    struct mq_wait mq;
    struct sem_wait sem;
    struct map_change map;
    struct seal_wait seal;
    struct disk_wait disk;
    struct clone clone;
};

union call_own {
    void *any;
    struct file *fifo;         // open(2): it counts as a reader or a writer already
    struct pi_waiter *pi;      // FUTEX_LOCK_PI
    struct waitv *waitv;       // futex_waitv(2)
    struct poll_set *polled;   // poll(2), select(2) and their kin
    struct file *mq;           // mq_timedreceive(2): the queue that it is counted at
    struct aio_ctx *aio;       // io_getevents(2) and its kin
    struct file *epoll;        // epoll_wait(2) and its kin: the set stays open
    struct lock_wait *lock;    // F_SETLKW
    struct copy *copy;         // sendfile(2), copy_file_range(2)
    struct hostring_op *disk;  // reads and fsync(2): what the host's ring does for it
    struct task *child;        // clone, until it is published
    struct exec *exec;         // execve(2)
    struct asked *asked;       // a call that a supervisor is asked about, before it is made
    struct task *tracee;       // PTRACE_ATTACH, until that is in its stop
};

#endif
