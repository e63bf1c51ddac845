// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7): links that are made, changed, moved to other namespaces and deleted. A request is read whole
// before anything is done.
// LIMIT: links are veth, bridge and dummy. What these are made with (IFLA_INFO_DATA) is a pair's other end,
// and of a bridge that it has no spanning tree; everything else there, and IFLA_AF_SPEC, is EOPNOTSUPP. Of a
// link from outside, and of the loopback, state, name and a shorter MTU can be changed; lengths of queues,
// groups and other attributes are not looked at.
#include "abi/errno.h"
#include "sentry/net/netdev.h"
#include "sentry/net/rtnl_impl.h"
#include "sentry/socket/net_ns.h"
#include <string.h>

struct attrs {
    const uint8_t *p;
    size_t n;
};

static bool is_name(const char *s) {
    if (!*s || !strcmp(s, ".") || !strcmp(s, ".."))
        return false;
    for (; *s; s++)
        if (*s == '/' || *s == ':' || (unsigned char)*s <= ' ' || *s == 0x7f)
            return false;
    return true;
}

// A word, or ERANGE when it is shorter; 1: it is there.
static int word(const struct attrs *a, uint16_t attr, uint32_t *to) {
    size_t len = 0;
    const void *v = nl_find(a->p, a->n, attr, &len);
    if (v && len < sizeof *to)
        return -LINUX_ERANGE;
    if (v)
        memcpy(to, v, sizeof *to);
    return v != NULL;
}

// A text into *to, of `size` bytes with its NUL; 1: it is there.
static int text(const struct attrs *a, uint16_t attr, char *to, size_t size) {
    size_t len = 0;
    const char *v = nl_find(a->p, a->n, attr, &len);
    if (!v)
        return 0;
    len = strnlen(v, len);
    if (len >= size)
        return -LINUX_ERANGE;
    memcpy(to, v, len);
    to[len] = '\0';
    return 1;
}

static int read_netns(struct rtnl_out *o, const struct attrs *a, struct net_link_change *c) {
    static const uint16_t names[] = {LINUX_IFLA_NET_NS_PID, LINUX_IFLA_NET_NS_FD, LINUX_IFLA_TARGET_NETNSID};
    uint32_t v;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        int has = word(a, names[i], &v);
        if (has < 0)
            return has;
        if (!has)
            continue;
        if (!o->netns)
            return -LINUX_EOPNOTSUPP;
        int err = o->netns(o, names[i], v, true, &c->netns);
        if (err == 0)
            c->what |= NET_CHANGE_NETNS;
        return err;
    }
    return 0;
}

static void done(struct net_link_change *c) {
    if (c->what & NET_CHANGE_NETNS)
        net_ns_put(c->netns);
}

static int read_flags(const struct linux_ifinfomsg *m, struct net_link_change *c) {
    bool all = m->ifi_change == ~0u || (m->ifi_change == 0 && m->ifi_flags);
    if (!all && m->ifi_change & ~(uint32_t)LINUX_IFF_UP)
        return -LINUX_EOPNOTSUPP;
    if (all || m->ifi_change) {
        c->what |= NET_CHANGE_UP;
        c->up = m->ifi_flags & LINUX_IFF_UP;
    }
    return 0;
}

// named: IFLA_IFNAME is a new name. done() is to be called when it returns 0.
static int read_change(struct rtnl_out *o, const struct linux_ifinfomsg *m, const struct attrs *a, bool named,
                       struct net_link_change *c) {
    size_t len = 0;
    uint32_t v;
    *c = (struct net_link_change){.what = 0};
    int err = read_flags(m, c), has = named ? text(a, LINUX_IFLA_IFNAME, c->name, sizeof c->name) : 0;
    if (err < 0 || has < 0)
        return err < 0 ? err : has;
    if (has && *c->name && !is_name(c->name))
        return -LINUX_EINVAL;
    c->what |= has && *c->name ? NET_CHANGE_NAME : 0;
    if ((has = word(a, LINUX_IFLA_MTU, &c->mtu)) < 0)
        return has;
    c->what |= has ? NET_CHANGE_MTU : 0;
    if ((has = word(a, LINUX_IFLA_MASTER, &v)) < 0)
        return has;
    c->what |= has ? NET_CHANGE_MASTER : 0;
    c->master = has ? (int32_t)v : 0;
    const void *hw = nl_find(a->p, a->n, LINUX_IFLA_ADDRESS, &len);
    if (hw && len < sizeof c->hw)
        return -LINUX_EINVAL;
    if (hw) {
        memcpy(c->hw, hw, sizeof c->hw);
        c->what |= NET_CHANGE_HW;
    }
    if (nl_find(a->p, a->n, LINUX_IFLA_AF_SPEC, &len))
        return -LINUX_EOPNOTSUPP;
    return read_netns(o, a, c);
}

static int take_apart(const struct request *q, struct linux_ifinfomsg *m, struct attrs *a) {
    if (q->n < sizeof *m)
        return -LINUX_EINVAL;
    memcpy(m, q->body, sizeof *m);
    *a = (struct attrs){q->body + sizeof *m, q->n - sizeof *m};
    return 0;
}

