// SPDX-License-Identifier: Apache-2.0
// covers: socket, bind, listen, accept, accept4, connect, shutdown, getsockname, getpeername, sendto,
// recvfrom Streams over the loopback, of both families: how connections come to be, carry bytes and end (man
// 7 tcp).
#include "inet_pair.h"

#include <fcntl.h>

static char buffer[256 << 10];

TEST(echo) {
    BOTH_FAMILIES(family) {
        int s[2];
        tcp_pair(family, s);
        EXPECT_EQ(send(s[0], "hello", 5, 0), 5);
        EXPECT_EQ(recv(s[1], buffer, sizeof(buffer), 0), 5);
        EXPECT_MEMEQ(buffer, "hello", 5);
        EXPECT_EQ(write(s[1], "HELLO", 5), 5);
        EXPECT_EQ(read(s[0], buffer, 3), 3);
        EXPECT_EQ(read(s[0], buffer, 3), 2);
        EXPECT_MEMEQ(buffer, "LO", 2);
        close(s[0]);
        EXPECT_EQ(read(s[1], buffer, 1), 0);
        EXPECT_EQ(read(s[1], buffer, 1), 0);
        close(s[1]);
    }
}

TEST(names) {
    BOTH_FAMILIES(family) {
        int server = listener(family, 0), port = port_of(server);
        int client = connected(family, port);
        union inet_addr peer, mine;
        socklen_t length = sizeof(peer);
        int accepted = ASSERT_OK(accept(server, &peer.any, &length));
        EXPECT_EQ(length, addr_size(family));
        EXPECT_EQ(peer.any.sa_family, family);
        length = sizeof(mine);
        EXPECT_OK(getsockname(client, &mine.any, &length));
        EXPECT_EQ(length, addr_size(family));
        EXPECT_MEMEQ(&peer, &mine, addr_size(family));
        EXPECT_EQ(port_of(accepted), port);
        EXPECT_EQ(peer_port_of(client), port);
        EXPECT_EQ(peer_port_of(accepted), port_of(client));
        length = 4;
        EXPECT_OK(getpeername(client, &mine.any, &length));  // cut, and the whole length told
        EXPECT_EQ(length, addr_size(family));
        union inet_addr none;
        length = sizeof(none);
        EXPECT_ERRNO(getpeername(server, &none.any, &length), ENOTCONN);
        close(accepted);
        close(client);
        close(server);
    }
}

TEST(refused) {
    BOTH_FAMILIES(family) {
        int port = free_port(family, SOCK_STREAM), fd = ASSERT_OK(socket(family, SOCK_STREAM, 0));
        EXPECT_ERRNO(connect_to(fd, family, port), ECONNREFUSED);
        EXPECT_ERRNO(connect_to(fd, family, port), ECONNREFUSED);  // and it may be tried again
        EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
        int server = listener(family, 0);
        EXPECT_OK(connect_to(fd, family, port_of(server)));
        EXPECT_ERRNO(connect_to(fd, family, port_of(server)), EISCONN);
        close(server);
        close(fd);
    }
}

