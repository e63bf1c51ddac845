// SPDX-License-Identifier: Apache-2.0
// Packet sockets (packet(7)): which frames they see and how, what they send, their bounds, and an interface
// that goes.
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/netstack.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ETH     14
#define IP_TYPE 0x0800

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 1}, peer[6] = {2, 0, 0, 0, 0, 2},
                     all[6] = {255, 255, 255, 255, 255, 255};
static struct netstack *ns;
static struct netif *nif, *other;
static uint8_t out[2048];  // the last frame that went out
static size_t out_len;
static unsigned sent, woken;

static uint64_t clock_of(void *arg) { return 1000000000; }
static void random_of(void *arg, void *buf, size_t n) { memset(buf, 3, n); }
static void on_ready(void *arg, uint32_t mask) { woken |= mask; }

static int transmit(void *arg, const struct ns_frame *f) {
    out_len = 0;
    for (unsigned i = 0; i < f->iovcnt; i++) {
        assert_true(out_len + f->iov[i].len <= sizeof out);
        memcpy(out + out_len, f->iov[i].base, f->iov[i].len);
        out_len += f->iov[i].len;
    }
    sent++;
    return 0;
}

static int start(void **state) {
    struct netstack_config c = {clock_of, random_of, NULL, 0};
    struct netif_config n = {
        .name = "t0", .kind = NETIF_ETHER, .mtu = 1500, .flags = NETIF_NO_DAD, .transmit = transmit};
    struct ns_ip ip = ns_ip4(10, 0, 0, 1);
    memcpy(n.mac, ours, 6);
    if (netstack_create(&c, &ns) || netif_add(ns, &n, &nif) || netif_add_address(nif, &ip, 24))
        return -1;
    n.name = "t1";
    n.mac[5] = 9;
    if (netif_add(ns, &n, &other))
        return -1;
    sent = woken = 0;
    return 0;
}

static int stop(void **state) {
    struct netstack_usage u;
    if (nif)
        netif_remove(nif);
    netif_remove(other);
    netstack_usage(ns, &u);
    netstack_destroy(ns);
    return u.timers || u.packets || u.buffers || u.sockets || u.bytes;
}

static uint32_t index_of(struct netif *n) {
    struct ns_netif_info info;
    for (unsigned i = 0; netstack_netif_info(ns, i, &info) == 0; i++)
        if (info.nif == n)
            return info.index;
    return 0;
}

static struct ns_sock *sock_for(bool header, uint16_t protocol) {
    struct ns_sock *s;
    assert_int_equal(ns_packet_socket(ns, header, protocol, &s), 0);
    return s;
}

// A frame of 100 bytes, the byte at n is n.
static void come_in(struct netif *to, const uint8_t dst[6], uint16_t type) {
    uint8_t f[100];
    for (unsigned i = 0; i < sizeof f; i++)
        f[i] = (uint8_t)i;
    memcpy(f, dst, 6);
    memcpy(f + 6, peer, 6);
    f[12] = (uint8_t)(type >> 8);
    f[13] = (uint8_t)type;
    netif_input(to, f, sizeof f, 0);
}

static void arp_request(void) {
    const uint8_t tail[28] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 2,
                              10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
    uint8_t f[ETH + sizeof tail] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6};
    memcpy(f + ETH, tail, sizeof tail);
    netif_input(nif, f, sizeof f, 0);
}

static int64_t get(struct ns_sock *s, uint8_t *buf, size_t n, struct ns_addr *from) {
    struct ns_mem_io m;
    return ns_recv(s, ns_io_to(&m, buf, n), 0, from);
}

static int64_t give(struct ns_sock *s, const void *data, size_t n, const struct ns_addr *to) {
    struct ns_mem_io m;
    return ns_send(s, ns_io_from(&m, data, n), 0, to);
}

