// SPDX-License-Identifier: Apache-2.0
// The host's NETLINK_ROUTE, rtnetlink(7), of the network namespace that we are in: lists as the kernel sends
// them, and changes. Errors are negative numbers of errno.
#ifndef OCI_RTNL_H
#define OCI_RTNL_H
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtnl {
    int fd;
    uint32_t seq;
};
int rtnl_open(struct rtnl *r);

// Messages one after the other, as in a buffer of recv(2). Owned; freed by rtnl_free().
#define RTNL_LIST_MAX (4u << 20)  // bytes
struct rtnl_list {
    char *p;
    size_t len, cap;
};
void rtnl_free(struct rtnl_list *l);
// All of a kind (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE) and family, added to *out. 0 or -errno.
int rtnl_dump(struct rtnl *r, uint16_t type, uint8_t family, struct rtnl_list *out);
// The next message at *at, which is moved behind it; NULL: there is none. Its lengths are right, `least`
// bytes of body are there.
const struct nlmsghdr *rtnl_next(const struct rtnl_list *l, size_t *at, size_t least);
// An attribute behind the body of `fixed` bytes that has at least `least` bytes itself; NULL: it is missing.
const void *rtnl_attr(const struct nlmsghdr *m, size_t fixed, uint16_t type, size_t least);

// One request, a body with its attributes. 0 or -errno.
int rtnl_change(struct rtnl *r, uint16_t type, uint16_t flags, const void *body, size_t n);

#endif
