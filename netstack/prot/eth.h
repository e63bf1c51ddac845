// SPDX-License-Identifier: Apache-2.0
// Ethernet II frames and ARP packets (RFC 826, RFC 894): offsets and numbers.
#ifndef NETSTACK_PROT_ETH_H
#define NETSTACK_PROT_ETH_H

#define ETH_LEN      14
#define ETH_DST      0
#define ETH_SRC      6
#define ETH_TYPE     12
#define ETH_TYPE_IP4 0x0800
#define ETH_TYPE_ARP 0x0806
#define ETH_TYPE_IP6 0x86dd

// ARP for IPv4 over Ethernet: 28 bytes.
#define ARP_LEN      28
#define ARP_HTYPE    0
#define ARP_PTYPE    2
#define ARP_HLEN     4
#define ARP_PLEN     5
#define ARP_OPER     6
#define ARP_SHA      8
#define ARP_SPA      14
#define ARP_THA      18
#define ARP_TPA      24
#define ARP_ETHERNET 1
#define ARP_REQUEST  1
#define ARP_REPLY    2

#endif
