// SPDX-License-Identifier: Apache-2.0
// What an acknowledgement means for the sender (RFC 9293 3.10.7.4 fifth, RFC 5681, RFC 6298, RFC 6582): the
// window, what was delivered, a round-trip time, and whether something was lost. Called by tcp_in.c. Lock:
// the stack's.
#include "netstack/tcp/tcp.h"
#include "netstack/link/netif.h"
#include "netstack/neigh/neigh.h"

#define MIN_RTT_LIFE (300 * NS_SEC)

// RFC 6298 2. The variance has a floor, which is the least timeout that Linux has.
void tcp_rtt_sample(struct tcp *t, uint64_t rtt) {
    uint64_t now = t->s.ns->now;
    if (rtt == 0)
        rtt = 1;
    if (!t->min_rtt || rtt <= t->min_rtt || now - t->min_rtt_at > MIN_RTT_LIFE) {
        t->min_rtt = rtt;
        t->min_rtt_at = now;
    }
    if (!t->srtt) {
        t->srtt = rtt;
        t->rttvar = rtt / 2;
    } else {
        uint64_t diff = rtt > t->srtt ? rtt - t->srtt : t->srtt - rtt;
        t->rttvar = (3 * t->rttvar + diff) / 4;
        t->srtt = (7 * t->srtt + rtt) / 8;
    }
    uint64_t var = 4 * t->rttvar < TCP_RTO_MIN ? TCP_RTO_MIN : 4 * t->rttvar;
    t->rto = t->srtt + var < TCP_RTO_MAX ? t->srtt + var : TCP_RTO_MAX;
}

// The latest window, by the order of what was sent (SND.WL1, SND.WL2); with an ACK of new data always, as it
// is counted from there.
static bool update_window(struct tcp *t, const struct tcp_seg *g) {
    uint32_t wnd = g->wnd << t->snd_wscale;
    bool later = seq_lt(t->snd_wl1, g->seq) || (t->snd_wl1 == g->seq && seq_le(t->snd_wl2, g->ack));
    if (!later && !seq_lt(t->snd_una, g->ack))
        return false;
    bool changed = wnd != t->snd_wnd;
    t->snd_wl1 = g->seq;
    t->snd_wl2 = g->ack;
    t->snd_wnd = wnd;
    if (wnd > t->max_wnd)
        t->max_wnd = wnd;
    return changed;
}

// The window can be used again: the zero window probe has done its work.
static void window_opened(struct tcp *t) {
    if (t->rtx_kind == RTX_PROBE && t->snd_wnd > 0) {
        stack_cancel(t->s.ns, &t->rtx);
        t->rtx_kind = RTX_NONE;
        t->backoff = 0;
    }
    t->probes = 0;
}

static void free_acked(struct tcp *t, uint32_t ack) {
    uint32_t bytes = ack - t->sndq_seq;
    if (seq_le(ack, t->sndq_seq))
        return;
    if (bytes > t->sndq.len)
        bytes = t->sndq.len;  // the FIN is no byte
    byteq_drop(&t->sndq, bytes);
    t->sndq_seq += bytes;
}

// ---- Without SACK -----------------------------------------------------------------------------------------
// Each duplicate says that one segment has left the network, we do not know which (RFC 5681 3.2): they are
// counted as SACKED from the end, without marks on ranges. *delivered is what that adds. In a recovery no
// more of them count than was in flight at its beginning (RFC 5681 3.2 allows it): a receiver that makes them
// up would pump up the network.
static void reno_duplicate(struct tcp *t, struct tcp_delivery *d) {
    uint32_t most = t->ca >= CA_RECOVERY ? t->high_seq - t->snd_una : tcp_flight(t),
             counted = t->sacked + t->lost;
    uint32_t room = most > counted ? most - counted : 0, n = t->mss < room ? t->mss : room;
    t->sacked += n;
    d->delivered += n;
}

static void reno_reset(struct tcp *t) { t->sacked = 0; }

static void mark_first(struct tcp *t) {
    struct tcp_range *r = list_first(&t->ranges, struct tcp_range, link);
    if (list_empty(&t->ranges) || r->flags & RANGE_LOST)
        return;
    if (r->end - r->seq > t->mss)
        tcp_range_split(t, r, r->seq + t->mss);
    tcp_range_lost(t, r);
    if (t->sacked + t->lost > tcp_flight(t))
        t->sacked = tcp_flight(t) - t->lost;
}

static void reno_losses(struct tcp *t, bool advanced) {
    bool recovering = t->ca == CA_RECOVERY;
    if (recovering ? advanced : t->ca < CA_RECOVERY && t->dupacks >= TCP_REO_SEGMENTS)
        mark_first(t);  // RFC 6582 3.2: a partial ACK points at the next hole
}

// ---- Recovery ---------------------------------------------------------------------------------------------
static void leave_recovery(struct tcp *t) {
    if (t->ca == CA_RECOVERY || t->ca == CA_CWR)
        t->cwnd = t->ssthresh;
    t->undo_ok = false;
    t->ca = t->sacked ? CA_DISORDER : CA_OPEN;
    t->dupacks = 0;
}

// RFC 3522: the ACK is for what was sent before the first retransmission, so that was not needed.
static bool spurious(const struct tcp *t, const struct tcp_seg *g, bool advanced) {
    return advanced && t->undo_ok && t->ca >= CA_RECOVERY && t->ts_ok && g->o.has_ts && g->o.tsecr &&
           seq_lt(g->o.tsecr, t->undo_ts);
}

