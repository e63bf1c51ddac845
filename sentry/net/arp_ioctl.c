// SPDX-License-Identifier: Apache-2.0
// The requests of arp(7) about neighbours over IPv4, which sockets of AF_INET answer: arp(8) makes them.
// LIMIT: proxies (ATF_PUBL) are EOPNOTSUPP.
#include "abi/netdevice.h"
#include "abi/socket.h"
#include "fs/vfs.h"
#include "sentry/net/net.h"
#include <string.h>

static bool find(const struct net_source *s, int32_t link, const uint8_t ip[4], struct net_neigh *out) {
    for (uint32_t at = 0; s->ops->neigh && s->ops->neigh(s, &at, out);)
        if (out->family == LINUX_AF_INET && out->link == link && !memcmp(out->bytes, ip, 4))
            return true;
    return false;
}

// The link whose network has the address: as a packet would go.
static int link_to(const struct net_source *s, const uint8_t ip[4], struct net_link *l) {
    struct net_route r;
    for (uint32_t at = 0; net_next_route(s, &at, &r);) {
        bool direct = r.family == LINUX_AF_INET && r.table == LINUX_RT_TABLE_MAIN && !r.has_gateway;
        unsigned bits = 0;
        while (bits < r.dst_len && !((r.dst[bits / 8] ^ ip[bits / 8]) & 0x80 >> bits % 8))
            bits++;
        if (direct && bits == r.dst_len && net_link_by_index(s, r.link, l))
            return 0;
    }
    return -LINUX_ENETUNREACH;
}

static int get(const struct net_source *s, const struct net_link *l, struct linux_arpreq *r) {
    struct net_neigh n;
    if (!find(s, l->index, r->pa.sin_addr, &n))
        return -LINUX_ENXIO;
    r->flags = n.has_hw ? LINUX_ATF_COM : 0;
    r->flags |= n.state & LINUX_NUD_PERMANENT ? LINUX_ATF_PERM : 0;
    r->ha = (struct linux_hwaddr){.family = l->type};
    memcpy(r->ha.data, n.hw, sizeof n.hw);
    memcpy(r->dev, l->name, sizeof r->dev);
    return 0;
}

static int set(const struct net_source *s, const struct net_link *l, const struct linux_arpreq *r) {
    struct net_neigh n = {.link = l->index, .family = LINUX_AF_INET, .has_hw = true};
    if (r->ha.family != l->type)
        return -LINUX_EINVAL;
    if (!s->ops->set_neigh)
        return -LINUX_EOPNOTSUPP;
    n.state = r->flags & LINUX_ATF_PERM ? LINUX_NUD_PERMANENT : LINUX_NUD_STALE;
    memcpy(n.bytes, r->pa.sin_addr, 4);
    memcpy(n.hw, r->ha.data, sizeof n.hw);
    return s->ops->set_neigh(s, &n);
}

static int drop(const struct net_source *s, const struct net_link *l, const struct linux_arpreq *r) {
    struct net_neigh n;
    if (!s->ops->del_neigh || !find(s, l->index, r->pa.sin_addr, &n))
        return -LINUX_ENXIO;
    return s->ops->del_neigh(s, &n) < 0 ? -LINUX_ENXIO : 0;
}

bool net_is_arp_ioctl(unsigned cmd) {
    return cmd == LINUX_SIOCGARP || cmd == LINUX_SIOCSARP || cmd == LINUX_SIOCDARP;
}

int64_t net_arp_ioctl(const struct net_source *s, unsigned cmd, uint64_t arg, struct uaccess *ua,
                      bool admin) {
    struct linux_arpreq r;
    struct net_link l;
    if (cmd != LINUX_SIOCGARP && !admin)
        return -LINUX_EPERM;
    if (ua->in(ua, &r, uaddr(arg), sizeof r) < 0)
        return -LINUX_EFAULT;
    if (r.pa.family != LINUX_AF_INET)
        return -LINUX_EPFNOSUPPORT;
    if (r.flags & LINUX_ATF_PUBL)
        return -LINUX_EOPNOTSUPP;
    if (r.flags & (LINUX_ATF_NETMASK | LINUX_ATF_DONTPUB))
        return -LINUX_EINVAL;
    r.dev[sizeof r.dev - 1] = '\0';
    if (r.dev[0] ? !net_link_by_name(s, r.dev, &l) : cmd == LINUX_SIOCGARP)
        return -LINUX_ENODEV;
    int err = r.dev[0] ? 0 : link_to(s, r.pa.sin_addr, &l);
    if (err < 0)
        return err;
    if (cmd == LINUX_SIOCSARP)
        return set(s, &l, &r);
    if (cmd == LINUX_SIOCDARP)
        return drop(s, &l, &r);
    err = get(s, &l, &r);
    return err < 0 ? err : ua->out(ua, uaddr(arg), &r, sizeof r);
}
