// SPDX-License-Identifier: Apache-2.0
// Requests of rtnetlink(7) for changes: links up and down, addresses and routes come and go. Every one is
// checked whole before it takes effect.
#include "abi/errno.h"
#include "abi/socket.h"
#include "sentry/net/rtnl_impl.h"
#include <string.h>

// ---- Who is told ------------------------------------------------------------------------------------------
#define MESSAGE 2048
static void tell_link(struct rtnl_out *o, const struct request *q, int32_t index) {
    _Alignas(4) uint8_t buf[MESSAGE];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    struct net_link l;
    if (o->notify && net_link_by_index(o->net, index, &l) &&
        rtnl_put_link(&b, LINUX_RTM_NEWLINK, &l, 0, q->h.nlmsg_seq, o->portid))
        o->notify(o, LINUX_RTNLGRP_LINK, b.p, b.len);
}
static void tell_addr(struct rtnl_out *o, const struct request *q, const struct net_addr *a) {
    _Alignas(4) uint8_t buf[MESSAGE];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    bool four = a->family == LINUX_AF_INET;
    if (o->notify && rtnl_put_addr(&b, o->net, q->h.nlmsg_type, a, 0, q->h.nlmsg_seq, o->portid))
        o->notify(o, four ? LINUX_RTNLGRP_IPV4_IFADDR : LINUX_RTNLGRP_IPV6_IFADDR, b.p, b.len);
}
static void tell_route(struct rtnl_out *o, const struct request *q, const struct net_route *r) {
    _Alignas(4) uint8_t buf[MESSAGE];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    bool four = r->family == LINUX_AF_INET;
    if (o->notify && rtnl_put_route(&b, q->h.nlmsg_type, r, 0, 0, q->h.nlmsg_seq, o->portid))
        o->notify(o, four ? LINUX_RTNLGRP_IPV4_ROUTE : LINUX_RTNLGRP_IPV6_ROUTE, b.p, b.len);
}

// ---- Links and addresses ----------------------------------------------------------------------------------
// RTM_NEWLINK of one that is there, RTM_SETLINK: its flags, as far as ifi_change names them.
static int change_link(struct rtnl_out *o, const struct request *q) {
    struct linux_ifinfomsg m;
    struct net_link l;
    size_t len;
    bool new = q->h.nlmsg_type == LINUX_RTM_NEWLINK;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    bool named = m.ifi_index || nl_find(q->body + sizeof m, q->n - sizeof m, LINUX_IFLA_IFNAME, &len);
    int err = new && !named ? -LINUX_ENODEV : rtnl_find_link(o->net, q, &l);
    if (err == -LINUX_ENODEV && new && q->h.nlmsg_flags & LINUX_NLM_F_CREATE)
        return rtnl_new_link(o, q);
    if (err < 0)
        return err;
    if (new && q->h.nlmsg_flags & LINUX_NLM_F_EXCL)
        return -LINUX_EEXIST;
    err = rtnl_set_link(o, q, &l);
    if (err <= 0)  // 1: changed, and not told yet
        return err;
    tell_link(o, q, l.index);
    return 0;
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
    err = change ? change(o->net, &a) : -LINUX_EOPNOTSUPP;
    if (err == 0)
        tell_addr(o, q, &a);
    return err;
}

// ---- Routes -----------------------------------------------------------------------------------------------
// Bytes of an address in an attribute. 1: it is there, 0: it is not.
static int addr_attr(const struct request *q, uint16_t attr, size_t n, uint8_t to[16]) {
    size_t len = 0;
    const void *given =
        nl_find(q->body + sizeof(struct linux_rtmsg), q->n - sizeof(struct linux_rtmsg), attr, &len);
    if (given && len < n)
        return -LINUX_EINVAL;
    if (given)
        memcpy(to, given, n);
    return given != NULL;
}
static int word_attr(const struct request *q, uint16_t attr, uint32_t *to) {
    uint8_t bytes[16];
    int has = addr_attr(q, attr, sizeof *to, bytes);
    if (has == 1)
        memcpy(to, bytes, sizeof *to);
    return has < 0 ? has : 0;
}

