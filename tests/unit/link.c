// SPDX-License-Identifier: Apache-2.0
// The links' parts: token buckets, virtio-net headers, the capture file, and links that are made of a
// configuration which may be wrong. Descriptors are socket pairs.
#include "abi/errno.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include "sentry/link/link.h"
#include "sentry/link/vnet.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
// after those
#include <cmocka.h>

// ---- Buckets ----------------------------------------------------------------------------------------------
static uint64_t passes_in(struct bucket *b, uint64_t from, uint64_t ns, uint64_t frame) {
    uint64_t bytes = 0;
    for (uint64_t t = from; t < from + ns; t += 10000)
        while (bucket_open(b, t)) {
            bucket_take(b, frame);
            bytes += frame;
        }
    return bytes;
}

static void test_bucket_keeps_its_rate(void **state) {
    static const uint64_t rates[] = {1000, 1 << 20, 12500000, UINT64_C(5000000000)};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct bucket b;
        bucket_init(&b, rates[i], NS_PER_SEC);
        uint64_t burst = b.burst, bytes = passes_in(&b, NS_PER_SEC, 2 * NS_PER_SEC, 1500);
        assert_in_range(bytes, burst + 2 * rates[i] - rates[i] / 50, burst + 2 * rates[i] + 1500);
    }
}

static void test_bucket_says_when(void **state) {
    struct bucket b;
    bucket_init(&b, 1000000, 5);
    assert_true(bucket_open(&b, 5));
    bucket_take(&b, 3 * b.burst);
    assert_false(bucket_open(&b, 6));
    uint64_t when = bucket_when(&b);
    assert_false(bucket_open(&b, when - 3000));
    assert_true(bucket_open(&b, when));
    bucket_take(&b, 3 * b.burst);
    assert_true(bucket_open(&b, when + (UINT64_C(1) << 62)));  // no more than its burst gathers
    assert_int_equal(b.tokens, b.burst);
    bucket_init(&b, 0, 0);
    bucket_take(&b, UINT64_C(1) << 40);
    assert_true(bucket_open(&b, 0));
}

// ---- Headers ----------------------------------------------------------------------------------------------
static void test_headers_in(void **state) {
    uint8_t m[sizeof(struct vnet_hdr) + 100] = {0};
    struct vnet_hdr *h = (void *)m;
    struct ns_rx rx;
    assert_int_equal(vnet_read(m, 0, &rx), VNET_BAD);
    assert_int_equal(vnet_read(m, sizeof *h, &rx), VNET_BAD);
    assert_int_equal(vnet_read(m, sizeof *h + 1, &rx), VNET_PLAIN);
    assert_true(rx.len == 1 && rx.flags == 0 && rx.gso_size == 0);
    assert_int_equal(vnet_read(m, sizeof *h + VNET_FRAME_MAX + 1, &rx), VNET_BAD);
    *h = (struct vnet_hdr){
        .flags = VNET_NEEDS_CSUM, .gso_type = VNET_GSO_TCP6 | VNET_GSO_ECN, .gso_size = 900};
    assert_int_equal(vnet_read(m, sizeof m, &rx), VNET_PLAIN);
    assert_true(rx.flags == NS_CSUM_GOOD && rx.gso_size == 900);
    h->gso_size = 0;
    assert_int_equal(vnet_read(m, sizeof m, &rx), VNET_BAD);
    *h = (struct vnet_hdr){.gso_type = VNET_GSO_UDP, .gso_size = 900};
    assert_int_equal(vnet_read(m, sizeof m, &rx), VNET_BAD);
    h->gso_type = 77;
    assert_int_equal(vnet_read(m, sizeof m, &rx), VNET_BAD);
}

static void test_headers_out(void **state) {
    uint8_t head[66] = {[14] = 0x45, [34 + 12] = 0x80};
    struct ns_iov iov[2] = {{head, sizeof head}, {head, 10}};
    struct ns_frame f = {iov, 2, 76, 0, 0, 0};
    struct vnet_hdr h = vnet_describe(&f);
    assert_true(h.flags == 0 && h.gso_type == 0 && h.csum_start == 0);
    f.csum_start = 34;
    f.csum_offset = 16;
    h = vnet_describe(&f);
    assert_true(h.flags == VNET_NEEDS_CSUM && h.csum_start == 34 && h.csum_offset == 16 && !h.gso_type);
    f.gso_size = 1448;
    h = vnet_describe(&f);
    assert_true(h.gso_type == VNET_GSO_TCP4 && h.gso_size == 1448 && h.hdr_len == 66);
    head[14] = 0x60;
    assert_int_equal(vnet_describe(&f).gso_type, VNET_GSO_TCP6);
}

