// SPDX-License-Identifier: Apache-2.0
// UDP sockets between a hostile peer and a careless user: datagrams of any length, with right, wrong and no
// checksums, from and to any port; ICMP errors about what was sent; sockets that bind, connect, change, look,
// cut and close. Eight bytes an action. Beside what fuzz_close() demands: what is read was sent, whole and to
// that socket; a datagram whose checksum is wrong never is; a look and a read agree; what goes out is right;
// only a connected socket hears of errors.
#include "abi/errno.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/netstack_frame.h"

#define SOCKS 4
#define BAD   0x4000u // the source port's upper bits: nobody may ever see this datagram

static const uint8_t us4[4] = {10, 0, 0, 1}, peer4[4] = {10, 0, 0, 2};
static const uint8_t us6[16] = {0xfd, [15] = 1}, peer6[16] = {0xfd, [15] = 2};
static struct ns_sock *socks[SOCKS]; // IPv4 and IPv6 in turn; an IPv6 one may have both
static uint8_t last[2][128];         // the head of the last packet of each family
static size_t last_len[2];

// The bytes of a datagram follow from the port that it came from.
static uint8_t pattern(uint16_t port, size_t i) {
    return (uint8_t)(i * 7 + (i >> 8) + port);
}

static bool csum_right(const uint8_t *f, size_t head, size_t n) {
    uint8_t tail[4] = {0, PROTO_UDP, (uint8_t)((n - head) >> 8), (uint8_t)(n - head)};
    size_t src = head == IP6_LEN ? IP6_SRC : IP4_SRC, len = head == IP6_LEN ? 32 : 8;
    uint64_t sum = csum_add(csum_add(0, f + src, len, 0), tail, sizeof tail, 0);
    return csum_finish(csum_add(sum, f + head, n - head, 0)) == 0;
}

// What the stack sends: RFC 768, RFC 8200 8.1. Pieces of a datagram are the other fuzzer's.
static void see(const uint8_t *f, size_t n) {
    bool six = f[0] >> 4 == 6;
    size_t head = six ? IP6_LEN : IP4_LEN;
    CHECK(n >= head && n <= 1500);
    if (f[six ? IP6_NEXT : IP4_PROTO] != PROTO_UDP)
        return;
    last_len[six] = n < sizeof last[six] ? n : sizeof last[six];
    memcpy(last[six], f, last_len[six]);
    if (!six && (get16(f + IP4_FRAG) & (IP4_MF | IP4_OFFSET)))
        return;
    const uint8_t *h = f + head;
    CHECK(n >= head + UDP_LEN && get16(h + UDP_TOTAL) == n - head);
    CHECK(get16(h + UDP_SPORT) && get16(h + UDP_DPORT));
    CHECK(get16(h + UDP_CSUM) != 0 && csum_right(f, head, n));
}

static struct ns_ip host(bool six, uint8_t which) {
    struct ns_ip ip = ns_ip4(10, 0, 0, which & 3 ? 2 : which >> 2 & 15);
    if ((which & 0xf0) == 0xf0)
        ip = which & 8 ? ns_ip4(224, 0, 0, 1) : ns_ip4(10, 0, 0, 255);
    if (six) {
        memcpy(ip.b, which & 3 ? peer6 : us6, 16);
        if ((which & 0xf0) == 0xf0)
            memcpy(ip.b, (const uint8_t[16]){0xff, 2, [15] = 1}, 16);
    }
    return ip;
}

