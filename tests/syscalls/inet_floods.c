// SPDX-License-Identifier: Apache-2.0
// covers: socket, connect, setsockopt, sendto
// Sockets by the thousand, connections that nobody accepts, queues that nobody reads, buffers of 2 GiB: each
// ends in an errno, and what comes after works (man 7 socket, tcp, netlink).
#include "fresh_net.h"
#include "inet_pair.h"
#include "rtnl.h"

#include <limits.h>
#include <netinet/ip.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SOCKETS 3000  // of each of four processes

static bool is_full(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}
static void all_is_well(void) {
    int s[2];
    char c;
    BOTH_FAMILIES(family) {
        udp_pair(family, s);
        EXPECT_EQ(send(s[0], "x", 1, 0), 1);
        EXPECT_EQ(recv(s[1], &c, 1, 0), 1);
        close(s[0]);
        close(s[1]);
        tcp_pair(family, s);
        EXPECT_EQ(send(s[0], "y", 1, 0), 1);
        EXPECT_EQ(recv(s[1], &c, 1, 0), 1);
        close(s[0]);
        close(s[1]);
    }
}

// The checksum of a TCP header without data.
static uint16_t sum_of(const struct iphdr *ip, const struct tcphdr *tcp) {
    uint16_t words[sizeof(*tcp) / 2];
    uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof(*tcp));
    memcpy(words, tcp, sizeof(words));
    for (size_t i = 0; i < sizeof(*tcp) / 2; i++)
        sum += words[i];
    sum += (ip->saddr & 0xffff) + (ip->saddr >> 16) + (ip->daddr & 0xffff) + (ip->daddr >> 16);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

TEST(sockets) {
    struct rlimit most;
    ASSERT_OK(getrlimit(RLIMIT_NOFILE, &most));
    most.rlim_cur = most.rlim_max;
    ASSERT_OK(setrlimit(RLIMIT_NOFILE, &most));
    int done[2], go[2];
    char c;
    ASSERT_OK(pipe(done));
    ASSERT_OK(pipe(go));
    for (int k = 0; k < 4; k++) {
        pid_t pid = ASSERT_OK(fork());
        if (pid)
            continue;
        close(go[1]);
        for (int i = 0; i < SOCKETS; i++) {
            int fd = socket(i & 1 ? AF_INET : AF_INET6, i & 2 ? SOCK_DGRAM : SOCK_STREAM, 0);
            if (fd < 0 && !is_full(errno))
                _exit(1);
            union inet_addr a = loopback(i & 1 ? AF_INET : AF_INET6, 0);
            if (fd >= 0 && bind(fd, &a.any, addr_size(a.any.sa_family)) < 0 && errno != EADDRINUSE)
                _exit(2);
        }
        if (write(done[1], "x", 1) != 1 || read(go[0], &c, 1) < 0)
            _exit(3);
        _exit(0);
    }
    close(done[1]);
    for (int k = 0; k < 4; k++)
        EXPECT_EQ(read(done[0], &c, 1), 1);
    all_is_well();
    close(go[1]);
    close(go[0]);
    close(done[0]);
    for (int status; wait(&status) > 0;)
        EXPECT_EQ(status, 0);
    all_is_well();
}

TEST(nobody_accepts) {
    int server = bound_socket(AF_INET, SOCK_STREAM), fd[400];
    ASSERT_OK(listen(server, 4));
    for (int i = 0; i < 400; i++) {
        fd[i] = ASSERT_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (connect_to(fd[i], AF_INET, port_of(server)) < 0)
            EXPECT_EQ(errno, EINPROGRESS);
    }
    all_is_well();
    for (int i = 0; i < 4; i++)
        close(ASSERT_OK(accept(server, NULL, NULL)));
    close(server);
    for (int i = 0; i < 400; i++)
        close(fd[i]);
    all_is_well();
}

