// SPDX-License-Identifier: Apache-2.0
// What the CLI does while a sandbox runs: it stands for the program towards the caller's shell and terminal.
#ifndef OCI_SUPERVISE_H
#define OCI_SUPERVISE_H
#include "oci/limits.h"
#include <stdint.h>
#include <sys/types.h>

struct supervised {
    pid_t sentry, gofer;
    int control;      // signals, to the sentry
    int stops;        // from the sentry: that the program has stopped; -1: not told
    struct meter *meter;  // fd -1: nobody measures
    struct ended *ended;  // filled in at the end; NULL: nobody asks
    uint64_t signals; // PROCESS_SIGBIT() of what is blocked here and handed on
};

// Until the sentry ends: signals go to the sandbox, and when the program stops so do we. Returns the exit
// status for the caller. control and stops are closed.
int supervise(struct supervised *s);

#endif
