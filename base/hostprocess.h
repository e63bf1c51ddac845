// SPDX-License-Identifier: Apache-2.0
// What a process of ours makes of what it inherits: the caller's signal dispositions, mask, limits and umask
// are meant for the program, not for us. Each of our processes (CLI, gofer, sentry) calls process_start()
// before anything else; stubs have their own way (platform/stub/spawn.c), and begin from what the sentry made
// of it.
#ifndef BASE_HOSTPROCESS_H
#define BASE_HOSTPROCESS_H
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct process_inherited {  // as it was before process_start()
    uint64_t ignored;       // bit n - 1: signal n was ignored
    struct rlimit limits[RLIM_NLIMITS];
    mode_t umask;
};

// From now on a signal ends this process only when it is SIGKILL or tells of a fault of its own; nothing is
// blocked; writing to a closed pipe or past a file's limit is an error and no signal; children are waited
// for; limits are as wide as they may be made, but no core is dumped; new threads have stacks of a known
// size; the umask is 077. was: what the program is to have; may be NULL. NULL, or what is too narrow for us
// to work, for a message to the user.
const char *process_start(struct process_inherited *was);

#endif
