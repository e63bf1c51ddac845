// SPDX-License-Identifier: Apache-2.0
// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, UDP (RFC 768), ICMP (RFC 792), ICMPv6 (RFC 4443) and neighbour
// discovery (RFC 4861), IGMP (RFC 3376) and MLD (RFC 3810): offsets and numbers.
#ifndef NETSTACK_PROT_IP_H
#define NETSTACK_PROT_IP_H

#define IP4_LEN      20
#define IP4_TOS      1
#define IP4_TOTAL    2
#define IP4_ID       4
#define IP4_FRAG     6
#define IP4_TTL      8
#define IP4_PROTO    9
#define IP4_CSUM     10
#define IP4_SRC      12
#define IP4_DST      16
#define IP4_DF       0x4000
#define IP4_MF       0x2000
#define IP4_OFFSET   0x1fff
#define IP4_OPT_END  0
#define IP4_OPT_NOP  1
#define IP4_OPT_LSRR 131
#define IP4_OPT_SSRR 137
#define IP4_OPT_ALERT 148  // RFC 2113
#define IP4_MIN_MTU  68  // RFC 791 3.2

#define IP6_LEN      40
#define IP6_PAYLOAD  4
#define IP6_NEXT     6
#define IP6_HOPS     7
#define IP6_SRC      8
#define IP6_DST      24
#define IP6_MIN_MTU  1280  // RFC 8200 5
#define IP6_FRAG_LEN 8
#define IP6_FRAG_MF  1

#define PROTO_HOPOPTS 0
#define PROTO_ICMP    1
#define PROTO_IGMP    2
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_ROUTING 43
#define PROTO_FRAG    44
#define PROTO_ICMP6   58
#define PROTO_NONE    59
#define PROTO_DSTOPTS 60

#define UDP_LEN   8
#define UDP_SPORT 0
#define UDP_DPORT 2
#define UDP_TOTAL 4
#define UDP_CSUM  6

#define ICMP_LEN              8
#define ICMP_TYPE             0
#define ICMP_CODE             1
#define ICMP_CSUM             2
#define ICMP_ID               4
#define ICMP_MTU              6  // of "fragmentation needed" (RFC 1191 4)
#define ICMP_ECHO_REPLY       0
#define ICMP_UNREACH          3
#define ICMP_UNREACH_NET      0
#define ICMP_UNREACH_HOST     1
#define ICMP_UNREACH_PROTO    2
#define ICMP_UNREACH_PORT     3
#define ICMP_UNREACH_NEEDFRAG 4
#define ICMP_UNREACH_NET_ADMIN  9  // RFC 1122 3.2.2.1
#define ICMP_UNREACH_HOST_ADMIN 10
#define ICMP_UNREACH_ADMIN    13  // RFC 1812 5.2.7.1
#define ICMP_ECHO             8
#define ICMP_TIME             11
#define ICMP_TIME_TTL         0
#define ICMP_TIME_REASSEMBLY  1
#define ICMP_PARAM            12

#define ICMP6_UNREACH       1
#define ICMP6_UNREACH_ROUTE 0
#define ICMP6_UNREACH_ADMIN 1
#define ICMP6_UNREACH_ADDR  3
#define ICMP6_UNREACH_PORT  4
#define ICMP6_TOO_BIG       2
#define ICMP6_TIME          3
#define ICMP6_PARAM         4
#define ICMP6_PARAM_FIELD   0
#define ICMP6_PARAM_NEXT    1
#define ICMP6_PARAM_OPTION  2
#define ICMP6_ECHO          128
#define ICMP6_ECHO_REPLY    129
#define ICMP6_MLD_QUERY     130  // RFC 2710 3
#define ICMP6_MLD_REPORT    131
#define ICMP6_MLD_DONE      132
#define ICMP6_MLD2_REPORT   143  // RFC 3810 5.2
#define ICMP6_RS            133
#define ICMP6_RA            134
#define ICMP6_NS            135
#define ICMP6_NA            136

#define IGMP_QUERY     0x11  // RFC 3376 4
#define IGMP_V1_REPORT 0x12
#define IGMP_V2_REPORT 0x16
#define IGMP_LEAVE     0x17
#define IGMP_V3_REPORT 0x22

#define ND_NS_LEN       24  // type, code, checksum, 4 reserved, target
#define ND_TARGET       8
#define ND_FLAGS        4
#define ND_NA_ROUTER    0x80
#define ND_NA_SOLICITED 0x40
#define ND_NA_OVERRIDE  0x20
#define ND_RA_LEN       16
#define ND_RA_HOPS      4
#define ND_RA_LIFETIME  6
#define ND_OPT_SOURCE   1
#define ND_OPT_TARGET   2
#define ND_OPT_PREFIX   3
#define ND_OPT_MTU      5
#define ND_PREFIX_LEN   2
#define ND_PREFIX_FLAGS 3
#define ND_PREFIX_VALID 4
#define ND_PREFIX_PREFERRED 8
#define ND_PREFIX_ADDR  16
#define ND_PREFIX_LINK  0x80
#define ND_PREFIX_AUTO  0x40

#endif
