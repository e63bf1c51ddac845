// SPDX-License-Identifier: Apache-2.0
// The TCP header (RFC 9293 3.1) and its options (RFC 7323, RFC 2018): offsets and numbers.
#ifndef NETSTACK_PROT_TCP_H
#define NETSTACK_PROT_TCP_H

#define TCP_LEN     20
#define TCP_SPORT   0
#define TCP_DPORT   2
#define TCP_SEQ     4
#define TCP_ACKNO   8
#define TCP_OFF     12
#define TCP_FLAGS   13
#define TCP_WIN     14
#define TCP_CSUM    16
#define TCP_URGPTR  18
#define TCP_MAX_LEN 60

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#define TCP_OPT_END     0
#define TCP_OPT_NOP     1
#define TCP_OPT_MSS     2
#define TCP_OPT_WSCALE  3
#define TCP_OPT_SACK_OK 4
#define TCP_OPT_SACK    5
#define TCP_OPT_TS      8
#define TCP_TS_SPACE    12  // the option with its padding
#define TCP_MAX_WSCALE  14  // RFC 7323 2.3
#define TCP_MAX_SACK    4

#endif
