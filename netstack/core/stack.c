// SPDX-License-Identifier: Apache-2.0
// See stack.h: a stack's lock, its budget, its time and its counters. Its life is in netstack/netstack.c.
#include "netstack/core/stack.h"
#include "base/budget.h"
#include "base/fault.h"
#include <string.h>

static const char *const stat_names[] = {
#define STAT(name, text) #name,
#include "netstack/core/stats.def"
#undef STAT
};

// ---- The way in and out -----------------------------------------------------------------------------------
void stack_enter(struct netstack *ns) {
    lock_take(&ns->lock);
    uint64_t now = ns->config.clock(ns->config.arg);
    if (now > ns->now)
        ns->now = now;
}

static uint64_t deadline(struct netstack *ns) {
    return list_empty(&ns->backlog) ? wheel_next(&ns->wheel) : ns->now;
}

// A deadline that has moved away is not told: the poll that comes too early finds out, once.
static void tell_deadline(struct netstack *ns) {
    uint64_t next = ns->config.deadline ? deadline(ns) : NETSTACK_NEVER;
    if (next >= ns->told)
        return;
    ns->told = next;
    ns->config.deadline(ns->config.arg, next);
}

void stack_leave(struct netstack *ns) {
    // A bound, so that two sockets that answer each other over loopback cannot keep one caller here for ever;
    // what is left is due at once (netstack_deadline).
    for (unsigned turns = 0; turns < STACK_BACKLOG && !(list_empty(&ns->backlog) && list_empty(&ns->later));
         turns++) {
        if (list_empty(&ns->backlog))
            ns->upper->output(ns);
        else
            ns->upper->backlog(ns);
    }
    ns->upper->output(ns);
    ns->upper->reap(ns);
    tell_deadline(ns);
    void (*sent)(void *) = ns->sent ? ns->config.sent : NULL;
    void *arg = ns->config.arg;
    ns->sent = false;
    lock_drop(&ns->lock);
    if (sent)
        sent(arg);
}

bool stack_charge(struct netstack *ns, size_t bytes) {
    if (bytes > ns->config.budget - ns->usage.bytes)
        return false;
    if (ns->config.shared && !budget_take(ns->config.shared, bytes))
        return false;
    ns->usage.bytes += bytes;
    return true;
}

void stack_uncharge(struct netstack *ns, size_t bytes) {
    invariant(bytes <= ns->usage.bytes);
    ns->usage.bytes -= bytes;
    budget_give(ns->config.shared, bytes);
}

void *stack_alloc(struct netstack *ns, size_t size) {
    if (!stack_charge(ns, size))
        return NULL;
    void *p = xcalloc(1, size);
    if (!p)
        stack_uncharge(ns, size);
    return p;
}

void stack_free(struct netstack *ns, void *p, size_t size) {
    stack_uncharge(ns, size);
    free(p);
}

uint32_t stack_random(struct netstack *ns) {
    uint32_t v;
    ns->config.random(ns->config.arg, &v, sizeof v);
    return v;
}

bool bucket_take(struct netstack *ns, struct bucket *b) {
    uint64_t grown = (ns->now - b->at) / NS_MS * b->rate;
    if (grown > 0) {
        b->at = ns->now;
        b->tokens = b->tokens + grown < b->burst * 1000ull ? b->tokens + grown : b->burst * 1000ull;
    }
    if (b->tokens < 1000)
        return false;
    b->tokens -= 1000;
    return true;
}

// ---- Time and numbers -------------------------------------------------------------------------------------
uint64_t netstack_poll(struct netstack *ns) {
    {
        IN_STACK(ns);
        ns->told = NETSTACK_NEVER;
        wheel_run(&ns->wheel, ns->now);
    }
    return netstack_deadline(ns);
}

uint64_t netstack_deadline(struct netstack *ns) {
    LOCKED(&ns->lock);
    return deadline(ns);
}

void netstack_set_forwarding(struct netstack *ns, bool four, bool on) {
    LOCKED(&ns->lock);
    ns->forward[!four] = on;
}
void netstack_set_echo_to_all(struct netstack *ns, bool on) {
    LOCKED(&ns->lock);
    ns->echo_to_all = on;
}
bool netstack_echo_to_all(struct netstack *ns) {
    LOCKED(&ns->lock);
    return ns->echo_to_all;
}
bool netstack_forwarding(struct netstack *ns, bool four) {
    LOCKED(&ns->lock);
    return ns->forward[!four];
}

void netstack_usage(struct netstack *ns, struct netstack_usage *out) {
    LOCKED(&ns->lock);
    *out = ns->usage;
    out->timers = ns->wheel.armed;
}

uint64_t netstack_stat(struct netstack *ns, const char *name) {
    for (unsigned i = 0; i < STAT_COUNT; i++)
        if (strcmp(stat_names[i], name) == 0) {
            LOCKED(&ns->lock);
            return ns->stats[i];
        }
    return UINT64_MAX;
}

const char *netstack_stat_name(unsigned i) { return i < STAT_COUNT ? stat_names[i] : NULL; }
