// SPDX-License-Identifier: Apache-2.0
// Starts the processes of a sandbox, as children of the caller that die with it.
#ifndef OCI_LAUNCH_H
#define OCI_LAUNCH_H
#include "gofer/gofer.h"
#include "oci/limits.h"
#include "sentry/sentry.h"
#include <sys/types.h>

#define LAUNCH_MINE 7
struct launched {
    pid_t sentry, gofer;
    // Set by the caller: its own descriptors, which the two must not have; -1: none.
    int mine[LAUNCH_MINE];
    int log_fd;  // where the lines of both go instead of stderr; -1: stderr
};

// Forks the gofer (serving `roots`) and the sentry. config's gofer_sock is filled in, its
// net_fds are closed in the caller. 0, or -1 after a line
// in the log; a process that was started by then ends with the caller.
int launch_start(struct sentry_config *config, const struct gofer_root *roots, int nroots,
                 struct launched *l);
// Forks the gofer alone; *sock is the sentry's end of its socket, the caller's. As above.
int launch_gofer(const struct gofer_root *roots, int nroots, struct launched *l, int *sock);
// The same as launch_start(), then hands signals of the caller on to the sandbox and returns its exit status;
// control_fd and stops_fd are filled in too. ended: NULL, or how it ended is told there, and report_fd is
// filled in.
int launch(struct sentry_config *config, const struct gofer_root *roots, int nroots, struct ended *ended);

#endif
