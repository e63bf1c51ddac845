// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, sendto, recvfrom, connect
// Datagram sockets: sender's address, connecting, refusals, truncation (man 7 unix).
#include "guest.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t fill(struct sockaddr_un *address, const char *name)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    strcpy(address->sun_path, name);
    return offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1;
}

static int bound(const char *name)
{
    struct sockaddr_un address;
    socklen_t length = fill(&address, name);
    int fd = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    ASSERT_OK(bind(fd, (void *)&address, length));
    return fd;
}

TEST(sender_address)
{
    in_tmpdir();
    int a = bound("a"), b = bound("b");
    struct sockaddr_un address, from;
    socklen_t length = fill(&address, "b"), from_length = sizeof(from);
    EXPECT_EQ(sendto(a, "hi", 2, 0, (void *)&address, length), 2);
    char buffer[8];
    EXPECT_EQ(recvfrom(b, buffer, 8, 0, (void *)&from, &from_length), 2);
    EXPECT_STREQ(from.sun_path, "a");
    EXPECT_EQ(sendto(b, "back", 4, 0, (void *)&from, from_length), 4);
    EXPECT_EQ(recv(a, buffer, 8, 0), 4);
    close(a);
    close(b);
}

TEST(connecting)
{
    in_tmpdir();
    int a = bound("a"), b = bound("b"), c = bound("c");
    struct sockaddr_un address;
    socklen_t length = fill(&address, "b");
    EXPECT_ERRNO(send(a, "x", 1, 0), ENOTCONN);
    EXPECT_OK(connect(a, (void *)&address, length));
    EXPECT_EQ(send(a, "x", 1, 0), 1);
    char buffer[8];
    EXPECT_EQ(recv(b, buffer, 8, 0), 1);
    length = fill(&address, "a");
    EXPECT_ERRNO(sendto(c, "x", 1, 0, (void *)&address, length), EPERM);
    close(b);
    EXPECT_ERRNO(send(a, "x", 1, 0), ECONNREFUSED);
    close(a);
    close(c);
}

TEST(truncation)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    EXPECT_EQ(send(s[0], "0123456789", 10, 0), 10);
    char buffer[4];
    EXPECT_EQ(recv(s[1], buffer, 4, MSG_PEEK), 4);
    EXPECT_EQ(recv(s[1], buffer, 4, MSG_PEEK | MSG_TRUNC), 10);
    struct iovec iov = {buffer, 4};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    EXPECT_EQ(recvmsg(s[1], &message, 0), 4);
    EXPECT_EQ(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
    EXPECT_EQ(send(s[0], "", 0, 0), 0);
    EXPECT_EQ(recv(s[1], buffer, 4, 0), 0);
    close(s[0]);
    close(s[1]);
}

TEST(missing_target)
{
    in_tmpdir();
    int a = bound("a");
    struct sockaddr_un address;
    socklen_t length = fill(&address, "missing");
    EXPECT_ERRNO(sendto(a, "x", 1, 0, (void *)&address, length), ENOENT);
    EXPECT_ERRNO(recv(a, &address, 1, MSG_DONTWAIT), EAGAIN);
    close(a);
}
