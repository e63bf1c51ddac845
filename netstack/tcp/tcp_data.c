// SPDX-License-Identifier: Apache-2.0
// The receiving half: bytes into the reader's queue, what came too early into the out-of-order queue, and the
// decision when to acknowledge (RFC 5681 4.2, RFC 9293 3.8.6.3). Called by tcp_in.c and, when the user has
// read, by tcp_api.c. Lock: the stack's.
#include "netstack/tcp/tcp.h"
#include <string.h>

#define RCVBUF_MAX (6u << 20)  // Linux: tcp_rmem[2]

// ---- What is told selectively -----------------------------------------------------------------------------
void tcp_note_dsack(struct tcp *t, uint32_t start, uint32_t end) {
    if (!t->sack_ok)
        return;
    t->dsack = (struct tcp_block){start, end};
    t->has_dsack = true;
}

// The block that holds start..end goes to the front, joined with those it touches (RFC 2018 4).
static void note_sack(struct tcp *t, uint32_t start, uint32_t end) {
    unsigned kept = 0;
    struct tcp_block b = {start, end}, old[TCP_MAX_SACK];
    memcpy(old, t->sacks, sizeof old);
    for (unsigned i = 0; i < t->nsacks; i++)
        if (seq_le(old[i].start, b.end) && seq_le(b.start, old[i].end))
            b = (struct tcp_block){seq_min(b.start, old[i].start), seq_max(b.end, old[i].end)};
    t->sacks[0] = b;
    for (unsigned i = 0; i < t->nsacks && kept < TCP_MAX_SACK - 1; i++)
        if (seq_lt(b.end, old[i].start) || seq_lt(old[i].end, b.start))
            t->sacks[++kept] = old[i];
    t->nsacks = kept + 1;
}

static void forget_sacks(struct tcp *t) {
    unsigned kept = 0;
    for (unsigned i = 0; i < t->nsacks; i++)
        if (seq_lt(t->rcv_nxt, t->sacks[i].start))
            t->sacks[kept++] = t->sacks[i];
    t->nsacks = kept;
}

// ---- Out of order -----------------------------------------------------------------------------------------
static void ooo_remove(struct tcp *t, struct pkt *p) {
    list_del(&p->link);
    t->nooo--;
    t->ooo_weight -= pkt_size(p);
}

void tcp_ooo_free(struct tcp *t) {
    while (!list_empty(&t->ooo)) {
        struct pkt *p = list_first(&t->ooo, struct pkt, link);
        ooo_remove(t, p);
        pkt_free(p);
    }
    t->nsacks = 0;
}

// Puts it behind the last that begins before it; what that one covers already is cut off, or is all of it.
// Bytes that are here twice are dropped when they are joined to the rest.
static void ooo_insert(struct tcp *t, struct tcp_seg *g) {
    struct netstack *ns = t->s.ns;
    uint32_t end = g->seq + g->len;
    struct list *at = t->ooo.prev;
    while (at != &t->ooo && seq_lt(g->seq, container_of(at, struct pkt, link)->mark))
        at = at->prev;
    struct pkt *before = at == &t->ooo ? NULL : container_of(at, struct pkt, link);
    if (before && seq_le(end, before->mark + before->len)) {
        count(ns, tcp_duplicates);
        tcp_note_dsack(t, g->seq, end);
        return;
    }
    uint32_t most = (uint32_t)t->s.opt[NS_OPT_RCVBUF] * 2;
    if (t->nooo >= TCP_OOO_MAX || t->ooo_weight + pkt_size(g->p) > most) {
        count(ns, tcp_drop_full);
        return;
    }
    count(ns, tcp_out_of_order);
    g->p->mark = g->seq;
    list_add(at, &g->p->link);
    t->nooo++;
    t->ooo_weight += pkt_size(g->p);
    g->p = NULL;
    note_sack(t, g->seq, end);
}

// ---- In order ---------------------------------------------------------------------------------------------
// Takes p, whose first byte is rcv_nxt.
static bool append(struct tcp *t, struct pkt *p) {
    uint32_t n = p->len, took = byteq_append(&t->rcvq, p);
    t->rcv_nxt += took;
    if (took < n)
        count(t->s.ns, tcp_drop_full);
    return took == n;
}

static void join_ooo(struct tcp *t) {
    while (!list_empty(&t->ooo)) {
        struct pkt *p = list_first(&t->ooo, struct pkt, link);
        if (seq_lt(t->rcv_nxt, p->mark))
            break;
        ooo_remove(t, p);
        if (seq_le(p->mark + p->len, t->rcv_nxt)) {
            pkt_free(p);
            continue;
        }
        pkt_skip(p, t->rcv_nxt - p->mark);
        if (!append(t, p))
            break;
    }
    forget_sacks(t);
}

// Cuts the segment down to the window. False: nothing is left.
static bool trim(struct tcp *t, struct tcp_seg *g) {
    uint32_t right = seq_max(t->rcv_adv, t->rcv_nxt);
    if (seq_lt(g->seq, t->rcv_nxt)) {
        uint32_t old = t->rcv_nxt - g->seq < g->len ? t->rcv_nxt - g->seq : g->len;
        if (old > 0) {
            count(t->s.ns, tcp_duplicates);
            tcp_note_dsack(t, g->seq, g->seq + old);
            t->ack_now = true;
        }
        pkt_skip(g->p, old);
        g->seq += old;
        g->len -= old;
    }
    if (seq_lt(right, g->seq + g->len)) {
        uint32_t fits = seq_lt(g->seq, right) ? right - g->seq : 0;
        count(t->s.ns, tcp_drop_window);
        pkt_trim(g->p, fits);
        g->len = fits;
        g->flags &= (uint8_t)~TCP_FIN;
        t->ack_now = true;
    }
    return g->len > 0;
}

