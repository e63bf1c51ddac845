// SPDX-License-Identifier: Apache-2.0
// See rtnetlink.h. A request is dispatched by its type: one table says how its list is told (a "dump") and
// how a single object is found. What a part of a dump holds is fixed by how much fits; it goes on where it
// stopped, at an index.
// LIMIT: who may (CAP_NET_ADMIN) can make veth, bridge and dummy links, change links, and add and remove
// addresses, routes and neighbours; every other change is EOPNOTSUPP: rules, qdiscs, numbers of network
// namespaces, statistics. Groups are told of these changes, but of none that the stack makes itself.
#include "sentry/net/rtnetlink.h"
#include "abi/errno.h"
#include "abi/socket.h"
#include "sentry/net/nfnl.h"
#include "sentry/net/rtnl_impl.h"
#include <string.h>

// ---- Objects as messages ----------------------------------------------------------------------------------
static void put_stats(struct nl_buf *b, const struct net_stats *s) {
    struct linux_rtnl_link_stats64 s64 = {
        s->rx_packets, s->tx_packets, s->rx_bytes,   s->tx_bytes,  s->rx_errors,
        s->tx_errors,  s->rx_dropped, s->tx_dropped, s->multicast, 0, {0},
    };
    struct linux_rtnl_link_stats s32;
    const uint64_t *wide = &s64.rx_packets;
    for (size_t i = 0; i < sizeof s32.counts / sizeof s32.counts[0]; i++)
        s32.counts[i] = (uint32_t)wide[i];
    nl_put(b, LINUX_IFLA_STATS64, &s64, sizeof s64);
    nl_put(b, LINUX_IFLA_STATS, &s32, sizeof s32);
}
bool rtnl_put_link(struct nl_buf *b, uint16_t type, const struct net_link *l, uint16_t flags, uint32_t seq,
                   uint32_t portid) {
    struct linux_ifinfomsg m = {.ifi_type = l->type, .ifi_index = l->index, .ifi_flags = l->flags};
    size_t at = nl_begin(b, type, flags, seq, portid, &m, sizeof m);
    nl_put_str(b, LINUX_IFLA_IFNAME, l->name);
    nl_put_u32(b, LINUX_IFLA_TXQLEN, l->txqlen);
    nl_put_u8(b, LINUX_IFLA_OPERSTATE, l->operstate);
    nl_put_u8(b, LINUX_IFLA_LINKMODE, 0);
    nl_put_u32(b, LINUX_IFLA_MTU, l->mtu);
    nl_put_u32(b, LINUX_IFLA_MIN_MTU, 0);
    nl_put_u32(b, LINUX_IFLA_MAX_MTU, 0);
    nl_put_u32(b, LINUX_IFLA_GROUP, 0);
    nl_put_u32(b, LINUX_IFLA_PROMISCUITY, 0);
    nl_put_u32(b, LINUX_IFLA_NUM_TX_QUEUES, 1);
    nl_put_u32(b, LINUX_IFLA_NUM_RX_QUEUES, 1);
    nl_put_u8(b, LINUX_IFLA_CARRIER, !l->no_carrier);
    nl_put_str(b, LINUX_IFLA_QDISC, l->qdisc);
    nl_put(b, LINUX_IFLA_ADDRESS, l->hw, l->hw_len);
    nl_put(b, LINUX_IFLA_BROADCAST, l->hw_broadcast, l->hw_len);
    if (l->peer)
        nl_put_u32(b, LINUX_IFLA_LINK, (uint32_t)l->peer);
    if (l->peer && l->peer_netns >= 0)
        nl_put_u32(b, LINUX_IFLA_LINK_NETNSID, (uint32_t)l->peer_netns);
    if (l->master)
        nl_put_u32(b, LINUX_IFLA_MASTER, (uint32_t)l->master);
    if (l->kind) {
        size_t info = nl_nest(b, LINUX_IFLA_LINKINFO);
        nl_put_str(b, LINUX_IFLA_INFO_KIND, l->kind);
        nl_nest_end(b, info);
    }
    put_stats(b, &l->stats);
    return nl_end(b, at);
}
bool rtnl_put_addr(struct nl_buf *b, const struct net_source *net, uint16_t type, const struct net_addr *a,
                   uint16_t flags, uint32_t seq, uint32_t portid) {
    bool four = a->family == LINUX_AF_INET;
    size_t n = four ? 4 : 16;
    struct net_link l;
    struct linux_ifaddrmsg m = {
        a->family, a->prefix_len, LINUX_IFA_F_PERMANENT, a->scope, (uint32_t)a->link,
    };
    size_t at = nl_begin(b, type, flags, seq, portid, &m, sizeof m);
    nl_put(b, LINUX_IFA_ADDRESS, a->bytes, n);
    if (four)
        nl_put(b, LINUX_IFA_LOCAL, a->bytes, n);
    if (four && a->has_broadcast)
        nl_put(b, LINUX_IFA_BROADCAST, a->broadcast, sizeof a->broadcast);
    if (four && net_link_by_index(net, a->link, &l))
        nl_put_str(b, LINUX_IFA_LABEL, l.name);
    nl_put_u32(b, LINUX_IFA_FLAGS, LINUX_IFA_F_PERMANENT);
    const struct linux_ifa_cacheinfo forever = {~0u, ~0u, 0, 0};
    nl_put(b, LINUX_IFA_CACHEINFO, &forever, sizeof forever);
    return nl_end(b, at);
}

