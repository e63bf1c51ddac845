// SPDX-License-Identifier: Apache-2.0
// The links and addresses of a stack (netstack/netstack.h), as a struct net_source tells of them.
#ifndef SENTRY_NET_STACK_LINKS_H
#define SENTRY_NET_STACK_LINKS_H
#include "sentry/net/net.h"

struct netstack;
struct stack_links {
    struct net_source source;
    struct netstack *stack;  // borrowed
};
void stack_links_init(struct stack_links *l, struct netstack *stack);

#endif
