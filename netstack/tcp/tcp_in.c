// SPDX-License-Identifier: Apache-2.0
// TCP segments that came in: the header is parsed, the connection found, and the segment judged in the order
// of RFC 9293 3.10.7, with the stricter checks of RFC 5961 (blind attacks) and RFC 7323 5 (old duplicates).
// Called by ip_deliver(); ACKs go on to tcp_ack.c, data to tcp_data.c, and what they allow is sent by
// tcp_output() when all that came in together has been seen. Lock: the stack's.
#include "netstack/tcp/tcp.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"

#define CHALLENGE_EVERY (500 * NS_MS)                 // a connection; Linux: tcp_invalid_ratelimit
#define PAWS_IDLE       (24ull * 24 * 3600 * NS_SEC)  // RFC 7323 5.5: after 24 days a timestamp says nothing

// ---- Parsing ----------------------------------------------------------------------------------------------
static bool parse_segment(struct pkt *p, struct tcp_seg *g) {
    struct netstack *ns = p->ns;
    const uint8_t *h = pkt_peek(p, TCP_LEN);
    uint32_t hlen = h ? (h[TCP_OFF] >> 4) * 4u : 0;
    bool named = h && get16(h + TCP_SPORT) && get16(h + TCP_DPORT);
    // Port 0 is nobody's: our own attempt to speak to it is refused like any other.
    if (!h || hlen < TCP_LEN || !(h = pkt_peek(p, hlen)) || (!named && !p->loops)) {
        count(ns, tcp_drop_malformed);
        return false;
    }
    if (!p->csum_good && !ip_csum_ok(p)) {
        count(ns, tcp_drop_checksum);
        return false;
    }
    if (!tcp_parse_options(h + TCP_LEN, hlen - TCP_LEN, &g->o)) {
        count(ns, tcp_drop_malformed);
        return false;
    }
    g->local = (struct ns_addr){p->dst, get16(h + TCP_DPORT), netif_scope(p->nif, &p->dst)};
    g->remote = (struct ns_addr){p->src, get16(h + TCP_SPORT), netif_scope(p->nif, &p->src)};
    g->seq = get32(h + TCP_SEQ);
    g->ack = get32(h + TCP_ACKNO);
    g->wnd = get16(h + TCP_WIN);
    g->flags = h[TCP_FLAGS];
    g->urgent = get16(h + TCP_URGPTR);
    g->ce = (p->tos & 3) == 3;
    pkt_skip(p, hlen);
    g->len = p->len;
    g->size = p->gso_size && p->gso_size < g->len ? p->gso_size : g->len;
    g->p = p;
    return true;
}

// ---- Checks -----------------------------------------------------------------------------------------------
void tcp_challenge(struct tcp *t) {
    struct netstack *ns = t->s.ns;
    if ((t->challenge_at && ns->now - t->challenge_at < CHALLENGE_EVERY) ||
        !bucket_take(ns, &ns->challenge_acks)) {
        count(ns, tcp_challenge_limited);
        return;
    }
    t->challenge_at = ns->now;
    count(ns, tcp_challenge_acks);
    tcp_send_ack(t);
}

// RFC 7323 5.3 R1.
static bool paws_ok(struct tcp *t, const struct tcp_seg *g) {
    if (!t->ts_ok || !g->o.has_ts || !seq_lt(g->o.tsval, t->ts_recent))
        return true;
    return t->s.ns->now - t->ts_recent_at > PAWS_IDLE;
}

// RFC 9293 3.10.7.4, first: the four cases of the table, by what is behind the segment's last number.
static bool in_window(struct tcp *t, const struct tcp_seg *g) {
    uint32_t end = g->seq + g->len + !!(g->flags & TCP_SYN) + !!(g->flags & TCP_FIN);
    uint32_t right = seq_max(t->rcv_adv, t->rcv_nxt);
    if (right == t->rcv_nxt)
        return g->seq == t->rcv_nxt || (end == g->seq && g->seq == t->rcv_nxt);
    if (end == g->seq)
        return seq_le(t->rcv_nxt, g->seq) && seq_le(g->seq, right);
    return seq_lt(t->rcv_nxt, end) && seq_lt(g->seq, right);
}

// RFC 7323 4.3: the timestamp of what extends the left edge is to be echoed. Only once its ACK is believed:
// one of the future, remembered for who guessed a number in the window, would make the true peer's segments
// old ones for ever.
static void remember_timestamp(struct tcp *t, const struct tcp_seg *g) {
    if (t->ts_ok && g->o.has_ts && seq_le(g->seq, t->rcv_acked) && !seq_lt(g->o.tsval, t->ts_recent)) {
        t->ts_recent = g->o.tsval;
        t->ts_recent_at = t->s.ns->now;
    }
}