TEST(nonblocking_connect) {
    BOTH_FAMILIES(family) {
        int server = listener(family, 0), fd = ASSERT_OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
        EXPECT_ERRNO(connect_to(fd, family, port_of(server)), EINPROGRESS);
        EXPECT_EQ(poll_for(fd, POLLOUT), POLLOUT);
        EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
        EXPECT_OK(connect_to(fd, family, port_of(server)));  // told once
        EXPECT_ERRNO(connect_to(fd, family, port_of(server)), EISCONN);
        close(fd);
        fd = ASSERT_OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
        EXPECT_ERRNO(connect_to(fd, family, free_port(family, SOCK_STREAM)), EINPROGRESS);
        EXPECT_EQ(poll_for(fd, POLLOUT | POLLIN), POLLIN | POLLOUT | POLLERR | POLLHUP);
        EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
        EXPECT_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
        close(fd);
        fd = ASSERT_OK(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
        EXPECT_ERRNO(connect_to(fd, family, free_port(family, SOCK_STREAM)), EINPROGRESS);
        EXPECT_TRUE(poll_for(fd, POLLOUT) & POLLERR);
        EXPECT_ERRNO(connect_to(fd, family, free_port(family, SOCK_STREAM)), ECONNREFUSED);
        close(fd);
        close(server);
    }
}

TEST(accepting) {
    int server = listener(AF_INET, SOCK_NONBLOCK), port = port_of(server);
    EXPECT_ERRNO(accept(server, NULL, NULL), EAGAIN);
    int a = connected(AF_INET, port), b = connected(AF_INET, port);
    ASSERT_EQ(poll_for(server, POLLIN), POLLIN);
    int first = ASSERT_OK(accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    EXPECT_EQ(fcntl(first, F_GETFD), FD_CLOEXEC);
    EXPECT_TRUE(fcntl(first, F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(peer_port_of(first), port_of(a));
    int second = ASSERT_OK(accept(server, NULL, NULL));
    EXPECT_EQ(fcntl(second, F_GETFL) & O_NONBLOCK, 0);  // not the listener's
    EXPECT_EQ(peer_port_of(second), port_of(b));
    EXPECT_ERRNO(accept4(server, NULL, NULL, 1), EINVAL);
    EXPECT_ERRNO(accept(first, NULL, NULL), EINVAL);
    EXPECT_ERRNO(listen(first, 1), EINVAL);
    int fds[] = {a, b, first, second, server};
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}

TEST(shutdown_halves) {
    BOTH_FAMILIES(family) {
        int s[2];
        tcp_pair(family, s);
        EXPECT_EQ(poll_now(s[0]), POLLOUT);
        EXPECT_OK(shutdown(s[0], SHUT_WR));
        EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
        EXPECT_EQ(read(s[1], buffer, 1), 0);
        EXPECT_EQ(poll_now(s[1]), POLLIN | POLLOUT | POLLRDHUP);
        EXPECT_EQ(write(s[1], "late", 4), 4);
        EXPECT_EQ(read(s[0], buffer, 10), 4);
        EXPECT_OK(shutdown(s[1], SHUT_WR));
        EXPECT_EQ(read(s[0], buffer, 1), 0);
        EXPECT_TRUE(poll_for(s[0], POLLHUP) & POLLHUP);
        EXPECT_ERRNO(shutdown(s[0], 3), EINVAL);
        EXPECT_ERRNO(shutdown(s[0], -1), EINVAL);
        close(s[0]);
        close(s[1]);
        tcp_pair(family, s);
        EXPECT_EQ(write(s[1], "abc", 3), 3);
        ASSERT_EQ(poll_for(s[0], POLLIN), POLLIN);
        EXPECT_OK(shutdown(s[0], SHUT_RD));
        EXPECT_EQ(read(s[0], buffer, 10), 3);  // what has come is still there
        EXPECT_EQ(read(s[0], buffer, 10), 0);
        EXPECT_EQ(write(s[0], "x", 1), 1);
        EXPECT_EQ(read(s[1], buffer, 10), 1);
        close(s[0]);
        close(s[1]);
    }
}

TEST(reset) {
    BOTH_FAMILIES(family) {
        int s[2];
        struct linger now = {1, 0};
        tcp_pair(family, s);
        ASSERT_OK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)));
        close(s[0]);
        EXPECT_EQ(poll_for(s[1], POLLIN), POLLIN | POLLERR | POLLHUP);
        EXPECT_ERRNO(read(s[1], buffer, 1), ECONNRESET);
        EXPECT_EQ(read(s[1], buffer, 1), 0);
        EXPECT_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
        union inet_addr a;
        socklen_t length = sizeof(a);
        EXPECT_ERRNO(getpeername(s[1], &a.any, &length), ENOTCONN);
        EXPECT_OK(getsockname(s[1], &a.any, &length));
        close(s[1]);
        tcp_pair(family, s);
        EXPECT_EQ(write(s[1], "unread", 6), 6);
        ASSERT_EQ(poll_for(s[0], POLLIN), POLLIN);
        close(s[0]);
        EXPECT_TRUE(poll_for(s[1], POLLIN) & POLLERR);
        EXPECT_EQ(int_option(s[1], SOL_SOCKET, SO_ERROR), ECONNRESET);
        EXPECT_EQ(read(s[1], buffer, 1), 0);
        close(s[1]);
    }
}

TEST(receive_flags) {
    int s[2];
    tcp_pair(AF_INET, s);
    EXPECT_ERRNO(recv(s[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(write(s[0], "abcdef", 6), 6);
    ASSERT_EQ(poll_for(s[1], POLLIN), POLLIN);
    EXPECT_EQ(recv(s[1], buffer, 4, MSG_PEEK), 4);
    EXPECT_MEMEQ(buffer, "abcd", 4);
    memset(buffer, 0, 8);
    EXPECT_EQ(recv(s[1], buffer, 2, MSG_TRUNC), 2);  // taken, and thrown away
    EXPECT_MEMEQ(buffer, "\0\0", 2);
    EXPECT_EQ(recv(s[1], buffer, 8, 0), 4);
    EXPECT_MEMEQ(buffer, "cdef", 4);
    EXPECT_ERRNO(recv(s[1], buffer, 0, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(read(s[1], buffer, 0), 0);
    union inet_addr from = {.any.sa_family = 77};
    socklen_t length = sizeof(from);
    EXPECT_EQ(write(s[0], "x", 1), 1);
    EXPECT_EQ(recvfrom(s[1], buffer, 8, 0, &from.any, &length), 1);
    EXPECT_EQ(length, 0);  // of a stream nothing is told
    EXPECT_EQ(from.any.sa_family, 77);
    if (fork_child() == 0) {
        sleep_ms(30);
        for (int i = 0; i < 3; i++)
            EXPECT_EQ(write(s[0], "12345", 5), 5);
        child_done();
    }
    EXPECT_EQ(recv(s[1], buffer, 15, MSG_WAITALL), 15);
    EXPECT_MEMEQ(buffer, "123451234512345", 15);
    EXPECT_EQ(wait_exit(-1), 0);
    EXPECT_EQ(write(s[0], "end", 3), 3);
    close(s[0]);
    EXPECT_EQ(recv(s[1], buffer, 15, MSG_WAITALL), 3);
    close(s[1]);
}

static volatile sig_atomic_t pipes;
static void count_pipe(int signal) { pipes++; }

TEST(sigpipe) {
    int s[2];
    on_signal(SIGPIPE, count_pipe, 0);
    tcp_pair(AF_INET, s);
    EXPECT_OK(shutdown(s[0], SHUT_WR));
    EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(pipes, 0);
    EXPECT_ERRNO(send(s[0], "x", 1, 0), EPIPE);
    EXPECT_EQ(pipes, 1);
    EXPECT_ERRNO(write(s[0], "x", 1), EPIPE);
    EXPECT_EQ(pipes, 2);
    close(s[0]);
    close(s[1]);
}

TEST(bad_addresses) {
    int four = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), six = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
    union inet_addr a = loopback(AF_INET, 9), b = loopback(AF_INET6, 9);
    EXPECT_ERRNO(connect(four, &a.any, 1), EINVAL);
    EXPECT_ERRNO(connect(four, &a.any, 15), EINVAL);
    EXPECT_ERRNO(connect(four, &b.any, sizeof(b.in6)), EAFNOSUPPORT);
    EXPECT_ERRNO(connect(six, &b.any, 23), EINVAL);
    EXPECT_ERRNO(connect(six, &a.any, sizeof(a.in)), EINVAL);
    EXPECT_ERRNO(connect(six, &a.any, sizeof(b.in6)), EAFNOSUPPORT);
    EXPECT_ERRNO(bind(six, &b.any, 23), EINVAL);
    EXPECT_ERRNO(bind(four, &a.any, 129), EINVAL);
    EXPECT_ERRNO(connect(four, NULL_POINTER, 16), EFAULT);
    EXPECT_ERRNO(bind(four, KERNEL_POINTER, 16), EFAULT);
    a.in.sin_port = 0;
    EXPECT_ERRNO(connect(four, &a.any, sizeof(a.in)), ECONNREFUSED);
    a.in.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    a.in.sin_port = htons(9);
    int err = connect(four, &a.any, sizeof(a.in)) < 0 ? errno : 0;
    EXPECT_TRUE(err == ENETUNREACH || err == EACCES);  // whether there is a way out
    close(four);
    close(six);
}

TEST(disconnect) {
    BOTH_FAMILIES(family) {
        int s[2], server = listener(family, 0);
        tcp_pair(family, s);
        struct sockaddr none = {.sa_family = AF_UNSPEC};
        EXPECT_OK(connect(s[0], &none, sizeof(none)));
        EXPECT_ERRNO(read(s[1], buffer, 1), ECONNRESET);
        union inet_addr a;
        socklen_t length = sizeof(a);
        EXPECT_ERRNO(getpeername(s[0], &a.any, &length), ENOTCONN);
        EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), ECONNRESET);
        EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
        EXPECT_OK(connect_to(s[0], family, port_of(server)));  // as new
        int again = ASSERT_OK(accept(server, NULL, NULL));
        EXPECT_EQ(write(s[0], "x", 1), 1);
        EXPECT_EQ(read(again, buffer, 2), 1);
        EXPECT_OK(connect(server, &none, sizeof(none)));  // a listener stops
        EXPECT_EQ(int_option(server, SOL_SOCKET, SO_ACCEPTCONN), 0);
        close(again);
        close(server);
        close(s[0]);
        close(s[1]);
    }
}

TEST(this_host) {
    int server = listener(AF_INET, 0), fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(server))}, at;
    EXPECT_OK(connect(fd, (void *)&any, sizeof(any)));  // 0.0.0.0 is here
    socklen_t length = sizeof(at);
    EXPECT_OK(getpeername(fd, (void *)&at, &length));
    EXPECT_EQ(ntohl(at.sin_addr.s_addr), INADDR_LOOPBACK);
    close(fd);
    close(server);
    server = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));  // all of 127/8 is
    struct sockaddr_in other = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f010203)};
    EXPECT_OK(bind(server, (void *)&other, sizeof(other)));
    EXPECT_OK(listen(server, 1));
    fd = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_ERRNO(connect_to(fd, AF_INET, port_of(server)), ECONNREFUSED);
    other.sin_port = htons((uint16_t)port_of(server));
    EXPECT_OK(connect(fd, (void *)&other, sizeof(other)));
    close(fd);
    close(server);
}

