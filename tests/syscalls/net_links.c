// SPDX-License-Identifier: Apache-2.0
// covers: ioctl
// Links as the requests of netdevice(7) on any socket and /proc/net/dev tell of them, where there is a
// loopback alone; and what they do when it goes down.
#include "fresh_net.h"

#include <linux/sockios.h>
#include <net/if_arp.h>
#include <netinet/in.h>

static struct ifreq about(const char *name)
{
    struct ifreq r;
    memset(&r, 0x55, sizeof(r));
    memset(r.ifr_name, 0, sizeof(r.ifr_name));
    strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
    return r;
}
static void facts(int family)
{
    int s = ASSERT_OK(socket(family, SOCK_DGRAM, 0));
    struct ifreq r = about("lo");
    EXPECT_OK(ioctl(s, SIOCGIFINDEX, &r));
    EXPECT_EQ(r.ifr_ifindex, 1);
    r = about("lo");
    EXPECT_OK(ioctl(s, SIOCGIFFLAGS, &r));
    EXPECT_EQ((unsigned short)r.ifr_flags, IFF_LOOPBACK | IFF_UP | IFF_RUNNING);
    EXPECT_OK(ioctl(s, SIOCGIFMTU, &r));
    EXPECT_EQ(r.ifr_mtu, 65536);
    EXPECT_OK(ioctl(s, SIOCGIFMETRIC, &r));
    EXPECT_EQ(r.ifr_metric, 0);
    EXPECT_OK(ioctl(s, SIOCGIFTXQLEN, &r));
    EXPECT_EQ(r.ifr_qlen, 1000);
    EXPECT_OK(ioctl(s, SIOCGIFHWADDR, &r));
    EXPECT_EQ(r.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
    EXPECT_MEMEQ(r.ifr_hwaddr.sa_data, "\0\0\0\0\0\0", 6);
    r.ifr_ifindex = 1;
    strcpy(r.ifr_name, "other");
    EXPECT_OK(ioctl(s, SIOCGIFNAME, &r));
    EXPECT_STREQ(r.ifr_name, "lo");
    r.ifr_ifindex = 2;
    EXPECT_ERRNO(ioctl(s, SIOCGIFNAME, &r), ENODEV);
    r = about("eth0");
    EXPECT_ERRNO(ioctl(s, SIOCGIFINDEX, &r), ENODEV);
    EXPECT_ERRNO(ioctl(s, SIOCGIFFLAGS, &r), ENODEV);
    EXPECT_ERRNO(ioctl(s, SIOCGIFFLAGS, KERNEL_POINTER), EFAULT);
    r.ifr_data = NULL;
    EXPECT_ERRNO(ioctl(s, SIOCETHTOOL, &r), EFAULT);
    struct ifconf c = {.ifc_len = 0};
    EXPECT_OK(ioctl(s, SIOCGIFCONF, &c));
    EXPECT_EQ(c.ifc_len, (int)sizeof(r));
    struct ifreq all[3];
    c = (struct ifconf){.ifc_len = sizeof(all), .ifc_req = all};
    EXPECT_OK(ioctl(s, SIOCGIFCONF, &c));
    EXPECT_EQ(c.ifc_len, (int)sizeof(r));
    EXPECT_STREQ(all[0].ifr_name, "lo");
    EXPECT_MEMEQ(all[0].ifr_addr.sa_data + 2, "\x7f\0\0\1", 4);
    close(s);
}

TEST(on_any_socket)
{
    IN_CHILD {
        fresh_net();
        facts(AF_UNIX);
        facts(AF_INET);
        facts(AF_INET6);
        facts(AF_NETLINK);
    }
}
TEST(addresses)
{
    IN_CHILD {
        fresh_net();
        int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0)), other = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
        static const unsigned long asks[] = {SIOCGIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR, SIOCGIFNETMASK};
        for (int i = 0; i < 4; i++) {
            static const char *const answers[] = {"\x7f\0\0\1", "\x7f\0\0\1", "\0\0\0\0", "\xff\0\0\0"};
            struct ifreq r = about("lo");
            EXPECT_OK(ioctl(s, asks[i], &r));
            EXPECT_EQ(r.ifr_addr.sa_family, AF_INET);
            EXPECT_MEMEQ(r.ifr_addr.sa_data + 2, answers[i], 4);
            EXPECT_ERRNO(ioctl(other, asks[i], &r), ENOTTY);  // IPv4 has them
            r = about("eth0");
            EXPECT_ERRNO(ioctl(s, asks[i], &r), ENODEV);
        }
    }
}
TEST(in_proc)
{
    IN_CHILD {
        fresh_net();
        char text[2048];
        get_file("/proc/net/dev", text, sizeof(text));
        const char *line = strchr(text, '\n');
        ASSERT_TRUE(line && (line = strchr(line + 1, '\n')));
        unsigned long long rx[4], tx[4];
        ASSERT_EQ(sscanf(line + 1, "    lo: %llu %llu %llu %llu 0 0 0 0 %llu %llu %llu %llu 0 0 0 0\n",
                         &rx[0], &rx[1], &rx[2], &rx[3], &tx[0], &tx[1], &tx[2], &tx[3]),
                  8);
        EXPECT_EQ(rx[0], tx[0]);
        EXPECT_EQ(rx[1], tx[1]);
        EXPECT_TRUE(strchr(line + 1, '\n')[1] == 0);  // there is no other
    }
}

// Down, nothing comes through and there is no ::1; up again it is as before.
TEST(down_and_up) {
    IN_CHILD {
        fresh_net();
        int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct ifreq r = about("lo");
        r.ifr_flags = 0;
        if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
            SKIP("may not change links");
        EXPECT_EQ(lo_flags(s, -1), IFF_LOOPBACK);
        EXPECT_OK(connect(s, (void *)&to, sizeof(to)));
        for (int i = 0; i < 2; i++)
            EXPECT_EQ(send(s, "x", 1, 0), 1);  // nobody says that it is refused
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        int other = ASSERT_OK(socket(AF_INET6, SOCK_DGRAM, 0));
        EXPECT_ERRNO(bind(other, (void *)&six, sizeof(six)), EADDRNOTAVAIL);
        EXPECT_EQ(lo_flags(s, IFF_UP), IFF_LOOPBACK | IFF_UP | IFF_RUNNING);
        EXPECT_OK(bind(other, (void *)&six, sizeof(six)));
        EXPECT_EQ(send(s, "x", 1, 0), 1);
        EXPECT_ERRNO(send(s, "x", 1, 0), ECONNREFUSED);
        r = about("none");
        EXPECT_ERRNO(ioctl(s, SIOCSIFFLAGS, &r), ENODEV);
    }
}
