// SPDX-License-Identifier: Apache-2.0
// config.json's mounts, masked and read-only paths, to the sentry's list and the gofer's roots.
#ifndef OCI_MOUNTS_H
#define OCI_MOUNTS_H
#include "oci/config.h"

// Fills c->mounts and c->roots (from the second on). look: sources on the host are looked at, and must be
// there.
int mounts_parse(const struct oci *o, struct config *c, bool look, struct error *e);
void mounts_free(struct config *c);
// A read-only root: the places of mounts that are missing are made beneath it, without following a symlink
// out.
int mounts_make_places(const struct config *c, struct error *e);

#endif
