// SPDX-License-Identifier: Apache-2.0
// What a process of ours makes of what it inherits: the caller's signal dispositions, mask, limits and umask
// are meant for the program, not for us. Each of our processes (CLI, gofer, sentry) calls process_start()
// before anything else; stubs have their own way (platform/stub/spawn.c), and begin from what the sentry made
// of it.
#ifndef BASE_HOSTPROCESS_H
#define BASE_HOSTPROCESS_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define PROCESS_SIGBIT(sig) (UINT64_C(1) << ((sig) - 1))

struct process_inherited {  // as it was before process_start()
    uint64_t ignored;       // PROCESS_SIGBIT() of what was ignored
    uint64_t held;          // ... of what is blocked now, for the program; see below
    struct rlimit limits[RLIM_NLIMITS];
    mode_t umask;
    // The process group is orphaned: nobody could continue it, so the terminal's stops are ignored,
    // setpgid(2). As far as our own ancestors tell; false where /proc does not.
    bool orphaned;
};

// From now on a signal ends this process only when it is SIGKILL or tells of a fault of its own; writing to a
// closed pipe or past a file's limit is an error and no signal; children are waited for; limits are as wide
// as they may be made, but no core is dumped; new threads have stacks of a known size; the umask is 077.
// was: NULL in a process that the CLI has forked, which has the rest from it: only signals are set, and none
// is blocked. In the CLI itself: what the program is to have, and every signal that the caller does not
// ignore is blocked, with SIGCHLD and SIGCONT, so that none is lost before it can be handed on
// (oci/supervise.h). Returns NULL, or what is too narrow for us to work, for a message to the user.
const char *process_start(struct process_inherited *was);

#endif
