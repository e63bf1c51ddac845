// SPDX-License-Identifier: Apache-2.0
// config.json's linux.uidMappings and gidMappings: whom files of the host belong to inside.
#ifndef OCI_IDMAP_H
#define OCI_IDMAP_H
#include "oci/config.h"

// c->ids from c->json. wanted: there is a user namespace in the list. 0 or -1.
int idmap_read(struct config *c, bool wanted, struct error *e);

#endif
