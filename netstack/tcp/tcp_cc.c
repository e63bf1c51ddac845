// SPDX-License-Identifier: Apache-2.0
// Congestion control, in bytes: slow start, Reno (RFC 5681), CUBIC (RFC 9438), and the way down after a loss
// by proportional rate reduction (RFC 9937). Called by tcp_ack.c and tcp_timer.c. Lock: the stack's.
// LIMIT: no pacing: what the window allows goes out at once.
#include "netstack/tcp/tcp.h"
#include "base/clamp.h"

#define CWND_MAX (1u << 30)

static uint32_t at_least_two(const struct tcp *t, uint64_t bytes) {
    return bytes > 2 * t->mss ? (uint32_t)bytes : 2 * t->mss;
}

// ---- Reno -------------------------------------------------------------------------------------------------
static void reno_init(struct tcp *t) {}

static void reno_avoid(struct tcp *t, uint32_t acked) {
    // A segment for each window that was acknowledged (RFC 5681, equation 3, by bytes).
    uint32_t more = (uint32_t)((uint64_t)acked * t->mss / t->cwnd);
    t->cwnd += more ? more : 1;
}

static uint32_t reno_ssthresh(struct tcp *t) { return at_least_two(t, t->cwnd / 2); }

const struct tcp_cc tcp_reno = {"reno", reno_init, reno_avoid, reno_ssthresh};

