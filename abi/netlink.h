// SPDX-License-Identifier: Apache-2.0
// netlink(7) and rtnetlink(7): message headers, requests, attributes and options.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_NETLINK_SOCK_DIAG 4
#define LINUX_NETLINK_ROUTE 0
#define LINUX_NETLINK_KOBJECT_UEVENT 15
#define LINUX_NETLINK_GENERIC        16

#define LINUX_NETLINK_ADD_MEMBERSHIP   1
#define LINUX_NETLINK_DROP_MEMBERSHIP  2
#define LINUX_NETLINK_PKTINFO          3
#define LINUX_NETLINK_BROADCAST_ERROR  4
#define LINUX_NETLINK_NO_ENOBUFS       5
#define LINUX_NETLINK_LIST_MEMBERSHIPS 9
#define LINUX_NETLINK_CAP_ACK          10
#define LINUX_NETLINK_EXT_ACK          11
#define LINUX_NETLINK_GET_STRICT_CHK   12

struct linux_nlmsghdr {
    uint32_t nlmsg_len; // with this header, without padding
    uint16_t nlmsg_type;
    uint16_t nlmsg_flags;
    uint32_t nlmsg_seq;
    uint32_t nlmsg_pid;
};
static_assert(sizeof(struct linux_nlmsghdr) == 16, "struct nlmsghdr");

#define LINUX_NLM_F_REQUEST 0x1
#define LINUX_NLM_F_MULTI   0x2
#define LINUX_NLM_F_ACK     0x4
#define LINUX_NLM_F_DUMP    0x300
#define LINUX_NLM_F_CAPPED  0x100

#define LINUX_NLMSG_NOOP     1
#define LINUX_NLMSG_ERROR    2
#define LINUX_NLMSG_DONE     3
#define LINUX_NLMSG_MIN_TYPE 0x10

struct linux_nlmsgerr {
    int32_t error; // 0: an acknowledgement; else -errno
    struct linux_nlmsghdr msg;
};
static_assert(sizeof(struct linux_nlmsgerr) == 20, "struct nlmsgerr");

struct linux_nlattr {
    uint16_t nla_len; // with this header, without padding
    uint16_t nla_type;
};
static_assert(sizeof(struct linux_nlattr) == 4, "struct nlattr");

struct linux_nl_pktinfo {
    uint32_t group;
};
static_assert(sizeof(struct linux_nl_pktinfo) == 4, "struct nl_pktinfo");

#define LINUX_RTM_BASE     16
#define LINUX_RTM_NEWLINK  16
#define LINUX_RTM_DELLINK  17
#define LINUX_RTM_GETLINK  18
#define LINUX_RTM_SETLINK  19
#define LINUX_RTM_NEWADDR  20
#define LINUX_RTM_DELADDR  21
#define LINUX_RTM_GETADDR  22
#define LINUX_RTM_NEWROUTE 24
#define LINUX_RTM_GETROUTE 26
#define LINUX_RTM_NEWNEIGH 28
#define LINUX_RTM_DELNEIGH 29
#define LINUX_RTM_GETNEIGH 30
#define LINUX_RTM_NEWRULE  32
#define LINUX_RTM_GETRULE  34
#define LINUX_RTM_LAST     123 // the last number that Linux 6.1 knows

struct linux_rtgenmsg {
    uint8_t rtgen_family;
};
static_assert(sizeof(struct linux_rtgenmsg) == 1, "struct rtgenmsg");

struct linux_ifinfomsg {
    uint8_t ifi_family;
    uint8_t pad0;
    uint16_t ifi_type; // LINUX_ARPHRD_*
    int32_t ifi_index;
    uint32_t ifi_flags; // LINUX_IFF_*
    uint32_t ifi_change;
};
static_assert(sizeof(struct linux_ifinfomsg) == 16, "struct ifinfomsg");

#define LINUX_IFLA_ADDRESS       1
#define LINUX_IFLA_BROADCAST     2
#define LINUX_IFLA_IFNAME        3
#define LINUX_IFLA_MTU           4
#define LINUX_IFLA_LINK          5
#define LINUX_IFLA_QDISC         6
#define LINUX_IFLA_STATS         7
#define LINUX_IFLA_MASTER        10
#define LINUX_IFLA_TXQLEN        13
#define LINUX_IFLA_OPERSTATE     16
#define LINUX_IFLA_LINKMODE      17
#define LINUX_IFLA_LINKINFO      18
#define LINUX_IFLA_NET_NS_PID    19
#define LINUX_IFLA_STATS64       23
#define LINUX_IFLA_AF_SPEC       26
#define LINUX_IFLA_GROUP         27
#define LINUX_IFLA_NET_NS_FD     28
#define LINUX_IFLA_EXT_MASK      29
#define LINUX_IFLA_PROMISCUITY   30
#define LINUX_IFLA_NUM_TX_QUEUES 31
#define LINUX_IFLA_NUM_RX_QUEUES 32
#define LINUX_IFLA_CARRIER       33
#define LINUX_IFLA_LINK_NETNSID  37
#define LINUX_IFLA_TARGET_NETNSID 46
#define LINUX_IFLA_MIN_MTU       50
#define LINUX_IFLA_MAX_MTU       51

