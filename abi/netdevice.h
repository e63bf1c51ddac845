// SPDX-License-Identifier: Apache-2.0
// netdevice(7): the requests about network links on any socket, and flags and types of links.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_IFNAMSIZ 16

#define LINUX_IFF_UP        0x1
#define LINUX_IFF_BROADCAST 0x2
#define LINUX_IFF_LOOPBACK  0x8
#define LINUX_IFF_RUNNING   0x40
#define LINUX_IFF_MULTICAST 0x1000
#define LINUX_IFF_LOWER_UP  0x10000

#define LINUX_ARPHRD_ETHER    1
#define LINUX_ARPHRD_LOOPBACK 772

#define LINUX_IF_OPER_UNKNOWN 0
#define LINUX_IF_OPER_DOWN    2
#define LINUX_IF_OPER_LOWERLAYERDOWN 3
#define LINUX_IF_OPER_UP      6

#define LINUX_SIOCGIFNAME    0x8910
#define LINUX_SIOCSIFLINK    0x8911
#define LINUX_SIOCGIFCONF    0x8912
#define LINUX_SIOCGIFFLAGS   0x8913
#define LINUX_SIOCSIFFLAGS   0x8914
#define LINUX_SIOCGIFADDR    0x8915
#define LINUX_SIOCSIFADDR    0x8916
#define LINUX_SIOCGIFDSTADDR 0x8917
#define LINUX_SIOCSIFDSTADDR 0x8918
#define LINUX_SIOCGIFBRDADDR 0x8919
#define LINUX_SIOCSIFBRDADDR 0x891a
#define LINUX_SIOCGIFNETMASK 0x891b
#define LINUX_SIOCSIFNETMASK 0x891c
#define LINUX_SIOCGIFMETRIC  0x891d
#define LINUX_SIOCGIFMTU     0x8921
#define LINUX_SIOCSIFMTU     0x8922
#define LINUX_SIOCSIFNAME    0x8923
#define LINUX_SIOCSIFHWADDR  0x8924
#define LINUX_SIOCGIFHWADDR  0x8927
#define LINUX_SIOCGIFINDEX   0x8933
#define LINUX_SIOCGIFTXQLEN  0x8942
#define LINUX_SIOCSIFTXQLEN  0x8943
#define LINUX_SIOCETHTOOL    0x8946

struct linux_ifreq {
    char ifr_name[LINUX_IFNAMSIZ];
    union {
        struct {
            uint16_t family;
            uint8_t data[14];
        } addr; // a struct sockaddr, or a hardware address with its LINUX_ARPHRD_* as the family
        int16_t flags;
        int32_t value; // index, MTU, metric, length of the queue
        uint8_t bytes[24];
    };
};
static_assert(sizeof(struct linux_ifreq) == 40, "struct ifreq");

#define LINUX_SIOCDARP    0x8953
#define LINUX_SIOCGARP    0x8954
#define LINUX_SIOCSARP    0x8955
#define LINUX_ATF_COM     0x02
#define LINUX_ATF_PERM    0x04
#define LINUX_ATF_PUBL    0x08
#define LINUX_ATF_NETMASK 0x20
#define LINUX_ATF_DONTPUB 0x40

struct linux_arpreq {
    struct {
        uint16_t family, port;
        uint8_t sin_addr[4], zero[8];
    } pa;
    struct linux_hwaddr {
        uint16_t family;  // LINUX_ARPHRD_*
        uint8_t data[14];
    } ha;
    int32_t flags;  // LINUX_ATF_*
    uint8_t netmask[16];
    char dev[LINUX_IFNAMSIZ];
};
static_assert(sizeof(struct linux_arpreq) == 68, "struct arpreq");

struct linux_ifconf {
    int32_t ifc_len; // bytes
    int32_t pad0;
    uint64_t ifc_buf; // of struct ifreq, or 0: how long would it be?
};
static_assert(sizeof(struct linux_ifconf) == 16, "struct ifconf");
