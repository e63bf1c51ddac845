// SPDX-License-Identifier: Apache-2.0
// covers: accept, connect, recvfrom, sendto, setsockopt, select
// Calls on inet sockets that wait: who wakes them, time limits, signals (man 7 socket, signal).
#define GUEST_NO_WATCHDOG
#include "inet_pair.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/time.h>

static char bytes[64 << 10];
static volatile sig_atomic_t alarms;
static void count_alarm(int signal) { alarms++; }

// Again and again: the first may come before the call waits. 0: no more.
static void tick(int ms) {
    struct itimerval t = {.it_interval = {0, ms * 1000}, .it_value = {0, ms * 1000}};
    ASSERT_OK(setitimer(ITIMER_REAL, &t, NULL));
}
static int64_t took;
#define TIMED(call) \
    ({ \
        int64_t begin = now_ms(); \
        long result = (long)(call); \
        int err = errno; \
        took = now_ms() - begin; \
        errno = err; \
        result; \
    })

TEST(a_child_answers) {
    BOTH_FAMILIES(family) {
        int server = listener(family, 0), port = port_of(server);
        if (fork_child() == 0) {
            int fd = ASSERT_OK(accept(server, NULL, NULL));
            char c;
            while (read(fd, &c, 1) == 1) {
                c++;
                EXPECT_EQ(write(fd, &c, 1), 1);
            }
            child_done();
        }
        close(server);
        int fd = connected(family, port);
        for (int i = 0; i < 200; i++) {
            char c = (char)i;
            EXPECT_EQ(write(fd, &c, 1), 1);
            EXPECT_EQ(read(fd, &c, 1), 1);
            EXPECT_EQ(c, (char)(i + 1));
        }
        close(fd);
        EXPECT_EQ(wait_exit(-1), 0);
    }
}

