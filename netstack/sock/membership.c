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
};

static void membership_free(struct ns_sock *s, struct membership *m) {
    list_del(&m->link);
    s->ngroups--;
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

bool sock_hears(const struct ns_sock *s, const struct ns_ip *ip, const struct netif *nif) {
    return s->opt[NS_OPT_MULTICAST_ALL] || member_of(s, ip, nif);
}

static int may_join(const struct ns_sock *s, const struct ns_ip *group) {
    if (s->family == NS_PACKET)
        return -LINUX_EOPNOTSUPP;
    if (!ip_is_multicast(group))
        return -LINUX_EINVAL;
    return ns_ip_is4(group) == (s->family == NS_INET) ? 0 : -LINUX_EAFNOSUPPORT;
}

// ip(7): without an interface the one that a packet to the group would take.
static struct netif *interface_for(struct ns_sock *s, const struct ns_ip *group) {
    struct path path;
    if (s->group_nif)
        return s->group_nif;
    return path_find(s->ns, group, NULL, &path) == 0 ? path.nif : NULL;
}

int ns_join(struct ns_sock *s, const struct ns_ip *group, struct netif *nif) {
    IN_STACK(s->ns);
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
    list_add_tail(&s->groups, &m->link);
    s->ngroups++;
    return 0;
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

void sock_leave_groups(struct ns_sock *s) {
    while (!list_empty(&s->groups))
        leave(s, list_first(&s->groups, struct membership, link));
}

int ns_set_group_interface(struct ns_sock *s, struct netif *nif) {
    IN_STACK(s->ns);
    s->group_nif = nif;
    return 0;
}
