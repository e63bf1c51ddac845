// SPDX-License-Identifier: Apache-2.0
// covers: sendmsg, close
// Sockets that only each other's queues hold are given back (net/unix/garbage.c): a pipe whose write end lies
// in such a queue ends. Those that somebody can still reach stay.
#include "guest.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

static void send_fds(int to, const int *fds, int n)
{
    char control[256] __attribute__((aligned(8))) = {0}, byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(h), fds, n * sizeof(int));
    ASSERT_EQ(sendmsg(to, &m, 0), 1);
}

// Closing any socket is when it is looked for.
static int ended(int pipe_end)
{
    for (int i = 0; i < 40; i++) {
        int other = socket(AF_UNIX, SOCK_DGRAM, 0);
        close(other);
        struct pollfd p = {pipe_end, POLLIN, 0};
        if (poll(&p, 1, 50) == 1)
            return p.revents == POLLHUP;
    }
    return 0;
}

static int ends_soon(int pipe_end)
{
    struct pollfd p = {pipe_end, POLLIN, 0};
    for (int i = 0; i < 3; i++)
        close(socket(AF_UNIX, SOCK_DGRAM, 0));
    return poll(&p, 1, 60);
}

TEST(a_socket_in_its_own_queue)
{
    int s[2], p[2];
    ASSERT_OK(pipe(p));
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    send_fds(s[0], (int[]){s[1], p[1]}, 2);
    close(p[1]);
    close(s[0]);
    close(s[1]);
    EXPECT_TRUE(ended(p[0]));
    close(p[0]);
}

TEST(a_ring_of_three)
{
    int s[3][2], p[2];
    ASSERT_OK(pipe(p));
    for (int i = 0; i < 3; i++)
        ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s[i]));
    for (int i = 0; i < 3; i++)
        send_fds(s[i][0], (int[]){s[(i + 1) % 3][1], s[(i + 2) % 3][0]}, 2);
    send_fds(s[0][0], &p[1], 1);
    close(p[1]);
    for (int i = 0; i < 3; i++) {
        close(s[i][0]);
        close(s[i][1]);
    }
    EXPECT_TRUE(ended(p[0]));
    close(p[0]);
}

TEST(a_listener_in_what_it_never_accepted)
{
    int p[2], l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un a = {AF_UNIX, {0}};
    socklen_t length = sizeof(a);
    ASSERT_OK(pipe(p));
    ASSERT_OK(bind(l, (void *)&a, sizeof(sa_family_t)));
    ASSERT_OK(getsockname(l, (void *)&a, &length));
    ASSERT_OK(listen(l, 5));
    ASSERT_OK(connect(c, (void *)&a, length));
    send_fds(c, (int[]){l, p[1]}, 2);
    close(p[1]);
    close(l);
    close(c);
    EXPECT_TRUE(ended(p[0]));
    close(p[0]);
}

TEST(what_can_be_reached_stays)
{
    int s[2], t[2], p[2];
    ASSERT_OK(pipe(p));
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, t));
    // s[1]'s queue holds itself and the pipe; t[1]'s queue, which we keep, holds s[1]
    send_fds(s[0], (int[]){s[1], p[1]}, 2);
    send_fds(t[0], &s[1], 1);
    close(p[1]);
    close(s[0]);
    close(s[1]);
    EXPECT_EQ(ends_soon(p[0]), 0);
    char control[64] __attribute__((aligned(8))), byte;
    struct iovec iov = {&byte, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 64};
    EXPECT_EQ(recvmsg(t[1], &m, 0), 1);
    int back;
    memcpy(&back, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(back));
    EXPECT_EQ(ends_soon(p[0]), 0);
    EXPECT_EQ(recv(back, &byte, 1, MSG_DONTWAIT), 1);  // its files are dropped
    EXPECT_TRUE(ended(p[0]));
    close(back);
    close(t[0]);
    close(t[1]);
    close(p[0]);
}

TEST(many_rings)
{
    int p[2];
    ASSERT_OK(pipe(p));
    for (int i = 0; i < 2000; i++) {
        int s[2];
        ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
        send_fds(s[0], (int[]){s[1], p[1]}, 2);
        send_fds(s[1], (int[]){s[0]}, 1);
        close(s[0]);
        close(s[1]);
    }
    close(p[1]);
    EXPECT_TRUE(ended(p[0]));
    close(p[0]);
}
