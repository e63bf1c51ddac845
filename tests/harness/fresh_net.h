// SPDX-License-Identifier: Apache-2.0
// For tests of a network that nobody has configured: natively a child in a new network namespace; inside
// Picket it is what there is.
#pragma once
#include "guest.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// In a child, before anything else. Ends it as skipped where the machine has a network and gives no
// namespace.
GUEST_FN void fresh_net(void)
{
    if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
        return;
    struct ifreq r = {.ifr_ifindex = 2};
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    bool other_links = ioctl(s, SIOCGIFNAME, &r) == 0;
    strcpy(r.ifr_name, "lo");
    bool up = ioctl(s, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP);
    close(s);
    if (other_links || up)
        SKIP("no namespace without a network to be had");
}
