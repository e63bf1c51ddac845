// SPDX-License-Identifier: Apache-2.0
// What the user of a TCP socket can do (RFC 9293 3.9.1), as the operations of core/sock.h. None of them
// waits. Lock: the stack's.
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/tcp/tcp.h"

#define SNDBUF_MAX (4u << 20)  // Linux: tcp_wmem[2]
#define SNDBUF     87040
#define RCVBUF     131072
#define RCV_WSCALE 7

static void tcp_init(struct ns_sock *s) {
    struct tcp *t = tcp_of(s);
    t->state = TCPS_CLOSED;
    byteq_init(&t->sndq);
    byteq_init(&t->rcvq);
    list_init(&t->ranges);
    list_init(&t->ooo);
    list_init(&t->accept_link);
    list_init(&t->accept_queue);
    list_init(&t->tw_link);
    tcp_timers_init(t);
    s->opt[NS_OPT_SNDBUF] = SNDBUF;
    s->opt[NS_OPT_RCVBUF] = RCVBUF;
    t->rto = TCP_RTO_INIT;
    t->mss = t->rcv_mss = TCP_MSS_DEFAULT;
    t->rack_mult = 1;
}

// ---- Opening ----------------------------------------------------------------------------------------------
static int choose_local(struct ns_sock *s) {
    struct path path;
    int err = sock_path(s, &s->remote, &path);
    if (err)
        return err;
    s->local.ip = path.src;
    sock_set_scopes(s, &path);
    if (!list_linked(&s->port))
        return sock_pick_port(s);
    return sock_find_conn(s->ns, PROTO_TCP, &s->local, &s->remote) ? -LINUX_EADDRINUSE : 0;
}

static void start(struct tcp *t) {
    struct ns_sock *s = &t->s;
    t->iss = tcp_isn(s->ns, &s->local, &s->remote);
    t->ts_offset = tcp_ts_offset(s->ns, &s->local, &s->remote);
    t->snd_una = t->iss;
    t->snd_nxt = t->sndq_seq = t->snd_sml = t->iss + 1;
    t->rcv_wscale = RCV_WSCALE;
    t->retries = t->backoff = 0;
    t->retransmits = 0;
    t->soft_error = 0;
    t->first_unanswered = s->ns->now;
    tcp_set_state(t, TCPS_SYN_SENT);
    tcp_send_syn(t);
    t->rtx_kind = RTX_RTO;
    stack_arm(s->ns, &t->rtx, s->ns->now + tcp_rto(t));
}

static int tcp_connect(struct ns_sock *s, const struct ns_addr *addr) {
    struct tcp *t = tcp_of(s);
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RCVD)
        return -LINUX_EALREADY;
    if (s->error)  // of an earlier attempt
        return sock_take_error(s);
    if (t->state != TCPS_CLOSED || s->connected)
        return -LINUX_EISCONN;
    if (ip_is_multicast(&addr->ip) || ip_is_limited_broadcast(&addr->ip))
        return -LINUX_ENETUNREACH;
    s->remote = *addr;
    if (ip_is_any(&addr->ip)) {  // this host, as on Linux
        static const struct ns_ip one = {.b[15] = 1};
        s->remote.ip = ns_ip_is4(&addr->ip) ? ns_ip4(127, 0, 0, 1) : one;
    }
    struct ns_addr before = s->local;
    if (!list_linked(&s->port))  // a port, or both, of an earlier attempt, not of a bind()
        s->local.port = 0;
    if (!list_linked(&s->port) && !s->bound)
        s->local = (struct ns_addr){.ip = s->family == NS_INET ? ns_ip4(0, 0, 0, 0) : (struct ns_ip){{0}}};
    int err = choose_local(s);
    if (err) {
        s->local = before;
        return err;
    }
    sock_hash_conn(s);
    count(s->ns, tcp_active_opens);
    start(t);
    return -LINUX_EINPROGRESS;
}

