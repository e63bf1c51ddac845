// SPDX-License-Identifier: Apache-2.0
// The network of a container: what was asked for at create is kept in its directory until its start.
#ifndef OCI_NET_START_H
#define OCI_NET_START_H
#include "oci/config.h"
#include "oci/state.h"

// Checks the options, and writes them to the container's directory.
int net_keep(const struct oci *o, const struct container *c, struct error *e);
// Whether net_start() may have something to hand over; host_network: config.json has no network namespace.
bool net_comes_later(const struct oci *o, bool host_network);
// Hands the network over to the sandbox, before CONTROL_START.
int net_start(const struct container *c, json_t *config, struct error *e);

#endif
