// SPDX-License-Identifier: Apache-2.0
// Sockets as on x86-64: families, types, options, addresses and message headers.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_AF_UNSPEC    0
#define LINUX_AF_UNIX      1
#define LINUX_AF_LOCAL     1
#define LINUX_AF_INET      2
#define LINUX_AF_AX25      3
#define LINUX_AF_IPX       4
#define LINUX_AF_APPLETALK 5
#define LINUX_AF_BRIDGE    7
#define LINUX_AF_INET6     10
#define LINUX_AF_KEY       15
#define LINUX_AF_NETLINK   16
#define LINUX_AF_PACKET    17
#define LINUX_AF_RDS       21
#define LINUX_AF_CAN       29
#define LINUX_AF_TIPC      30
#define LINUX_AF_BLUETOOTH 31
#define LINUX_AF_ALG       38
#define LINUX_AF_VSOCK     40
#define LINUX_AF_XDP       44
#define LINUX_AF_MAX       46

#define LINUX_SOCK_STREAM    1
#define LINUX_SOCK_DGRAM     2
#define LINUX_SOCK_RAW       3
#define LINUX_SOCK_RDM       4
#define LINUX_SOCK_SEQPACKET 5
#define LINUX_SOCK_DCCP      6
#define LINUX_SOCK_PACKET    10
#define LINUX_SOCK_TYPE_MASK 0xf
#define LINUX_SOCK_NONBLOCK  00004000
#define LINUX_SOCK_CLOEXEC   02000000

#define LINUX_IPPROTO_IP      0
#define LINUX_IPPROTO_ICMP    1
#define LINUX_IPPROTO_TCP     6
#define LINUX_IPPROTO_UDP     17
#define LINUX_IPPROTO_IPV6    41
#define LINUX_IPPROTO_ICMPV6  58
#define LINUX_IPPROTO_SCTP    132
#define LINUX_IPPROTO_UDPLITE 136
#define LINUX_IPPROTO_RAW     255
#define LINUX_IPPROTO_MPTCP   262

#define LINUX_SOL_IP      0
#define LINUX_SOL_SOCKET  1
#define LINUX_SOL_TCP     6
#define LINUX_SOL_UDP     17
#define LINUX_SOL_IPV6    41
#define LINUX_SOL_ICMPV6  58
#define LINUX_SOL_RAW     255
#define LINUX_SOL_PACKET  263
#define LINUX_SOL_NETLINK 270

#define LINUX_SO_DEBUG           1
#define LINUX_SO_REUSEADDR       2
#define LINUX_SO_TYPE            3
#define LINUX_SO_ERROR           4
#define LINUX_SO_DONTROUTE       5
#define LINUX_SO_BROADCAST       6
#define LINUX_SO_SNDBUF          7
#define LINUX_SO_RCVBUF          8
#define LINUX_SO_KEEPALIVE       9
#define LINUX_SO_OOBINLINE       10
#define LINUX_SO_NO_CHECK        11
#define LINUX_SO_PRIORITY        12
#define LINUX_SO_LINGER          13
#define LINUX_SO_BSDCOMPAT       14
#define LINUX_SO_REUSEPORT       15
#define LINUX_SO_PASSCRED        16
#define LINUX_SO_PEERCRED        17
#define LINUX_SO_RCVLOWAT        18
#define LINUX_SO_SNDLOWAT        19
#define LINUX_SO_RCVTIMEO        20
#define LINUX_SO_SNDTIMEO        21
#define LINUX_SO_BINDTODEVICE    25
#define LINUX_SO_ATTACH_FILTER   26
#define LINUX_SO_DETACH_FILTER   27
#define LINUX_SO_PEERNAME        28
#define LINUX_SO_TIMESTAMP       29
#define LINUX_SO_ACCEPTCONN      30
#define LINUX_SO_PEERSEC         31
#define LINUX_SO_SNDBUFFORCE     32
#define LINUX_SO_RCVBUFFORCE     33
#define LINUX_SO_PASSSEC         34
#define LINUX_SO_TIMESTAMPNS     35
#define LINUX_SO_MARK            36
#define LINUX_SO_TIMESTAMPING    37
#define LINUX_SO_PROTOCOL        38
#define LINUX_SO_DOMAIN          39
#define LINUX_SO_RXQ_OVFL        40
#define LINUX_SO_PEEK_OFF        42
#define LINUX_SO_NOFCS           43
#define LINUX_SO_LOCK_FILTER     44
#define LINUX_SO_BUSY_POLL       46
#define LINUX_SO_MAX_PACING_RATE 47
#define LINUX_SO_INCOMING_CPU    49
#define LINUX_SO_COOKIE          57
#define LINUX_SO_PEERGROUPS      59
#define LINUX_SO_ZEROCOPY        60
#define LINUX_SO_RCVTIMEO_NEW    66
#define LINUX_SO_SNDTIMEO_NEW    67
#define LINUX_SO_GET_FILTER       26
#define LINUX_SO_WIFI_STATUS      41
#define LINUX_SO_SELECT_ERR_QUEUE 45
#define LINUX_SO_BPF_EXTENSIONS   48
#define LINUX_SO_MEMINFO          55
#define LINUX_SO_INCOMING_NAPI_ID 56
#define LINUX_SO_BINDTOIFINDEX    62
#define LINUX_SO_TIMESTAMP_NEW    63
#define LINUX_SO_TIMESTAMPNS_NEW  64
#define LINUX_SO_PREFER_BUSY_POLL 69
#define LINUX_SO_NETNS_COOKIE     71
#define LINUX_SO_BUF_LOCK         72
#define LINUX_SO_TXREHASH         74
#define LINUX_SO_RCVMARK          75
#define LINUX_SO_RCVPRIORITY      82
#define LINUX_SO_PASSRIGHTS       83
#define LINUX_SO_PASSPIDFD       76
#define LINUX_SO_PEERPIDFD       77
#define LINUX_SO_ATTACH_BPF            50
#define LINUX_SO_ATTACH_REUSEPORT_CBPF 51
#define LINUX_SO_ATTACH_REUSEPORT_EBPF 52
#define LINUX_SO_CNX_ADVICE            53
#define LINUX_SO_TIMESTAMPING_NEW      65
#define LINUX_SO_DETACH_REUSEPORT_BPF  68
#define LINUX_SO_BUSY_POLL_BUDGET      70
#define LINUX_SO_RESERVE_MEM           73

