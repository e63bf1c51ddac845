// SPDX-License-Identifier: Apache-2.0
// See net.h. The links of a machine without a configured network: the loopback, which is down and has no
// address.
#include "sentry/net/net.h"
#include <string.h>

static bool unconfigured_link(uint32_t *at, struct net_link *out) {
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
static bool no_addr(uint32_t *at, struct net_addr *out) { return false; }
const struct net_source net_unconfigured = {.link = unconfigured_link, .addr = no_addr};

static const struct net_source *source = &net_unconfigured;
void net_set_source(const struct net_source *s) { source = s; }

bool net_next_link(uint32_t *at, struct net_link *out) { return source->link(at, out); }
bool net_next_addr(uint32_t *at, struct net_addr *out) { return source->addr(at, out); }

bool net_link_by_index(int32_t index, struct net_link *out) {
    uint32_t at = (uint32_t)index;
    return index > 0 && net_next_link(&at, out) && out->index == index;
}
bool net_link_by_name(const char *name, struct net_link *out) {
    for (uint32_t at = 0; net_next_link(&at, out);)
        if (!strcmp(out->name, name))
            return true;
    return false;
}
bool net_addr_of(int32_t link, uint8_t family, struct net_addr *out) {
    for (uint32_t at = 0; net_next_addr(&at, out);)
        if (out->link == link && out->family == family)
            return true;
    return false;
}
