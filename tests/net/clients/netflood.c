// SPDX-License-Identifier: Apache-2.0
// netflood INTERFACE MAC ADDRESS PORT RATE SECONDS: TCP SYNs of random sources to ADDRESS:PORT at RATE a
// second, put on an Ethernet interface by a packet socket. Run by run_clients.py, which wants a rate that
// scripts do not reach; prints how many went out and at what rate. Not a tool for other people's networks: it
// needs root and an interface of one's own.
#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH  64
#define LENGTH 58 // Ethernet, IPv4, TCP with the MSS option
#define IP     14
#define TCP    34

static uint64_t seed = 88172645463325252ull;
static uint32_t draw(void) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void be16(uint8_t *to, uint32_t v) {
    to[0] = (uint8_t)(v >> 8), to[1] = (uint8_t)v;
}
static void be32(uint8_t *to, uint32_t v) {
    be16(to, v >> 16), be16(to + 2, v & 0xffff);
}

static uint32_t sum(uint32_t start, const uint8_t *p, unsigned n) {
    for (unsigned i = 0; i < n; i += 2)
        start += (uint32_t)(p[i] << 8 | p[i + 1]);
    return start;
}
static uint32_t fold(uint32_t s) {
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return ~s & 0xffff;
}

// All but what differs from one SYN to the next.
static void template(uint8_t *f, const uint8_t mac[6], uint32_t to, uint16_t port) {
    static const uint8_t head[] = {2, 0, 0, 0, 0, 0x99, 8, 0, 0x45, 0, 0, LENGTH - IP, 0, 0, 0x40, 0, 64, 6};
    memset(f, 0, LENGTH);
    memcpy(f, mac, 6);
    memcpy(f + 6, head, sizeof head);
    be32(f + IP + 16, to);
    be16(f + TCP + 2, port);
    f[TCP + 12] = 0x60;
    f[TCP + 13] = 2;
    be16(f + TCP + 14, 65535);
    memcpy(f + TCP + 20, (const uint8_t[]){2, 4, 5, 0xb4}, 4);
}

// A source that unicast may have, outside of the receiver's network; a port and a number.
static void vary(uint8_t *f) {
    be32(f + IP + 12, 0x14000000u | (draw() & 0x07ffffff)); // 20.0.0.0/5
    be16(f + IP + 4, draw() & 0xffff);
    be16(f + TCP, 1024 + draw() % 64000);
    be32(f + TCP + 4, draw());
    be16(f + IP + 10, 0);
    be16(f + IP + 10, fold(sum(0, f + IP, 20)));
    be16(f + TCP + 16, 0);
    be16(f + TCP + 16, fold(sum(sum(6 + LENGTH - TCP, f + IP + 12, 8), f + TCP, LENGTH - TCP)));
}

static int open_link(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET, .sll_protocol = htons(0x0800), .sll_ifindex = (int)if_nametoindex(name)};
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
        perror("netflood");
        exit(2);
    }
    return fd;
}

// Batches as the clock allows them; what a full queue refused is not made up for.
static uint64_t flood(int fd, uint8_t (*frames)[LENGTH], double rate, double seconds) {
    struct mmsghdr m[BATCH] = {0};
    struct iovec iov[BATCH];
    uint64_t sent = 0, tried = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){frames[i], LENGTH};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    for (double start = now(), t = start; t < start + seconds; t = now()) {
        if ((double)tried > (t - start) * rate) {
            nanosleep(&(struct timespec){0, 200000}, NULL);
            continue;
        }
        for (unsigned i = 0; i < BATCH; i++)
            vary(frames[i]);
        int n = sendmmsg(fd, m, BATCH, MSG_DONTWAIT);
        sent += n > 0 ? (uint64_t)n : 0;
        tried += BATCH;
    }
    return sent;
}

int main(int argc, char **argv) {
    static uint8_t frames[BATCH][LENGTH];
    unsigned mac[6];
    uint8_t bytes[6];
    struct in_addr to;
    if (argc != 7 || inet_pton(AF_INET, argv[3], &to) != 1 ||
        sscanf(argv[2], "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6) {
        fputs("usage: netflood INTERFACE MAC ADDRESS PORT RATE SECONDS\n", stderr);
        return 2;
    }
    for (unsigned i = 0; i < 6; i++)
        bytes[i] = (uint8_t)mac[i];
    for (unsigned i = 0; i < BATCH; i++)
        template(frames[i], bytes, ntohl(to.s_addr), (uint16_t)atoi(argv[4]));
    double start = now();
    uint64_t sent = flood(open_link(argv[1]), frames, atof(argv[5]), atof(argv[6]));
    printf("%llu SYNs, %.0f a second\n", (unsigned long long)sent, (double)sent / (now() - start));
    return 0;
}
