// SPDX-License-Identifier: Apache-2.0
// covers: poll, epoll_wait, listen, connect
// Readiness of listening, connected, full and half-closed sockets (man 2 poll).
#include "guest.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

static short ready(int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

TEST(stream_states)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
    EXPECT_EQ(ready(s[0]), POLLOUT);
    EXPECT_EQ(write(s[0], "x", 1), 1);
    EXPECT_EQ(ready(s[1]), POLLIN | POLLOUT);
    char buffer[4096] = {0};
    while (write(s[0], buffer, sizeof(buffer)) > 0)
        ;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(ready(s[0]) & POLLOUT, 0);
    while (read(s[1], buffer, sizeof(buffer)) > 0)
        ;
    EXPECT_EQ(ready(s[0]), POLLOUT);
    EXPECT_OK(shutdown(s[0], SHUT_WR));
    EXPECT_EQ(ready(s[1]), POLLIN | POLLOUT | POLLRDHUP);
    close(s[0]);
    EXPECT_EQ(ready(s[1]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    close(s[1]);
}

TEST(listening)
{
    in_tmpdir();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    int server = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ASSERT_OK(bind(server, (void *)&address, sizeof(address)));
    ASSERT_OK(listen(server, 4));
    EXPECT_EQ(ready(server), 0);
    EXPECT_ERRNO(accept(server, NULL, NULL), EAGAIN);
    int client = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_OK(connect(client, (void *)&address, sizeof(address)));
    EXPECT_EQ(ready(server), POLLIN);
    int accepted = EXPECT_OK(accept(server, NULL, NULL));
    EXPECT_EQ(ready(server), 0);
    close(accepted);
    close(client);
    close(server);
}