static unsigned sum16(const uint8_t *p, unsigned n) {
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i += 2)
        sum += (unsigned)(p[i] << 8 | p[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void test_datagrams_are_cut(void **state) {
    uint8_t m[sizeof(struct vnet_hdr) + 42 + 1000] = {0}, to[VNET_FRAME_MAX];
    static const uint8_t head[] = {8, 0, 0x45, 0, 0, 0, 1, 255, 0, 0, 64, 17};
    struct ns_rx rx;
    *(struct vnet_hdr *)(void *)m = (struct vnet_hdr){.gso_type = VNET_GSO_UDP_L4, .gso_size = 300};
    uint8_t *frame = m + sizeof(struct vnet_hdr);
    memcpy(frame + 12, head, sizeof head);
    for (unsigned i = 0; i < 1000; i++)
        frame[42 + i] = (uint8_t)i;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = i < 3 ? 300 : 100;
        assert_true(vnet_cut(m, sizeof m, i, to, &rx));
        assert_int_equal(rx.len, 42 + n);
        assert_memory_equal(to + 42, frame + 42 + 300 * i, n);
        assert_int_equal(to[16] << 8 | to[17], 28 + n);
        assert_int_equal(to[38] << 8 | to[39], 8 + n);
        assert_int_equal(to[18] << 8 | to[19], 511 + i);
        assert_int_equal(sum16(to + 14, 20), 0xffff);
    }
    assert_false(vnet_cut(m, sizeof m, 4, to, &rx));
    frame[20] = 0x20;  // a fragment
    assert_false(vnet_cut(m, sizeof m, 0, to, &rx));
    frame[20] = 0;
    frame[14] = 0x46;  // options
    assert_false(vnet_cut(m, sizeof m, 0, to, &rx));
    frame[14] = 0x45;
    assert_false(vnet_cut(m, sizeof(struct vnet_hdr) + 41, 0, to, &rx));
}

// ---- Captures ---------------------------------------------------------------------------------------------
static void test_capture_is_bounded(void **state) {
    uint8_t frame[100] = {1};
    struct ns_iov iov[2] = {{frame, 60}, {frame + 60, 40}};
    struct capture c;
    struct stat st;
    int fd = memfd_create("capture", 0), kept = dup(fd);
    assert_int_equal(capture_open(&c, fd, 60 + 3 * 132 + 131), 0);
    for (int i = 0; i < 10; i++)
        capture_frame(&c, iov, 2);
    assert_int_equal(fstat(kept, &st), 0);
    assert_int_equal(st.st_size, 60 + 3 * 132);
    capture_close(&c);
    close(kept);
    assert_int_equal(capture_open(&c, -1, 0), 0);
    capture_frame(&c, iov, 2);
    capture_close(&c);
}

// ---- Links ------------------------------------------------------------------------------------------------
struct world {
    struct timer_queue timers;
    struct hostevents *events;
    struct netstack *ns;
    struct vfs *vfs;
    struct sentry_net net;
    int pair[2];
};
static uint64_t clock_now(void *arg) { return mono_ns(); }
static void random_of(void *arg, void *buf, size_t n) { random_bytes(buf, n); }

static int set_up(void **state) {
    struct world *w = znew(struct world);
    const struct netstack_config c = {.clock = clock_now, .random = random_of};
    timers_init(&w->timers);
    w->vfs = vfs_create();
    assert_int_equal(hostevent_open(w->vfs, &w->timers, -1, -1, &w->events), 0);
    assert_int_equal(netstack_create(&c, &w->ns), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, w->pair), 0);
    w->net.nlinks = 1;
    w->net.links[0] = (struct sentry_link){
        .kind = SENTRY_LINK_PACKET, .mac = {2, 0, 0, 0, 0, 1}, .name = "eth0", .mtu = 1500, .naddrs = 1};
    w->net.links[0].addrs[0] = (struct sentry_addr){0, 24, {10, 0, 0, 1}};
    *state = w;
    return 0;
}
static int tear_down(void **state) {
    struct world *w = *state;
    netstack_destroy(w->ns);
    vfs_destroy(w->vfs);
    hostevent_close(w->events);
    timers_destroy(&w->timers);
    close(w->pair[1]);
    free(w);
    return 0;
}

