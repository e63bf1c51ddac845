// SPDX-License-Identifier: Apache-2.0
// What xtables' matches and targets are told, as Linux lays it out. Numbers are the host's, addresses and the
// ports of translations the wire's.
#ifndef NETSTACK_FILTER_XT_LAYOUT_H
#define NETSTACK_FILTER_XT_LAYOUT_H
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct xt_tcp {
    uint16_t spts[2], dpts[2];
    uint8_t option, flg_mask, flg_cmp, invflags;
};
struct xt_udp {
    uint16_t spts[2], dpts[2];
    uint8_t invflags;
};
struct xt_icmp {
    uint8_t type, code[2], invflags;
};
#define XT_MULTI_PORTS 15
struct xt_multiport {
    uint8_t flags, count;  // flags: 0 source, 1 destination, 2 either
    uint16_t ports[XT_MULTI_PORTS];
    uint8_t pflags[XT_MULTI_PORTS], invert;
};
static_assert(sizeof(struct xt_multiport) == 48, "struct xt_multiport_v1");
struct xt_addrtype {
    uint16_t source, dest;
    uint32_t flags;
};
struct xt_iprange {
    uint8_t src_min[16], src_max[16], dst_min[16], dst_max[16];
    uint32_t flags;  // a byte, and what pads it
};
struct xt_conntrack {
    uint8_t addr[8][16];  // each with its mask: original source, destination, reply's
    uint32_t expires_min, expires_max;
    uint16_t l4proto;
    uint16_t port[4];
    uint16_t match_flags, invert_flags, state_mask, status_mask;
    uint16_t port_high[4];
};
static_assert(sizeof(struct xt_conntrack) == 164, "struct xt_conntrack_mtinfo3");
#define XT_CT_STATE       1u
#define XT_CT_PROTO       2u
#define XT_CT_ADDR(i)     (4u << (i))
#define XT_CT_STATUS      64u
#define XT_CT_EXPIRES     128u
#define XT_CT_PORT(i)     (256u << (i))
#define XT_CT_DIRECTION   4096u
#define XT_CT_STATE_ALIAS 8192u
struct xt_mark {
    uint32_t mark, mask;
    uint32_t invert;  // a byte, and what pads it
};
struct xt_set_mark {
    uint32_t mark, mask;
};
struct xt_set_connmark {
    uint32_t ctmark, ctmask, nfmask;
    uint8_t mode;
};
struct xt_length {
    uint16_t min, max;
    uint8_t invert;
};
struct xt_pkttype {
    int32_t pkttype, invert;
};
struct xt_rate {
    uint32_t avg, burst;
    uint64_t prev;
    uint32_t credit, credit_cap, cost;
    uint64_t master;
};
static_assert(sizeof(struct xt_rate) == 40, "struct xt_rateinfo");
struct xt_nat4 {
    uint32_t size, flags;
    uint8_t min_ip[4], max_ip[4], min[2], max[2];
};
static_assert(sizeof(struct xt_nat4) == 20, "struct nf_nat_ipv4_multi_range_compat");
struct xt_nat {
    uint32_t flags;
    uint8_t min[16], max[16], port_min[2], port_max[2];
};
static_assert(sizeof(struct xt_nat) == 40, "struct nf_nat_range");
#define XT_NAT2_LEN      44  // struct nf_nat_range2
#define XT_COMMENT_LEN   256
#define XT_LOG_LEN       32
#define XT_CT_TARGET_LEN 72  // struct xt_ct_target_info_v1

#endif
