// SPDX-License-Identifier: Apache-2.0
// covers: recvfrom, sendto, getsockopt
// What is read after a peer that has closed resets the connection because of what we still send: the end that
// it had sent, again and again, while the error is for who writes (tcp_recvmsg_locked() looks at SOCK_DONE
// before sk_err); and what is read of a connection that was reset without an end.
#include "guest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

static int pair[2];

static void connect_pair(void)
{
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t n = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(l, 1));
    ASSERT_OK(getsockname(l, (void *)&a, &n));
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_OK(connect(pair[0], (void *)&a, sizeof(a)));
    pair[1] = accept(l, NULL, NULL);
    ASSERT_OK(pair[1]);
    close(l);
}

static void wait_for(short events)
{
    struct pollfd p = {pair[1], events, 0};
    for (int i = 0; i < 200 && !(p.revents & events); i++) {
        poll(&p, 1, 10);
        sleep_ms(1);
    }
    EXPECT_EQ(p.revents & events, events);
}

static int so_error(void)
{
    int e = -1;
    socklen_t n = sizeof(e);
    EXPECT_OK(getsockopt(pair[1], SOL_SOCKET, SO_ERROR, &e, &n));
    return e;
}

TEST(after_the_end)
{
    char c;
    connect_pair();
    close(pair[0]);
    wait_for(POLLIN);
    EXPECT_EQ(send(pair[1], "x", 1, MSG_NOSIGNAL), 1);
    wait_for(POLLERR);
    EXPECT_EQ(recv(pair[1], &c, 1, 0), 0);
    EXPECT_EQ(recv(pair[1], &c, 1, 0), 0);
    EXPECT_ERRNO(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(recv(pair[1], &c, 1, 0), 0);
    close(pair[1]);
}

TEST(the_error_is_told_by_name)
{
    char c;
    connect_pair();
    close(pair[0]);
    wait_for(POLLIN);
    EXPECT_EQ(send(pair[1], "x", 1, MSG_NOSIGNAL), 1);
    wait_for(POLLERR);
    EXPECT_EQ(recv(pair[1], &c, 1, 0), 0);
    EXPECT_EQ(so_error(), EPIPE);
    EXPECT_EQ(so_error(), 0);
    close(pair[1]);
}

TEST(without_an_end)
{
    struct linger now = {1, 0};
    char c;
    connect_pair();
    ASSERT_OK(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
    close(pair[0]);
    wait_for(POLLERR);
    EXPECT_ERRNO(recv(pair[1], &c, 1, 0), ECONNRESET);
    EXPECT_EQ(recv(pair[1], &c, 1, 0), 0);
    close(pair[1]);
}

// A listener's readers were told of it, so it is there to be accepted, with its peer's name and its bytes'
// end.
TEST(before_it_is_accepted) {
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}}, from = {0};
    struct linger now = {1, 0};
    socklen_t n = sizeof(a);
    char c;
    int l = ASSERT_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(l, 4));
    ASSERT_OK(getsockname(l, (void *)&a, &n));
    for (int i = 0; i < 2; i++) {
        pair[0] = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        ASSERT_OK(connect(pair[0], (void *)&a, sizeof(a)));
        ASSERT_OK(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
        close(pair[0]);
    }
    pair[1] = ASSERT_OK(accept(l, (void *)&from, &n));
    EXPECT_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    wait_for(POLLERR);
    EXPECT_ERRNO(recv(pair[1], &c, 1, 0), ECONNRESET);
    EXPECT_ERRNO(getpeername(pair[1], (void *)&from, &n), ENOTCONN);
    close(pair[1]);
    close(l);  // with the other in its queue
}
