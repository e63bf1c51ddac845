// SPDX-License-Identifier: Apache-2.0
// RACK-TLP (RFC 8985): loss is detected by time. A range is lost when one that was sent later has been
// delivered, and a round trip and a little more (for reordering) have passed. The tail, which nothing
// follows, is probed. Called by tcp_ack.c and tcp_timer.c, for peers with SACK. Lock: the stack's.
#include "netstack/tcp/tcp.h"

#define REO_PERSIST 16  // recoveries without a D-SACK until the window is small again (RFC 8985 6.2.4)

static bool sent_after(uint64_t t1, uint32_t end1, uint64_t t2, uint32_t end2) {
    return t1 > t2 || (t1 == t2 && seq_lt(end2, end1));
}

// RFC 8985 6.2 steps 1 to 3.
void tcp_rack_delivered(struct tcp *t, const struct tcp_range *r) {
    uint64_t rtt = t->s.ns->now - r->sent;
    if (seq_lt(t->rack_fack, r->end))
        t->rack_fack = r->end;
    else if (seq_lt(r->end, t->rack_fack) && !(r->flags & RANGE_EVER))
        t->reordering = true;
    if ((r->flags & RANGE_EVER) && rtt < t->min_rtt)
        return;  // of the first transmission: it came too soon to be the second's
    if (sent_after(r->sent, r->end, t->rack_sent, t->rack_end)) {
        t->rack_sent = r->sent;
        t->rack_end = r->end;
        t->rack_rtt = rtt;
    }
}

// A D-SACK: we retransmitted for nothing, so reordering is wider than we thought; once a round trip (step 4).
void tcp_rack_dsack(struct tcp *t) {
    if (seq_lt(t->snd_una, t->rack_dsack_round))
        return;
    t->rack_dsack_round = t->snd_nxt;
    if (t->rack_mult < 255)
        t->rack_mult++;
    t->rack_persist = REO_PERSIST;
}

static uint64_t reordering_window(const struct tcp *t) {
    if (!t->reordering && (t->ca >= CA_RECOVERY || t->sacked >= TCP_REO_SEGMENTS * t->mss))
        return 0;
    uint64_t wnd = t->min_rtt / 4 * (t->rack_mult ? t->rack_mult : 1);
    return wnd < t->srtt ? wnd : t->srtt;
}

// Step 5.
uint64_t tcp_rack_detect(struct tcp *t) {
    uint64_t now = t->s.ns->now, pending = 0, wait = t->rack_rtt + reordering_window(t);
    struct tcp_range *r;
    // With nothing SACKED and nothing lost, what was sent before the latest delivered has been acknowledged.
    if (!t->rack_sent || (!t->sacked && !t->lost))
        return 0;
    list_for_each(r, &t->ranges, link) {
        if (r->flags & RANGE_SACKED || (r->flags & (RANGE_LOST | RANGE_RETRANS)) == RANGE_LOST)
            continue;
        if (!sent_after(t->rack_sent, t->rack_end, r->sent, r->end)) {
            if (!t->retrans && !(r->flags & RANGE_EVER))
                break;  // those behind it were sent later still
            continue;
        }
        if (r->sent + wait <= now)
            tcp_range_lost(t, r);
        else if (r->sent + wait - now > pending)
            pending = r->sent + wait - now;
    }
    return pending;
}

// ---- Tail loss probe --------------------------------------------------------------------------------------
// RFC 8985 7.2.
uint64_t tcp_tlp_timeout(struct tcp *t) {
    if (!t->sack_ok || t->ca != CA_OPEN || t->tlp_out || t->sacked || !tcp_flight(t) || !t->srtt)
        return 0;
    uint64_t pto = 2 * t->srtt;
    // The peer may sit on the ACK of a single segment (MaxAckDelay).
    pto += tcp_flight(t) <= t->mss ? TCP_RTO_MIN : 2 * NS_MS;
    return pto < t->rto ? pto : 0;
}

void tcp_tlp_send(struct tcp *t) {
    uint32_t unsent = tcp_send_end(t) - t->snd_nxt, room = t->snd_una + t->snd_wnd - t->snd_nxt;
    uint32_t n = unsent < tcp_room(t) ? unsent : tcp_room(t);
    if (list_empty(&t->ranges))
        return;
    t->tlp_retrans = !(n > 0 && seq_lt(t->snd_nxt, t->snd_una + t->snd_wnd) && n <= room);
    if (t->tlp_retrans) {
        struct tcp_range *last = container_of(t->ranges.prev, struct tcp_range, link);
        if (last->end - last->seq > t->mss) {
            struct tcp_range *tail = tcp_range_split(t, last, last->end - t->mss);
            last = tail ? tail : last;
        }
        tcp_retransmit(t, last);
    } else {
        tcp_send_range(t, t->snd_nxt, n);
    }
    count(t->s.ns, tcp_tail_probes);
    t->tlp_out = true;
    t->tlp_end = t->snd_nxt;
}

// RFC 8985 7.4: the probe filled a hole unless the peer had the segment already.
void tcp_tlp_ack(struct tcp *t, uint32_t ack, const struct tcp_delivery *d) {
    if (!t->tlp_out || seq_lt(ack, t->tlp_end))
        return;
    t->tlp_out = false;
    if (t->tlp_retrans && !d->dsack && t->ca == CA_OPEN)
        tcp_cc_enter(t, CA_CWR);
}