// RFC 9293 3.10.7.4, eighth.
static void take_fin(struct tcp *t) {
    t->fin_taken = true;
    t->rcv_nxt++;
    t->ack_now = true;
    switch (t->state) {
    case TCPS_ESTABLISHED:
        tcp_set_state(t, TCPS_CLOSE_WAIT);
        break;
    case TCPS_FIN_WAIT_1:
        tcp_set_state(t, TCPS_CLOSING);
        break;
    case TCPS_FIN_WAIT_2:
        tcp_send_ack(t);
        tcp_time_wait(t);
        return;
    default:
        break;
    }
    sock_wake(&t->s, NS_IN | NS_RDHUP);
}

static void schedule_ack(struct tcp *t, bool filled) {
    if (t->nooo > 0 || filled) {
        t->ack_now = true;  // RFC 5681 4.2: holes, and what fills them, are told at once
    } else if (t->quickacks > 0 && t->s.opt[NS_OPT_TCP_QUICKACK]) {
        t->quickacks--;
        t->ack_now = true;
    } else if (t->rcv_nxt - t->rcv_acked >= 2 * t->rcv_mss) {
        t->ack_now = true;
    } else {
        tcp_delay_ack(t);
    }
}

void tcp_data(struct tcp *t, struct tcp_seg *g) {
    bool receives =
        t->state == TCPS_ESTABLISHED || t->state == TCPS_FIN_WAIT_1 || t->state == TCPS_FIN_WAIT_2;
    if (!receives) {  // after its FIN: RFC 9293 3.10.7.4 says it should not occur
        if (g->len > 0)
            count(t->s.ns, tcp_drop_state);
        return;
    }
    if (g->size > t->rcv_mss)  // a link that joins segments may not say of which size they were
        t->rcv_mss = g->size < t->our_mss ? g->size : t->our_mss;
    bool had = g->len > 0, holes = t->nooo > 0;
    // RFC 5681 4.2: each segment out of order is told by itself, also when more have come with it: what is
    // owed goes first.
    if (t->ack_now && (holes || g->seq != t->rcv_nxt))
        tcp_send_ack(t);
    if (had && trim(t, g)) {
        if (!t->s.user && !t->listener) {
            // RFC 1122 4.2.2.13: nobody will ever read it, and the peer should know.
            count(t->s.ns, tcp_drop_closed);
            tcp_reset_peer(t, 0);
            return;
        }
        if (g->seq == t->rcv_nxt) {
            struct pkt *p = g->p;
            uint32_t before = t->rcv_nxt;
            g->p = NULL;
            append(t, p);
            t->data_at = t->s.ns->now;
            join_ooo(t);
            tcp_urgent_arrived(t, before);
            sock_wake(&t->s, NS_IN);
        } else {
            ooo_insert(t, g);
        }
        schedule_ack(t, holes);
    } else if (had) {
        t->ack_now = true;
    }
    if ((g->flags & TCP_FIN) && !t->fin_seen) {
        t->fin_seen = true;
        t->fin_seq = g->seq + g->len;
    }
    if (t->fin_seen && !t->fin_taken && t->rcv_nxt == t->fin_seq)
        take_fin(t);
    else if (g->flags & TCP_FIN)
        t->ack_now = true;
}

// ---- The user has read ------------------------------------------------------------------------------------
// The buffer follows what the user takes in a round trip, twice over, so that the window never holds the peer
// back.
static uint64_t drs_round(const struct tcp *t) {
    if (!t->srtt)
        return 100 * NS_MS;
    // A millisecond at least: on a quick path the scheduler decides how much of it waits for the reader.
    return t->srtt > NS_MS ? t->srtt : NS_MS;
}
static void resize(struct tcp *t, uint32_t taken) {
    struct netstack *ns = t->s.ns;
    t->drs_copied += taken;
    if (ns->now - t->drs_at < drs_round(t))
        return;
    uint32_t most = ns->config.budget / 8 < RCVBUF_MAX ? (uint32_t)(ns->config.budget / 8) : RCVBUF_MAX;
    uint64_t want = 2ull * t->drs_copied + 16 * t->rcv_mss;
    if (t->drs_space && t->drs_copied > t->drs_space)  // the sender is in slow start: keep ahead of it
        want += 2 * want * (t->drs_copied - t->drs_space) / t->drs_space;
    t->drs_space = t->drs_copied;
    if (!t->rcvbuf_locked && want > (uint64_t)t->s.opt[NS_OPT_RCVBUF])
        t->s.opt[NS_OPT_RCVBUF] = (int)(want < most ? want : most);
    t->drs_copied = 0;
    t->drs_at = ns->now;
}

void tcp_received(struct tcp *t, uint32_t taken) {
    uint32_t before = seq_lt(t->rcv_nxt, t->rcv_adv) ? t->rcv_adv - t->rcv_nxt : 0;
    resize(t, taken);
    if (t->state != TCPS_ESTABLISHED && t->state != TCPS_FIN_WAIT_1 && t->state != TCPS_FIN_WAIT_2)
        return;
    uint32_t after = tcp_window(t), buf = (uint32_t)t->s.opt[NS_OPT_RCVBUF];
    uint32_t step = buf / 2 < 2 * t->rcv_mss ? buf / 2 : 2 * t->rcv_mss;
    // An update by itself is for who may be waiting for it: ACKs of data tell it to everybody else.
    if ((after >= before + step && after / 2 >= before) || (before == 0 && after > 0))
        tcp_send_ack(t);
}
