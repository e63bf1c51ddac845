// SPDX-License-Identifier: Apache-2.0
// Starts the processes of a sandbox and waits for its end.
#ifndef OCI_LAUNCH_H
#define OCI_LAUNCH_H
#include "gofer/gofer.h"
#include "sentry/sentry.h"

// Forks the gofer (serving `roots`) and the sentry, hands signals of the caller on to the sandbox, and
// returns its exit status. `config`'s gofer_sock and control_fd are filled in here.
int launch(struct sentry_config *config, const struct gofer_root *roots, int nroots);

#endif
