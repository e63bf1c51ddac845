// SPDX-License-Identifier: Apache-2.0
// The parts of netstack/core and netstack/prot by themselves: timer wheel, checksums, SipHash, addresses,
// packets, byte queues, TCP options, capture files.
#include "abi/errno.h"
#include "base/fault.h"
#include "netstack/core/addr.h"
#include "netstack/core/byteq.h"
#include "netstack/core/siphash.h"
#include "netstack/core/stack.h"
#include "netstack/link/pcapng.h"
#include "netstack/prot/checksum.h"
#include "netstack/tcp/tcp.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000ull

// ---- Timer wheel ------------------------------------------------------------------------------------------
struct alarm {
    struct timer t;
    uint64_t due;
    unsigned fired;
};
static struct wheel wheel;
static uint64_t wheel_now;

static void on_alarm(struct timer *t) {
    struct alarm *a = container_of(t, struct alarm, t);
    a->fired++;
    assert_true(wheel_now >= a->due);           // never early
    assert_true(wheel_now <= a->due + 1 * MS);  // at most a tick late
}

// Thousands of timers at random distances up to a month, run by wheel_next() alone.
static void wheel_order(void **state) {
    static struct alarm alarms[3000];
    uint64_t seed = 1;
    wheel_now = 123456789;
    wheel_init(&wheel, wheel_now);
    for (unsigned i = 0; i < 3000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t span = 1ull << (10 + (seed >> 58) % 42);
        alarms[i] = (struct alarm){.due = wheel_now + (seed >> 8) % span};
        timer_init(&alarms[i].t, on_alarm);
        timer_arm(&wheel, &alarms[i].t, alarms[i].due);
    }
    unsigned turns = 0;
    for (uint64_t next = wheel_next(&wheel); next != UINT64_MAX; next = wheel_next(&wheel)) {
        assert_true(next > wheel_now || turns == 0);
        wheel_now = next;
        wheel_run(&wheel, wheel_now);
        assert_true(++turns < 100000);
    }
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(alarms[i].fired, 1);
    assert_int_equal(wheel.armed, 0);
}

static void wheel_cancel_and_rearm(void **state) {
    struct alarm a = {0}, b = {0};
    wheel_now = 1000 * MS;
    wheel_init(&wheel, wheel_now);
    timer_init(&a.t, on_alarm);
    timer_init(&b.t, on_alarm);
    timer_arm(&wheel, &a.t, a.due = wheel_now + 10 * MS);
    timer_arm(&wheel, &b.t, b.due = wheel_now + 10 * MS);
    timer_cancel(&wheel, &a.t);
    timer_cancel(&wheel, &a.t);
    timer_arm(&wheel, &b.t, b.due = wheel_now + 500 * MS);
    wheel_now += 100 * MS;
    wheel_run(&wheel, wheel_now);
    assert_int_equal(a.fired + b.fired, 0);
    wheel_now += 400 * MS;
    wheel_run(&wheel, wheel_now);
    assert_int_equal(b.fired, 1);
    assert_int_equal(wheel_next(&wheel), UINT64_MAX);
}

