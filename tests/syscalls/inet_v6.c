// SPDX-License-Identifier: Apache-2.0
// covers: bind, connect, accept, getsockname, getpeername
// IPv6 sockets that speak IPv4 too, and who shares a port with whom (man 7 ipv6).
#include "inet_pair.h"

static char bytes[64];
static int six_any(int type, int only, int port) {
    int fd = ASSERT_OK(socket(AF_INET6, type, 0));
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
    EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, only));
    if (bind(fd, (void *)&any, sizeof(any)) < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}
static int four_any(int type, int port) {
    int fd = ASSERT_OK(socket(AF_INET, type, 0));
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    if (bind(fd, (void *)&any, sizeof(any)) < 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}
static struct sockaddr_in6 mapped(int port) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
    memcpy(&a.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    return a;
}

TEST(ipv4_comes_to_an_ipv6_listener) {
    int server = six_any(SOCK_STREAM, 0, 0);
    ASSERT_OK(listen(server, 4));
    int client = connected(AF_INET, port_of(server));
    union inet_addr a;
    socklen_t length = sizeof(a);
    int fd = ASSERT_OK(accept(server, &a.any, &length));
    EXPECT_EQ(length, sizeof(a.in6));
    EXPECT_EQ(a.any.sa_family, AF_INET6);
    EXPECT_MEMEQ(&a.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    length = sizeof(a);
    EXPECT_OK(getsockname(fd, &a.any, &length));
    EXPECT_MEMEQ(&a.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    EXPECT_EQ(write(client, "x", 1), 1);
    EXPECT_EQ(read(fd, bytes, 2), 1);
    close(fd);
    close(client);
    client = connected(AF_INET6, port_of(server));
    fd = ASSERT_OK(accept(server, NULL, NULL));
    close(fd);
    close(client);
    close(server);
    server = six_any(SOCK_STREAM, 1, 0);
    ASSERT_OK(listen(server, 4));
    client = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_ERRNO(connect_to(client, AF_INET, port_of(server)), ECONNREFUSED);
    close(client);
    close(server);
}

TEST(mapped_addresses) {
    int server = listener(AF_INET, 0), fd = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    struct sockaddr_in6 to = mapped(port_of(server)), at;
    EXPECT_OK(connect(fd, (void *)&to, sizeof(to)));
    socklen_t length = sizeof(at);
    EXPECT_OK(getpeername(fd, (void *)&at, &length));
    EXPECT_MEMEQ(&at, &to, sizeof(to));
    close(fd);
    fd = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    EXPECT_OK(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    EXPECT_ERRNO(connect(fd, (void *)&to, sizeof(to)), ENETUNREACH);
    to = mapped(0);
    EXPECT_ERRNO(bind(fd, (void *)&to, sizeof(to)), EINVAL);
    close(fd);
    fd = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    EXPECT_OK(bind(fd, (void *)&to, sizeof(to)));
    EXPECT_ERRNO(connect_to(fd, AF_INET6, port_of(server)), EAFNOSUPPORT);
    close(fd);
    close(server);
}

TEST(datagrams) {
    int six = six_any(SOCK_DGRAM, 0, 0), four = bound_socket(AF_INET, SOCK_DGRAM);
    union inet_addr to = loopback(AF_INET, port_of(six)), from;
    EXPECT_EQ(sendto(four, "abc", 3, 0, &to.any, sizeof(to.in)), 3);
    socklen_t length = sizeof(from);
    EXPECT_EQ(recvfrom(six, bytes, 8, 0, &from.any, &length), 3);
    EXPECT_EQ(length, sizeof(from.in6));
    struct sockaddr_in6 want = mapped(port_of(four));
    EXPECT_MEMEQ(&from.in6, &want, sizeof(want));
    EXPECT_EQ(sendto(six, "defg", 4, 0, &from.any, length), 4);
    EXPECT_EQ(recvfrom(four, bytes, 8, 0, &from.any, &length), 4);
    EXPECT_EQ(from.any.sa_family, AF_INET);
    to = loopback(AF_INET, port_of(four));
    EXPECT_EQ(sendto(six, "h", 1, 0, &to.any, sizeof(to.in)), 1);  // an address of the other family, as it is
    EXPECT_EQ(recv(four, bytes, 8, 0), 1);
    to = loopback(AF_INET6, 9);
    EXPECT_ERRNO(sendto(four, "h", 1, 0, &to.any, sizeof(to.in6)), EAFNOSUPPORT);
    close(six);
    close(four);
}

TEST(shared_ports) {
    int six = six_any(SOCK_STREAM, 0, 0);
    EXPECT_ERRNO(four_any(SOCK_STREAM, port_of(six)), EADDRINUSE);
    close(six);
    six = six_any(SOCK_STREAM, 1, 0);
    int four = four_any(SOCK_STREAM, port_of(six));
    EXPECT_GE(four, 0);
    EXPECT_ERRNO(six_any(SOCK_STREAM, 0, port_of(six)), EADDRINUSE);
    close(four);
    close(six);
    four = four_any(SOCK_DGRAM, 0);
    EXPECT_ERRNO(six_any(SOCK_DGRAM, 0, port_of(four)), EADDRINUSE);
    six = six_any(SOCK_DGRAM, 1, port_of(four));
    EXPECT_GE(six, 0);
    close(four);
    close(six);
}

TEST(privileged_ports) {
    IN_CHILD {
        if (getuid() == 0)
            ASSERT_OK(setresuid(12345, 12345, 12345));
        int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        union inet_addr a = loopback(AF_INET, 1);
        FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
        int first = 1024;
        if (f) {
            EXPECT_EQ(fscanf(f, "%d", &first), 1);
            fclose(f);
        }
        if (first > 1)
            EXPECT_ERRNO(bind(fd, &a.any, sizeof(a.in)), EACCES);
        EXPECT_ERRNO(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
        EXPECT_ERRNO(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
    }
}