#define LINUX_NLA_F_NESTED      0x8000
#define LINUX_IFLA_INFO_KIND    1 // in LINKINFO
#define LINUX_IFLA_INFO_DATA    2
#define LINUX_VETH_INFO_PEER    1 // in INFO_DATA of "veth": a struct ifinfomsg and attributes
#define LINUX_IFLA_BR_STP_STATE 5 // in INFO_DATA of "bridge"

struct linux_rtnl_link_stats64 {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped,
        multicast, collisions;
    uint64_t detail[15]; // what kinds of errors, by cause
};
static_assert(sizeof(struct linux_rtnl_link_stats64) == 200, "struct rtnl_link_stats64");

struct linux_rtnl_link_stats { // the same, cut to 32 bits
    uint32_t counts[24];
};
static_assert(sizeof(struct linux_rtnl_link_stats) == 96, "struct rtnl_link_stats");

struct linux_ifaddrmsg {
    uint8_t ifa_family;
    uint8_t ifa_prefixlen;
    uint8_t ifa_flags;
    uint8_t ifa_scope;
    uint32_t ifa_index;
};
static_assert(sizeof(struct linux_ifaddrmsg) == 8, "struct ifaddrmsg");

#define LINUX_IFA_ADDRESS   1
#define LINUX_IFA_LOCAL     2
#define LINUX_IFA_LABEL     3
#define LINUX_IFA_BROADCAST 4
#define LINUX_IFA_CACHEINFO 6
#define LINUX_IFA_FLAGS     8

#define LINUX_IFA_F_PERMANENT 0x80

struct linux_ifa_cacheinfo {
    uint32_t preferred, valid;  // seconds; ~0: for ever
    uint32_t created, updated;  // hundredths of seconds since boot
};
static_assert(sizeof(struct linux_ifa_cacheinfo) == 16, "struct ifa_cacheinfo");

struct linux_rtmsg {
    uint8_t rtm_family, rtm_dst_len, rtm_src_len, rtm_tos;
    uint8_t rtm_table, rtm_protocol, rtm_scope, rtm_type;
    uint32_t rtm_flags;
};
static_assert(sizeof(struct linux_rtmsg) == 12, "struct rtmsg");

#define LINUX_IP6_RT_PRIO_USER          1024
#define LINUX_RTA_DST      1
#define LINUX_RTA_OIF      4
#define LINUX_RTA_PRIORITY 6
#define LINUX_RTA_PREFSRC  7
#define LINUX_RTA_TABLE    15
#define LINUX_RTA_PREF                  20
#define LINUX_ICMPV6_ROUTER_PREF_MEDIUM 0

#define LINUX_RTN_UNICAST   1
#define LINUX_RTN_LOCAL     2
#define LINUX_RTN_BROADCAST 3

#define LINUX_RT_SCOPE_UNIVERSE 0
#define LINUX_RT_SCOPE_LINK     253
#define LINUX_RT_SCOPE_HOST     254

#define LINUX_RTM_F_CLONED 0x200
#define LINUX_RTCF_LOCAL   0x80000000u

struct linux_ndmsg {
    uint8_t ndm_family, pad0;
    uint16_t pad1;
    int32_t ndm_ifindex;
    uint16_t ndm_state;
    uint8_t ndm_flags, ndm_type;
};
static_assert(sizeof(struct linux_ndmsg) == 12, "struct ndmsg");

#define LINUX_NDA_DST    1
#define LINUX_NDA_LLADDR 2

#define LINUX_NUD_INCOMPLETE 0x01
#define LINUX_NUD_REACHABLE  0x02
#define LINUX_NUD_STALE      0x04
#define LINUX_NUD_DELAY      0x08
#define LINUX_NUD_PROBE      0x10
#define LINUX_NUD_NOARP      0x40
#define LINUX_NUD_PERMANENT  0x80

struct linux_fib_rule_hdr {
    uint8_t family, dst_len, src_len, tos;
    uint8_t table, res1, res2, action;
    uint32_t flags;
};
static_assert(sizeof(struct linux_fib_rule_hdr) == 12, "struct fib_rule_hdr");

