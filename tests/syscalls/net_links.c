// SPDX-License-Identifier: Apache-2.0
// covers: ioctl
// Links as the requests of netdevice(7) on any socket and /proc/net/dev tell of them, where nobody has
// configured any.
#include "fresh_net.h"

#include <linux/sockios.h>
#include <net/if_arp.h>

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
    EXPECT_EQ((unsigned short)r.ifr_flags, IFF_LOOPBACK);
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
    EXPECT_EQ(c.ifc_len, 0);  // no link has an address
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
            struct ifreq r = about("lo");
            EXPECT_ERRNO(ioctl(s, asks[i], &r), EADDRNOTAVAIL);
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
        EXPECT_STREQ(line + 1, "    lo:       0       0    0    0    0     0          0         0"
                               "        0       0    0    0    0     0       0          0\n");
    }
}
