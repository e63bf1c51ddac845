// SPDX-License-Identifier: Apache-2.0
// Sockets in groups: ip(7)'s IP_ADD_MEMBERSHIP and its kin. That an interface takes a group's packets, and
// tells routers so, is ip/group.c. Lock: the stack's.
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/ip/group.h"
#include "netstack/link/netif.h"
#include "netstack/sock/sock.h"

// A group that a socket has joined.
struct membership {
    struct list link;  // s->groups
    struct group *group;
    bool exclude;  // hears all senders but its sources, else these alone
    bool listed;  // sources were named one by one since it was joined or set: the meaning stays, even of none
    unsigned n;
    struct ns_ip *sources;  // owned; NULL: none
};

static size_t bytes_of(unsigned n) { return n * sizeof(struct ns_ip); }

static void sources_free(struct ns_sock *s, struct membership *m) {
    if (m->sources)
        stack_free(s->ns, m->sources, bytes_of(m->n));
    m->sources = NULL;
    m->n = 0;
}

static void membership_free(struct ns_sock *s, struct membership *m) {
    list_del(&m->link);
    s->ngroups--;
    sources_free(s, m);
    stack_free(s->ns, m, sizeof *m);
}

void sock_forget_netif(struct netif *nif) {
    struct ns_sock *s;
    struct membership *m, *next;
    list_for_each(s, &nif->ns->socks, all) {
        if (s->group_nif == nif)
            s->group_nif = NULL;
        list_for_each_safe(m, next, &s->groups, link) {
            if (m->group->nif == nif)
                membership_free(s, m);
        }
    }
}

static struct membership *member_of(const struct ns_sock *s, const struct ns_ip *ip,
                                    const struct netif *nif) {
    struct membership *m;
    list_for_each(m, &s->groups, link) {
        if (ip_eq(&m->group->ip, ip) && (!nif || m->group->nif == nif))
            return m;
    }
    return NULL;
}

static unsigned source_at(const struct membership *m, const struct ns_ip *ip) {  // m->n: it is none
    unsigned i = 0;
    while (i < m->n && !ip_eq(&m->sources[i], ip))
        i++;
    return i;
}

// RFC 3376 3.1, as Linux' ip_mc_sf_allow() has it.
bool sock_hears(const struct ns_sock *s, const struct pkt *p) {
    const struct membership *m = member_of(s, &p->dst, p->nif);
    if (!m)
        return s->opt[NS_OPT_MULTICAST_ALL];
    return (source_at(m, &p->src) < m->n) != m->exclude;
}

static int may_join(const struct ns_sock *s, const struct ns_ip *group) {
    if (s->family == NS_PACKET)
        return -LINUX_EOPNOTSUPP;
    if (!ip_is_multicast(group))
        return -LINUX_EINVAL;
    return ns_ip_is4(group) || s->family == NS_INET6 ? 0 : -LINUX_EAFNOSUPPORT;
}

// ip(7): without an interface the one that a packet to the group would take.
static struct netif *interface_for(struct ns_sock *s, const struct ns_ip *group) {
    struct path path;
    if (s->group_nif)
        return s->group_nif;
    return path_find(s->ns, group, NULL, &path) == 0 ? path.nif : NULL;
}

static int join(struct ns_sock *s, const struct ns_ip *group, struct netif *nif) {
    int err = may_join(s, group);
    if (err)
        return err;
    if (!nif && !(nif = interface_for(s, group)))
        return -LINUX_ENODEV;
    if (member_of(s, group, nif))
        return -LINUX_EADDRINUSE;
    if (s->ngroups == SOCK_GROUPS)
        return -LINUX_ENOBUFS;
    struct membership *m = stack_alloc(s->ns, sizeof *m);
    if (!m)
        return -LINUX_ENOBUFS;
    if ((err = group_join(nif, group))) {
        stack_free(s->ns, m, sizeof *m);
        return err;
    }
    m->group = group_find(nif, group);
    m->exclude = true;
    list_add_tail(&s->groups, &m->link);
    s->ngroups++;
    return 0;
}

int ns_join(struct ns_sock *s, const struct ns_ip *group, struct netif *nif) {
    IN_STACK(s->ns);
    return join(s, group, nif);
}

static void leave(struct ns_sock *s, struct membership *m) {
    struct netif *nif = m->group->nif;
    struct ns_ip ip = m->group->ip;
    membership_free(s, m);
    group_leave(nif, &ip);
}

int ns_leave(struct ns_sock *s, const struct ns_ip *group, struct netif *nif) {
    IN_STACK(s->ns);
    int err = may_join(s, group);
    if (err)
        return err;
    struct membership *m = member_of(s, group, nif);
    if (!m)
        return -LINUX_EADDRNOTAVAIL;
    leave(s, m);
    return 0;
}

