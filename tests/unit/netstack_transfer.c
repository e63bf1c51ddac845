// SPDX-License-Identifier: Apache-2.0
// TCP over a bad wire, in virtual time: whatever the wire does, the bytes arrive whole and in order, in a
// time that says that recovery works, and nothing is left. The wires are those of the issue: loss,
// reordering, duplication, corruption, several MTUs, a black hole.
#include "abi/errno.h"
#include "tests/unit/netstack_sim.h"

#define SEC 1000000000ull
#define MS  1000000ull

struct transfer {
    struct ns_sock *from, *to;
    uint32_t total, sent, received;
};

static uint8_t pattern(uint32_t at) { return (uint8_t)(at * 31 + (at >> 9) + 5); }

// The same bytes by way of pieces of the stack's memory, of which the last is not always filled.
static int64_t send_pieces(struct ns_sock *s, const uint8_t *from, size_t n) {
    struct ns_pieces p;
    int err = ns_room(s, n, &p);
    if (err < 0)
        return err;
    assert_true(p.n > 0 && p.n <= NS_PIECES && p.len <= n);
    size_t done = 0, all = p.len > 3 ? p.len - 3 : p.len;
    for (unsigned i = 0; i < p.n && done < all; i++) {
        size_t k = p.iov[i].len < all - done ? p.iov[i].len : all - done;
        memcpy(p.iov[i].base, from + done, k);
        done += k;
    }
    return ns_send_pieces(s, &p, all, 0);
}
static int64_t recv_pieces(struct ns_sock *s, uint8_t *to, size_t n) {
    struct ns_pieces p;
    int64_t got = ns_look(s, n, &p);
    if (got <= 0)
        return got;
    assert_true(p.len == (size_t)got && p.len <= n);
    size_t done = 0;
    for (unsigned i = 0; i < p.n; done += p.iov[i++].len)
        memcpy(to + done, p.iov[i].base, p.iov[i].len);
    size_t taken = done > 5 ? done - 5 : done;  // the rest comes again
    ns_take(s, &p, taken);
    return (int64_t)taken;
}

static void pump_out(struct transfer *t) {
    static uint8_t buf[16384];
    struct ns_mem_io m;
    while (t->sent < t->total) {
        uint32_t n = t->total - t->sent < sizeof buf ? t->total - t->sent : (uint32_t)sizeof buf;
        for (uint32_t i = 0; i < n; i++)
            buf[i] = pattern(t->sent + i);
        bool pieces = t->sent / 7 % 2;
        int64_t got =
            pieces ? send_pieces(t->from, buf, n) : ns_send(t->from, ns_io_from(&m, buf, n), 0, NULL);
        if (got == -LINUX_EAGAIN)
            return;
        assert_true(got > 0);
        t->sent += (uint32_t)got;
    }
}

static void pump_in(struct transfer *t) {
    static uint8_t buf[65536];
    struct ns_mem_io m;
    for (;;) {
        bool pieces = t->received / 5 % 2;
        int64_t got = pieces ? recv_pieces(t->to, buf, sizeof buf)
                             : ns_recv(t->to, ns_io_to(&m, buf, sizeof buf), 0, NULL);
        if (got == -LINUX_EAGAIN)
            return;
        if (got <= 0)
            fail_msg("after %u of %u bytes: %lld", t->received, t->total, (long long)got);
        for (int64_t i = 0; i < got; i++)
            if (buf[i] != pattern(t->received + (uint32_t)i))
                fail_msg("byte %lld is wrong", (long long)t->received + i);
        t->received += (uint32_t)got;
        if (t->received == t->total)
            return;
    }
}

