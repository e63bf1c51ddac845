// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, connect, sendto, recvfrom, sendmmsg, recvmmsg, shutdown
// Datagrams over the loopback, of both families (man 7 udp).
#include "inet_pair.h"

#include <sys/ioctl.h>

static char buffer[70000];

TEST(send_and_receive) {
    BOTH_FAMILIES(family) {
        int a = bound_socket(family, SOCK_DGRAM), b = ASSERT_OK(socket(family, SOCK_DGRAM, 0));
        union inet_addr to = loopback(family, port_of(a)), from;
        EXPECT_EQ(port_of(b), 0);
        EXPECT_EQ(sendto(b, "hello", 5, 0, &to.any, addr_size(family)), 5);
        EXPECT_GE(port_of(b), 1024);  // it has one now
        socklen_t length = sizeof(from);
        EXPECT_EQ(recvfrom(a, buffer, sizeof(buffer), 0, &from.any, &length), 5);
        EXPECT_MEMEQ(buffer, "hello", 5);
        EXPECT_EQ(length, addr_size(family));
        EXPECT_EQ(ntohs(from.in.sin_port), port_of(b));
        EXPECT_EQ(sendto(a, "", 0, 0, &from.any, length), 0);
        EXPECT_EQ(recv(b, buffer, sizeof(buffer), 0), 0);
        close(a);
        close(b);
    }
}

TEST(boundaries) {
    BOTH_FAMILIES(family) {
        int s[2];
        udp_pair(family, s);
        EXPECT_EQ(send(s[0], "first", 5, 0), 5);
        EXPECT_EQ(send(s[0], "second", 6, 0), 6);
        EXPECT_EQ(recv(s[1], buffer, 3, MSG_PEEK), 3);
        EXPECT_EQ(recv(s[1], buffer, 3, MSG_PEEK | MSG_TRUNC), 5);
        int n = 0;
        EXPECT_OK(ioctl(s[1], FIONREAD, &n));
        EXPECT_EQ(n, 5);
        struct iovec v = {buffer, 3};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        EXPECT_EQ(recvmsg(s[1], &m, 0), 3);  // the rest of it is lost
        EXPECT_EQ(m.msg_flags, MSG_TRUNC);
        EXPECT_EQ(recv(s[1], buffer, 100, 0), 6);
        EXPECT_MEMEQ(buffer, "second", 6);
        EXPECT_ERRNO(recv(s[1], buffer, 100, MSG_DONTWAIT), EAGAIN);
        close(s[0]);
        close(s[1]);
    }
}

TEST(sizes) {
    BOTH_FAMILIES(family) {
        int s[2], most = family == AF_INET ? 65507 : 65527;
        udp_pair(family, s);
        EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_RCVBUF, 200000));
        memset(buffer, 'x', sizeof(buffer));
        EXPECT_EQ(send(s[0], buffer, (size_t)most, 0), most);
        EXPECT_EQ(recv(s[1], buffer, sizeof(buffer), 0), most);
        EXPECT_ERRNO(send(s[0], buffer, (size_t)most + 1, 0), EMSGSIZE);
        EXPECT_ERRNO(send(s[0], buffer, sizeof(buffer), 0), EMSGSIZE);
        close(s[0]);
        close(s[1]);
    }
}

TEST(connected_hears_its_peer_alone) {
    BOTH_FAMILIES(family) {
        int s[2], other = bound_socket(family, SOCK_DGRAM);
        udp_pair(family, s);
        union inet_addr to = loopback(family, port_of(s[0]));
        EXPECT_EQ(sendto(other, "x", 1, 0, &to.any, addr_size(family)), 1);
        EXPECT_ERRNO(recv(s[0], buffer, 1, MSG_DONTWAIT), EAGAIN);
        to = loopback(family, port_of(other));
        EXPECT_EQ(sendto(s[0], "y", 1, 0, &to.any, addr_size(family)), 1);  // but may write to others
        EXPECT_EQ(recv(other, buffer, 1, 0), 1);
        struct sockaddr none = {.sa_family = AF_UNSPEC};
        EXPECT_OK(connect(s[0], &none, sizeof(none)));
        socklen_t length = sizeof(to);
        EXPECT_ERRNO(getpeername(s[0], &to.any, &length), ENOTCONN);
        EXPECT_ERRNO(send(s[0], "x", 1, 0), EDESTADDRREQ);
        to = loopback(family, port_of(s[0]));
        EXPECT_EQ(sendto(other, "z", 1, 0, &to.any, addr_size(family)), 1);
        EXPECT_EQ(recv(s[0], buffer, 1, 0), 1);
        close(other);
        close(s[0]);
        close(s[1]);
    }
}

TEST(nobody_there) {
    BOTH_FAMILIES(family) {
        int fd = ASSERT_OK(socket(family, SOCK_DGRAM, 0));
        ASSERT_OK(connect_to(fd, family, free_port(family, SOCK_DGRAM)));
        EXPECT_EQ(send(fd, "x", 1, 0), 1);
        EXPECT_TRUE(poll_for(fd, POLLIN) & POLLERR);
        EXPECT_ERRNO(recv(fd, buffer, 1, 0), ECONNREFUSED);
        EXPECT_ERRNO(recv(fd, buffer, 1, MSG_DONTWAIT), EAGAIN);
        EXPECT_EQ(send(fd, "x", 1, 0), 1);
        EXPECT_TRUE(poll_for(fd, POLLIN) & POLLERR);
        EXPECT_ERRNO(send(fd, "x", 1, 0), ECONNREFUSED);
        EXPECT_EQ(send(fd, "x", 1, 0), 1);
        EXPECT_TRUE(poll_for(fd, POLLIN) & POLLERR);
        EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
        close(fd);
        fd = ASSERT_OK(socket(family, SOCK_DGRAM, 0));  // one that is not connected is not told
        union inet_addr to = loopback(family, free_port(family, SOCK_DGRAM));
        EXPECT_EQ(sendto(fd, "x", 1, 0, &to.any, addr_size(family)), 1);
        sleep_ms(10);
        EXPECT_EQ(poll_now(fd), POLLOUT);
        close(fd);
    }
}

