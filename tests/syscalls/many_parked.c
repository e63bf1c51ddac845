// SPDX-License-Identifier: Apache-2.0
// covers: futex, read, poll, nanosleep, tgkill, exit_group, kill
// More waiting threads than a host keeps at hand at a time: each kind of wait is woken, times out, is
// interrupted and killed as it is with few of them, again and again.
#include "guest.h"
#include <linux/futex.h>
#include <poll.h>

#define MANY 150

struct waiter {
    pthread_t thread;
    int kind, fds[2];
    _Atomic int word, rounds;
    _Atomic int tid;
    long result;
};
static struct waiter waiters[MANY];
static _Atomic int ready, handled;

static long wait_once(struct waiter *w) {
    char c = 0;
    struct pollfd p = {.fd = w->fds[0], .events = POLLIN};
    switch (w->kind % 4) {
    case 0:
        while (w->word == 0)
            syscall(SYS_futex, &w->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        w->word = 0;
        return 1;
    case 1:
        return read(w->fds[0], &c, 1) == 1 && c == 'w';
    case 2:
        return poll(&p, 1, -1) == 1 && read(w->fds[0], &c, 1) == 1;
    default:
        return poll(&p, 1, 150) == 0;
    }
}

static void *wait_three_times(void *arg) {
    struct waiter *w = arg;
    w->tid = (int)syscall(SYS_gettid);
    ready++;
    for (int i = 0; i < 3; i++) {
        w->result += wait_once(w);
        w->rounds++;
    }
    return NULL;
}

static void start(void *(*run)(void *), int n) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    ready = 0;
    memset(waiters, 0, sizeof waiters);
    for (int i = 0; i < n; i++) {
        waiters[i].kind = i;
        ASSERT_OK(pipe(waiters[i].fds));
        ASSERT_EQ(pthread_create(&waiters[i].thread, &small, run, &waiters[i]), 0);
    }
    while (ready < n)
        usleep(1000);
    usleep(20000);
}

static void end(int n) {
    for (int i = 0; i < n; i++) {
        ASSERT_EQ(pthread_join(waiters[i].thread, NULL), 0);
        close(waiters[i].fds[0]);
        close(waiters[i].fds[1]);
    }
}

static void wake(struct waiter *w) {
    if (w->kind % 4 == 0) {
        w->word = 1;
        syscall(SYS_futex, &w->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    } else if (w->kind % 4 < 3) {
        ASSERT_EQ(write(w->fds[1], "w", 1), 1);
    }
}

TEST(woken_again_and_again) {
    start(wait_three_times, MANY);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            wake(&waiters[round == 1 ? MANY - 1 - i : i]);
        for (int i = 0; i < MANY; i++)
            while (waiters[i].rounds <= round)
                usleep(500);
    }
    end(MANY);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(waiters[i].result, 3);
}

static void on_usr1(int sig) { handled++; }

static void *read_interrupted(void *arg) {
    struct waiter *w = arg;
    char c = 0;
    w->tid = (int)syscall(SYS_gettid);
    ready++;
    w->result = read(w->fds[0], &c, 1) < 0 ? -errno : c;
    return NULL;
}

TEST(interrupted) {
    on_signal(SIGUSR1, on_usr1, 0);
    start(read_interrupted, MANY);
    for (int i = 0; i < MANY; i++)
        ASSERT_OK(syscall(SYS_tgkill, getpid(), waiters[i].tid, SIGUSR1));
    end(MANY);
    EXPECT_EQ(handled, MANY);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(waiters[i].result, -EINTR);
}

TEST(restarted) {
    handled = 0;
    on_signal(SIGUSR1, on_usr1, SA_RESTART);
    start(read_interrupted, MANY);
    for (int i = 0; i < MANY; i++)
        ASSERT_OK(syscall(SYS_tgkill, getpid(), waiters[i].tid, SIGUSR1));
    while (handled < MANY)
        usleep(1000);
    for (int i = 0; i < MANY; i++)
        ASSERT_EQ(write(waiters[i].fds[1], "w", 1), 1);
    end(MANY);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(waiters[i].result, 'w');
}

// A process full of them ends: by itself, and by a SIGKILL.
TEST(they_end_with_their_process) {
    for (int by_kill = 0; by_kill < 2; by_kill++) {
        int status, p[2];
        char c;
        ASSERT_OK(pipe(p));
        pid_t pid = fork();
        if (pid == 0) {
            start(read_interrupted, MANY);
            if (!by_kill)
                _exit(7);
            if (write(p[1], "r", 1) != 1)
                _exit(1);
            pause();
        }
        if (by_kill) {
            ASSERT_EQ(read(p[0], &c, 1), 1);
            ASSERT_OK(kill(pid, SIGKILL));
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, by_kill ? SIGKILL : 7 << 8);
        close(p[0]);
        close(p[1]);
    }
}

// A fork from among them, and the others go on.
TEST(fork_among_them) {
    int status;
    start(read_interrupted, MANY);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getppid() > 1 ? 3 : 4);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 3 << 8);
    for (int i = 0; i < MANY; i++)
        ASSERT_EQ(write(waiters[i].fds[1], "w", 1), 1);
    end(MANY);
    for (int i = 0; i < MANY; i++)
        EXPECT_EQ(waiters[i].result, 'w');
}