static void open_connection(struct sim *s, bool six, struct ns_sock **client, struct ns_sock **server) {
    struct ns_sock *l;
    struct ns_addr a = {six ? s->ip6[1] : s->ip4[1], 80};
    enum ns_family family = six ? NS_INET6 : NS_INET;
    assert_int_equal(ns_socket(s->ns[1], family, NS_STREAM, &l), 0);
    assert_int_equal(ns_bind(l, &a), 0);
    assert_int_equal(ns_listen(l, 5), 0);
    assert_int_equal(ns_socket(s->ns[0], family, NS_STREAM, client), 0);
    assert_int_equal(ns_connect(*client, &a), -LINUX_EINPROGRESS);
    uint64_t until = s->now + 120 * SEC;
    while (ns_accept(l, server) < 0)
        assert_true(sim_step(s, until));
    while (!(ns_ready(*client) & NS_OUT))
        assert_true(sim_step(s, until));
    ns_close(l);
}

static void finish(struct sim *s, struct ns_sock *a, struct ns_sock *b) {
    ns_close(a);
    sim_run(s, 5 * SEC);
    ns_close(b);
    sim_close(s);
}

// Moves `bytes` each way at the same time; virtual ms that it took.
static uint64_t run(struct ns_pair_config *link, uint32_t mtu, bool six, uint32_t bytes, int congestion,
                    uint64_t limit) {
    struct sim s;
    struct ns_sock *a, *b;
    sim_open(&s, link, mtu, 0);
    open_connection(&s, six, &a, &b);
    ns_set_option(a, NS_OPT_TCP_CONGESTION, congestion);
    struct transfer there = {a, b, bytes, 0, 0}, back = {b, a, bytes / 4, 0, 0};
    uint64_t start = s.now, until = s.now + limit * SEC;
    while (there.received < there.total || back.received < back.total) {
        pump_out(&there);
        pump_out(&back);
        if (!sim_step(&s, until))
            fail_msg("stuck: %u of %u and %u of %u bytes", there.received, there.total, back.received,
                     back.total);
        pump_in(&there);
        pump_in(&back);
    }
    uint64_t took = (s.now - start) / MS;
    finish(&s, a, b);
    return took;
}

static void clean_wire(void **state) {
    struct ns_pair_config link = {.delay = 5 * MS, .rate = 12500000};
    uint64_t ms = run(&link, 1500, false, 5000000, NS_CUBIC, 60);
    assert_in_range(ms, 400, 700);  // 5 MB at 12.5 MB/s are 400 ms and the slow start
    ms = run(&link, 1500, true, 5000000, NS_CUBIC, 60);
    assert_in_range(ms, 400, 700);
}

// Slow start sees the queue grow and ends without a loss to tell it so (RFC 9406).
static void slow_start_ends_in_time(void **state) {
    struct ns_pair_config link = {.delay = 20 * MS, .rate = 12500000, .queue = 4000000};
    struct sim s;
    struct ns_sock *a, *b;
    struct ns_tcp_info info;
    sim_open(&s, &link, 1500, 0);
    open_connection(&s, false, &a, &b);
    struct transfer t = {a, b, 16000000, 0, 0};
    uint64_t start = s.now, until = s.now + 60 * SEC;
    while (t.received < t.total) {
        pump_out(&t);
        assert_true(sim_step(&s, until));
        pump_in(&t);
    }
    ns_tcp_info(a, &info);
    assert_int_equal(info.retransmits, 0);
    assert_true(info.ssthresh < 1u << 30);
    assert_in_range((s.now - start) / MS, 1280, 2000);
    finish(&s, a, b);
}

static void small_mtus(void **state) {
    const uint32_t mtus[] = {576, 1280, 1500, 9000};
    for (unsigned i = 0; i < 4; i++) {
        struct ns_pair_config link = {.delay = 10 * MS, .loss = 10000};
        run(&link, mtus[i], false, 2000000, NS_CUBIC, 120);
        if (mtus[i] >= 1280)
            run(&link, mtus[i], true, 2000000, NS_CUBIC, 120);
    }
}

