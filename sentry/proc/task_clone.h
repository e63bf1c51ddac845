// SPDX-License-Identifier: Apache-2.0
// The semantics of clone(2), clone3(2), fork(2) and vfork(2); sentry/syscalls/sys_process.c decodes them to a
// request.
#ifndef SENTRY_PROC_TASK_CLONE_H
#define SENTRY_PROC_TASK_CLONE_H
#include "sentry/proc/task.h"

struct clone_req {
    uint64_t flags;  // LINUX_CLONE_*, without the exit signal
    uint64_t exit_signal;
    uint64_t stack;  // stack pointer of the child, 0: the caller's
    uint64_t tls;
    uaddr_t parent_tid, child_tid, pidfd;
};
enum { CLONE_DECODE, CLONE_FLUSHED, CLONE_TOLD, CLONE_VFORK_WAIT, CLONE_DONE };  // call.phase

int clone_check(const struct clone_req *r);
int64_t clone_begin(struct task *t, const struct clone_req *r);
int64_t clone_commit(struct task *t, const struct clone_req *r);
int64_t clone_told(struct task *t, const struct clone_req *r);  // ... and its tracer has been told
int64_t clone_vfork_wait(struct task *t);

unsigned task_count_uid(struct kernel *k, uint32_t uid);


#endif
