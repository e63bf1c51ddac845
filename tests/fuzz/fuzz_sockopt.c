// SPDX-License-Identifier: Apache-2.0
// A hostile guest at its sockets: options set and asked for with any level, name, length and value, control
// messages of any kind, sends over loopback, and what is told of what comes back; on TCP, UDP, raw, ping and
// unix sockets. Each step of the input is a byte for what to do, one for the socket, one each for level, name
// and length, and that many bytes. What must hold: no crash, no answer longer than there was room for, and at
// the end nothing is left of the stack (netstack_destroy() sees to that).
#include "abi/caps.h"
#include "abi/inet.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include "sentry/socket/socket.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    int family, type, protocol;
} kinds[] = {
    {LINUX_AF_INET, LINUX_SOCK_STREAM, 0},
    {LINUX_AF_INET, LINUX_SOCK_DGRAM, 0},
    {LINUX_AF_INET6, LINUX_SOCK_STREAM, 0},
    {LINUX_AF_INET6, LINUX_SOCK_DGRAM, 0},
    {LINUX_AF_INET, LINUX_SOCK_RAW, LINUX_IPPROTO_ICMP},
    {LINUX_AF_INET6, LINUX_SOCK_RAW, LINUX_IPPROTO_ICMPV6},
    {LINUX_AF_INET, LINUX_SOCK_DGRAM, LINUX_IPPROTO_ICMP},
    {LINUX_AF_UNIX, LINUX_SOCK_STREAM, 0},
    {LINUX_AF_NETLINK, LINUX_SOCK_RAW, 0},
};
#define KINDS (sizeof kinds / sizeof kinds[0])
static const int levels[] = {LINUX_SOL_SOCKET, LINUX_SOL_IP,  LINUX_SOL_IPV6,   LINUX_SOL_TCP,
                             LINUX_SOL_UDP,    LINUX_SOL_RAW, LINUX_SOL_ICMPV6, LINUX_SOL_NETLINK};
#define LEVELS (sizeof levels / sizeof levels[0])

struct world {
    struct kernel *k;
    struct task *t;
    struct cred *cred;
    struct nsproxy *ns;
    struct socket *s[KINDS];
};

static int put(struct sock_cmsg_sink *o, int level, int type, const void *data, size_t len) {
    uint8_t *copy = malloc(len ? len : 1);
    if (!copy)
        abort();
    memcpy(copy, data, len);
    free(copy);
    return 0;
}

static int open_socket(struct world *w, unsigned k) {
    int family = kinds[k].family, type = kinds[k].type;
    if (family == LINUX_AF_UNIX)
        return unix_socket(w->t, type, 0, &w->s[k]);
    if (family == LINUX_AF_NETLINK)
        return netlink_socket(w->t, type, kinds[k].protocol, &w->s[k]);
    return inet_socket(w->t, family, type, kinds[k].protocol, &w->s[k]);
}

static void stays(struct ns *n) {}

static void begin(struct world *w) {
    w->k = calloc(1, sizeof *w->k);
    w->t = calloc(1, sizeof *w->t);
    w->cred = calloc(1, sizeof *w->cred);
    if (!w->k || !w->t || !w->cred)
        abort();
    w->t->k = w->k;
    w->t->cred = w->cred;
    w->cred->cap_effective = ~0ull;
    w->cred->user = calloc(1, sizeof *w->cred->user);
    if (!w->cred->user)
        abort();
    timers_init(&w->k->timers);
    w->ns = calloc(1, sizeof *w->ns);
    if (!w->ns)
        abort();
    nets_init(&w->k->nets, &w->k->timers, 1 << 20);
    ns_init(&w->k->net.ns, NS_NET, NULL, 1, NULL, stays);  // it belongs to nobody, so to the first
    if (net_ns_init(&w->k->net, &w->k->nets, &w->k->timers, 1 << 20, false) < 0)
        abort();
    ref_init(&w->ns->refs, 1);
    w->ns->of[NS_NET] = &w->k->net.ns;
    w->t->nsproxy = w->ns;
    atomic_store(&w->k->net.inet.ping_groups, 0x7fffffff);
    for (unsigned k = 0; k < KINDS; k++)
        if (open_socket(w, k) < 0)
            abort();
}