#define LINUX_FR_ACT_TO_TBL           1
#define LINUX_FRA_PRIORITY            6
#define LINUX_FRA_SUPPRESS_PREFIXLEN  14
#define LINUX_FRA_TABLE               15
#define LINUX_FRA_PROTOCOL            21
#define LINUX_RT_TABLE_DEFAULT        253
#define LINUX_RT_TABLE_MAIN           254
#define LINUX_RT_TABLE_LOCAL          255
#define LINUX_RTPROT_KERNEL           2

#define LINUX_RTPROT_BOOT     3
#define LINUX_RTM_DELROUTE    25
#define LINUX_RTA_GATEWAY     5
#define LINUX_RT_TABLE_UNSPEC 0

#define LINUX_RTNLGRP_LINK        1
#define LINUX_RTNLGRP_NEIGH       3
#define LINUX_RTNLGRP_IPV4_IFADDR 5
#define LINUX_RTNLGRP_IPV4_ROUTE  7
#define LINUX_RTNLGRP_IPV6_IFADDR 9
#define LINUX_RTNLGRP_IPV6_ROUTE  11
#define LINUX_RTNLGRP_MAX 36

#define LINUX_NLM_F_REPLACE 0x100
#define LINUX_NLM_F_EXCL   0x200
#define LINUX_NLM_F_CREATE 0x400

struct linux_genlmsghdr {
    uint8_t cmd, version;
    uint16_t reserved;
};
static_assert(sizeof(struct linux_genlmsghdr) == 4, "struct genlmsghdr");

#define LINUX_GENL_ID_CTRL          16
#define LINUX_CTRL_CMD_NEWFAMILY    1
#define LINUX_CTRL_CMD_GETFAMILY    3
#define LINUX_CTRL_ATTR_FAMILY_ID   1
#define LINUX_CTRL_ATTR_FAMILY_NAME 2
#define LINUX_CTRL_ATTR_VERSION     3
#define LINUX_CTRL_ATTR_HDRSIZE     4
#define LINUX_CTRL_ATTR_MAXATTR     5

// sock_diag(7)
#define LINUX_SOCK_DIAG_BY_FAMILY 20

struct linux_unix_diag_req {
    uint8_t sdiag_family, sdiag_protocol;
    uint16_t pad;
    uint32_t udiag_states;  // 1 << LINUX_TCP_*
    uint32_t udiag_ino, udiag_show;
    uint32_t udiag_cookie[2];
};
static_assert(sizeof(struct linux_unix_diag_req) == 24, "struct unix_diag_req");

struct linux_unix_diag_msg {
    uint8_t udiag_family, udiag_type, udiag_state, pad;
    uint32_t udiag_ino;
    uint32_t udiag_cookie[2];
};
static_assert(sizeof(struct linux_unix_diag_msg) == 16, "struct unix_diag_msg");

struct linux_unix_diag_rqlen {
    uint32_t udiag_rqueue, udiag_wqueue;
};
static_assert(sizeof(struct linux_unix_diag_rqlen) == 8, "struct unix_diag_rqlen");

#define LINUX_UDIAG_SHOW_NAME  0x1
#define LINUX_UDIAG_SHOW_VFS   0x2
#define LINUX_UDIAG_SHOW_PEER  0x4
#define LINUX_UDIAG_SHOW_RQLEN 0x10

#define LINUX_UNIX_DIAG_NAME     0
#define LINUX_UNIX_DIAG_VFS      1
#define LINUX_UNIX_DIAG_PEER     2
#define LINUX_UNIX_DIAG_RQLEN    4
#define LINUX_UNIX_DIAG_SHUTDOWN 6

struct linux_inet_diag_sockid {
    uint16_t idiag_sport, idiag_dport;  // network order
    uint8_t idiag_src[16], idiag_dst[16];
    uint32_t idiag_if;
    uint32_t idiag_cookie[2];
};
static_assert(sizeof(struct linux_inet_diag_sockid) == 48, "struct inet_diag_sockid");

struct linux_inet_diag_req_v2 {
    uint8_t sdiag_family, sdiag_protocol, idiag_ext, pad0;
    uint32_t idiag_states;  // 1 << LINUX_TCP_*
    struct linux_inet_diag_sockid id;
};
static_assert(sizeof(struct linux_inet_diag_req_v2) == 56, "struct inet_diag_req_v2");

#define LINUX_INET_DIAG_SKV6ONLY 11
struct linux_inet_diag_msg {
    uint8_t idiag_family, idiag_state, idiag_timer, idiag_retrans;
    struct linux_inet_diag_sockid id;
    uint32_t idiag_expires, idiag_rqueue, idiag_wqueue, idiag_uid, idiag_inode;
};
static_assert(sizeof(struct linux_inet_diag_msg) == 72, "struct inet_diag_msg");
