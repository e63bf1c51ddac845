// SPDX-License-Identifier: Apache-2.0
// See net.h: looking links and addresses up, and the source of a machine without a configured network: the
// loopback, which is down and has no address.
#include "sentry/net/net.h"
#include <string.h>

static bool unconfigured_link(const struct net_source *s, uint32_t *at, struct net_link *out) {
    if (*at > 1)
        return false;
    *out = (struct net_link){
        .index = 1,
        .name = "lo",
        .type = LINUX_ARPHRD_LOOPBACK,
        .flags = LINUX_IFF_LOOPBACK,
        .mtu = 65536,
        .txqlen = 1000,
        .operstate = LINUX_IF_OPER_DOWN,
        .hw_len = 6,
        .qdisc = "noop",
    };
    *at = 2;
    return true;
}
static bool no_addr(const struct net_source *s, uint32_t *at, struct net_addr *out) { return false; }
static bool no_route(const struct net_source *s, uint32_t *at, struct net_route *out) { return false; }
static const struct net_source_ops unconfigured_ops = {
    .link = unconfigured_link, .addr = no_addr, .route = no_route};
const struct net_source net_unconfigured = {&unconfigured_ops};

bool net_next_link(const struct net_source *s, uint32_t *at, struct net_link *out) {
    return s->ops->link(s, at, out);
}
bool net_next_addr(const struct net_source *s, uint32_t *at, struct net_addr *out) {
    return s->ops->addr(s, at, out);
}
bool net_next_route(const struct net_source *s, uint32_t *at, struct net_route *out) {
    return s->ops->route(s, at, out);
}

bool net_link_by_index(const struct net_source *s, int32_t index, struct net_link *out) {
    uint32_t at = (uint32_t)index;
    return index > 0 && net_next_link(s, &at, out) && out->index == index;
}
bool net_link_by_name(const struct net_source *s, const char *name, struct net_link *out) {
    for (uint32_t at = 0; net_next_link(s, &at, out);)
        if (!strcmp(out->name, name))
            return true;
    return false;
}
bool net_addr_of(const struct net_source *s, int32_t link, uint8_t family, struct net_addr *out) {
    for (uint32_t at = 0; net_next_addr(s, &at, out);)
        if (out->link == link && out->family == family)
            return true;
    return false;
}
