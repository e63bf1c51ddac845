// SPDX-License-Identifier: Apache-2.0
// covers: shutdown, recvfrom, sendto, ioctl, listen
// What sockets answer that were shut down, listen, or are not connected: the order of errors, and that a
// datagram socket tells its end to those alone who wait (man 2 shutdown, recv, send, 7 unix).
#include "guest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif

static char b[16];

static void streams(int family) {
    int s = ASSERT_OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
    EXPECT_ERRNO(recv(s, b, 1, MSG_OOB), EINVAL);
    EXPECT_ERRNO(recv(s, b, 1, 0), ENOTCONN);
    EXPECT_ERRNO(send(s, b, 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_OK(listen(s, 1));
    EXPECT_ERRNO(send(s, b, 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_ERRNO(recv(s, b, 1, 0), ENOTCONN);
    EXPECT_ERRNO(recv(s, b, 1, MSG_OOB), ENOTCONN);
    close(s);
}

static void datagrams(int family) {
    int s = ASSERT_OK(socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    EXPECT_ERRNO(shutdown(s, SHUT_RDWR), ENOTCONN);
    EXPECT_ERRNO(send(s, b, 1, MSG_NOSIGNAL), EDESTADDRREQ);
    EXPECT_ERRNO(recv(s, b, 1, 0), EAGAIN);
    ASSERT_OK(fcntl(s, F_SETFL, 0));
    EXPECT_EQ(recv(s, b, 1, 0), 0);
    close(s);
}

TEST(inet) {
    streams(AF_INET);
    datagrams(AF_INET);
}

TEST(inet6) {
    int s = socket(AF_INET6, SOCK_STREAM, 0);
    if (s < 0)
        SKIP("no IPv6");
    close(s);
    streams(AF_INET6);
    datagrams(AF_INET6);
}

TEST(unix_datagrams) {
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
    ASSERT_OK(shutdown(s[0], SHUT_RD));
    EXPECT_ERRNO(recv(s[0], b, 1, 0), EAGAIN);
    ASSERT_OK(fcntl(s[0], F_SETFL, 0));
    EXPECT_EQ(recv(s[0], b, 1, 0), 0);
    ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s));
    ASSERT_OK(shutdown(s[0], SHUT_RD));
    EXPECT_EQ(recv(s[0], b, 1, 0), 0);
}

TEST(unix_ioctls) {
    int n, s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    if (ioctl(s[0], SIOCATMARK, &n) == -1 && errno == ENOTTY)
        SKIP("built without out-of-band data of unix sockets");
    EXPECT_ERRNO(ioctl(s[0], SIOCATMARK, &n), EOPNOTSUPP);
    int l = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    struct sockaddr name = {.sa_family = AF_UNIX};
    ASSERT_OK(bind(l, &name, sizeof(name.sa_family)));
    ASSERT_OK(listen(l, 1));
    EXPECT_OK(ioctl(l, TIOCOUTQ, &n));
    EXPECT_ERRNO(ioctl(l, FIONREAD, &n), EINVAL);
}
