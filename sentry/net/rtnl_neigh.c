// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7): neighbours, told of and changed.
// LIMIT: proxies and the stations of bridges are not told of; no neighbour has failed, it is forgotten then;
// times and what is counted are left out.
#include "abi/errno.h"
#include "abi/socket.h"
#include "sentry/net/rtnl_impl.h"
#include <string.h>

static bool put_neigh(struct nl_buf *b, uint16_t type, const struct net_neigh *n, uint16_t flags,
                      uint32_t seq, uint32_t portid) {
    struct linux_ndmsg m = {.ndm_family = n->family,
                            .ndm_ifindex = n->link,
                            .ndm_state = n->state,
                            .ndm_type = LINUX_RTN_UNICAST};
    size_t at = nl_begin(b, type, flags, seq, portid, &m, sizeof m);
    nl_put(b, LINUX_NDA_DST, n->bytes, n->family == LINUX_AF_INET ? 4 : 16);
    if (n->has_hw)
        nl_put(b, LINUX_NDA_LLADDR, n->hw, sizeof n->hw);
    return nl_end(b, at);
}

bool rtnl_dump_neighs(struct rtnl_dump *d, struct nl_buf *b) {
    struct net_neigh n;
    bool all = d->family != LINUX_AF_INET && d->family != LINUX_AF_INET6;
    if (!d->net->ops->neigh || d->family == LINUX_AF_BRIDGE)
        return true;
    for (uint32_t next = d->at; d->net->ops->neigh(d->net, &next, &n); d->at = next)
        if ((all || n.family == d->family) && (!d->link || d->link == n.link) &&
            !put_neigh(b, LINUX_RTM_NEWNEIGH, &n, LINUX_NLM_F_MULTI, d->seq, d->portid))
            return false;
    return true;
}

static int parse(const struct request *q, struct net_neigh *n) {
    struct linux_ndmsg m;
    size_t len = 0;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    if ((m.ndm_family != LINUX_AF_INET && m.ndm_family != LINUX_AF_INET6) || m.ndm_flags)
        return -LINUX_EOPNOTSUPP;
    size_t want = m.ndm_family == LINUX_AF_INET ? 4 : 16;
    const uint8_t *attrs = q->body + sizeof m;
    const void *dst = nl_find(attrs, q->n - sizeof m, LINUX_NDA_DST, &len);
    if (!dst || len < want)
        return -LINUX_EINVAL;
    *n = (struct net_neigh){.link = m.ndm_ifindex, .family = m.ndm_family, .state = m.ndm_state};
    memcpy(n->bytes, dst, want);
    const void *hw = nl_find(attrs, q->n - sizeof m, LINUX_NDA_LLADDR, &len);
    if (hw && len < sizeof n->hw)
        return -LINUX_EINVAL;
    n->has_hw = hw;
    if (hw)
        memcpy(n->hw, hw, sizeof n->hw);
    return 0;
}

static bool find(const struct net_source *net, const struct net_neigh *like, struct net_neigh *out) {
    for (uint32_t at = 0; net->ops->neigh(net, &at, out);)
        if (out->link == like->link && out->family == like->family &&
            !memcmp(out->bytes, like->bytes, sizeof like->bytes))
            return true;
    return false;
}

static int check_flags(const struct request *q, bool there) {
    if (there && q->h.nlmsg_flags & LINUX_NLM_F_EXCL)
        return -LINUX_EEXIST;
    if (!there && !(q->h.nlmsg_flags & LINUX_NLM_F_CREATE))
        return -LINUX_ENOENT;
    return 0;
}

int rtnl_change_neigh(struct rtnl_out *o, const struct request *q) {
    _Alignas(4) uint8_t buf[256];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    struct net_neigh n, old;
    struct net_link l;
    bool add = q->h.nlmsg_type == LINUX_RTM_NEWNEIGH;
    int err = parse(q, &n);
    if (err < 0)
        return err;
    if (!net_link_by_index(o->net, n.link, &l))
        return n.link ? -LINUX_ENODEV : -LINUX_EINVAL;
    if (!o->net->ops->neigh || !o->net->ops->set_neigh || !o->net->ops->del_neigh)
        return -LINUX_EOPNOTSUPP;
    bool there = find(o->net, &n, &old);
    if (add)
        err = check_flags(q, there);
    if (err == 0 && add && !n.has_hw)
        err = there && old.has_hw ? 0 : -LINUX_EINVAL;
    if (err == 0 && add && !n.has_hw)
        memcpy(n.hw, old.hw, sizeof n.hw);
    n.has_hw |= add;
    if (err == 0)
        err = add ? o->net->ops->set_neigh(o->net, &n) : o->net->ops->del_neigh(o->net, &n);
    if (err == 0 && o->notify && put_neigh(&b, q->h.nlmsg_type, &n, 0, q->h.nlmsg_seq, o->portid))
        o->notify(o, LINUX_RTNLGRP_NEIGH, b.p, b.len);
    return err;
}
