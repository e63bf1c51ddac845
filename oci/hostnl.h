// SPDX-License-Identifier: Apache-2.0
// The host's NETLINK_ROUTE, rtnetlink(7), of the network namespace that we are in: lists as the kernel sends
// them, and changes. Errors are negative numbers of errno.
#ifndef OCI_HOSTNL_H
#define OCI_HOSTNL_H
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hostnl {
    int fd;
    uint32_t seq;
};
int hostnl_open(struct hostnl *r);

// Messages one after the other, as in a buffer of recv(2). Owned; freed by hostnl_free().
#define HOSTNL_LIST_MAX (4u << 20)  // bytes
struct hostnl_list {
    char *p;
    size_t len, cap;
};
void hostnl_free(struct hostnl_list *l);
// All of a kind (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE) and family, added to *out. 0 or -errno.
int hostnl_dump(struct hostnl *r, uint16_t type, uint8_t family, struct hostnl_list *out);
// The next message at *at, which is moved behind it; NULL: there is none. Its lengths are right, `least`
// bytes of body are there.
const struct nlmsghdr *hostnl_next(const struct hostnl_list *l, size_t *at, size_t least);
// An attribute behind the body of `fixed` bytes that has at least `least` bytes itself; NULL: it is missing.
const void *hostnl_attr(const struct nlmsghdr *m, size_t fixed, uint16_t type, size_t least);

// One request, a body with its attributes. 0 or -errno.
int hostnl_change(struct hostnl *r, uint16_t type, uint16_t flags, const void *body, size_t n);

#endif