TEST(ports) {
    int a = bound_socket(AF_INET, SOCK_STREAM), b = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    union inet_addr at = loopback(AF_INET, port_of(a));
    EXPECT_ERRNO(bind(b, &at.any, sizeof(at.in)), EADDRINUSE);
    at.in.sin_addr.s_addr = 0;
    EXPECT_ERRNO(bind(b, &at.any, sizeof(at.in)), EADDRINUSE);
    at.in.sin_addr.s_addr = htonl(0x7f000002);
    EXPECT_OK(bind(b, &at.any, sizeof(at.in)));  // another address
    EXPECT_OK(listen(a, 1));
    EXPECT_OK(listen(b, 1));
    int c = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_OK(set_int(a, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_OK(set_int(c, SOL_SOCKET, SO_REUSEADDR, 1));
    at = loopback(AF_INET, port_of(a));
    EXPECT_ERRNO(bind(c, &at.any, sizeof(at.in)), EADDRINUSE);  // a listener holds on to it
    close(a);
    EXPECT_OK(bind(c, &at.any, sizeof(at.in)));
    close(b);
    close(c);
}

// A connection that the server has closed first lingers; its port can be had with SO_REUSEADDR on both.
TEST(time_wait) {
    for (int reuse = 0; reuse < 2; reuse++) {
        int server = bound_socket(AF_INET, SOCK_STREAM), port = port_of(server);
        EXPECT_OK(set_int(server, SOL_SOCKET, SO_REUSEADDR, reuse));
        ASSERT_OK(listen(server, 1));
        int client = connected(AF_INET, port), accepted = ASSERT_OK(accept(server, NULL, NULL));
        close(accepted);
        close(server);
        EXPECT_EQ(read(client, buffer, 1), 0);
        close(client);
        server = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        union inet_addr at = loopback(AF_INET, port);
        EXPECT_OK(set_int(server, SOL_SOCKET, SO_REUSEADDR, 1));
        if (reuse)
            EXPECT_OK(bind(server, &at.any, sizeof(at.in)));
        else
            EXPECT_ERRNO(bind(server, &at.any, sizeof(at.in)), EADDRINUSE);
        close(server);
    }
}

// The side that waits the rest out has no peer any more, for its user.
TEST(nobody_is_left_in_time_wait) {
    BOTH_FAMILIES(family) {
        int s[2];
        struct tcp_info info = {.tcpi_state = 0};
        socklen_t n = sizeof(info);
        union inet_addr a;
        tcp_pair(family, s);
        EXPECT_OK(shutdown(s[0], SHUT_WR));
        EXPECT_EQ(read(s[1], buffer, 1), 0);
        close(s[1]);
        EXPECT_EQ(read(s[0], buffer, 1), 0);
        EXPECT_OK(getsockopt(s[0], SOL_TCP, TCP_INFO, &info, &n));
        EXPECT_EQ(info.tcpi_state, 7);
        n = sizeof(a);
        EXPECT_ERRNO(getpeername(s[0], &a.any, &n), ENOTCONN);
        EXPECT_OK(getsockname(s[0], &a.any, &n));
        EXPECT_ERRNO(shutdown(s[0], SHUT_RDWR), ENOTCONN);
        EXPECT_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
        EXPECT_EQ(read(s[0], buffer, 1), 0);
        EXPECT_ERRNO(connect(s[0], &a.any, n), EISCONN);
        EXPECT_ERRNO(listen(s[0], 1), EINVAL);
        close(s[0]);
    }
}

// A listener that was shut down refuses, keeps its port and options, and may listen again, or connect.
TEST(listens_again) {
    BOTH_FAMILIES(family) {
        int s = ASSERT_OK(socket(family, SOCK_STREAM, 0)), port = free_port(family, SOCK_STREAM),
            half = 30000, kept;
        union inet_addr a = loopback(family, port);
        socklen_t n = sizeof(kept);
        EXPECT_OK(set_int(s, SOL_SOCKET, SO_RCVBUF, half));
        EXPECT_OK(set_int(s, SOL_SOCKET, SO_REUSEADDR, 1));
        ASSERT_OK(bind(s, &a.any, addr_size(family)));
        for (int i = 0; i < 3; i++) {
            ASSERT_OK(listen(s, 2));
            int c = connected(family, port), waits = connected(family, port), got;
            got = ASSERT_OK(accept(s, NULL, NULL));
            EXPECT_OK(shutdown(s, i == 1 ? SHUT_RDWR : SHUT_RD));
            EXPECT_ERRNO(read(waits, buffer, 1), ECONNRESET);
            EXPECT_EQ(write(got, "x", 1), 1);
            EXPECT_EQ(read(c, buffer, 1), 1);
            EXPECT_ERRNO(accept(s, NULL, NULL), EINVAL);
            int refused = ASSERT_OK(socket(family, SOCK_STREAM, 0));
            EXPECT_ERRNO(connect(refused, &a.any, addr_size(family)), ECONNREFUSED);
            EXPECT_EQ(port_of(s), port);
            EXPECT_ERRNO(shutdown(s, SHUT_RD), ENOTCONN);
            close(refused);
            close(got);
            close(c);
            close(waits);
        }
        EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_RCVBUF, &kept, &n));
        EXPECT_EQ(kept, 2 * half);
        int other = listener(family, 0);
        a = loopback(family, port_of(other));
        EXPECT_OK(connect(s, &a.any, addr_size(family)));
        close(s);
        close(other);
    }
}

TEST(unread_bytes_stay_with_a_bad_buffer) {
    int s[2];
    tcp_pair(AF_INET, s);
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    ASSERT_EQ(poll_for(s[1], POLLIN), POLLIN);
    EXPECT_ERRNO(recv(s[1], no_access_page(), 3, 0), EFAULT);
    EXPECT_EQ(recv(s[1], buffer, 10, 0), 3);
    EXPECT_ERRNO(send(s[0], no_access_page(), 3, 0), EFAULT);
    EXPECT_ERRNO(recv(s[1], buffer, 10, MSG_DONTWAIT), EAGAIN);
    close(s[0]);
    close(s[1]);
}