// ---- Data -------------------------------------------------------------------------------------------------
// The buffer is twice what the network holds, so that a writer is never what it waits for.
static uint32_t send_room(struct tcp *t) {
    struct ns_sock *s = &t->s;
    uint32_t most = s->ns->config.budget / 8 < SNDBUF_MAX ? (uint32_t)(s->ns->config.budget / 8) : SNDBUF_MAX;
    uint32_t want = 2 * t->cwnd < most ? 2 * t->cwnd : most;
    if (!t->sndbuf_locked && want > (uint32_t)s->opt[NS_OPT_SNDBUF])
        s->opt[NS_OPT_SNDBUF] = (int)want;
    uint32_t buf = (uint32_t)s->opt[NS_OPT_SNDBUF];
    // A queue of many little buffers weighs more than its bytes.
    uint32_t low = tcp_low_room(t);
    if (t->sndq.weight > 2 * buf || low == 0)
        return 0;
    low = low < UINT32_MAX - t->mss ? low + t->mss : low;  // a segment more than is wanted: not byte by byte
    uint32_t room = buf > t->sndq.len ? buf - t->sndq.len : 0;
    return room < low ? room : low;
}

// Whether the socket takes bytes at all: 0, or what its user is told.
static int may_send(struct tcp *t) {
    struct ns_sock *s = &t->s;
    if (s->error)
        return sock_take_error(s);
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RCVD)
        return -LINUX_EAGAIN;
    if (!s->connected)
        return -LINUX_ENOTCONN;
    if (t->shut_wr || (t->state != TCPS_ESTABLISHED && t->state != TCPS_CLOSE_WAIT))
        return -LINUX_EPIPE;
    return 0;
}

static int64_t tcp_send(struct ns_sock *s, struct ns_io *io, unsigned flags, const struct ns_addr *to,
                        const struct ns_extra *x) {
    struct tcp *t = tcp_of(s);
    int err = may_send(t);
    if (err || io->left == 0)
        return err;
    uint32_t most = send_room(t);
    t->starved |= most < io->left;
    if (most == 0)
        return -LINUX_EAGAIN;
    int64_t n = byteq_fill(s->ns, &t->sndq, io, most);
    t->starved |= n < 0 || io->left > 0;
    if (n == -LINUX_ENOBUFS)
        return t->sndq.len ? -LINUX_EAGAIN : n;
    t->corked = flags & NS_MSG_MORE;
    if (n > 0 && (flags & NS_MSG_OOB)) {
        t->urgent = true;
        t->snd_up = tcp_write_end(t);
    }
    if (n > 0)
        tcp_output(t);
    return n;
}

static int64_t tcp_recv(struct ns_sock *s, struct ns_io *io, unsigned flags, struct ns_addr *from,
                        struct ns_extra *x) {
    struct tcp *t = tcp_of(s);
    if (t->state == TCPS_LISTEN)
        return -LINUX_ENOTCONN;
    if (flags & NS_MSG_OOB)
        return tcp_recv_urgent(t, io, flags);
    if (t->state == TCPS_CLOSED && !s->connected && !s->error)
        return -LINUX_ENOTCONN;
    uint32_t skip;
    size_t all = io->left, most = tcp_urgent_limit(t, all, &skip);
    if (t->rcvq.len == skip) {
        if (s->error && !t->fin_taken)  // behind the end there is nothing that could fail
            return sock_take_error(s);
        return t->fin_taken || t->shut_rd || t->state == TCPS_CLOSED ? 0 : -LINUX_EAGAIN;
    }
    if (from)
        *from = s->remote;
    io->left = most;
    int64_t n = byteq_copy(&t->rcvq, skip, io);
    io->left += all - most;
    if (n > 0 && !(flags & NS_MSG_PEEK)) {
        byteq_drop(&t->rcvq, skip + (uint32_t)n);
        tcp_urgent_passed(t);
        tcp_received(t, skip + (uint32_t)n);
    }
    return n;
}

// ---- The same in pieces, which are filled and read without the lock ---------------------------------------
#define PIECE 32768u
#define LEAST 512u

