// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets about groups, ip(7), ipv6(7), RFC 3678: joining and leaving, for all senders or for
// some, and where packets to groups go. Called by inet_opt_more.c. Locks: the hub's, as no device may end
// while it is named here.
#include "abi/inet.h"
#include "sentry/socket/inet_opt.h"
#include <string.h>

static struct netdev_hub *hub_of(struct inet_sock *i) { return i->s.net->hub; }

// By index, or for 0 by an address of it; *out NULL: any. -LINUX_ENODEV. No device ends while it is looked up
// and used: the caller holds the hub's lock.
int inet_find_netif(struct inet_sock *i, int32_t index, const uint8_t addr[4], struct netif **out) {
    static const uint8_t any[4];
    struct ns_netif_info info;
    *out = NULL;
    if (index == 0 && (!addr || !memcmp(addr, any, 4)))
        return 0;
    for (unsigned n = 0; netstack_netif_info(inet_stack(&i->s), n, &info) == 0; n++) {
        *out = info.nif;
        if (index && info.index == (uint32_t)index)
            return 0;
        for (unsigned k = 0; !index && k < info.naddrs; k++)
            if (ns_ip_is4(&info.addrs[k].ip) && !memcmp(info.addrs[k].ip.b + 12, addr, 4))
                return 0;
    }
    *out = NULL;
    return -LINUX_ENODEV;
}

static int join(struct inet_sock *i, bool leave, const struct ns_ip *group, struct netif *nif) {
    if (!inet_ip_is_multicast(group))
        return leave && ns_ip_is4(group) ? -LINUX_EADDRNOTAVAIL : -LINUX_EINVAL;
    int err = leave ? ns_leave(i->ns, group, nif) : ns_join(i->ns, group, nif);
    return err == -LINUX_ENETUNREACH ? -LINUX_ENODEV : err;
}

// struct ip_mreq, or the longer ip_mreqn.
static int mreqn(const void *buf, uint32_t len, struct linux_ip_mreqn *m) {
    *m = (struct linux_ip_mreqn){{0}, {0}, 0};
    if (len < 8)
        return -LINUX_EINVAL;
    memcpy(m, buf, len < sizeof *m ? 8 : sizeof *m);
    return 0;
}

static int membership4(struct inet_sock *i, bool leave, const void *buf, uint32_t len) {
    struct linux_ip_mreqn m;
    struct netif *nif;
    if (inet_is_stream(&i->s))
        return -LINUX_EPROTO;
    NETDEV_LOCKED(hub_of(i));
    int err = mreqn(buf, len, &m);
    struct ns_ip group =
        ns_ip4(m.imr_multiaddr[0], m.imr_multiaddr[1], m.imr_multiaddr[2], m.imr_multiaddr[3]);
    if (err == 0 && !leave && !inet_ip_is_multicast(&group))
        err = -LINUX_EINVAL;
    if (err == 0)
        err = inet_find_netif(i, m.imr_ifindex, m.imr_address, &nif);
    if (err < 0)
        return leave && err == -LINUX_ENODEV ? -LINUX_EADDRNOTAVAIL : err;
    return join(i, leave, &group, nif);
}

static int membership6(struct inet_sock *i, bool leave, const void *buf, uint32_t len) {
    struct linux_ipv6_mreq m;
    struct netif *nif;
    struct ns_ip group;
    if (len < sizeof m)
        return -LINUX_EINVAL;
    if (inet_is_stream(&i->s))
        return -LINUX_EPROTO;
    NETDEV_LOCKED(hub_of(i));
    memcpy(&m, buf, sizeof m);
    memcpy(group.b, m.ipv6mr_multiaddr, sizeof group.b);
    if (!inet_ip_is_multicast(&group))
        return -LINUX_EINVAL;
    int err = inet_find_netif(i, m.ipv6mr_ifindex, NULL, &nif);
    if (err == -LINUX_ENODEV && leave)
        return -LINUX_EADDRNOTAVAIL;
    return err < 0 ? err : join(i, leave, &group, nif);
}