// An unacceptable segment is answered with an ACK, so that a peer with a wrong idea gets the right one;
// seldom, so that two with wrong ideas do not go on for ever (RFC 9293 3.10.7.4; the limit as in Linux).
static void out_of_window(struct tcp *t, const struct tcp_seg *g) {
    if (g->flags & TCP_RST)
        return;
    if (g->len > 0 && seq_lt(g->seq, t->rcv_nxt)) {
        // Sent again: our ACK was lost, or it was needless. This one is not limited, the peer waits for it.
        tcp_note_dsack(t, g->seq, seq_min(g->seq + g->len, t->rcv_nxt));
        count(t->s.ns, tcp_duplicates);
        tcp_send_ack(t);
    } else if (g->flags & (TCP_FIN | TCP_SYN) && seq_lt(g->seq, t->rcv_nxt)) {
        tcp_send_ack(t);  // once more
    } else {
        tcp_challenge(t);  // a keepalive, or an ACK that another has overtaken
    }
}

// A peer that has closed and gone answers what was under way with resets of the number that we acknowledged
// then, which is that of its FIN: exactly one before the window. Linux believes these too (tcp_reset_check).
static bool reset_at_fin(const struct tcp *t, const struct tcp_seg *g) {
    bool closed = t->state == TCPS_CLOSE_WAIT || t->state == TCPS_LAST_ACK || t->state == TCPS_CLOSING;
    return (g->flags & TCP_RST) && closed && g->seq == t->rcv_nxt - 1;
}

// RFC 5961 3.2: exactly the next number, or a challenge.
static void reset_by_peer(struct tcp *t, const struct tcp_seg *g) {
    if (g->seq != t->rcv_nxt && !reset_at_fin(t, g)) {
        tcp_challenge(t);
        return;
    }
    if (t->state == TCPS_TIME_WAIT)
        return;  // RFC 1337
    count(t->s.ns, tcp_resets_in);
    tcp_abort(t, t->state == TCPS_CLOSE_WAIT ? LINUX_EPIPE : LINUX_ECONNRESET);
}

// Everything before the ACK. True: the segment may be used.
static bool judge(struct tcp *t, const struct tcp_seg *g) {
    struct netstack *ns = t->s.ns;
    if (!paws_ok(t, g) && !(g->flags & TCP_RST)) {
        count(ns, tcp_drop_paws);
        if (g->len > 0)
            tcp_send_ack(t);
        else
            tcp_challenge(t);  // an ACK that another has overtaken: answering each would be a storm
        return false;
    }
    if (!in_window(t, g) && !reset_at_fin(t, g)) {
        count(ns, tcp_drop_window);
        out_of_window(t, g);
        return false;
    }
    if (g->flags & TCP_RST) {
        reset_by_peer(t, g);
        return false;
    }
    if (g->flags & TCP_SYN) {  // RFC 5961 4.2
        tcp_challenge(t);
        return false;
    }
    if (!(g->flags & TCP_ACK)) {
        count(ns, tcp_drop_noack);
        return false;
    }
    return true;
}

// ---- States -----------------------------------------------------------------------------------------------
void tcp_established(struct tcp *t, const struct tcp_seg *g) {
    t->last_heard = t->s.ns->now;
    tcp_set_state(t, TCPS_ESTABLISHED);
    t->snd_wl1 = g->seq;
    t->snd_wl2 = g->ack;
    t->max_wnd = t->snd_wnd;
    t->retries = t->backoff = 0;
    t->rack_fack = t->rack_dsack_round = t->snd_una;
    t->drs_at = t->s.ns->now;
    t->quickacks = TCP_QUICKACKS;
    struct path path;
    t->our_mss = TCP_MSS_DEFAULT;
    if (tcp_path(t, &path) == 0) {
        tcp_update_mss(t, path.mtu);
        t->our_mss = tcp_our_mss(&path, &t->s.remote.ip);
    }
    t->rcv_mss = t->mss < TCP_MSS_DEFAULT ? t->mss : TCP_MSS_DEFAULT;
    tcp_cc_init(t);
    if (t->retransmits)
        t->cwnd = t->mss;  // RFC 5681 3.1: the SYN was lost
    tcp_arm_keepalive(t);
    sock_wake(&t->s, NS_OUT);
}