// ---- Dumps. Each writes what fits from d->at on; true: that was all ---------------------------------------
static bool dump_links(struct rtnl_dump *d, struct nl_buf *b) {
    struct net_link l;
    if (d->family == LINUX_AF_BRIDGE)
        return true;  // what hangs on bridges: there are none
    for (uint32_t next = d->at; net_next_link(d->net, &next, &l); d->at = next)
        if (!rtnl_put_link(b, LINUX_RTM_NEWLINK, &l, LINUX_NLM_F_MULTI, d->seq, d->portid))
            return false;
    return true;
}
static bool dump_addrs(struct rtnl_dump *d, struct nl_buf *b) {
    struct net_addr a;
    bool all = d->family != LINUX_AF_INET && d->family != LINUX_AF_INET6;
    for (uint32_t next = d->at; net_next_addr(d->net, &next, &a); d->at = next)
        if ((all || a.family == d->family) && (!d->link || d->link == a.link) &&
            !rtnl_put_addr(b, d->net, LINUX_RTM_NEWADDR, &a, LINUX_NLM_F_MULTI, d->seq, d->portid))
            return false;
    return true;
}
bool rtnl_put_route(struct nl_buf *b, uint16_t type, const struct net_route *r, uint16_t flags,
                    uint32_t route_flags, uint32_t seq, uint32_t portid) {
    size_t n = r->family == LINUX_AF_INET ? 4 : 16;
    struct linux_rtmsg m = {.rtm_family = r->family,
                            .rtm_dst_len = r->dst_len,
                            .rtm_table = r->table,
                            .rtm_protocol = r->by_user ? LINUX_RTPROT_BOOT : LINUX_RTPROT_KERNEL,
                            .rtm_scope = r->scope,
                            .rtm_type = r->type,
                            .rtm_flags = route_flags};
    size_t at = nl_begin(b, type, flags, seq, portid, &m, sizeof m);
    nl_put_u32(b, LINUX_RTA_TABLE, r->table);
    if (r->dst_len > 0)
        nl_put(b, LINUX_RTA_DST, r->dst, n);
    if (r->has_gateway)
        nl_put(b, LINUX_RTA_GATEWAY, r->gateway, n);
    if (r->family == LINUX_AF_INET6 || r->metric)
        nl_put_u32(b, LINUX_RTA_PRIORITY, r->metric);
    if (r->has_src)
        nl_put(b, LINUX_RTA_PREFSRC, r->src, n);
    nl_put_u32(b, LINUX_RTA_OIF, (uint32_t)r->link);
    if (r->family == LINUX_AF_INET6)
        nl_put(b, LINUX_RTA_PREF, &(uint8_t){LINUX_ICMPV6_ROUTER_PREF_MEDIUM}, 1);
    return nl_end(b, at);
}
static bool dump_routes(struct rtnl_dump *d, struct nl_buf *b) {
    struct net_route r;
    bool all = d->family != LINUX_AF_INET && d->family != LINUX_AF_INET6;
    for (uint32_t next = d->at; net_next_route(d->net, &next, &r); d->at = next)
        if ((all || r.family == d->family) &&
            !rtnl_put_route(b, LINUX_RTM_NEWROUTE, &r, LINUX_NLM_F_MULTI, 0, d->seq, d->portid))
            return false;
    return true;
}