// The address of a struct sockaddr_storage, of the level's family.
static bool ip_of(int level, const uint8_t from[128], struct ns_ip *out) {
    uint16_t family;
    memcpy(&family, from, sizeof family);
    if (level == LINUX_SOL_IP && family == LINUX_AF_INET) {
        *out = ns_ip4(from[4], from[5], from[6], from[7]);
        return true;
    }
    memcpy(out->b, from + 8, sizeof out->b);
    return level == LINUX_SOL_IPV6 && family == LINUX_AF_INET6;
}

static int group_request(struct inet_sock *i, int level, bool leave, const void *buf, uint32_t len) {
    struct linux_group_req g;
    struct ns_ip group;
    struct netif *nif;
    if (len < sizeof g)
        return -LINUX_EINVAL;
    memcpy(&g, buf, sizeof g);
    if (!ip_of(level, g.gr_group, &group))
        return level == LINUX_SOL_IP ? -LINUX_EINVAL : -LINUX_EADDRNOTAVAIL;
    NETDEV_LOCKED(hub_of(i));
    int err = inet_find_netif(i, (int32_t)g.gr_interface, NULL, &nif);
    return err < 0 ? err : join(i, leave, &group, nif);
}

static int multicast_if4(struct inet_sock *i, const void *buf, uint32_t len) {
    struct linux_ip_mreqn m = {{0}, {0}, 0};
    struct netif *nif;
    if (inet_is_stream(&i->s) || len < 4)
        return -LINUX_EINVAL;
    if (len >= 8) {
        int err = mreqn(buf, len, &m);
        if (err < 0)
            return err;
    } else {
        memcpy(m.imr_address, buf, 4);
    }
    NETDEV_LOCKED(hub_of(i));
    if (inet_find_netif(i, m.imr_ifindex, m.imr_address, &nif) < 0)
        return -LINUX_EADDRNOTAVAIL;
    int addr;
    memcpy(&addr, m.imr_address, sizeof addr);
    atomic_store(&i->kept[KEPT_GROUP_ADDR], addr);
    return ns_set_group_interface(i->ns, nif);
}

static int multicast_if6(struct inet_sock *i, const void *buf, uint32_t len) {
    NETDEV_LOCKED(hub_of(i));
    int index = 0;
    struct netif *nif;
    int err = inet_is_stream(&i->s) ? -LINUX_ENOPROTOOPT : inet_as_int(buf, len, &index);
    if (err == 0)
        err = inet_find_netif(i, index, NULL, &nif);
    if (err < 0)
        return err;
    atomic_store(&i->kept[KEPT_GROUP_IF], index);
    return ns_set_group_interface(i->ns, nif);
}

// ---- Single senders of a group ----------------------------------------------------------------------------
struct source_request {
    struct ns_ip group, source;
    int32_t index;
    uint8_t address[4];  // of an interface, where index is 0
    bool exclude, add, joins;
};

static int do_source(struct inet_sock *i, const struct source_request *r) {
    struct netif *nif;
    if (!inet_ip_is_multicast(&r->group))
        return -LINUX_EINVAL;
    NETDEV_LOCKED(hub_of(i));
    int err = inet_find_netif(i, r->index, r->address, &nif);
    if (err < 0)
        return err;
    if (r->joins) {
        err = ns_join_source(i->ns, &r->group, nif, &r->source);
        return err == -LINUX_ENETUNREACH ? -LINUX_ENODEV : err;
    }
    return ns_change_source(i->ns, &r->group, nif, r->exclude, r->add, &r->source);
}

static struct ns_ip ip4_at(const uint8_t *b) { return ns_ip4(b[0], b[1], b[2], b[3]); }

// struct ip_mreq_source: group, interface, source.
static int source4(struct inet_sock *i, int name, const uint8_t *buf, uint32_t len) {
    if (len != 12)
        return -LINUX_EINVAL;
    struct source_request r = {.group = ip4_at(buf), .source = ip4_at(buf + 8)};
    memcpy(r.address, buf + 4, sizeof r.address);
    r.exclude = name == LINUX_IP_BLOCK_SOURCE || name == LINUX_IP_UNBLOCK_SOURCE;
    r.joins = name == LINUX_IP_ADD_SOURCE_MEMBERSHIP;
    r.add = r.joins || name == LINUX_IP_BLOCK_SOURCE;
    return do_source(i, &r);
}

