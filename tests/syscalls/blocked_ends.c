// SPDX-License-Identifier: Apache-2.0
// covers: poll, ppoll, select, epoll_wait, futex, rt_sigtimedwait, semop
// A task that has waited, in every way that there is, and ends later, in the middle of computing or of the
// next wait: what the first wait was registered with must be forgotten by then, and nobody else may be
// disturbed.
#include "guest.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>

#define WAITS 40

static _Atomic int *started;  // shared

static void wait_poll(int fd)
{
    struct pollfd p[WAITS];
    for (int i = 0; i < WAITS; i++)
        p[i] = (struct pollfd){fd, POLLIN, 0};
    EXPECT_EQ(poll(p, WAITS, 5), 0);
}
static void wait_ppoll(int fd)
{
    struct pollfd p[2] = {{fd, POLLIN, 0}, {fd, POLLPRI, 0}};
    EXPECT_EQ(ppoll(p, 2, &(struct timespec){0, 5000000}, NULL), 0);
}
static void wait_select(int fd)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    EXPECT_EQ(select(fd + 1, &set, NULL, NULL, &(struct timeval){0, 5000}), 0);
}
static void wait_epoll(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int ep = ASSERT_OK(epoll_create1(0));
    EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event));
    EXPECT_EQ(epoll_wait(ep, &event, 1, 5), 0);
}
static void wait_futex(int fd)
{
    static int word;
    EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &(struct timespec){0, 5000000}), ETIMEDOUT);
}
static void wait_signal(int fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    EXPECT_ERRNO(sigtimedwait(&set, NULL, &(struct timespec){0, 5000000}), EAGAIN);
}
static void wait_sem(int fd)
{
    int id = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600));
    struct sembuf op = {0, -1, 0};
    EXPECT_ERRNO(semtimedop(id, &op, 1, &(struct timespec){0, 5000000}), EAGAIN);
    EXPECT_OK(semctl(id, 0, IPC_RMID));
}

static void (*const waits[])(int fd) = {wait_poll,  wait_ppoll,  wait_select, wait_epoll,
                                        wait_futex, wait_signal, wait_sem};
#define COUNT (sizeof(waits) / sizeof(waits[0]))

static void compute(void)
{
    for (;;)
        atomic_fetch_add(&started[1], 1);
}

static void *waiter(void *arg)
{
    waits[(uintptr_t)arg % COUNT](ASSERT_OK(eventfd(0, 0)));
    atomic_fetch_add(&started[0], 1);
    compute();
    return NULL;
}

static void wait_for_start(int n)
{
    while (atomic_load(&started[0]) < n)
        sleep_ms(1);
    atomic_store(&started[0], 0);
}

TEST(then_killed)
{
    pid_t pids[COUNT];
    started = (void *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    for (int round = 0; round < 3; round++) {
        for (uintptr_t i = 0; i < COUNT; i++) {
            pids[i] = fork_child();
            if (pids[i] == 0)
                waiter((void *)i);
        }
        wait_for_start(COUNT);
        for (size_t i = 0; i < COUNT; i++)
            EXPECT_OK(kill(pids[i], SIGKILL));
        for (size_t i = 0; i < COUNT; i++)
            EXPECT_EQ(wait_exit(pids[i]), -SIGKILL);
    }
}

// The same as threads of one process, which ends by exec: each is ended by the kernel while it computes.
ROLE(nothing)
{
    return 0;
}
TEST(then_ended_by_exec)
{
    started = (void *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    pid_t pid = fork_child();
    if (pid == 0) {
        for (uintptr_t i = 0; i < COUNT; i++) {
            pthread_t thread;
            ASSERT_EQ(pthread_create(&thread, NULL, waiter, (void *)i), 0);
        }
        wait_for_start(COUNT);
        execl(guest.exe, guest.exe, "nothing", NULL);
        FAIL("exec");
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

// In the next wait, which is of another kind.
static void *waiter_twice(void *arg)
{
    int fd = ASSERT_OK(eventfd(0, 0));
    waits[(uintptr_t)arg % COUNT](fd);
    atomic_fetch_add(&started[0], 1);
    struct pollfd p[3] = {{fd, POLLIN, 0}, {fd, POLLIN, 0}, {fd, POLLIN, 0}};
    if ((uintptr_t)arg % 2)
        poll(p, 3, -1);
    eventfd_t value;
    eventfd_read(fd, &value);
    return NULL;
}
TEST(then_killed_in_a_wait)
{
    pid_t pids[COUNT];
    started = (void *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
    for (uintptr_t i = 0; i < COUNT; i++) {
        pids[i] = fork_child();
        if (pids[i] == 0)
            waiter_twice((void *)i);
    }
    wait_for_start(COUNT);
    sleep_ms(10);
    for (size_t i = 0; i < COUNT; i++)
        EXPECT_OK(kill(pids[i], SIGKILL));
    for (size_t i = 0; i < COUNT; i++)
        EXPECT_EQ(wait_exit(pids[i]), -SIGKILL);
}
