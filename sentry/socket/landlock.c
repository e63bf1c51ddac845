// SPDX-License-Identifier: Apache-2.0
// landlock(7) for TCP: which ports a task may bind, or connect to. Called by bind(2) and connect(2) before
// the socket's own operation. (Scopes of abstract unix sockets are looked at in unix_name.c.)
#include "fs/landlock.h"
#include "sentry/proc/cred.h"
#include "sentry/socket/socket.h"

static bool is_tcp(const struct socket *s) {
    return (s->family == LINUX_AF_INET || s->family == LINUX_AF_INET6) && s->type == LINUX_SOCK_STREAM &&
           (s->protocol == 0 || s->protocol == LINUX_IPPROTO_TCP);
}
// The port, or -LINUX_E*; NO_PORT: it has none, or none that matters.
#define NO_PORT          INT32_MIN
#define SIN6_LEN_RFC2133 24u  // without the scope
static int32_t port_of(const struct socket *s, const struct sock_addr *a, bool binds) {
    if (a->len < sizeof a->family)
        return -LINUX_EINVAL;
    if (a->family == LINUX_AF_UNSPEC && !binds)  // ends a connection
        return NO_PORT;
    if (a->family != LINUX_AF_INET && a->family != LINUX_AF_INET6 && a->family != LINUX_AF_UNSPEC)
        return NO_PORT;
    bool six = a->family == LINUX_AF_INET6 || (a->family == LINUX_AF_UNSPEC && s->family == LINUX_AF_INET6);
    if (a->len < (six ? SIN6_LEN_RFC2133 : sizeof a->in))
        return -LINUX_EINVAL;
    if (a->family == LINUX_AF_UNSPEC) {  // of old: any address of IPv4
        if (six || a->in.sin_addr)
            return -LINUX_EAFNOSUPPORT;
    } else if (a->family != s->family) {
        return -LINUX_EINVAL;
    }
    return __builtin_bswap16(a->in.sin_port);  // at the same place in both
}
int socket_landlock(const struct task *t, const struct socket *s, const struct sock_addr *a,
                    uint64_t access) {
    const struct landlock_domain *d = t->cred->landlock;
    if (!landlock_handles_ports(d, access) || !is_tcp(s))
        return 0;
    int32_t port = port_of(s, a, access == LINUX_LANDLOCK_ACCESS_NET_BIND_TCP);
    if (port < 0)
        return port == NO_PORT ? 0 : port;
    return landlock_may_port(d, (uint16_t)port, access);
}
