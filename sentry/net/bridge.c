// SPDX-License-Identifier: Apache-2.0
// Bridges (IEEE 802.1D): which station is behind which port is learnt from what comes in; what is for nobody
// known goes to all. The hub's lock is held everywhere.
// LIMIT: no spanning tree, no VLANs, no snooping of groups; a bridge keeps the address that it was given.
#include "base/clock.h"
#include "base/fault.h"
#include "netstack/netstack.h"
#include "sentry/net/netdev.h"
#include <stdlib.h>
#include <string.h>

#define STATIONS  1024  // that one bridge knows, four of a hash; the one that was silent for longest goes
#define WAYS      4
#define AGEING_NS (300 * NS_PER_SEC)
#define PORTS     256
#define ETH_LEN   14

struct station {
    uint8_t mac[6];
    struct netdev *port;  // NULL: free
    uint64_t heard;       // ns
};
struct bridge {
    struct station stations[STATIONS];
    struct netdev *ports[PORTS];
    unsigned nports;
    uint64_t seed;
};

struct bridge *bridge_new(void) {
    struct bridge *b = znew(struct bridge);
    if (b)
        b->seed = random_u64();
    return b;
}
void bridge_free(struct bridge *b) { free(b); }
size_t bridge_size(void) { return sizeof(struct bridge); }

static struct station *set_of(struct bridge *b, const uint8_t mac[6]) {
    uint64_t v = 0;
    memcpy(&v, mac, 6);
    v = (v ^ b->seed) * 0x9e3779b97f4a7c15u;
    return &b->stations[(v >> 40) % (STATIONS / WAYS) * WAYS];
}

static void learn(struct bridge *b, const uint8_t mac[6], struct netdev *port) {
    struct station *set = set_of(b, mac), *at = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].port && !memcmp(set[i].mac, mac, 6)) {
            at = &set[i];
            break;
        }
        if (!set[i].port || (at->port && set[i].heard < at->heard))
            at = &set[i];
    }
    memcpy(at->mac, mac, 6);
    at->port = port;
    at->heard = mono_ns();
}

static struct netdev *find(struct bridge *b, const uint8_t mac[6]) {
    struct station *set = set_of(b, mac);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].port && !memcmp(set[i].mac, mac, 6))
            return set[i].heard + AGEING_NS > mono_ns() ? set[i].port : NULL;
    return NULL;
}

void bridge_forget(struct netdev *br, const struct netdev *port) {
    for (unsigned i = 0; i < STATIONS; i++)
        if (br->bridge->stations[i].port == port)
            br->bridge->stations[i].port = NULL;
}

// ---- Ports ------------------------------------------------------------------------------------------------
bool bridge_has_room(const struct netdev *br) { return br->bridge->nports < PORTS; }

void bridge_add_port(struct netdev *br, struct netdev *port) {
    br->bridge->ports[br->bridge->nports++] = port;
    port->master = br;
}

void bridge_del_port(struct netdev *port) {
    struct netdev *br = port->master;
    if (!br)
        return;
    struct bridge *b = br->bridge;
    for (unsigned i = 0; i < b->nports; i++)
        if (b->ports[i] == port)
            b->ports[i--] = b->ports[--b->nports];
    bridge_forget(br, port);
    port->master = NULL;
}

void bridge_del_all(struct netdev *br) {
    while (br->bridge->nports > 0)
        bridge_del_port(br->bridge->ports[0]);
}

// ---- Frames -----------------------------------------------------------------------------------------------
static void to_ports(struct netdev *br, const struct netdev *but, const struct netdev_frame *f) {
    struct bridge *b = br->bridge;
    struct netdev *to = f->bytes[0] & 1 ? NULL : find(b, f->bytes);
    for (unsigned i = 0; i < b->nports; i++)
        if (b->ports[i] != but && (!to || b->ports[i] == to) && b->ports[i]->up)
            netdev_send(b->ports[i], f->bytes, f->len, f->hops + 1);
}

void bridge_in(struct netdev *br, struct netdev *port, const struct netdev_frame *f) {
    static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};  // 802.1D 7.12.6
    const uint8_t *dst = f->bytes, *src = f->bytes + 6;
    if (!br->up || f->len < ETH_LEN || (!memcmp(dst, reserved, sizeof reserved) && dst[5] < 16))
        return;
    if (!(src[0] & 1))
        learn(br->bridge, src, port);
    bool own = !memcmp(dst, br->mac, 6);
    if (own || dst[0] & 1)
        netdev_input(br, f->bytes, f->len);
    if (!own)
        to_ports(br, port, f);
}

void bridge_out(struct netdev *br, const struct netdev_frame *f) {
    if (br->up && f->len >= ETH_LEN)
        to_ports(br, NULL, f);
}
