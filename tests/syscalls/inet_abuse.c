// SPDX-License-Identifier: Apache-2.0
// covers: setsockopt, getsockopt, sendmsg, recvmsg, bind, connect, sendto
// Nonsense to inet sockets: every option of every level in every length, control messages and addresses made
// of noise. Whatever is answered, the answer is an answer, and the network works afterwards.
#include "fresh_net.h"
#include "inet_pair.h"

#include <sys/un.h>

static uint32_t seed;
static uint32_t noise(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}
static void scribble(void *to, size_t n) {
    static const uint32_t likely[] = {0, 1, 2, 4, 64, 255, 65535, 0x7fffffff, 0x80000000, 0xffffffff};
    unsigned char *p = to;
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)noise();
    if (n >= 4 && noise() % 2)
        memcpy(p, &likely[noise() % 10], 4);
}

static void works(void) {
    BOTH_FAMILIES(family) {
        int s[2];
        char c = 0;
        tcp_pair(family, s);
        EXPECT_EQ(write(s[0], "x", 1), 1);
        EXPECT_EQ(read(s[1], &c, 1), 1);
        close(s[0]);
        close(s[1]);
        udp_pair(family, s);
        EXPECT_EQ(write(s[0], "y", 1), 1);
        EXPECT_EQ(read(s[1], &c, 1), 1);
        EXPECT_EQ(c, 'y');
        close(s[0]);
        close(s[1]);
    }
}

// One of each kind, in several states.
enum { KINDS = 10 };
static int any_socket(int kind) {
    int s[2], family = kind % 2 ? AF_INET6 : AF_INET, fd;
    switch (kind / 2) {
    case 0:
        return ASSERT_OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
    case 1:
        return listener(family, SOCK_NONBLOCK);
    case 2:
        tcp_pair(family, s);
        close(s[1]);
        return s[0];
    case 3:
        return bound_socket(family, SOCK_DGRAM | SOCK_NONBLOCK);
    default:
        fd = socket(family, SOCK_RAW | SOCK_NONBLOCK, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
        return fd >= 0 ? fd : bound_socket(family, SOCK_DGRAM | SOCK_NONBLOCK);
    }
}

static const int levels[] = {SOL_IP,     SOL_SOCKET, SOL_TCP, IPPROTO_UDP, SOL_IPV6,
                             SOL_ICMPV6, SOL_RAW,    12345,   -1};

// What makes Linux look for a module on the disk, each time: iptables and its kin, TCP_CONGESTION, TCP_ULP.
static bool loads_modules(int level, int name) {
    if (level == SOL_TCP)
        return name == 13 || name == 31;
    return (level == SOL_IP || level == SOL_IPV6) && name >= 64 && name < 130 && name != IPV6_RECVTCLASS &&
           name != IPV6_TCLASS;
}

TEST(options) {
    IN_CHILD {
        fresh_net();
        static const socklen_t lengths[] = {0, 1, 2, 3, 4, 5, 8, 12, 16, 20, 32, 128, 136, 232, 300};
        static unsigned char value[300];
        seed = 1;
        for (int kind = 0; kind < KINDS; kind++) {
            int fd = any_socket(kind);
            for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
                for (int name = -1; name < 110; name++)
                    for (size_t n = noise() % 3; n < 15 && !loads_modules(levels[l], name); n += 3) {
                        scribble(value, sizeof(value));
                        int r = setsockopt(fd, levels[l], name, value, lengths[n]);
                        EXPECT_TRUE(r == 0 || errno > 0);
                        socklen_t length = lengths[n];
                        memset(value, 0xa5, sizeof(value));
                        if (getsockopt(fd, levels[l], name, value, &length) == 0)
                            EXPECT_TRUE(length <= lengths[n] ||
                                        lengths[n] < 8);  // nothing behind what there is room for
                        for (size_t i = lengths[n]; i < sizeof(value); i++)
                            if (value[i] != 0xa5) {
                                FAIL("level %d option %d wrote behind %u bytes", levels[l], name, lengths[n]);
                                break;
                            }
                    }
            EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){0, 0}, sizeof(struct linger)));
            close(fd);  // without waiting
        }
        works();
    }
}

TEST(control_messages) {
    IN_CHILD {
        fresh_net();
        static union {
            struct cmsghdr h;
            unsigned char bytes[256];
        } control;
        seed = 2;
        int s[2] = {-1, -1};
        for (int round = 0; round < 3000; round++) {
            if (round % 300 == 0) {
                close(s[0]);
                close(s[1]);
                udp_pair(round % 600 ? AF_INET : AF_INET6, s);
                for (int i = 0; i < 2; i++)
                    EXPECT_OK(set_int(s[i], SOL_SOCKET, SO_RCVBUF, 4096));
            }
            scribble(&control, sizeof(control));
            control.h.cmsg_len = noise() % 8 ? noise() % 64 : noise();
            control.h.cmsg_level = levels[noise() % 7];
            control.h.cmsg_type = (int)(noise() % 110);
            struct iovec v = {control.bytes, noise() % 200};
            struct msghdr m = {
                .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = noise() % 200};
            ssize_t n = sendmsg(s[0], &m, MSG_DONTWAIT | MSG_NOSIGNAL);
            EXPECT_TRUE(n >= 0 ? n == (ssize_t)v.iov_len : errno > 0);
            m.msg_controllen = noise() % 100;
            recvmsg(s[1], &m, MSG_DONTWAIT);
        }
        works();
    }
}

TEST(addresses) {
    IN_CHILD {
        fresh_net();
        seed = 3;
        for (int round = 0; round < 2000; round++) {
            unsigned char address[160];
            int fd = any_socket(round % KINDS);
            scribble(address, sizeof(address));
            unsigned short family = noise() % 2 ? AF_INET : AF_INET6;
            if (noise() % 4)
                memcpy(address, &family, 2);
            if (noise() % 2)
                memcpy(address + 4, "\x7f\0\0\1", 4);
            socklen_t length = noise() % 140;
            switch (noise() % 3) {
            case 0:
                bind(fd, (void *)address, length);
                break;
            case 1:
                if (round % KINDS < 2 || round % KINDS >= 6)  // those that do not block
                    connect(fd, (void *)address, length);
                break;
            default:
                sendto(fd, address, 10, MSG_NOSIGNAL | MSG_DONTWAIT, (void *)address, length);
            }
            shutdown(fd, (int)(noise() % 4));
            close(fd);
        }
        works();
    }
}
