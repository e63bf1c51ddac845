// SPDX-License-Identifier: Apache-2.0
// covers: open, read, setsockopt, ioctl
// What is told of the devices of a namespace: /sys/class/net, /proc/net/{route,arp,igmp,dev_mcast,packet},
// and /proc/sys/net of each link (man 5 proc, Documentation/networking/ip-sysctl.rst); where IPV6_PKTINFO of
// a socket sends to and from (RFC 3542 6.7).
#include "inet_pair.h"
#include "rtnl.h"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>

static char text[1 << 16];

// A pair, d0 with an address; d1 in the same namespace.
static void a_pair(void) {
    if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
        _exit(77);
    ASSERT_EQ(rtnl_up("lo"), 0);
    int err = rtnl_add_link("veth", "d0", "d1", -1);
    if (err == EOPNOTSUPP)
        _exit(77);
    ASSERT_EQ(err, 0);
    ASSERT_EQ(rtnl_up("d0"), 0);
    ASSERT_EQ(rtnl_up("d1"), 0);
    ASSERT_EQ(rtnl_add_addr("d0", "10.1.2.3", 24), 0);
}
static const char *all_of(const char *path) {
    text[0] = '\0';
    EXPECT_TRUE(get_file(path, text, sizeof(text)) >= 0);
    return text;
}
static bool has(const char *path, const char *part) { return strstr(all_of(path), part) != NULL; }

TEST(routes) {
    IN_CHILD {
        a_pair();
        ASSERT_EQ(rtnl_add_gateway("10.1.2.1"), 0);
        EXPECT_TRUE(has("/proc/net/route", "d0\t0002010A\t00000000\t0001\t"));
        EXPECT_TRUE(has("/proc/net/route", "\t00FFFFFF\t"));
        EXPECT_TRUE(has("/proc/net/route", "d0\t00000000\t0102010A\t0003\t"));
        int lines = 0;
        for (const char *at = all_of("/proc/net/route"); (at = strchr(at, '\n')); at++)
            lines++;
        EXPECT_EQ(lines, 3);  // the heading, the network, the way out
    }
}

TEST(groups) {
    IN_CHILD {
        a_pair();
        struct ip_mreqn m = {{inet_addr("239.1.2.3")}, {0}, (int)if_nametoindex("d0")};
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        EXPECT_TRUE(has("/proc/net/igmp", "d0"));
        EXPECT_TRUE(has("/proc/net/igmp", "010000E0"));
        EXPECT_TRUE(!has("/proc/net/igmp", "030201EF"));
        ASSERT_OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
        EXPECT_TRUE(has("/proc/net/igmp", "030201EF     1"));
        EXPECT_TRUE(has("/proc/net/dev_mcast", "01005e010203"));
        close(fd);
        EXPECT_TRUE(!has("/proc/net/igmp", "030201EF"));
    }
}

TEST(packet_sockets) {
    IN_CHILD {
        a_pair();
        struct stat st;
        char part[32];
        int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ARP));
        if (fd < 0 && errno == EPERM)
            _exit(77);
        ASSERT_OK(fd);
        ASSERT_OK(fstat(fd, &st));
        snprintf(part, sizeof(part), " %lu", (unsigned long)st.st_ino);
        EXPECT_TRUE(has("/proc/net/packet", part));
        EXPECT_TRUE(has("/proc/net/packet", " 0806 "));
        close(fd);
        EXPECT_TRUE(!has("/proc/net/packet", part));
    }
}

TEST(settings_of_a_link) {
    IN_CHILD {
        a_pair();
        int fd = open("/proc/sys/net/ipv6/conf/d0/accept_dad", O_RDWR);
        ASSERT_OK(fd);
        EXPECT_EQ(read(fd, text, 8), 2);
        EXPECT_EQ(pwrite(fd, "1", 1, 0), 1);
        EXPECT_EQ(pread(fd, text, 8, 0), 2);
        EXPECT_EQ(text[0], '1');
        EXPECT_EQ(pwrite(fd, "0", 1, 0), 1);
        EXPECT_EQ(pread(fd, text, 8, 0), 2);
        EXPECT_EQ(text[0], '0');
        close(fd);
        EXPECT_TRUE(!strcmp(all_of("/proc/sys/net/ipv6/conf/d0/disable_ipv6"), "0\n"));
        EXPECT_TRUE(!strcmp(all_of("/proc/sys/net/ipv6/conf/d0/mtu"), "1500\n"));
        EXPECT_OK(access("/proc/sys/net/ipv4/conf/d1/forwarding", R_OK));
        EXPECT_OK(access("/proc/sys/net/ipv4/conf/default/rp_filter", R_OK));
        ASSERT_EQ(rtnl_del_link("d0"), 0);
        EXPECT_ERRNO(access("/proc/sys/net/ipv6/conf/d0/mtu", R_OK), ENOENT);
    }
}

TEST(sticky_packet_information) {
    IN_CHILD {
        if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
            _exit(77);
        ASSERT_EQ(rtnl_up("lo"), 0);
        int to = bound_socket(AF_INET6, SOCK_DGRAM), fd = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
        struct {
            struct in6_addr addr;
            unsigned index;
        } info = {in6addr_loopback, 1}, none = {{{{0}}}, 0};
        char c;
        ASSERT_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info)));
        union inet_addr a = loopback(AF_INET6, port_of(to));
        EXPECT_EQ(sendto(fd, "a", 1, 0, &a.any, sizeof(a.in6)), 1);
        EXPECT_EQ(recv(to, &c, 1, 0), 1);
        ASSERT_OK(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &none, sizeof(none)));
        EXPECT_EQ(sendto(fd, "c", 1, 0, &a.any, sizeof(a.in6)), 1);
        EXPECT_ERRNO(setsockopt(fd, IPPROTO_IPV6, IPV6_PKTINFO, &none, 8), EINVAL);
    }
}

