// SPDX-License-Identifier: Apache-2.0
// covers: setsockopt, getsockopt, bind, connect, sendto, recvmsg
// Sockets that are tied to one device, and what fragments tell (man 7 socket SO_BINDTODEVICE, man 7 ip
// IP_UNICAST_IF); whose capabilities count for a socket's options (man 7 network_namespaces).
#include "inet_pair.h"
#include "rtnl.h"

#include <fcntl.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#define QUIET_MS 150

static void own_net(int flags) {
    if (unshare(CLONE_NEWNET | flags) < 0 && errno == EPERM && geteuid())
        _exit(77);
    ASSERT_EQ(rtnl_up("lo"), 0);
}
static void add_device(const char *name, const char *peer, const char *addr) {
    int err = rtnl_add_link("veth", name, peer, -1);
    if (err == EOPNOTSUPP)
        _exit(77);
    ASSERT_EQ(err, 0);
    ASSERT_EQ(rtnl_up(name), 0);
    ASSERT_EQ(rtnl_up(peer), 0);
    ASSERT_EQ(rtnl_add_addr(name, addr, 24), 0);
}
static void two_devices(void) {
    own_net(0);
    add_device("d0", "e0", "10.1.0.1");
    add_device("d1", "e1", "10.2.0.1");
}
static struct sockaddr_in at(const char *addr, int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {inet_addr(addr)}};
}
static int on_device(int type, const char *name, int port) {
    struct sockaddr_in any = at("0.0.0.0", port);
    int fd = ASSERT_OK(socket(AF_INET, type, 0));
    ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name) + 1));
    ASSERT_OK(bind(fd, (void *)&any, sizeof(any)));
    return fd;
}
static int got(int fd) {
    char c = 0;
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, QUIET_MS) == 1 && recv(fd, &c, 1, 0) == 1 ? c : 0;
}
static void say(const char *to, int port, char what) {
    struct sockaddr_in a = at(to, port);
    int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_EQ(sendto(fd, &what, 1, 0, (void *)&a, sizeof(a)), 1);
    close(fd);
}

TEST(names) {
    IN_CHILD {
        char name[IFNAMSIZ] = "x";
        socklen_t n = sizeof(name);
        two_devices();
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
        EXPECT_EQ(n, 0);
        EXPECT_ERRNO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nosuch", 7), ENODEV);
        EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "d1", 3));
        n = sizeof(name);
        EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
        EXPECT_STREQ(name, "d1");
        EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX), (int)if_nametoindex("d1"));
        EXPECT_OK(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)if_nametoindex("d0")));
        EXPECT_OK(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, 999));  // there may be one later
        EXPECT_ERRNO(set_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX, -1), EINVAL);
        EXPECT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 1));
        n = sizeof(name);
        EXPECT_OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n));
        EXPECT_EQ(n, 0);
    }
}

TEST(datagrams_come_by_the_device) {
    IN_CHILD {
        two_devices();
        int a = on_device(SOCK_DGRAM, "d0", 5000), b = on_device(SOCK_DGRAM, "d1", 5000);  // no conflict
        say("10.1.0.1", 5000, 'a');
        say("10.2.0.1", 5000, 'b');
        EXPECT_EQ(got(a), 'a');
        EXPECT_EQ(got(b), 'b');
        EXPECT_EQ(got(a), 0);
        int lo = on_device(SOCK_DGRAM, "lo", 5000);
        say("127.0.0.1", 5000, 'c');
        EXPECT_EQ(got(lo), 'c');
        close(lo);
        struct sockaddr_in any = at("0.0.0.0", 5000);
        int all = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        EXPECT_ERRNO(bind(all, (void *)&any, sizeof(any)), EADDRINUSE);
    }
}

