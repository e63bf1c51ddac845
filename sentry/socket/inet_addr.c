// SPDX-License-Identifier: Apache-2.0
// Addresses of inet sockets between the guest's form (sockaddr_in, sockaddr_in6) and the stack's, ip(7) and
// ipv6(7). Pure; no locks.
#include "sentry/socket/inet.h"
#include <string.h>

#define SIN6_LEAST 24u  // RFC 2133: without sin6_scope_id

bool inet_ip_is_any(const struct ns_ip *ip) {
    static const uint8_t zero[16];
    return ns_ip_is4(ip) ? !memcmp(ip->b + 12, zero, 4) : !memcmp(ip->b, zero, 16);
}

bool inet_ip_is_multicast(const struct ns_ip *ip) {
    return ns_ip_is4(ip) ? (ip->b[12] & 0xf0) == 0xe0 : ip->b[0] == 0xff;
}

static struct ns_addr of_in(const struct linux_sockaddr_in *in) {
    const uint8_t *b = (const uint8_t *)&in->sin_addr;
    return (struct ns_addr){.ip = ns_ip4(b[0], b[1], b[2], b[3]), .port = swap16(in->sin_port)};
}

static struct ns_addr of_in6(const struct sock_addr *a) {
    struct ns_addr out = {.port = swap16(a->in6.sin6_port)};
    memcpy(out.ip.b, a->in6.sin6_addr, sizeof out.ip.b);
    out.scope = a->len >= sizeof a->in6 ? a->in6.sin6_scope_id : 0;
    return out;
}

int inet_addr_parse(const struct socket *s, const struct sock_addr *a, struct ns_addr *out) {
    bool six = s->family == LINUX_AF_INET6;
    if (a->len < (six ? SIN6_LEAST : sizeof a->in))
        return -LINUX_EINVAL;
    if (a->family != s->family)
        return -LINUX_EAFNOSUPPORT;
    *out = six ? of_in6(a) : of_in(&a->in);
    return 0;
}

int inet_addr_target(const struct socket *s, const struct sock_addr *a, struct ns_addr *out) {
    // An IPv6 socket takes an IPv4 address as it is (RFC 3493 3.7 wants it mapped), an IPv4 socket one that
    // names no family. Streams have been asked for their own before.
    bool six = s->family == LINUX_AF_INET6, four = a->len >= sizeof a->in;
    if (four && a->family == (six ? LINUX_AF_INET : LINUX_AF_UNSPEC)) {
        *out = of_in(&a->in);
    } else {
        int err = inet_addr_parse(s, a, out);
        if (err < 0)
            return err;
    }
    if (inet_ip_is_any(&out->ip))
        out->ip = ns_ip_is4(&out->ip) ? ns_ip4(127, 0, 0, 1) : (struct ns_ip){.b[15] = 1};
    return 0;
}

void inet_addr_show(const struct socket *s, const struct ns_addr *from, struct sock_addr *out) {
    bool six = s->family == LINUX_AF_INET6;
    *out = (struct sock_addr){.len = six ? sizeof out->in6 : sizeof out->in};
    out->family = s->family;
    if (!six) {
        out->in.sin_port = swap16(from->port);
        memcpy(&out->in.sin_addr, from->ip.b + 12, sizeof out->in.sin_addr);
        return;
    }
    out->in6.sin6_port = swap16(from->port);
    memcpy(out->in6.sin6_addr, from->ip.b, sizeof out->in6.sin6_addr);
    out->in6.sin6_scope_id = from->scope;
}
