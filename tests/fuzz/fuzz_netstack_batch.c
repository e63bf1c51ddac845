// SPDX-License-Identifier: Apache-2.0
// Frames that come in together (GRO, frames that the link has joined, frames in memory of netif_room()): two
// connections get the same frames twice, one by one in one stack and in batches in another. What must hold:
// the readers get the peer's bytes, as many both times, the same frames are counted, and the last ACKs are
// the same.
//
// The first byte: link, family, timestamps. Then four bytes a frame: where it begins, how long it is, what is
// different about it, what is wrong with it.
#include "abi/errno.h"
#include "netstack/prot/tcp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

#define BATCH     16
#define PORT      5000  // of the peer, and the one behind it
#define FIRST     1001u  // the peer's first byte
#define MOST      1800   // bytes in a frame
#define ALL_BYTES 60000u // within the first window, so that it is not seen when ACKs went

static const uint8_t us4[4] = {10, 0, 0, 1}, peer4[4] = {10, 0, 0, 2};
static const uint8_t us6[16] = {0xfd, [15] = 1}, peer6[16] = {0xfd, [15] = 2};

struct conn {
    struct ns_sock *sock;
    uint32_t ours, acked;  // the stack's next number, its last ACK
    uint32_t next, stamp;  // the peer's next byte, its clock
    uint32_t sent;         // bytes, up to the last one; over: a FIN is behind it, and nothing more
    bool over;
    uint32_t read;
    int end;  // -1: of the peer's bytes; below: of an error
};
struct outcome {
    struct conn conns[2];
    uint64_t frames;
};
static struct {
    bool ether, six, stamps, together;
    struct conn conns[2];  // by the peer's port
    struct ns_rx rx[BATCH];
    void *own[BATCH];
    unsigned n;
} k;

static uint8_t byte_at(uint32_t seq) {
    return (uint8_t)(seq * 2654435761u >> 24);
}

static void see(const uint8_t *f, size_t n) {
    size_t l3 = k.ether ? ETH_LEN : 0, l4 = l3 + (k.six ? IP6_LEN : IP4_LEN);
    if (n < l4 + TCP_LEN || f[l3 + (k.six ? IP6_NEXT : IP4_PROTO)] != PROTO_TCP)
        return;
    unsigned i = get16(f + l4 + TCP_DPORT) - PORT;
    if (i > 1)
        return;
    if (f[l4 + TCP_FLAGS] & TCP_SYN)
        k.conns[i].ours = get32(f + l4 + TCP_SEQ) + 1;
    if (!(f[l4 + TCP_FLAGS] & TCP_RST))
        k.conns[i].acked = get32(f + l4 + TCP_ACKNO);
}

// The peer's address becomes known: it asks for ours.
static void introduce(void) {
    if (!k.ether)
        return;
    if (k.six) {
        uint8_t m[32] = {[ICMP_TYPE] = 135, [24] = 1, 1, 2, [31] = 2};
        memcpy(m + 8, us6, 16);
        frame6(peer6, us6, PROTO_ICMP6, 255, 0, PROTO_ICMP6, m, sizeof m, false);
    } else {
        uint8_t m[ARP_LEN] = {0, 1, 8, 0, 6, 4, 0, 1, 2, [13] = 2};
        memcpy(m + 14, peer4, 4);
        memcpy(m + 24, us4, 4);
        ethernet(ETH_TYPE_ARP);
        put(m, sizeof m);
    }
    fuzz_frame();
}

// A segment of `len` bytes in frame[].
static void segment(const struct conn *c, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len,
                    const uint8_t *what) {
    uint8_t h[TCP_MAX_LEN + MOST] = {0};
    size_t n = TCP_LEN;
    if (flags & TCP_SYN) {
        const uint8_t mss[8] = {TCP_OPT_MSS, 4, 0x05, 0xb4, TCP_OPT_NOP, TCP_OPT_WSCALE, 3, 7};
        memcpy(h + n, mss, sizeof mss);
        n += sizeof mss;
    }
    if (c->stamp) {
        const uint8_t head[4] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_TS, 10};
        memcpy(h + n, head, sizeof head);
        put32(h + n + 4, c->stamp);
        n += TCP_TS_SPACE;
    }
    put16(h + TCP_SPORT, (uint16_t)(PORT + (c - k.conns)));
    put16(h + TCP_DPORT, 80);
    put32(h + TCP_SEQ, seq);
    put32(h + TCP_ACKNO, ack);
    h[TCP_OFF] = (uint8_t)(n / 4 << 4);
    h[TCP_FLAGS] = flags;
    put16(h + TCP_WIN, what && what[2] & 8 ? 1000 : 65535);
    for (uint32_t i = 0; i < len; i++)
        h[n + i] = byte_at(seq + i);
    if (k.six)
        frame6(peer6, us6, PROTO_TCP, what && what[2] & 4 ? 9 : 64, 0, PROTO_TCP, h, n + len, false);
    else
        frame4(peer4, us4, PROTO_TCP, what ? what[2] : 0, what && what[2] & 4 ? 0 : 0x4000, NULL, 0, h,
               n + len, false);
}

// The first n bytes of frame[] wait for the batch's end, in memory of their size or in the interface's.
static void give(size_t n, unsigned flags, uint16_t gso_size, bool in_room) {
    size_t skip = k.ether ? 0 : ETH_LEN, len = n > skip ? n - skip : 0;
    uint8_t *at = malloc(len ? len : 1),
            *room = in_room && k.together ? netif_room(net.nif, k.n, MOST + 100) : NULL;
    CHECK(at);
    if (len)
        memcpy(room ? room : at, frame + skip, len);
    k.own[k.n] = at;
    k.rx[k.n++] = (struct ns_rx){room ? room : at, len, flags, gso_size};
}

