// SPDX-License-Identifier: Apache-2.0
// Programs of the caller's that config.json wants run at certain points.
#ifndef OCI_HOOKS_H
#define OCI_HOOKS_H
#include "oci/config.h"
#include "oci/state.h"

int hooks_check(const struct config *c, struct error *e);
// Runs those of one point, in order, with the state on stdin; 0 when all have ended with 0. Each has its
// timeout, or 60 s; then it is killed. The descriptors of the caller go along, as they do with any program
// that it starts. `json` is the container's config.
int hooks_run(json_t *json, enum hook_point at, const struct container *c, struct error *e);
// The same of those that are the container's own programs (START_CONTAINER), inside.
int hooks_run_inside(json_t *json, const struct container *c, struct error *e);

#endif
