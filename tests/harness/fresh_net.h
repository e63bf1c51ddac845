// SPDX-License-Identifier: Apache-2.0
// For tests of a network that has nothing but a loopback: natively a child in a new network namespace; inside
// Picket it is what there is.
#pragma once
#include "guest.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

GUEST_FN int lo_flags(int s, int set) {
    struct ifreq r = {.ifr_flags = (short)set};
    strcpy(r.ifr_name, "lo");
    if (set >= 0)
        ASSERT_OK(ioctl(s, SIOCSIFFLAGS, &r));
    ASSERT_OK(ioctl(s, SIOCGIFFLAGS, &r));
    return (unsigned short)r.ifr_flags;
}

// In a child, before anything else. Afterwards there is the loopback alone, and it is up. Ends the test as
// skipped where the machine has other links and gives no namespace.
GUEST_FN void fresh_net(void)
{
    bool own = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct ifreq r = {.ifr_ifindex = 2};
    if (!own && ioctl(s, SIOCGIFNAME, &r) == 0)
        SKIP("no namespace without other links to be had");
    if (!(lo_flags(s, -1) & IFF_UP))
        lo_flags(s, IFF_UP | IFF_RUNNING);
    close(s);
}
