// SPDX-License-Identifier: Apache-2.0
// What goes with inet sockets beyond abi/socket.h: options of the levels IP, IPv6, TCP, UDP, ICMP and raw,
// their structures, and states of TCP.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_IP_TOS                    1
#define LINUX_IP_TTL                    2
#define LINUX_IP_HDRINCL                3
#define LINUX_IP_OPTIONS                4
#define LINUX_IP_ROUTER_ALERT           5
#define LINUX_IP_RECVOPTS               6
#define LINUX_IP_RETOPTS                7
#define LINUX_IP_PKTINFO                8
#define LINUX_IP_PKTOPTIONS             9
#define LINUX_IP_MTU_DISCOVER           10
#define LINUX_IP_RECVERR                11
#define LINUX_IP_RECVTTL                12
#define LINUX_IP_RECVTOS                13
#define LINUX_IP_MTU                    14
#define LINUX_IP_FREEBIND               15
#define LINUX_IP_PASSSEC                18
#define LINUX_IP_TRANSPARENT            19
#define LINUX_IP_ORIGDSTADDR            20
#define LINUX_IP_MINTTL                 21
#define LINUX_IP_NODEFRAG               22
#define LINUX_IP_CHECKSUM               23
#define LINUX_IP_BIND_ADDRESS_NO_PORT   24
#define LINUX_IP_RECVFRAGSIZE           25
#define LINUX_IP_RECVERR_RFC4884        26
#define LINUX_IP_MULTICAST_IF           32
#define LINUX_IP_MULTICAST_TTL          33
#define LINUX_IP_MULTICAST_LOOP         34
#define LINUX_IP_ADD_MEMBERSHIP         35
#define LINUX_IP_DROP_MEMBERSHIP        36
#define LINUX_IP_UNBLOCK_SOURCE         37
#define LINUX_IP_BLOCK_SOURCE           38
#define LINUX_IP_ADD_SOURCE_MEMBERSHIP  39
#define LINUX_IP_DROP_SOURCE_MEMBERSHIP 40
#define LINUX_IP_MSFILTER               41
#define LINUX_MCAST_JOIN_GROUP          42
#define LINUX_MCAST_BLOCK_SOURCE        43
#define LINUX_MCAST_UNBLOCK_SOURCE      44
#define LINUX_MCAST_LEAVE_GROUP         45
#define LINUX_MCAST_JOIN_SOURCE_GROUP   46
#define LINUX_MCAST_LEAVE_SOURCE_GROUP  47
#define LINUX_MCAST_MSFILTER            48
#define LINUX_IP_MULTICAST_ALL          49
#define LINUX_IP_UNICAST_IF             50
#define LINUX_IP_LOCAL_PORT_RANGE       51
#define LINUX_IP_PROTOCOL               52
#define LINUX_IP_PMTUDISC_DONT          0
#define LINUX_IP_PMTUDISC_WANT          1
#define LINUX_IP_PMTUDISC_DO            2
#define LINUX_IP_PMTUDISC_PROBE         3
#define LINUX_IP_PMTUDISC_INTERFACE     4
#define LINUX_IP_PMTUDISC_OMIT          5

#define LINUX_IPV6_ADDRFORM        1
#define LINUX_IPV6_2292PKTINFO     2
#define LINUX_IPV6_2292HOPOPTS     3
#define LINUX_IPV6_2292DSTOPTS     4
#define LINUX_IPV6_2292RTHDR       5
#define LINUX_IPV6_2292HOPLIMIT    8
#define LINUX_IPV6_FLOWINFO        11
#define LINUX_IPV6_FLOWINFO_SEND   33
#define LINUX_IPV6_RECVHOPOPTS     53
#define LINUX_IPV6_RECVRTHDR       56
#define LINUX_IPV6_RECVDSTOPTS     58
#define LINUX_IPV6_RECVPATHMTU     60
#define LINUX_IPV6_CHECKSUM        7
#define LINUX_IPV6_UNICAST_HOPS    16
#define LINUX_IPV6_MULTICAST_IF    17
#define LINUX_IPV6_MULTICAST_HOPS  18
#define LINUX_IPV6_MULTICAST_LOOP  19
#define LINUX_IPV6_ADD_MEMBERSHIP  20
#define LINUX_IPV6_DROP_MEMBERSHIP 21
#define LINUX_IPV6_MTU_DISCOVER    23
#define LINUX_IPV6_MTU             24
#define LINUX_IPV6_RECVERR         25
#define LINUX_IPV6_V6ONLY          26
#define LINUX_IPV6_JOIN_ANYCAST    27
#define LINUX_IPV6_MULTICAST_ALL   29
#define LINUX_IPV6_RECVERR_RFC4884 31
#define LINUX_IPV6_HOPOPTS         54
#define LINUX_IPV6_RTHDRDSTOPTS    55
#define LINUX_IPV6_RTHDR           57
#define LINUX_IPV6_DSTOPTS         59
#define LINUX_IPV6_PATHMTU         61
#define LINUX_IPV6_RECVFRAGSIZE    77
#define LINUX_IPV6_RECVPKTINFO     49
#define LINUX_IPV6_PKTINFO         50
#define LINUX_IPV6_RECVHOPLIMIT    51
#define LINUX_IPV6_HOPLIMIT        52
#define LINUX_IPV6_RECVTCLASS      66
#define LINUX_IPV6_TCLASS          67
#define LINUX_IPV6_DONTFRAG        62
#define LINUX_IPV6_AUTOFLOWLABEL   70
#define LINUX_IPV6_RECVORIGDSTADDR 74
#define LINUX_IPV6_ORIGDSTADDR     74
#define LINUX_IPV6_TRANSPARENT     75
#define LINUX_IPV6_FREEBIND        78
#define LINUX_IPV6_UNICAST_IF      76
#define LINUX_IPV6_MINHOPCOUNT     73

