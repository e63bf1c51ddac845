// SPDX-License-Identifier: Apache-2.0
// covers: sendfile, splice, sendto, recvfrom, readv, writev
// Much data and many sockets over the loopback: every byte arrives, in order, by every call that moves bytes.
#include "inet_pair.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define TOTAL (16u << 20)
static unsigned char out[128 << 10], in[128 << 10];

static unsigned char pattern(size_t at) { return (unsigned char)(at * 2654435761u >> 13); }
static void fill(unsigned char *to, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = pattern(at + i);
}
static bool right(const unsigned char *from, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (from[i] != pattern(at + i))
            return false;
    return true;
}

static void *sender(void *arg) {
    int fd = *(int *)arg;
    unsigned seed = 1;
    for (size_t at = 0; at < TOTAL;) {
        size_t n = (size_t)rand_r(&seed) % sizeof(out) + 1;
        n = n < TOTAL - at ? n : TOTAL - at;
        fill(out, at, n);
        if (write(fd, out, n) != (ssize_t)n)
            return "short write";
        at += n;
    }
    return shutdown(fd, SHUT_WR) == 0 ? NULL : "shutdown";
}

TEST(threads) {
    BOTH_FAMILIES(family) {
        int s[2];
        pthread_t thread;
        void *failed;
        tcp_pair(family, s);
        ASSERT_EQ(pthread_create(&thread, NULL, sender, &s[0]), 0);
        size_t at = 0;
        unsigned seed = 2;
        for (ssize_t n; (n = read(s[1], in, (size_t)rand_r(&seed) % sizeof(in) + 1)) > 0; at += (size_t)n)
            ASSERT_TRUE(right(in, at, (size_t)n));
        EXPECT_EQ(at, TOTAL);
        pthread_join(thread, &failed);
        EXPECT_TRUE(failed == NULL);
        close(s[0]);
        close(s[1]);
    }
}

// Both directions at once, without blocking, by poll.
TEST(both_ways) {
    int s[2];
    size_t sent[2] = {0, 0}, got[2] = {0, 0}, total = 4u << 20;
    tcp_pair(AF_INET6, s);
    for (int i = 0; i < 2; i++)
        ASSERT_OK(fcntl(s[i], F_SETFL, O_NONBLOCK));
    while (got[0] < total || got[1] < total) {
        struct pollfd p[2];
        for (int i = 0; i < 2; i++)
            p[i] = (struct pollfd){s[i], (short)(POLLIN | (sent[i] < total ? POLLOUT : 0)), 0};
        ASSERT_TRUE(poll(p, 2, 20000) > 0);
        for (int i = 0; i < 2; i++) {
            size_t n = total - sent[i] < sizeof(out) ? total - sent[i] : sizeof(out);
            if (p[i].revents & POLLOUT) {
                fill(out, sent[i], n);
                ssize_t r = send(s[i], out, n, 0);
                ASSERT_TRUE(r > 0 || errno == EAGAIN);
                sent[i] += r > 0 ? (size_t)r : 0;
            }
            if (p[i].revents & POLLIN) {
                ssize_t r = recv(s[i], in, sizeof(in), 0);
                ASSERT_TRUE(r > 0 && right(in, got[i], (size_t)r));
                got[i] += (size_t)r;
            }
        }
    }
    close(s[0]);
    close(s[1]);
}

TEST(vectors) {
    int s[2];
    tcp_pair(AF_INET, s);
    fill(out, 0, 30000);
    struct iovec v[3] = {{out, 10000}, {out + 10000, 1}, {out + 10001, 19999}},
                 w[2] = {{in, 5}, {in + 5, 40000}};
    EXPECT_EQ(writev(s[0], v, 3), 30000);
    size_t at = 0;
    while (at < 30000) {
        w[0] = (struct iovec){in + at, 5};
        w[1] = (struct iovec){in + at + 5, sizeof(in) - at - 5};
        ssize_t n = readv(s[1], w, 2);
        ASSERT_TRUE(n > 0);
        at += (size_t)n;
    }
    EXPECT_TRUE(right(in, 0, 30000));
    close(s[0]);
    close(s[1]);
}