static void end_batch(void) {
    for (unsigned i = 0; i < k.n && !k.together; i++)
        netif_input_batch(net.nif, &k.rx[i], 1);
    if (k.together)
        netif_input_batch(net.nif, k.rx, k.n);
    while (k.n)
        free(k.own[--k.n]);
}

// What the reader has got goes on where it stopped, and is the peer's.
static void read_all(struct conn *c) {
    static uint8_t buf[ALL_BYTES];
    struct ns_mem_io m;
    int64_t got;
    while ((got = ns_recv(c->sock, ns_io_to(&m, buf, sizeof buf), 0, NULL)) > 0)
        for (int64_t i = 0; i < got; i++)
            CHECK(buf[i] == byte_at(FIRST + c->read++));
    if (got != -LINUX_EAGAIN)
        c->end = c->end ? c->end : (int)got - 1;
}

static uint8_t odd_flags(uint8_t what, bool may_end) {
    if (what & 1 && may_end)
        return TCP_FIN;
    if (what & 2)
        return TCP_URG;
    return what & 4 ? TCP_RST : TCP_ECE | TCP_CWR;
}

// p: where, how long, what is different, what is wrong.
static void one(const uint8_t *p) {
    static const int steps[8] = {0, 0, 0, 0, 0, 1400, -100, -1400};
    struct conn *c = &k.conns[p[2] >> 5 & 1];
    uint32_t seq = c->next + (uint32_t)steps[p[0] & 7], len = p[1] * (p[3] & 1 ? 7u : 5u),
             end = seq - FIRST + len;
    uint8_t flags = TCP_ACK | (p[2] & 1 ? TCP_PSH : 0);
    if (p[3] >> 4 == 15)
        flags |= odd_flags(p[1], !c->over && end >= c->sent);
    if (seq - FIRST > ALL_BYTES - MOST || (c->over && end > c->sent))
        return;
    c->sent = end > c->sent ? end : c->sent;
    c->over = c->over || flags & TCP_FIN;
    c->stamp += k.stamps ? p[2] >> 1 & 1 : 0;
    segment(c, flags, seq, p[2] & 0x10 ? c->ours - 1 : c->ours, len, p);
    if ((p[0] & 7) < 5)
        c->next += len;
    size_t n = frame_len, l4 = ETH_LEN + (k.six ? IP6_LEN : IP4_LEN);
    switch (p[3] >> 4) {
    case 1:
        frame[l4 + TCP_CSUM] ^= p[2] | 1;
        break;
    case 2:
        frame[ETH_LEN + p[2] % (l4 - ETH_LEN)] ^= p[1] | 1;
        break;
    case 3:
        n = n > p[1] ? n - p[1] : 0;
        break;
    case 4:  // what a short Ethernet frame is filled up with
        put((const uint8_t[8]){1, 2, 3}, 8);
        n = frame_len;
        break;
    }
    give(n, p[3] & 2 ? NS_CSUM_GOOD : 0, p[3] & 4 ? (uint16_t)(p[2] * 7) : 0, p[3] & 8);
}

static void connect_peer(struct conn *c, struct ns_sock *listener) {
    c->next = FIRST;
    c->stamp = k.stamps ? 1000 : 0;
    segment(c, TCP_SYN, FIRST - 1, 0, 0, NULL);
    give(frame_len, 0, 0, false);
    end_batch();
    segment(c, TCP_ACK, FIRST, c->ours, 0, NULL);
    give(frame_len, 0, 0, false);
    end_batch();
    CHECK(ns_accept(listener, &c->sock) == 0);
}

static struct outcome run(const uint8_t *data, size_t n, bool together) {
    struct ns_addr any = {.port = 80};
    struct ns_sock *listener;
    memset(&k, 0, sizeof k);
    k.together = together;
    k.ether = n && data[0] & 1;
    k.six = n && data[0] & 2;
    k.stamps = n && data[0] & 4;
    fuzz_open(k.ether ? NETIF_ETHER : NETIF_IP, NETIF_NO_DAD);
    net.seen = see;
    // sooner than the peer would have to answer for its address (RFC 4861 10)
    uint64_t end = net.now + 3000000000;
    CHECK(ns_socket(net.ns, NS_INET6, NS_STREAM, &listener) == 0 && ns_bind(listener, &any) == 0);
    CHECK(ns_listen(listener, 2) == 0);
    introduce();
    connect_peer(&k.conns[0], listener);
    connect_peer(&k.conns[1], listener);
    for (size_t at = 1; at + 4 <= n; at += 4) {
        one(data + at);
        if (k.n < BATCH && data[at] & 8)
            continue;
        end_batch();
        read_all(&k.conns[0]);
        read_all(&k.conns[1]);
        uint64_t wait = (data[at] >> 4) * 20000000ull;
        if (net.now + wait < end)
            fuzz_advance(wait);
    }
    end_batch();
    read_all(&k.conns[0]);
    read_all(&k.conns[1]);
    fuzz_advance(1000000000);
    struct outcome o = {{k.conns[0], k.conns[1]}, netstack_stat(net.ns, "link_in")};
    ns_close(k.conns[0].sock);
    ns_close(k.conns[1].sock);
    ns_close(listener);
    fuzz_close();
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct outcome one_by_one = run(data, n, false), in_batches = run(data, n, true);
    CHECK(one_by_one.frames == in_batches.frames);
    for (unsigned i = 0; i < 2; i++) {
        const struct conn *a = &one_by_one.conns[i], *b = &in_batches.conns[i];
        CHECK(a->read == b->read && a->end == b->end);
        CHECK(a->acked == b->acked || a->end < -1);  // a reset: what was owed is not sent
    }
    return 0;
}