#define LINUX_TCP_THIN_LINEAR_TIMEOUTS 16
#define LINUX_TCP_THIN_DUPACK          17
#define LINUX_TCP_REPAIR               19
#define LINUX_TCP_MD5SIG               14
#define LINUX_TCP_FASTOPEN_CONNECT     30
#define LINUX_TCP_TIMESTAMP            24
#define LINUX_TCP_NOTSENT_LOWAT        25
#define LINUX_TCP_CC_INFO              26
#define LINUX_TCP_SAVE_SYN             27
#define LINUX_TCP_SAVED_SYN            28
#define LINUX_TCP_ULP                  31
#define LINUX_TCP_INQ                  36
#define LINUX_TCP_TX_DELAY             37

#define LINUX_TCP_REPAIR_QUEUE         20
#define LINUX_TCP_QUEUE_SEQ            21
#define LINUX_TCP_REPAIR_WINDOW        29
#define LINUX_TCP_ZEROCOPY_RECEIVE     35
#define LINUX_TCP_CM_INQ               LINUX_TCP_INQ
#define LINUX_TCP_IS_MPTCP             43

#define LINUX_UDP_CORK         1
#define LINUX_UDP_ENCAP        100
#define LINUX_UDP_NO_CHECK6_TX 101
#define LINUX_UDP_NO_CHECK6_RX 102
#define LINUX_UDP_SEGMENT      103
#define LINUX_UDP_GRO          104

#define LINUX_ICMP_FILTER  1  // of SOL_RAW
#define LINUX_ICMP6_FILTER 1  // of SOL_ICMPV6

// tcpi_state and the column `st` of /proc/net/tcp
#define LINUX_TCP_ESTABLISHED 1
#define LINUX_TCP_SYN_SENT    2
#define LINUX_TCP_SYN_RECV    3
#define LINUX_TCP_FIN_WAIT1   4
#define LINUX_TCP_FIN_WAIT2   5
#define LINUX_TCP_TIME_WAIT   6
#define LINUX_TCP_CLOSE       7
#define LINUX_TCP_CLOSE_WAIT  8
#define LINUX_TCP_LAST_ACK    9
#define LINUX_TCP_LISTEN      10
#define LINUX_TCP_CLOSING     11

struct linux_sock_extended_err {
    uint32_t ee_errno;
    uint8_t ee_origin, ee_type, ee_code, ee_pad;
    uint32_t ee_info, ee_data;
};
static_assert(sizeof(struct linux_sock_extended_err) == 16, "struct sock_extended_err");

#define LINUX_SO_EE_CODE_ZEROCOPY_COPIED 1

struct linux_in_pktinfo {
    int32_t ipi_ifindex;
    uint8_t ipi_spec_dst[4];
    uint8_t ipi_addr[4];
};
static_assert(sizeof(struct linux_in_pktinfo) == 12, "struct in_pktinfo");

struct linux_in6_pktinfo {
    uint8_t ipi6_addr[16];
    int32_t ipi6_ifindex;
};
static_assert(sizeof(struct linux_in6_pktinfo) == 20, "struct in6_pktinfo");

struct linux_ip_mreqn {
    uint8_t imr_multiaddr[4];
    uint8_t imr_address[4];
    int32_t imr_ifindex;
};
static_assert(sizeof(struct linux_ip_mreqn) == 12, "struct ip_mreqn");

struct linux_ipv6_mreq {
    uint8_t ipv6mr_multiaddr[16];
    int32_t ipv6mr_ifindex;
};
static_assert(sizeof(struct linux_ipv6_mreq) == 20, "struct ipv6_mreq");

struct linux_ip6_mtuinfo {
    uint8_t ip6m_addr[28];  // a sockaddr_in6
    uint32_t ip6m_mtu;
};
static_assert(sizeof(struct linux_ip6_mtuinfo) == 32, "struct ip6_mtuinfo");

struct linux_group_req {
    uint32_t gr_interface;
    uint32_t pad0;
    uint8_t gr_group[128];  // a sockaddr
};
static_assert(sizeof(struct linux_group_req) == 136, "struct group_req");

struct linux_tcp_info {
    uint8_t tcpi_state, tcpi_ca_state, tcpi_retransmits, tcpi_probes, tcpi_backoff, tcpi_options;
    uint8_t tcpi_wscale;  // sender's in the low half, receiver's in the high
    uint8_t tcpi_delivery_rate_app_limited;
    uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;
    uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;
    uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv;
    uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh, tcpi_snd_cwnd,
        tcpi_advmss;
    uint32_t tcpi_reordering, tcpi_rcv_rtt, tcpi_rcv_space, tcpi_total_retrans;
    uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate, tcpi_bytes_acked, tcpi_bytes_received;
    uint32_t tcpi_segs_out, tcpi_segs_in, tcpi_notsent_bytes, tcpi_min_rtt, tcpi_data_segs_in,
        tcpi_data_segs_out;
    uint64_t tcpi_delivery_rate, tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited;
    uint32_t tcpi_delivered, tcpi_delivered_ce;
    uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
    uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack, tcpi_snd_wnd;
};
static_assert(sizeof(struct linux_tcp_info) == 232, "struct tcp_info of Linux 6.1");
#define LINUX_TCPI_OPT_TIMESTAMPS 1
#define LINUX_TCPI_OPT_SACK       2
#define LINUX_TCPI_OPT_WSCALE     4
#define LINUX_TCPI_OPT_ECN        8
