// SPDX-License-Identifier: Apache-2.0
// packet(7): addresses, options and the ring.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_PACKET_ADD_MEMBERSHIP  1
#define LINUX_PACKET_DROP_MEMBERSHIP 2
#define LINUX_PACKET_RX_RING         5
#define LINUX_PACKET_STATISTICS      6
#define LINUX_PACKET_AUXDATA         8
#define LINUX_PACKET_VERSION         10
#define LINUX_PACKET_HDRLEN          11
#define LINUX_PACKET_RESERVE         12
#define LINUX_PACKET_TIMESTAMP       17

#define LINUX_TPACKET_V1 0
#define LINUX_TPACKET_V2 1

#define LINUX_TP_STATUS_USER       0x1u
#define LINUX_TP_STATUS_COPY       0x2u
#define LINUX_TP_STATUS_CSUM_VALID 0x80u

struct linux_packet_mreq {
    int32_t mr_ifindex;
    uint16_t mr_type, mr_alen;
    uint8_t mr_address[8];
};
static_assert(sizeof(struct linux_packet_mreq) == 16, "struct packet_mreq");

struct linux_tpacket_req {
    uint32_t tp_block_size, tp_block_nr, tp_frame_size, tp_frame_nr;
};
static_assert(sizeof(struct linux_tpacket_req) == 16, "struct tpacket_req");

struct linux_tpacket2_hdr {
    uint32_t tp_status, tp_len, tp_snaplen;
    uint16_t tp_mac, tp_net;
    uint32_t tp_sec, tp_nsec;
    uint16_t tp_vlan_tci, tp_vlan_tpid;
    uint8_t tp_padding[4];
};
static_assert(sizeof(struct linux_tpacket2_hdr) == 32, "struct tpacket2_hdr");

struct linux_tpacket_auxdata {
    uint32_t tp_status, tp_len, tp_snaplen;
    uint16_t tp_mac, tp_net, tp_vlan_tci, tp_vlan_tpid;
};
static_assert(sizeof(struct linux_tpacket_auxdata) == 20, "struct tpacket_auxdata");
