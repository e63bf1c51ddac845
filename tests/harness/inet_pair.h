// SPDX-License-Identifier: Apache-2.0
// Inet sockets on the loopback, of either family, for tests: ports are the kernel's choice.
#pragma once
#include "guest.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

union inet_addr {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage room;
};

GUEST_FN union inet_addr loopback(int family, int port) {
    union inet_addr a = {.room = {0}};
    a.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a.in.sin_port = htons((uint16_t)port);
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        a.in6.sin6_port = htons((uint16_t)port);
        a.in6.sin6_addr = in6addr_loopback;
    }
    return a;
}
GUEST_FN socklen_t addr_size(int family) {
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}
GUEST_FN int port_of(int fd) {
    union inet_addr a;
    socklen_t length = sizeof(a);
    ASSERT_OK(getsockname(fd, &a.any, &length));
    return ntohs(a.in.sin_port);  // at the same place in both
}
GUEST_FN int peer_port_of(int fd) {
    union inet_addr a;
    socklen_t length = sizeof(a);
    ASSERT_OK(getpeername(fd, &a.any, &length));
    return ntohs(a.in.sin_port);
}
// type: with SOCK_NONBLOCK and so on
GUEST_FN int bound_socket(int family, int type) {
    int fd = ASSERT_OK(socket(family, type, 0));
    union inet_addr a = loopback(family, 0);
    ASSERT_OK(bind(fd, &a.any, addr_size(family)));
    return fd;
}
GUEST_FN int listener(int family, int type) {
    int fd = bound_socket(family, SOCK_STREAM | type);
    ASSERT_OK(listen(fd, 16));
    return fd;
}
GUEST_FN int connect_to(int fd, int family, int port) {
    union inet_addr a = loopback(family, port);
    return connect(fd, &a.any, addr_size(family));
}
GUEST_FN int connected(int family, int port) {
    int fd = ASSERT_OK(socket(family, SOCK_STREAM, 0));
    ASSERT_OK(connect_to(fd, family, port));
    return fd;
}
// s[0] has connected, s[1] was accepted.
GUEST_FN void tcp_pair(int family, int s[2]) {
    int server = listener(family, 0);
    s[0] = connected(family, port_of(server));
    s[1] = ASSERT_OK(accept(server, NULL, NULL));
    close(server);
}
// Two datagram sockets that are connected to each other.
GUEST_FN void udp_pair(int family, int s[2]) {
    s[0] = bound_socket(family, SOCK_DGRAM);
    s[1] = bound_socket(family, SOCK_DGRAM);
    ASSERT_OK(connect_to(s[0], family, port_of(s[1])));
    ASSERT_OK(connect_to(s[1], family, port_of(s[0])));
}
// A port on which nobody is.
GUEST_FN int free_port(int family, int type) {
    int fd = bound_socket(family, type), port = port_of(fd);
    close(fd);
    return port;
}
GUEST_FN short poll_now(int fd) {
    struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0};
    return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}
// Waits for what the other end's action brings: on a real machine that is not always there at once.
GUEST_FN short poll_for(int fd, short events) {
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, 5000) < 0 ? -1 : p.revents;
}
GUEST_FN int int_option(int fd, int level, int name) {
    int value = -12345;
    socklen_t length = sizeof(value);
    EXPECT_OK(getsockopt(fd, level, name, &value, &length));
    EXPECT_EQ(length, sizeof(value));
    return value;
}
GUEST_FN int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof(value));
}
#define BOTH_FAMILIES(family) for (int family = AF_INET; family; family = family == AF_INET ? AF_INET6 : 0)
