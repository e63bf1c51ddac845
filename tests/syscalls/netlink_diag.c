// SPDX-License-Identifier: Apache-2.0
// covers: socket, sendto, recvfrom
// Lists of inet sockets as ss(8) asks for them (man 7 sock_diag).
#include "inet_pair.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/un.h>

struct ask {
    struct nlmsghdr h;
    struct inet_diag_req_v2 r;
};
static union {
    struct nlmsghdr h;
    char bytes[32768];
} got;

static int diag_socket(void) {
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (s < 0)
        SKIP("no sock_diag here");
    return s;
}
static struct ask request(int family, int protocol, unsigned states) {
    return (struct ask){.h = {sizeof(struct ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 7, 0},
                        .r = {.sdiag_family = (unsigned char)family,
                              .sdiag_protocol = (unsigned char)protocol,
                              .idiag_states = states}};
}
static int error_of(int s, const struct ask *q) {
    EXPECT_EQ(send(s, q, q->h.nlmsg_len, 0), q->h.nlmsg_len);
    ASSERT_TRUE(recv(s, &got, sizeof(got), 0) >= (ssize_t)sizeof(got.h) + 4);
    EXPECT_TRUE(got.h.nlmsg_type == NLMSG_ERROR || got.h.nlmsg_type == NLMSG_DONE);
    return -*(int *)NLMSG_DATA(&got.h);
}
// The one with those ports (remote 0: any), or false; *n: how many there were.
static bool find(int s, const struct ask *q, int local, int remote, struct inet_diag_msg *out, int *n) {
    bool found = false;
    *n = 0;
    EXPECT_EQ(send(s, q, sizeof(*q), 0), sizeof(*q));
    for (;;) {
        ssize_t size = recv(s, &got, sizeof(got), 0);
        ASSERT_TRUE(size > 0);
        for (struct nlmsghdr *h = &got.h; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
            if (h->nlmsg_type == NLMSG_DONE)
                return found;
            ASSERT_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
            EXPECT_EQ(h->nlmsg_seq, 7);
            struct inet_diag_msg *m = NLMSG_DATA(h);
            ++*n;
            if (ntohs(m->id.idiag_sport) == local && (!remote || ntohs(m->id.idiag_dport) == remote)) {
                *out = *m;
                found = true;
            }
        }
    }
}

TEST(streams) {
    int s = diag_socket(), n;
    BOTH_FAMILIES(family) {
        int server = listener(family, 0), client = connected(family, port_of(server)),
            fd = ASSERT_OK(accept(server, NULL, NULL));
        struct stat st;
        struct inet_diag_msg m;
        struct ask q = request(family, IPPROTO_TCP, 1u << TCP_LISTEN);
        ASSERT_OK(fstat(server, &st));
        ASSERT_TRUE(find(s, &q, port_of(server), 0, &m, &n));
        EXPECT_EQ(m.idiag_family, family);
        EXPECT_EQ(m.idiag_state, TCP_LISTEN);
        EXPECT_EQ(m.idiag_inode, st.st_ino);
        EXPECT_EQ(m.idiag_uid, getuid());
        EXPECT_EQ(m.idiag_wqueue, 16);
        EXPECT_EQ(write(client, "abc", 3), 3);
        ASSERT_EQ(poll_for(fd, POLLIN), POLLIN);
        q = request(family, IPPROTO_TCP, 1u << TCP_ESTABLISHED);
        ASSERT_TRUE(find(s, &q, port_of(fd), port_of(client), &m, &n));
        EXPECT_EQ(m.idiag_rqueue, 3);
        union inet_addr a = loopback(family, 0);
        if (family == AF_INET)
            EXPECT_MEMEQ(m.id.idiag_dst, &a.in.sin_addr, 4);
        else
            EXPECT_MEMEQ(m.id.idiag_dst, &a.in6.sin6_addr, 16);
        q = request(family, IPPROTO_TCP, 1u << TCP_SYN_SENT);
        EXPECT_TRUE(!find(s, &q, port_of(fd), port_of(client), &m, &n));
        close(fd);
        close(client);
        close(server);
    }
    close(s);
}

// More than one datagram of the answer holds.
TEST(many) {
    enum { N = 200 };
    static int fds[N];
    int s = diag_socket(), n;
    struct inet_diag_msg m;
    for (int i = 0; i < N; i++)
        fds[i] = bound_socket(AF_INET, SOCK_STREAM);
    for (int i = 0; i < N; i++)
        ASSERT_OK(listen(fds[i], 1));
    struct ask q = request(AF_INET, IPPROTO_TCP, 1u << TCP_LISTEN);
    EXPECT_TRUE(find(s, &q, port_of(fds[0]), 0, &m, &n));
    EXPECT_GE(n, N);
    EXPECT_TRUE(find(s, &q, port_of(fds[N - 1]), 0, &m, &n));
    for (int i = 0; i < N; i++)
        close(fds[i]);
    close(s);
}

TEST(refused) {
    int s = diag_socket();
    struct ask q = request(250, IPPROTO_TCP, ~0u);
    int err = error_of(s, &q);
    EXPECT_TRUE(err == ENOENT || err == EINVAL);
    q = request(AF_INET, IPPROTO_TCP, ~0u);
    q.h.nlmsg_len = sizeof(q.h) + 1;
    EXPECT_EQ(error_of(s, &q), EINVAL);
    q = request(AF_INET, IPPROTO_TCP, ~0u);
    q.h.nlmsg_len = sizeof(q.h) + 8;
    EXPECT_EQ(error_of(s, &q), EINVAL);
    close(s);
}

// unix_diag: a listener with its name and backlog, found among all and by its inode; /proc/net/unix has it.
TEST(unix_sockets) {
    struct sockaddr_un a = {AF_UNIX, {0}};
    socklen_t len = sizeof(a);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), s = diag_socket();
    ASSERT_OK(bind(l, (void *)&a, sizeof(sa_family_t)));
    ASSERT_OK(listen(l, 7));
    ASSERT_OK(getsockname(l, (void *)&a, &len));
    struct stat st;
    ASSERT_OK(fstat(l, &st));
    struct {
        struct nlmsghdr h;
        struct unix_diag_req r;
    } q = {.h = {.nlmsg_len = sizeof(q), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
           .r = {.sdiag_family = AF_UNIX,
                 .udiag_ino = (unsigned)st.st_ino,
                 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN,
                 .udiag_cookie = {~0u, ~0u}}};
    char b[4096];
    EXPECT_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
    ASSERT_TRUE(recv(s, b, sizeof(b), 0) > 0);
    struct nlmsghdr *h = (void *)b;
    ASSERT_TRUE(h->nlmsg_type == SOCK_DIAG_BY_FAMILY);
    struct unix_diag_msg *m = NLMSG_DATA(h);
    EXPECT_EQ(m->udiag_state, TCP_LISTEN);
    EXPECT_EQ(m->udiag_type, SOCK_STREAM);
    int found = 0, left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*m)));
    for (struct rtattr *r = (void *)(m + 1); RTA_OK(r, left); r = RTA_NEXT(r, left)) {
        if (r->rta_type == UNIX_DIAG_NAME)
            found += RTA_PAYLOAD(r) == len - 2 && !memcmp(RTA_DATA(r), a.sun_path, len - 2);
        if (r->rta_type == UNIX_DIAG_RQLEN)
            found += ((struct unix_diag_rqlen *)RTA_DATA(r))->udiag_wqueue == 7;
    }
    EXPECT_EQ(found, 2);
    q.r.udiag_ino = 0x7ffffff0;
    EXPECT_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
    ASSERT_TRUE(recv(s, b, sizeof(b), 0) > 0);
    EXPECT_EQ(((struct nlmsgerr *)NLMSG_DATA(h))->error, -ENOENT);
    static char text[1 << 16];
    get_file("/proc/net/unix", text, sizeof(text) - 1);
    char want[32];
    snprintf(want, sizeof(want), " %lu @%.5s", (unsigned long)st.st_ino, a.sun_path + 1);
    EXPECT_TRUE(strstr(text, want) != NULL);
    close(s);
    close(l);
}