// What each Linux is born with: look in the tables of local, of main and of default routes.
static const struct rule {
    uint8_t family, table;
    uint32_t priority;
} rules[] = {
    {LINUX_AF_INET, LINUX_RT_TABLE_LOCAL, 0},
    {LINUX_AF_INET, LINUX_RT_TABLE_MAIN, 32766},
    {LINUX_AF_INET, LINUX_RT_TABLE_DEFAULT, 32767},
    {LINUX_AF_INET6, LINUX_RT_TABLE_LOCAL, 0},
    {LINUX_AF_INET6, LINUX_RT_TABLE_MAIN, 32766},
};
static bool put_rule(struct nl_buf *b, const struct rule *r, const struct rtnl_dump *d) {
    struct linux_fib_rule_hdr m = {.family = r->family, .table = r->table, .action = LINUX_FR_ACT_TO_TBL};
    size_t at = nl_begin(b, LINUX_RTM_NEWRULE, LINUX_NLM_F_MULTI, d->seq, d->portid, &m, sizeof m);
    nl_put_u32(b, LINUX_FRA_TABLE, r->table);
    nl_put_u32(b, LINUX_FRA_SUPPRESS_PREFIXLEN, ~0u);
    nl_put_u8(b, LINUX_FRA_PROTOCOL, LINUX_RTPROT_KERNEL);
    if (r->priority)
        nl_put_u32(b, LINUX_FRA_PRIORITY, r->priority);
    return nl_end(b, at);
}
static bool dump_rules(struct rtnl_dump *d, struct nl_buf *b) {
    for (; d->at < sizeof rules / sizeof rules[0]; d->at++)
        if ((!d->family || d->family == rules[d->at].family) && !put_rule(b, &rules[d->at], d))
            return false;
    return true;
}

// ---- Single objects ---------------------------------------------------------------------------------------
int rtnl_find_link(const struct net_source *net, const struct request *q, struct net_link *l) {
    struct linux_ifinfomsg m;
    char name[LINUX_IFNAMSIZ] = "";
    size_t len = 0;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    if (m.ifi_index < 0)
        return -LINUX_EINVAL;
    if (m.ifi_index > 0)
        return net_link_by_index(net, m.ifi_index, l) ? 0 : -LINUX_ENODEV;
    const void *given = nl_find(q->body + sizeof m, q->n - sizeof m, LINUX_IFLA_IFNAME, &len);
    if (!given)
        return -LINUX_EINVAL;
    len = strnlen(given, len);
    if (len >= sizeof name)
        return -LINUX_ERANGE;
    memcpy(name, given, len);
    return net_link_by_name(net, name, l) ? 0 : -LINUX_ENODEV;
}
static int get_link(struct rtnl_out *o, const struct request *q) {
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    struct net_link l;
    int err = rtnl_find_link(o->net, q, &l);
    if (err < 0)
        return err;
    if (!rtnl_put_link(&b, LINUX_RTM_NEWLINK, &l, 0, q->h.nlmsg_seq, o->portid))
        return -LINUX_EMSGSIZE;
    o->reply(o, b.p, b.len, NULL, 0);
    return 0;
}
static bool covers(const struct net_route *r, const uint8_t *dst) {
    for (unsigned bit = 0; bit < r->dst_len; bit++)
        if ((r->dst[bit / 8] ^ dst[bit / 8]) & 0x80 >> bit % 8)
            return false;
    return true;
}
// Of those that cover it the one of the local table, then the longest.
static bool find_route(const struct net_source *net, uint8_t family, const uint8_t *dst,
                       struct net_route *best) {
    struct net_route r;
    bool found = false;
    for (uint32_t at = 0; net_next_route(net, &at, &r);)
        if (r.family == family && covers(&r, dst) &&
            (!found || r.table > best->table || (r.table == best->table && r.dst_len > best->dst_len))) {
            *best = r;
            found = true;
        }
    return found;
}
// The way to one address.
static int get_route(struct rtnl_out *o, const struct request *q) {
    _Alignas(4) uint8_t buf[RTNL_CHUNK];
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    struct linux_rtmsg m;
    struct net_route r;
    uint8_t dst[16] = {0};
    size_t len = 0;
    if (q->n < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, q->body, sizeof m);
    size_t n = m.rtm_family == LINUX_AF_INET6 ? 16 : 4;
    const void *given = nl_find(q->body + sizeof m, q->n - sizeof m, LINUX_RTA_DST, &len);
    if (!given || len < n)
        return given ? -LINUX_EINVAL : -LINUX_ENETUNREACH;
    memcpy(dst, given, n);
    if (!find_route(o->net, m.rtm_family, dst, &r))
        return -LINUX_ENETUNREACH;
    struct net_route near;
    if (r.has_gateway && !r.has_src && find_route(o->net, m.rtm_family, r.gateway, &near) && near.has_src) {
        r.has_src = true;
        memcpy(r.src, near.src, n);
    }
    memcpy(r.dst, dst, n);
    r.dst_len = (uint8_t)(8 * n);
    r.scope = LINUX_RT_SCOPE_UNIVERSE;
    r.table = LINUX_RT_TABLE_MAIN;  // whichever it was found in, as nobody has asked for that
    uint32_t flags = LINUX_RTM_F_CLONED;
    if (r.type == LINUX_RTN_LOCAL) {
        flags |= LINUX_RTCF_LOCAL;
        r.has_src = true;
        memcpy(r.src, dst, n);
    }
    if (!rtnl_put_route(&b, LINUX_RTM_NEWROUTE, &r, 0, flags, q->h.nlmsg_seq, o->portid))
        return -LINUX_EMSGSIZE;
    o->reply(o, b.p, b.len, NULL, 0);
    return 0;
}

