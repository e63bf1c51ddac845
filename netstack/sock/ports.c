// SPDX-License-Identifier: Apache-2.0
// The tables of sock.h: who is bound to a port, who is connected to whom, and which port is free. Random
// ports are by RFC 6056 algorithm 3: a keyed offset for each destination, and a counter. Lock: the stack's.
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/ip/group.h"
#include "netstack/sock/sock.h"

#define PORT_FIRST 32768  // Linux: ip_local_port_range
#define PORT_COUNT 28232

static unsigned table(uint8_t proto) { return proto == PROTO_TCP; }

static unsigned slot(uint16_t port) { return (port ^ port >> 8) % STACK_PORT_HASH; }

static struct list *port_bucket(struct netstack *ns, uint8_t proto, uint16_t port) {
    invariant(proto == PROTO_TCP || proto == PROTO_UDP);
    return list_bucket(&ns->bound[table(proto)][slot(port)]);
}

static struct list *used_bucket(struct netstack *ns, uint8_t proto, uint16_t port) {
    return list_bucket(&ns->used[table(proto)][slot(port)]);
}

// Its port is in use until it is closed, also when what it was connected to is no more.
static void use_port(struct ns_sock *s) {
    list_del(&s->used);
    list_add(used_bucket(s->ns, s->ops->proto, s->local.port), &s->used);
}

struct conn_key {
    struct ns_ip local, remote;
    uint16_t lport, rport;
    uint32_t proto;
};

static struct list *conn_bucket(struct netstack *ns, uint8_t proto, const struct ns_addr *local,
                                const struct ns_addr *remote) {
    struct conn_key key = {local->ip, remote->ip, local->port, remote->port, proto};
    return list_bucket(&ns->conns[siphash_slot(&ns->key, &key, sizeof key) % STACK_CONN_HASH]);
}

void sock_hash_conn(struct ns_sock *s) {
    s->connected = true;
    list_del(&s->conn);
    list_add(conn_bucket(s->ns, s->ops->proto, &s->local, &s->remote), &s->conn);
    use_port(s);
}

void sock_unhash(struct ns_sock *s) {
    list_del(&s->conn);
    list_del(&s->port);
}

struct ns_sock *sock_find_conn(struct netstack *ns, uint8_t proto, const struct ns_addr *local,
                               const struct ns_addr *remote) {
    struct ns_sock *s;
    list_for_each(s, conn_bucket(ns, proto, local, remote), conn) {
        if (s->local.port == local->port && s->remote.port == remote->port && s->ops->proto == proto &&
            ip_eq(&s->local.ip, &local->ip) && ip_eq(&s->remote.ip, &remote->ip))
            return s;
    }
    return NULL;
}

// -1: not for it at all. p: the packet, or NULL.
static int score(const struct ns_sock *s, const struct pkt *p, const struct ns_addr *local,
                 const struct ns_addr *remote) {
    int points = s->family == NS_INET ? 1 : 0;
    if (s->local.port != local->port || !sock_family_ok(s, &local->ip))
        return -1;
    if (s->ops->proto == PROTO_TCP && !s->listening)  // bound, and that is all: it may not hide a listener
        return -1;
    if (!sock_on_netif(s, p))
        return -1;
    points += s->opt[NS_OPT_BIND_IF] ? 2 : 0;
    if (!ip_is_any(&s->local.ip)) {
        if (!ip_eq(&s->local.ip, &local->ip))
            return -1;
        points += 4;
    }
    if (s->connected) {
        if (s->remote.port != remote->port || !ip_eq(&s->remote.ip, &remote->ip))
            return -1;
        points += 8;
    }
    return points;
}

// Of those that share the port and fit as well as the first, the flow's own.
static struct ns_sock *one_of(struct ns_sock *first, unsigned n, int fit, const struct pkt *p,
                              const struct ns_addr *local, const struct ns_addr *remote) {
    struct netstack *ns = first->ns;
    struct conn_key key = {local->ip, remote->ip, local->port, remote->port, first->ops->proto};
    unsigned at = (unsigned)(siphash(&ns->key, &key, sizeof key) % n);
    struct ns_sock *s;
    list_for_each(s, port_bucket(ns, first->ops->proto, local->port), port)
        if (score(s, p, local, remote) == fit && at-- == 0)
            return s;
    return first;
}

struct ns_sock *sock_find_bound(struct netstack *ns, const struct pkt *p, uint8_t proto,
                                const struct ns_addr *local, const struct ns_addr *remote) {
    struct ns_sock *s, *best = NULL;
    int best_score = -1;
    unsigned equals = 0;
    list_for_each(s, port_bucket(ns, proto, local->port), port) {
        int n = score(s, p, local, remote);
        if (n < 0)
            continue;
        if (n == best_score)
            equals++;
        if (n > best_score) {
            best = s;
            best_score = n;
            equals = 1;
        }
    }
    return equals > 1 && best->opt[NS_OPT_REUSEPORT] ? one_of(best, equals, best_score, p, local, remote)
                                                     : best;
}

