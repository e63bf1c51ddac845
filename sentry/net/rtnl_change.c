// SPDX-License-Identifier: Apache-2.0
// Requests of rtnetlink(7) for changes: links up and down, addresses come and go. Every one is checked whole
// before it takes effect.
#include "abi/errno.h"
#include "abi/socket.h"
#include "sentry/net/rtnl_impl.h"
#include <string.h>

// RTM_NEWLINK of one that is there, RTM_SETLINK: its flags, as far as ifi_change names them.
static int change_link(struct rtnl_out *o, const struct request *q) {
    struct linux_ifinfomsg m;
    struct net_link l;
    int err = rtnl_find_link(o->net, q, &l);
    if (err < 0)
        return err == -LINUX_ENODEV && q->h.nlmsg_type == LINUX_RTM_NEWLINK ? -LINUX_EOPNOTSUPP : err;
    memcpy(&m, q->body, sizeof m);
    bool all = m.ifi_change == ~0u || (m.ifi_change == 0 && m.ifi_flags);
    if (!all && m.ifi_change == 0)
        return 0;
    if (!all && m.ifi_change & ~(uint32_t)LINUX_IFF_UP)
        return -LINUX_EOPNOTSUPP;
    if (!o->net->ops->set_up)
        return -LINUX_EOPNOTSUPP;
    return o->net->ops->set_up(o->net, l.index, m.ifi_flags & LINUX_IFF_UP);
}

// struct ifaddrmsg and the address: IFA_LOCAL, or IFA_ADDRESS.
static int parse_addr(const struct rtnl_out *o, const struct request *q, struct net_addr *a) {
    struct linux_ifaddrmsg m;
    struct net_link l;
    size_t len = 0;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    bool four = m.ifa_family == LINUX_AF_INET;
    if (!four && m.ifa_family != LINUX_AF_INET6)
        return -LINUX_EOPNOTSUPP;
    if (!net_link_by_index(o->net, (int32_t)m.ifa_index, &l))
        return -LINUX_ENODEV;
    const uint8_t *attrs = q->body + sizeof m;
    const void *given = nl_find(attrs, q->n - sizeof m, LINUX_IFA_LOCAL, &len);
    if (!given)
        given = nl_find(attrs, q->n - sizeof m, LINUX_IFA_ADDRESS, &len);
    if (!given || len < (four ? 4 : 16) || m.ifa_prefixlen > (four ? 32 : 128))
        return -LINUX_EINVAL;
    *a = (struct net_addr){.link = l.index, .family = m.ifa_family, .prefix_len = m.ifa_prefixlen};
    memcpy(a->bytes, given, four ? 4 : 16);
    return 0;
}

static int change_addr(struct rtnl_out *o, const struct request *q, bool add) {
    struct net_addr a;
    int err = parse_addr(o, q, &a);
    if (err < 0)
        return err;
    int (*change)(const struct net_source *, const struct net_addr *) =
        add ? o->net->ops->add_addr : o->net->ops->del_addr;
    return change ? change(o->net, &a) : -LINUX_EOPNOTSUPP;
}

int rtnl_change(struct rtnl_out *o, const struct request *q) {
    switch (q->h.nlmsg_type) {
    case LINUX_RTM_NEWLINK:
    case LINUX_RTM_SETLINK:
        return change_link(o, q);
    case LINUX_RTM_NEWADDR:
    case LINUX_RTM_DELADDR:
        return change_addr(o, q, q->h.nlmsg_type == LINUX_RTM_NEWADDR);
    default:
        return -LINUX_EOPNOTSUPP;
    }
}
