// SPDX-License-Identifier: Apache-2.0
// An interface of the host (one end of a veth) as a link of the stack: a packet socket with virtio-net
// headers (packet(7), PACKET_VNET_HDR), so that long segments and missing checksums pass as over a tap.
// Called by hosttap.c, which reads and writes the descriptor. It does not configure the interface: it must be
// up, and no address of ours may be the host's as well, or both answer.
#include "netstack/tools/nstool.h"
#include "base/cleanup.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

// A burst of one round trip waits here while we are at work; the usual limit would lose it.
#define QUEUE_BYTES (8 << 20)

static int set_options(int fd) {
    int on = 1, size = QUEUE_BYTES;
    // Frames that the host's own stack sends over this interface are not for us.
    if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0)
        return -errno;
    // Without CAP_NET_ADMIN the limits of the host stay: more loss, no error.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return 0;
}

static int bind_to(int fd, const char *name, uint8_t mac[6]) {
    struct ifreq r = {0};
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    if (strlen(name) >= IFNAMSIZ)
        return -ENODEV;
    memcpy(r.ifr_name, name, strlen(name));
    if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
        return -errno;
    memcpy(mac, r.ifr_hwaddr.sa_data, 6);
    if (ioctl(fd, SIOCGIFINDEX, &r) < 0)
        return -errno;
    at.sll_ifindex = r.ifr_ifindex;
    return bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ? -errno : 0;
}

int veth_attach(const char *name, uint8_t mac[6]) {
    // Protocol 0: nothing is received before it is bound to its interface.
    int fd cleanup_close = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = set_options(fd);
    if (err)
        return err;
    err = bind_to(fd, name, mac);
    return err ? err : take_fd(&fd);
}