// struct group_source_req: an index, and two addresses of 128 bytes from the eighth on.
static int source_of_any(struct inet_sock *i, int level, int name, const uint8_t *buf, uint32_t len) {
    struct source_request r = {.add = false};
    if (level == LINUX_SOL_IP ? len != 264 : len < 264)
        return -LINUX_EINVAL;
    if (!ip_of(level, buf + 8, &r.group) || !ip_of(level, buf + 136, &r.source))
        return -LINUX_EADDRNOTAVAIL;
    memcpy(&r.index, buf, sizeof r.index);
    r.exclude = name == LINUX_MCAST_BLOCK_SOURCE || name == LINUX_MCAST_UNBLOCK_SOURCE;
    r.joins = name == LINUX_MCAST_JOIN_SOURCE_GROUP;
    r.add = r.joins || name == LINUX_MCAST_BLOCK_SOURCE;
    return do_source(i, &r);
}

// ---- All senders of a group at once -----------------------------------------------------------------------
// struct ip_msfilter and struct group_filter: who and where, the mode, how many, and so many addresses.
struct filter_shape {
    int level, name;
    uint32_t mode_at, count_at, list_at, each, most;
};
static const struct filter_shape shapes[] = {
    {LINUX_SOL_IP, LINUX_IP_MSFILTER, 8, 12, 16, 4, NS_SOURCES4},
    {LINUX_SOL_IP, LINUX_MCAST_MSFILTER, 136, 140, 144, 128, NS_SOURCES4},
    {LINUX_SOL_IPV6, LINUX_MCAST_MSFILTER, 136, 140, 144, 128, NS_SOURCES6},
};

