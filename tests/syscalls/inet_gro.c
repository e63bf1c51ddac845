// SPDX-License-Identifier: Apache-2.0
// covers: recvmsg, setsockopt
// UDP_GRO, udp(7): what was sent as one with UDP_SEGMENT is read as one, with the size of its datagrams,
// where the reader asks for it; what was sent by itself, by another or to be looked at stays as it is.
#include "inet_pair.h"

#include <netinet/udp.h>
#include <sys/uio.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// How many bytes came; *size: what UDP_GRO says, 0 when nothing.
static ssize_t take(int fd, char *to, size_t room, int flags, int *size) {
    union {
        struct cmsghdr h;
        char room[256];
    } control;
    struct iovec v = {to, room};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, flags | MSG_DONTWAIT);
    *size = 0;
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            memcpy(size, CMSG_DATA(c), sizeof(*size));
    return n;
}

TEST(read_as_they_were_sent) {
    static char out[5000], in[9000];
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char)(i * 7);
    BOTH_FAMILIES(family) {
        int s[2], size;
        udp_pair(family, s);
        EXPECT_EQ(int_option(s[1], IPPROTO_UDP, UDP_GRO), 0);
        EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_SEGMENT, 700));
        EXPECT_EQ(send(s[0], out, 1500, 0), 1500);  // not asked for: one by one
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 700);
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 700);
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 100);
        EXPECT_OK(set_int(s[1], IPPROTO_UDP, UDP_GRO, 1));
        EXPECT_EQ(int_option(s[1], IPPROTO_UDP, UDP_GRO), 1);
        EXPECT_EQ(send(s[0], out, sizeof(out), 0), sizeof(out));
        EXPECT_EQ(send(s[0], out, 1400, 0), 1400);
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), sizeof(out));
        EXPECT_EQ(size, 700);
        EXPECT_MEMEQ(in, out, sizeof(out));
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 1400);
        EXPECT_EQ(size, 700);
        EXPECT_ERRNO(take(s[1], in, sizeof(in), 0, &size), EAGAIN);
        close(s[0]);
        close(s[1]);
    }
}

TEST(what_stays_apart) {
    static char out[3000], in[9000];
    BOTH_FAMILIES(family) {
        int s[2], size;
        udp_pair(family, s);
        EXPECT_OK(set_int(s[1], IPPROTO_UDP, UDP_GRO, 1));
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(send(s[0], out, 700, 0), 700);
        for (int i = 0; i < 3; i++) {
            EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 700);
            EXPECT_EQ(size, 0);
        }
        EXPECT_OK(set_int(s[0], IPPROTO_UDP, UDP_SEGMENT, 1000));
        EXPECT_EQ(send(s[0], out, 900, 0), 900);  // one datagram is no more than that
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 900);
        EXPECT_EQ(size, 0);
        EXPECT_EQ(send(s[0], "", 0, 0), 0);
        EXPECT_EQ(take(s[1], in, sizeof(in), 0, &size), 0);
        EXPECT_ERRNO(take(s[1], in, sizeof(in), 0, &size), EAGAIN);
        close(s[0]);
        close(s[1]);
    }
}
