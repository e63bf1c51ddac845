// SPDX-License-Identifier: Apache-2.0
// A connection's timers: retransmission (RFC 6298), tail probes and reordering (RFC 8985), zero window
// probes, delayed ACKs, keepalive (RFC 9293 3.8.4), and the waits at a connection's end. Run by core/wheel.c.
// Lock: the stack's.
#include "netstack/tcp/tcp.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"

// of full segments, until they are made smaller (RFC 4821, in its simplest form)
#define BLACK_HOLE_TIMEOUTS 3
// of IPv4: packets of 1,024 bytes, which nearly every path carries (RFC 4821 7.2)
#define BLACK_HOLE_BASE     984

uint64_t tcp_rto(const struct tcp *t) {
    uint64_t rto = t->rto << (t->backoff < 16 ? t->backoff : 16);
    return rto < TCP_RTO_MAX ? rto : TCP_RTO_MAX;
}

static void arm(struct tcp *t, enum tcp_rtx kind, uint64_t delay) {
    t->rtx_kind = kind;
    stack_arm(t->s.ns, &t->rtx, t->s.ns->now + delay);
}

// ---- When -------------------------------------------------------------------------------------------------
static void nothing_in_flight(struct tcp *t) {
    bool held = t->s.opt[NS_OPT_TCP_CORK] || t->corked;
    bool unsent = tcp_send_end(t) != t->snd_nxt && !(held && t->snd_wnd >= t->mss);
    if (unsent && t->state != TCPS_SYN_SENT) {
        if (t->rtx_kind != RTX_PROBE)
            arm(t, RTX_PROBE, tcp_rto(t));
    } else {
        stack_cancel(t->s.ns, &t->rtx);
        t->rtx_kind = RTX_NONE;
    }
}

void tcp_rearm(struct tcp *t) {
    if (t->state == TCPS_CLOSED || t->state == TCPS_TIME_WAIT || t->state == TCPS_LISTEN)
        return;
    if (!tcp_flight(t)) {
        nothing_in_flight(t);
        return;
    }
    if (timer_armed(&t->rtx) && t->rtx_kind != RTX_PROBE)
        return;
    uint64_t pto = tcp_tlp_timeout(t);
    arm(t, pto ? RTX_TLP : RTX_RTO, pto ? pto : tcp_rto(t));
}

void tcp_restart(struct tcp *t) {
    stack_cancel(t->s.ns, &t->rtx);
    t->rtx_kind = RTX_NONE;
    tcp_rearm(t);
}

// ---- Giving up --------------------------------------------------------------------------------------------
static bool too_long(struct tcp *t, unsigned retries) {
    uint64_t limit = (uint64_t)t->s.opt[NS_OPT_TCP_USER_TIMEOUT] * NS_MS;  // RFC 5482, RFC 9293 3.9.1
    if (limit)
        return t->first_unanswered && t->s.ns->now - t->first_unanswered >= limit;
    bool orphan = !t->s.user && !t->listener;
    return retries > (orphan ? TCP_ORPHAN_RETRIES : TCP_RETRIES);
}

static void give_up(struct tcp *t) {
    int err = t->soft_error ? t->soft_error : LINUX_ETIMEDOUT;
    tcp_reset_peer(t, err);
}

// ---- What -------------------------------------------------------------------------------------------------
static void syn_timeout(struct tcp *t) {
    t->retries++;
    if (t->retries > (unsigned)t->s.opt[NS_OPT_TCP_SYNCNT] ||
        (t->s.opt[NS_OPT_TCP_USER_TIMEOUT] && too_long(t, 0))) {
        tcp_abort(t, t->soft_error ? t->soft_error : LINUX_ETIMEDOUT);
        return;
    }
    t->retransmits++;
    count(t->s.ns, tcp_retransmits);
    t->backoff++;
    tcp_send_syn(t);
    arm(t, RTX_RTO, tcp_rto(t));
}

// Full segments vanish and small ones do not: somebody on the path drops them in silence.
static void suspect_black_hole(struct tcp *t) {
    uint32_t least = ns_ip_is4(&t->s.remote.ip) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT6;
    if (t->retries < BLACK_HOLE_TIMEOUTS || t->retries % BLACK_HOLE_TIMEOUTS || t->mss <= least ||
        tcp_flight(t) < t->mss)
        return;
    if (t->mss > BLACK_HOLE_BASE && least < BLACK_HOLE_BASE)
        t->mss = BLACK_HOLE_BASE;
    else
        t->mss = t->mss / 2 > least ? t->mss / 2 : least;
    t->peer_mss = t->mss + (t->ts_ok ? TCP_TS_SPACE : 0);
    count(t->s.ns, tcp_pmtu_reduced);
}

// RFC 6298 5.4 to 5.7.
static void rto_timeout(struct tcp *t) {
    t->retries++;
    count(t->s.ns, tcp_timeouts);
    if (too_long(t, t->retries)) {
        give_up(t);
        return;
    }
    t->dupacks = 0;
    suspect_black_hole(t);
    tcp_cc_enter(t, CA_LOSS);
    tcp_ranges_all_lost(t);
    t->backoff++;
    // The timer measures the first; cwnd is one segment, which is the first lost range.
    tcp_output(t);
    if (t->state != TCPS_CLOSED)
        arm(t, RTX_RTO, tcp_rto(t));
}