// The other end of our FIN (RFC 9293 3.10.7.4, fifth).
static void fin_acked(struct tcp *t) {
    if (!t->fin_queued || t->snd_una != tcp_write_end(t) + 1)
        return;
    if (t->state == TCPS_FIN_WAIT_1) {
        tcp_set_state(t, TCPS_FIN_WAIT_2);
        if (!t->s.user && !tcp_fin_time(t)) {
            tcp_reset_peer(t, 0);
            return;
        }
        if (!t->s.user)
            stack_arm(t->s.ns, &t->keep, t->s.ns->now + tcp_fin_time(t));
        sock_wake(&t->s, NS_OUT);
    } else if (t->state == TCPS_CLOSING) {
        tcp_time_wait(t);
    } else if (t->state == TCPS_LAST_ACK) {
        tcp_abort(t, 0);
    }
}

// RFC 3168 6.1.3: the mark is echoed until the sender says that it has heard.
static void ecn(struct tcp *t, const struct tcp_seg *g) {
    if (!t->ecn_ok)
        return;
    if (g->flags & TCP_CWR)
        t->ecn_echo = false;
    if (g->ce && g->len > 0) {
        t->ecn_echo = true;
        t->ack_now = true;
    }
}

void tcp_segment(struct tcp *t, struct tcp_seg *g) {
    t->last_heard = t->s.ns->now;
    t->keep_probes = 0;
    if (t->state == TCPS_SYN_RCVD) {
        if (g->ack != t->snd_nxt) {
            tcp_reset_reply(t->s.ns, g);
            return;
        }
        t->snd_una = t->sndq_seq = g->ack;
        t->snd_wnd = g->wnd << t->snd_wscale;
        tcp_timers_stop(t);
        tcp_established(t, g);
        if (t->fin_queued)
            tcp_set_state(t, TCPS_FIN_WAIT_1);
    }
    if (!tcp_ack(t, g))
        return;
    remember_timestamp(t, g);
    fin_acked(t);
    if (t->state == TCPS_CLOSED)
        return;
    ecn(t, g);
    if (g->flags & TCP_URG)
        tcp_urgent(t, g);
    if (g->len > 0 || (g->flags & TCP_FIN))
        tcp_data(t, g);
    sock_later(&t->s);
}

// ---- SYN-SENT (RFC 9293 3.10.7.3) -------------------------------------------------------------------------
static void agree_options(struct tcp *t, const struct tcp_options *o) {
    t->peer_mss = tcp_peer_mss(o, &t->s.remote.ip);
    t->ts_ok = o->has_ts;
    t->sack_ok = o->sack_ok;
    t->wscale_ok = o->has_wscale;
    t->snd_wscale = o->has_wscale ? o->wscale : 0;
    if (!o->has_wscale)
        t->rcv_wscale = 0;
    t->ts_recent = o->tsval;
    t->ts_recent_at = t->s.ns->now;
}

static void syn_sent(struct tcp *t, struct tcp_seg *g) {
    struct netstack *ns = t->s.ns;
    if ((g->flags & TCP_ACK) && (seq_le(g->ack, t->iss) || seq_lt(t->snd_nxt, g->ack))) {
        count(ns, tcp_drop_ack);
        tcp_reset_reply(ns, g);
        return;
    }
    if (g->flags & TCP_RST) {
        if (g->flags & TCP_ACK) {
            count(ns, tcp_resets_in);
            tcp_abort(t, LINUX_ECONNREFUSED);
        }
        return;
    }
    if (!(g->flags & TCP_SYN)) {
        count(ns, tcp_drop_state);
        return;
    }
    agree_options(t, &g->o);
    t->irs = g->seq;
    t->rcv_nxt = t->rcv_acked = g->seq + 1;
    t->rcv_adv = t->rcv_nxt + tcp_first_window(&t->s);
    t->snd_wnd = g->wnd;  // not scaled on a SYN
    if (!(g->flags & TCP_ACK)) {
        tcp_set_state(t, TCPS_SYN_RCVD);
        tcp_send_syn(t);
        return;
    }
    t->snd_una = t->sndq_seq = g->ack;
    if (t->ts_ok && g->o.tsecr)
        tcp_rtt_sample(t, (uint64_t)(tcp_ts_now(t) - g->o.tsecr) * NS_MS);
    tcp_timers_stop(t);
    tcp_established(t, g);
    if (g->len > 0 || (g->flags & TCP_FIN)) {  // data with the SYN (RFC 9293 3.10.7.3)
        g->seq++;
        tcp_data(t, g);
    }
    t->ack_now = true;
    tcp_output(t);
}

