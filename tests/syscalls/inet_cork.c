// SPDX-License-Identifier: Apache-2.0
// covers: sendto, setsockopt
// One datagram of several sends: MSG_MORE and UDP_CORK (man 7 udp).
#include "inet_pair.h"

#define UDP_CORK_ 1

static int arrived(int s) {
    char b[70000];
    return (int)recv(s, b, sizeof(b), MSG_DONTWAIT);
}

TEST(more) {
    int s[2];
    char b[16];
    udp_pair(AF_INET, s);
    EXPECT_EQ(send(s[0], "abc", 3, MSG_MORE), 3);
    EXPECT_EQ(send(s[0], "", 0, MSG_MORE), 0);
    EXPECT_ERRNO(arrived(s[1]), EAGAIN);
    EXPECT_EQ(send(s[0], "defg", 4, 0), 4);
    EXPECT_EQ(recv(s[1], b, sizeof(b), 0), 7);
    EXPECT_MEMEQ(b, "abcdefg", 7);
    EXPECT_EQ(send(s[0], "next", 4, 0), 4);
    EXPECT_EQ(recv(s[1], b, sizeof(b), 0), 4);
    close(s[0]), close(s[1]);
}

TEST(corked_socket) {
    int s[2];
    udp_pair(AF_INET6, s);
    EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_CORK_, 1));
    EXPECT_EQ(int_option(s[0], IPPROTO_UDP, UDP_CORK_), 1);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(write(s[0], "0123456789", 10), 10);
    EXPECT_ERRNO(arrived(s[1]), EAGAIN);
    EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_CORK_, 0));
    EXPECT_EQ(arrived(s[1]), 100);
    EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_CORK_, 0));  // nothing waits
    EXPECT_ERRNO(arrived(s[1]), EAGAIN);
    close(s[0]), close(s[1]);
}

// The first part says where it goes.
TEST(first_address_counts) {
    int a = bound_socket(AF_INET, SOCK_DGRAM), b = bound_socket(AF_INET, SOCK_DGRAM);
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    union inet_addr to_a = loopback(AF_INET, port_of(a)), to_b = loopback(AF_INET, port_of(b));
    EXPECT_ERRNO(send(s, "x", 1, MSG_MORE), EDESTADDRREQ);
    EXPECT_EQ(sendto(s, "x", 1, MSG_MORE, &to_a.any, sizeof(to_a.in)), 1);
    EXPECT_EQ(sendto(s, "y", 1, 0, &to_b.any, sizeof(to_b.in)), 1);
    EXPECT_EQ(arrived(a), 2);
    EXPECT_ERRNO(arrived(b), EAGAIN);
    close(s), close(a), close(b);
}

TEST(too_long) {
    static char big[40000];
    int s[2];
    udp_pair(AF_INET, s);
    EXPECT_EQ(send(s[0], big, sizeof(big), MSG_MORE), sizeof(big));
    EXPECT_ERRNO(send(s[0], big, sizeof(big), MSG_MORE), EMSGSIZE);
    EXPECT_EQ(send(s[0], "z", 1, 0), 1);  // what waited is lost
    EXPECT_EQ(arrived(s[1]), 1);
    close(s[0]), close(s[1]);
}

TEST(closed_with_a_part) {
    int s[2];
    udp_pair(AF_INET, s);
    EXPECT_EQ(send(s[0], "abc", 3, MSG_MORE), 3);
    close(s[0]);
    EXPECT_ERRNO(arrived(s[1]), EAGAIN);
    close(s[1]);
}
