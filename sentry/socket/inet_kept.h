// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets that the sentry keeps (inet_opt.c): what they are about is done here, or nothing is
// done about them.
#ifndef SENTRY_SOCKET_INET_KEPT_H
#define SENTRY_SOCKET_INET_KEPT_H

enum inet_kept {
    KEPT_PKTINFO,  // IP_PKTINFO and the rest: what is told of a datagram that is received
    KEPT_RECVTTL,
    KEPT_RECVTOS,
    KEPT_ORIGDSTADDR,
    KEPT_PKTINFO6,
    KEPT_HOPLIMIT6,
    KEPT_TCLASS6,
    KEPT_ORIGDSTADDR6,
    KEPT_RECVOPTS,
    KEPT_RETOPTS,
    KEPT_MTU_DISCOVER,
    KEPT_MTU_DISCOVER6,
    KEPT_NODEFRAG,
    KEPT_AUTOFLOWLABEL6,
    KEPT_DONTFRAG6,
    KEPT_FASTOPEN,
    KEPT_THIN_LINEAR,
    KEPT_CHECKSUM,
    KEPT_FRAGSIZE,
    KEPT_OLD_PKTINFO6,  // as RFC 2292 told them
    KEPT_OLD_HOPLIMIT6,
    KEPT_FLOWINFO6,
    KEPT_FLOWSEND6,
    KEPT_HOPOPTS6,
    KEPT_RTHDR6,
    KEPT_DSTOPTS6,
    KEPT_PATHMTU6,
    KEPT_TCP_INQ,
    KEPT_UDP_SEGMENT,
    KEPT_UDP_CORK,
    KEPT_PASSSEC,
    KEPT_RFC4884,
    KEPT_RFC4884_6,
    KEPT_FRAGSIZE6,
    KEPT_OLD_HOPOPTS6,
    KEPT_OLD_DSTOPTS6,
    KEPT_OLD_RTHDR6,
    KEPT_GROUP_IF,    // by index ...
    KEPT_GROUP_ADDR,  // ... or by address, its bytes
    INET_KEPT,
};

#endif