static void test_ping(void **state) {
    struct world *w = *state;
    struct links *ls;
    static const uint8_t arp[] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,  9, 8, 6,
                                  0,   1,   8,   0,   6,   4,   0, 1, 2, 0, 0,  0, 0, 9,
                                  10,  0,   0,   9,   0,   0,   0, 0, 0, 0, 10, 0, 0, 1};
    uint8_t m[sizeof(struct vnet_hdr) + 100] = {0};
    memcpy(m + sizeof(struct vnet_hdr), arp, sizeof arp);
    for (unsigned kind = SENTRY_LINK_PACKET; kind <= SENTRY_LINK_TAP; kind++) {
        w->net.links[0].kind = (uint8_t)kind;
        int mine = dup(w->pair[0]);
        assert_int_equal(links_open(w->ns, w->events, &w->timers, &w->net, &mine, &ls), 0);
        assert_int_equal(fcntl(mine, F_GETFD), -1);
        assert_int_equal(ls->links[0].fd, LINK_FD);
        assert_int_equal(send(w->pair[1], m, sizeof(struct vnet_hdr) + sizeof arp, 0), 52);
        ls->links[0].source.ready(&ls->links[0].source);
        uint8_t got[200];
        assert_true(recv(w->pair[1], got, sizeof got, MSG_DONTWAIT) >= 52);  // the answer, with our address
        assert_memory_equal(got + sizeof(struct vnet_hdr) + 22, w->net.links[0].mac, 6);
        while (recv(w->pair[1], got, sizeof got, MSG_DONTWAIT) > 0)
            ;
        links_close(ls);
    }
    close(w->pair[0]);
}

static void refused(struct world *w, int err) {
    struct links *ls;
    int mine = dup(w->pair[0]);
    assert_int_equal(links_open(w->ns, w->events, &w->timers, &w->net, &mine, &ls), err);
    assert_null(ls);
    if (w->net.nlinks <= SENTRY_LINKS)
        assert_int_equal(fcntl(mine, F_GETFD), -1);
    else
        close(mine);
}

static void test_bad_configurations(void **state) {
    struct world *w = *state;
    const struct sentry_net good = w->net;
    w->net.nlinks = SENTRY_LINKS + 1;
    refused(w, -LINUX_EINVAL);
    w->net = good;
    w->net.links[0].mtu = 10;
    refused(w, -LINUX_EINVAL);
    w->net = good;
    w->net.links[0].addrs[0].prefix = 33;
    refused(w, -LINUX_EINVAL);
    w->net = good;
    w->net.nroutes = 1;
    w->net.routes[0] = (struct sentry_route){.link = 1};
    refused(w, -LINUX_EINVAL);
    w->net.routes[0] = (struct sentry_route){.six = 1, .prefix = 129};
    refused(w, -LINUX_EINVAL);
    w->net = good;
    w->net.links[0].naddrs = UINT32_MAX;  // no more than there are
    memset(w->net.links[0].name, 'x', sizeof w->net.links[0].name);
    w->net.nroutes = UINT32_MAX;
    struct links *ls;
    int mine = dup(w->pair[0]);
    int err = links_open(w->ns, w->events, &w->timers, &w->net, &mine, &ls);
    if (err == 0)
        links_close(ls);
    w->net = (struct sentry_net){0};
    assert_int_equal(links_open(w->ns, w->events, &w->timers, &w->net, NULL, &ls), 0);
    assert_null(ls);
    close(w->pair[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket_keeps_its_rate),
        cmocka_unit_test(test_bucket_says_when),
        cmocka_unit_test(test_headers_in),
        cmocka_unit_test(test_headers_out),
        cmocka_unit_test(test_datagrams_are_cut),
        cmocka_unit_test(test_capture_is_bounded),
        cmocka_unit_test_setup_teardown(test_ping, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_configurations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
