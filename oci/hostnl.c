// SPDX-License-Identifier: Apache-2.0
// See hostnl.h. One request at a time; what the kernel says is read with its lengths compared all the same.
#include "oci/hostnl.h"
#include "base/cleanup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int hostnl_open(struct hostnl *r) {
    const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
    r->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (r->fd < 0)
        return -errno;
    if (bind(r->fd, (const struct sockaddr *)&any, sizeof any) == 0)
        return 0;
    int err = -errno;
    close(r->fd);
    r->fd = -1;
    return err;
}

void hostnl_free(struct hostnl_list *l) {
    free(l->p);
    *l = (struct hostnl_list){0};
}

static int send_request(struct hostnl *r, uint16_t type, uint16_t flags, const void *body, size_t n) {
    struct nlmsghdr h = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(n),
                         .nlmsg_type = type,
                         .nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
                         .nlmsg_seq = ++r->seq};
    struct iovec v[2] = {{&h, sizeof h}, {(void *)(uintptr_t)body, n}};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    struct msghdr m = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = v, .msg_iovlen = 2};
    return TEMP_FAILURE_RETRY(sendmsg(r->fd, &m, 0)) < 0 ? -errno : 0;
}

// A datagram behind what the list has; its length, or -errno.
static ssize_t receive(struct hostnl *r, struct hostnl_list *l) {
    ssize_t n = TEMP_FAILURE_RETRY(recv(r->fd, NULL, 0, MSG_PEEK | MSG_TRUNC));
    if (n < 0)
        return -errno;
    size_t want = NLMSG_ALIGN(l->len) + (size_t)n;
    if (want > HOSTNL_LIST_MAX)
        return -E2BIG;
    if (want > l->cap) {
        char *p = realloc(l->p, want * 2);
        if (!p)
            return -ENOMEM;
        l->p = p;
        l->cap = want * 2;
    }
    memset(l->p + l->len, 0, NLMSG_ALIGN(l->len) - l->len);
    l->len = NLMSG_ALIGN(l->len);
    n = TEMP_FAILURE_RETRY(recv(r->fd, l->p + l->len, l->cap - l->len, 0));
    return n < 0 ? -errno : n;
}

const struct nlmsghdr *hostnl_next(const struct hostnl_list *l, size_t *at, size_t least) {
    while (*at < l->len && l->len - *at >= sizeof(struct nlmsghdr)) {
        const struct nlmsghdr *m = (const void *)(l->p + *at);
        if (m->nlmsg_len < sizeof *m || m->nlmsg_len > l->len - *at)
            break;
        *at += NLMSG_ALIGN(m->nlmsg_len);
        if (m->nlmsg_len >= NLMSG_LENGTH(least))
            return m;
    }
    return NULL;
}

const void *hostnl_attr(const struct nlmsghdr *m, size_t fixed, uint16_t type, size_t least) {
    size_t at = NLMSG_LENGTH(NLMSG_ALIGN(fixed));
    while (at < m->nlmsg_len && m->nlmsg_len - at >= sizeof(struct rtattr)) {
        const struct rtattr *a = (const void *)((const char *)m + at);
        if (a->rta_len < sizeof *a || a->rta_len > m->nlmsg_len - at)
            break;
        if ((a->rta_type & NLA_TYPE_MASK) == type)
            return RTA_PAYLOAD(a) >= least ? RTA_DATA(a) : NULL;
        at += RTA_ALIGN(a->rta_len);
    }
    return NULL;
}

// What ends a list, or answers a change: 1: not yet; 0 or -errno.
static int ended(const struct hostnl *r, const struct hostnl_list *l, size_t at) {
    for (const struct nlmsghdr *m; (m = hostnl_next(l, &at, 0));) {
        if (m->nlmsg_seq != r->seq)
            continue;
        if (m->nlmsg_type == NLMSG_DONE)
            return 0;
        const struct nlmsgerr *e = NLMSG_DATA(m);
        if (m->nlmsg_type == NLMSG_ERROR)
            return m->nlmsg_len < NLMSG_LENGTH(sizeof *e) || e->error > 0 ? -EPROTO : e->error;
    }
    return 1;
}

static int receive_all(struct hostnl *r, struct hostnl_list *l) {
    for (;;) {
        ssize_t n = receive(r, l);
        if (n < 0)
            return (int)n;
        size_t from = l->len;
        l->len += (size_t)n;
        int end = ended(r, l, from);
        if (end <= 0)
            return end;
    }
}

int hostnl_dump(struct hostnl *r, uint16_t type, uint8_t family, struct hostnl_list *out) {
    union {  // begins with the family, each of them
        struct ifinfomsg link;
        struct ifaddrmsg addr;
        struct rtmsg route;
    } body = {.link = {.ifi_family = family}};
    size_t n = sizeof body.link;
    if (type == RTM_GETADDR)
        n = sizeof body.addr;
    else if (type == RTM_GETROUTE)
        n = sizeof body.route;
    int err = send_request(r, type, NLM_F_DUMP, &body, n);
    return err < 0 ? err : receive_all(r, out);
}

int hostnl_change(struct hostnl *r, uint16_t type, uint16_t flags, const void *body, size_t n) {
    struct hostnl_list answer = {0};
    int err = send_request(r, type, (uint16_t)(flags | NLM_F_ACK), body, n);
    if (err == 0)
        err = receive_all(r, &answer);
    hostnl_free(&answer);
    return err;
}