static void congestion(struct tcp *t, const struct tcp_seg *g, bool advanced, const struct tcp_delivery *d) {
    if (spurious(t, g, advanced))
        tcp_cc_undo(t);
    bool left = t->ca >= CA_CWR && seq_le(t->high_seq, t->snd_una);
    if (left)
        leave_recovery(t);
    if (t->ecn_ok && (g->flags & TCP_ECE) && t->ca < CA_CWR && seq_lt(t->high_seq, t->snd_una)) {
        tcp_cc_enter(t, CA_CWR);  // RFC 3168 6.1.2: once for a window of data
        t->ecn_cwr = true;
    }
    if (t->lost > t->retrans && t->ca < CA_RECOVERY)
        tcp_cc_enter(t, CA_RECOVERY);
    else if (t->ca < CA_CWR)
        t->ca = t->sacked || t->dupacks ? CA_DISORDER : CA_OPEN;
    if (t->ca == CA_RECOVERY || t->ca == CA_CWR)
        tcp_cc_prr(t, d->delivered, t->lost > t->retrans);
    else if (advanced && !left)  // RFC 3042 2: duplicates do not open the window
        tcp_cc_acked(t, d->delivered);
}

// ---- The ACK ----------------------------------------------------------------------------------------------
// RFC 9293 3.10.7.4 and RFC 5961 5.2: what was never sent is answered; what is older than a window is
// dropped.
static bool acceptable(struct tcp *t, const struct tcp_seg *g) {
    if (seq_lt(t->snd_nxt, g->ack) || seq_lt(g->ack, t->snd_una - t->max_wnd)) {
        count(t->s.ns, tcp_drop_ack);
        tcp_challenge(t);
        return false;
    }
    return true;
}

static void advance(struct tcp *t, const struct tcp_seg *g, struct tcp_delivery *d) {
    t->snd_una = g->ack;
    tcp_ranges_acked(t, g->ack, d);
    if (!t->sack_ok)
        reno_reset(t);
    free_acked(t, g->ack);
    if (seq_lt(t->snd_sml, t->snd_una))
        t->snd_sml = t->snd_una;
    t->retries = t->backoff = 0;
    t->soft_error = 0;
    t->first_unanswered = tcp_flight(t) ? t->s.ns->now : 0;
}

static void sample(struct tcp *t, const struct tcp_seg *g, bool advanced, const struct tcp_delivery *d) {
    if (d->rtt) {
        tcp_rtt_sample(t, d->rtt);
        tcp_cc_rtt(t, d->rtt);
    } else if (advanced && t->ts_ok && g->o.has_ts && g->o.tsecr) {  // RFC 7323 4: of a retransmission too
        tcp_rtt_sample(t, (uint64_t)(tcp_ts_now(t) - g->o.tsecr) * NS_MS);
    }
}

// A neighbour that moves our data along is there (RFC 4861 7.3.1).
static void confirm_neighbour(struct tcp *t) {
    struct path path;
    if (path_find(t->s.ns, &t->s.remote.ip, &t->s.local.ip, &path) == 0)
        neigh_confirm(path.nif, &path.next);
}

static void duplicates(struct tcp *t, const struct tcp_seg *g, uint32_t prior, bool window,
                       struct tcp_delivery *d) {
    // RFC 5681 2: no data, no news of the window, and something outstanding.
    bool dup =
        g->ack == prior && g->len == 0 && !window && !(g->flags & (TCP_FIN | TCP_SYN)) && tcp_flight(t) > 0;
    if (!dup)
        return;
    t->dupacks++;
    if (!t->sack_ok)
        reno_duplicate(t, d);
}

void tcp_tell_writer(struct tcp *t) {
    if (!t->starved || !tcp_writable(t))
        return;
    t->starved = false;
    sock_wake(&t->s, NS_OUT);
}

bool tcp_ack(struct tcp *t, const struct tcp_seg *g) {
    if (!acceptable(t, g))
        return false;
    struct tcp_delivery d = {0};
    uint32_t prior = t->snd_una;
    bool advanced = seq_lt(prior, g->ack), window = update_window(t, g);
    window_opened(t);
    if (advanced)
        advance(t, g, &d);
    if (t->sack_ok && g->o.nsacks)
        tcp_ranges_sacked(t, g, prior, &d);
    if (d.dsack)
        tcp_rack_dsack(t);
    duplicates(t, g, prior, window, &d);
    sample(t, g, advanced, &d);
    if (advanced && t->ca < CA_CWR)
        t->dupacks = 0;
    tcp_tlp_ack(t, g->ack, &d);
    uint64_t pending = t->sack_ok ? tcp_rack_detect(t) : 0;
    if (!t->sack_ok)
        reno_losses(t, advanced);
    congestion(t, g, advanced, &d);
    if (d.delivered > 0)
        tcp_restart(t);
    if (pending && tcp_flight(t)) {
        t->rtx_kind = RTX_REORDER;
        stack_arm(t->s.ns, &t->rtx, t->s.ns->now + pending);
    }
    if (advanced) {
        confirm_neighbour(t);
        tcp_tell_writer(t);
    }
    return true;
}