static struct arpreq about(const char *ip, int flags) {
    struct arpreq r = {.arp_flags = flags, .arp_dev = "d0"};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {inet_addr(ip)}};
    memcpy(&r.arp_pa, &in, sizeof(in));
    return r;
}
TEST(neighbours) {
    IN_CHILD {
        a_pair();
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), six = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
        struct arpreq r = about("10.1.2.9", ATF_COM | ATF_PERM);
        EXPECT_ERRNO(ioctl(fd, SIOCGARP, &r), ENXIO);
        r.arp_ha.sa_family = ARPHRD_ETHER;
        memcpy(r.arp_ha.sa_data, "\2\1\3\4\5\6", 6);
        ASSERT_OK(ioctl(fd, SIOCSARP, &r));
        EXPECT_TRUE(has("/proc/net/arp", "10.1.2.9         0x1         0x6         02:01:03:04:05:06 "));
        r = about("10.1.2.9", 0);
        EXPECT_OK(ioctl(fd, SIOCGARP, &r));
        EXPECT_EQ(r.arp_flags, ATF_COM | ATF_PERM);
        EXPECT_MEMEQ(r.arp_ha.sa_data, "\2\1\3\4\5\6", 6);
        EXPECT_TRUE(ioctl(six, SIOCGARP, &r) < 0);
        r = about("10.1.2.9", 0);
        EXPECT_OK(ioctl(fd, SIOCDARP, &r));
        EXPECT_ERRNO(ioctl(fd, SIOCGARP, &r), ENXIO);
        r.arp_pa.sa_family = AF_INET6;
        EXPECT_ERRNO(ioctl(fd, SIOCGARP, &r), EPFNOSUPPORT);
        r = about("10.1.2.9", 0);
        r.arp_dev[0] = 'x';
        EXPECT_ERRNO(ioctl(fd, SIOCGARP, &r), ENODEV);
        EXPECT_ERRNO(ioctl(fd, SIOCGARP, no_access_page()), EFAULT);
    }
}

TEST(changes_by_requests) {
    IN_CHILD {
        a_pair();
        struct ifreq r = {.ifr_name = "d0"};
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {inet_addr("10.7.0.1")}};
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        r.ifr_mtu = 1400;
        ASSERT_OK(ioctl(fd, SIOCSIFMTU, &r));
        r.ifr_mtu = 0;
        ASSERT_OK(ioctl(fd, SIOCGIFMTU, &r));
        EXPECT_EQ(r.ifr_mtu, 1400);
        r.ifr_mtu = -1;
        EXPECT_ERRNO(ioctl(fd, SIOCSIFMTU, &r), EINVAL);
        memcpy(&r.ifr_addr, &in, sizeof(in));
        ASSERT_OK(ioctl(fd, SIOCSIFADDR, &r));
        ASSERT_OK(ioctl(fd, SIOCGIFNETMASK, &r));
        EXPECT_EQ(((struct sockaddr_in *)&r.ifr_netmask)->sin_addr.s_addr, inet_addr("255.0.0.0"));
        in.sin_addr.s_addr = inet_addr("255.255.0.0");
        memcpy(&r.ifr_netmask, &in, sizeof(in));
        ASSERT_OK(ioctl(fd, SIOCSIFNETMASK, &r));
        EXPECT_TRUE(has("/proc/net/route", "d0\t0000070A\t00000000\t0001"));
        EXPECT_TRUE(has("/proc/net/route", "\t0000FFFF\t"));
        in.sin_addr.s_addr = inet_addr("255.0.255.0");
        memcpy(&r.ifr_netmask, &in, sizeof(in));
        EXPECT_ERRNO(ioctl(fd, SIOCSIFNETMASK, &r), EINVAL);
        in.sin_addr.s_addr = 0;
        memcpy(&r.ifr_addr, &in, sizeof(in));
        EXPECT_OK(ioctl(fd, SIOCSIFADDR, &r));
        EXPECT_ERRNO(ioctl(fd, SIOCGIFADDR, &r), EADDRNOTAVAIL);
    }
}

// IPV6_CHECKSUM of a raw socket, RFC 3542 3.1: at any place of what is sent.
TEST(checksum_far_behind) {
    IN_CHILD {
        static char data[3000], got[3000];
        a_pair();
        int s = socket(AF_INET6, SOCK_RAW, 200), to = socket(AF_INET6, SOCK_RAW, 200);
        if (s < 0 && errno == EPERM)
            _exit(77);
        ASSERT_OK(to);
        union inet_addr a = loopback(AF_INET6, 0);
        ASSERT_OK(set_int(s, IPPROTO_IPV6, IPV6_CHECKSUM, 2016));
        ASSERT_OK(set_int(to, IPPROTO_IPV6, IPV6_CHECKSUM, 2016));
        ASSERT_EQ(sendto(s, data, sizeof(data), 0, &a.any, sizeof(a.in6)), (ssize_t)sizeof(data));
        EXPECT_EQ(recv(to, got, sizeof(got), 0), (ssize_t)sizeof(got));
        EXPECT_TRUE(got[2016] || got[2017]);
        EXPECT_TRUE(!got[2015] && !got[2018]);
        EXPECT_ERRNO(sendto(s, data, 2017, 0, &a.any, sizeof(a.in6)), EINVAL);
    }
}