static const struct filter_shape *shape_of(int level, int name) {
    for (unsigned k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
        if (shapes[k].level == level && shapes[k].name == name)
            return &shapes[k];
    return NULL;
}

static uint32_t word_at(const uint8_t *b) {
    uint32_t v;
    memcpy(&v, b, sizeof v);
    return v;
}

// The group, and with the hub's lock the interface; `bad`: what a wrong family is called.
static int filter_group(struct inet_sock *i, const struct filter_shape *f, const uint8_t *buf, int bad,
                        struct ns_ip *group, struct netif **nif) {
    bool old = f->name == LINUX_IP_MSFILTER;
    if (old)
        *group = ip4_at(buf);
    else if (!ip_of(f->level, buf + 8, group))
        return bad;
    if (!inet_ip_is_multicast(group))
        return -LINUX_EINVAL;
    return inet_find_netif(i, old ? 0 : (int32_t)word_at(buf), old ? buf + 4 : NULL, nif);
}

static int set_filter(struct inet_sock *i, const struct filter_shape *f, const uint8_t *buf, uint32_t len) {
    struct ns_sources to = {.n = 0};
    struct ns_ip group;
    struct netif *nif;
    if (len < f->list_at)
        return -LINUX_EINVAL;
    uint32_t mode = word_at(buf + f->mode_at);
    to.n = word_at(buf + f->count_at);
    if (to.n > f->most)
        return -LINUX_ENOBUFS;
    if (f->list_at + to.n * f->each > len)
        return -LINUX_EINVAL;
    for (unsigned k = 0; k < to.n; k++) {
        const uint8_t *at = buf + f->list_at + k * f->each;
        if (f->each == 4)
            to.ip[k] = ip4_at(at);
        else if (!ip_of(f->level, at, &to.ip[k]))
            return -LINUX_EADDRNOTAVAIL;
    }
    NETDEV_LOCKED(hub_of(i));
    int bad = f->level == LINUX_SOL_IP ? -LINUX_EADDRNOTAVAIL : -LINUX_EINVAL;
    int err = filter_group(i, f, buf, bad, &group, &nif);
    if (err == 0 && mode > 1)
        err = -LINUX_EINVAL;
    if (err < 0)
        return err;
    to.exclude = mode == 0;  // MCAST_EXCLUDE
    return ns_set_sources(i->ns, &group, nif, &to);
}

static void put_source(const struct filter_shape *f, uint8_t *at, const struct ns_ip *ip) {
    const uint16_t family = f->level == LINUX_SOL_IP ? LINUX_AF_INET : LINUX_AF_INET6;
    if (f->each == 4) {
        memcpy(at, ip->b + 12, 4);
        return;
    }
    memset(at, 0, f->each);
    memcpy(at, &family, sizeof family);
    if (f->level == LINUX_SOL_IP)
        memcpy(at + 4, ip->b + 12, 4);
    else
        memcpy(at + 8, ip->b, 16);
}

// As many addresses as the caller has said and has room for; the number is that of all.
static int get_filter(struct inet_sock *i, const struct filter_shape *f, uint8_t *buf, uint32_t *len) {
    struct ns_sources now;
    struct ns_ip group;
    struct netif *nif;
    if (*len < f->list_at)
        return -LINUX_EINVAL;
    NETDEV_LOCKED(hub_of(i));
    int bad = f->level == LINUX_SOL_IP ? -LINUX_EINVAL : -LINUX_EADDRNOTAVAIL;
    int err = filter_group(i, f, buf, bad, &group, &nif);
    if (err == 0)
        err = ns_get_sources(i->ns, &group, nif, &now);
    if (err < 0)
        return err;
    uint32_t n = word_at(buf + f->count_at), room = (*len - f->list_at) / f->each;
    n = n < now.n ? n : now.n;
    n = n < room ? n : room;
    const uint32_t mode = !now.exclude;
    memcpy(buf + f->mode_at, &mode, sizeof mode);
    memcpy(buf + f->count_at, &now.n, sizeof now.n);
    for (unsigned k = 0; k < n; k++)
        put_source(f, buf + f->list_at + k * f->each, &now.ip[k]);
    *len = f->list_at + n * f->each;
    return 0;
}

// ---- By name ----------------------------------------------------------------------------------------------
int inet_set_group(struct inet_sock *i, int level, int name, const void *buf, uint32_t len) {
    const struct filter_shape *f = shape_of(level, name);
    bool four = level == LINUX_SOL_IP;
    if (f)
        return set_filter(i, f, buf, len);
    switch (name) {
    case LINUX_MCAST_JOIN_GROUP:
    case LINUX_MCAST_LEAVE_GROUP:
        return group_request(i, level, name == LINUX_MCAST_LEAVE_GROUP, buf, len);
    case LINUX_MCAST_BLOCK_SOURCE:
    case LINUX_MCAST_UNBLOCK_SOURCE:
    case LINUX_MCAST_JOIN_SOURCE_GROUP:
    case LINUX_MCAST_LEAVE_SOURCE_GROUP:
        return source_of_any(i, level, name, buf, len);
    default:
        break;
    }
    if (!four && (name == LINUX_IPV6_ADD_MEMBERSHIP || name == LINUX_IPV6_DROP_MEMBERSHIP))
        return membership6(i, name == LINUX_IPV6_DROP_MEMBERSHIP, buf, len);
    if (!four)
        return name == LINUX_IPV6_MULTICAST_IF ? multicast_if6(i, buf, len) : -LINUX_ENOPROTOOPT;
    switch (name) {
    case LINUX_IP_ADD_MEMBERSHIP:
    case LINUX_IP_DROP_MEMBERSHIP:
        return membership4(i, name == LINUX_IP_DROP_MEMBERSHIP, buf, len);
    case LINUX_IP_MULTICAST_IF:
        return multicast_if4(i, buf, len);
    case LINUX_IP_UNBLOCK_SOURCE:
    case LINUX_IP_BLOCK_SOURCE:
    case LINUX_IP_ADD_SOURCE_MEMBERSHIP:
    case LINUX_IP_DROP_SOURCE_MEMBERSHIP:
        return source4(i, name, buf, len);
    default:
        return -LINUX_ENOPROTOOPT;
    }
}

int inet_get_group(struct inet_sock *i, int level, int name, void *buf, uint32_t *len) {
    const struct filter_shape *f = shape_of(level, name);
    return f ? get_filter(i, f, buf, len) : -LINUX_ENOPROTOOPT;
}
