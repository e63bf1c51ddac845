// SPDX-License-Identifier: Apache-2.0
// The exec of a task: the loader's two halves, and between them everything of the old program that must go.
#ifndef SENTRY_LOADER_EXEC_H
#define SENTRY_LOADER_EXEC_H
#include "sentry/loader/loader.h"

// Begins an exec: SYS_FLUSH (t->thread is then the new program's), or an error with nothing changed. `args`
// is taken over. at_flags: LINUX_AT_EMPTY_PATH, LINUX_AT_SYMLINK_NOFOLLOW. base: as in vfs_walk(). Also used
// for the very first program, by a task without memory and host thread.
int64_t do_exec(struct task *t, const struct path *base, const char *path, unsigned at_flags,
                struct exec_args *args);
// Linux opens the program before it looks at the arguments: which error an exec with arguments that were
// answered `err` gives.
int exec_refusal(struct task *t, const struct path *base, const char *path, unsigned at_flags, int err);
// The reruns of the call: SYS_RESUME when the new program is ready, SYS_PARK, or an error (the old program
// goes on).
bool exec_begun(const struct task *t);
int64_t exec_continue(struct task *t);

#endif
