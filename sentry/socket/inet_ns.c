// SPDX-License-Identifier: Apache-2.0
// The stack of a network namespace, and who drives it: there is no thread for that. Calls of guests run it as
// far as it goes (over loopback that is to the end), and what is left for later, retransmissions and the
// like, is one timer of the sandbox's queue, which the event thread runs. A stack at rest sets none.
#include "abi/errno.h"
#include "abi/socket.h"
#include "base/clock.h"
#include "netstack/netstack.h"
#include "sentry/socket/net_ns.h"
#include <stdatomic.h>

static uint64_t stack_clock(void *arg) { return mono_ns(); }
static void stack_random(void *arg, void *buf, size_t n) { random_bytes(buf, n); }

// The stack's lock is held.
static void stack_deadline(void *arg, uint64_t when) {
    struct inet_ns *ns = arg;
    ktimer_set(&ns->timer, when);
}

static void stack_due(struct ktimer *timer) {
    netstack_poll(container_of(timer, struct inet_ns, timer)->stack);
}

static void stack_sent(void *arg) { netdev_run(((struct inet_ns *)arg)->hub); }

int inet_ns_init(struct inet_ns *ns, struct nets *nets, struct timer_queue *timers, size_t budget,
                 bool bare) {
    const struct netstack_config config = {.clock = stack_clock,
                                           .random = stack_random,
                                           .deadline = stack_deadline,
                                           .arg = ns,
                                           .budget = budget,
                                           .shared = bare ? &nets->packets : NULL,
                                           .bare = bare,
                                           .sent = stack_sent};
    ns->hub = &nets->hub;
    atomic_store(&ns->unprivileged_port, 1024);
    atomic_store(&ns->somaxconn, LINUX_SOMAXCONN);
    atomic_store(&ns->wmem_max, 4 << 20);
    atomic_store(&ns->rmem_max, 4 << 20);
    atomic_store(&ns->ping_groups, 1ull << 32);  // 1 to 0: nobody
    ktimer_init(timers, &ns->timer, stack_due);
    int err = netstack_create(&config, &ns->stack);
    if (err == 0)
        stack_links_init(&ns->links, ns->stack);
    return err;
}

void inet_ns_destroy(struct inet_ns *ns) {
    if (!ns->stack)
        return;
    ktimer_cancel_sync(&ns->timer);
    netstack_destroy(ns->stack);
}
