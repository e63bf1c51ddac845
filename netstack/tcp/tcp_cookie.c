// SPDX-License-Identifier: Apache-2.0
// SYN cookies (RFC 4987 3.6): when a listener has too many half-open connections, what it would remember of
// one goes into the initial sequence number, under a keyed hash, and comes back with the ACK:
//
//     5 bits minute count | 3 bits MSS class | 24 bits hash of addresses, ports, the peer's number,
//                                              count and class
//
// Window scale and SACK go into the low bits of our timestamp. No state, which is the point.
#include "netstack/core/addr.h"
#include "netstack/tcp/tcp.h"

#define PERIODS 2  // a cookie is good for that many: one to two minutes
#define PERIOD  (TCP_COOKIE_LIFE / PERIODS)

static const uint16_t classes[8] = {536, 1220, 1300, 1380, 1400, 1440, 1460, 8960};

struct cookie_key {
    struct ns_ip local, remote;
    uint16_t lport, rport;
    uint32_t seq, period, class, what;
};

static uint32_t hash24(struct netstack *ns, const struct tcp_seg *g, uint32_t seq, uint32_t period,
                       uint32_t class) {
    struct cookie_key k = {g->local.ip, g->remote.ip, g->local.port, g->remote.port, seq, period, class, 4};
    return (uint32_t)siphash(&ns->key, &k, sizeof k) & 0xffffff;
}

uint32_t tcp_cookie_make(struct netstack *ns, const struct tcp_seg *g) {
    uint32_t period = (uint32_t)(ns->now / PERIOD), class = 0;
    while (class < 7 && classes[class + 1] <= g->o.mss)
        class ++;
    return (period & 31) << 27 | class << 24 | hash24(ns, g, g->seq, period, class);
}

// Six bits: ECN is not offered with a cookie, so one of them stays 0.
uint32_t tcp_cookie_ts(uint32_t ts, const struct tcp_options *o) {
    uint32_t scale = o->has_wscale ? o->wscale : 15;
    uint32_t back = (ts & ~63u) | scale | (o->sack_ok ? 16u : 0);
    return seq_lt(ts, back) ? back - 64 : back;  // not from the future
}

bool tcp_cookie_check(struct netstack *ns, const struct tcp_seg *g, struct tcp_options *o) {
    uint32_t cookie = g->ack - 1, now = (uint32_t)(ns->now / PERIOD), class = cookie >> 24 & 7;
    for (uint32_t age = 0; age < PERIODS && age <= now; age++) {
        uint32_t period = now - age;
        if ((period & 31) != cookie >> 27 || hash24(ns, g, g->seq - 1, period, class) != (cookie & 0xffffff))
            continue;
        *o = (struct tcp_options){.mss = classes[class], .has_ts = g->o.has_ts, .tsval = g->o.tsval};
        if (g->o.has_ts) {
            uint32_t bits = g->o.tsecr & 63;
            o->sack_ok = bits & 16;
            o->has_wscale = (bits & 15) != 15;
            o->wscale = o->has_wscale ? bits & 15 : 0;
        }
        return true;
    }
    return false;
}
