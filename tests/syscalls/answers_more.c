// SPDX-License-Identifier: Apache-2.0
// covers: fcntl, sched_setattr, sched_getattr, clock_nanosleep, semget, copy_file_range, flock, waitid, ioctl
// Answers that the table of bad input cannot give, because they need an object or two: what a file was
// opened for, whose deadline a task has, whose processor time is slept by, in which order System V numbers
// are given.
#include "guest.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/sem.h>

TEST(who_made_the_file)
{
    in_tmpdir();
    int made = open("f", O_RDWR | O_CREAT, 0600), found = open("f", O_RDWR | O_CREAT, 0600), copy = dup(made);
    if (fcntl(made, 1028) < 0 && errno == EINVAL)
        SKIP("F_CREATED_QUERY came with Linux 6.12");
    EXPECT_EQ(fcntl(made, 1028), 1);
    EXPECT_EQ(fcntl(found, 1028), 0);
    EXPECT_EQ(fcntl(made, 1027, copy), 1);  // F_DUPFD_QUERY
    EXPECT_EQ(fcntl(made, 1027, found), 0);
    EXPECT_ERRNO(fcntl(made, 1027, 999), EBADF);
}

TEST(write_hints)
{
    in_tmpdir();
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    uint64_t hint = 3;
    EXPECT_OK(fcntl(fd, F_SET_RW_HINT, &hint));
    hint = 0;
    EXPECT_OK(fcntl(fd, F_GET_RW_HINT, &hint));
    EXPECT_EQ(hint, 3);
    hint = 6;
    EXPECT_ERRNO(fcntl(fd, F_SET_RW_HINT, &hint), EINVAL);
}

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

TEST(deadline)
{
    struct attributes a = {.size = 48, .policy = 6, .runtime = 10000000, .deadline = 30000000}, got = {0};
    IN_CHILD {
        if (syscall(SYS_sched_setattr, 0, &a, 0) < 0 && (errno == EPERM || errno == EBUSY))
            SKIP("no right to a deadline, or no time left for one");
        ASSERT_OK(syscall(SYS_sched_getattr, 0, &got, 48, 0));
        EXPECT_EQ(got.policy, 6);
        EXPECT_EQ(got.runtime, 10000000);
        EXPECT_EQ(got.deadline, 30000000);
        EXPECT_EQ(got.period, 30000000);
        EXPECT_ERRNO(fork(), EAGAIN);
    }
    a.deadline = 5000000;
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
    a = (struct attributes){.size = 48, .policy = 6, .runtime = 100, .deadline = 30000000};
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sched_setattr, 999999999, &a, 0), ESRCH);
}

static atomic_bool enough;
static void *busy(void *arg)
{
    while (!atomic_load(&enough))
        ;
    return arg;
}

TEST(sleeps_by_processor_time)
{
    struct timespec now, then, ms20 = {0, 20000000};
    pthread_t t;
    ASSERT_EQ(pthread_create(&t, NULL, busy, NULL), 0);
    ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
    EXPECT_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &ms20, NULL), 0);
    ASSERT_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &then));
    atomic_store(&enough, true);
    pthread_join(t, NULL);
    int64_t used = (then.tv_sec - now.tv_sec) * 1000000000 + then.tv_nsec - now.tv_nsec;
    EXPECT_GE(used, 20000000);
    EXPECT_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ms20, NULL), EINVAL);  // the library's word for it
}

TEST(numbers_of_system_v)
{
    int first = semget(IPC_PRIVATE, 1, 0600);
    ASSERT_OK(first);
    ASSERT_OK(semctl(first, 0, IPC_RMID));
    int second = semget(IPC_PRIVATE, 1, 0600);
    ASSERT_OK(second);
    ASSERT_OK(semctl(second, 0, IPC_RMID));
    EXPECT_TRUE(second % 32768 != first % 32768);  // another index, though the first is free again
}

TEST(from_one_file_system_to_another)
{
    in_tmpdir();
    int from = memfd_create("from", 0);
    int to = open("/dev/shm/answers_more", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ASSERT_OK(from);
    if (to < 0)
        SKIP("no /dev/shm");
    EXPECT_OK(write(from, "bytes", 5));
    EXPECT_ERRNO(copy_file_range(from, &(off_t){0}, to, &(off_t){0}, 5, 0), EXDEV);
    unlink("/dev/shm/answers_more");
}

TEST(nothing_found_is_told_in_the_structure_too)
{
    siginfo_t info;
    memset(&info, 0x55, sizeof(info));
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), ECHILD);
    EXPECT_EQ(info.si_signo, 0);
    EXPECT_EQ(info.si_pid, 0);
}

TEST(busy_polling)
{
    struct {
        uint32_t usecs;
        uint16_t budget;
        uint8_t prefer, pad;
    } p = {.usecs = 50, .budget = 16, .prefer = 1}, got = {0};
    int fd = epoll_create1(0);
    if (ioctl(fd, 0x40088a01, &p) < 0 && (errno == EINVAL || errno == ENOTTY))
        SKIP("EPIOCSPARAMS came with Linux 6.9");
    EXPECT_OK(ioctl(fd, 0x80088a02, &got));
    EXPECT_EQ(got.usecs, 50);
    EXPECT_EQ(got.budget, 16);
    EXPECT_EQ(got.prefer, 1);
    p.pad = 1;
    EXPECT_ERRNO(ioctl(fd, 0x40088a01, &p), EINVAL);
    EXPECT_ERRNO(ioctl(fd, FIONREAD, &got), EINVAL);
}

TEST(lock_flags_before_descriptors)
{
    EXPECT_ERRNO(flock(-1, 0), EINVAL);
    EXPECT_ERRNO(flock(-1, LOCK_EX), EBADF);
}