// ---- A link that is there ---------------------------------------------------------------------------------
int rtnl_set_link(struct rtnl_out *o, const struct request *q, const struct net_link *l) {
    struct linux_ifinfomsg m;
    struct attrs a;
    struct net_link_change c;
    struct net_news news = {0};
    int err = take_apart(q, &m, &a);
    if (err < 0)
        return err;
    if (!o->net->ops->change_link)
        return -LINUX_EOPNOTSUPP;
    err = read_change(o, &m, &a, m.ifi_index > 0, &c);
    if (err < 0)
        return err;
    bool up = l->flags & LINUX_IFF_UP, same = c.what == NET_CHANGE_UP && c.up == up;
    if (c.what && !same)
        err = o->net->ops->change_link(o->net, l->index, &c, &news);
    bool told = news.n > 0;
    if (told)
        o->notify_links(o, &news);
    done(&c);
    return err == 0 && c.what && !same && !told ? 1 : err;
}

int rtnl_del_link(struct rtnl_out *o, const struct request *q) {
    struct net_link l;
    struct net_news news = {0};
    int err = rtnl_find_link(o->net, q, &l);
    if (err < 0)
        return err;
    err = o->net->ops->del_link ? o->net->ops->del_link(o->net, l.index, &news) : -LINUX_EOPNOTSUPP;
    if (news.n > 0)
        o->notify_links(o, &news);
    return err;
}

// ---- A new one --------------------------------------------------------------------------------------------
static int read_peer(struct rtnl_out *o, const struct attrs *data, struct net_new_link *w) {
    struct linux_ifinfomsg m = {0};
    struct attrs a = {NULL, 0};
    size_t len = 0;
    const uint8_t *peer = nl_find(data->p, data->n, LINUX_VETH_INFO_PEER, &len);
    if (peer && len < sizeof m)
        return -LINUX_EINVAL;
    if (peer) {
        memcpy(&m, peer, sizeof m);
        a = (struct attrs){peer + sizeof m, len - sizeof m};
    }
    return read_change(o, &m, &a, true, &w->peer);
}

static int read_bridge(const struct attrs *data) {
    size_t len = 0;
    static const uint32_t none;
    if (data->n == 0)
        return 0;
    const void *stp = nl_find(data->p, data->n, LINUX_IFLA_BR_STP_STATE, &len);
    bool alone = stp && NL_ALIGN(len + sizeof(struct linux_nlattr)) >= data->n;
    return alone && len >= sizeof none && !memcmp(stp, &none, sizeof none) ? 0 : -LINUX_EOPNOTSUPP;
}

static int read_data(struct rtnl_out *o, const struct attrs *info, struct net_new_link *w) {
    struct attrs data = {NULL, 0};
    data.p = nl_find(info->p, info->n, LINUX_IFLA_INFO_DATA, &data.n);
    w->peer.what = 0;
    if (!strcmp(w->kind, "veth"))
        return read_peer(o, &data, w);
    if (!strcmp(w->kind, "bridge"))
        return read_bridge(&data);
    return data.n ? -LINUX_EOPNOTSUPP : 0;
}

int rtnl_new_link(struct rtnl_out *o, const struct request *q) {
    struct linux_ifinfomsg m;
    struct attrs a, info = {NULL, 0};
    struct net_new_link w = {.kind = ""};
    struct net_news news = {0};
    int err = take_apart(q, &m, &a);
    if (err < 0)
        return err;
    info.p = nl_find(a.p, a.n, LINUX_IFLA_LINKINFO, &info.n);
    int has = info.p ? text(&info, LINUX_IFLA_INFO_KIND, w.kind, sizeof w.kind) : 0;
    if (has <= 0 || !o->net->ops->new_link)
        return has < 0 ? has : -LINUX_EOPNOTSUPP;
    if (m.ifi_index)
        return -LINUX_EOPNOTSUPP;  // LIMIT: a new link's number is not chosen
    err = read_change(o, &m, &a, true, &w.own);
    if (err < 0)
        return err;
    err = read_data(o, &info, &w);
    if (err == 0) {
        err = o->net->ops->new_link(o->net, &w, &news);
        if (news.n > 0)
            o->notify_links(o, &news);
        done(&w.peer);
    }
    done(&w.own);
    return err;
}

// ---- Numbers of namespaces --------------------------------------------------------------------------------
// LIMIT: a network namespace has one number for all, which it is born with; RTM_NEWNSID gives it none.
int rtnl_get_nsid(struct rtnl_out *o, const struct request *q) {
    const size_t fixed = NL_ALIGN(sizeof(struct linux_rtgenmsg));
    if (q->n < fixed)
        return -LINUX_EINVAL;
    const struct attrs a = {q->body + fixed, q->n - fixed};
    struct net_ns *ns;
    uint32_t v;
    int fd = word(&a, NETNSA_FD, &v), pid = fd == 0 ? word(&a, NETNSA_PID, &v) : 0;
    if (fd <= 0 && pid <= 0)
        return -LINUX_EINVAL;
    if (!o->netns)
        return -LINUX_EOPNOTSUPP;
    int err = o->netns(o, fd ? LINUX_IFLA_NET_NS_FD : LINUX_IFLA_NET_NS_PID, v, false, &ns);
    if (err < 0)
        return err;
    _Alignas(4) uint8_t buf[64];
    const uint8_t body[4] = {0};
    struct nl_buf b = {.p = buf, .cap = sizeof buf};
    size_t at = nl_begin(&b, RTM_NEWNSID, 0, q->h.nlmsg_seq, o->portid, body, sizeof body);
    nl_put_u32(&b, NETNSA_NSID, (uint32_t)ns->serial);
    nl_end(&b, at);
    net_ns_put(ns);
    o->reply(o, b.p, b.len, NULL, 0);
    return 0;
}