TEST(who_is_tied_comes_first) {
    IN_CHILD {
        two_devices();
        struct sockaddr_in any = at("0.0.0.0", 5001);
        int one = 1, all = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        int tied = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        ASSERT_OK(setsockopt(all, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
        ASSERT_OK(setsockopt(tied, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
        ASSERT_OK(setsockopt(tied, SOL_SOCKET, SO_BINDTODEVICE, "d0", 3));
        ASSERT_OK(bind(tied, (void *)&any, sizeof(any)));
        ASSERT_OK(bind(all, (void *)&any, sizeof(any)));
        say("10.1.0.1", 5001, 'a');
        EXPECT_EQ(got(tied), 'a');
        say("10.2.0.1", 5001, 'b');
        EXPECT_EQ(got(all), 'b');
    }
}

TEST(connections_come_by_the_device) {
    IN_CHILD {
        two_devices();
        int server = on_device(SOCK_STREAM, "d0", 5002);
        ASSERT_OK(listen(server, 4));
        struct sockaddr_in good = at("10.1.0.1", 5002), bad = at("10.2.0.1", 5002);
        int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_ERRNO(connect(fd, (void *)&bad, sizeof(bad)), ECONNREFUSED);
        close(fd);
        fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_OK(connect(fd, (void *)&good, sizeof(good)));
        int s = ASSERT_OK(accept(server, NULL, NULL));
        EXPECT_EQ(int_option(s, SOL_SOCKET, SO_BINDTOIFINDEX), (int)if_nametoindex("d0"));
        EXPECT_EQ(send(fd, "x", 1, 0), 1);
        EXPECT_EQ(got(s), 'x');
    }
}

// Two networks that are alike, each behind a device of its own; which one is meant, the socket says.
struct far_end {
    int server[2];
};
static struct far_end two_alike(void) {
    struct far_end f;
    own_net(0);
    int here = ASSERT_OK(open("/proc/self/ns/net", O_RDONLY));
    for (int i = 0; i < 2; i++) {
        char near[] = "v0", far[] = "w0";
        near[1] += i, far[1] += i;
        ASSERT_OK(unshare(CLONE_NEWNET));
        int there = ASSERT_OK(open("/proc/self/ns/net", O_RDONLY));
        ASSERT_OK(setns(here, CLONE_NEWNET));
        int err = rtnl_add_link("veth", near, far, there);
        if (err == EOPNOTSUPP)
            _exit(77);
        ASSERT_EQ(err, 0);
        ASSERT_EQ(rtnl_up(near), 0);
        ASSERT_EQ(rtnl_add_addr(near, i ? "10.9.0.3" : "10.9.0.2", 24), 0);
        ASSERT_OK(setns(there, CLONE_NEWNET));
        ASSERT_EQ(rtnl_up(far), 0);
        ASSERT_EQ(rtnl_add_addr(far, "10.9.0.1", 24), 0);
        struct sockaddr_in any = at("0.0.0.0", 6000);
        f.server[i] = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        ASSERT_OK(bind(f.server[i], (void *)&any, sizeof(any)));
        ASSERT_OK(setns(here, CLONE_NEWNET));
        close(there);
    }
    close(here);
    return f;
}
static int arrives(int fd, char what) {
    char c = 0;
    EXPECT_TRUE(poll_for(fd, POLLIN) & POLLIN);
    EXPECT_EQ(recv(fd, &c, 1, 0), 1);
    return c == what;
}
TEST(goes_by_the_device) {
    IN_CHILD {
        struct far_end f = two_alike();
        struct sockaddr_in to = at("10.9.0.1", 6000);
        for (int i = 0; i < 2; i++) {
            int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
            ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, i ? "v1" : "v0", 3));
            EXPECT_EQ(sendto(fd, "a", 1, 0, (void *)&to, sizeof(to)), 1);
            EXPECT_TRUE(arrives(f.server[i], 'a'));
            ASSERT_OK(connect(fd, (void *)&to, sizeof(to)));
            EXPECT_EQ(send(fd, "b", 1, 0), 1);
            EXPECT_TRUE(arrives(f.server[i], 'b'));
            close(fd);
        }
    }
}
TEST(unicast_interface) {
    IN_CHILD {
        struct far_end f = two_alike();
        struct sockaddr_in to = at("10.9.0.1", 6000);
        for (int i = 0; i < 2; i++) {
            int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
            int index = (int)htonl(if_nametoindex(i ? "v1" : "v0"));
            ASSERT_OK(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, index));
            EXPECT_EQ(int_option(fd, IPPROTO_IP, IP_UNICAST_IF), index);
            EXPECT_EQ(sendto(fd, "c", 1, 0, (void *)&to, sizeof(to)), 1);
            EXPECT_TRUE(arrives(f.server[i], 'c'));
            EXPECT_ERRNO(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(999)), EADDRNOTAVAIL);
            ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "v0", 3));
            EXPECT_ERRNO(set_int(fd, IPPROTO_IP, IP_UNICAST_IF, index), EINVAL);
            close(fd);
        }
    }
}
TEST(the_device_goes) {
    IN_CHILD {
        two_devices();
        struct sockaddr_in to = at("10.2.0.9", 9);
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "d1", 3));
        EXPECT_EQ(sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)), 1);
        ASSERT_EQ(rtnl_del_link("d1"), 0);
        EXPECT_TRUE(sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)) < 0);
    }
}