static int tcp_give_room(struct ns_sock *s, size_t want, struct ns_pieces *p) {
    struct tcp *t = tcp_of(s);
    int err = may_send(t);
    if (err)
        return err;
    uint32_t room = send_room(t);
    t->starved |= room < want;
    if (room == 0)
        return -LINUX_EAGAIN;
    want = want < room ? want : room;
    while (p->len < want && p->n < NS_PIECES) {
        uint32_t n = want - p->len < PIECE ? (uint32_t)(want - p->len) : PIECE;
        struct buf *b = buf_alloc(s->ns, n < LEAST ? LEAST : n);
        if (!b)
            break;
        p->held[p->n] = b;
        p->iov[p->n++] = (struct ns_iov){b->data, n};
        p->len += n;
    }
    t->starved |= p->len < want;
    if (p->n > 0)
        return 0;
    return t->sndq.len ? -LINUX_EAGAIN : -LINUX_ENOBUFS;
}

// There was room when the pieces were given out, and they are paid for: they go in whoever came between.
static int64_t tcp_send_pieces(struct ns_sock *s, struct ns_pieces *p, size_t len, unsigned flags) {
    struct tcp *t = tcp_of(s);
    size_t done = 0;
    int err = may_send(t);
    if (err)
        return err;
    for (unsigned i = 0; i < p->n && done < len; i++) {
        size_t n = p->iov[i].len < len - done ? p->iov[i].len : len - done;
        if (!byteq_push(s->ns, &t->sndq, p->held[i], (uint32_t)n))
            break;
        done += n;
    }
    if (done == 0)
        return t->sndq.len ? -LINUX_EAGAIN : -LINUX_ENOBUFS;
    t->corked = flags & NS_MSG_MORE;
    tcp_output(t);
    return (int64_t)done;
}

static int64_t tcp_look(struct ns_sock *s, size_t want, struct ns_pieces *p) {
    struct tcp *t = tcp_of(s);
    uint32_t skip;
    if (t->state == TCPS_LISTEN || (t->state == TCPS_CLOSED && !s->connected && !s->error))
        return -LINUX_ENOTCONN;
    want = tcp_urgent_limit(t, want, &skip);
    if (t->rcvq.len == skip) {
        if (s->error && !t->fin_taken)  // behind the end there is nothing that could fail
            return sock_take_error(s);
        return t->fin_taken || t->shut_rd || t->state == TCPS_CLOSED ? 0 : -LINUX_EAGAIN;
    }
    size_t there = t->rcvq.len - skip;
    byteq_refer(&t->rcvq, skip, want, p);
    p->more = p->len < (want < there ? want : there);
    return (int64_t)p->len;
}

// ---- Ending -----------------------------------------------------------------------------------------------
static void queue_fin(struct tcp *t) {
    if (t->fin_queued)
        return;
    t->fin_queued = true;
    t->corked = false;
    if (t->state == TCPS_ESTABLISHED)
        tcp_set_state(t, TCPS_FIN_WAIT_1);
    else if (t->state == TCPS_CLOSE_WAIT)
        tcp_set_state(t, TCPS_LAST_ACK);
    tcp_output(t);
}

static void tcp_disconnect(struct ns_sock *s);

static int tcp_shutdown(struct ns_sock *s, bool rd, bool wr) {
    struct tcp *t = tcp_of(s);
    if (t->state == TCPS_LISTEN && rd) {  // it may listen again, or connect
        tcp_disconnect(s);
        return 0;
    }
    if (t->state == TCPS_CLOSED || t->state == TCPS_LISTEN || t->state == TCPS_TIME_WAIT)
        return -LINUX_ENOTCONN;
    if (t->state == TCPS_SYN_SENT) {
        tcp_abort(t, 0);
        return 0;
    }
    t->shut_rd |= rd;
    if (wr && !t->shut_wr) {
        t->shut_wr = true;
        queue_fin(t);
    }
    sock_wake(s, (rd ? NS_IN | NS_RDHUP : 0) | (wr ? NS_OUT : 0));
    return 0;
}