TEST(huge_buffers) {
    BOTH_FAMILIES(family) {
        int s[2], most = 0;
        static char data[65536];
        tcp_pair(family, s);
        for (int k = 0; k < 2; k++) {
            EXPECT_OK(set_int(s[k], SOL_SOCKET, SO_SNDBUF, INT_MAX));
            EXPECT_OK(set_int(s[k], SOL_SOCKET, SO_RCVBUF, INT_MAX));
            most = int_option(s[k], SOL_SOCKET, SO_RCVBUF);
            EXPECT_RANGE(most, 2304, 64 << 20);  // twice net.core.rmem_max, which is in kilobytes anywhere
        }
        size_t all = 0;
        for (ssize_t n; (n = send(s[0], data, sizeof(data), MSG_DONTWAIT)) > 0;)
            all += (size_t)n;
        EXPECT_TRUE(errno == EAGAIN || is_full(errno));
        EXPECT_TRUE(all < 512u << 20);
        close(s[0]);
        close(s[1]);
    }
    all_is_well();
}

// Members of a group who do not read: what does not fit is lost, they are told so, and others go on.
TEST(nobody_reads) {
    IN_CHILD {
        enum { MEMBERS = 40 };
        int fd[MEMBERS], lost = 0;
        if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
            _exit(77);
        struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
        for (int i = 0; i < MEMBERS; i++) {
            fd[i] = ASSERT_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE));
            ASSERT_OK(set_int(fd[i], SOL_SOCKET, SO_RCVBUF, 16384));
            ASSERT_OK(bind(fd[i], (void *)&at, sizeof(at)));
        }
        for (int i = 0; i < 200; i++)
            EXPECT_EQ(rtnl_set_link("lo", i & 1, 0, NULL, 0), 0);
        for (int i = 0; i < MEMBERS; i++) {
            static char b[8192];
            while (recv(fd[i], b, sizeof(b), 0) >= 0 || errno == ENOBUFS)
                lost += errno == ENOBUFS, errno = 0;
            EXPECT_EQ(errno, EAGAIN);
            close(fd[i]);
        }
        EXPECT_GE(lost, MEMBERS);
        ASSERT_EQ(rtnl_up("lo"), 0);
        all_is_well();
    }
}

// SYNs of senders that do not exist: a listener remembers no more of them than it has room for, and who means
// it connects.
TEST(half_open) {
    IN_CHILD {
        fresh_net();
        int server = bound_socket(AF_INET, SOCK_STREAM), port = port_of(server);
        ASSERT_OK(listen(server, 64));
        int raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
        if (raw < 0)
            SKIP("no raw sockets here");
        union inet_addr to = loopback(AF_INET, 0);
        for (uint32_t i = 0; i < 20000; i++) {
            struct {
                struct iphdr ip;
                struct tcphdr tcp;
            } p = {
                .ip = {
                    .version = 4, .ihl = 5, .tot_len = htons(sizeof(p)), .ttl = 64, .protocol = IPPROTO_TCP}};
            p.ip.saddr = htonl(0x0a000000u + i * 77);
            p.ip.daddr = to.in.sin_addr.s_addr;
            p.tcp.source = htons((uint16_t)(1024 + i % 60000));
            p.tcp.dest = htons((uint16_t)port);
            p.tcp.seq = htonl(i * 12345);
            p.tcp.doff = 5;
            p.tcp.syn = 1;
            p.tcp.window = htons(1000);
            p.tcp.check = sum_of(&p.ip, &p.tcp);
            if (sendto(raw, &p, sizeof(p), MSG_DONTWAIT, &to.any, sizeof(to.in)) < 0)
                EXPECT_TRUE(errno == ENOBUFS || errno == EAGAIN);
        }
        int c = connected(AF_INET, port), s = ASSERT_OK(accept(server, NULL, NULL));
        char byte;
        EXPECT_EQ(send(c, "x", 1, 0), 1);
        EXPECT_EQ(recv(s, &byte, 1, 0), 1);
        all_is_well();
    }
}
