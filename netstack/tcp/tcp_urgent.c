// SPDX-License-Identifier: Apache-2.0
// Urgent data (RFC 9293 3.8.5, RFC 6093): a mark in the stream, one byte wide for who reads it apart, as on
// Linux. The byte stays in the reader's queue; without NS_OPT_OOBINLINE a plain read leaves it out and
// NS_MSG_OOB takes it. A read ends at the mark. Called by tcp_in.c, tcp_data.c, tcp_out.c and tcp_api.c.
// Lock: the stack's.
// LIMIT: one mark at a time: a later one replaces it, and the byte at the older one is read in line.
#include "abi/errno.h"
#include "netstack/tcp/tcp.h"
#include "netstack/prot/tcp.h"
#include "netstack/prot/wire.h"

// The peer's pointer is to the byte behind the urgent one (RFC 6093 3.1).
void tcp_urgent(struct tcp *t, const struct tcp_seg *g) {
    uint32_t at = g->seq + g->urgent - 1;
    bool receives =
        t->state == TCPS_ESTABLISHED || t->state == TCPS_FIN_WAIT_1 || t->state == TCPS_FIN_WAIT_2;
    // Nothing new: what is here already, or before the mark that we know.
    if (!receives || g->urgent == 0 || t->fin_taken || seq_lt(at, t->rcv_nxt) ||
        (t->urg != URG_NONE && seq_le(at, t->urg_seq)))
        return;
    t->urg = URG_ANNOUNCED;
    t->urg_seq = at;
    count(t->s.ns, tcp_urgent_in);
    sock_wake(&t->s, NS_PRI);
}

static bool arrived(const struct tcp *t) { return seq_lt(t->urg_seq, t->rcv_nxt - t->fin_taken); }

void tcp_urgent_arrived(struct tcp *t, uint32_t before) {
    if (t->urg == URG_ANNOUNCED && arrived(t) && !seq_lt(t->urg_seq, before))
        sock_wake(&t->s, NS_PRI);
}

bool tcp_urgent_ready(const struct tcp *t) { return t->urg == URG_ANNOUNCED && arrived(t); }

// ---- Reading ----------------------------------------------------------------------------------------------
// How much of n a plain read may take, and how many bytes it leaves out first: it ends at the mark, and at
// the mark the urgent byte is passed over, unless it is read in line.
size_t tcp_urgent_limit(struct tcp *t, size_t n, uint32_t *skip) {
    uint32_t ahead = t->urg_seq - tcp_copied(t);
    *skip = 0;
    if (t->urg == URG_NONE || !arrived(t))
        return n;
    if (ahead == 0) {
        *skip = !t->s.opt[NS_OPT_OOBINLINE];
        return n;
    }
    return ahead < n ? ahead : n;
}

// After a read: who is past the mark has left it behind.
void tcp_urgent_passed(struct tcp *t) {
    if (t->urg != URG_NONE && seq_lt(t->urg_seq, tcp_copied(t)))
        t->urg = URG_NONE;
}

// Bytes to be read at once.
uint32_t tcp_before_mark(const struct tcp *t) {
    uint32_t ahead = t->urg_seq - tcp_copied(t);
    bool apart = t->urg != URG_NONE && arrived(t) && !t->s.opt[NS_OPT_OOBINLINE];
    if (!apart)
        return t->rcvq.len;
    return ahead ? ahead : t->rcvq.len - 1;
}

// tcp(7): EINVAL when there is none, or it is read already, or in line.
int64_t tcp_recv_urgent(struct tcp *t, struct ns_io *io, unsigned flags) {
    if (t->urg != URG_ANNOUNCED || t->s.opt[NS_OPT_OOBINLINE])
        return -LINUX_EINVAL;
    if (!arrived(t))
        return t->fin_taken || t->shut_rd || t->state == TCPS_CLOSED ? 0 : -LINUX_EAGAIN;
    io->left = io->left ? 1 : 0;
    int64_t n = byteq_copy(&t->rcvq, t->urg_seq - tcp_copied(t), io);
    if (n >= 0 && !(flags & NS_MSG_PEEK))
        t->urg = URG_READ;
    return n;
}

int ns_at_mark(struct ns_sock *s) {
    if (s->ops != &tcp_ops)
        return -LINUX_EINVAL;
    IN_STACK(s->ns);
    const struct tcp *t = tcp_of(s);
    return t->urg != URG_NONE && t->urg_seq == tcp_copied(t);
}

// ---- Sending ----------------------------------------------------------------------------------------------
// Each segment before the mark points to it, as far as sixteen bits reach.
void tcp_urgent_mark(const struct tcp *t, struct pkt *p, uint32_t seq) {
    uint8_t *h = pkt_head(p);
    uint32_t ahead = t->snd_up - seq;
    if (!t->urgent || !seq_lt(seq, t->snd_up) || (h[TCP_FLAGS] & TCP_RST))
        return;
    h[TCP_FLAGS] |= TCP_URG;
    put16(h + TCP_URGPTR, (uint16_t)(ahead < 65535 ? ahead : 65535));
}