static void reorder_timeout(struct tcp *t) {
    uint64_t pending = tcp_rack_detect(t);
    if (t->lost > t->retrans && t->ca < CA_RECOVERY)
        tcp_cc_enter(t, CA_RECOVERY);
    if (t->ca == CA_RECOVERY)
        tcp_cc_prr(t, 0, t->lost > t->retrans);
    if (pending)
        arm(t, RTX_REORDER, pending);
    tcp_output(t);
}

// RFC 9293 3.8.6.1: goes on as long as the peer answers, with the window closed for ever too.
static void probe_timeout(struct tcp *t) {
    t->probes++;
    if (too_long(t, t->probes)) {
        give_up(t);
        return;
    }
    uint32_t unsent = tcp_write_end(t) - t->snd_nxt, n = unsent < t->snd_wnd ? unsent : t->snd_wnd;
    if (!t->first_unanswered)
        t->first_unanswered = t->s.ns->now;
    // a silly window that has stayed so: used as it is (RFC 9293 3.8.6.2.1, the override timeout)
    if (n > 0) {
        tcp_send_range(t, t->snd_nxt, n < tcp_room(t) ? n : tcp_room(t));
        tcp_rearm(t);
        return;
    }
    count(t->s.ns, tcp_zero_window_probes);
    tcp_send_probe(t);
    t->backoff++;
    arm(t, RTX_PROBE, tcp_rto(t));
}

static void rtx_timer(struct timer *timer) {
    struct tcp *t = container_of(timer, struct tcp, rtx);
    enum tcp_rtx kind = t->rtx_kind;
    t->rtx_kind = RTX_NONE;
    if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RCVD) {
        syn_timeout(t);
        return;
    }
    switch (kind) {
    case RTX_RTO:
        rto_timeout(t);
        break;
    case RTX_TLP:
        tcp_tlp_send(t);
        arm(t, RTX_RTO, tcp_rto(t));
        break;
    case RTX_REORDER:
        reorder_timeout(t);
        break;
    case RTX_PROBE:
        probe_timeout(t);
        break;
    case RTX_NONE:
        break;
    }
}

// ---- Delayed ACK ------------------------------------------------------------------------------------------
static void delack_timer(struct timer *timer) {
    struct tcp *t = container_of(timer, struct tcp, delack);
    count(t->s.ns, tcp_delayed_acks);
    tcp_send_ack(t);
}

void tcp_delay_ack(struct tcp *t) {
    if (!timer_armed(&t->delack))
        stack_arm(t->s.ns, &t->delack, t->s.ns->now + TCP_DELACK);
}

// ---- Keepalive, and the ends ------------------------------------------------------------------------------
void tcp_arm_keepalive(struct tcp *t) {
    if (t->state == TCPS_TIME_WAIT || t->state == TCPS_LISTEN || t->state == TCPS_CLOSED ||
        t->state == TCPS_SYN_SENT || (t->state == TCPS_FIN_WAIT_2 && !t->s.user))
        return;
    if (t->s.opt[NS_OPT_KEEPALIVE])
        stack_arm(t->s.ns, &t->keep, t->last_heard + (uint64_t)t->s.opt[NS_OPT_TCP_KEEPIDLE] * NS_SEC);
    else
        stack_cancel(t->s.ns, &t->keep);
}

static void keepalive(struct tcp *t) {
    struct netstack *ns = t->s.ns;
    uint64_t idle = (uint64_t)t->s.opt[NS_OPT_TCP_KEEPIDLE] * NS_SEC;
    if (ns->now - t->last_heard < idle || tcp_flight(t) || tcp_send_end(t) != t->snd_nxt) {
        uint64_t next = t->last_heard + idle;
        stack_arm(ns, &t->keep, next > ns->now ? next : ns->now + idle);
        return;
    }
    if (t->keep_probes >= (unsigned)t->s.opt[NS_OPT_TCP_KEEPCNT]) {
        give_up(t);
        return;
    }
    t->keep_probes++;
    count(ns, tcp_keepalives);
    tcp_send_probe(t);
    stack_arm(ns, &t->keep, ns->now + (uint64_t)t->s.opt[NS_OPT_TCP_KEEPINTVL] * NS_SEC);
}

static void keep_timer(struct timer *timer) {
    struct tcp *t = container_of(timer, struct tcp, keep);
    if (t->state == TCPS_TIME_WAIT || (t->state == TCPS_FIN_WAIT_2 && !t->s.user))
        tcp_abort(t, 0);
    else if (t->state == TCPS_LISTEN)
        tcp_listen_timer(t);
    else if (t->s.opt[NS_OPT_KEEPALIVE])
        keepalive(t);
}

void tcp_timers_init(struct tcp *t) {
    timer_init(&t->rtx, rtx_timer);
    timer_init(&t->delack, delack_timer);
    timer_init(&t->keep, keep_timer);
}

void tcp_timers_stop(struct tcp *t) {
    stack_cancel(t->s.ns, &t->rtx);
    stack_cancel(t->s.ns, &t->delack);
    stack_cancel(t->s.ns, &t->keep);
    t->rtx_kind = RTX_NONE;
}