// Every frame, with its header, and how it came; what we answer too.
static void sees_all(void **state) {
    static const uint8_t group[6] = {1, 0, 0x5e, 1, 2, 3};
    const uint8_t *const dst[] = {ours, all, group, peer};
    struct ns_sock *s = sock_for(true, NS_PACKET_ALL);
    struct ns_addr from;
    uint8_t buf[200];
    ns_on_ready(s, on_ready, NULL);
    assert_int_equal(get(s, buf, sizeof buf, &from), -LINUX_EAGAIN);
    assert_int_equal(ns_ready(s), NS_OUT);
    for (unsigned kind = 0; kind < 4; kind++) {
        come_in(nif, dst[kind], 0x1234);
        assert_int_equal(woken, NS_IN);
        assert_int_equal(ns_ready(s), NS_IN | NS_OUT);
        assert_int_equal(get(s, buf, sizeof buf, &from), 100);
        assert_memory_equal(buf, dst[kind], 6);
        assert_int_equal(buf[99], 99);
        assert_memory_equal(from.ip.b, peer, 6);
        assert_int_equal(from.ip.b[NS_PACKET_KIND_AT], kind);
        assert_int_equal(from.port, 0x1234);
        assert_int_equal(from.scope, index_of(nif));
    }
    arp_request();
    assert_int_equal(get(s, buf, sizeof buf, &from), ETH + 28);
    assert_int_equal(get(s, buf, sizeof buf, &from), ETH + 28);
    assert_int_equal(from.ip.b[NS_PACKET_KIND_AT], NS_PACKET_OUTGOING);
    assert_memory_equal(buf, out, ETH + 28);
    assert_memory_equal(from.ip.b, ours, 6);
    come_in(other, all, 0x1234);
    assert_int_equal(get(s, buf, sizeof buf, &from), 100);
    assert_int_equal(from.scope, index_of(other));
    ns_close(s);
}

// A socket for one protocol, without headers: not what goes out, not other types; bound to one interface, not
// the other.
static void sees_one(void **state) {
    struct ns_sock *s = sock_for(false, 0x0806), *none = sock_for(true, 0);
    struct ns_addr from, on_other = {.scope = index_of(other)}, local;
    uint8_t buf[200];
    come_in(nif, all, 0x1234);
    assert_int_equal(get(s, buf, sizeof buf, NULL), -LINUX_EAGAIN);
    arp_request();
    assert_int_equal(sent, 1);
    assert_int_equal(get(s, buf, sizeof buf, &from), 28);
    assert_int_equal(buf[1], 1);
    assert_int_equal(get(s, buf, sizeof buf, &from), -LINUX_EAGAIN);
    assert_int_equal(ns_bind(s, &on_other), 0);
    arp_request();
    assert_int_equal(get(s, buf, sizeof buf, &from), -LINUX_EAGAIN);
    come_in(other, all, 0x0806);
    assert_int_equal(get(s, buf, sizeof buf, &from), 86);
    assert_int_equal(get(none, buf, sizeof buf, &from), -LINUX_EAGAIN);
    on_other.port = 0x0806;
    assert_int_equal(ns_bind(none, &on_other), 0);
    come_in(other, all, 0x0806);
    assert_int_equal(get(none, buf, sizeof buf, &from), 100);
    assert_int_equal(ns_local(none, &local), 0);
    assert_int_equal(local.scope, index_of(other));
    on_other.scope = 99;
    assert_int_equal(ns_bind(s, &on_other), -LINUX_ENODEV);
    ns_close(s);
    ns_close(none);
}

