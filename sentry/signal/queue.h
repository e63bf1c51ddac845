// SPDX-License-Identifier: Apache-2.0
// Queues of pending signals, for the files of this folder and time/posix_timers.c. All under the process's
// sig_lock.
#ifndef SENTRY_SIGNAL_QUEUE_H
#define SENTRY_SIGNAL_QUEUE_H
#include "abi/signal.h"
#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

struct posix_timer;

#define SIG_FIRST_RT   LINUX_SIGRTMIN
#define SIGSET_STOP \
    (LINUX_SIGMASK(LINUX_SIGSTOP) | LINUX_SIGMASK(LINUX_SIGTSTP) | LINUX_SIGMASK(LINUX_SIGTTIN) | \
     LINUX_SIGMASK(LINUX_SIGTTOU))
#define SIGSET_UNBLOCKABLE (LINUX_SIGMASK(LINUX_SIGKILL) | LINUX_SIGMASK(LINUX_SIGSTOP))
#define SIGSET_SYNC \
    (LINUX_SIGMASK(LINUX_SIGSEGV) | LINUX_SIGMASK(LINUX_SIGBUS) | LINUX_SIGMASK(LINUX_SIGILL) | \
     LINUX_SIGMASK(LINUX_SIGTRAP) | LINUX_SIGMASK(LINUX_SIGFPE) | LINUX_SIGMASK(LINUX_SIGSYS))
#define SIGSET_IGNORE_DEFAULT (LINUX_SIGMASK(LINUX_SIGCHLD) | LINUX_SIGMASK(LINUX_SIGCONT) | \
                        LINUX_SIGMASK(LINUX_SIGURG) | LINUX_SIGMASK(LINUX_SIGWINCH))

struct sigentry {
    struct list link;           // self-linked: on no queue
    struct posix_timer *timer;  // whose part it is; NULL: in the heap, owned by the queue
    struct linux_siginfo info;
};
struct sigqueue {
    uint64_t set;         // signals that are pending; a bit may stand without an entry when memory was short
    struct list entries;  // in the order of arrival
    unsigned n;
};

// A standard signal that is pending already is merged. limit: of entries; beyond it a real-time signal sent
// with a value is refused (-LINUX_EAGAIN) and any other loses its details.
int sigqueue_add(struct sigqueue *q, int sig, const struct linux_siginfo *info, uint64_t limit);
void sigqueue_add_entry(struct sigqueue *q, struct sigentry *e);  // a timer's own; on no queue before
// Takes the first entry of sig. Its timer, if any, is told.
void sigqueue_take(struct sigqueue *q, int sig, struct linux_siginfo *info);
void sigqueue_drop(struct sigqueue *q, uint64_t set);  // all of them, unseen
void sigqueue_unlink(struct sigqueue *q, struct sigentry *e);  // a timer takes its entry back
// Which of a set is delivered next: faults of the thread itself, then the lowest number. 0: none.
int signal_first(uint64_t set);

#endif
