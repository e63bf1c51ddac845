// SPDX-License-Identifier: Apache-2.0
// How calls wait for daemons of FUSE: fs/fuse/ask.h says why a handler is run anew.
#ifndef SENTRY_RUN_FUSE_WAIT_H
#define SENTRY_RUN_FUSE_WAIT_H
#include <stdint.h>

struct kernel;
struct task;

void fuse_wait_begin(struct kernel *k);  // once, at the start
// After each run of a handler, with what it returned: that, or SYS_PARK, SYS_AGAIN.
int64_t fuse_wait(struct task *t, int64_t r);
// Before each run: if the one before was undone, this is the same one again.
void fuse_wait_over(struct task *t);
// A handler that moves things piece by piece has noted one in task->call: it asks anew for the next. Such a
// handler returns FS_WAIT with its notes kept only when it is run for more than the first time, or says
// call.again itself.
void fuse_step(struct task *t);

#endif
