// SPDX-License-Identifier: Apache-2.0
// Where packets come by the filter of nftables' rules. Costs one look at a word while there are none. Lock:
// the stack's.
#ifndef NETSTACK_FILTER_HOOKS_H
#define NETSTACK_FILTER_HOOKS_H
#include "netstack/core/pkt.h"
#include "netstack/core/stack.h"
#include "netstack/filter/nft.h"

struct path;
struct ip_header;
#define NF_HOOK_BIT(four, hook) (1u << ((hook) + ((four) ? 0 : NF_HOOKS)))

static inline bool nf_on(const struct netstack *ns, bool four, enum nf_hooknum hook) {
    return ns->nf_hooks & NF_HOOK_BIT(four, hook);
}
static inline bool nf_on_out(const struct netstack *ns, bool four) {
    return ns->nf_hooks & (NF_HOOK_BIT(four, NF_OUTPUT) | NF_HOOK_BIT(four, NF_POSTROUTING));
}
// Whether connections are followed, for which fragments have to be put together first.
bool nf_tracks(const struct netstack *ns);
// A packet whose IP header is pulled. False: it is gone. What it is for may be another afterwards.
bool nf_hook(struct pkt *p, enum nf_hooknum hook, const struct netif *in, const struct netif *out);
// One of our own, whose IP header is still to be made: output, the way anew if its destination is another,
// and postrouting. 0, or -EPERM or why there is no way, and it is gone.
int nf_local_out(struct netstack *ns, struct pkt *p, struct path *path, struct ip_header *h);
// The same with its header in front, of a raw socket. False: it is gone.
bool nf_local_whole(struct pkt *p, uint32_t header, const struct netif *out);
void nf_destroy(struct netstack *ns);

#endif
