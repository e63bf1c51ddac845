// SPDX-License-Identifier: Apache-2.0
// covers: sendto, recvfrom, ioctl, poll
// Out-of-band bytes of unix streams (MSG_OOB since Linux 5.15: queue_oob(), manage_oob() in
// net/unix/af_unix.c), SIOCATMARK, SIOCOUTQ.
#include "guest.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int s[2];

static void pair(int type)
{
    ASSERT_OK(socketpair(AF_UNIX, type, 0, s));
}
static void done(void)
{
    close(s[0]);
    close(s[1]);
}
static int mark(void)
{
    int at = -1;
    EXPECT_OK(ioctl(s[1], SIOCATMARK, &at));
    return at;
}
static int events(void)
{
    struct pollfd p = {s[1], POLLIN | POLLPRI, 0};
    EXPECT_OK(poll(&p, 1, 0));
    return p.revents;
}
static void expect(const char *text, int flags)
{
    char got[64] = {0};
    int n = recv(s[1], got, sizeof(got) - 1, flags | MSG_DONTWAIT);
    EXPECT_EQ(n, (int)strlen(text));
    EXPECT_STREQ(got, text);
}

TEST(one_byte)
{
    pair(SOCK_STREAM);
    char c = 0;
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_OOB), EINVAL);
    EXPECT_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
    EXPECT_EQ(events(), POLLIN | POLLPRI);
    EXPECT_EQ(mark(), 0);
    EXPECT_EQ(recv(s[1], &c, 1, MSG_OOB | MSG_PEEK), 1);
    EXPECT_EQ(recv(s[1], &c, 1, MSG_OOB), 1);
    EXPECT_EQ(c, 'c');
    EXPECT_EQ(events(), POLLIN);
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_OOB), EINVAL);
    expect("ab", 0);
    EXPECT_EQ(mark(), 1);
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_DONTWAIT), EAGAIN);
    done();
}

TEST(reads_stop_at_it)
{
    pair(SOCK_STREAM);
    EXPECT_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
    EXPECT_EQ(send(s[0], "def", 3, 0), 3);
    expect("ab", MSG_PEEK);
    expect("ab", 0);
    EXPECT_EQ(mark(), 1);
    expect("def", 0);  // the urgent byte is read over
    char c;
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_OOB), EINVAL);
    done();
}

TEST(reads_stop_at_the_mark)
{
    pair(SOCK_STREAM);
    char c;
    EXPECT_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
    EXPECT_EQ(send(s[0], "def", 3, 0), 3);
    EXPECT_EQ(recv(s[1], &c, 1, MSG_OOB), 1);
    expect("ab", 0);
    EXPECT_EQ(mark(), 1);
    expect("def", 0);
    EXPECT_EQ(mark(), 0);
    done();
}

TEST(in_line)
{
    pair(SOCK_STREAM);
    int on = 1;
    char c;
    EXPECT_OK(setsockopt(s[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
    EXPECT_EQ(send(s[0], "abc", 3, MSG_OOB), 3);
    EXPECT_EQ(send(s[0], "def", 3, 0), 3);
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_OOB), EINVAL);
    expect("ab", 0);
    EXPECT_EQ(mark(), 1);
    expect("cdef", 0);
    done();
}

TEST(a_second_one)
{
    pair(SOCK_STREAM);
    char c;
    EXPECT_EQ(send(s[0], "a", 1, MSG_OOB), 1);
    EXPECT_EQ(send(s[0], "b", 1, MSG_OOB), 1);
    EXPECT_EQ(mark(), 0);
    EXPECT_EQ(recv(s[1], &c, 1, MSG_OOB), 1);
    EXPECT_EQ(c, 'b');
    expect("a", 0);  // the first one is a byte like others by now
    done();
}

TEST(refused)
{
    char c;
    pair(SOCK_STREAM);
    EXPECT_ERRNO(send(s[0], &c, 0, MSG_OOB), EOPNOTSUPP);
    done();
    pair(SOCK_DGRAM);
    EXPECT_ERRNO(send(s[0], "a", 1, MSG_OOB), EOPNOTSUPP);
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_OOB), EOPNOTSUPP);
    done();
    pair(SOCK_SEQPACKET);
    EXPECT_ERRNO(send(s[0], "a", 1, MSG_OOB), EOPNOTSUPP);
    EXPECT_ERRNO(recv(s[1], &c, 1, MSG_OOB | MSG_DONTWAIT), EOPNOTSUPP);
    done();
}

static int unread(int fd)
{
    int n = -1;
    EXPECT_OK(ioctl(fd, SIOCOUTQ, &n));
    return n;
}

static void counts_unread(int type)
{
    char buffer[8192] = {0};
    pair(type);
    EXPECT_EQ(unread(s[0]), 0);
    EXPECT_EQ(write(s[0], buffer, 4096), 4096);
    int one = unread(s[0]);
    EXPECT_GE(one, 4096);
    EXPECT_EQ(unread(s[1]), 0);
    EXPECT_EQ(write(s[0], buffer, 4096), 4096);
    EXPECT_GE(unread(s[0]), one + 4096);
    EXPECT_EQ(read(s[1], buffer, 4096), 4096);
    EXPECT_RANGE(unread(s[0]), 4096, 2 * one - 4096);
    EXPECT_EQ(read(s[1], buffer, 4096), 4096);
    EXPECT_EQ(unread(s[0]), 0);
    EXPECT_EQ(write(s[0], buffer, 4096), 4096);
    close(s[1]);
    EXPECT_EQ(unread(s[0]), 0);
    close(s[0]);
}

TEST(what_nobody_has_read)
{
    counts_unread(SOCK_STREAM);
    counts_unread(SOCK_DGRAM);
    counts_unread(SOCK_SEQPACKET);
}

TEST(ends)
{
    pair(SOCK_STREAM);
    char c;
    EXPECT_EQ(send(s[0], "a", 1, MSG_OOB), 1);
    EXPECT_EQ(recv(s[1], &c, 1, MSG_OOB), 1);
    close(s[1]);  // only the mark was left: no reset
    EXPECT_EQ(recv(s[0], &c, 1, 0), 0);
    close(s[0]);
    pair(SOCK_STREAM);
    EXPECT_EQ(send(s[0], "a", 1, MSG_OOB), 1);
    close(s[1]);
    EXPECT_ERRNO(recv(s[0], &c, 1, 0), ECONNRESET);
    close(s[0]);
}

// Marks of urgent bytes that have been read are passed, however many there are: none is an end.
TEST(marks_one_behind_the_other) {
    int p[2];
    char c;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(send(p[0], "u", 1, MSG_OOB), 1);
        ASSERT_EQ(recv(p[1], &c, 1, MSG_OOB), 1);
    }
    EXPECT_ERRNO(recv(p[1], &c, 1, MSG_DONTWAIT), EAGAIN);
    close(p[0]);
    close(p[1]);
}