// RFC 9293 3.10.4. Data that nobody read makes it an abort (RFC 2525 2.17), as does a linger time of 0.
static void tcp_close(struct ns_sock *s) {
    struct tcp *t = tcp_of(s);
    bool unread = t->rcvq.len > 0;
    if (t->state == TCPS_LISTEN)
        tcp_listen_stop(t);
    byteq_clear(&t->rcvq);
    switch (t->state) {
    case TCPS_CLOSED:
        sock_kill(s);
        return;
    case TCPS_LISTEN:
    case TCPS_SYN_SENT:
        tcp_abort(t, 0);
        return;
    case TCPS_TIME_WAIT:
        return;
    default:
        break;
    }
    if (unread || s->opt[NS_OPT_LINGER] == 0) {
        tcp_reset_peer(t, 0);
        return;
    }
    t->shut_rd = t->shut_wr = true;
    if (t->state == TCPS_FIN_WAIT_2 && !tcp_fin_time(t))
        tcp_reset_peer(t, 0);
    else if (t->state == TCPS_FIN_WAIT_2)
        stack_arm(s->ns, &t->keep, s->ns->now + tcp_fin_time(t));
    else
        queue_fin(t);
}

// Begins anew. What it was bound to stays its own (Linux: SOCK_BINDPORT_LOCK).
static void tcp_disconnect(struct ns_sock *s) {
    struct tcp *t = tcp_of(s);
    struct ns_addr bound = s->local;
    bool was_bound = list_linked(&s->port);
    const bool sndbuf = t->sndbuf_locked, rcvbuf = t->rcvbuf_locked;
    bool lost = s->connected && t->state != TCPS_CLOSED && t->state != TCPS_TIME_WAIT;
    int opt[NS_OPT_COUNT];
    if (t->state == TCPS_LISTEN)
        tcp_listen_stop(t);
    tcp_reset_peer(t, 0);
    byteq_clear(&t->rcvq);
    byteq_clear(&t->sndq);
    tcp_syn_free(s->ns, &t->syn);
    sock_unhash(s);
    list_del(&s->used);
    memcpy(opt, s->opt, sizeof opt);
    memset((char *)t + sizeof *s, 0, sizeof *t - sizeof *s);
    tcp_init(s);
    memcpy(s->opt, opt, sizeof opt);
    t->sndbuf_locked = sndbuf;
    t->rcvbuf_locked = rcvbuf;
    s->error = lost ? LINUX_ECONNRESET : 0;
    s->connected = false;
    s->remote = s->local =
        (struct ns_addr){.ip = s->family == NS_INET ? ns_ip4(0, 0, 0, 0) : (struct ns_ip){{0}}};
    if (was_bound && sock_bind_port(s, &bound.ip, bound.port) == 0)
        s->local = bound;
    else if (s->bound && !was_bound)
        s->local.ip = bound.ip;
}

static void tcp_drop(struct ns_sock *s) {
    struct tcp *t = tcp_of(s);
    if (t->state == TCPS_LISTEN)
        tcp_listen_stop(t);
    tcp_unqueue(t);
    tcp_abort(t, 0);
    byteq_clear(&t->rcvq);
    byteq_clear(&t->sndq);
    tcp_syn_free(s->ns, &t->syn);
}

// ---- State for the user -----------------------------------------------------------------------------------
static uint32_t tcp_ready(struct ns_sock *s) {
    struct tcp *t = tcp_of(s);
    uint32_t mask = 0;
    if (t->state == TCPS_LISTEN)
        return list_empty(&t->accept_queue) ? 0 : NS_IN;
    if (t->state == TCPS_CLOSED)
        return s->connected || s->error ? NS_IN | NS_OUT | NS_HUP | NS_RDHUP : NS_OUT | NS_HUP;
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RCVD)
        return 0;
    if (tcp_before_mark(t) || t->fin_taken || t->shut_rd)
        mask |= NS_IN;
    if (tcp_urgent_ready(t))
        mask |= NS_PRI;
    if (t->fin_taken || t->shut_rd)
        mask |= NS_RDHUP;
    if (t->shut_wr || tcp_writable(t))
        mask |= NS_OUT;
    else
        t->starved = true;  // whoever asks wants to know
    if (t->shut_wr && (t->fin_taken || t->shut_rd))
        mask |= NS_HUP;
    return mask;
}