TEST(time_limits) {
    int s[2];
    struct timeval limit = {0, 40000};
    tcp_pair(AF_INET, s);
    ASSERT_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    ASSERT_OK(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
    EXPECT_ERRNO(TIMED(recv(s[0], bytes, 1, 0)), EAGAIN);
    EXPECT_RANGE(took, 35, 25000);
    while (send(s[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    EXPECT_ERRNO(TIMED(send(s[0], bytes, sizeof(bytes), 0)), EAGAIN);
    EXPECT_RANGE(took, 35, 25000);
    int server = listener(AF_INET, 0);
    ASSERT_OK(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    EXPECT_ERRNO(TIMED(accept(server, NULL, NULL)), EAGAIN);
    EXPECT_RANGE(took, 35, 25000);
    int udp = bound_socket(AF_INET6, SOCK_DGRAM);
    ASSERT_OK(setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    EXPECT_ERRNO(TIMED(recv(udp, bytes, 1, 0)), EAGAIN);
    EXPECT_RANGE(took, 35, 25000);
    close(udp);
    close(server);
    close(s[0]);
    close(s[1]);
}

TEST(signals) {
    int s[2];
    tcp_pair(AF_INET, s);
    on_signal(SIGALRM, count_alarm, 0);
    alarms = 0;
    tick(30);
    EXPECT_ERRNO(recv(s[0], bytes, 1, 0), EINTR);
    EXPECT_TRUE(alarms > 0);
    int server = listener(AF_INET, 0);
    EXPECT_ERRNO(accept(server, NULL, NULL), EINTR);
    tick(0);
    on_signal(SIGALRM, count_alarm, SA_RESTART);
    alarms = 0;
    if (fork_child() == 0) {
        sleep_ms(80);
        EXPECT_EQ(write(s[1], "x", 1), 1);
        child_done();
    }
    tick(30);
    EXPECT_EQ(recv(s[0], bytes, 1, 0), 1);  // goes on
    EXPECT_TRUE(alarms > 0);
    EXPECT_EQ(wait_exit(-1), 0);
    struct timeval limit = {5, 0};
    ASSERT_OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    EXPECT_ERRNO(recv(s[0], bytes, 1, 0), EINTR);  // not with a time limit
    on_signal(SIGALRM, count_alarm, 0);
    ssize_t n = 0;
    while ((n = send(s[0], bytes, sizeof(bytes), 0)) == sizeof(bytes))
        continue;
    EXPECT_TRUE(n > 0 || errno == EINTR);  // what went before the signal is told
    tick(0);
    on_signal(SIGALRM, SIG_DFL, 0);
    close(server);
    close(s[0]);
    close(s[1]);
}

static int fd_of_thread;
static void *receive_thread(void *arg) {
    char c;
    return (void *)(intptr_t)recv(fd_of_thread, &c, 1, 0);
}
static void *accept_thread(void *arg) {
    return (void *)(intptr_t)(accept(fd_of_thread, NULL, NULL) < 0 ? -errno : 1);
}

TEST(shutdown_wakes) {
    pthread_t thread;
    void *result;
    int s[2];
    tcp_pair(AF_INET, s);
    fd_of_thread = s[0];
    ASSERT_EQ(pthread_create(&thread, NULL, receive_thread, NULL), 0);
    others_asleep(1);
    EXPECT_OK(shutdown(s[0], SHUT_RD));
    pthread_join(thread, &result);
    EXPECT_EQ((intptr_t)result, 0);
    close(s[0]);
    close(s[1]);
    fd_of_thread = listener(AF_INET, 0);
    ASSERT_EQ(pthread_create(&thread, NULL, accept_thread, NULL), 0);
    others_asleep(1);
    EXPECT_OK(shutdown(fd_of_thread, SHUT_RD));
    pthread_join(thread, &result);
    EXPECT_EQ((intptr_t)result, -EINVAL);
    close(fd_of_thread);
    fd_of_thread = bound_socket(AF_INET, SOCK_DGRAM);
    ASSERT_EQ(pthread_create(&thread, NULL, receive_thread, NULL), 0);
    others_asleep(1);
    EXPECT_ERRNO(shutdown(fd_of_thread, SHUT_RD), ENOTCONN);
    pthread_join(thread, &result);
    EXPECT_EQ((intptr_t)result, 0);
    close(fd_of_thread);
}

TEST(accept_is_fair) {
    pthread_t threads[4];
    int server = listener(AF_INET, 0), clients[4];
    fd_of_thread = server;
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, accept_thread, NULL), 0);
    others_asleep(4);
    for (int i = 0; i < 4; i++)
        clients[i] = connected(AF_INET, port_of(server));
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        EXPECT_EQ((intptr_t)result, 1);
        close(clients[i]);
    }
    close(server);
}

static volatile sig_atomic_t told;
static void count_io(int signal) { told++; }

TEST(sigio) {
    int s[2];
    tcp_pair(AF_INET, s);
    on_signal(SIGIO, count_io, 0);
    ASSERT_OK(fcntl(s[0], F_SETOWN, getpid()));
    ASSERT_OK(fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK));
    told = 0;
    EXPECT_EQ(write(s[1], "x", 1), 1);
    for (int i = 0; i < 7500 && !told; i++)
        sleep_ms(2);
    EXPECT_TRUE(told > 0);
    on_signal(SIGIO, SIG_IGN, 0);
    close(s[1]);
    close(s[0]);
}

// A listener whose queue is full lets nobody in until there is room.
TEST(full_backlog) {
    int server = bound_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), port = port_of(server), clients[3];
    ASSERT_OK(listen(server, 1));
    for (int i = 0; i < 2; i++)
        clients[i] = connected(AF_INET, port);
    sleep_ms(5);
    clients[2] = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    struct timeval limit = {0, 40000}, none = {0, 0};
    ASSERT_OK(setsockopt(clients[2], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
    EXPECT_ERRNO(TIMED(connect_to(clients[2], AF_INET, port)), EINPROGRESS);
    EXPECT_RANGE(took, 35, 25000);
    EXPECT_EQ(poll_now(clients[2]), 0);
    union inet_addr a;
    socklen_t length = sizeof(a);
    EXPECT_ERRNO(getpeername(clients[2], &a.any, &length), ENOTCONN);
    EXPECT_ERRNO(send(clients[2], "x", 1, MSG_DONTWAIT), EAGAIN);
    ASSERT_OK(setsockopt(clients[2], SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none)));
    on_signal(SIGALRM, count_alarm, 0);
    tick(30);
    EXPECT_ERRNO(connect_to(clients[2], AF_INET, port), EINTR);
    tick(0);
    on_signal(SIGALRM, SIG_DFL, 0);
    ASSERT_OK(fcntl(clients[2], F_SETFL, O_NONBLOCK));
    EXPECT_ERRNO(connect_to(clients[2], AF_INET, port), EALREADY);
    for (int i = 0; i < 2; i++)
        close(ASSERT_OK(accept(server, NULL, NULL)));
    EXPECT_ERRNO(accept(server, NULL, NULL), EAGAIN);
    ASSERT_OK(fcntl(clients[2], F_SETFL, 0));
    EXPECT_OK(connect_to(clients[2], AF_INET, port));  // the next try of its own accord
    EXPECT_EQ(poll_for(server, POLLIN), POLLIN);
    close(ASSERT_OK(accept(server, NULL, NULL)));
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    close(server);
}
