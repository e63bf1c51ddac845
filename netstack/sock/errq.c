// SPDX-License-Identifier: Apache-2.0
// The error queue of a socket, ip(7) "IP_RECVERR": ICMP errors about what it sent, each with what they quote
// of it, and what its user queues himself. An entry is a packet, charged like all others: a struct ns_error
// and the quoted bytes behind it. Lock: the stack's.
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/sock/sock.h"

static void head_of(const struct pkt *p, struct ns_error *e) { pkt_copy(p, 0, e, sizeof *e); }

// `quoted`: NULL, or the packet whose bytes from `at` on go along.
static void add(struct ns_sock *s, const struct ns_error *e, const struct pkt *quoted, uint32_t at) {
    struct netstack *ns = s->ns;
    uint32_t n = quoted && at < quoted->len ? quoted->len - at : 0;
    struct pkt *p = pkt_alloc(ns);
    struct buf *b = p ? buf_alloc(ns, (uint32_t)sizeof *e + n) : NULL;
    if (b) {
        memcpy(b->data, e, sizeof *e);
        if (n)
            pkt_copy(quoted, at, b->data + sizeof *e, n);
        b->fill = b->cap;
        pkt_attach(p, b, 0, (uint32_t)sizeof *e + n);
        buf_put(b);
    }
    if (b && pktq_has_room(&s->errors, p, s->opt[NS_OPT_RCVBUF])) {
        pktq_add(&s->errors, p);
        return;
    }
    count(ns, errors_drop_full);
    pkt_free(p);
}

bool sock_note_error(struct ns_sock *s, const struct ip_error *e, uint32_t skip, uint16_t dport) {
    bool four = ns_ip_is4(&e->dst);
    if (!s->opt[four ? NS_OPT_RECVERR : NS_OPT_RECVERR6])
        return false;
    struct ns_error err = {.err = e->err, .info = e->mtu, .dst = {.ip = e->dst, .port = dport}};
    if (e->icmp) {
        err.origin = four ? NS_ERROR_ICMP : NS_ERROR_ICMP6;
        err.type = e->type;
        err.code = e->code;
        err.offender = e->icmp->src;
        err.netif = e->icmp->nif->index;
        add(s, &err, e->icmp, e->l4_at + skip);
    } else {
        err.origin = NS_ERROR_LOCAL;
        add(s, &err, NULL, 0);
    }
    if (e->icmp || e->err != LINUX_EMSGSIZE)
        sock_error(s, e->err);
    else
        sock_wake(s, NS_ERR);  // its send has failed by that already
    return true;
}

static bool is_icmp(const struct ns_error *e) {
    return e->origin == NS_ERROR_ICMP || e->origin == NS_ERROR_ICMP6;
}

// The next error stays the socket's; with the last one that ICMP told nothing is left of it.
static void after(struct ns_sock *s, const struct ns_error *taken) {
    struct ns_error next = {.err = 0};
    if (!pktq_empty(&s->errors))
        head_of(list_first(&s->errors.packets, struct pkt, link), &next);
    if (is_icmp(&next))
        s->error = next.err;
    else if (is_icmp(taken))
        s->error = 0;
    if (!pktq_empty(&s->errors))
        sock_wake(s, NS_ERR);
}

int64_t ns_recv_error(struct ns_sock *s, struct ns_io *io, struct ns_error *e) {
    IN_STACK(s->ns);
    struct ns_io whole = *io;
    if (pktq_empty(&s->errors))
        return -LINUX_EAGAIN;
    struct pkt *p = pktq_take(&s->errors);
    head_of(p, e);
    pkt_skip(p, sizeof *e);
    int64_t all = p->len, n = whole.left ? pkt_read(p, io) : 0;
    pkt_free(p);
    after(s, e);
    return n < 0 ? n : all;
}

void ns_add_error(struct ns_sock *s, const struct ns_error *e) {
    IN_STACK(s->ns);
    struct pkt *last = NULL;
    struct ns_error before;
    if (!pktq_empty(&s->errors)) {
        last = container_of(s->errors.packets.prev, struct pkt, link);
        head_of(last, &before);
    }
    bool joins = last && e->origin == NS_ERROR_ZEROCOPY && before.origin == e->origin &&
                 before.code == e->code && before.data + 1 == e->info;
    if (joins) {
        before.data = e->data;
        memcpy(last->frags[0].buf->data, &before, sizeof before);
    } else {
        add(s, e, NULL, 0);
    }
    sock_wake(s, NS_ERR);
}
