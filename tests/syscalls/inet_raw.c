// SPDX-License-Identifier: Apache-2.0
// covers: socket, sendto, recvfrom, setsockopt, getsockopt
// Raw sockets: an echo by hand, filters by ICMP type and by classic BPF, headers of one's own (man 7 raw,
// icmp, socket).
#include "inet_pair.h"

#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>

static unsigned char bytes[70000];

// A raw socket, or the end of the test as skipped.
static int raw(int family, int protocol) {
    int fd = socket(family, SOCK_RAW, protocol);
    if (fd < 0 && errno == EPERM)
        SKIP("no CAP_NET_RAW");
    return ASSERT_OK(fd);
}
static unsigned short checksum(const void *data, size_t n) {
    const unsigned char *p = data;
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += i % 2 ? p[i] : (unsigned)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((unsigned short)~sum);
}
// Until there is an echo reply of that identifier: its length, and it is in bytes.
static ssize_t reply(int fd, size_t header, unsigned char type, unsigned short id) {
    for (int i = 0; i < 100; i++) {
        if (poll_for(fd, POLLIN) != POLLIN)
            return -1;
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        unsigned short got;
        memcpy(&got, bytes + header + 4, 2);
        if (n >= (ssize_t)header + 8 && bytes[header] == type && got == id)
            return n;
    }
    return -1;
}

TEST(echo) {
    int fd = raw(AF_INET, IPPROTO_ICMP);
    struct {
        struct icmphdr h;
        char data[8];
    } q = {.h = {.type = ICMP_ECHO, .un.echo.id = htons(0x4711), .un.echo.sequence = htons(1)},
           .data = "payload"};
    q.h.checksum = checksum(&q, sizeof(q));
    union inet_addr to = loopback(AF_INET, 0);
    EXPECT_EQ(sendto(fd, &q, sizeof(q), 0, &to.any, sizeof(to.in)), sizeof(q));
    EXPECT_EQ(reply(fd, 20, ICMP_ECHOREPLY, htons(0x4711)), 20 + (ssize_t)sizeof(q));
    struct iphdr ip;
    memcpy(&ip, bytes, sizeof(ip));
    EXPECT_EQ(ip.version, 4);
    EXPECT_EQ(ip.protocol, IPPROTO_ICMP);
    EXPECT_EQ(ntohl(ip.saddr), INADDR_LOOPBACK);
    EXPECT_EQ(ntohs(ip.tot_len), 20 + sizeof(q));
    EXPECT_MEMEQ(bytes + 28, "payload", 8);
    union inet_addr me;
    socklen_t length = sizeof(me);
    EXPECT_OK(getsockname(fd, &me.any, &length));
    EXPECT_EQ(ntohs(me.in.sin_port), IPPROTO_ICMP);
    close(fd);
}

TEST(echo6) {
    int fd = raw(AF_INET6, IPPROTO_ICMPV6);
    struct icmp6_hdr q = {.icmp6_type = ICMP6_ECHO_REQUEST};
    q.icmp6_id = htons(0x4712);
    union inet_addr to = loopback(AF_INET6, 0);
    EXPECT_EQ(sendto(fd, &q, sizeof(q), 0, &to.any, sizeof(to.in6)), sizeof(q));  // the checksum is not ours
    EXPECT_EQ(reply(fd, 0, ICMP6_ECHO_REPLY, htons(0x4712)), sizeof(q));
    struct icmp6_filter filter, got;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    EXPECT_OK(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)));
    socklen_t length = sizeof(got);
    EXPECT_OK(getsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &got, &length));
    EXPECT_MEMEQ(&got, &filter, sizeof(got));
    EXPECT_EQ(sendto(fd, &q, sizeof(q), 0, &to.any, sizeof(to.in6)), sizeof(q));
    sleep_ms(5);
    EXPECT_ERRNO(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), EAGAIN);
    EXPECT_ERRNO(set_int(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 2), EINVAL);
    close(fd);
}

TEST(types_filtered) {
    int fd = raw(AF_INET, IPPROTO_ICMP);
    struct icmphdr q = {.type = ICMP_ECHO, .un.echo.id = htons(0x4713)};
    unsigned mask = ~(1u << ICMP_ECHO);  // that one alone passes
    EXPECT_OK(setsockopt(fd, SOL_RAW, ICMP_FILTER, &mask, sizeof(mask)));
    q.checksum = checksum(&q, sizeof(q));
    union inet_addr to = loopback(AF_INET, 0);
    EXPECT_EQ(sendto(fd, &q, sizeof(q), 0, &to.any, sizeof(to.in)), sizeof(q));
    EXPECT_EQ(reply(fd, 20, ICMP_ECHO, htons(0x4713)), 28);
    sleep_ms(5);
    EXPECT_ERRNO(recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), EAGAIN);
    close(fd);
}

