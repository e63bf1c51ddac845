// SPDX-License-Identifier: Apache-2.0
// covers: socketpair, read, write, shutdown, sendto, recvfrom
// Connected pairs of all three types: streams, message boundaries, end of file, EPIPE (man 7 unix).
#include "guest.h"

#include <sys/socket.h>

TEST(stream)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    EXPECT_EQ(write(s[0], "def", 3), 3);
    char buffer[16] = {0};
    EXPECT_EQ(read(s[1], buffer, 16), 6);
    EXPECT_STREQ(buffer, "abcdef");
    EXPECT_EQ(write(s[1], "back", 4), 4);
    EXPECT_EQ(read(s[0], buffer, 2), 2);
    EXPECT_EQ(read(s[0], buffer, 16), 2);
    close(s[0]);
    EXPECT_EQ(read(s[1], buffer, 16), 0);
    EXPECT_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s[1]);
}

TEST(datagrams_keep_their_boundaries)
{
    int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        int s[2];
        ASSERT_OK(socketpair(AF_UNIX, types[i], 0, s));
        EXPECT_EQ(write(s[0], "long message", 12), 12);
        EXPECT_EQ(write(s[0], "2", 1), 1);
        char buffer[16] = {0};
        EXPECT_EQ(recv(s[1], buffer, 4, 0), 4);
        EXPECT_STREQ(buffer, "long");
        EXPECT_EQ(recv(s[1], buffer, 16, 0), 1);
        EXPECT_EQ(buffer[0], '2');
        EXPECT_ERRNO(recv(s[1], buffer, 16, MSG_DONTWAIT), EAGAIN);
        close(s[0]);
        close(s[1]);
    }
}

TEST(half_close)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
    EXPECT_EQ(fcntl(s[0], F_GETFD), FD_CLOEXEC);
    char c;
    EXPECT_ERRNO(read(s[1], &c, 1), EAGAIN);
    EXPECT_OK(shutdown(s[0], SHUT_WR));
    EXPECT_EQ(read(s[1], &c, 1), 0);
    EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(write(s[1], "x", 1), 1);
    EXPECT_EQ(read(s[0], &c, 1), 1);
    EXPECT_ERRNO(shutdown(s[0], 9), EINVAL);
    close(s[0]);
    close(s[1]);
}

TEST(sigpipe)
{
    pid_t pid = fork();
    if (pid == 0) {
        int s[2];
        socketpair(AF_UNIX, SOCK_STREAM, 0, s);
        close(s[1]);
        signal(SIGPIPE, SIG_DFL);
        _exit(write(s[0], "x", 1) == -1 ? 3 : 4);
    }
    EXPECT_EQ(wait_exit(pid), -SIGPIPE);
}

TEST(errors)
{
    int s[2];
    EXPECT_ERRNO(socketpair(AF_UNIX, SOCK_DCCP, 0, s), ESOCKTNOSUPPORT);
    EXPECT_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 77, s), EPROTONOSUPPORT);
    EXPECT_ERRNO(socketpair(9999, SOCK_STREAM, 0, s), EAFNOSUPPORT);
    EXPECT_ERRNO(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, KERNEL_POINTER), EFAULT);
}
