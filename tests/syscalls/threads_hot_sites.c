// SPDX-License-Identifier: Apache-2.0
// covers: lseek, gettid, clone, vfork
// One call site that is busy while the process has one thread, and then used by several at once, each with
// calls and values of its own; then again by one. Whatever makes hot sites faster must not mix the threads
// up.
#include "guest.h"

#define THREADS 4
static int fds[THREADS];
static _Atomic int over;
static _Atomic unsigned wrong;

// All of it goes through the one syscall instruction of syscall(3).
static void round_of_calls(unsigned who, pid_t tid) {
    off_t at = (off_t)(who + 1) * 1000;
    wrong += syscall(SYS_lseek, fds[who], at, SEEK_SET) != at;
    wrong += syscall(SYS_gettid) != tid;
    wrong += syscall(SYS_lseek, fds[who], 7, SEEK_CUR) != at + 7;
    wrong += syscall(SYS_getpid) != getpid();
    wrong += syscall(SYS_close, -1 - (int)who) != -1 || errno != EBADF;
}

static void *thread(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    while (!over)
        round_of_calls(who, tid);
    return NULL;
}

static void alone(void) {
    for (int i = 0; i < 1000; i++)
        round_of_calls(0, getpid());
}

TEST(hot_sites_and_threads) {
    for (int i = 0; i < THREADS; i++) {
        fds[i] = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        if (fds[i] < 0)
            fds[i] = memfd_create("place", 0);
        ASSERT_OK(fds[i]);
    }
    for (int turn = 0; turn < 3; turn++) {
        pthread_t t[THREADS];
        alone();
        ASSERT_EQ(wrong, 0);
        over = 0;
        for (uintptr_t i = 0; i < THREADS; i++)
            ASSERT_EQ(pthread_create(&t[i], NULL, thread, (void *)i), 0);
        usleep(100000);
        over = 1;
        for (int i = 0; i < THREADS; i++)
            ASSERT_EQ(pthread_join(t[i], NULL), 0);
        ASSERT_EQ(wrong, 0);
    }
}

// The same around a vfork, whose child uses its parent's memory.
TEST(hot_sites_and_vfork) {
    for (int turn = 0; turn < 10; turn++) {
        int status;
        alone();
        pid_t pid = vfork();
        if (pid == 0) {
            for (int i = 0; i < 100; i++)
                if (syscall(SYS_getppid) == syscall(SYS_getpid))
                    _exit(1);
            _exit(0);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(wrong, 0);
    }
}