// LIMIT: unicast routes of the main table; sources, metrics of TCP and several next hops are not looked at.
static int parse_route(const struct request *q, struct net_route *r) {
    struct linux_rtmsg m;
    uint32_t link = 0, table = 0;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    bool four = m.rtm_family == LINUX_AF_INET;
    size_t n = four ? 4 : 16;
    if (!four && m.rtm_family != LINUX_AF_INET6)
        return -LINUX_EOPNOTSUPP;
    if (m.rtm_dst_len > 8 * n || m.rtm_src_len)
        return -LINUX_EINVAL;
    bool del = q->h.nlmsg_type == LINUX_RTM_DELROUTE;
    if (m.rtm_type != LINUX_RTN_UNICAST && !(del && m.rtm_type == 0))
        return -LINUX_EOPNOTSUPP;
    *r = (struct net_route){.family = m.rtm_family,
                            .dst_len = m.rtm_dst_len,
                            .type = LINUX_RTN_UNICAST,
                            .scope = m.rtm_scope,
                            .table = LINUX_RT_TABLE_MAIN,
                            .by_user = true};
    int dst = addr_attr(q, LINUX_RTA_DST, n, r->dst),
        gateway = addr_attr(q, LINUX_RTA_GATEWAY, n, r->gateway);
    if (dst < 0 || gateway < 0 || word_attr(q, LINUX_RTA_OIF, &link) < 0 ||
        word_attr(q, LINUX_RTA_PRIORITY, &r->metric) < 0 || word_attr(q, LINUX_RTA_TABLE, &table) < 0)
        return -LINUX_EINVAL;
    table = table ? table : m.rtm_table;
    if (table != LINUX_RT_TABLE_UNSPEC && table != LINUX_RT_TABLE_MAIN)
        return -LINUX_EOPNOTSUPP;
    for (unsigned bit = r->dst_len; bit < 8 * n; bit++)
        if (r->dst[bit / 8] & 0x80 >> bit % 8)
            return -LINUX_EINVAL;
    if (!four && !del && !r->metric)
        r->metric = LINUX_IP6_RT_PRIO_USER;
    r->link = (int32_t)link;
    r->has_gateway = gateway;
    return 0;
}

// The route that r means, as it is told of: link, gateway and metric are looked at where they are given.
static bool find_same(const struct net_source *net, const struct net_route *r, struct net_route *out) {
    for (uint32_t at = 0; net_next_route(net, &at, out);)
        if (out->by_user && out->family == r->family && out->dst_len == r->dst_len &&
            !memcmp(out->dst, r->dst, sizeof r->dst) && (!r->link || out->link == r->link) &&
            (!r->has_gateway || !memcmp(out->gateway, r->gateway, sizeof r->gateway)) &&
            (!r->metric || out->metric == r->metric))
            return true;
    return false;
}

static int change_route(struct rtnl_out *o, const struct request *q, bool add) {
    struct net_route r, same;
    int err = parse_route(q, &r);
    if (err < 0)
        return err;
    bool there = find_same(o->net, &r, &same);
    if (add && there && q->h.nlmsg_flags & LINUX_NLM_F_EXCL)
        return -LINUX_EEXIST;
    if (!add && !there)
        return o->net->ops->del_route ? -LINUX_ESRCH : -LINUX_EOPNOTSUPP;
    if (!add)
        r = same;
    int (*change)(const struct net_source *, const struct net_route *) =
        add ? o->net->ops->add_route : o->net->ops->del_route;
    err = change ? change(o->net, &r) : -LINUX_EOPNOTSUPP;
    if (err == 0)
        tell_route(o, q, add && find_same(o->net, &r, &same) ? &same : &r);
    return err;
}

int rtnl_change(struct rtnl_out *o, const struct request *q) {
    switch (q->h.nlmsg_type) {
    case LINUX_RTM_NEWLINK:
    case LINUX_RTM_SETLINK:
        return change_link(o, q);
    case LINUX_RTM_DELLINK:
        return rtnl_del_link(o, q);
    case LINUX_RTM_NEWNEIGH:
    case LINUX_RTM_DELNEIGH:
        return rtnl_change_neigh(o, q);
    case LINUX_RTM_NEWADDR:
    case LINUX_RTM_DELADDR:
        return change_addr(o, q, q->h.nlmsg_type == LINUX_RTM_NEWADDR);
    case LINUX_RTM_NEWROUTE:
    case LINUX_RTM_DELROUTE:
        return change_route(o, q, q->h.nlmsg_type == LINUX_RTM_NEWROUTE);
    default:
        return -LINUX_EOPNOTSUPP;
    }
}