// ---- In ---------------------------------------------------------------------------------------
// p: family and destination, source port, destination port, length (2), what is wrong, how much.
static void datagram(const uint8_t *p) {
    uint8_t body[UDP_LEN + 1400];
    bool six = p[0] & 0x80, none = p[6] & 1, wrong = p[6] & 2;
    struct ns_ip to = p[0] & 0x40 ? host(six, p[7]) : (struct ns_ip){{0}};
    size_t data = get16(p + 4) % 1401, n = UDP_LEN + data;
    uint16_t port = (uint16_t)(1 + p[1] % 16), total = (uint16_t)n;
    if (wrong || (none && six))
        port |= BAD;
    if (p[6] & 4)
        total = p[6] & 8 ? (uint16_t)(n + p[7]) : (uint16_t)(n - p[7] % n); // more than is there, or less
    put16(body + UDP_SPORT, p[6] & 0x10 ? 0 : port);
    put16(body + UDP_DPORT, p[6] & 0x20 ? 0 : 53 + p[2] % 4);
    put16(body + UDP_TOTAL, total);
    for (size_t i = 0; i < data; i++)
        body[UDP_LEN + i] = pattern(port, i);
    // The checksum is of what the datagram says it has; the rest of the packet is padding.
    size_t sure = total >= UDP_LEN && total < n ? total : n;
    for (unsigned padded = 0; padded < 2; padded++) {
        size_t take = padded ? n : sure;
        if (six)
            frame6(peer6, p[0] & 0x40 ? to.b : us6, PROTO_UDP, 64, 0, PROTO_UDP, body, take, padded);
        else
            frame4(peer4, p[0] & 0x40 ? to.b + 12 : us4, PROTO_UDP, 0, 0, NULL, 0, body, take, padded);
        uint8_t *h = frame + ETH_LEN + (six ? IP6_LEN : IP4_LEN);
        memcpy(body + UDP_CSUM, h + UDP_CSUM, 2);
    }
    uint8_t *h = frame + ETH_LEN + (six ? IP6_LEN : IP4_LEN);
    uint16_t sum = get16(h + UDP_CSUM);
    if (sum == 0)
        sum = 0xffff;
    if (wrong)
        sum ^= sum == 0x0101 ? 0x0202 : 0x0101;
    put16(h + UDP_CSUM, none ? 0 : sum);
    if (!(none && wrong && !six)) // of IPv4, none is never wrong
        fuzz_packet();
}

static void error(const uint8_t *p) {
    bool six = p[0] & 0x80;
    uint8_t m[ICMP_LEN + sizeof last[0]];
    size_t n = quoting_error(p, last[six], last_len[six], m);
    if (six)
        frame6(peer6, us6, PROTO_ICMP6, 64, 0, PROTO_ICMP6, m, n, false);
    else
        frame4(peer4, us4, PROTO_ICMP, 0, 0, NULL, 0, m, n, false);
    fuzz_packet();
}

// ---- The user ---------------------------------------------------------------------------------
static bool same(const struct ns_addr *a, const struct ns_addr *b) {
    return memcmp(&a->ip, &b->ip, sizeof a->ip) == 0 && a->port == b->port && a->scope == b->scope;
}

// One datagram: first looked at, then read into `room` bytes. False: there is none.
static bool receive(struct ns_sock *s, size_t room, unsigned flags) {
    static uint8_t seen[2048], got[2048];
    struct ns_mem_io m;
    struct ns_addr from = {.port = 0}, peer, again;
    size_t in, out;
    room = room < sizeof got ? room : sizeof got;
    ns_take_error(s);
    ns_queued(s, &in, &out);
    int64_t n = ns_recv(s, ns_io_to(&m, seen, sizeof seen), NS_MSG_PEEK | NS_MSG_TRUNC, &from);
    CHECK(n < 0 ? n == -LINUX_EAGAIN && in == 0 : (size_t)n == in);
    int64_t all = ns_recv(s, ns_io_to(&m, got, room), flags | NS_MSG_TRUNC, &again);
    CHECK(n == all);
    if (n < 0 || !from.port) // nothing, or of a datagram without a port; or the socket was shut down
        return n > 0 && !(flags & NS_MSG_PEEK);
    CHECK((from.port & 0xf000) != BAD && same(&from, &again));
    size_t copied = (size_t)n < room ? (size_t)n : room;
    CHECK(memcmp(seen, got, copied) == 0);
    for (size_t i = 0; i < (size_t)n && i < sizeof seen; i++)
        CHECK(seen[i] == pattern(from.port, i));
    if (ns_peer(s, &peer) == 0)
        CHECK(same(&peer, &from));
    return !(flags & NS_MSG_PEEK);
}

// Empty, and without an error of before.
static void drain(struct ns_sock *s) {
    uint8_t none[1];
    struct ns_mem_io m;
    ns_take_error(s);
    for (unsigned i = 0; i < 1000 && ns_recv(s, ns_io_to(&m, none, 0), 0, NULL) >= 0; i++)
        ;
    CHECK(ns_take_error(s) == 0);
}

static void open_sock(unsigned i) {
    CHECK(ns_socket(net.ns, i & 1 ? NS_INET6 : NS_INET, NS_DGRAM, &socks[i]) == 0);
    struct ns_addr at = {.port = (uint16_t)(53 + i)};
    if (!(i & 1))
        at.ip = ns_ip4(0, 0, 0, 0);
    ns_bind(socks[i], &at);
}

