// SPDX-License-Identifier: Apache-2.0
// TCP as who stands between sees it: a state for both ends together, by the flags alone.
// LIMIT: sequence numbers are not compared with windows (Linux: nf_conntrack_tcp_be_liberal).
#include "netstack/filter/nf.h"
#include "netstack/prot/tcp.h"

enum { NO = NF_TCP_NONE, SS, SR, ES, FW, CW, LA, TW, CL, S2, IV, AN, SAME };
enum { SYN, SYNACK, FIN, ACK, RST, KINDS };

// [direction][kind][state]
static const uint8_t next[2][KINDS][10] = {
    {
        //          none syns synr  est  fin clwt last tmwt  cl  syn2
        [SYN] = {SS, SS, SAME, SAME, SAME, SAME, SAME, AN, AN, S2},
        [SYNACK] = {IV, IV, SR, SAME, SAME, SAME, SAME, SAME, SAME, SR},
        [FIN] = {IV, IV, FW, FW, LA, LA, LA, TW, CL, IV},
        [ACK] = {ES, IV, ES, ES, CW, CW, TW, TW, CL, IV},
        [RST] = {IV, CL, CL, CL, CL, CL, CL, CL, CL, CL},
    },
    {
        [SYN] = {IV, S2, SAME, SAME, SAME, SAME, SAME, AN, AN, S2},
        [SYNACK] = {IV, SR, SAME, SAME, SAME, SAME, SAME, SAME, SAME, SR},
        [FIN] = {IV, IV, FW, FW, LA, LA, LA, TW, CL, IV},
        [ACK] = {IV, IV, SR, ES, CW, CW, TW, TW, CL, IV},
        [RST] = {IV, CL, CL, CL, CL, CL, CL, CL, CL, CL},
    },
};

// Combinations that no TCP sends.
static bool sane(uint8_t flags) {
    uint8_t f = flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK);
    if ((f & TCP_SYN) && (f & (TCP_FIN | TCP_RST)))
        return false;
    return (f & (TCP_SYN | TCP_RST | TCP_ACK)) != 0 && !((f & TCP_FIN) && (f & TCP_RST));
}
unsigned ct_tcp_next(unsigned state, int dir, uint8_t flags) {
    unsigned kind = ACK;
    if (!sane(flags))
        return NF_TCP_INVALID;
    if (flags & TCP_RST)
        kind = RST;
    else if (flags & TCP_SYN)
        kind = flags & TCP_ACK ? SYNACK : SYN;
    else if (flags & TCP_FIN)
        kind = FIN;
    unsigned to = next[dir][kind][state];
    return to == SAME ? state : to;
}
uint64_t ct_tcp_life(unsigned state) {
    // as Linux: nf_conntrack_tcp_timeout_*
    static const uint32_t s[] = {120, 120, 60, 432000, 120, 60, 30, 120, 10, 120};
    return s[state] * NS_SEC;
}