static int find_member(struct ns_sock *s, const struct ns_ip *group, struct netif **nif,
                       struct membership **m) {
    int err = may_join(s, group);
    if (err)
        return err;
    if (!*nif && !(*nif = interface_for(s, group)))
        return -LINUX_ENODEV;
    *m = member_of(s, group, *nif);
    return 0;
}

// The list becomes `n` of `from`, which may be the old one.
static int replace(struct ns_sock *s, struct membership *m, const struct ns_ip *from, unsigned n) {
    struct ns_ip *fresh = n ? stack_alloc(s->ns, bytes_of(n)) : NULL;
    if (n && !fresh)
        return -LINUX_ENOBUFS;
    if (n)
        memcpy(fresh, from, bytes_of(n));
    sources_free(s, m);
    m->sources = fresh;
    m->n = n;
    return 0;
}

static int add_source(struct ns_sock *s, struct membership *m, const struct ns_ip *source) {
    struct ns_ip all[NS_SOURCES6];
    unsigned most = ns_ip_is4(source) ? NS_SOURCES4 : NS_SOURCES6;
    if (m->n >= most)
        return -LINUX_ENOBUFS;
    if (source_at(m, source) < m->n)
        return -LINUX_EADDRNOTAVAIL;
    if (m->n)
        memcpy(all, m->sources, bytes_of(m->n));
    all[m->n] = *source;
    m->listed = true;
    return replace(s, m, all, m->n + 1);
}

static int drop_source(struct ns_sock *s, struct membership *m, const struct ns_ip *source) {
    struct ns_ip rest[NS_SOURCES6];
    unsigned at = source_at(m, source);
    if (at == m->n)
        return -LINUX_EADDRNOTAVAIL;
    if (m->n == 1 && !m->exclude) {
        leave(s, m);
        return 0;
    }
    memcpy(rest, m->sources, bytes_of(at));
    memcpy(rest + at, m->sources + at + 1, bytes_of(m->n - at - 1));
    return replace(s, m, rest, m->n - 1);
}

// ip_mc_source() of Linux.
static int change_source(struct ns_sock *s, const struct ns_ip *group, struct netif *nif, bool exclude,
                         bool add, const struct ns_ip *source) {
    struct membership *m;
    int err = find_member(s, group, &nif, &m);
    if (err)
        return err;
    if (!m || ((m->n || m->listed) && m->exclude != exclude))
        return -LINUX_EINVAL;
    m->exclude = exclude;
    return add ? add_source(s, m, source) : drop_source(s, m, source);
}

int ns_change_source(struct ns_sock *s, const struct ns_ip *group, struct netif *nif, bool exclude, bool add,
                     const struct ns_ip *source) {
    IN_STACK(s->ns);
    return change_source(s, group, nif, exclude, add, source);
}

// Nothing comes in between the two: no packet of another sender is heard.
int ns_join_source(struct ns_sock *s, const struct ns_ip *group, struct netif *nif,
                   const struct ns_ip *source) {
    IN_STACK(s->ns);
    int joined = join(s, group, nif);
    if (joined && joined != -LINUX_EADDRINUSE)
        return joined;
    int err = change_source(s, group, nif, false, true, source);
    struct membership *m;
    if (err && !joined && find_member(s, group, &nif, &m) == 0 && m)
        leave(s, m);  // it would hear nobody
    return err;
}

// ip_mc_msfilter() of Linux.
int ns_set_sources(struct ns_sock *s, const struct ns_ip *group, struct netif *nif,
                   const struct ns_sources *f) {
    IN_STACK(s->ns);
    struct membership *m;
    int err = find_member(s, group, &nif, &m);
    if (err)
        return err;
    if (!m)
        return !f->exclude && !f->n ? -LINUX_EADDRNOTAVAIL : -LINUX_EINVAL;
    if (!f->exclude && !f->n) {  // nobody is heard: it is left
        leave(s, m);
        return 0;
    }
    err = replace(s, m, f->ip, f->n);
    if (err)
        return err;
    m->exclude = f->exclude;
    m->listed = false;
    return 0;
}

int ns_get_sources(struct ns_sock *s, const struct ns_ip *group, struct netif *nif, struct ns_sources *out) {
    IN_STACK(s->ns);
    struct membership *m;
    int err = find_member(s, group, &nif, &m);
    if (err)
        return err;
    if (!m)
        return -LINUX_EADDRNOTAVAIL;
    out->exclude = m->exclude;
    out->n = m->n;
    if (m->n)
        memcpy(out->ip, m->sources, bytes_of(m->n));
    return 0;
}

void sock_leave_groups(struct ns_sock *s) {
    while (!list_empty(&s->groups))
        leave(s, list_first(&s->groups, struct membership, link));
}

int ns_set_group_interface(struct ns_sock *s, struct netif *nif) {
    IN_STACK(s->ns);
    s->group_nif = nif;
    return 0;
}
