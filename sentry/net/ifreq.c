// SPDX-License-Identifier: Apache-2.0
// The requests of netdevice(7) about links, which a socket of any family answers: what the links of net.h
// are.
// LIMIT: a broadcast address is always the network's own, others' ends of links and lengths of queues are
// EOPNOTSUPP; groups of rtnetlink are not told of addresses that are changed here. SIOCETHTOOL knows nothing
// of a link.
#include "abi/netdevice.h"
#include "abi/socket.h"
#include "fs/vfs.h"
#include "sentry/net/net.h"
#include "sentry/net/netdev.h"
#include <string.h>

static void put_inet(struct linux_ifreq *r, const uint8_t bytes[4]) {
    struct linux_sockaddr_in in = {.sin_family = LINUX_AF_INET};
    memcpy(&in.sin_addr, bytes, 4);
    memcpy(&r->addr, &in, sizeof r->addr);
}
// The IPv4 address of a link, or what goes with it.
static int get_inet(const struct net_source *s, const struct net_link *l, unsigned cmd,
                    struct linux_ifreq *r) {
    struct net_addr a;
    uint8_t mask[4];
    static const uint8_t none[4];
    if (!net_addr_of(s, l->index, LINUX_AF_INET, &a))
        return -LINUX_EADDRNOTAVAIL;
    switch (cmd) {
    case LINUX_SIOCGIFNETMASK:
        for (int i = 0; i < 4; i++) {
            int bits = a.prefix_len - 8 * i;  // of the prefix, from this byte on
            mask[i] = bits > 0 ? (uint8_t)(0xff00 >> (bits < 8 ? bits : 8)) : 0;
        }
        put_inet(r, mask);
        return 0;
    case LINUX_SIOCGIFBRDADDR:
        put_inet(r, a.has_broadcast ? a.broadcast : none);
        return 0;
    default:
        put_inet(r, a.bytes);
        return 0;
    }
}
static int get_one(const struct net_source *s, const struct net_link *l, unsigned cmd,
                   struct linux_ifreq *r) {
    memset(r->bytes, 0, sizeof r->bytes);
    switch (cmd) {
    case LINUX_SIOCGIFFLAGS:
        r->flags = (int16_t)l->flags;
        return 0;
    case LINUX_SIOCGIFINDEX:
        r->value = l->index;
        return 0;
    case LINUX_SIOCGIFMTU:
        r->value = (int32_t)l->mtu;
        return 0;
    case LINUX_SIOCGIFTXQLEN:
        r->value = (int32_t)l->txqlen;
        return 0;
    case LINUX_SIOCGIFHWADDR:
        r->addr.family = l->type;
        memcpy(r->addr.data, l->hw, l->hw_len < sizeof r->addr.data ? l->hw_len : sizeof r->addr.data);
        return 0;
    case LINUX_SIOCGIFMETRIC:
        return 0;
    case LINUX_SIOCETHTOOL:
        return -LINUX_EOPNOTSUPP;
    default:
        return get_inet(s, l, cmd, r);
    }
}

// Links with an IPv4 address, as many as there is room for; without a buffer, how long the list is.
static int64_t list_links(const struct net_source *s, uint64_t arg, struct uaccess *ua) {
    struct linux_ifconf c;
    struct net_addr a;
    struct net_link l;
    int32_t done = 0;
    if (ua->in(ua, &c, uaddr(arg), sizeof c) < 0)
        return -LINUX_EFAULT;
    for (uint32_t at = 0; net_next_addr(s, &at, &a);) {
        struct linux_ifreq r = {0};
        if (a.family != LINUX_AF_INET || !net_link_by_index(s, a.link, &l))
            continue;
        if (c.ifc_buf && c.ifc_len - done < (int32_t)sizeof r)
            break;
        memcpy(r.ifr_name, l.name, sizeof r.ifr_name);
        put_inet(&r, a.bytes);
        if (c.ifc_buf && ua->out(ua, uaddr(c.ifc_buf + (uint64_t)done), &r, sizeof r) < 0)
            return -LINUX_EFAULT;
        done += (int32_t)sizeof r;
    }
    return ua->out(ua, uaddr(arg), &done, sizeof done);  // ifc_len, the first field
}

