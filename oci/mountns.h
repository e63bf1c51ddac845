// SPDX-License-Identifier: Apache-2.0
// The mount namespace of a container's init: what clients see that enter it by its pid (podman cp, podman
// top).
#ifndef OCI_MOUNTNS_H
#define OCI_MOUNTNS_H
#include "oci/config.h"
#include <sys/types.h>

// The calling process, which has one thread, gets a mount namespace with the container's root, its binds, and
// a /proc of the sentry's pid namespace. *back: a descriptor for mountns_leave(). False: not allowed here,
// nothing has changed.
bool mountns_enter(const struct config *config, pid_t sentry, int *back);
// Back to the namespace that it came from: before anything is opened by its path.
void mountns_leave(int back);

#endif
