// SPDX-License-Identifier: Apache-2.0
// covers: poll, select, epoll_create1, epoll_ctl, epoll_wait, ioctl
// Readiness of inet sockets: every state by poll, edges by epoll, what is queued by ioctl (man 7 tcp, epoll).
#include "inet_pair.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static char bytes[64 << 10];

TEST(states) {
    BOTH_FAMILIES(family) {
        int fd = ASSERT_OK(socket(family, SOCK_STREAM, 0)), s[2];
        EXPECT_EQ(poll_now(fd), POLLOUT | POLLHUP);
        ASSERT_OK(listen(fd, 2));
        EXPECT_EQ(poll_now(fd), 0);
        int client = connected(family, port_of(fd));
        EXPECT_EQ(poll_for(fd, POLLIN), POLLIN);
        close(client);
        close(fd);
        tcp_pair(family, s);
        EXPECT_EQ(poll_now(s[0]), POLLOUT);
        EXPECT_EQ(write(s[1], "x", 1), 1);
        EXPECT_EQ(poll_for(s[0], POLLIN), POLLIN);
        EXPECT_EQ(poll_now(s[0]), POLLIN | POLLOUT);
        EXPECT_EQ(read(s[0], bytes, 1), 1);
        EXPECT_EQ(poll_now(s[0]), POLLOUT);
        close(s[1]);
        EXPECT_EQ(poll_for(s[0], POLLIN), POLLIN);
        EXPECT_EQ(poll_now(s[0]), POLLIN | POLLOUT | POLLRDHUP);
        close(s[0]);
        udp_pair(family, s);
        EXPECT_EQ(poll_now(s[0]), POLLOUT);
        EXPECT_EQ(write(s[1], "x", 1), 1);
        EXPECT_EQ(poll_for(s[0], POLLIN), POLLIN);
        struct pollfd p = {s[0], POLLRDNORM | POLLWRNORM | POLLWRBAND, 0};
        EXPECT_EQ(poll(&p, 1, 0), 1);
        EXPECT_EQ(p.revents, POLLRDNORM | POLLWRNORM | POLLWRBAND);
        close(s[0]);
        close(s[1]);
    }
}

TEST(full_and_drained) {
    int s[2];
    size_t in = 0, out = 0;
    ssize_t n;
    tcp_pair(AF_INET, s);
    while ((n = send(s[0], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        out += (size_t)n;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(poll_now(s[0]) & POLLOUT, 0);
    while (in < out && (n = recv(s[1], bytes, sizeof(bytes), 0)) > 0)
        in += (size_t)n;
    EXPECT_EQ(in, out);
    EXPECT_EQ(poll_for(s[0], POLLOUT), POLLOUT);
    EXPECT_ERRNO(recv(s[1], bytes, 1, MSG_DONTWAIT), EAGAIN);
    close(s[0]);
    close(s[1]);
}

static struct epoll_event wait_one(int ep, int timeout) {
    struct epoll_event e[4] = {{0, {0}}};
    int n = epoll_wait(ep, e, 4, timeout);
    EXPECT_TRUE(n <= 1);
    return n > 0 ? e[0] : (struct epoll_event){0, {0}};
}
static void watch(int ep, int fd, unsigned events) {
    struct epoll_event e = {events, {.fd = fd}};
    ASSERT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

TEST(edges) {
    int s[2], ep = ASSERT_OK(epoll_create1(0));
    tcp_pair(AF_INET, s);
    watch(ep, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    EXPECT_EQ(wait_one(ep, 100).events, EPOLLOUT);
    EXPECT_EQ(wait_one(ep, 0).events, 0);
    EXPECT_EQ(write(s[1], "abc", 3), 3);
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLIN | EPOLLOUT);
    EXPECT_EQ(wait_one(ep, 0).events, 0);
    EXPECT_EQ(write(s[1], "d", 1), 1);  // more is an edge, also when the rest was not read
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLIN | EPOLLOUT);
    EXPECT_EQ(read(s[0], bytes, 2), 2);
    EXPECT_EQ(wait_one(ep, 0).events, 0);  // less is none
    EXPECT_OK(shutdown(s[1], SHUT_WR));
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    EXPECT_EQ(wait_one(ep, 0).events, 0);
    close(s[1]);
    close(s[0]);
    close(ep);
}

// That what was sent is acknowledged is no edge, unless there was no room.
TEST(edges_of_a_writer) {
    int s[2], ep = ASSERT_OK(epoll_create1(0));
    ssize_t n;
    tcp_pair(AF_INET, s);
    watch(ep, s[0], EPOLLIN | EPOLLOUT | EPOLLET);
    EXPECT_EQ(wait_one(ep, 100).events, EPOLLOUT);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(write(s[0], "abc", 3), 3);
        EXPECT_EQ(read(s[1], bytes, 10), 3);
        EXPECT_EQ(wait_one(ep, 60).events, 0);
    }
    size_t out = 0, in = 0;
    while ((n = send(s[0], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        out += (size_t)n;
    EXPECT_EQ(wait_one(ep, 0).events, 0);
    while (in < out && (n = recv(s[1], bytes, sizeof(bytes), 0)) > 0)
        in += (size_t)n;
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLOUT);
    close(s[0]);
    close(s[1]);
    close(ep);
}

TEST(oneshot_and_level) {
    int s[2], ep = ASSERT_OK(epoll_create1(0));
    tcp_pair(AF_INET6, s);
    watch(ep, s[0], EPOLLIN | EPOLLONESHOT);
    EXPECT_EQ(write(s[1], "abc", 3), 3);
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLIN);
    EXPECT_EQ(write(s[1], "abc", 3), 3);
    EXPECT_EQ(wait_one(ep, 20).events, 0);
    struct epoll_event e = {EPOLLIN, {.fd = s[0]}};
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e));
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLIN);
    EXPECT_EQ(wait_one(ep, 0).events, EPOLLIN);
    close(s[0]);
    EXPECT_EQ(wait_one(ep, 0).events, 0);
    close(s[1]);
    close(ep);
}

