// SPDX-License-Identifier: Apache-2.0
// Pods: containers that share a sandbox, as containerd's and CRI-O's annotations say it. The first one is the
// pod's sandbox; each other one has an init, a gofer, a directory and a cgroup of its own, and no sentry.
#ifndef OCI_POD_H
#define OCI_POD_H
#include "oci/config.h"
#include "oci/state.h"

// Annotations of a container (NULL: none): the id of the container in whose sandbox it lives; NULL: in its
// own. The text is the annotations'.
const char *pod_sandbox(json_t *annotations);
// What the sentry knows the container by: the init's number and start.
uint64_t pod_number(const struct container *c);
// Before anything is made: is the sandbox there, runs it, and has it the same users? 0 or -1.
int pod_check(const struct oci *o, const struct config *config, struct error *e);
// Limits of the whole pod, for its sandbox: where config.json has none itself.
void pod_limits(json_t *annotations, struct sentry_limits *l);
// A connection over which the container is made, by its init; a descriptor or -1.
int pod_connect(const struct container *c, struct error *e);
// Has the container made; its program is loaded then. gofer: the sentry's end of the gofer's socket.
int pod_make(int fd, const struct container *c, const struct config *config, int gofer, struct error *e);
// The init of the sandbox in which c lives: its own, or another's; 0: there is none.
pid_t pod_init(const struct oci *o, const struct container *c);

#endif