static void end(struct world *w) {
    for (unsigned k = 0; k < KINDS; k++)
        w->s[k]->ops->close(w->s[k]);
    nets_drop(&w->k->nets);
    net_ns_destroy(&w->k->net);
    nets_destroy(&w->k->nets);
    free(w->ns);
    timers_destroy(&w->k->timers);
    free(w->cred->user);
    free(w->cred);
    free(w->t);
    free(w->k);
}

static void get(struct socket *s, int level, int name, uint32_t room) {
    uint8_t buf[SOCK_OPT_MAX];
    uint32_t len = room < sizeof buf ? room : sizeof buf;
    if (level == LINUX_SOL_SOCKET || !s->ops->getopt)
        return;
    if (s->ops->getopt(s, level, name, buf, &len) == 0 && len > sizeof buf)
        abort();
}

static void set(struct world *w, struct socket *s, int level, int name, const uint8_t *p, uint32_t n) {
    uint8_t *copy = calloc(1, n ? n : 1);  // its own block, so that a read beyond it is seen
    if (!copy)
        abort();
    memcpy(copy, p, n);
    if (level != LINUX_SOL_SOCKET && s->ops->setopt)
        s->ops->setopt(s, w->t, level, name, copy, n);
    free(copy);
}

// A send to an address of loopback with a control message, and two receives, one from the error queue.
static void exchange(struct socket *s, int level, int name, const uint8_t *p, uint32_t n) {
    struct sock_addr to = {.len = sizeof to.in6};
    struct sock_msg m = {.flags = LINUX_MSG_DONTWAIT, .addr = &to, .nonblock = true};
    char bytes[64] = "abcdefgh";
    struct uio_kernel out, in;
    if (s->family != LINUX_AF_INET && s->family != LINUX_AF_INET6)
        return;
    to.family = s->family;
    to.in.sin_port = 0x3412;
    to.in.sin_addr = 0x0100007f;
    if (s->family == LINUX_AF_INET6) {
        to.in6 = (struct linux_sockaddr_in6){.sin6_family = LINUX_AF_INET6, .sin6_port = 0x3412};
        to.in6.sin6_addr[15] = 1;
    }
    if (s->ops->control && s->ops->control(s, &m, level, name, p, n) < 0)
        return;
    uio_kernel_init(&out, bytes, sizeof bytes);
    m.u = &out.u;
    s->ops->send(s, &m);
    for (int i = 0; i < 2; i++) {
        struct sock_addr from = {.len = 0};
        struct sock_cmsg_sink sink = {put};
        uio_kernel_init(&in, bytes, sizeof bytes);
        struct sock_msg r = {.u = &in.u,
                             .flags = LINUX_MSG_DONTWAIT | (i ? LINUX_MSG_ERRQUEUE : 0),
                             .addr = &from,
                             .nonblock = true};
        if (s->ops->recv(s, &r) >= 0 && s->ops->tell)
            s->ops->tell(s, &r, &sink);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct world w = {0};
    begin(&w);
    while (n >= 5) {
        struct socket *s = w.s[data[1] % KINDS];
        int level = levels[data[2] % LEVELS], name = data[3];
        uint32_t len = data[4];
        unsigned what = data[0] % 3;
        data += 5;
        n -= 5;
        len = len < n ? len : (uint32_t)n;
        if (what == 0)
            set(&w, s, level, name, data, len);
        else if (what == 1)
            get(s, level, name, len);
        else
            exchange(s, level, name, data, len);
        data += len;
        n -= len;
    }
    end(&w);
    return 0;
}