static void tcp_queued(const struct ns_sock *s, size_t *in, size_t *out) {
    const struct tcp *t = container_of(s, struct tcp, s);
    *in = tcp_before_mark(t);
    *out = t->sndq.len;
}

static uint64_t until(const struct tcp *t, const struct timer *timer) {
    uint64_t when = timer_when(timer), now = t->s.ns->now;
    return when > now ? when - now : 0;
}

static void tcp_describe(const struct ns_sock *s, struct ns_sock_info *info) {
    const struct tcp *t = container_of(s, struct tcp, s);
    info->state = (uint8_t)t->state;
    info->retries = t->retries;
    if (t->state == TCPS_LISTEN) {
        info->in = t->naccept;
        info->out = t->backlog;
        return;
    }
    if (timer_armed(&t->rtx)) {
        info->timer = tcp_flight(t) || t->state == TCPS_SYN_SENT ? 1 : 4;
        info->due = until(t, &t->rtx);
    } else if (timer_armed(&t->keep)) {
        info->timer = t->state == TCPS_TIME_WAIT ? 3 : 2;
        info->due = until(t, &t->keep);
    }
}

static void tcp_option(struct ns_sock *s, enum ns_option option) {
    struct tcp *t = tcp_of(s);
    bool up = t->state != TCPS_CLOSED && t->state != TCPS_LISTEN && t->state != TCPS_SYN_SENT &&
              t->state != TCPS_TIME_WAIT && t->state != TCPS_SYN_RCVD;
    switch (option) {
    case NS_OPT_SNDBUF:
        t->sndbuf_locked = true;
        break;
    case NS_OPT_RCVBUF:
        t->rcvbuf_locked = true;
        break;
    case NS_OPT_KEEPALIVE:
    case NS_OPT_TCP_KEEPIDLE:
        tcp_arm_keepalive(t);
        break;
    case NS_OPT_TCP_NODELAY:
    case NS_OPT_TCP_CORK:
        if (up)
            tcp_output(t);
        break;
    case NS_OPT_TCP_CONGESTION:
        t->cc = s->opt[option] == NS_RENO ? &tcp_reno : &tcp_cubic;
        t->cc->init(t);
        break;
    default:
        break;
    }
}

int ns_tcp_info(struct ns_sock *s, struct ns_tcp_info *info) {
    if (s->ops != &tcp_ops)
        return -LINUX_EOPNOTSUPP;
    IN_STACK(s->ns);
    const struct tcp *t = tcp_of(s);
    *info = (struct ns_tcp_info){
        .state = (uint8_t)t->state,
        .recovery = (uint8_t)t->ca,
        .snd_wscale = t->snd_wscale,
        .rcv_wscale = t->rcv_wscale,
        .sack = t->sack_ok,
        .timestamps = t->ts_ok,
        .ecn = t->ecn_ok,
        .mss = t->mss,
        .cwnd = t->cwnd,
        .ssthresh = t->ssthresh,
        .snd_wnd = t->snd_wnd,
        .rcv_wnd = t->rcv_adv - t->rcv_nxt,
        .in_flight = tcp_flight(t),
        .unsent = tcp_unsent(t),
        .reordering = t->reordering,
        .data_at = t->data_at,
        .srtt_ns = t->srtt,
        .rttvar_ns = t->rttvar,
        .rto_ns = tcp_rto(t),
        .retransmits = t->retransmits,
        .min_rtt_ns = t->min_rtt,
    };
    return 0;
}

const struct sock_ops tcp_ops = {
    .size = sizeof(struct tcp),
    .proto = PROTO_TCP,
    .init = tcp_init,
    .listen = tcp_listen,
    .accept = tcp_accept,
    .connect = tcp_connect,
    .disconnect = tcp_disconnect,
    .shutdown = tcp_shutdown,
    .send = tcp_send,
    .recv = tcp_recv,
    .room = tcp_give_room,
    .send_pieces = tcp_send_pieces,
    .look = tcp_look,
    .ready = tcp_ready,
    .queued = tcp_queued,
    .describe = tcp_describe,
    .option = tcp_option,
    .output = tcp_flush,
    .close = tcp_close,
    .drop = tcp_drop,
};
