// SPDX-License-Identifier: Apache-2.0
// TCP segments on the way out. tcp_output() is the only place that decides to send data: lost ranges first,
// then new data, as far as cwnd, the peer's window, Nagle (RFC 1122 4.2.3.4) and silly-window avoidance let
// it. The rest builds segments. Called by everything in tcp/. Lock: the stack's.
#include "netstack/tcp/tcp.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"

// ---- Windows ----------------------------------------------------------------------------------------------
// RFC 9293 3.8.6.2.2: the right edge never moves back, and forward only by a worthwhile step.
uint32_t tcp_window(struct tcp *t) {
    uint32_t buf = (uint32_t)t->s.opt[NS_OPT_RCVBUF], used = t->rcvq.len;
    uint32_t space = buf > used ? buf - used : 0, now = t->rcv_adv - t->rcv_nxt;
    uint32_t clamp = (uint32_t)t->s.opt[NS_OPT_TCP_WINDOW_CLAMP];
    space = clamp && clamp < space ? clamp : space;
    uint32_t unit = 1u << t->rcv_wscale, step = buf / 2 < t->rcv_mss ? buf / 2 : t->rcv_mss;
    if (seq_lt(t->rcv_adv, t->rcv_nxt))
        now = 0;
    if (space < now + step)
        space = (now + unit - 1) & ~(unit - 1);
    else
        space &= ~(unit - 1);
    uint32_t most = 65535u << t->rcv_wscale;
    return space < most ? space : most;
}

// RFC 7323 2.2: never scaled on a SYN.
uint32_t tcp_first_window(const struct ns_sock *s) {
    uint32_t wnd = (uint32_t)s->opt[NS_OPT_RCVBUF], clamp = (uint32_t)s->opt[NS_OPT_TCP_WINDOW_CLAMP];
    wnd = clamp && clamp < wnd ? clamp : wnd;
    return wnd < 65535 ? wnd : 65535;
}

uint16_t tcp_our_mss(const struct path *path, const struct ns_ip *dst) {
    uint32_t mtu = path->mtu < 65535 ? path->mtu : 65535;
    return (uint16_t)(mtu - (ns_ip_is4(dst) ? IP4_LEN : IP6_LEN) - TCP_LEN);
}

// RFC 6691: the peer's MSS does not count options, the segment's length does.
void tcp_update_mss(struct tcp *t, uint32_t mtu) {
    struct path path = {.mtu = mtu};
    uint32_t mss = tcp_our_mss(&path, &t->s.remote.ip);
    if (mss > t->peer_mss)
        mss = t->peer_mss;
    if (t->s.opt[NS_OPT_TCP_MAXSEG] && mss > (uint32_t)t->s.opt[NS_OPT_TCP_MAXSEG])
        mss = (uint32_t)t->s.opt[NS_OPT_TCP_MAXSEG];
    uint32_t options = t->ts_ok ? TCP_TS_SPACE : 0;
    t->mss = mss > TCP_MSS_MIN + options ? mss - options : TCP_MSS_MIN;
    // When segments grow, the least that both may be does (RFC 5681 3.1).
    t->cwnd = t->cwnd > t->mss ? t->cwnd : t->mss;
    t->ssthresh = t->ssthresh > 2 * t->mss ? t->ssthresh : 2 * t->mss;
}

// ---- Building ---------------------------------------------------------------------------------------------
// What an established connection says: timestamps, and what came out of order (RFC 2018 4, RFC 2883).
static uint32_t put_options(struct tcp *t, uint8_t *o) {
    struct tcp_options opt = {.has_ts = t->ts_ok, .tsval = tcp_ts_now(t), .tsecr = t->ts_recent};
    unsigned most = t->ts_ok ? 3 : 4;
    if (t->sack_ok && t->has_dsack)
        opt.sacks[opt.nsacks++] = t->dsack;
    for (unsigned i = 0; i < t->nsacks && opt.nsacks < most && t->sack_ok; i++)
        opt.sacks[opt.nsacks++] = t->sacks[i];
    return tcp_put_options(o, &opt);
}

// How many bytes of data fit beside those options: SACK blocks are not in mss.
uint32_t tcp_room(const struct tcp *t) {
    unsigned most = t->ts_ok ? 3 : 4, blocks = t->nsacks + t->has_dsack;
    if (!t->sack_ok || blocks == 0)
        return t->mss;
    return t->mss - (4 + 8 * (blocks < most ? blocks : most));
}