TEST(own_header) {
    int fd = raw(AF_INET, IPPROTO_UDP), udp = bound_socket(AF_INET, SOCK_DGRAM);
    EXPECT_OK(set_int(fd, IPPROTO_IP, IP_HDRINCL, 1));
    EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_HDRINCL), 1);
    struct {
        struct iphdr ip;
        unsigned short sport, dport, length, sum;
        char data[4];
    } __attribute__((packed))
    p = {.ip = {.version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP}, .data = "abc"};
    p.ip.saddr = htonl(0x7f000009);
    p.ip.daddr = htonl(INADDR_LOOPBACK);
    p.sport = htons(4711);
    p.dport = htons((unsigned short)port_of(udp));
    p.length = htons(12);
    union inet_addr to = loopback(AF_INET, 0), from;
    EXPECT_EQ(sendto(fd, &p, sizeof(p), 0, &to.any, sizeof(to.in)), sizeof(p));
    ASSERT_EQ(poll_for(udp, POLLIN), POLLIN);
    socklen_t length = sizeof(from);
    EXPECT_EQ(recvfrom(udp, bytes, sizeof(bytes), 0, &from.any, &length), 4);
    EXPECT_MEMEQ(bytes, "abc", 4);
    EXPECT_EQ(ntohl(from.in.sin_addr.s_addr), 0x7f000009);
    EXPECT_EQ(ntohs(from.in.sin_port), 4711);
    p.ip.ihl = 4;
    EXPECT_ERRNO(sendto(fd, &p, sizeof(p), 0, &to.any, sizeof(to.in)), EINVAL);
    EXPECT_ERRNO(sendto(fd, &p, 10, 0, &to.any, sizeof(to.in)), EINVAL);
    EXPECT_ERRNO(send(fd, &p, sizeof(p), 0), EDESTADDRREQ);
    close(udp);
    close(fd);
}

static int attach(int fd, struct sock_filter *f, unsigned short n) {
    struct sock_fprog p = {n, f};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p));
}
#define ATTACH(fd, ...) \
    ({ \
        struct sock_filter program[] = {__VA_ARGS__}; \
        attach(fd, program, sizeof(program) / sizeof(program[0])); \
    })

TEST(bpf) {
    int s[2];
    udp_pair(AF_INET, s);
    // Of datagrams those whose first byte, behind the UDP header, is 'a'; the first ten bytes of them.
    EXPECT_OK(ATTACH(s[1], BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8),
                     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1), BPF_STMT(BPF_RET | BPF_K, 18),
                     BPF_STMT(BPF_RET | BPF_K, 0)));
    EXPECT_EQ(send(s[0], "no", 2, 0), 2);
    EXPECT_EQ(send(s[0], "", 0, 0), 0);  // has no such byte
    EXPECT_EQ(send(s[0], "a long one is cut", 17, 0), 17);
    EXPECT_EQ(poll_for(s[1], POLLIN), POLLIN);
    EXPECT_EQ(recv(s[1], bytes, 100, 0), 10);
    EXPECT_ERRNO(recv(s[1], bytes, 100, MSG_DONTWAIT), EAGAIN);
    // Arithmetic: the length, kept in memory, by way of X.
    EXPECT_OK(ATTACH(s[1], BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_ST, 3),
                     BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_LD | BPF_IMM, 2),
                     BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 20),
                     BPF_STMT(BPF_RET | BPF_A, 0)));
    EXPECT_EQ(send(s[0], "12345", 5, 0), 5);  // 2 * 13 - 20 = 6: the header stays whole
    EXPECT_EQ(recv(s[1], bytes, 100, 0), 0);
    int off = 0;
    EXPECT_OK(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)));
    EXPECT_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), ENOENT);
    EXPECT_EQ(send(s[0], "12345", 5, 0), 5);
    EXPECT_EQ(recv(s[1], bytes, 100, 0), 5);
    EXPECT_OK(ATTACH(s[1], BPF_STMT(BPF_RET | BPF_K, 0)));
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_LOCK_FILTER, 1));
    EXPECT_ERRNO(setsockopt(s[1], SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof(off)), EPERM);
    EXPECT_ERRNO(ATTACH(s[1], BPF_STMT(BPF_RET | BPF_K, 1)), EPERM);
    close(s[0]);
    close(s[1]);
}

TEST(bpf_refused) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct sock_fprog p = {1, NULL_POINTER};
    EXPECT_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EINVAL);
    p.filter = KERNEL_POINTER;
    EXPECT_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), EFAULT);
    EXPECT_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, 8), EINVAL);
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_LD | BPF_IMM, 1)), EINVAL);                      // has no end
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(0xffff, 1), BPF_STMT(BPF_RET | BPF_K, 0)), EINVAL);  // is no code
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, 0)),
                 EINVAL);  // jumps out
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_JMP | BPF_JA, ~0u), BPF_STMT(BPF_RET | BPF_K, 0)),
                 EINVAL);  // jumps back
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0)), EINVAL);
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_K, 0)), EINVAL);
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_K, 0)), EINVAL);  // no such word
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_LD | BPF_MEM, 1), BPF_STMT(BPF_RET | BPF_A, 0)),
                 EINVAL);  // not stored
    EXPECT_ERRNO(ATTACH(fd, BPF_STMT(BPF_LD | BPF_IMM, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
                        BPF_STMT(BPF_ST, 1), BPF_STMT(BPF_LD | BPF_MEM, 1), BPF_STMT(BPF_RET | BPF_A, 0)),
                 EINVAL);  // stored on one way alone
    close(fd);
}
