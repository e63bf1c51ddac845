// SPDX-License-Identifier: Apache-2.0
// covers: bind, listen, accept
// SO_REUSEPORT: who may share a port, and that each flow finds one of those that do (man 7 socket).
#include "inet_pair.h"

static int sharer(int type, int port) {
    int fd = ASSERT_OK(socket(AF_INET, type, 0));
    union inet_addr at = loopback(AF_INET, port);
    EXPECT_OK(set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1));
    ASSERT_OK(bind(fd, &at.any, sizeof(at.in)));
    return fd;
}

TEST(listeners) {
    enum { N = 4, M = 80 };
    int servers[N], clients[M], got[N] = {0}, port = 0;
    for (int i = 0; i < N; i++) {
        servers[i] = sharer(SOCK_STREAM | SOCK_NONBLOCK, port);
        ASSERT_OK(listen(servers[i], M));
        port = port_of(servers[i]);
    }
    int stranger = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    union inet_addr at = loopback(AF_INET, port);
    EXPECT_ERRNO(bind(stranger, &at.any, sizeof(at.in)), EADDRINUSE);
    for (int i = 0; i < M; i++)
        clients[i] = connected(AF_INET, port);
    sleep_ms(10);
    int all = 0;
    for (int i = 0; i < N; i++)
        for (int fd; (fd = accept(servers[i], NULL, NULL)) >= 0; got[i]++, all++)
            close(fd);
    EXPECT_EQ(all, M);
    for (int i = 0; i < N; i++)
        EXPECT_RANGE(got[i], 2, M - 2);
    for (int i = 0; i < M; i++)
        close(clients[i]);
    for (int i = 0; i < N; i++)
        close(servers[i]);
    close(stranger);
}

TEST(datagrams) {
    enum { N = 3, M = 60 };
    int servers[N], got[N] = {0}, port = 0, all = 0;
    char c;
    for (int i = 0; i < N; i++) {
        servers[i] = sharer(SOCK_DGRAM | SOCK_NONBLOCK, port);
        port = port_of(servers[i]);
    }
    for (int i = 0; i < M; i++) {
        int fd = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        union inet_addr to = loopback(AF_INET, port);
        for (int k = 0; k < 2; k++)  // of one flow all go to one
            EXPECT_EQ(sendto(fd, "x", 1, 0, &to.any, sizeof(to.in)), 1);
        close(fd);
    }
    sleep_ms(10);
    for (int i = 0; i < N; i++) {
        while (recv(servers[i], &c, 1, 0) == 1)
            got[i]++;
        EXPECT_EQ(got[i] % 2, 0);
        EXPECT_RANGE(got[i], 4, 2 * M - 4);
        all += got[i];
        close(servers[i]);
    }
    EXPECT_EQ(all, 2 * M);
}

TEST(another_user_does_not_share) {
    int fd = sharer(SOCK_STREAM, 0), port = port_of(fd);
    IN_CHILD {
        if (getuid() != 0)
            SKIP("only root can be another user");
        ASSERT_OK(setresuid(4711, 4711, 4711));
        int other = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        union inet_addr at = loopback(AF_INET, port);
        EXPECT_OK(set_int(other, SOL_SOCKET, SO_REUSEPORT, 1));
        EXPECT_ERRNO(bind(other, &at.any, sizeof(at.in)), EADDRINUSE);
    }
    int other = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    union inet_addr at = loopback(AF_INET, port);
    EXPECT_ERRNO(bind(other, &at.any, sizeof(at.in)), EADDRINUSE);  // has not asked for it
    close(other);
    close(fd);
}

// Two that have the port at other addresses, and one that is sent to where nobody is: it is refused.
TEST(neighbours_that_do_not_fit) {
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (int k = 0; k < 2; k++) {
        int fd[2], port = free_port(AF_INET, types[k]);
        char c;
        for (int i = 0; i < 2; i++) {
            union inet_addr at = loopback(AF_INET, port);
            at.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (unsigned)i);
            fd[i] = ASSERT_OK(socket(AF_INET, types[k], 0));
            ASSERT_OK(bind(fd[i], &at.any, sizeof(at.in)));
            if (types[k] == SOCK_STREAM)
                ASSERT_OK(listen(fd[i], 1));
        }
        int s = ASSERT_OK(socket(AF_INET, types[k], 0));
        if (types[k] == SOCK_STREAM) {
            EXPECT_ERRNO(connect_to(s, AF_INET, port), ECONNREFUSED);
        } else {
            ASSERT_OK(connect_to(s, AF_INET, port));
            EXPECT_EQ(send(s, "x", 1, 0), 1);
            EXPECT_ERRNO(recv(s, &c, 1, 0), ECONNREFUSED);
        }
        close(s);
        close(fd[0]);
        close(fd[1]);
    }
}