// ---- Fragments --------------------------------------------------------------------------------------------
static void fragments(int family, int level, int option, int size) {
    static char data[4000];
    int s[2];
    own_net(0);
    if (rtnl_set_int("lo", IFLA_MTU, 1500) != 0)
        _exit(77);
    udp_pair(family, s);
    ASSERT_OK(set_int(s[1], level, option, 1));
    EXPECT_EQ(send(s[0], data, 100, 0), 100);
    EXPECT_EQ(send(s[0], data, sizeof(data), 0), (ssize_t)sizeof(data));
    for (int i = 0; i < 2; i++) {
        char room[128];
        struct iovec v = {data, sizeof(data)};
        struct msghdr m = {
            .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
        EXPECT_EQ(recvmsg(s[1], &m, 0), i ? (ssize_t)sizeof(data) : 100);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        EXPECT_EQ(c != NULL, i == 1);
        int v1 = 0;
        if (c) {
            EXPECT_EQ(c->cmsg_level, level);
            EXPECT_EQ(c->cmsg_type, option);
            memcpy(&v1, CMSG_DATA(c), sizeof(v1));
            EXPECT_EQ(v1, size);
        }
    }
}
TEST(fragment_size4) {
    IN_CHILD { fragments(AF_INET, IPPROTO_IP, 25 /* IP_RECVFRAGSIZE */, 1500); }
}
TEST(fragment_size6) {
    IN_CHILD { fragments(AF_INET6, IPPROTO_IPV6, 77 /* IPV6_RECVFRAGSIZE */, 1496); }
}

// ---- Capabilities -----------------------------------------------------------------------------------------
// In a user namespace of one's own one may what its network allows; over a socket from outside of it nothing.
TEST(capabilities_of_the_sockets_namespace) {
    IN_CHILD {
        int outer = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            _exit(77);
        int inner = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        EXPECT_ERRNO(set_int(outer, SOL_SOCKET, SO_MARK, 1), EPERM);
        EXPECT_OK(set_int(inner, SOL_SOCKET, SO_MARK, 1));
        EXPECT_ERRNO(set_int(outer, SOL_SOCKET, SO_PRIORITY, 7), EPERM);
        EXPECT_OK(set_int(inner, SOL_SOCKET, SO_PRIORITY, 7));
        EXPECT_OK(setsockopt(outer, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));  // the first time all may
        EXPECT_ERRNO(setsockopt(outer, SOL_SOCKET, SO_BINDTODEVICE, "", 1), EPERM);
        EXPECT_OK(setsockopt(inner, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
        EXPECT_OK(setsockopt(inner, SOL_SOCKET, SO_BINDTODEVICE, "", 1));
        EXPECT_ERRNO(set_int(outer, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20), EPERM);
        struct ifreq r = {.ifr_name = "lo", .ifr_mtu = 1500};
        EXPECT_ERRNO(ioctl(outer, SIOCSIFMTU, &r), EPERM);
        EXPECT_ERRNO(ioctl(outer, SIOCDARP, &r), EPERM);
        EXPECT_OK(ioctl(inner, SIOCSIFMTU, &r));
    }
}
