// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, listen, accept, getsockname, getsockopt, setsockopt, shutdown
// What sockets of the inet families do on any machine, with a network or without: types, options, ports of
// the wildcard address, refusals (man 7 ip, man 7 tcp).
#include "guest.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

static int port_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    EXPECT_OK(getsockname(fd, (void *)&address, &length));
    EXPECT_EQ(length, sizeof(address));
    EXPECT_EQ(address.sin_family, AF_INET);
    return ntohs(address.sin_port);
}

TEST(types)
{
    EXPECT_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    EXPECT_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    EXPECT_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    int s[2];
    EXPECT_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, s), EOPNOTSUPP);
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), value;
    socklen_t length = sizeof(value);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &value, &length));
    EXPECT_EQ(value, IPPROTO_TCP);
    close(fd);
}

TEST(ports)
{
    int a = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), b = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in any = {.sin_family = AF_INET};
    EXPECT_EQ(port_of(a), 0);
    EXPECT_ERRNO(bind(a, (void *)&any, 4), EINVAL);
    EXPECT_OK(bind(a, (void *)&any, sizeof(any)));
    int port = port_of(a);
    EXPECT_RANGE(port, 1024, 65535);
    EXPECT_ERRNO(bind(a, (void *)&any, sizeof(any)), EINVAL);
    any.sin_port = htons(port);
    EXPECT_ERRNO(bind(b, (void *)&any, sizeof(any)), EADDRINUSE);
    close(a);
    EXPECT_OK(bind(b, (void *)&any, sizeof(any)));
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007101)};
    int c = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_ERRNO(bind(c, (void *)&far, sizeof(far)), EADDRNOTAVAIL);
    far.sin_family = AF_INET6;
    EXPECT_ERRNO(bind(c, (void *)&far, sizeof(far)), EAFNOSUPPORT);
    close(b);
    close(c);
}

TEST(listening)
{
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    EXPECT_ERRNO(accept(fd, NULL, NULL), EINVAL);
    EXPECT_ERRNO(shutdown(fd, SHUT_RDWR), ENOTCONN);
    EXPECT_OK(listen(fd, 5));
    EXPECT_GE(port_of(fd), 1024);
    EXPECT_ERRNO(accept(fd, NULL, NULL), EAGAIN);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    int udp = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_ERRNO(listen(udp, 1), EOPNOTSUPP);
    EXPECT_ERRNO(accept(udp, NULL, NULL), EOPNOTSUPP);
    close(udp);
    close(fd);
}

TEST(options)
{
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), value = 1;
    socklen_t length = sizeof(value);
    EXPECT_OK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)));
    value = 0;
    EXPECT_OK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length));
    EXPECT_EQ(value, 1);
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, sizeof(value)));
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, sizeof(value)));
    EXPECT_OK(getsockopt(fd, IPPROTO_IP, IP_TTL, &value, &length));
    EXPECT_EQ(value, 64);
    EXPECT_ERRNO(getsockopt(fd, IPPROTO_TCP, 9999, &value, &length), ENOPROTOOPT);
    value = 10000;
    EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof(value)));
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &length));
    EXPECT_EQ(value, 20000);
    close(fd);
}

TEST(not_connected)
{
    int tcp = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), udp = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    char c;
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    EXPECT_ERRNO(getpeername(tcp, (void *)&address, &length), ENOTCONN);
    EXPECT_ERRNO(recv(tcp, &c, 1, 0), ENOTCONN);
    EXPECT_ERRNO(send(tcp, "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_ERRNO(send(udp, "x", 1, 0), EDESTADDRREQ);
    EXPECT_ERRNO(recv(udp, &c, 1, MSG_DONTWAIT), EAGAIN);
    struct pollfd p[2] = {{tcp, POLLIN | POLLOUT, 0}, {udp, POLLIN | POLLOUT, 0}};
    EXPECT_EQ(poll(p, 2, 0), 2);
    EXPECT_EQ(p[0].revents, POLLOUT | POLLHUP);
    EXPECT_EQ(p[1].revents, POLLOUT);
    close(tcp);
    close(udp);
}