// ---- Requests ---------------------------------------------------------------------------------------------
static const struct service {
    uint16_t type;
    bool (*dump)(struct rtnl_dump *d, struct nl_buf *b);
    int (*get)(struct rtnl_out *o, const struct request *q);  // NULL: EOPNOTSUPP
    uint8_t header;  // bytes of the fixed part, which GET_STRICT_CHK wants whole
    uint8_t link_at; // where in it the index of a link lies that may be asked for
} services[] = {
    {LINUX_RTM_GETLINK, dump_links, get_link, sizeof(struct linux_ifinfomsg), 0},
    {LINUX_RTM_GETADDR, dump_addrs, NULL, sizeof(struct linux_ifaddrmsg),
     offsetof(struct linux_ifaddrmsg, ifa_index)},
    {LINUX_RTM_GETROUTE, dump_routes, get_route, sizeof(struct linux_rtmsg), 0},
    {LINUX_RTM_GETNEIGH, rtnl_dump_neighs, NULL, sizeof(struct linux_ndmsg),
     offsetof(struct linux_ndmsg, ndm_ifindex)},
    {LINUX_RTM_GETRULE, dump_rules, NULL, sizeof(struct linux_fib_rule_hdr), 0},
    {RTM_GETNSID, NULL, rtnl_get_nsid, sizeof(struct linux_rtgenmsg), 0},
};
static const struct service *service_of(uint16_t type) {
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (services[i].type == type)
            return &services[i];
    return NULL;
}
// With NETLINK_GET_STRICT_CHK a header has to be there, and says what to leave out.
static int strict_filter(const struct net_source *net, const struct service *s, const struct request *q,
                         int32_t *link) {
    int32_t index;
    if (q->n < s->header)
        return -LINUX_EINVAL;
    if (s->type == LINUX_RTM_GETLINK) {
        struct linux_ifinfomsg m;
        memcpy(&m, q->body, sizeof m);
        return m.pad0 || m.ifi_type || m.ifi_flags || m.ifi_change || m.ifi_index ? -LINUX_EINVAL : 0;
    }
    if (!s->link_at)
        return 0;
    memcpy(&index, q->body + s->link_at, sizeof index);
    *link = index;
    struct net_link l;
    return index == 0 || net_link_by_index(net, index, &l) ? 0 : -LINUX_ENODEV;
}
// 1: begun, and its end is the answer.
static int begin_dump(struct rtnl_out *o, const struct service *s, const struct request *q) {
    int32_t link = 0;
    uint8_t family = q->body[0];
    if (o->dump->running)
        return -LINUX_EBUSY;
    int err = o->strict ? strict_filter(o->net, s, q, &link) : 0;
    *o->dump = (struct rtnl_dump){.net = o->net,
                                  .running = true,
                                  .family = family,
                                  .type = s->type,
                                  .link = link,
                                  .err = err,
                                  .seq = q->h.nlmsg_seq,
                                  .portid = o->portid};
    o->dump_begun(o);
    return 1;
}
static int serve(struct rtnl_out *o, const struct request *q) {
    uint16_t type = q->h.nlmsg_type;
    if (o->kind == RTNL_DIAG)
        return diag_serve(o, q);
    if (o->kind == RTNL_GENERIC)
        return genl_serve(o, q);
    if (type > LINUX_RTM_LAST)
        return -LINUX_EOPNOTSUPP;
    if (q->n < sizeof(struct linux_rtgenmsg))
        return 0;
    bool get = (type & 3) == (LINUX_RTM_GETLINK & 3);
    if (!get && !o->admin)
        return -LINUX_EPERM;
    if (!get)
        return rtnl_change(o, q);
    const struct service *s = service_of(type);
    if (s && (q->h.nlmsg_flags & LINUX_NLM_F_DUMP))
        return s->dump ? begin_dump(o, s, q) : -LINUX_EOPNOTSUPP;
    return s && s->get ? s->get(o, q) : -LINUX_EOPNOTSUPP;
}
void rtnl_answer(struct rtnl_out *o, const struct request *q, int err) {
    bool whole = err && !o->cap_ack;
    size_t more = whole ? q->n : 0;
    struct {
        struct linux_nlmsghdr h;
        struct linux_nlmsgerr e;
    } m = {
        .h = {.nlmsg_len = (uint32_t)(sizeof m + NL_ALIGN(more)),
              .nlmsg_type = LINUX_NLMSG_ERROR,
              .nlmsg_flags = whole ? 0 : LINUX_NLM_F_CAPPED,
              .nlmsg_seq = q->h.nlmsg_seq,
              .nlmsg_pid = o->portid},
        .e = {.error = err, .msg = q->h},
    };
    o->reply(o, &m, sizeof m, q->body, more);
}
void rtnl_receive(struct rtnl_out *o, const void *msgs, size_t n) {
    const uint8_t *p = msgs;
    struct request q;
    if (o->kind == RTNL_NETFILTER) {
        nfnl_receive(o, msgs, n);
        return;
    }
    while (n >= sizeof q.h) {
        memcpy(&q.h, p, sizeof q.h);
        if (q.h.nlmsg_len < sizeof q.h || q.h.nlmsg_len > n)
            return;
        q.body = p + sizeof q.h;
        q.n = q.h.nlmsg_len - sizeof q.h;
        bool request = (q.h.nlmsg_flags & LINUX_NLM_F_REQUEST) && q.h.nlmsg_type >= LINUX_NLMSG_MIN_TYPE;
        int err = request ? serve(o, &q) : 0;
        if (err < 0 || (err == 0 && (q.h.nlmsg_flags & LINUX_NLM_F_ACK)))
            rtnl_answer(o, &q, err);
        size_t step = NL_ALIGN(q.h.nlmsg_len);
        if (step >= n)
            return;
        p += step;
        n -= step;
    }
}
void rtnl_dump_part(struct rtnl_dump *d, struct nl_buf *b) {
    bool (*dump)(struct rtnl_dump *, struct nl_buf *) = diag_dump;
    if (d->kind == RTNL_GENERIC)
        dump = genl_dump;
    else if (d->kind == RTNL_NETFILTER)
        dump = nfnl_dump;
    else if (d->kind == RTNL_ROUTE)
        dump = service_of(d->type)->dump;
    if (!d->err && !dump(d, b))
        return;
    size_t at = nl_begin(b, LINUX_NLMSG_DONE, LINUX_NLM_F_MULTI, d->seq, d->portid, &d->err, sizeof d->err);
    d->running = !nl_end(b, at);
}