// A whole frame goes as it is; without a header one is made. Others see it, who sends it does not.
static void sends(void **state) {
    struct ns_sock *raw = sock_for(true, NS_PACKET_ALL), *cooked = sock_for(false, NS_PACKET_ALL);
    struct ns_addr to = {.port = 0x4321, .scope = index_of(nif)}, from;
    uint8_t f[1600] = {0}, buf[200];
    memcpy(f, peer, 6);
    memcpy(f + 6, all, 6);  // a source of the user's choice
    f[12] = 0x56, f[60] = 7;
    memcpy(to.ip.b, peer, 6);
    assert_int_equal(give(raw, f, 61, &to), 61);
    assert_int_equal(out_len, 61);
    assert_memory_equal(out, f, 61);
    assert_int_equal(get(raw, buf, sizeof buf, NULL), -LINUX_EAGAIN);
    assert_int_equal(get(cooked, buf, sizeof buf, &from), 61 - ETH);
    assert_int_equal(buf[46], 7);
    assert_int_equal(from.ip.b[NS_PACKET_KIND_AT], NS_PACKET_OUTGOING);
    assert_int_equal(from.port, 0x5600);

    assert_int_equal(give(cooked, "hello", 5, &to), 5);
    assert_int_equal(out_len, ETH + 5);
    assert_memory_equal(out, peer, 6);
    assert_memory_equal(out + 6, ours, 6);
    assert_int_equal(out[12] << 8 | out[13], 0x4321);
    assert_memory_equal(out + ETH, "hello", 5);
    assert_int_equal(get(raw, buf, sizeof buf, NULL), ETH + 5);

    sent = 0;
    assert_int_equal(give(raw, f, ETH - 1, &to), -LINUX_EINVAL);
    assert_int_equal(give(raw, f, 0, &to), -LINUX_EINVAL);
    assert_int_equal(give(raw, f, 1515, &to), -LINUX_EMSGSIZE);
    assert_int_equal(give(cooked, f, 1501, &to), -LINUX_EMSGSIZE);
    assert_int_equal(give(raw, f, 61, NULL), -LINUX_ENXIO);
    assert_int_equal(ns_bind(cooked, &to), 0);
    assert_int_equal(give(cooked, f, 61, NULL), -LINUX_EDESTADDRREQ);
    to.scope = index_of(netstack_loopback(ns));
    assert_int_equal(give(raw, f, 61, &to), 61);  // comes in again, without a link in between
    assert_int_equal(get(raw, buf, sizeof buf, NULL), 61);
    to.scope = 99;
    assert_int_equal(give(raw, f, 61, &to), -LINUX_ENXIO);
    assert_int_equal(sent, 0);
    to.scope = index_of(nif);
    assert_int_equal(ns_bind(raw, &to), 0);
    assert_int_equal(give(raw, f, 1514, NULL), 1514);
    assert_int_equal(ns_connect(raw, &to), -LINUX_EOPNOTSUPP);
    assert_int_equal(ns_shutdown(raw, true, true), -LINUX_EOPNOTSUPP);
    assert_int_equal(ns_listen(raw, 1), -LINUX_EOPNOTSUPP);
    struct ns_ip group = ns_ip4(239, 1, 2, 3);
    assert_int_equal(ns_join(raw, &group, nif), -LINUX_EOPNOTSUPP);
    ns_close(raw);
    ns_close(cooked);
}

// Packets over loopback have a link header of zeros; each is seen going out and coming in.
static void loopback(void **state) {
    struct ns_sock *s = sock_for(true, NS_PACKET_ALL), *udp;
    struct ns_addr to = {ns_ip4(127, 0, 0, 1), 9000}, from;
    uint8_t buf[200];
    assert_int_equal(ns_socket(ns, NS_INET, NS_DGRAM, &udp), 0);
    assert_int_equal(ns_bind(udp, &to), 0);
    assert_int_equal(give(udp, "x", 1, &to), 1);
    assert_int_equal(get(s, buf, sizeof buf, &from), ETH + 29);
    assert_int_equal(from.ip.b[NS_PACKET_KIND_AT], NS_PACKET_OUTGOING);
    assert_int_equal(get(s, buf, sizeof buf, &from), ETH + 29);
    assert_int_equal(from.ip.b[NS_PACKET_KIND_AT], NS_PACKET_HOST);
    assert_int_equal(from.port, IP_TYPE);
    static const uint8_t zeros[12];
    assert_memory_equal(buf, zeros, sizeof zeros);
    assert_int_equal(buf[12] << 8 | buf[13], IP_TYPE);
    assert_int_equal(buf[ETH], 0x45);
    assert_int_equal(buf[ETH + 28], 'x');
    assert_int_equal(get(udp, buf, sizeof buf, NULL), 1);
    ns_close(udp);
    ns_close(s);
}

// The queue has a bound; what is beyond it is counted. A look leaves the frame, a short buffer cuts it.
static void bounded(void **state) {
    struct ns_sock *s = sock_for(true, NS_PACKET_ALL);
    struct ns_mem_io m;
    uint8_t buf[10];
    size_t in, queued_out;
    unsigned n = 0;
    assert_int_equal(ns_set_option(s, NS_OPT_RCVBUF, 4096), 0);
    for (unsigned i = 0; i < 100; i++)
        come_in(nif, ours, 0x1234);
    ns_queued(s, &in, &queued_out);
    assert_int_equal(in, 100);
    assert_int_equal(ns_recv(s, ns_io_to(&m, buf, sizeof buf), NS_MSG_PEEK | NS_MSG_TRUNC, NULL), 100);
    while (get(s, buf, sizeof buf, NULL) == 10)
        n++;
    assert_in_range(n, 4, 40);
    assert_int_equal(netstack_stat(ns, "packet_drop_full"), 100 - n);
    come_in(nif, ours, 0x1234);
    assert_int_equal(get(s, buf, sizeof buf, NULL), 10);
    come_in(nif, ours, 0x1234);  // freed with the socket
    ns_close(s);
}