#define LINUX_SOF_TIMESTAMPING_TX_SOFTWARE 0x2
#define LINUX_SOF_TIMESTAMPING_RX_SOFTWARE 0x8
#define LINUX_SOF_TIMESTAMPING_SOFTWARE    0x10
#define LINUX_SOF_TIMESTAMPING_OPT_ID      0x80
#define LINUX_SOF_TIMESTAMPING_TX_SCHED    0x100
#define LINUX_SOF_TIMESTAMPING_OPT_ID_TCP  0x10000
#define LINUX_SCM_TSTAMP_SND   0
#define LINUX_SCM_TSTAMP_SCHED 1
#define LINUX_SOF_TIMESTAMPING_MASK        0x7ffff  // to SOF_TIMESTAMPING_TX_COMPLETION, Linux 6.15

#define LINUX_TCP_NODELAY      1
#define LINUX_TCP_MAXSEG       2
#define LINUX_TCP_CORK         3
#define LINUX_TCP_KEEPIDLE     4
#define LINUX_TCP_KEEPINTVL    5
#define LINUX_TCP_KEEPCNT      6
#define LINUX_TCP_SYNCNT       7
#define LINUX_TCP_LINGER2      8
#define LINUX_TCP_DEFER_ACCEPT 9
#define LINUX_TCP_WINDOW_CLAMP 10
#define LINUX_TCP_INFO         11
#define LINUX_TCP_QUICKACK     12
#define LINUX_TCP_CONGESTION   13
#define LINUX_TCP_USER_TIMEOUT 18
#define LINUX_TCP_FASTOPEN     23

#define LINUX_MSG_OOB          0x00000001
#define LINUX_MSG_PEEK         0x00000002
#define LINUX_MSG_DONTROUTE    0x00000004
#define LINUX_MSG_CTRUNC       0x00000008
#define LINUX_MSG_PROBE        0x00000010
#define LINUX_MSG_TRUNC        0x00000020
#define LINUX_MSG_DONTWAIT     0x00000040
#define LINUX_MSG_EOR          0x00000080
#define LINUX_MSG_WAITALL      0x00000100
#define LINUX_MSG_FIN          0x00000200
#define LINUX_MSG_SYN          0x00000400
#define LINUX_MSG_CONFIRM      0x00000800
#define LINUX_MSG_RST          0x00001000
#define LINUX_MSG_ERRQUEUE     0x00002000
#define LINUX_MSG_NOSIGNAL     0x00004000
#define LINUX_MSG_MORE         0x00008000
#define LINUX_MSG_WAITFORONE   0x00010000
#define LINUX_MSG_BATCH        0x00040000
#define LINUX_MSG_ZEROCOPY     0x04000000
#define LINUX_MSG_FASTOPEN     0x20000000
#define LINUX_MSG_CMSG_CLOEXEC 0x40000000
#define LINUX_MSG_CMSG_COMPAT  0x80000000u

