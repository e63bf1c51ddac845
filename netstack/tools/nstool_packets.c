// SPDX-License-Identifier: Apache-2.0
// "nstool packets PATH N": N packets along one path of the stack, between it and a peer that this file plays,
// in virtual time and with the same random numbers in each run, so that tests/net/instructions.py can count
// instructions.
#include "abi/errno.h"
#include "netstack/prot/checksum.h"
#include "netstack/prot/eth.h"
#include "netstack/prot/ip.h"
#include "netstack/prot/tcp.h"
#include "netstack/prot/wire.h"
#include "netstack/tools/nstool.h"
#include <stdio.h>
#include <stdlib.h>

#define HEAD    (ETH_LEN + IP4_LEN + TCP_LEN + TCP_TS_SPACE)
#define SEGMENT 1448
#define LONG    (44 * SEGMENT)
#define BATCH   16

struct wire {
    struct netstack *ns;
    struct netif *nif;
    struct ns_sock *s;
    uint64_t now, seed;
    uint32_t seq, ack;  // of the peer
    uint16_t ours;      // the stack's port
    uint8_t frames[BATCH][HEAD + LONG];
    struct ns_rx rx[BATCH];
    uint8_t data[LONG];
};
static struct wire w;

static uint64_t clock_of(void *arg) { return w.now; }
static void random_of(void *arg, void *buf, size_t n) {
    for (size_t i = 0; i < n; i++) {
        w.seed = w.seed * 6364136223846793005ull + 1442695040888963407ull;
        ((uint8_t *)buf)[i] = (uint8_t)(w.seed >> 56);
    }
}

// What the stack sends ends here; the peer remembers what is next.
static int transmit(void *arg, const struct ns_frame *f) {
    const uint8_t *ip = (const uint8_t *)f->iov[0].base + ETH_LEN, *tcp = ip + IP4_LEN;
    if (get16(ip - 2) != ETH_TYPE_IP4 || ip[IP4_PROTO] != PROTO_TCP)
        return 0;
    uint32_t len = (uint32_t)f->len - ETH_LEN - IP4_LEN - (tcp[TCP_OFF] >> 4) * 4u;
    w.ack = get32(tcp + TCP_SEQ) + len + !!(tcp[TCP_FLAGS] & TCP_SYN);
    w.ours = get16(tcp + TCP_SPORT);
    return 0;
}

static void must(bool ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "nstool: packets: %s\n", what);
        exit(2);
    }
}

