// SPDX-License-Identifier: Apache-2.0
// --net=tap:NAME: one queue of a tap that is there already (ip tuntap add mode tap NAME, by root; with
// `user NAME` also for an ordinary user). Addresses are the caller's to give: the host's side of the tap is
// the host's own. What has none takes IPv6 addresses from routers, if there are any.
// LIMIT: a tap with several queues (multi_queue) is refused.
#include "oci/net.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define VNET_HDR 10  // bytes; struct vnet_hdr of sentry/link/vnet.h

// Whether it is there, and its MTU. The queue's own descriptor makes one when it is not.
static int look(const char *name, uint32_t *mtu, struct error *e) {
    struct ifreq r = {0};
    int fd cleanup_close = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(r.ifr_name, name, strlen(name));
    if (fd < 0 || ioctl(fd, SIOCGIFMTU, &r) < 0)
        return error_errno(e, errno, "--net tap:%s: make it first (ip tuntap add mode tap %s)", name, name);
    *mtu = (uint32_t)r.ifr_mtu;
    return 0;
}

static int attach(const char *name, struct error *e) {
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int size = VNET_HDR;
    unsigned long offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    memcpy(r.ifr_name, name, strlen(name));
    int fd cleanup_close = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return error_errno(e, errno, "--net tap:%s: /dev/net/tun", name);
    if (ioctl(fd, TUNSETIFF, &r) < 0) {
        int err = errno;
        return error_errno(e, err, "--net tap:%s%s", name, err == EBUSY ? ": somebody else has it" : "");
    }
    if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 || ioctl(fd, TUNSETOFFLOAD, offload) < 0)
        return error_errno(e, errno, "--net tap:%s: virtio-net headers", name);
    return take_fd(&fd);
}

static void add_gateway(struct sentry_net *net, const struct sentry_addr *a) {
    if (!a->prefix)
        return;
    struct sentry_route *r = &net->routes[net->nroutes++];
    *r = (struct sentry_route){.six = a->six, .has_gateway = 1};
    memcpy(r->gateway, a->bytes, sizeof r->gateway);
}

int net_open_tap(const struct net_options *o, struct net *n, struct error *e) {
    struct sentry_link *l = &n->net.links[0];
    *l = (struct sentry_link){.kind = SENTRY_LINK_TAP, .name = "eth0"};
    if (look(o->tap, &l->mtu, e) < 0)
        return -1;
    n->fds[0] = attach(o->tap, e);
    if (n->fds[0] < 0)
        return -1;
    random_bytes(l->mac, sizeof l->mac);
    l->mac[0] = (uint8_t)((l->mac[0] & 0xfc) | 2);  // locally administered, one station
    l->naddrs = o->naddrs;
    memcpy(l->addrs, o->addrs, sizeof l->addrs);
    l->automatic = SENTRY_AUTO_ROUTERS;
    n->net.nlinks = 1;
    add_gateway(&n->net, &o->gateways[0]);
    add_gateway(&n->net, &o->gateways[1]);
    return 0;
}
