// SPDX-License-Identifier: Apache-2.0
// covers: futex
// FUTEX_WAIT and WAKE: value mismatch, counts, timeouts, interruption and bad addresses (man 2 futex).
#include "guest.h"

#include <linux/futex.h>

static atomic_uint word;
static atomic_int woken;

static long futex(void *address, int operation, unsigned value, const struct timespec *timeout)
{
    return syscall(SYS_futex, address, operation, value, timeout, NULL, 0);
}

static void *wait_once(void *unused)
{
    while (atomic_load(&word) == 7 && futex(&word, FUTEX_WAIT_PRIVATE, 7, NULL) != 0)
        ;
    atomic_fetch_add(&woken, 1);
    return NULL;
}

TEST(mismatch_and_timeout)
{
    atomic_store(&word, 7);
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 8, NULL), EAGAIN);
    struct timespec ts = {0, 20000000};
    int64_t start = now_ms();
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT_PRIVATE, 7, &ts), ETIMEDOUT);
    EXPECT_GE(now_ms() - start, 19);
    ts = (struct timespec){0, 0};
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 7, &ts), ETIMEDOUT);
    EXPECT_EQ(futex(&word, FUTEX_WAKE, INT_MAX, NULL), 0);
}

TEST(wakes_as_many_as_asked)
{
    pthread_t threads[4];
    atomic_store(&word, 7);
    atomic_store(&woken, 0);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, wait_once, NULL), 0);
    int total = 0;
    while (total < 2) {
        total += futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL);
        sleep_ms(1);
    }
    sleep_ms(20);
    EXPECT_EQ(atomic_load(&woken), 2);
    atomic_store(&word, 8);
    futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(atomic_load(&woken), 4);
}

static void handler(int signal)
{
}

TEST(interrupted)
{
    IN_CHILD {
        on_signal(SIGUSR1, handler, 0);
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            sleep_ms(50);
            _exit(kill(parent, SIGUSR1));
        }
        atomic_store(&word, 7);
        EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 7, NULL), EINTR);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(shared_between_processes)
{
    atomic_uint *shared = (atomic_uint *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    pid_t pid = fork_child();
    if (pid == 0) {
        while (atomic_load(shared) == 0)
            futex(shared, FUTEX_WAIT, 0, NULL);
        child_done();
    }
    sleep_ms(20);
    atomic_store(shared, 1);
    EXPECT_RANGE(futex(shared, FUTEX_WAKE, INT_MAX, NULL), 0, 1);
    EXPECT_EQ(wait_exit(pid), 0);
    munmap(shared, 4096);
}

TEST(errors)
{
    struct timespec bad = {0, 1000000000}, negative = {-1, 0};
    EXPECT_ERRNO(futex((char *)&word + 1, FUTEX_WAIT, 7, NULL), EINVAL);
    EXPECT_ERRNO(futex(NULL_POINTER, FUTEX_WAIT, 0, NULL), EFAULT);
    EXPECT_ERRNO(futex(KERNEL_POINTER, FUTEX_WAIT, 0, NULL), EFAULT);
    EXPECT_ERRNO(futex(no_access_page(), FUTEX_WAIT, 0, NULL), EFAULT);
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 7, &bad), EINVAL);
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 7, &negative), EINVAL);
    EXPECT_ERRNO(futex(&word, FUTEX_WAIT, 7, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(futex(&word, 99, 7, NULL), ENOSYS);
}

// A word in a file that has been cut since it was mapped.
TEST(behind_the_end_of_a_file) {
    int fd = memfd_create("words", 0);
    ASSERT_OK(fd);
    ASSERT_OK(ftruncate(fd, 8192));
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    ASSERT_EQ(syscall(SYS_futex, p + 4096, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    ASSERT_OK(ftruncate(fd, 4096));
    ASSERT_EQ(syscall(SYS_futex, p + 4096, FUTEX_WAKE, 1, NULL, NULL, 0), -1);
    ASSERT_EQ(errno, EFAULT);
    ASSERT_EQ(syscall(SYS_futex, p, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    munmap(p, 8192);
    close(fd);
}
