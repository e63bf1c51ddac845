// SPDX-License-Identifier: Apache-2.0
// Options of inet sockets: what inet_opt.c (numbers in a table) and inet_opt_more.c (all else) share.
#ifndef SENTRY_SOCKET_INET_OPT_H
#define SENTRY_SOCKET_INET_OPT_H
#include "sentry/socket/inet.h"

int inet_setopt_more(struct inet_sock *i, struct task *t, int level, int name, const void *buf, uint32_t len);
int inet_getopt_more(struct inet_sock *i, int level, int name, void *buf, uint32_t *len);
// Of a stream (inet_opt_tcp.c).
int inet_set_tcp(struct inet_sock *i, int name, const void *buf, uint32_t len);
int inet_get_tcp(struct inet_sock *i, int name, void *buf, uint32_t *len);
int inet_give_int(int level, int v, void *buf, uint32_t *len);

// Groups and their senders (inet_groups.c): -LINUX_ENOPROTOOPT, it is none of these.
int inet_set_group(struct inet_sock *i, int level, int name, const void *buf, uint32_t len);
int inet_get_group(struct inet_sock *i, int level, int name, void *buf, uint32_t *len);
// The link of that number, or for 0 of that address (NULL: none); *out NULL: any. -LINUX_ENODEV. The caller
// holds the hub's lock while it uses it.
int inet_find_netif(struct inet_sock *i, int32_t index, const uint8_t addr[4], struct netif **out);
int inet_as_int(const void *buf, uint32_t len, int *v);

#endif