// _INET: asked of a socket of AF_INET alone
enum kind { NOT_OURS, READS, CHANGES, READS_INET, CHANGES_INET };

static enum kind kind_of(unsigned cmd) {
    switch (cmd) {
    case LINUX_SIOCGIFNAME:
    case LINUX_SIOCGIFFLAGS:
    case LINUX_SIOCGIFMETRIC:
    case LINUX_SIOCGIFMTU:
    case LINUX_SIOCGIFHWADDR:
    case LINUX_SIOCGIFINDEX:
    case LINUX_SIOCGIFTXQLEN:
    case LINUX_SIOCETHTOOL:
        return READS;
    case LINUX_SIOCGIFADDR:
    case LINUX_SIOCGIFDSTADDR:
    case LINUX_SIOCGIFBRDADDR:
    case LINUX_SIOCGIFNETMASK:
        return READS_INET;
    case LINUX_SIOCSIFFLAGS:
    case LINUX_SIOCSIFMTU:
    case LINUX_SIOCSIFNAME:
    case LINUX_SIOCSIFHWADDR:
    case LINUX_SIOCSIFTXQLEN:
        return CHANGES;
    case LINUX_SIOCSIFADDR:
    case LINUX_SIOCSIFDSTADDR:
    case LINUX_SIOCSIFBRDADDR:
    case LINUX_SIOCSIFNETMASK:
        return CHANGES_INET;
    default:
        return NOT_OURS;
    }
}
static int name_of_index(const struct net_source *s, struct linux_ifreq *r) {
    struct net_link l;
    if (!net_link_by_index(s, r->value, &l))
        return -LINUX_ENODEV;
    memcpy(r->ifr_name, l.name, sizeof r->ifr_name);
    return 0;
}
// The prefix that an address has of itself (RFC 791), -1: none may.
static int class_prefix(const uint8_t ip[4]) {
    if (ip[0] < 128)
        return 8;
    if (ip[0] < 192)
        return 16;
    return ip[0] < 224 ? 24 : -1;
}
static int mask_prefix(const uint8_t m[4]) {
    uint32_t v = (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3];
    int bits = v ? __builtin_popcount(v) : 0;
    return v == (bits ? UINT32_MAX << (32 - bits) : 0) ? bits : -LINUX_EINVAL;
}

// The first IPv4 address of a link is replaced: by another of the same length or that of its class, or by the
// same of another length. 0.0.0.0 takes it away.
static int change_inet(const struct net_source *s, const struct net_link *l, unsigned cmd,
                       const struct linux_ifreq *r) {
    struct net_addr old, new = {.link = l->index, .family = LINUX_AF_INET};
    bool had = net_addr_of(s, l->index, LINUX_AF_INET, &old);
    struct linux_sockaddr_in in;
    memcpy(&in, &r->addr, sizeof in);
    if (in.sin_family != LINUX_AF_INET && cmd == LINUX_SIOCSIFADDR)
        return -LINUX_EINVAL;
    if (!s->ops->add_addr || !s->ops->del_addr)
        return -LINUX_EOPNOTSUPP;
    if (!had && cmd != LINUX_SIOCSIFADDR)
        return -LINUX_EADDRNOTAVAIL;
    if (cmd == LINUX_SIOCSIFBRDADDR)
        return 0;
    memcpy(new.bytes, cmd == LINUX_SIOCSIFADDR ? (void *)&in.sin_addr : old.bytes, 4);
    int prefix = class_prefix(new.bytes);
    if (cmd == LINUX_SIOCSIFNETMASK) {
        uint8_t mask[4];
        memcpy(mask, &in.sin_addr, sizeof mask);
        prefix = mask_prefix(mask);
    }
    if (prefix < 0)
        return -LINUX_EINVAL;
    new.prefix_len = (uint8_t)prefix;
    if (had && !memcmp(old.bytes, new.bytes, 4) && old.prefix_len == new.prefix_len)
        return 0;
    int err = had ? s->ops->del_addr(s, &old) : 0;
    if (err < 0 || !memcmp(new.bytes, (uint8_t[4]){0}, 4))
        return err;
    err = s->ops->add_addr(s, &new);
    if (err < 0 && had)
        s->ops->add_addr(s, &old);  // as it was
    return err;
}

