// SPDX-License-Identifier: Apache-2.0
// What a descriptor of a link gives: virtio-net headers and frames that a peer can have made, by way of the
// link's own loop into a stack with sockets. What must hold: no crash; of datagrams that are cut each lies
// within what came, and together they are no more than it; nothing is left at the end.
//
// The first byte: kind of descriptor, whether there are rates, a capture file. Then records: two bytes of
// length, one that says how the frame begins, the header, the frame.
#include "abi/errno.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include "sentry/link/link.h"
#include "sentry/link/vnet.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(cond) \
    do { \
        if (!(cond)) \
            abort(); \
    } while (0)

static struct {
    uint64_t now, seed;
    struct timer_queue timers;
    struct vfs *vfs;
    struct hostevents *events;
} k;

static uint64_t fuzz_clock(void *arg) { return k.now; }
static void fuzz_random(void *arg, void *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        k.seed = k.seed * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)buf)[i] = (uint8_t)(k.seed >> 56);
    }
}

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static const uint8_t heads[4][54] = {
    // to us: Ethernet, IPv4, UDP to port 5000; IPv6 and the same; IPv4, TCP; a broadcast of ARP
    {2, 0, 0, 0,  0,  1, 2, 0,  0, 0, 0, 9,  8, 0, 0x45, 0,    0, 0,    0,
     1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1,    0x20, 0, 0x13, 0x88},
    {2,    0,    0, 0, 0, 1, 2, 0,  0,  0,    0,        9,    0x86,
     0xdd, 0x60, 0, 0, 0, 0, 0, 17, 64, 0xfd, [37] = 9, 0xfd, [53] = 1},
    {2, 0, 0, 0,  0, 1, 2, 0,  0, 0, 0, 9,  8, 0, 0x45, 0,    0, 0,    0,
     1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 9, 10, 0, 0, 1,    0x20, 0, 0x13, 0x88},
    {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1},
};
static const uint8_t head_len[4] = {38, 54, 38, 22};

static void check_cut(const uint8_t *at, size_t n) {
    static uint8_t to[VNET_FRAME_MAX];
    struct ns_rx rx, one;
    size_t sum = 0;
    if (vnet_read(at, n, &rx) == VNET_BAD)
        return;
    CHECK((const uint8_t *)rx.frame == at + sizeof(struct vnet_hdr) && rx.len == n - sizeof(struct vnet_hdr));
    for (unsigned i = 0; vnet_cut(at, n, i, to, &one); i++) {
        size_t head = to[14] >> 4 == 6 ? 62 : 42;
        CHECK(one.frame == to && one.len > head && one.len <= rx.len && !one.gso_size);
        sum += one.len - head;
        CHECK(i < VNET_CUT_MAX && sum <= rx.len);
    }
}

// What the stack has sent.
static void drain(int fd) {
    static char sent[70000];
    while (recv(fd, sent, sizeof sent, MSG_DONTWAIT) > 0)
        ;
}

// One record is sent as a frame; how many bytes of the input it took.
static size_t feed(int fd, struct link *l, const uint8_t *data, size_t n) {
    size_t len = (size_t)(data[0] | data[1] << 8), left = n - 3, fixed = 0;
    const uint8_t how = data[2];
    if (len > left)
        len = left;
    uint8_t *m = malloc(sizeof(struct vnet_hdr) + sizeof heads[0] + len + 1);  // a block of its own
    CHECK(m);
    size_t h = len < sizeof(struct vnet_hdr) ? len : sizeof(struct vnet_hdr);
    memcpy(m, data + 3, h);
    if (how < 4 && h == sizeof(struct vnet_hdr)) {
        fixed = head_len[how];
        memcpy(m + h, heads[how], fixed);
    }
    memcpy(m + h + fixed, data + 3 + h, len - h);
    size_t all = fixed + len;
    if (fixed == 38 && all >= h + 38)
        m[h + 16] = (uint8_t)((all - h - 14) >> 8), m[h + 17] = (uint8_t)(all - h - 14);
    check_cut(m, all);
    if (all > 0 && send(fd, m, all, MSG_DONTWAIT) == (ssize_t)all)
        l->source.ready(&l->source);
    free(m);
    drain(fd);
    return 3 + len;
}

static void begin(void) {
    if (k.events)
        return;
    timers_init(&k.timers);
    k.vfs = vfs_create();
    CHECK(k.vfs && hostevent_open(k.vfs, &k.timers, -1, -1, &k.events) == 0);
}

static int capture_file(bool wanted) { return wanted ? memfd_create("capture", MFD_CLOEXEC) : -1; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static struct sentry_net net;
    struct netstack_config c = {fuzz_clock, fuzz_random, NULL, 8u << 20};
    struct netstack *ns;
    struct ns_sock *socks[2];
    struct links *ls;
    struct ns_addr any = {.port = 5000};
    int pair[2];
    if (n < 1)
        return 0;
    begin();
    k.now = 1000000000000ull;
    k.seed = 1;
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(netstack_create(&c, &ns) == 0);
    memset(&net, 0, sizeof net);
    net.nlinks = 1;
    net.rx_rate = data[0] & 2 ? 1 << 20 : 0;
    net.tx_rate = data[0] & 4 ? 1 << 20 : 0;
    net.capture_max = data[0] & 8 ? 10000 : 0;
    struct sentry_link *l = &net.links[0];
    *l = (struct sentry_link){.kind = data[0] & 1, .name = "eth0", .mtu = 1500, .naddrs = 2};
    memcpy(l->mac, mac, sizeof mac);
    l->addrs[0] = (struct sentry_addr){0, 24, {10, 0, 0, 1}};
    l->addrs[1] = (struct sentry_addr){1, 64, {0xfd, [15] = 1}};
    int fds[2] = {pair[0], capture_file(data[0] & 8)};
    CHECK(links_open(ns, k.events, &k.timers, &net, fds, &ls) == 0 && ls);
    CHECK(ns_socket(ns, NS_INET6, NS_DGRAM, &socks[0]) == 0 && ns_bind(socks[0], &any) == 0);
    CHECK(ns_socket(ns, NS_INET6, NS_STREAM, &socks[1]) == 0 && ns_bind(socks[1], &any) == 0 &&
          ns_listen(socks[1], 8) == 0);
    for (size_t at = 1; n - at > 3;)
        at += feed(pair[1], &ls->links[0], data + at, n - at);
    ns_close(socks[0]);
    ns_close(socks[1]);
    links_close(ls);
    netstack_destroy(ns);
    close(pair[1]);
    return 0;
}