static struct pkt *with_header(struct pkt *p, const struct ns_sock *s, uint32_t seq, uint32_t ack,
                               uint8_t flags, uint32_t wnd, const uint8_t *options, uint32_t noptions) {
    if (noptions)
        memcpy(pkt_push(p, noptions), options, noptions);
    uint8_t *h = pkt_push(p, TCP_LEN);
    memset(h, 0, TCP_LEN);
    put16(h + TCP_SPORT, s->local.port);
    put16(h + TCP_DPORT, s->remote.port);
    put32(h + TCP_SEQ, seq);
    put32(h + TCP_ACKNO, flags & TCP_ACK ? ack : 0);
    h[TCP_OFF] = (uint8_t)((TCP_LEN + noptions) / 4 << 4);
    h[TCP_FLAGS] = flags;
    put16(h + TCP_WIN, (uint16_t)(wnd < 65535 ? wnd : 65535));
    return p;
}

static int send_ip(struct tcp *t, struct pkt *p, uint8_t ecn) {
    struct ns_sock *s = &t->s;
    struct path path;
    int err = tcp_path(t, &path);
    if (err) {
        pkt_free(p);
        t->soft_error = -err;
        return err;
    }
    struct ip_header h = {s->local.ip,
                          s->remote.ip,
                          PROTO_TCP,
                          (uint8_t)((s->opt[NS_OPT_TOS] & ~3) | ecn),
                          (uint8_t)s->opt[NS_OPT_TTL],
                          true};
    if (p->len > TCP_MAX_LEN + t->mss && path.nif->config.gso_max)
        p->gso_size = (uint16_t)t->mss;
    ip_start_csum(p, &h, TCP_CSUM);
    count(s->ns, tcp_out);
    err = ip_output(s->ns, p, &path, &h);
    // the path has become narrower since; the timer sends it again, cut smaller
    if (err == -LINUX_EMSGSIZE)
        tcp_update_mss(t, path.mtu);
    return err;
}

// What every segment with an ACK tells the peer has been told.
static void told(struct tcp *t, uint32_t wnd) {
    t->rcv_acked = t->rcv_nxt;
    t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + wnd);
    t->ack_now = t->has_dsack = false;
    stack_cancel(t->s.ns, &t->delack);
}

static int send_segment(struct tcp *t, struct pkt *p, uint32_t seq, uint8_t flags, uint8_t ecn) {
    uint8_t options[40];
    uint32_t wnd = tcp_window(t), noptions = put_options(t, options);
    if (t->ecn_echo)
        flags |= TCP_ECE;
    with_header(p, &t->s, seq, t->rcv_nxt, flags, wnd >> t->rcv_wscale, options, noptions);
    t->urgent = t->urgent && seq_lt(t->snd_una, t->snd_up);
    tcp_urgent_mark(t, p, seq);
    told(t, wnd);
    return send_ip(t, p, ecn);
}

static void send_empty(struct tcp *t, uint32_t seq, uint8_t flags) {
    struct pkt *p = pkt_alloc(t->s.ns);
    if (p)
        send_segment(t, p, seq, flags, 0);
    else
        count(t->s.ns, link_drop_budget);
}

void tcp_send_ack(struct tcp *t) { send_empty(t, t->snd_nxt, TCP_ACK); }

// RFC 9293 3.10.7.1: an RST that the peer finds inside its window.
void tcp_send_reset(struct tcp *t) {
    count(t->s.ns, tcp_resets_out);
    send_empty(t, t->snd_nxt, TCP_RST | TCP_ACK);
}

// An old number: the peer must answer (RFC 9293 3.8.4); for a closed window too (RFC 9293 3.8.6.1).
void tcp_send_probe(struct tcp *t) { send_empty(t, t->snd_una - 1, TCP_ACK); }

