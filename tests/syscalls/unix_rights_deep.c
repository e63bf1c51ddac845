// SPDX-License-Identifier: Apache-2.0
// covers: sendmsg, recvmsg, close
// Sockets on their way in sockets: chains that are closed as a whole, and rings that nobody can reach any
// more (man 7 unix, SCM_RIGHTS).
#include "guest.h"

#include <sys/resource.h>
#include <sys/socket.h>

static ssize_t send_fd(int socket, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    return sendmsg(socket, &message, MSG_DONTWAIT);
}

TEST(long_chain)
{
    IN_CHILD {
        struct rlimit limit;
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        int pipes[2], s[2], carried;
        ASSERT_OK(pipe(pipes));
        carried = pipes[1];
        for (int i = 0; i < 400; i++) {
            ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
            ssize_t n = send_fd(s[0], carried);
            close(carried);
            if (n != 1) {  // a limit of the system; what is there already is long enough
                EXPECT_TRUE(errno == ETOOMANYREFS);
                close(s[0]);
                close(s[1]);
                carried = -1;
                break;
            }
            close(s[0]);
            carried = s[1];
        }
        close(carried);
        char c;
        EXPECT_EQ(read(pipes[0], &c, 1), 0);
    }
}

TEST(ring)
{
    IN_CHILD {
        for (int i = 0; i < 20; i++) {
            int s[2];
            ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
            EXPECT_EQ(send_fd(s[0], s[1]), 1);
            EXPECT_EQ(send_fd(s[1], s[0]), 1);
            close(s[0]);
            close(s[1]);
        }
    }
}

TEST(to_itself)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    EXPECT_EQ(send_fd(s[0], s[1]), 1);
    char c;
    EXPECT_EQ(recv(s[1], &c, 1, 0), 1);  // drops the copy
    EXPECT_EQ(send_fd(s[0], s[0]), 1);
    close(s[1]);
    close(s[0]);
}