// The interface that a socket is bound to goes: it is told, once, and sees nothing until it is bound again.
static void interface_gone(void **state) {
    struct ns_sock *s = sock_for(true, NS_PACKET_ALL);
    struct ns_addr on = {.scope = index_of(nif)};
    uint8_t buf[200];
    assert_int_equal(ns_bind(s, &on), 0);
    come_in(nif, ours, 0x1234);
    netif_remove(nif);
    nif = NULL;
    assert_int_equal(ns_ready(s) & NS_ERR, NS_ERR);
    assert_int_equal(get(s, buf, sizeof buf, NULL), -LINUX_ENETDOWN);
    assert_int_equal(get(s, buf, sizeof buf, NULL), 100);
    come_in(other, ours, 0x1234);
    assert_int_equal(get(s, buf, sizeof buf, NULL), -LINUX_EAGAIN);
    assert_int_equal(give(s, buf, 60, NULL), -LINUX_ENXIO);
    on = (struct ns_addr){.port = NS_PACKET_ALL};
    assert_int_equal(ns_bind(s, &on), 0);
    come_in(other, ours, 0x1234);
    assert_int_equal(get(s, buf, sizeof buf, NULL), 100);
    ns_close(s);
}

// A fragment of an IGMP packet to 10.0.1.1 (more: the first): 8 bytes of it.
static void fragment(struct netif *to, bool more) {
    uint8_t f[ETH + 28] = {0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 28, 0, 7, more ? 0x20 : 0,
                           more ? 0 : 1, 64, 2, 0, 0, 10, 0, 0, 2, 10, 0, 1, 1};
    uint32_t sum = 0;
    for (unsigned i = 0; i < 20; i += 2)
        sum += (uint32_t)f[ETH + i] << 8 | f[ETH + i + 1];
    sum = ~(sum + (sum >> 16));
    f[ETH + 10] = (uint8_t)(sum >> 8);
    f[ETH + 11] = (uint8_t)sum;
    memcpy(f, ours, 6);
    f[5] = to == nif ? 1 : 9;
    netif_input(to, f, sizeof f, 0);
}

// What has come in of a packet goes with its interface, and no other makes it whole.
static void fragments_gone(void **state) {
    struct ns_ip ip = ns_ip4(10, 0, 1, 1);
    struct netstack_usage u;
    assert_int_equal(netif_add_address(other, &ip, 24), 0);
    fragment(nif, true);
    fragment(nif, false);
    assert_int_equal(netstack_stat(ns, "frag_reassembled"), 1);
    fragment(nif, true);
    fragment(other, false);
    assert_int_equal(netstack_stat(ns, "frag_reassembled"), 1);
    fragment(other, true);
    assert_int_equal(netstack_stat(ns, "frag_reassembled"), 2);
    netif_remove(nif);
    nif = NULL;
    netstack_usage(ns, &u);
    assert_int_equal(u.packets, 0);
    assert_int_equal(u.timers, 0);
}

// Whichever allocation fails, a frame is seen or counted, sent or refused, and nothing is left.
static void no_memory(void **state) {
    struct ns_sock *s = sock_for(true, NS_PACKET_ALL);
    struct ns_addr to = {.scope = index_of(nif)};
    uint8_t buf[200] = {0};
    unsigned made = 1, failed = 0;
    for (unsigned nth = 1; nth <= made; nth++) {
        fault_alloc_at(nth);
        int64_t n = give(s, buf, 60, &to);
        come_in(nif, ours, 0x1234);
        made = fault_alloc_at(0);
        failed += n < 0;
        assert_true(n == 60 || n == -LINUX_ENOBUFS);
        while (get(s, buf, sizeof buf, NULL) > 0)
            ;
    }
    assert_true(failed >= 2);
    ns_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sees_all, start, stop),
        cmocka_unit_test_setup_teardown(sees_one, start, stop),
        cmocka_unit_test_setup_teardown(sends, start, stop),
        cmocka_unit_test_setup_teardown(loopback, start, stop),
        cmocka_unit_test_setup_teardown(bounded, start, stop),
        cmocka_unit_test_setup_teardown(interface_gone, start, stop),
        cmocka_unit_test_setup_teardown(fragments_gone, start, stop),
        cmocka_unit_test_setup_teardown(no_memory, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