// SYN, or SYN-ACK when both opened at a time.
void tcp_send_syn(struct tcp *t) {
    struct ns_sock *s = &t->s;
    struct path path;
    struct pkt *p = tcp_path(t, &path) ? NULL : pkt_alloc(s->ns);
    bool reply = t->state == TCPS_SYN_RCVD;
    if (!p)
        return;
    struct tcp_options opt = {.mss = tcp_our_mss(&path, &s->remote.ip),
                              .has_ts = !reply || t->ts_ok,
                              .tsval = tcp_ts_now(t),
                              .tsecr = reply ? t->ts_recent : 0,
                              .sack_ok = !reply || t->sack_ok,
                              .has_wscale = !reply || t->wscale_ok,
                              .wscale = t->rcv_wscale};
    if (s->opt[NS_OPT_TCP_MAXSEG] && opt.mss > s->opt[NS_OPT_TCP_MAXSEG])
        opt.mss = (uint16_t)s->opt[NS_OPT_TCP_MAXSEG];
    uint8_t options[40];
    uint32_t noptions = tcp_put_options(options, &opt), wnd = tcp_first_window(s);
    with_header(p, s, t->iss, t->rcv_nxt, reply ? TCP_SYN | TCP_ACK : TCP_SYN, wnd, options, noptions);
    if (reply)
        told(t, wnd);
    send_ip(t, p, 0);
}

// ---- Data -------------------------------------------------------------------------------------------------
// A packet with up to n numbers from seq on, of the user's bytes and the FIN. *n: how many it took.
static struct pkt *segment_of(struct tcp *t, uint32_t seq, uint32_t *n, uint8_t *flags) {
    struct pkt *p = pkt_alloc(t->s.ns);
    if (!p)
        return NULL;
    uint32_t data = tcp_write_end(t) - seq, fin = *n > data;
    data = data < *n ? data : *n;
    uint32_t took = byteq_attach(&t->sndq, seq - t->sndq_seq, data, p);
    *n = took == data ? took + fin : took;
    *flags = TCP_ACK;
    if (took > 0 && seq + took == tcp_write_end(t))
        *flags |= TCP_PSH;
    if (took == data && fin)
        *flags |= TCP_FIN;
    return p;
}

int64_t tcp_send_range(struct tcp *t, uint32_t seq, uint32_t n) {
    uint8_t flags, ecn = t->ecn_ok ? 2 : 0;  // ECT(0)
    struct pkt *p = segment_of(t, seq, &n, &flags);
    if (!p || n == 0 || !tcp_range_add(t, seq, seq + n)) {
        pkt_free(p);
        return -LINUX_ENOBUFS;
    }
    if (t->ecn_cwr) {
        flags |= TCP_CWR;
        t->ecn_cwr = false;
    }
    t->snd_nxt = seq + n;
    t->prr_out += n;
    if (p->len < tcp_room(t))
        t->snd_sml = t->snd_nxt;
    if (!t->first_unanswered)
        t->first_unanswered = t->s.ns->now;
    send_segment(t, p, seq, flags, ecn);
    return n;
}

// A retransmission is one segment at most, and not ECN-capable (RFC 3168 6.1.5).
bool tcp_retransmit(struct tcp *t, struct tcp_range *r) {
    uint8_t flags;
    uint32_t n = r->end - r->seq, all = n;
    bool fin = r->end == tcp_write_end(t) + 1;
    if (n - fin > tcp_room(t))
        n = tcp_room(t);
    struct pkt *p = segment_of(t, r->seq, &n, &flags);
    if (!p || n == 0 || (n < all && !tcp_range_split(t, r, r->seq + n))) {
        pkt_free(p);
        return false;
    }
    tcp_range_resent(t, r);
    t->prr_out += n;
    t->retransmits++;
    count(t->s.ns, tcp_retransmits);
    send_segment(t, p, r->seq, flags, 0);
    return true;
}

static void send_lost(struct tcp *t) {
    struct tcp_range *r;
    if (t->lost == t->retrans)
        return;
    list_for_each(r, &t->ranges, link) {
        if ((r->flags & (RANGE_LOST | RANGE_RETRANS)) != RANGE_LOST)
            continue;
        if (tcp_pipe(t) >= t->cwnd || !tcp_retransmit(t, r))
            return;
    }
}

// How much one segment may carry: mss, or many of them for a link that cuts by itself.
static uint32_t segment_limit(struct tcp *t) {
    struct path path;
    uint32_t pipe = tcp_pipe(t), room = t->cwnd > pipe ? t->cwnd - pipe : 0, gso = 0;
    if (tcp_path(t, &path) == 0)
        gso = path.nif->config.gso_max < 65000 ? path.nif->config.gso_max : 65000;
    if (t->urgent || gso < 2 * t->mss || room < 2 * t->mss || tcp_room(t) < t->mss)
        return tcp_room(t);
    return (gso < room ? gso : room) / t->mss * t->mss;
}

