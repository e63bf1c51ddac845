// SPDX-License-Identifier: Apache-2.0
// The semantics of clone(2), clone3(2), fork(2) and vfork(2); sentry/syscalls/sys_process.c decodes them to a
// request.
#ifndef SENTRY_PROC_TASK_CLONE_H
#define SENTRY_PROC_TASK_CLONE_H
#include "sentry/proc/task.h"

// call.phase
enum clone_phase {
    CLONE_DECODE,      // the request is not there yet
    CLONE_BEGIN,       // it is, in call.notes.clone: to be checked, and the child to be made
    CLONE_FLUSHED,     // the host has made the child's process: to be published
    CLONE_TOLD,        // it runs, and the caller's tracer has been told
    CLONE_VFORK_WAIT,  // ... and the caller waits for it
    CLONE_DONE,
};

int clone_check(const struct clone_req *r);
// The next step of a clone whose request is in call.notes.
int64_t clone_step(struct task *t);

unsigned task_count_uid(struct kernel *k, uint32_t uid);


#endif