TEST(errors_and_ends) {
    int s[2], ep = ASSERT_OK(epoll_create1(0));
    struct linger now = {1, 0};
    tcp_pair(AF_INET, s);
    watch(ep, s[0], EPOLLIN | EPOLLRDHUP | EPOLLET);
    ASSERT_OK(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
    close(s[1]);
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
    close(s[0]);
    int fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    watch(ep, fd, EPOLLOUT | EPOLLET);
    EXPECT_EQ(wait_one(ep, 0).events, EPOLLOUT | EPOLLHUP);
    int server = listener(AF_INET, 0);
    EXPECT_ERRNO(connect_to(fd, AF_INET, port_of(server)), EINPROGRESS);
    EXPECT_EQ(wait_one(ep, 1000).events, EPOLLOUT);
    int accepted = ASSERT_OK(accept(server, NULL, NULL));
    watch(ep, accepted, EPOLLIN | EPOLLET);
    EXPECT_OK(shutdown(fd, SHUT_RDWR));
    for (int i = 0; i < 2; i++) {
        struct epoll_event e = {0, {0}};
        EXPECT_EQ(epoll_wait(ep, &e, 1, 20000), 1);
        EXPECT_TRUE(e.data.fd == fd || (e.events & EPOLLIN));
    }
    close(accepted);
    close(fd);
    close(server);
    close(ep);
}

TEST(queued) {
    int s[2], n = -1;
    tcp_pair(AF_INET, s);
    EXPECT_OK(ioctl(s[1], FIONREAD, &n));
    EXPECT_EQ(n, 0);
    EXPECT_EQ(write(s[0], "hello", 5), 5);
    ASSERT_EQ(poll_for(s[1], POLLIN), POLLIN);
    EXPECT_OK(ioctl(s[1], SIOCINQ, &n));
    EXPECT_EQ(n, 5);
    EXPECT_EQ(recv(s[1], bytes, 2, 0), 2);
    EXPECT_OK(ioctl(s[1], FIONREAD, &n));
    EXPECT_EQ(n, 3);
    sleep_ms(5);
    EXPECT_OK(ioctl(s[0], SIOCOUTQ, &n));
    EXPECT_EQ(n, 0);  // it has been acknowledged
    EXPECT_OK(ioctl(s[1], SIOCATMARK, &n));
    EXPECT_EQ(n, 0);
    int server = listener(AF_INET, 0);
    EXPECT_ERRNO(ioctl(server, FIONREAD, &n), EINVAL);
    EXPECT_ERRNO(ioctl(server, SIOCOUTQ, &n), EINVAL);
    close(server);
    close(s[0]);
    close(s[1]);
}

TEST(low_water) {
    int s[2];
    tcp_pair(AF_INET, s);
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_RCVLOWAT, 5));
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    sleep_ms(5);
    EXPECT_EQ(poll_now(s[1]), POLLOUT);
    EXPECT_EQ(recv(s[1], bytes, 1, MSG_PEEK | MSG_DONTWAIT), 1);
    EXPECT_EQ(write(s[0], "defg", 4), 4);
    EXPECT_EQ(poll_for(s[1], POLLIN), POLLIN);
    EXPECT_EQ(recv(s[1], bytes, 10, 0), 7);
    EXPECT_EQ(write(s[0], "x", 1), 1);
    EXPECT_OK(shutdown(s[0], SHUT_WR));
    EXPECT_EQ(poll_for(s[1], POLLIN), POLLIN);  // no more will come
    EXPECT_EQ(recv(s[1], bytes, 10, 0), 1);
    close(s[0]);
    close(s[1]);
}

TEST(urgent) {
    int s[2], n = -1;
    tcp_pair(AF_INET, s);
    EXPECT_EQ(send(s[0], "ab!", 3, MSG_OOB), 3);  // the last byte is urgent
    EXPECT_EQ(send(s[0], "cd", 2, 0), 2);
    EXPECT_TRUE(poll_for(s[1], POLLPRI) & POLLPRI);
    EXPECT_EQ(recv(s[1], bytes, 10, 0), 2);  // up to the mark
    EXPECT_OK(ioctl(s[1], SIOCATMARK, &n));
    EXPECT_EQ(n, 1);
    EXPECT_EQ(recv(s[1], bytes, 10, MSG_OOB), 1);
    EXPECT_EQ(bytes[0], '!');
    EXPECT_ERRNO(recv(s[1], bytes, 10, MSG_OOB), EINVAL);
    EXPECT_EQ(recv(s[1], bytes, 10, 0), 2);
    EXPECT_MEMEQ(bytes, "cd", 2);
    fd_set set;
    struct timeval zero = {0, 0};
    EXPECT_EQ(send(s[0], "!", 1, MSG_OOB), 1);
    EXPECT_TRUE(poll_for(s[1], POLLPRI) & POLLPRI);
    FD_ZERO(&set);
    FD_SET(s[1], &set);
    EXPECT_EQ(select(s[1] + 1, NULL, NULL, &set, &zero), 1);
    EXPECT_OK(set_int(s[1], SOL_SOCKET, SO_OOBINLINE, 1));
    EXPECT_EQ(send(s[0], "x?", 2, MSG_OOB), 2);
    EXPECT_TRUE(poll_for(s[1], POLLIN) & POLLIN);
    EXPECT_ERRNO(recv(s[1], bytes, 1, MSG_OOB), EINVAL);
    close(s[0]);
    close(s[1]);
}