// RFC 9293 3.7.4 (Nagle) and 3.8.6.2.1 (silly windows): whether a segment that is not full may go.
static bool may_send_small(struct tcp *t, uint32_t data, uint32_t unsent) {
    if (data < unsent)  // the window cuts it: only when that is as good as it gets
        return data >= t->max_wnd / 2;
    if (t->fin_queued || t->urgent)
        return true;
    if (t->s.opt[NS_OPT_TCP_CORK] || t->corked)
        return false;
    return t->s.opt[NS_OPT_TCP_NODELAY] || !seq_lt(t->snd_una, t->snd_sml);
}

// How many numbers to send next; 0: nothing may go now.
static uint32_t next_segment(struct tcp *t) {
    uint32_t right = t->snd_una + t->snd_wnd, unsent = tcp_write_end(t) - t->snd_nxt;
    uint32_t usable = seq_lt(t->snd_nxt, right) ? right - t->snd_nxt : 0, limit = segment_limit(t);
    uint32_t data = seq_lt(t->snd_nxt, tcp_write_end(t)) ? unsent : 0;
    unsent = data;
    data = data < limit ? data : limit;
    data = data < usable ? data : usable;
    bool fin = t->fin_queued && data == unsent && usable > data;
    if (data == 0 && !fin)
        return 0;
    if (data < tcp_room(t) && !(fin && data == unsent) && !may_send_small(t, data, unsent))
        return 0;
    return data + fin;
}

static bool send_new(struct tcp *t) {
    bool sent = false;
    while (tcp_send_end(t) != t->snd_nxt && tcp_pipe(t) < t->cwnd) {
        uint32_t n = next_segment(t);
        if (n == 0 || tcp_send_range(t, t->snd_nxt, n) < 0)
            break;
        sent = true;
    }
    // RFC 7661 4.1: in slow start a window that is used by half counts as used.
    uint32_t pipe = tcp_pipe(t);
    t->cwnd_limited = t->cwnd < t->ssthresh ? pipe * 2 >= t->cwnd : pipe + t->mss > t->cwnd;
    return sent;
}

void tcp_output(struct tcp *t) {
    bool sends = t->state == TCPS_ESTABLISHED || t->state == TCPS_CLOSE_WAIT || t->state == TCPS_FIN_WAIT_1 ||
                 t->state == TCPS_CLOSING || t->state == TCPS_LAST_ACK;
    bool sent = false;
    if (sends) {
        send_lost(t);
        sent = send_new(t);
    }
    if (sent && t->s.opt[NS_OPT_TCP_NOTSENT_LOWAT])
        tcp_tell_writer(t);
    if (t->ack_now && t->state != TCPS_CLOSED)
        tcp_send_ack(t);
    if (!sends)
        return;
    if (sent && t->rtx_kind == RTX_TLP)
        tcp_restart(t);  // RFC 8985 7.2: the probe is for the end of what is in flight
    else
        tcp_rearm(t);
    tcp_check(t);
}

void tcp_flush(struct ns_sock *s) {
    struct tcp *t = tcp_of(s);
    if (t->state != TCPS_CLOSED && t->state != TCPS_TIME_WAIT)
        tcp_output(t);
}

// ---- From no connection -----------------------------------------------------------------------------------
void tcp_reply(struct netstack *ns, const struct tcp_seg *g, uint32_t seq, uint32_t ack, uint8_t flags) {
    struct ns_sock s = {.ns = ns, .local = g->local, .remote = g->remote};
    struct path path;
    struct pkt *p = path_find(ns, &g->remote.ip, &g->local.ip, &path) ? NULL : pkt_alloc(ns);
    if (!p)
        return;
    struct ip_header h = {g->local.ip, g->remote.ip, PROTO_TCP, 0, 0, true};
    with_header(p, &s, seq, ack, flags, 0, NULL, 0);
    ip_start_csum(p, &h, TCP_CSUM);
    count(ns, tcp_out);
    ip_output(ns, p, &path, &h);
}

// RFC 9293 3.10.7.1. An RST is never answered.
void tcp_reset_reply(struct netstack *ns, const struct tcp_seg *g) {
    if (g->flags & TCP_RST)
        return;
    count(ns, tcp_resets_out);
    if (g->flags & TCP_ACK)
        tcp_reply(ns, g, g->ack, 0, TCP_RST);
    else
        tcp_reply(ns, g, 0, g->seq + g->len + !!(g->flags & TCP_SYN) + !!(g->flags & TCP_FIN),
                  TCP_RST | TCP_ACK);
}