// ---- The peer's frames ------------------------------------------------------------------------------------
static void put_ip(uint8_t *f, uint8_t proto, uint32_t len) {
    static const uint8_t ether[ETH_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
    static const uint8_t addresses[8] = {10, 0, 0, 2, 10, 0, 0, 1};
    uint8_t *ip = f + ETH_LEN;
    memcpy(f, ether, ETH_LEN);
    memset(ip, 0, IP4_LEN);
    ip[0] = 0x45;
    put16(ip + IP4_TOTAL, (uint16_t)(IP4_LEN + len));
    put16(ip + IP4_FRAG, IP4_DF);
    ip[IP4_TTL] = 64;
    ip[IP4_PROTO] = proto;
    memcpy(ip + IP4_SRC, addresses, 8);
    uint16_t sum = csum(ip, IP4_LEN);
    memcpy(ip + IP4_CSUM, &sum, 2);
}

static void put_csum(uint8_t *f, uint8_t proto, uint32_t len, uint32_t at) {
    uint8_t tail[8] = {[7] = proto};
    uint8_t *l4 = f + ETH_LEN + IP4_LEN;
    put32(tail, len);
    memset(l4 + at, 0, 2);
    uint64_t sum = proto == PROTO_ICMP ? 0 : csum_add(csum_add(0, tail, 8, 0), f + ETH_LEN + IP4_SRC, 8, 0);
    uint16_t check = csum_finish(csum_add(sum, l4, len, 0));
    memcpy(l4 + at, &check, 2);
}

// The i-th frame of the next batch: a segment with timestamps, whose sum a link of long frames has looked at.
static void segment(unsigned i, uint8_t flags, uint32_t len) {
    uint8_t *f = w.frames[i], *tcp = f + ETH_LEN + IP4_LEN, *o = tcp + TCP_LEN;
    bool syn = flags & TCP_SYN, link = len > SEGMENT;
    uint32_t noptions = syn ? 20 : TCP_TS_SPACE, n = TCP_LEN + noptions + len;
    static const uint8_t options[] = {TCP_OPT_MSS, 4, 5, 180, 1, TCP_OPT_WSCALE, 3, 7, 1, 1, TCP_OPT_TS, 10};
    put_ip(f, PROTO_TCP, n);
    memset(tcp, 0, TCP_LEN + noptions);
    put16(tcp + TCP_SPORT, 5000);
    put16(tcp + TCP_DPORT, w.ours);
    put32(tcp + TCP_SEQ, w.seq);
    put32(tcp + TCP_ACKNO, w.ack);
    tcp[TCP_OFF] = (uint8_t)((TCP_LEN + noptions) / 4 << 4);
    tcp[TCP_FLAGS] = flags;
    put16(tcp + TCP_WIN, 65535);
    memcpy(o, syn ? options : options + 8, syn ? 12 : 4);
    put32(o + noptions - 8, 1000);
    w.seq += len + syn;
    if (!link)
        put_csum(f, PROTO_TCP, n, TCP_CSUM);
    w.rx[i] = (struct ns_rx){f, ETH_LEN + IP4_LEN + n, link ? NS_CSUM_GOOD : 0, link ? SEGMENT : 0};
}

static void small(uint8_t proto, const uint8_t head[8], uint32_t len) {
    put_ip(w.frames[0], proto, 8 + len);
    memcpy(w.frames[0] + ETH_LEN + IP4_LEN, head, 8);
    put_csum(w.frames[0], proto, 8 + len, proto == PROTO_UDP ? UDP_CSUM : ICMP_CSUM);
    w.rx[0] = (struct ns_rx){w.frames[0], ETH_LEN + IP4_LEN + 8 + len, 0, 0};
}

// A long frame lies where the stack wants it, as when it is read from a link.
static void input(unsigned n) {
    w.now += 1000;
    if (w.rx[0].gso_size) {
        void *room = netif_room(w.nif, 0, w.rx[0].len);
        must(room, "no room");
        w.rx[0].frame = memcpy(room, w.rx[0].frame, w.rx[0].len);
    }
    if (n > 1 || w.rx[0].gso_size)
        netif_input_batch(w.nif, w.rx, n);
    else
        netif_input(w.nif, w.rx[0].frame, w.rx[0].len, w.rx[0].flags);
}

// ---- Set-up -----------------------------------------------------------------------------------------------
static void open_stack(bool gso) {
    struct netstack_config c = {clock_of, random_of, NULL, 0};
    struct netif_config nif = {.name = "eth0",
                               .kind = NETIF_ETHER,
                               .mac = {2, 0, 0, 0, 0, 1},
                               .mtu = 1500,
                               .flags = NETIF_NO_DAD | (gso ? NETIF_TX_CSUM : 0),
                               .gso_max = gso ? 65000 : 0,
                               .transmit = transmit};
    struct ns_ip ip = ns_ip4(10, 0, 0, 1);
    static const uint8_t arp[ETH_LEN + ARP_LEN] = {2,  0, 0, 0, 0, 1, 2, 0, 0, 0, 0,  2, 8, 6,
                                                   0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 2,
                                                   10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
    w.now = 1000000000;
    w.seed = 1;
    must(netstack_create(&c, &w.ns) == 0 && netif_add(w.ns, &nif, &w.nif) == 0 &&
             netif_add_address(w.nif, &ip, 24) == 0,
         "no stack");
    netif_input(w.nif, arp, sizeof arp, 0);
}

static void open_tcp(bool gso) {
    struct ns_addr to = {ns_ip4(10, 0, 0, 2), 5000};
    open_stack(gso);
    must(ns_socket(w.ns, NS_INET, NS_STREAM, &w.s) == 0 && ns_connect(w.s, &to) == -LINUX_EINPROGRESS,
         "no connection");
    segment(0, TCP_SYN | TCP_ACK, 0);
    input(1);
    must(ns_set_option(w.s, NS_OPT_TCP_NODELAY, 1) == 0 && ns_ready(w.s) & NS_OUT, "not connected");
}

static void open_udp(void) {
    struct ns_addr any = {.ip = ns_ip4(0, 0, 0, 0), .port = 53}, to = {ns_ip4(10, 0, 0, 2), 5000};
    open_stack(false);
    must(ns_socket(w.ns, NS_INET, NS_DGRAM, &w.s) == 0 && ns_bind(w.s, &any) == 0 &&
             ns_connect(w.s, &to) == 0,
         "no socket");
}

static void send_all(struct ns_sock *s, uint32_t n) {
    struct ns_mem_io m;
    must(ns_send(s, ns_io_from(&m, w.data, n), 0, NULL) == n, "not sent");
}
static void recv_all(struct ns_sock *s, uint32_t n) {
    struct ns_mem_io m;
    must(ns_recv(s, ns_io_to(&m, w.data, n), 0, NULL) == n, "not received");
}

// ---- The paths --------------------------------------------------------------------------------------------
static void tcp_receive(unsigned n, unsigned batch, uint32_t len) {
    open_tcp(len > SEGMENT);
    for (unsigned i = 0; i < n; i += batch) {
        for (unsigned k = 0; k < batch; k++)
            segment(k, TCP_ACK, len);
        input(batch);
        recv_all(w.s, batch * len);
    }
}
static void receive_single(unsigned n) { tcp_receive(n, 1, SEGMENT); }
static void receive_batch(unsigned n) { tcp_receive(n, BATCH, SEGMENT); }
static void receive_long(unsigned n) { tcp_receive(n, 1, LONG); }

static void tcp_transmit(unsigned n, uint32_t len) {
    size_t in, out;
    open_tcp(len > SEGMENT);
    for (unsigned i = 0; i < n; i++) {
        send_all(w.s, len);
        do {  // the congestion window is small at first
            segment(0, TCP_ACK, 0);
            input(1);
            ns_queued(w.s, &in, &out);
        } while (out > 0);
    }
}
static void send_segment(unsigned n) { tcp_transmit(n, SEGMENT); }
static void send_long(unsigned n) { tcp_transmit(n, LONG); }

static const uint8_t udp_head[8] = {19, 136, 0, 53, 4, 8};  // 1,024 bytes from port 5000 to 53
static void udp_in(unsigned n) {
    open_udp();
    for (unsigned i = 0; i < n; i++) {
        small(PROTO_UDP, udp_head, 1024);
        input(1);
        recv_all(w.s, 1024);
    }
}
static void udp_out(unsigned n) {
    open_udp();
    for (unsigned i = 0; i < n; i++)
        send_all(w.s, 1024);
}
static void echo(unsigned n) {
    static const uint8_t head[8] = {ICMP_ECHO};
    open_stack(false);
    for (unsigned i = 0; i < n; i++) {
        small(PROTO_ICMP, head, 56);
        w.now += 1000000;  // below the rate of replies
        input(1);
    }
    must(netstack_stat(w.ns, "icmp_echo") == n, "no replies");
}

static void filtered(unsigned n) {
    struct ns_rule rule = {.point = NS_INPUT, .verdict = NS_DROP, .proto = PROTO_UDP, .dport = {53, 53}};
    open_udp();
    must(netstack_add_rule(w.ns, &rule) >= 0, "no rule");
    for (unsigned i = 0; i < n; i++) {
        small(PROTO_UDP, udp_head, 1024);
        input(1);
    }
    must(netstack_stat(w.ns, "filter_drop_in") == n, "not dropped");
}
static void bad_checksum(unsigned n) {
    open_tcp(false);
    for (unsigned i = 0; i < n; i++) {
        segment(0, TCP_ACK, SEGMENT);
        w.frames[0][HEAD] ^= 1;
        input(1);
        w.frames[0][HEAD] ^= 1;
    }
    must(netstack_stat(w.ns, "tcp_drop_checksum") == n, "not dropped");
}

static void pair_of(struct ns_sock *l, struct ns_sock **c, struct ns_sock **s) {
    struct ns_addr to = {ns_ip4(127, 0, 0, 1), 80};
    must(ns_socket(w.ns, NS_INET, NS_STREAM, c) == 0 && ns_connect(*c, &to) == -LINUX_EINPROGRESS &&
             ns_accept(l, s) == 0, "no connection");
}
static struct ns_sock *open_loopback(void) {
    struct ns_addr any = {ns_ip4(127, 0, 0, 1), 80};
    struct ns_sock *l;
    open_stack(false);
    must(ns_socket(w.ns, NS_INET, NS_STREAM, &l) == 0 && ns_bind(l, &any) == 0 && ns_listen(l, 8) == 0,
         "no listener");
    return l;
}
static void loopback(unsigned n) {
    struct ns_sock *c, *s, *l = open_loopback();
    pair_of(l, &c, &s);
    must(ns_set_option(c, NS_OPT_TCP_NODELAY, 1) == 0, "no option");
    for (unsigned i = 0; i < n; i++) {
        send_all(c, LONG);
        recv_all(s, LONG);
    }
    ns_close(c);
    ns_close(s);
    ns_close(l);
}
static void connect_close(unsigned n) {
    struct ns_sock *c, *s, *l = open_loopback();
    for (unsigned i = 0; i < n; i++) {
        pair_of(l, &c, &s);
        ns_close(c);
        ns_close(s);
    }
    ns_close(l);
}

static const struct {
    const char *name;
    void (*run)(unsigned n);
} paths[] = {
    {"receive", receive_single}, {"receive-batch", receive_batch}, {"receive-long", receive_long},
    {"send", send_segment},      {"send-long", send_long},         {"udp-in", udp_in},
    {"udp-out", udp_out},        {"echo", echo},                   {"loopback", loopback},
    {"connect", connect_close},  {"filtered", filtered},           {"bad-checksum", bad_checksum},
};

int packets_main(int argc, char **argv) {
    unsigned n = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && n > 0; i++) {
        if (strcmp(paths[i].name, argv[1]) != 0)
            continue;
        paths[i].run(n - n % BATCH);
        if (w.s)
            ns_close(w.s);
        netstack_destroy(w.ns);
        return 0;
    }
    fputs("usage: nstool packets PATH N, N at least 16; paths:", stderr);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        fprintf(stderr, " %s", paths[i].name);
    fputc('\n', stderr);
    return 2;
}
