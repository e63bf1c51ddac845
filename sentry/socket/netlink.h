// SPDX-License-Identifier: Apache-2.0
// What netlink sockets are told from elsewhere.
#ifndef SENTRY_SOCKET_NETLINK_H
#define SENTRY_SOCKET_NETLINK_H

struct net_news;
// To the members of the group of links in each namespace; gives the news back.
void netlink_tell_news(struct net_news *n);

#endif
