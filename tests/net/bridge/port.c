// SPDX-License-Identifier: Apache-2.0
// The ends of the bridge: descriptors that read and write whole Ethernet frames. Called by bridge_main.c once
// for each end. They offer no offloads, so no frame is longer than the interface's MTU or lacks a checksum.
#include "tests/net/bridge/bridge.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_BYTES (16 << 20) // the bound that counts is the bridge's own

static bool set_name(struct ifreq *r, const char *name) {
    size_t n = strlen(name);
    if (n == 0 || n >= IFNAMSIZ)
        return false;
    memcpy(r->ifr_name, name, n);
    return true;
}

static int fail(int fd) {
    int err = -errno;
    close(fd);
    return err;
}

static int open_tap(const char *name) {
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    if (!set_name(&r, name))
        return -ENODEV;
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETOFFLOAD, 0ul) < 0 ? fail(fd) : fd;
}

static int open_veth(const char *name) {
    struct ifreq r = {0};
    int on = 1, size = QUEUE_BYTES;
    if (!set_name(&r, name))
        return -ENODEV;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (ioctl(fd, SIOCGIFINDEX, &r) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        return fail(fd);
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = r.ifr_ifindex};
    return bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ? fail(fd) : fd;
}

int port_open(const char *name) {
    if (strncmp(name, "tap:", 4) == 0)
        return open_tap(name + 4);
    if (strncmp(name, "veth:", 5) == 0)
        return open_veth(name + 5);
    return -EINVAL;
}
