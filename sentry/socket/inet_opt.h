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

#endif
