// SPDX-License-Identifier: Apache-2.0
// covers: sendmsg, recvmsg
// Passing descriptors: shared open file, several at once, truncation, unread ones are closed (man 7 unix,
// SCM_RIGHTS).
#include "guest.h"

#include <sys/socket.h>

static ssize_t send_fds(int socket, const int *fds, int count)
{
    char control[CMSG_SPACE(sizeof(int) * 8)] = {0}, byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
    return sendmsg(socket, &message, 0);
}

// Returns how many came.
static int receive_fds(int socket, int *fds, int room, int flags, int *message_flags)
{
    char control[CMSG_SPACE(sizeof(int) * 8)] __attribute__((aligned(8))), byte;
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = CMSG_LEN(sizeof(int) * room)};
    EXPECT_EQ(recvmsg(socket, &message, flags), 1);
    *message_flags = message.msg_flags;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header)
        return 0;
    EXPECT_EQ(header->cmsg_type, SCM_RIGHTS);
    int count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    return count;
}

TEST(shares_the_open_file)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int s[2], fd = ASSERT_OK(open("f", O_RDONLY)), got, flags;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(send_fds(s[0], &fd, 1), 1);
    EXPECT_EQ(receive_fds(s[1], &got, 1, MSG_CMSG_CLOEXEC, &flags), 1);
    EXPECT_TRUE(got != fd);
    EXPECT_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(lseek(got, 4, SEEK_SET), 4);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
    close(got);
    close(fd);
    close(s[0]);
    close(s[1]);
}

TEST(between_processes)
{
    int s[2], got, flags;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    pid_t pid = fork_child();
    if (pid == 0) {
        int fds[2];
        ASSERT_OK(pipe(fds));
        EXPECT_EQ(send_fds(s[0], &fds[0], 1), 1);
        EXPECT_EQ(write(fds[1], "via pipe", 8), 8);
        child_done();
    }
    EXPECT_EQ(receive_fds(s[1], &got, 1, 0, &flags), 1);
    EXPECT_EQ(wait_exit(pid), 0);
    char text[16];
    EXPECT_EQ(read_all(got, text, sizeof(text)), 8);
    EXPECT_STREQ(text, "via pipe");
    close(got);
    close(s[0]);
    close(s[1]);
}

TEST(truncated)
{
    int s[2], fds[3] = {0, 1, 2}, got[3], flags;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(send_fds(s[0], fds, 3), 1);
    EXPECT_EQ(receive_fds(s[1], got, 1, 0, &flags), 1);
    EXPECT_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
    close(got[0]);
    close(s[0]);
    close(s[1]);
}

TEST(never_received)
{
    int s[2], fds[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(send_fds(s[0], &fds[1], 1), 1);
    close(fds[1]);
    close(s[0]);
    close(s[1]);
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 0);
    close(fds[0]);
}

TEST(errors)
{
    int s[2], bad = 9999;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_ERRNO(send_fds(s[0], &bad, 1), EBADF);
    EXPECT_ERRNO(sendmsg(s[0], KERNEL_POINTER, 0), EFAULT);
    EXPECT_ERRNO(recvmsg(s[0], KERNEL_POINTER, MSG_DONTWAIT), EFAULT);
    close(s[0]);
    close(s[1]);
}