struct ns_sock *sock_next_bound(const struct pkt *p, uint8_t proto, const struct ns_addr *local,
                                const struct ns_addr *remote, struct ns_sock *last) {
    struct list *head = port_bucket(p->ns, proto, local->port);
    for (struct list *it = last ? last->port.next : head->next; it != head; it = it->next) {
        struct ns_sock *s = container_of(it, struct ns_sock, port);
        if (score(s, p, local, remote) >= 0 && (!ip_is_multicast(&local->ip) || sock_hears(s, p)))
            return s;
    }
    return NULL;
}

// ---- Binding ----------------------------------------------------------------------------------------------
static bool families_meet(const struct ns_sock *a, const struct ns_ip *aip, const struct ns_sock *b) {
    bool a4 = a->family == NS_INET || ns_ip_is4(aip), b4 = b->family == NS_INET || ns_ip_is4(&b->local.ip);
    if (a4 == b4)
        return true;
    // One is IPv6: it has the IPv4 port as well when it is unspecified and not for IPv6 only.
    const struct ns_sock *six = a4 ? b : a;
    return ip_is_any(a4 ? &b->local.ip : aip) && !six->opt[NS_OPT_V6ONLY];
}

static bool conflicts(const struct ns_sock *s, const struct ns_ip *ip, const struct ns_sock *other) {
    if (other == s || other->ops != s->ops || !families_meet(s, ip, other))
        return false;
    int dev = s->opt[NS_OPT_BIND_IF], other_dev = other->opt[NS_OPT_BIND_IF];
    if (dev && other_dev && dev != other_dev)
        return false;
    if (!ip_is_any(ip) && !ip_is_any(&other->local.ip) && !ip_eq(ip, &other->local.ip))
        return false;
    if (s->opt[NS_OPT_REUSEPORT] && other->opt[NS_OPT_REUSEPORT] && s->owner == other->owner)
        return false;
    if (!s->opt[NS_OPT_REUSEADDR] || !other->opt[NS_OPT_REUSEADDR])
        return true;
    // socket(7): with SO_REUSEADDR on both, only a listener holds on to its address.
    return other->listening;
}

static bool port_free(struct ns_sock *s, const struct ns_ip *ip, uint16_t port) {
    struct ns_sock *other;
    list_for_each(other, used_bucket(s->ns, s->ops->proto, port), used) {
        if (other->local.port == port && conflicts(s, ip, other))
            return false;
    }
    return true;
}

// Which ports may be chosen: Linux' inet_sk_get_local_port_range().
static uint32_t port_range(const struct ns_sock *s, uint32_t *first) {
    uint32_t v = (uint32_t)s->opt[NS_OPT_PORT_RANGE], low = v & 0xffff, high = v >> 16;
    uint32_t last = PORT_FIRST + PORT_COUNT - 1;
    *first = PORT_FIRST <= low && low <= last ? low : PORT_FIRST;
    last = PORT_FIRST <= high && high <= last ? high : last;
    return last < *first ? 0 : last - *first + 1;
}

int sock_bind_port(struct ns_sock *s, const struct ns_ip *ip, uint16_t port) {
    struct netstack *ns = s->ns;
    if (port == 0) {
        uint32_t first, n = port_range(s, &first), start = stack_random(ns), i = 0;
        while (i < n && !port_free(s, ip, (uint16_t)(first + (start % n + i) % n)))
            i++;
        if (i == n)
            return -LINUX_EADDRINUSE;
        port = (uint16_t)(first + (start % n + i) % n);
    } else if (!port_free(s, ip, port)) {
        return -LINUX_EADDRINUSE;
    }
    s->local = (struct ns_addr){*ip, port, 0};
    list_add(port_bucket(ns, s->ops->proto, port), &s->port);
    use_port(s);
    return 0;
}

bool sock_listener_conflict(struct ns_sock *s) {
    struct ns_sock *other;
    list_for_each(other, port_bucket(s->ns, s->ops->proto, s->local.port), port) {
        if (other->listening && other->local.port == s->local.port && conflicts(s, &s->local.ip, other))
            return true;
    }
    return false;
}

// Whether a socket that is bound without being connected has the port: a connection then does not take it.
static bool port_taken(struct ns_sock *s, uint16_t port) {
    struct ns_sock *other;
    list_for_each(other, port_bucket(s->ns, s->ops->proto, port), port) {
        if (other->local.port == port)
            return true;
    }
    return false;
}

int sock_pick_port(struct ns_sock *s) {
    struct netstack *ns = s->ns;
    struct conn_key key = {s->local.ip, s->remote.ip, 0, s->remote.port, s->ops->proto};
    uint32_t offset = (uint32_t)siphash(&ns->key, &key, sizeof key), first, n = port_range(s, &first);
    for (uint32_t i = 0; i < n; i++) {
        struct ns_addr local = {s->local.ip, (uint16_t)(first + (offset + ns->port_seed++) % n)};
        if (port_taken(s, local.port) || sock_find_conn(ns, s->ops->proto, &local, &s->remote))
            continue;
        s->local.port = local.port;
        return 0;
    }
    return -LINUX_EADDRNOTAVAIL;
}
