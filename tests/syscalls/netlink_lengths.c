// SPDX-License-Identifier: Apache-2.0
// covers: getsockopt
// NETLINK_LIST_MEMBERSHIPS, netlink(7): the length that it would take is told however little room there is,
// and nothing is written behind that room (netlink_getsockopt()).
#include "guest.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#ifndef NETLINK_LIST_MEMBERSHIPS
#define NETLINK_LIST_MEMBERSHIPS 9
#endif

TEST(memberships) {
    int fd = ASSERT_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), group = 1;
    struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    ASSERT_OK(bind(fd, (void *)&any, sizeof(any)));
    EXPECT_OK(setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
    for (socklen_t room = 0; room <= 12; room++) {
        unsigned char b[16];
        socklen_t n = room;
        memset(b, 0xa5, sizeof(b));
        EXPECT_OK(getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, b, &n));
        EXPECT_GE(n, 4);
        EXPECT_EQ(n % 4, 0);
        if (room >= 4)
            EXPECT_EQ(b[0], 1);
        for (size_t i = room; i < sizeof(b); i++)
            EXPECT_EQ(b[i], 0xa5);
    }
}