static void loss(void **state) {
    const uint32_t ppm[] = {1000, 10000, 50000, 150000};
    for (unsigned i = 0; i < 4; i++)
        for (int congestion = NS_CUBIC; congestion <= NS_RENO; congestion++) {
            struct ns_pair_config link = {.delay = 10 * MS, .loss = ppm[i], .seed = 11 + i};
            run(&link, 1500, i & 1, 1000000, congestion, 600);
        }
}

static void reordering(void **state) {
    struct ns_pair_config link = {
        .delay = 20 * MS, .reorder = 250000, .reorder_delay = 3 * MS, .rate = 12500000};
    uint64_t ms = run(&link, 1500, false, 5000000, NS_CUBIC, 60);
    assert_in_range(ms, 400, 1500);  // reordering is no loss: it does not cost the window
}

static void duplication(void **state) {
    struct ns_pair_config link = {.delay = 10 * MS, .dup = 100000, .rate = 12500000};
    uint64_t ms = run(&link, 1500, false, 5000000, NS_CUBIC, 60);
    assert_in_range(ms, 400, 1000);
}

static void corruption(void **state) {
    struct ns_pair_config link = {.delay = 10 * MS, .corrupt = 20000};
    run(&link, 1500, false, 2000000, NS_CUBIC, 120);
    run(&link, 1500, true, 2000000, NS_CUBIC, 120);
}

static void everything(void **state) {
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct ns_pair_config link = {.delay = 25 * MS,
                                      .jitter = 5 * MS,
                                      .loss = 20000,
                                      .dup = 20000,
                                      .corrupt = 10000,
                                      .reorder = 100000,
                                      .reorder_delay = 15 * MS,
                                      .rate = 2000000,
                                      .queue = 60000,
                                      .seed = seed};
        run(&link, 1500, seed & 1, 1000000, seed & 2 ? NS_RENO : NS_CUBIC, 300);
    }
}

static void black_hole(void **state) {
    struct ns_pair_config link = {.delay = 5 * MS, .blackhole = 1014};
    run(&link, 1500, false, 500000, NS_CUBIC, 120);
}

static void shallow_queue(void **state) {
    struct ns_pair_config link = {.delay = 20 * MS, .rate = 1250000, .queue = 30000};
    uint64_t ms = run(&link, 1500, false, 5000000, NS_CUBIC, 120);
    // 5 MB at 1.25 MB/s are 4 s: losses of the queue's making cost at most this
    assert_in_range(ms, 4000, 7000);
}

// Receivers that do not read for a while: the window closes and opens.
static void slow_reader(void **state) {
    struct ns_pair_config link = {.delay = MS, .loss = 10000};
    struct sim s;
    struct ns_sock *a, *b;
    sim_open(&s, &link, 1500, 0);
    open_connection(&s, false, &a, &b);
    struct transfer t = {a, b, 3000000, 0, 0};
    while (t.received < t.total) {
        pump_out(&t);
        sim_run(&s, 3 * SEC);
        pump_in(&t);
        assert_true(s.now < 600 * SEC);
    }
    finish(&s, a, b);
}

// A budget that is too small for both directions' buffers: slow, but whole.
static void small_budget(void **state) {
    struct ns_pair_config link = {.delay = 5 * MS, .loss = 5000};
    struct sim s;
    struct ns_sock *a, *b;
    sim_open(&s, &link, 1500, 200000);
    open_connection(&s, false, &a, &b);
    struct transfer t = {a, b, 500000, 0, 0};
    uint64_t until = s.now + 600 * SEC;
    while (t.received < t.total) {
        pump_out(&t);
        assert_true(sim_step(&s, until));
        pump_in(&t);
    }
    finish(&s, a, b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_wire),    cmocka_unit_test(small_mtus),
        cmocka_unit_test(loss),          cmocka_unit_test(reordering),
        cmocka_unit_test(duplication),   cmocka_unit_test(corruption),
        cmocka_unit_test(everything),    cmocka_unit_test(black_hole),
        cmocka_unit_test(shallow_queue), cmocka_unit_test(slow_reader),
        cmocka_unit_test(small_budget),  cmocka_unit_test(slow_start_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
