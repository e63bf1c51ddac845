// SPDX-License-Identifier: Apache-2.0
// covers: sendmsg, recvmsg, sendto, connect, bind, getsockname
// Bounds and refusals of unix sockets: full queues wake their senders, control data is checked, names are
// bound once (man 7 unix, man 2 sendmsg).
#include "guest.h"

#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

TEST(autobind)
{
    int fd = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    EXPECT_OK(bind(fd, (void *)&address, sizeof(sa_family_t)));
    socklen_t length = sizeof(address);
    EXPECT_OK(getsockname(fd, (void *)&address, &length));
    EXPECT_EQ(length, sizeof(sa_family_t) + 6);
    EXPECT_EQ(address.sun_path[0], 0);
    struct sockaddr_un other = {.sun_family = AF_UNIX, .sun_path = "\0guest-abuse"};
    EXPECT_ERRNO(bind(fd, (void *)&other, sizeof(sa_family_t) + 12), EINVAL);
    int peer = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    EXPECT_EQ(sendto(peer, "hi", 2, 0, (void *)&address, length), 2);
    close(peer);
    close(fd);
}

TEST(bad_control)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    char control[64] __attribute__((aligned(8))) = {0}, byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 32};
    struct cmsghdr *header = (void *)control;
    *header = (struct cmsghdr){.cmsg_len = 1, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    EXPECT_ERRNO(sendmsg(s[0], &message, 0), EINVAL);
    header->cmsg_len = 1000;
    EXPECT_ERRNO(sendmsg(s[0], &message, 0), EINVAL);
    header->cmsg_len = CMSG_LEN(sizeof(struct ucred)) - 1;
    header->cmsg_type = SCM_CREDENTIALS;
    EXPECT_ERRNO(sendmsg(s[0], &message, 0), EINVAL);
    header->cmsg_type = 77;
    EXPECT_ERRNO(sendmsg(s[0], &message, 0), EINVAL);
    message.msg_iovlen = 1025;
    EXPECT_ERRNO(sendmsg(s[0], &message, 0), EMSGSIZE);
    close(s[0]);
    close(s[1]);
}

static void *drain(void *arg)
{
    char buffer[4096];
    long total = 0;
    sleep_ms(30);
    for (ssize_t n; (n = read(*(int *)arg, buffer, sizeof(buffer))) > 0;)
        total += n;
    return (void *)total;
}

TEST(blocked_writer_is_woken)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, drain, &s[1]), 0);
    static char buffer[1 << 20];
    memset(buffer, 'a', sizeof(buffer));
    EXPECT_EQ(write(s[0], buffer, sizeof(buffer)), sizeof(buffer));
    EXPECT_EQ(send(s[0], buffer, sizeof(buffer), 0), sizeof(buffer));
    close(s[0]);
    void *total;
    pthread_join(thread, &total);
    EXPECT_EQ((long)total, 2 * sizeof(buffer));
    close(s[1]);
}

struct slow {
    int fd, count;
};
static void *drain_packets(void *arg)
{
    struct slow *slow = arg;
    char buffer[256];
    sleep_ms(30);
    for (int i = 0; i < slow->count; i++)
        EXPECT_EQ(recv(slow->fd, buffer, sizeof(buffer), 0), 200);
    return NULL;
}

TEST(blocked_sender_of_datagrams)
{
    in_tmpdir();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "d"};
    struct slow slow = {ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0)), 3000};
    ASSERT_OK(bind(slow.fd, (void *)&address, sizeof(address)));
    int connected = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0)),
        loose = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    ASSERT_OK(connect(connected, (void *)&address, sizeof(address)));
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, drain_packets, &slow), 0);
    char buffer[200] = {0};
    for (int i = 0; i < slow.count / 2; i++) {
        EXPECT_EQ(send(connected, buffer, 200, 0), 200);
        EXPECT_EQ(sendto(loose, buffer, 200, 0, (void *)&address, sizeof(address)), 200);
    }
    pthread_join(thread, NULL);
    close(connected);
    close(loose);
    close(slow.fd);
}

static void *connect_all(void *arg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "l"};
    for (int i = 0; i < 20; i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_OK(connect(fd, (void *)&address, sizeof(address)));
        EXPECT_EQ(write(fd, "x", 1), 1);
        close(fd);
    }
    return NULL;
}

TEST(full_backlog_blocks)
{
    in_tmpdir();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "l"};
    int server = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_OK(bind(server, (void *)&address, sizeof(address)));
    ASSERT_OK(listen(server, 1));
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, connect_all, NULL), 0);
    sleep_ms(30);
    int extra = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    EXPECT_ERRNO(connect(extra, (void *)&address, sizeof(address)), EAGAIN);
    close(extra);
    for (int i = 0; i < 40; i++) {
        int fd = EXPECT_OK(accept(server, NULL, NULL));
        char c;
        EXPECT_EQ(read(fd, &c, 1), 1);
        EXPECT_EQ(read(fd, &c, 1), 0);
        close(fd);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    close(server);
}

TEST(unaccepted_are_reset)
{
    in_tmpdir();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "r"};
    int server = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_OK(bind(server, (void *)&address, sizeof(address)));
    ASSERT_OK(listen(server, 4));
    int fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_OK(connect(fd, (void *)&address, sizeof(address)));
    EXPECT_EQ(write(fd, "x", 1), 1);
    close(server);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 20000), 1);
    EXPECT_TRUE(p.revents & POLLHUP);
    char c;
    EXPECT_ERRNO(read(fd, &c, 1), ECONNRESET);
    EXPECT_EQ(read(fd, &c, 1), 0);
    close(fd);
    fd = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_ERRNO(connect(fd, (void *)&address, sizeof(address)), ECONNREFUSED);
    close(fd);
}