// What comes back, because it was sent to one of ours, has the pattern too.
static void fill(struct ns_sock *s, uint8_t *buf, size_t n) {
    static uint16_t filled;
    struct ns_addr local = {.port = 0};
    ns_local(s, &local);
    if (!local.port)
        ns_bind(s, &local);
    ns_local(s, &local);
    for (size_t i = 0; i < n && local.port != filled; i++)
        buf[i] = pattern(local.port, i);
    filled = local.port;
}

static void send(struct ns_sock *s, const uint8_t *p) {
    static uint8_t buf[65536];
    static const uint16_t sizes[8] = {0, 1, 100, 1452, 1472, 1473, 9000, 65507};
    struct ns_mem_io m;
    struct ns_addr to = {host(p[2] & 1, p[3]), p[3] & 4 ? 0 : 9};
    size_t n = p[2] & 0x80 ? sizes[p[2] >> 4 & 7] + (p[5] & 1u) : get16(p + 4);
    bool connected = ns_peer(s, &(struct ns_addr){0}) == 0, soft = p[2] & 2;
    fill(s, buf, sizeof buf);
    int64_t sent = ns_send(s, ns_io_from(&m, buf, n), 0, soft ? NULL : &to);
    // An IPv6 packet has a longer payload; whom a connected one speaks to is not looked at here.
    size_t most = soft || !ns_ip_is4(&to.ip) ? 65527 : 65507;
    CHECK(sent < 0 || ((size_t)sent == n && n <= most));
    CHECK(sent >= 0 || !soft || connected || sent == -LINUX_EDESTADDRREQ || sent == -LINUX_EPIPE);
}

static void call(const uint8_t *p) {
    static const enum ns_option options[] = {NS_OPT_RCVBUF,    NS_OPT_TTL,         NS_OPT_TOS,
                                             NS_OPT_BROADCAST, NS_OPT_V6ONLY,      NS_OPT_SNDBUF,
                                             NS_OPT_REUSEADDR, NS_OPT_MTU_DISCOVER};
    unsigned i = p[1] % SOCKS;
    struct ns_addr at = {host(i & 1 && p[2] & 1, p[3]), p[4] & 3 ? 1 + p[4] % 16 : 0};
    struct ns_sock *s = socks[i];
    if (!s) {
        open_sock(i);
        return;
    }
    switch (p[0] & 7) {
    case 0:
        receive(s, get16(p + 4), p[3] & NS_MSG_PEEK);
        break;
    case 1:
        drain(s); // who connects sees no more of others, once he has read what came before
        if (p[2] & 2)
            at = (struct ns_addr){.ip = i & 1 ? (struct ns_ip){{0}} : ns_ip4(0, 0, 0, 0)};
        ns_connect(s, &at);
        break;
    case 2:
        ns_set_option(s, options[p[2] & 7], p[2] & 8 ? p[3] : p[3] * 64);
        break;
    case 3:
        if (p[2] & 8)
            ns_shutdown(s, p[2] & 1, p[2] & 2);
        ns_ready(s);
        break;
    case 4:
        ns_close(s);
        socks[i] = NULL;
        if (p[2] & 1 && ns_socket(net.ns, i & 1 ? NS_INET6 : NS_INET, NS_DGRAM, &socks[i]) == 0)
            ns_bind(socks[i], &at);
        break;
    default:
        send(s, p);
    }
}

// Nobody hears of an error who is not connected.
static void heard(void) {
    struct ns_addr peer;
    for (unsigned i = 0; i < SOCKS; i++)
        if (socks[i] && ns_peer(socks[i], &peer) < 0)
            CHECK(ns_take_error(socks[i]) == 0);
}

static void action(const uint8_t *p) {
    switch (p[0] >> 3 & 7) {
    case 0:
    case 1:
    case 2:
        datagram(p);
        break;
    case 3:
        error(p);
        break;
    case 4:
        fuzz_advance((uint64_t)p[1] * p[2] * 1000000ull);
        break;
    default:
        call(p);
    }
    heard();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    fuzz_open(NETIF_IP, NETIF_NO_DAD);
    net.seen = see;
    last_len[0] = last_len[1] = 0;
    for (unsigned i = 0; i < SOCKS; i++)
        open_sock(i);
    for (size_t at = 0; at + 8 <= n && at < 4000; at += 8)
        action(data + at);
    for (unsigned i = 0; i < SOCKS; i++) {
        while (socks[i] && receive(socks[i], 2048, 0))
            ;
        if (socks[i])
            ns_close(socks[i]);
        socks[i] = NULL;
    }
    fuzz_close();
    return 0;
}
