// SPDX-License-Identifier: Apache-2.0
// Processes that somebody outside of the sandbox starts: the main one, and those of exec.
#ifndef SENTRY_RUN_OUTSIDE_H
#define SENTRY_RUN_OUTSIDE_H
#include "base/hostprocess.h"
#include <stddef.h>
#include <stdint.h>

struct kernel;
struct mnt_ns;
struct nsproxy;
struct seccomp_filter;
struct sentry_process;
struct task;

// Where a process from outside begins; all borrowed.
enum outside_role { OUTSIDE_MAIN, OUTSIDE_LEADS, OUTSIDE_EXEC };
struct outside_place {
    struct mnt_ns *ns;  // what is mounted for it
    struct nsproxy *proxy;  // the other namespaces
    struct seccomp_filter *filter;  // NULL: none
    uint64_t member;                // number of its container (member.h); 0: the first
    enum outside_role role;         // MAIN: its end ends the sandbox; LEADS: its container
};
// In the first container.
void outside_first(const struct kernel *k, enum outside_role role, struct outside_place *at);

// The built-in init has a place and a table as every process has, since programs look for them: /proc/1/root,
// fd/. And the limits that the caller's are lower than.
int outside_init(struct kernel *k, const struct process_inherited *was);
// A process without a program, child of init and leader of a session. fds: host descriptors for its 0 to 2
// and as many more as p says, taken over; -1: closed. ignored: PROCESS_SIGBIT() of what it ignores. The
// session's terminal is the first of the stdio that is one; who has it started lets its terminals go:
// hostfd_forget_terminals() of the thread group. NULL and -LINUX_E* in *err.
struct task *outside_new(struct kernel *k, const struct sentry_process *p, const int *fds, uint64_t ignored,
                         const struct outside_place *at, int *err);
// Begins its exec: SYS_FLUSH, and run_first_exec() starts it; or an error.
int outside_load(struct task *t, const struct sentry_process *p);
// The words for an error of outside_load() in `text`; the exit status that goes with it (SENTRY_EXIT_*).
int outside_failed(const struct sentry_process *p, int err, char *text, size_t size);

#endif
