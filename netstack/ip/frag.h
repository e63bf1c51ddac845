// SPDX-License-Identifier: Apache-2.0
// Reassembly (RFC 791 3.2, RFC 8200 4.5), bounded in every direction: packets under way, fragments of each,
// memory of all, and time. A fragment that overlaps another gives the whole packet up (RFC 5722; for IPv4
// too, as RFC 1858 asks of filters): nobody honest sends one. Lock: the stack's.
#ifndef NETSTACK_IP_FRAG_H
#define NETSTACK_IP_FRAG_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"

struct frag_info {
    uint32_t id;
    uint32_t offset;
    bool more;
};
void frag_init(struct netstack *ns);
void frag_flush(struct netstack *ns);
void frag_forget(struct netif *nif);  // what came in there, and is not whole; nobody is told
// p's headers are pulled up to the fragment's data. Takes p; the whole packet when this was what it waited
// for.
struct pkt *frag_input(struct pkt *p, const struct frag_info *info);

#endif