// ---- TIME-WAIT --------------------------------------------------------------------------------------------
// RFC 6191, RFC 9293 3.6.1: a new SYN that cannot be an old duplicate ends the wait.
static bool reuses(struct tcp *t, const struct tcp_seg *g) {
    if ((g->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    bool newer = t->ts_ok && g->o.has_ts ? seq_lt(t->ts_recent, g->o.tsval) : seq_lt(t->rcv_nxt, g->seq);
    if (!newer)
        return false;
    count(t->s.ns, tcp_time_wait_reused);
    tcp_abort(t, 0);
    return true;
}

static void time_wait(struct tcp *t, struct tcp_seg *g) {
    if (!judge(t, g)) {
        if (g->flags & TCP_FIN)  // the peer has not heard our last ACK; it just went again
            stack_arm(t->s.ns, &t->keep, t->s.ns->now + TCP_TIME_WAIT);
        return;
    }
    if (g->len > 0)
        count(t->s.ns, tcp_drop_state);
}

// RFC 5082: who is next to us sends 255, and who is not cannot. False: the packet is dropped.
static bool near_enough(const struct ns_sock *s, const struct pkt *p) {
    if (p->ttl >= s->opt[ns_ip_is4(&p->dst) ? NS_OPT_TCP_MINTTL : NS_OPT_TCP_MINTTL6])
        return true;
    count(p->ns, tcp_drop_ttl);
    return false;
}

// ---- In ---------------------------------------------------------------------------------------------------
static void dispatch(struct netstack *ns, struct tcp_seg *g) {
    struct ns_sock *s = sock_find_conn(ns, PROTO_TCP, &g->local, &g->remote);
    if (s && !sock_on_netif(s, g->p))
        s = NULL;
    struct tcp *t = s ? tcp_of(s) : NULL;
    if (s && !near_enough(s, g->p))
        return;
    if (t && !(t->state == TCPS_TIME_WAIT && reuses(t, g))) {
        if (t->state == TCPS_SYN_SENT)
            syn_sent(t, g);
        else if (t->state == TCPS_TIME_WAIT)
            time_wait(t, g);
        else if (judge(t, g))
            tcp_segment(t, g);
        return;
    }
    s = sock_find_bound(ns, g->p, PROTO_TCP, &g->local, &g->remote);
    if (s && !near_enough(s, g->p))
        return;
    if (s) {
        tcp_listen_input(tcp_of(s), g);
        return;
    }
    count(ns, tcp_drop_port);
    tcp_reset_reply(ns, g);
}

void tcp_input(struct pkt *p) {
    struct netstack *ns = p->ns;
    struct tcp_seg g = {0};
    count(ns, tcp_in);
    if (p->broadcast || ip_is_multicast(&p->dst)) {  // RFC 9293 3.9.2.3
        count(ns, tcp_drop_multicast);
        pkt_free(p);
        return;
    }
    if (!parse_segment(p, &g)) {
        pkt_free(p);
        return;
    }
    if (g.len > g.size)
        count_n(ns, tcp_in, (g.len - 1) / g.size);
    dispatch(ns, &g);
    pkt_free(g.p);
}

// ---- ICMP (RFC 9293 3.9.2.2, RFC 5927) --------------------------------------------------------------------
// Believed only when the number quoted is in flight: who cannot see the connection cannot know it.
void tcp_error(struct netstack *ns, const struct ip_error *e) {
    struct ns_addr local = {e->src, get16(e->l4 + TCP_SPORT)}, remote = {e->dst, get16(e->l4 + TCP_DPORT)};
    struct ns_sock *s = sock_find_conn(ns, PROTO_TCP, &local, &remote);
    struct tcp *t = s ? tcp_of(s) : NULL;
    uint32_t seq = get32(e->l4 + TCP_SEQ);
    if (!t || t->state == TCPS_TIME_WAIT || seq_lt(seq, t->snd_una) || seq_lt(t->snd_nxt, seq))
        return;
    count(ns, icmp_errors_in);
    if (e->mtu) {
        uint32_t before = t->mss;
        struct path path;
        pmtu_learn(ns, &e->dst, e->mtu);
        if (tcp_path(t, &path) == 0 && t->state != TCPS_SYN_SENT)
            tcp_update_mss(t, path.mtu);
        if (t->mss >= before)
            return;
        count(ns, tcp_pmtu_reduced);
        // RFC 8201 5.4: what was too big is sent again at once, and it is no sign of congestion.
        tcp_ranges_all_lost(t);
        tcp_output(t);
    } else if (t->state == TCPS_SYN_SENT) {
        // RFC 5461 4.1: an attempt fails at the first error, as on Linux, rather than after two minutes.
        tcp_abort(t, e->err);
    } else {
        t->soft_error = e->err;
    }
}