// ---- Checksums, hash, addresses ---------------------------------------------------------------------------
static uint16_t slow_sum(const uint8_t *p, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void checksum_of(const uint8_t *buf, size_t size) {
    for (size_t n = 0; n < size; n = n * 3 / 2 + 1)
        for (size_t start = 0; start < 9 && start + n <= size; start++) {
            uint16_t sum = csum(buf + start, n);
            uint8_t wire[2];
            memcpy(wire, &sum, 2);
            assert_int_equal(get16(wire), slow_sum(buf + start, n));
            size_t cut = n / 3;  // in two pieces, the second at an odd offset or not
            assert_int_equal(
                csum_finish(csum_add(csum_add(0, buf + start, cut, 0), buf + start + cut, n - cut, cut & 1)),
                sum);
        }
}

static void checksum(void **state) {
    // The example of RFC 1071 3.
    const uint8_t rfc[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    uint16_t sum = csum(rfc, 8);
    uint8_t wire[2];
    memcpy(wire, &sum, 2);
    assert_int_equal(get16(wire), 0x220d);
    static uint8_t buf[70000];
    for (size_t i = 0; i < sizeof buf; i++)
        buf[i] = (uint8_t)(i * 7 + (i >> 8) + 0xf0);
    checksum_of(buf, sizeof buf);
    memset(buf, 0xff, sizeof buf);  // each addition carries
    checksum_of(buf, sizeof buf);
}

static void checksum_update(void **state) {
    uint8_t buf[20] = {0x45, 0, 0, 60, 0x1c, 0x46, 0x40, 0, 64, 6, 0, 0, 172, 16, 10, 99, 172, 16, 10, 12};
    for (unsigned ttl = 0; ttl < 256; ttl++) {
        uint16_t was, is, before = csum(buf, 20);
        memcpy(&was, buf + 8, 2);
        buf[8] = (uint8_t)ttl;
        memcpy(&is, buf + 8, 2);
        assert_int_equal(csum_update(before, was, is), csum(buf, 20));
    }
}

static void siphash_vectors(void **state) {
    // From the paper (appendix A): key 00..0f, message 00..0e.
    struct siphash_key key;
    uint8_t bytes[16];
    for (unsigned i = 0; i < 16; i++)
        bytes[i] = (uint8_t)i;
    memcpy(&key, bytes, 16);
    assert_true(siphash(&key, bytes, 15) == 0xa129ca6149be45e5ull);
    assert_true(siphash(&key, bytes, 0) == 0x726fdb47dd0e0e31ull);
    assert_true(siphash(&key, bytes, 8) == 0x93f5f5799a932462ull);
    assert_true(siphash_slot(&key, bytes, 0) == 0xabac0158050fc4dcull);
}

static void address_text(void **state) {
    static const char *const good[][2] = {
        {"10.0.0.1", "10.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"fe80::1", "fe80::1"},
        {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
        {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
        {"1::", "1::"},
        {"1:0:0:2::", "1:0:0:2::"},
        {"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
    };
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "256.1.1.1",
                                      "1.2.3.x",
                                      "-1.2.3.4",
                                      ":",
                                      ":::",
                                      "1:2",
                                      "1::2::3",
                                      "12345::",
                                      "1:2:3:4:5:6:7:8:9",
                                      "g::",
                                      ":1:2:3:4:5:6:7",
                                      "1:2:3:4:5:6:7:"};
    struct ns_ip ip;
    char text[NS_IP_TEXT];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ns_ip_parse(good[i][0], &ip));
        assert_string_equal(ns_ip_text(&ip, text), good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ns_ip_parse(bad[i], &ip))
            fail_msg("parsed: %s", bad[i]);
}

static void address_kinds(void **state) {
    struct ns_ip a = ns_ip4(10, 1, 2, 3), net = ns_ip4(10, 1, 0, 0), six;
    assert_true(ip_in_prefix(&a, &net, 16));
    assert_false(ip_in_prefix(&a, &net, 23));
    assert_true(ip_in_prefix(&a, &net, 0));
    assert_true(ns_ip_parse("fe80::1", &six));
    assert_false(ip_in_prefix(&six, &net, 0));
    assert_true(ip_is_linklocal(&six));
    struct ns_ip s = ip_solicited(&six);
    char text[NS_IP_TEXT];
    assert_string_equal(ns_ip_text(&s, text), "ff02::1:ff00:1");
    assert_true(ip_is_multicast(&s));
}

// ---- Packets and byte queues ------------------------------------------------------------------------------
static uint64_t zero_clock(void *arg) { return 0; }
static void zero_random(void *arg, void *buf, size_t n) { memset(buf, 1, n); }

static struct netstack *new_stack(size_t budget) {
    struct netstack_config c = {zero_clock, zero_random, NULL, budget};
    struct netstack *ns = NULL;
    assert_int_equal(netstack_create(&c, &ns), 0);
    return ns;
}

// What is set is what is read; buffers are clamped as Linux does, anything else out of range is refused.
static void options(void **state) {
    struct netstack *ns = new_stack(0);
    struct ns_sock *s;
    int value;
    assert_int_equal(ns_socket(ns, NS_INET, NS_DGRAM, &s), 0);
    assert_int_equal(ns_get_option(s, NS_OPT_RCVBUF, &value), 0);
    assert_int_equal(value, 212992);
    assert_int_equal(ns_set_option(s, NS_OPT_RCVBUF, 1), 0);
    assert_int_equal(ns_get_option(s, NS_OPT_RCVBUF, &value), 0);
    assert_int_equal(value, 2048);
    assert_int_equal(ns_set_option(s, NS_OPT_SNDBUF, INT32_MAX), 0);
    assert_int_equal(ns_get_option(s, NS_OPT_SNDBUF, &value), 0);
    assert_int_equal(value, 64 << 20);
    assert_int_equal(ns_set_option(s, NS_OPT_TTL, 256), -LINUX_EINVAL);
    assert_int_equal(ns_set_option(s, NS_OPT_TCP_MAXSEG, 87), -LINUX_EINVAL);
    assert_int_equal(ns_set_option(s, NS_OPT_TCP_MAXSEG, 88), 0);
    assert_int_equal(ns_get_option(s, NS_OPT_TCP_MAXSEG, &value), 0);
    assert_int_equal(value, 88);
    assert_int_equal(ns_get_option(s, NS_OPT_COUNT, &value), -LINUX_ENOPROTOOPT);
    ns_close(s);
    netstack_destroy(ns);
}

static void enumeration(void **state) {
    struct netstack *ns = new_stack(0);
    struct ns_netif_info info;
    struct ns_route route = {.dst = ns_ip4(192, 168, 0, 0), .prefix = 16};
    assert_int_equal(netstack_netif_info(ns, 0, &info), 0);
    assert_string_equal(info.name, "lo");
    assert_true(info.naddrs == 2 && info.addrs[0].prefix == 8 && !info.addrs[1].tentative);
    assert_int_equal(netstack_netif_info(ns, 1, &info), -LINUX_ENODEV);
    assert_int_equal(netstack_add_route(ns, &route), -LINUX_EINVAL);
    route.nif = netstack_loopback(ns);
    assert_int_equal(netstack_add_route(ns, &route), 0);
    assert_int_equal(netstack_add_route(ns, &route), -LINUX_EEXIST);
    struct ns_route wider = {.dst = ns_ip4(192, 0, 0, 0), .prefix = 8, .nif = route.nif}, got;
    assert_int_equal(netstack_add_route(ns, &wider), 0);
    assert_int_equal(netstack_route_at(ns, 0, &got), 0);
    assert_int_equal(got.prefix, 16);  // the longest first
    assert_int_equal(netstack_route_at(ns, 1, &got), 0);
    assert_int_equal(netstack_route_at(ns, 2, &got), -LINUX_ENODEV);
    assert_int_equal(netstack_del_route(ns, &route), 0);
    assert_int_equal(netstack_del_route(ns, &route), -LINUX_ESRCH);
    netstack_destroy(ns);
}

static void packet_pull(void **state) {
    struct netstack *ns = new_stack(0);
    uint8_t data[600], out[600];
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)i;
    struct pkt *p = pkt_from(ns, data, sizeof data);
    assert_null(pkt_peek(p, 601));
    assert_null(pkt_peek(p, PKT_HEAD + 1));
    assert_memory_equal(pkt_peek(p, 20), data, 20);
    assert_memory_equal(pkt_pull(p, 14), data, 14);
    assert_memory_equal(pkt_pull(p, 100), data + 14, 100);
    assert_int_equal(p->len, 486);
    pkt_copy(p, 0, out, 486);
    assert_memory_equal(out, data + 114, 486);
    struct pkt *q = pkt_clone(p);
    pkt_trim(p, 10);
    pkt_skip(q, 480);
    assert_int_equal(p->len, 10);
    pkt_copy(q, 0, out, q->len);
    assert_memory_equal(out, data + 594, 6);
    pkt_free(p);
    pkt_free(q);
    pkt_free(NULL);
    netstack_destroy(ns);
}

// An IPv4 datagram of n bytes from 10.0.0.2 for port 7, at `at`.
static size_t datagram(uint8_t *at, uint16_t n) {
    const uint8_t head[28] = {0x45, 0, 0, 0, 0,  1, 0, 0, 64,   17,   0, 0,
                              10,   0, 0, 2, 10, 0, 0, 1, 0x13, 0x88, 0, 7};
    memcpy(at, head, sizeof head);
    put16(at + 2, (uint16_t)(28 + n));
    put16(at + 24, (uint16_t)(8 + n));
    uint16_t sum = csum_finish(csum_add(0, at, 20, 0));
    memcpy(at + 10, &sum, 2);
    for (unsigned i = 0; i < n; i++)
        at[28 + i] = (uint8_t)(i * 7);
    return 28 + (size_t)n;
}

static int no_transmit(void *arg, const struct ns_frame *frame) { return 0; }

// A long frame is handed over where it was read, a short one is copied and its memory used again.
static void frame_in_place(void **state) {
    enum { SIZE = 4096, SKIP = 10 };
    struct netstack *ns = new_stack(0);
    struct netif_config c = {.name = "t0", .kind = NETIF_IP, .mtu = 9000, .transmit = no_transmit};
    struct ns_ip ours = ns_ip4(10, 0, 0, 1);
    struct ns_addr any = {ns_ip4(0, 0, 0, 0), 7};
    struct netstack_usage before, after;
    struct ns_mem_io m;
    struct netif *nif;
    struct ns_sock *s;
    uint8_t got[SIZE], want[SIZE];
    assert_int_equal(netif_add(ns, &c, &nif), 0);
    assert_int_equal(netif_add_address(nif, &ours, 24), 0);
    assert_int_equal(ns_socket(ns, NS_INET, NS_DGRAM, &s), 0);
    assert_int_equal(ns_bind(s, &any), 0);
    netstack_usage(ns, &before);
    for (unsigned n = 100; n <= 3000; n += 2900) {
        uint8_t *room = netif_room(nif, 0, SIZE);
        assert_non_null(room);
        size_t len = datagram(room + SKIP, (uint16_t)n);
        memcpy(want, room + SKIP + 28, n);
        netif_input_batch(nif, &(struct ns_rx){room + SKIP, len, 0, 0}, 1);
        netstack_usage(ns, &after);
        assert_int_equal(after.buffers - before.buffers, n == 100 ? 2 : 1);
        uint8_t *next = netif_room(nif, 0, SIZE);
        assert_true((next == room) == (n == 100));
        memset(next, 0xee, SIZE);  // what waits for the reader is not touched
        assert_int_equal(ns_recv(s, ns_io_to(&m, got, sizeof got), 0, NULL), n);
        assert_memory_equal(got, want, n);
    }
    netif_input_batch(nif, &(struct ns_rx){got, 0, 0, 0}, 1);
    assert_int_equal(netstack_stat(ns, "link_drop_short"), 1);
    assert_null(netif_room(nif, 0, 1u << 20));
    assert_null(netif_room(nif, NS_NETIF_ROOMS, SIZE));
    ns_close(s);
    netif_remove(nif);
    netstack_usage(ns, &after);
    assert_true(after.buffers == 0 && after.packets == 0);
    netstack_destroy(ns);
}

static void packet_budget(void **state) {
    struct netstack *ns = new_stack(5000);
    uint8_t data[4000] = {0};
    struct pkt *p = pkt_from(ns, data, sizeof data);
    assert_non_null(p);
    assert_null(pkt_from(ns, data, sizeof data));
    pkt_free(p);
    p = pkt_from(ns, data, sizeof data);
    assert_non_null(p);
    pkt_free(p);
    netstack_destroy(ns);
}

static void check_queue(struct byteq *q, const uint8_t *want, uint32_t n) {
    static uint8_t out[100000];
    struct ns_mem_io m;
    assert_int_equal(q->len, n);
    assert_int_equal(byteq_copy(q, 0, ns_io_to(&m, out, sizeof out)), n);
    assert_memory_equal(out, want, n);
    if (n > 10) {
        assert_int_equal(byteq_copy(q, n / 2, ns_io_to(&m, out, sizeof out)), n - n / 2);
        assert_memory_equal(out, want + n / 2, n - n / 2);
    }
}

// Random fills, appends and drops against a flat buffer.
static void byte_queue(void **state) {
    static uint8_t data[200000];
    struct netstack *ns = new_stack(0);
    struct byteq q;
    struct ns_mem_io m;
    uint32_t head = 0, tail = 0, seed = 9;
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 5 + (i >> 7));
    byteq_init(&q);
    while (tail < sizeof data - 3000) {
        seed = seed * 1664525 + 1013904223;
        uint32_t n = (seed >> 8) % 3000;
        if (seed >> 30 == 0 && q.len) {
            n = n < q.len ? n : q.len;
            byteq_drop(&q, n);
            head += n;
        } else if (seed >> 30 == 1 && n > 0) {
            struct pkt *p = pkt_from(ns, data + tail, n);
            pkt_peek(p, n < 40 ? n : 40);
            assert_int_equal(byteq_append(&q, p), n);
            tail += n;
        } else {
            assert_int_equal(byteq_fill(ns, &q, ns_io_from(&m, data + tail, n), 2500), n < 2500 ? n : 2500);
            tail += n < 2500 ? n : 2500;
        }
        if (seed >> 24 == 77 || tail % 64 == 0)
            check_queue(&q, data + head, tail - head < 100000 ? tail - head : q.len);
        if (q.len > 60000) {
            byteq_drop(&q, 50000);
            head += 50000;
        }
    }
    check_queue(&q, data + head, tail - head);
    byteq_clear(&q);
    netstack_destroy(ns);
}

// One byte at a time costs little more than the bytes.
static void byte_queue_small(void **state) {
    struct netstack *ns = new_stack(0);
    struct byteq q;
    byteq_init(&q);
    for (unsigned i = 0; i < 10000; i++) {
        struct pkt *p = pkt_from(ns, "x", 1);
        assert_int_equal(byteq_append(&q, p), 1);
    }
    assert_true(q.weight <= 2 * q.len + 4096);
    byteq_clear(&q);
    netstack_destroy(ns);
}

// ---- TCP options, capture files ---------------------------------------------------------------------------
static void tcp_option_round(void **state) {
    uint8_t o[40];
    struct tcp_options in = {.mss = 1460,
                             .has_ts = true,
                             .tsval = 0x01020304,
                             .tsecr = 0x05060708,
                             .sack_ok = true,
                             .has_wscale = true,
                             .wscale = 7},
                       out;
    uint32_t n = tcp_put_options(o, &in);
    assert_int_equal(n, 20);
    assert_true(tcp_parse_options(o, n, &out));
    assert_true(out.mss == 1460 && out.has_ts && out.tsval == in.tsval && out.tsecr == in.tsecr &&
                out.sack_ok && out.has_wscale && out.wscale == 7);
    in = (struct tcp_options){.has_ts = true, .nsacks = 3, .sacks = {{1, 2}, {3, 4}, {5, 6}}};
    n = tcp_put_options(o, &in);
    assert_int_equal(n, 40);
    assert_true(tcp_parse_options(o, n, &out) && out.nsacks == 3 && out.sacks[2].end == 6);
    // Whatever the bytes are, nothing beyond them is read (a sanitizer would tell).
    uint32_t seed = 3;
    for (unsigned i = 0; i < 100000; i++) {
        n = seed % 41;
        uint8_t *exact = malloc(n ? n : 1);
        for (uint32_t j = 0; j < n; j++) {
            seed = seed * 1664525 + 1013904223;
            exact[j] = (uint8_t)(seed >> 24 < 100 ? (seed >> 16) % 10 : seed >> 20);
        }
        tcp_parse_options(exact, n, &out);
        assert_true(out.nsacks <= TCP_MAX_SACK && out.wscale <= TCP_MAX_WSCALE);
        free(exact);
        seed++;
    }
}

static void capture(void **state) {
    uint8_t buf[PCAPNG_HEAD + PCAPNG_BLOCK(5)];
    assert_int_equal(pcapng_head(buf, PCAPNG_ETHERNET), PCAPNG_HEAD);
    assert_int_equal(pcapng_frame(buf + PCAPNG_HEAD, 1234567890123456789ull, "hello", 5, 9), PCAPNG_BLOCK(5));
    uint32_t v;
    memcpy(&v, buf + PCAPNG_HEAD + 4, 4);
    assert_int_equal(v, PCAPNG_BLOCK(5));
    memcpy(&v, buf + PCAPNG_HEAD + v - 4, 4);
    assert_int_equal(v, PCAPNG_BLOCK(5));
    assert_memory_equal(buf + PCAPNG_HEAD + 28, "hello\0\0\0", 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wheel_order),      cmocka_unit_test(wheel_cancel_and_rearm),
        cmocka_unit_test(checksum),         cmocka_unit_test(checksum_update),
        cmocka_unit_test(siphash_vectors),  cmocka_unit_test(address_text),
        cmocka_unit_test(address_kinds),    cmocka_unit_test(packet_pull),
        cmocka_unit_test(enumeration),      cmocka_unit_test(packet_budget),
        cmocka_unit_test(byte_queue),       cmocka_unit_test(byte_queue_small),
        cmocka_unit_test(tcp_option_round), cmocka_unit_test(capture),
        cmocka_unit_test(frame_in_place),   cmocka_unit_test(options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