#define LINUX_SHUT_RD   0
#define LINUX_SHUT_WR   1
#define LINUX_SHUT_RDWR 2

#define LINUX_SOMAXCONN 4096

#define LINUX_SCM_RIGHTS      1
#define LINUX_SCM_CREDENTIALS 2
#define LINUX_SCM_SECURITY    3
#define LINUX_SCM_PIDFD       4
#define LINUX_SCM_MAX_FD      253

#define LINUX_UNIX_PATH_MAX 108

struct linux_sockaddr {
    uint16_t sa_family;
    char sa_data[14];
};
static_assert(sizeof(struct linux_sockaddr) == 16, "struct sockaddr");

struct linux_sockaddr_un {
    uint16_t sun_family;
    char sun_path[LINUX_UNIX_PATH_MAX];
};
static_assert(sizeof(struct linux_sockaddr_un) == 110, "struct sockaddr_un");

struct linux_sockaddr_in {
    uint16_t sin_family;
    uint16_t sin_port; // network order
    uint32_t sin_addr; // network order
    uint8_t pad0[8];
};
static_assert(sizeof(struct linux_sockaddr_in) == 16, "struct sockaddr_in");

struct linux_sockaddr_in6 {
    uint16_t sin6_family;
    uint16_t sin6_port; // network order
    uint32_t sin6_flowinfo;
    uint8_t sin6_addr[16];
    uint32_t sin6_scope_id;
};
static_assert(sizeof(struct linux_sockaddr_in6) == 28, "struct sockaddr_in6");

struct linux_sockaddr_nl {
    uint16_t nl_family;
    uint16_t nl_pad;
    uint32_t nl_pid;
    uint32_t nl_groups;
};
static_assert(sizeof(struct linux_sockaddr_nl) == 12, "struct sockaddr_nl");

struct linux_sockaddr_ll {
    uint16_t sll_family;
    uint16_t sll_protocol;  // network order
    int32_t sll_ifindex;
    uint16_t sll_hatype;
    uint8_t sll_pkttype, sll_halen;
    uint8_t sll_addr[8];
};
static_assert(sizeof(struct linux_sockaddr_ll) == 20, "struct sockaddr_ll");

struct linux_sockaddr_storage {
    _Alignas(8) uint16_t ss_family;
    uint8_t ss_data[126];
};
static_assert(sizeof(struct linux_sockaddr_storage) == 128, "struct sockaddr_storage");

struct linux_msghdr {
    uint64_t msg_name;
    int32_t msg_namelen;
    uint32_t pad0;
    uint64_t msg_iov;
    uint64_t msg_iovlen;
    uint64_t msg_control;
    uint64_t msg_controllen;
    uint32_t msg_flags;
    uint32_t pad1;
};
static_assert(sizeof(struct linux_msghdr) == 56, "struct user_msghdr");

struct linux_mmsghdr {
    struct linux_msghdr msg_hdr;
    uint32_t msg_len;
    uint32_t pad0;
};
static_assert(sizeof(struct linux_mmsghdr) == 64, "struct mmsghdr");

struct linux_cmsghdr {
    uint64_t cmsg_len; // with this header
    int32_t cmsg_level;
    int32_t cmsg_type;
};
static_assert(sizeof(struct linux_cmsghdr) == 16, "struct cmsghdr");
#define LINUX_CMSG_ALIGN(len) (((len) + 7ull) & ~7ull)
#define LINUX_CMSG_LEN(len)   (sizeof(struct linux_cmsghdr) + (len))
#define LINUX_CMSG_SPACE(len) (sizeof(struct linux_cmsghdr) + LINUX_CMSG_ALIGN(len))

struct linux_ucred {
    int32_t pid;
    uint32_t uid;
    uint32_t gid;
};
static_assert(sizeof(struct linux_ucred) == 12, "struct ucred");

struct linux_linger {
    int32_t l_onoff;
    int32_t l_linger;
};
static_assert(sizeof(struct linux_linger) == 8, "struct linger");
