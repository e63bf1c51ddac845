// SPDX-License-Identifier: Apache-2.0
// covers: recvmsg, setsockopt
// What recvmsg(2) tells of a stream, TCP_INQ and time stamps, and SO_TIMESTAMPING (man 7 tcp, socket;
// Documentation/networking/timestamping.rst).
#include "inet_pair.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <time.h>

static void *find(struct msghdr *h, int level, int type) {
    for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m))
        if (m->cmsg_level == level && m->cmsg_type == type)
            return CMSG_DATA(m);
    return NULL;
}
static char control[512], bytes[64];
static struct msghdr header(size_t want) {
    static struct iovec v;
    v = (struct iovec){bytes, want};
    return (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof(control)};
}
static int is_now(int64_t seconds) { return llabs(seconds - (int64_t)time(NULL)) < 60; }

TEST(inq) {
    int s[2], left = -1;
    tcp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], IPPROTO_TCP, TCP_INQ, 1));
    EXPECT_ERRNO(set_int(s[1], IPPROTO_TCP, TCP_INQ, 2), EINVAL);
    EXPECT_EQ(write(s[0], "0123456789", 10), 10);
    struct msghdr h = header(4);
    EXPECT_EQ(recvmsg(s[1], &h, 0), 4);
    void *p = find(&h, IPPROTO_TCP, TCP_CM_INQ);
    ASSERT_TRUE(p);
    memcpy(&left, p, sizeof(left));
    EXPECT_EQ(left, 6);
    h = header(sizeof(bytes));
    EXPECT_EQ(recvmsg(s[1], &h, 0), 6);
    p = find(&h, IPPROTO_TCP, TCP_CM_INQ);
    ASSERT_TRUE(p);
    memcpy(&left, p, sizeof(left));
    EXPECT_EQ(left, 0);
    close(s[0]), close(s[1]);
}

TEST(stream_stamp) {
    int s[2];
    struct timeval tv;
    struct timespec ts;
    tcp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_TIMESTAMP, 1));
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    struct msghdr h = header(sizeof(bytes));
    EXPECT_EQ(recvmsg(s[1], &h, 0), 3);
    void *p = find(&h, SOL_SOCKET, SO_TIMESTAMP);
    ASSERT_TRUE(p);
    memcpy(&tv, p, sizeof(tv));
    EXPECT_TRUE(is_now(tv.tv_sec));
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_TIMESTAMPNS, 1));
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    h = header(sizeof(bytes));
    EXPECT_EQ(recvmsg(s[1], &h, 0), 3);
    EXPECT_TRUE(!find(&h, SOL_SOCKET, SO_TIMESTAMP));
    p = find(&h, SOL_SOCKET, SO_TIMESTAMPNS);
    ASSERT_TRUE(p);
    memcpy(&ts, p, sizeof(ts));
    EXPECT_TRUE(is_now(ts.tv_sec));
    close(s[0]), close(s[1]);
}

static void stamping(int s[2]) {
    struct timespec ts[3];
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE));
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    struct msghdr h = header(sizeof(bytes));
    EXPECT_EQ(recvmsg(s[1], &h, 0), 3);
    EXPECT_TRUE(!find(&h, SOL_SOCKET, SO_TIMESTAMPING));  // nobody asked for a report
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_TIMESTAMPING,
                      SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    h = header(sizeof(bytes));
    EXPECT_EQ(recvmsg(s[1], &h, 0), 3);
    void *p = find(&h, SOL_SOCKET, SO_TIMESTAMPING);
    ASSERT_TRUE(p);
    memcpy(ts, p, sizeof(ts));
    EXPECT_TRUE(is_now(ts[0].tv_sec));
    EXPECT_EQ(ts[1].tv_sec, 0);
    EXPECT_EQ(ts[2].tv_sec, 0);
    close(s[0]), close(s[1]);
}
TEST(stamping_datagram) {
    int s[2];
    udp_pair(AF_INET, s);
    stamping(s);
}
TEST(stamping_stream) {
    int s[2];
    tcp_pair(AF_INET6, s);
    stamping(s);
}

TEST(stamping_values) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), u = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    int got[2] = {-1, -1};
    socklen_t n = sizeof(got);
    EXPECT_ERRNO(set_int(u, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30), EINVAL);
    EXPECT_ERRNO(set_int(u, SOL_SOCKET, SO_TIMESTAMPING, -1), EINVAL);
    EXPECT_OK(set_int(u, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_ID));
    EXPECT_ERRNO(set_int(s, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_OPT_ID), EINVAL);
    EXPECT_OK(getsockopt(u, SOL_SOCKET, SO_TIMESTAMPING, got, &n));
    EXPECT_EQ(got[0], SOF_TIMESTAMPING_OPT_ID);
    EXPECT_EQ(got[1], 0);
    close(s), close(u);
}

// When a datagram was sent is told on the error queue, by number where that is asked for.
static void expect_sent(int fd, int family, int what, unsigned number) {
    struct msghdr h = header(sizeof(bytes));
    struct sock_extended_err ee = {.ee_errno = 0};
    struct timespec ts[3] = {{0, 0}};
    EXPECT_EQ(poll_for(fd, POLLERR) & POLLERR, POLLERR);
    EXPECT_EQ(recvmsg(fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT), 0);
    void *p = find(&h, SOL_SOCKET, SO_TIMESTAMPING);
    void *e = family == AF_INET ? find(&h, SOL_IP, IP_RECVERR) : find(&h, SOL_IPV6, IPV6_RECVERR);
    ASSERT_TRUE(p && e);
    memcpy(ts, p, sizeof(ts));
    memcpy(&ee, e, sizeof(ee));
    EXPECT_TRUE(is_now(ts[0].tv_sec));
    EXPECT_EQ(ee.ee_errno, ENOMSG);
    EXPECT_EQ(ee.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    EXPECT_EQ(ee.ee_info, what);
    EXPECT_EQ(ee.ee_data, number);
}
TEST(stamping_sent) {
    const int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY;
    BOTH_FAMILIES(family) {
        int s[2];
        udp_pair(family, s);
        EXPECT_OK(set_int(s[0], SOL_SOCKET, SO_TIMESTAMPING, flags | SOF_TIMESTAMPING_OPT_ID));
        EXPECT_EQ(poll_now(s[0]) & POLLERR, 0);
        for (unsigned i = 0; i < 3; i++) {
            EXPECT_EQ(write(s[0], "abc", 3), 3);
            expect_sent(s[0], family, 0, i);
        }
        EXPECT_ERRNO(recv(s[0], bytes, sizeof(bytes), MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
        EXPECT_EQ(poll_now(s[0]) & POLLERR, 0);
        EXPECT_OK(set_int(s[0], SOL_SOCKET, SO_TIMESTAMPING, 0));
        EXPECT_EQ(write(s[0], "abc", 3), 3);
        EXPECT_ERRNO(recv(s[0], bytes, sizeof(bytes), MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
        EXPECT_OK(set_int(s[0], SOL_SOCKET, SO_TIMESTAMPING,  // numbers begin again
                          flags | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_TX_SCHED));
        EXPECT_EQ(write(s[0], "abc", 3), 3);
        expect_sent(s[0], family, 1, 0);
        expect_sent(s[0], family, 0, 0);
        close(s[0]), close(s[1]);
    }
}