TEST(files) {
    in_tmpdir();
    int s[2], file = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), p[2];
    fill(out, 0, 100000);
    ASSERT_EQ(write(file, out, 100000), 100000);
    tcp_pair(AF_INET, s);
    off_t offset = 10;
    if (fork_child() == 0) {
        for (size_t left = 99990; left > 0;) {
            ssize_t n = sendfile(s[0], file, &offset, left);
            ASSERT_TRUE(n > 0);
            left -= (size_t)n;
        }
        EXPECT_OK(shutdown(s[0], SHUT_WR));
        child_done();
    }
    size_t at = 0;
    for (ssize_t n; (n = read(s[1], in + at, sizeof(in) - at)) > 0; at += (size_t)n)
        ;
    EXPECT_EQ(at, 99990);
    EXPECT_TRUE(right(in, 10, 99990));
    EXPECT_EQ(wait_exit(-1), 0);
    close(s[0]);
    close(s[1]);
    // From a socket into a pipe, and from there into another socket.
    int t[2];
    tcp_pair(AF_INET, s);
    tcp_pair(AF_INET, t);
    ASSERT_OK(pipe(p));
    EXPECT_EQ(write(s[0], out, 5000), 5000);
    for (size_t left = 5000; left > 0;) {
        ssize_t n = splice(s[1], NULL, p[1], NULL, left, 0);
        ASSERT_TRUE(n > 0);
        for (ssize_t m = n; m > 0;) {
            ssize_t k = splice(p[0], NULL, t[0], NULL, (size_t)m, 0);
            ASSERT_TRUE(k > 0);
            m -= k;
        }
        left -= (size_t)n;
    }
    EXPECT_EQ(recv(t[1], in, 5000, MSG_WAITALL), 5000);
    EXPECT_TRUE(right(in, 0, 5000));
    close(p[0]);
    close(p[1]);
    close(file);
    int fds[] = {s[0], s[1], t[0], t[1]};
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

TEST(many_connections) {
    enum { N = 300 };
    static int clients[N], servers[N];
    struct rlimit limit;
    ASSERT_OK(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < 2 * N + 20) {
        limit.rlim_cur = 2 * N + 20;
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
    }
    int server = bound_socket(AF_INET, SOCK_STREAM), port = port_of(server);
    ASSERT_OK(listen(server, N));
    for (int i = 0; i < N; i++)
        clients[i] = connected(AF_INET, port);
    for (int i = 0; i < N; i++) {
        servers[i] = ASSERT_OK(accept(server, NULL, NULL));
        EXPECT_EQ(peer_port_of(servers[i]), port_of(clients[i]));
    }
    for (int i = 0; i < N; i++)
        EXPECT_EQ(write(clients[i], &i, sizeof(i)), sizeof(i));
    for (int i = N - 1; i >= 0; i--) {
        int got = -1;
        EXPECT_EQ(read(servers[i], &got, sizeof(got)), sizeof(got));
        EXPECT_EQ(got, i);
        close(clients[i]);
        EXPECT_EQ(read(servers[i], &got, 1), 0);
        close(servers[i]);
    }
    close(server);
}

TEST(come_and_go) {
    int server = listener(AF_INET, 0), port = port_of(server);
    for (int i = 0; i < 500; i++) {
        int fd = connected(AF_INET, port), other = ASSERT_OK(accept(server, NULL, NULL));
        char c = (char)i;
        ASSERT_EQ(write(fd, &c, 1), 1);
        ASSERT_EQ(read(other, &c, 1), 1);
        close(i % 2 ? fd : other);
        close(i % 2 ? other : fd);
    }
    close(server);
}
