// SPDX-License-Identifier: Apache-2.0
// TCP options in and out (RFC 9293 3.2, RFC 7323, RFC 2018). An option that we do not know is passed over by
// its length; a length that cannot be makes the segment malformed. No state.
#include "netstack/prot/wire.h"
#include "netstack/tcp/tcp.h"

static void parse_sack(const uint8_t *v, uint32_t n, struct tcp_options *out) {
    if (n % 8 != 0 || n / 8 > TCP_MAX_SACK)
        return;
    for (uint32_t i = 0; i < n / 8; i++)
        out->sacks[out->nsacks++] = (struct tcp_block){get32(v + 8 * i), get32(v + 8 * i + 4)};
}

// One option's value of n bytes. Of a wrong length it is as if it were not there (RFC 9293 3.2).
static void parse_one(uint8_t kind, const uint8_t *v, uint32_t n, struct tcp_options *out) {
    if (kind == TCP_OPT_MSS && n == 2) {
        out->mss = get16(v);
    } else if (kind == TCP_OPT_WSCALE && n == 1) {
        out->has_wscale = true;
        out->wscale = *v > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : *v;  // RFC 7323 2.3
    } else if (kind == TCP_OPT_SACK_OK && n == 0) {
        out->sack_ok = true;
    } else if (kind == TCP_OPT_TS && n == 8) {
        out->has_ts = true;
        out->tsval = get32(v);
        out->tsecr = get32(v + 4);
    } else if (kind == TCP_OPT_SACK && out->nsacks == 0) {
        parse_sack(v, n, out);
    }
}

bool tcp_parse_options(const uint8_t *o, uint32_t n, struct tcp_options *out) {
    *out = (struct tcp_options){0};
    for (uint32_t at = 0; at < n;) {
        if (o[at] == TCP_OPT_END)
            return true;
        if (o[at] == TCP_OPT_NOP) {
            at++;
            continue;
        }
        if (n - at < 2 || o[at + 1] < 2 || o[at + 1] > n - at)
            return false;
        parse_one(o[at], o + at + 2, o[at + 1] - 2u, out);
        at += o[at + 1];
    }
    return true;
}

uint32_t tcp_put_options(uint8_t *o, const struct tcp_options *in) {
    uint8_t *p = o;
    if (in->mss) {
        *p++ = TCP_OPT_MSS;
        *p++ = 4;
        put16(p, in->mss);
        p += 2;
    }
    if (in->has_ts) {
        // RFC 7323 appendix A: two NOPs in front keep the numbers aligned; SACK-permitted fits there.
        *p++ = in->sack_ok ? TCP_OPT_SACK_OK : TCP_OPT_NOP;
        *p++ = in->sack_ok ? 2 : TCP_OPT_NOP;
        *p++ = TCP_OPT_TS;
        *p++ = 10;
        put32(p, in->tsval);
        put32(p + 4, in->tsecr);
        p += 8;
    } else if (in->sack_ok) {
        *p++ = TCP_OPT_NOP;
        *p++ = TCP_OPT_NOP;
        *p++ = TCP_OPT_SACK_OK;
        *p++ = 2;
    }
    if (in->has_wscale) {
        *p++ = TCP_OPT_NOP;
        *p++ = TCP_OPT_WSCALE;
        *p++ = 3;
        *p++ = in->wscale;
    }
    if (in->nsacks) {
        *p++ = TCP_OPT_NOP;
        *p++ = TCP_OPT_NOP;
        *p++ = TCP_OPT_SACK;
        *p++ = (uint8_t)(2 + 8 * in->nsacks);
        for (unsigned i = 0; i < in->nsacks; i++, p += 8) {
            put32(p, in->sacks[i].start);
            put32(p + 4, in->sacks[i].end);
        }
    }
    return (uint32_t)(p - o);
}

uint16_t tcp_peer_mss(const struct tcp_options *syn, const struct ns_ip *peer) {
    if (syn->mss)
        return syn->mss;
    return ns_ip_is4(peer) ? TCP_MSS_DEFAULT : TCP_MSS_DEFAULT6;
}