static int change_link(const struct net_source *s, const struct net_link *l,
                       const struct net_link_change *c) {
    struct net_news news = {0};
    int err = s->ops->change_link ? s->ops->change_link(s, l->index, c, &news) : -LINUX_EOPNOTSUPP;
    net_news_done(&news);
    return err;
}

static int change_one(const struct net_source *s, const struct net_link *l, unsigned cmd,
                      const struct linux_ifreq *r) {
    struct net_link_change c = {.what = NET_CHANGE_MTU};
    switch (cmd) {
    case LINUX_SIOCSIFFLAGS:
        return s->ops->set_up ? s->ops->set_up(s, l->index, r->flags & LINUX_IFF_UP) : -LINUX_EOPNOTSUPP;
    case LINUX_SIOCSIFADDR:
    case LINUX_SIOCSIFNETMASK:
    case LINUX_SIOCSIFBRDADDR:
        return change_inet(s, l, cmd, r);
    case LINUX_SIOCSIFMTU:
        c.mtu = (uint32_t)r->value;
        return r->value < 0 ? -LINUX_EINVAL : change_link(s, l, &c);
    case LINUX_SIOCSIFHWADDR:
        c.what = NET_CHANGE_HW;
        memcpy(c.hw, r->addr.data, sizeof c.hw);
        return r->addr.family == l->type ? change_link(s, l, &c) : -LINUX_EINVAL;
    default:
        return -LINUX_EOPNOTSUPP;
    }
}
static int about_name(const struct net_source *s, unsigned cmd, bool change, struct linux_ifreq *r,
                      struct uaccess *ua, int32_t *changed) {
    struct net_link l;
    uint64_t data;
    uint32_t what;
    memcpy(&data, r->bytes, sizeof data);
    if (cmd == LINUX_SIOCETHTOOL && ua->in(ua, &what, uaddr(data), sizeof what) < 0)
        return -LINUX_EFAULT;
    r->ifr_name[sizeof r->ifr_name - 1] = '\0';
    if (!net_link_by_name(s, r->ifr_name, &l))
        return -LINUX_ENODEV;
    if (!change)
        return get_one(s, &l, cmd, r);
    int err = change_one(s, &l, cmd, r);
    *changed = err == 0 ? l.index : 0;
    return err;
}

int64_t net_ioctl(const struct net_source *s, int family, unsigned cmd, uint64_t arg, struct uaccess *ua,
                  bool admin, int32_t *changed) {
    struct linux_ifreq r;
    *changed = 0;
    if (cmd == LINUX_SIOCGIFCONF)
        return list_links(s, arg, ua);
    if (net_is_arp_ioctl(cmd) && family == LINUX_AF_INET)
        return net_arp_ioctl(s, cmd, arg, ua, admin);
    enum kind kind = kind_of(cmd);
    if (kind == NOT_OURS || (kind >= READS_INET && family != LINUX_AF_INET))
        return -LINUX_ENOTTY;
    if (ua->in(ua, &r, uaddr(arg), sizeof r) < 0)
        return -LINUX_EFAULT;
    bool change = kind == CHANGES || kind == CHANGES_INET;
    if (change && !admin)
        return -LINUX_EPERM;
    int err = cmd == LINUX_SIOCGIFNAME ? name_of_index(s, &r) : about_name(s, cmd, change, &r, ua, changed);
    return err < 0 ? err : ua->out(ua, uaddr(arg), &r, sizeof r);
}
