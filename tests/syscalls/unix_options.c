// SPDX-License-Identifier: Apache-2.0
// covers: getsockopt, setsockopt, recvfrom, sendmmsg, recvmmsg
// SO_PEERCRED, SO_TYPE, SO_PASSCRED, timeouts, MSG_PEEK, MSG_WAITALL (man 7 socket).
#include "guest.h"

#include <sys/socket.h>

static int integer(int fd, int option)
{
    int value = -1;
    socklen_t length = sizeof(value);
    EXPECT_OK(getsockopt(fd, SOL_SOCKET, option, &value, &length));
    EXPECT_EQ(length, sizeof(value));
    return value;
}

TEST(queries)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    EXPECT_EQ(integer(s[0], SO_TYPE), SOCK_SEQPACKET);
    EXPECT_EQ(integer(s[0], SO_DOMAIN), AF_UNIX);
    EXPECT_EQ(integer(s[0], SO_ERROR), 0);
    EXPECT_EQ(integer(s[0], SO_ACCEPTCONN), 0);
    EXPECT_GE(integer(s[0], SO_SNDBUF), 1024);
    struct ucred credentials;
    socklen_t length = sizeof(credentials);
    EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &credentials, &length));
    EXPECT_EQ(credentials.pid, getpid());
    EXPECT_EQ(credentials.uid, geteuid());
    EXPECT_EQ(credentials.gid, getegid());
    close(s[0]);
    close(s[1]);
}

TEST(peek_and_waitall)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    char buffer[8] = {0};
    EXPECT_EQ(write(s[0], "abcd", 4), 4);
    EXPECT_EQ(recv(s[1], buffer, 2, MSG_PEEK), 2);
    EXPECT_EQ(recv(s[1], buffer, 4, MSG_PEEK), 4);
    pid_t pid = fork();
    if (pid == 0) {
        sleep_ms(30);
        _exit(write(s[0], "efgh", 4) != 4);
    }
    EXPECT_EQ(recv(s[1], buffer, 8, MSG_WAITALL), 8);
    EXPECT_MEMEQ(buffer, "abcdefgh", 8);
    EXPECT_EQ(wait_exit(pid), 0);
    close(s[0]);
    close(s[1]);
}

TEST(receive_timeout)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct timeval tv = {0, 40000};
    EXPECT_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
    int64_t start = now_ms();
    char c;
    EXPECT_ERRNO(read(s[0], &c, 1), EAGAIN);
    EXPECT_GE(now_ms() - start, 30);
    close(s[0]);
    close(s[1]);
}

TEST(passed_credentials)
{
    int s[2], on = 1;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    EXPECT_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    EXPECT_EQ(send(s[0], "x", 1, 0), 1);
    char control[256] __attribute__((aligned(8))), byte;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 256};
    EXPECT_EQ(recvmsg(s[1], &message, 0), 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->cmsg_type, SCM_CREDENTIALS);
    struct ucred *credentials = (void *)CMSG_DATA(header);
    EXPECT_EQ(credentials->pid, getpid());
    EXPECT_EQ(credentials->uid, geteuid());
    close(s[0]);
    close(s[1]);
}

TEST(many_messages)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    char text[2][4] = {"one", "two"}, back[3][4] = {{0}};
    struct iovec out[2] = {{text[0], 3}, {text[1], 3}}, in[3] = {{back[0], 4}, {back[1], 4}, {back[2], 4}};
    struct mmsghdr send[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}},
                              {.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};
    struct mmsghdr receive[3] = {{.msg_hdr = {.msg_iov = &in[0], .msg_iovlen = 1}},
                                 {.msg_hdr = {.msg_iov = &in[1], .msg_iovlen = 1}},
                                 {.msg_hdr = {.msg_iov = &in[2], .msg_iovlen = 1}}};
    EXPECT_EQ(sendmmsg(s[0], send, 2, 0), 2);
    EXPECT_EQ(recvmmsg(s[1], receive, 3, MSG_DONTWAIT, NULL), 2);
    EXPECT_EQ(receive[1].msg_len, 3);
    EXPECT_STREQ(back[1], "two");
    close(s[0]);
    close(s[1]);
}

TEST(errors)
{
    int s[2], value = 1;
    socklen_t length = sizeof(value);
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_ERRNO(getsockopt(s[0], SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
    EXPECT_ERRNO(setsockopt(s[0], SOL_SOCKET, SO_RCVBUF, &value, 1), EINVAL);
    EXPECT_ERRNO(getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
    EXPECT_ERRNO(getsockopt(-1, SOL_SOCKET, SO_TYPE, &value, &length), EBADF);
    EXPECT_ERRNO(getsockopt(s[0], SOL_SOCKET, SO_TYPE, KERNEL_POINTER, &length), EFAULT);
    close(s[0]);
    close(s[1]);
}
