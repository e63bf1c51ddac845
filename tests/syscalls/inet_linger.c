// SPDX-License-Identifier: Apache-2.0
// covers: close, setsockopt
// SO_LINGER: close(2) of the last reference waits until the peer has all, for as long as it was told
// (man 7 socket).
#include "inet_pair.h"

#include <pthread.h>
#include <sys/time.h>

static void linger(int s, int seconds) {
    struct linger l = {1, seconds};
    EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
}
// More than the peer takes: the rest stays in the send buffer.
static void stuff(int s) {
    static char b[65536];
    while (send(s, b, sizeof(b), MSG_DONTWAIT) > 0)
        ;
}

TEST(told_as_set) {
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    struct linger l = {-1, 7};
    socklen_t n = sizeof(l);
    EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    EXPECT_OK(getsockopt(s, SOL_SOCKET, SO_LINGER, &l, &n));
    EXPECT_EQ(l.l_onoff, 1);
    EXPECT_EQ(l.l_linger, 7);
    EXPECT_ERRNO(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, 7), EINVAL);
    close(s);
}

TEST(time_is_up) {
    int s[2];
    tcp_pair(AF_INET, s);
    stuff(s[0]);
    linger(s[0], 1);
    long before = now_ms();
    EXPECT_OK(close(s[0]));
    EXPECT_RANGE(now_ms() - before, 900, 25000);
    close(s[1]);
}

static void *read_later(void *arg) {
    static char b[65536];
    sleep_ms(300);
    while (read(*(int *)arg, b, sizeof(b)) > 0)
        ;
    return NULL;
}
TEST(all_arrives) {
    int s[2];
    pthread_t thread;
    tcp_pair(AF_INET, s);
    stuff(s[0]);
    linger(s[0], 60);
    ASSERT_EQ(pthread_create(&thread, NULL, read_later, &s[1]), 0);
    long before = now_ms();
    EXPECT_OK(close(s[0]));
    EXPECT_RANGE(now_ms() - before, 200, 25000);
    pthread_join(thread, NULL);
    close(s[1]);
}

TEST(nothing_owed) {
    int s[2];
    tcp_pair(AF_INET, s);
    linger(s[0], 60);
    long before = now_ms();
    EXPECT_OK(close(s[0]));
    EXPECT_RANGE(now_ms() - before, 0, 25000);
    int lone = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    linger(lone, 60);
    EXPECT_OK(close(lone));
    close(s[1]);
}

TEST(not_the_last) {
    int s[2];
    tcp_pair(AF_INET, s);
    stuff(s[0]);
    linger(s[0], 60);
    int other = ASSERT_OK(dup(s[0]));
    long before = now_ms();
    EXPECT_OK(close(s[0]));
    EXPECT_RANGE(now_ms() - before, 0, 25000);
    linger(other, 0);
    close(other), close(s[1]);
}

static void nothing(int sig) {}
TEST(a_signal_ends_it) {
    int s[2];
    tcp_pair(AF_INET, s);
    stuff(s[0]);
    linger(s[0], 60);
    on_signal(SIGUSR1, nothing, 0);
    int pid = fork_child();
    if (pid == 0) {
        close(s[0]);
        sleep_ms(400);
        for (int i = 0; i < 150 && kill(getppid(), SIGUSR1) == 0; i++)
            sleep_ms(100);
        child_done();
    }
    sleep_ms(100);  // for the child to have let go of it
    long before = now_ms();
    EXPECT_OK(close(s[0]));
    EXPECT_RANGE(now_ms() - before, 0, 25000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(s[1]);
}
