// SPDX-License-Identifier: Apache-2.0
// The states of a connection (RFC 9293 3.3.2) and its ends. Every change goes through tcp_set_state(), which
// stops at one that is not in the table: that would be a mistake of ours, whatever the peer sends. Lock: the
// stack's.
#include "netstack/tcp/tcp.h"
#include "abi/errno.h"

static const char *const names[] = {
    [TCPS_ESTABLISHED] = "ESTABLISHED", [TCPS_SYN_SENT] = "SYN-SENT",     [TCPS_SYN_RCVD] = "SYN-RECEIVED",
    [TCPS_FIN_WAIT_1] = "FIN-WAIT-1",   [TCPS_FIN_WAIT_2] = "FIN-WAIT-2", [TCPS_TIME_WAIT] = "TIME-WAIT",
    [TCPS_CLOSED] = "CLOSED",           [TCPS_CLOSE_WAIT] = "CLOSE-WAIT", [TCPS_LAST_ACK] = "LAST-ACK",
    [TCPS_LISTEN] = "LISTEN",           [TCPS_CLOSING] = "CLOSING",
};
const char *tcp_state_name(enum tcp_state state) { return names[state]; }

static const struct {
    uint8_t from, to;  // CLOSED is reached from everywhere: abort, reset, timeout
} transitions[] = {
    {TCPS_CLOSED, TCPS_LISTEN},           // ns_listen
    {TCPS_CLOSED, TCPS_SYN_SENT},         // ns_connect
    {TCPS_CLOSED, TCPS_SYN_RCVD},         // a listener's request is acknowledged
    {TCPS_SYN_SENT, TCPS_ESTABLISHED},    // SYN-ACK
    {TCPS_SYN_SENT, TCPS_SYN_RCVD},       // SYN: both open at a time (RFC 9293 3.5, figure 7)
    {TCPS_SYN_RCVD, TCPS_ESTABLISHED},    // ACK of our SYN
    {TCPS_SYN_RCVD, TCPS_FIN_WAIT_1},     // closed before it was established
    {TCPS_ESTABLISHED, TCPS_FIN_WAIT_1},  // shutdown or close
    {TCPS_ESTABLISHED, TCPS_CLOSE_WAIT},  // FIN
    {TCPS_CLOSE_WAIT, TCPS_LAST_ACK},     // shutdown or close
    {TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2},   // ACK of our FIN
    {TCPS_FIN_WAIT_1, TCPS_CLOSING},      // FIN, before ours was acknowledged
    {TCPS_FIN_WAIT_1, TCPS_TIME_WAIT},    // FIN and ACK of ours in one
    {TCPS_FIN_WAIT_2, TCPS_TIME_WAIT},    // FIN
    {TCPS_CLOSING, TCPS_TIME_WAIT},       // ACK of our FIN
};

void tcp_set_state(struct tcp *t, enum tcp_state to) {
    bool listed = to == TCPS_CLOSED;
    for (size_t i = 0; i < sizeof transitions / sizeof *transitions && !listed; i++)
        listed = transitions[i].from == t->state && transitions[i].to == to;
    if (!listed)
        panic("tcp: from %s to %s", names[t->state], names[to]);
    t->state = to;
}

// What always holds, whatever the peer does; checked after each output in debug and sanitizer builds.
void tcp_check(struct tcp *t) {
#ifdef PICKET_DEBUG
    uint32_t at = t->snd_una, sacked = 0, lost = 0, retrans = 0;
    struct tcp_range *r;
    invariant(tcp_flight(t) <= INT32_MAX && seq_le(t->snd_nxt, tcp_send_end(t)));
    invariant(t->rcv_nxt - t->rcv_acked <= INT32_MAX);
    list_for_each(r, &t->ranges, link) {
        invariant(r->seq == at && seq_lt(r->seq, r->end));
        at = r->end;
        sacked += r->flags & RANGE_SACKED ? r->end - r->seq : 0;
        lost += r->flags & RANGE_LOST ? r->end - r->seq : 0;
        retrans += r->flags & RANGE_RETRANS ? r->end - r->seq : 0;
    }
    invariant(at == t->snd_nxt && lost == t->lost && retrans == t->retrans &&
              (!t->sack_ok || sacked == t->sacked));
    invariant(t->sacked + t->lost <= tcp_flight(t) && t->retrans <= t->lost);
    invariant(t->cwnd >= t->mss / 2 && t->cwnd > 0);
    // What is in flight is watched by a timer, or it would be for ever.
    invariant(!tcp_flight(t) || timer_armed(&t->rtx));
#endif
}

static void leave_time_wait(struct tcp *t) {
    if (!list_linked(&t->tw_link))
        return;
    list_del(&t->tw_link);
    t->s.ns->ntime_wait--;
}

// Gives back all that an established connection holds; the object itself stays for its user.
static void drop_state(struct tcp *t) {
    tcp_timers_stop(t);
    tcp_ranges_free(t);
    byteq_clear(&t->sndq);
    tcp_ooo_free(t);
}

void tcp_unqueue(struct tcp *t) {
    if (!t->listener)
        return;
    list_del(&t->accept_link);
    t->listener->naccept--;
    t->listener = NULL;
}

// One that waits to be accepted goes on to wait, as on Linux: a reader that was told of it must find it.
void tcp_abort(struct tcp *t, int err) {
    if (t->state == TCPS_CLOSED)
        return;
    bool attempt = t->state == TCPS_SYN_SENT;  // that failed: the socket may connect again
    leave_time_wait(t);
    tcp_set_state(t, TCPS_CLOSED);
    drop_state(t);
    if (attempt)
        list_del(&t->s.conn);
    else
        sock_unhash(&t->s);
    if (!t->s.user && !t->listener) {
        byteq_clear(&t->rcvq);
        sock_kill(&t->s);
        return;
    }
    if (err)
        t->s.error = err;
    t->s.connected = !attempt;
    t->shut_rd = t->shut_wr = !attempt;
    sock_wake(&t->s, NS_IN | NS_OUT | NS_HUP | NS_RDHUP | (err ? NS_ERR : 0));
}

void tcp_reset_peer(struct tcp *t, int err) {
    if (t->state != TCPS_CLOSED && t->state != TCPS_LISTEN && t->state != TCPS_SYN_SENT &&
        t->state != TCPS_TIME_WAIT)
        tcp_send_reset(t);
    tcp_abort(t, err);
}

// RFC 9293 3.6.1: waits out what may still be under way. Only the numbers are needed now; the oldest of too
// many goes.
void tcp_time_wait(struct tcp *t) {
    struct netstack *ns = t->s.ns;
    tcp_set_state(t, TCPS_TIME_WAIT);
    drop_state(t);
    if (ns->ntime_wait >= TCP_TIME_WAITS)
        tcp_abort(list_first(&ns->time_wait, struct tcp, tw_link), 0);
    list_add_tail(&ns->time_wait, &t->tw_link);
    ns->ntime_wait++;
    stack_arm(ns, &t->keep, ns->now + TCP_TIME_WAIT);
    sock_wake(&t->s, NS_IN | NS_RDHUP | NS_HUP);
}
