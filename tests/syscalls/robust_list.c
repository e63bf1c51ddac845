// SPDX-License-Identifier: Apache-2.0
// covers: set_robust_list, get_robust_list
// Registration, and EOWNERDEAD when a thread or process dies with a robust mutex held (man 2
// set_robust_list).
#include "guest.h"

#include <linux/futex.h>

static pthread_mutex_t *make_mutex(int shared)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, shared);
    pthread_mutex_init(mutex, &attributes);
    return mutex;
}

static void *lock_and_die(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

TEST(thread_dies)
{
    pthread_mutex_t *mutex = make_mutex(PTHREAD_PROCESS_PRIVATE);
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, lock_and_die, mutex), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
    EXPECT_EQ(pthread_mutex_consistent(mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
    EXPECT_EQ(pthread_mutex_trylock(mutex), 0);
    EXPECT_EQ(pthread_mutex_unlock(mutex), 0);
    munmap(mutex, 4096);
}

TEST(process_dies_while_we_wait)
{
    pthread_mutex_t *mutex = make_mutex(PTHREAD_PROCESS_SHARED);
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_mutex_lock(mutex);
        EXPECT_EQ(write(fds[1], "x", 1), 1);
        sleep_ms(50);
        kill(getpid(), SIGKILL);
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    EXPECT_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    close(fds[0]);
    close(fds[1]);
    munmap(mutex, 4096);
}

TEST(registration)
{
    IN_CHILD {
        struct robust_list_head head = {.list.next = &head.list};
        void *got;
        size_t size = 0;
        EXPECT_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
        EXPECT_OK(syscall(SYS_get_robust_list, 0, &got, &size));
        EXPECT_EQ(got, &head);
        EXPECT_EQ(size, sizeof(head));
        EXPECT_ERRNO(syscall(SYS_set_robust_list, &head, 8), EINVAL);
        EXPECT_ERRNO(syscall(SYS_get_robust_list, 999999999, &got, &size), ESRCH);
        EXPECT_ERRNO(syscall(SYS_get_robust_list, 0, KERNEL_POINTER, &size), EFAULT);
    }
}

TEST(damaged_list_harms_nobody)
{
    IN_CHILD {
        struct robust_list_head head = {.list.next = KERNEL_POINTER};
        EXPECT_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
    }
    IN_CHILD {
        static struct robust_list_head head;
        static struct robust_list loop = {&loop};
        head.list.next = &loop;
        EXPECT_OK(syscall(SYS_set_robust_list, &head, sizeof(head)));
    }
}
