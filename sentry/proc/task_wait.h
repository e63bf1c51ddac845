// SPDX-License-Identifier: Apache-2.0
// Waiting for children: what wait4(2) and waitid(2) share.
#ifndef SENTRY_PROC_TASK_WAIT_H
#define SENTRY_PROC_TASK_WAIT_H
#include "sentry/proc/task.h"

struct wait_req {
    enum { WAIT_ANY, WAIT_PID, WAIT_PGRP } which;
    int32_t id;
    int options;  // LINUX_WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WALL, __WCLONE, __WNOTHREAD
};
struct wait_result {
    int32_t pid;  // as who waits sees it; 0: nothing (WNOHANG)
    uint32_t uid;
    int status;   // as wait4 gives it
    int code;     // LINUX_CLD_*
    uint64_t cpu_ns, sys_ns, peak;
};
// 0 with res filled, -LINUX_ECHILD, SYS_PARK (to be returned), -LINUX_ERESTARTSYS.
int64_t do_wait(struct task *t, const struct wait_req *r, struct wait_result *res);

#endif