// ---- CUBIC ------------------------------------------------------------------------------------------------
// C = 0.4, beta = 0.7; windows in bytes, time in ms.
static uint64_t cube_root(uint64_t v) {
    uint64_t lo = 0, hi = 2642245;  // the cube root of 2^64
    while (lo < hi) {
        uint64_t mid = (lo + hi + 1) / 2;
        if (mid * mid * mid <= v)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static void cubic_init(struct tcp *t) { t->cubic = (struct tcp_cubic_state){0}; }

static void cubic_begin(struct tcp *t) {
    struct tcp_cubic_state *c = &t->cubic;
    c->epoch = t->s.ns->now;
    c->w_est = t->cwnd;
    c->k_ms = 0;
    c->origin = t->cwnd;
    if (t->cwnd < c->w_max) {
        c->origin = c->w_max;
        // K = cbrt((W_max - cwnd) / C) s, windows in segments (figure 2).
        c->k_ms = cube_root((uint64_t)(c->w_max - t->cwnd) * 10 / 4 * 1000000000ull / t->mss);
    }
}

// W_cubic(t) = C * (t - K)^3 + W_max (figure 1).
static uint64_t cubic_window(const struct tcp *t) {
    const struct tcp_cubic_state *c = &t->cubic;
    int64_t ms = (int64_t)((t->s.ns->now - c->epoch + t->min_rtt) / NS_MS) - (int64_t)c->k_ms;
    const int64_t most = 200000;  // 200 s from K the window is at its bound by far
    ms = clamp_i64(ms, -most, most);
    int64_t segments_x1000 = ms * ms * ms / 1000000 * 4 / 10;
    int64_t w = (int64_t)c->origin + segments_x1000 * (int64_t)t->mss / 1000;
    return w < 0 ? 0 : (uint64_t)w;
}

static void cubic_avoid(struct tcp *t, uint32_t acked) {
    struct tcp_cubic_state *c = &t->cubic;
    if (!c->epoch)
        cubic_begin(t);
    uint64_t target = clamp_u64(cubic_window(t), t->cwnd, t->cwnd + t->cwnd / 2);
    // What Reno with the same average would have (4.3): alpha is 3 (1 - beta) / (1 + beta) until the old
    // window is reached, then 1.
    uint64_t est = (uint64_t)acked * t->mss / t->cwnd;
    c->w_est += (uint32_t)(c->w_est < c->prior ? est * 9 / 17 : est);
    if (c->w_est > target) {
        t->cwnd = c->w_est > t->cwnd ? c->w_est : t->cwnd;
        return;
    }
    t->cwnd += (uint32_t)((target - t->cwnd) * acked / t->cwnd);
}

static uint32_t cubic_ssthresh(struct tcp *t) {
    struct tcp_cubic_state *c = &t->cubic;
    c->epoch = 0;
    c->prior = t->cwnd;
    // Fast convergence (4.7): who is losing share gives up some more.
    c->w_max = t->cwnd < c->w_max ? (uint32_t)((uint64_t)t->cwnd * 17 / 20) : t->cwnd;
    return at_least_two(t, (uint64_t)t->cwnd * 7 / 10);
}

const struct tcp_cc tcp_cubic = {"cubic", cubic_init, cubic_avoid, cubic_ssthresh};

// ---- HyStart++ (RFC 9406 4.2, 4.3) ------------------------------------------------------------------------
#define HS_SAMPLES    8
#define HS_CSS_ROUNDS 5
#define HS_DIVISOR    4
#define HS_LEAST      (4 * NS_MS)
#define HS_MOST       (16 * NS_MS)

static void hystart_round(struct tcp *t) {
    struct tcp_hystart *h = &t->hystart;
    h->round_end = t->snd_nxt;
    h->last_min = h->now_min;
    h->now_min = 0;
    h->samples = 0;
    if (h->css && ++h->css_rounds >= HS_CSS_ROUNDS) {
        t->ssthresh = t->cwnd;
        h->css = false;
    }
}

void tcp_cc_rtt(struct tcp *t, uint64_t rtt) {
    struct tcp_hystart *h = &t->hystart;
    if (t->cwnd >= t->ssthresh)
        return;
    h->now_min = !h->now_min || rtt < h->now_min ? rtt : h->now_min;
    if (++h->samples < HS_SAMPLES)
        return;
    uint64_t step = clamp_u64(h->last_min / 8, HS_LEAST, HS_MOST);
    if (!h->css && h->last_min && h->now_min >= h->last_min + step) {
        h->css = true;
        h->css_rounds = 0;
        h->baseline = h->now_min;
    } else if (h->css && h->now_min < h->baseline) {
        h->css = false;  // it was noise: on as before
    }
}

// ---- Common -----------------------------------------------------------------------------------------------
void tcp_cc_init(struct tcp *t) {
    t->cc = t->s.opt[NS_OPT_TCP_CONGESTION] == NS_RENO ? &tcp_reno : &tcp_cubic;
    t->cc->init(t);
    t->cwnd = 10 * t->mss;  // RFC 6928
    t->ssthresh = CWND_MAX;
    t->hystart = (struct tcp_hystart){.round_end = t->snd_nxt};
    t->high_seq = t->snd_una;
    t->ca = CA_OPEN;
}

void tcp_cc_acked(struct tcp *t, uint32_t acked) {
    if (!t->cwnd_limited)
        return;  // RFC 7661: a window that is not used says nothing of the path
    if (t->cwnd < t->ssthresh) {
        uint32_t room = t->ssthresh - t->cwnd, step = acked < room ? acked : room;
        t->cwnd += t->hystart.css ? (step + HS_DIVISOR - 1) / HS_DIVISOR : step;
        acked -= step;
        if (!seq_lt(t->snd_una, t->hystart.round_end))
            hystart_round(t);
    }
    if (acked > 0 && t->cwnd >= t->ssthresh)
        t->cc->avoid(t, acked);
    if (t->cwnd > CWND_MAX)
        t->cwnd = CWND_MAX;
}

void tcp_cc_enter(struct tcp *t, enum tcp_ca_state ca) {
    // the same loss, seen twice, counts once
    bool again = t->ca >= CA_CWR && seq_lt(t->snd_una, t->high_seq);
    if (!again) {
        t->undo_cwnd = t->cwnd;
        t->undo_ssthresh = t->ssthresh;
        t->undo_ts = tcp_ts_now(t);
        t->undo_ok = ca != CA_CWR;
        t->ssthresh = t->cc->ssthresh(t);
        t->prr_delivered = t->prr_out = 0;
        t->prr_flight = tcp_flight(t);
    }
    if (ca == CA_LOSS)
        t->cwnd = t->mss;  // RFC 5681, equation 4
    if (ca == CA_RECOVERY)
        count(t->s.ns, tcp_fast_recoveries);
    if (ca != CA_CWR && t->rack_persist > 0 && --t->rack_persist == 0)
        t->rack_mult = 1;
    t->ca = ca;
    t->high_seq = t->snd_nxt;
    t->tlp_out = false;
}

// RFC 9937 6: as many bytes go out as the network gave back, scaled so that the recovery ends at ssthresh.
void tcp_cc_prr(struct tcp *t, uint32_t delivered, bool retransmitting) {
    uint32_t pipe = tcp_pipe(t);
    int64_t n;
    t->prr_delivered += delivered;
    if (pipe > t->ssthresh && t->prr_flight) {
        n = (int64_t)(((uint64_t)t->prr_delivered * t->ssthresh + t->prr_flight - 1) / t->prr_flight) -
            t->prr_out;
    } else {
        int64_t limit = (int64_t)t->prr_delivered - t->prr_out;
        limit = (limit > (int64_t)delivered ? limit : (int64_t)delivered) + t->mss;
        int64_t room = (int64_t)t->ssthresh - pipe;
        n = room < limit ? room : limit;
    }
    if (n < 0)
        n = 0;
    if (retransmitting && t->prr_out == 0 && n < (int64_t)t->mss)
        n = t->mss;  // the first retransmission is not held back
    t->cwnd = pipe + (uint32_t)n;
    if (t->cwnd < t->mss)
        t->cwnd = t->mss;
}

// The loss was none (RFC 4015): as if nothing had been.
void tcp_cc_undo(struct tcp *t) {
    count(t->s.ns, tcp_spurious);
    t->cwnd = t->cwnd > t->undo_cwnd ? t->cwnd : t->undo_cwnd;
    t->ssthresh = t->ssthresh > t->undo_ssthresh ? t->ssthresh : t->undo_ssthresh;
    t->undo_ok = false;
    t->reordering = true;
    tcp_ranges_forgive(t);
    t->ca = t->sacked ? CA_DISORDER : CA_OPEN;
}