TEST(bad_targets) {
    int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    union inet_addr to = loopback(AF_INET, 0);
    EXPECT_ERRNO(sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)), EINVAL);  // port 0
    to = loopback(AF_INET, 9);
    EXPECT_ERRNO(sendto(fd, "x", 1, 0, &to.any, 15), EINVAL);
    to.any.sa_family = AF_INET6;
    EXPECT_ERRNO(sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)), EAFNOSUPPORT);
    to = loopback(AF_INET, 9);
    EXPECT_ERRNO(sendto(fd, "x", 1, MSG_OOB, &to.any, sizeof(to.in)), EOPNOTSUPP);
    EXPECT_ERRNO(recv(fd, buffer, 1, MSG_OOB | MSG_DONTWAIT), EAGAIN);
    to.any.sa_family = AF_UNSPEC;
    EXPECT_EQ(sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)), 1);  // an old way to say AF_INET
    EXPECT_ERRNO(sendto(fd, no_access_page(), 1, 0, &to.any, sizeof(to.in)), EFAULT);
    close(fd);
}

TEST(shut) {
    int s[2];
    udp_pair(AF_INET, s);
    EXPECT_OK(shutdown(s[0], SHUT_WR));
    EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(send(s[1], "x", 1, 0), 1);
    EXPECT_EQ(recv(s[0], buffer, 1, 0), 1);
    EXPECT_OK(shutdown(s[0], SHUT_RD));
    EXPECT_EQ(recv(s[0], buffer, 1, 0), 0);
    EXPECT_EQ(poll_now(s[0]) & (POLLIN | POLLRDHUP | POLLHUP), POLLIN | POLLRDHUP | POLLHUP);
    close(s[0]);
    close(s[1]);
    int fd = bound_socket(AF_INET, SOCK_DGRAM);
    EXPECT_ERRNO(shutdown(fd, SHUT_RD), ENOTCONN);
    EXPECT_EQ(recv(fd, buffer, 1, 0), 0);  // and yet
    close(fd);
}

TEST(many_at_once) {
    int s[2];
    udp_pair(AF_INET6, s);
    char data[8][16], in[8][16];
    struct iovec v[8], w[8];
    struct mmsghdr out[8] = {0}, got[8] = {0};
    for (int i = 0; i < 8; i++) {
        memset(data[i], 'a' + i, sizeof(data[i]));
        v[i] = (struct iovec){data[i], (size_t)i + 1};
        w[i] = (struct iovec){in[i], sizeof(in[i])};
        out[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
        got[i].msg_hdr = (struct msghdr){.msg_iov = &w[i], .msg_iovlen = 1};
    }
    EXPECT_EQ(sendmmsg(s[0], out, 8, 0), 8);
    EXPECT_EQ(out[7].msg_len, 8);
    EXPECT_EQ(recvmmsg(s[1], got, 8, MSG_WAITFORONE, NULL), 8);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(got[i].msg_len, i + 1);
        EXPECT_MEMEQ(in[i], data[i], (size_t)i + 1);
    }
    EXPECT_ERRNO(recvmmsg(s[1], got, 8, MSG_DONTWAIT, NULL), EAGAIN);
    close(s[0]);
    close(s[1]);
}

TEST(full_queue_loses) {
    int s[2], n = 0;
    udp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_RCVBUF, 4096));
    for (int i = 0; i < 100; i++)
        EXPECT_EQ(send(s[0], buffer, 1000, 0), 1000);
    while (recv(s[1], buffer, sizeof(buffer), MSG_DONTWAIT) == 1000)
        n++;
    EXPECT_RANGE(n, 2, 20);
    EXPECT_EQ(send(s[0], "x", 1, 0), 1);
    EXPECT_EQ(recv(s[1], buffer, sizeof(buffer), 0), 1);
    close(s[0]);
    close(s[1]);
}

TEST(ports) {
    int a = bound_socket(AF_INET, SOCK_DGRAM), b = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    union inet_addr at = loopback(AF_INET, port_of(a));
    EXPECT_ERRNO(bind(b, &at.any, sizeof(at.in)), EADDRINUSE);
    EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_OK(set_int(b, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_OK(bind(b, &at.any, sizeof(at.in)));
    EXPECT_ERRNO(bind(b, &at.any, sizeof(at.in)), EINVAL);
    close(a);
    close(b);
    // TCP has ports of its own; on a busy machine that very one may be somebody's.
    bool both = false;
    for (int i = 0; i < 20 && !both; i++) {
        int udp = bound_socket(AF_INET, SOCK_DGRAM), tcp = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        at = loopback(AF_INET, port_of(udp));
        both = bind(tcp, &at.any, sizeof(at.in)) == 0;
        close(udp);
        close(tcp);
    }
    EXPECT_TRUE(both);
}
