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
    KEPT_FREEBIND,
    KEPT_MINTTL,
    KEPT_NODEFRAG,
    KEPT_BIND_NO_PORT,
    KEPT_HDRINCL,
    KEPT_PORT_RANGE,
    KEPT_AUTOFLOWLABEL6,
    KEPT_DONTFRAG6,
    KEPT_CHECKSUM6,
    KEPT_LINGER2,
    KEPT_FASTOPEN,
    KEPT_DEFER_ACCEPT,
    KEPT_WINDOW_CLAMP,
    KEPT_THIN_LINEAR,
    KEPT_NOTSENT_LOWAT,
    KEPT_TCP_INQ,
    KEPT_UDP_SEGMENT,
    KEPT_UDP_GRO,
    KEPT_UDP_CORK,
    INET_KEPT,
};

#endif
