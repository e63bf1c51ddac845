// SPDX-License-Identifier: Apache-2.0
// An interface of the host as a link of the stack, with virtio-net headers (virtio 1.2, 5.1.6) in front of
// the frames: with them checksums and the cutting of long TCP segments are left to the other side, both ways.
// Frames are read and written here, and taps opened; packet sockets on veths are hostveth.c's. Used by nstool
// only.
#include "netstack/tools/nstool.h"
#include "abi/errno.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/tcp.h"
#include "netstack/prot/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_MAX (65536 + ETH_LEN)

// What the header says of a frame that goes out.
static struct virtio_net_hdr describe(const struct tap *t, const struct ns_frame *f) {
    struct virtio_net_hdr h = {0};
    const uint8_t *frame = f->iov[0].base;
    if (!t->offload || !f->csum_start)
        return h;
    h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h.csum_start = f->csum_start;
    h.csum_offset = f->csum_offset;
    if (f->gso_size) {
        bool six = get16(frame + ETH_TYPE) == ETH_TYPE_IP6;
        h.gso_type = six ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
        h.gso_size = f->gso_size;
        h.hdr_len = (uint16_t)(f->csum_start + (frame[f->csum_start + TCP_OFF] >> 4) * 4);
    }
    return h;
}

static int tap_transmit(void *arg, const struct ns_frame *f) {
    struct tap *t = arg;
    struct virtio_net_hdr h = describe(t, f);
    struct iovec iov[16] = {{&h, sizeof h}};
    unsigned n = 1;
    for (unsigned i = 0; i < f->iovcnt && n < 16; i++)
        iov[n++] = (struct iovec){f->iov[i].base, f->iov[i].len};
    return writev(t->fd, iov, (int)n) < 0 ? -errno : 0;
}

// The next frame, into the stack's own memory when it has some; false: none is there.
static bool read_frame(struct tap *t, unsigned i, struct ns_rx *rx) {
    const size_t size = sizeof(struct virtio_net_hdr) + FRAME_MAX;
    struct virtio_net_hdr h;
    uint8_t *room = netif_room(t->nif, i, size), *at = room ? room : t->spare;
    ssize_t got = read(t->fd, at, size);
    if (got < (ssize_t)sizeof h)
        return false;
    memcpy(&h, at, sizeof h);
    // The other side is this host's kernel: what it has not summed yet has never been on a wire.
    bool good = h.flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);
    *rx = (struct ns_rx){at + sizeof h, (size_t)got - sizeof h, good ? NS_CSUM_GOOD : 0,
                         h.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : h.gso_size};
    if (!room) {  // over budget: counted as lost there
        netif_input(t->nif, rx->frame, rx->len, rx->flags);
        rx->len = 0;
    }
    return true;
}

unsigned tap_input(struct tap *t) {
    struct ns_rx rx[TAP_BATCH];
    unsigned n = 0;
    while (n < TAP_BATCH && read_frame(t, n, &rx[n]) && rx[n].len)
        n++;
    netif_input_batch(t->nif, rx, n);
    return n;
}

static int tap_attach(struct tap *t, const char *name) {
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    for (unsigned i = 0; name[i] && i < IFNAMSIZ - 1; i++)
        r.ifr_name[i] = name[i];
    int size = sizeof(struct virtio_net_hdr);
    unsigned offload = t->offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0)
        return -errno;
    if (ioctl(t->fd, TUNSETIFF, &r) < 0 || ioctl(t->fd, TUNSETVNETHDRSZ, &size) < 0 ||
        ioctl(t->fd, TUNSETOFFLOAD, (unsigned long)offload) < 0) {
        int err = -errno;
        close(t->fd);
        return err;
    }
    return 0;
}

// "unix:PATH": a socket whose other end passes the same frames on, for a wire of a test's own.
static int attach_unix(struct tap *t, const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int big = 8 << 20;
    for (unsigned i = 0; path[i] && i < sizeof a.sun_path - 1; i++)
        a.sun_path[i] = path[i];
    t->offload = false;
    t->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (t->fd < 0)
        return -errno;
    if (connect(t->fd, (struct sockaddr *)&a, sizeof a) < 0 || fcntl(t->fd, F_SETFL, O_NONBLOCK) < 0) {
        int err = -errno;
        close(t->fd);
        return err;
    }
    setsockopt(t->fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
    return 0;
}

// By the kind of interface, which is cut off *name: "veth:NAME", "unix:PATH", or the name of a tap.
static int tap_attach_to(struct tap *t, const char **name, uint8_t mac[6]) {
    if (strncmp(*name, "unix:", 5) == 0) {
        const char *path = *name + 5;
        *name = "wire";
        return attach_unix(t, path);
    }
    if (strncmp(*name, "veth:", 5) != 0)
        return tap_attach(t, *name);
    *name += 5;
    t->fd = veth_attach(*name, mac);
    return t->fd < 0 ? t->fd : 0;
}

int tap_open(struct tap *t, struct netstack *ns, const char *name, uint32_t mtu, bool offload) {
    uint8_t mac[6] = {2, 0x6e, 0x73, 0, 0, 1};
    *t = (struct tap){
        .fd = -1, .offload = offload, .spare = malloc(sizeof(struct virtio_net_hdr) + FRAME_MAX)};
    int err = t->spare ? tap_attach_to(t, &name, mac) : -LINUX_ENOMEM;
    if (err) {
        free(t->spare);
        return err;
    }
    struct netif_config c = {.name = name,
                             .kind = NETIF_ETHER,
                             .mtu = mtu,
                             .flags = NETIF_NO_DAD | (t->offload ? NETIF_TX_CSUM : 0),
                             .gso_max = t->offload ? 65000 : 0,
                             .transmit = tap_transmit,
                             .arg = t};
    memcpy(c.mac, mac, sizeof mac);
    return netif_add(ns, &c, &t->nif);
}

void tap_close(struct tap *t) {
    if (t->fd < 0)
        return;
    netif_remove(t->nif);
    close(t->fd);
    free(t->spare);
}
