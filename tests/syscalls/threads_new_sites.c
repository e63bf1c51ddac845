// SPDX-License-Identifier: Apache-2.0
// covers: lseek, getppid, gettid, clone, arch_prctl
// Call sites that nobody has used before the process had its threads, and then all of these use at once:
// whatever makes hot sites faster is done to text that others are running. And what such sites may find a
// thread by, its gs base, is the guest's own all the same.
#include "guest.h"
#include <asm/prctl.h>

#define THREADS 4
#define ROUNDS  400
static _Atomic unsigned ready, wrong;

// A function for each site, with the shape that compilers and C libraries give it.
#define SITE(name, nr)                                                                                       \
    __attribute__((noinline)) static long name(long a, long b, long c) {                                     \
        long r;                                                                                              \
        register long r10 __asm__("r10") = 4, r8 __asm__("r8") = 5, r9 __asm__("r9") = 6;                    \
        __asm__ volatile("movl %[n], %%eax\n syscall"                                                        \
                         : "=a"(r), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9)                 \
                         : [n] "i"(nr)                                                                       \
                         : "rcx", "r11", "memory");                                                          \
        wrong += r10 != 4 || r8 != 5 || r9 != 6;                                                             \
        return r;                                                                                            \
    }
SITE(lseek0, SYS_lseek)
SITE(lseek1, SYS_lseek)
SITE(lseek2, SYS_lseek)
SITE(lseek3, SYS_lseek)
SITE(ppid0, SYS_getppid)
SITE(ppid1, SYS_getppid)
SITE(tid0, SYS_gettid)
SITE(tid1, SYS_gettid)
SITE(bad0, SYS_close)
SITE(bad1, SYS_close)

static void each_site(long fd, long tid, long ppid, long at) {
    wrong += lseek0(fd, at, SEEK_SET) != at;
    wrong += ppid0(0, 0, 0) != ppid;
    wrong += lseek1(fd, 7, SEEK_CUR) != at + 7;
    wrong += tid0(0, 0, 0) != tid;
    wrong += bad0(-1, 0, 0) != -EBADF;
    wrong += lseek2(fd, -7, SEEK_CUR) != at;
    wrong += ppid1(0, 0, 0) != ppid;
    wrong += lseek3(fd, 0, SEEK_CUR) != at;
    wrong += tid1(0, 0, 0) != tid;
    wrong += bad1(-2, 0, 0) != -EBADF;
}

static void *thread(void *arg) {
    int fd = memfd_create("place", 0);
    long tid = syscall(SYS_gettid), ppid = getppid(), who = (long)(uintptr_t)arg;
    ready++;
    while (ready < THREADS)
        sched_yield();
    for (long i = 0; i < ROUNDS; i++)
        each_site(fd, tid, ppid, who * 100000 + i * 10);
    close(fd);
    return NULL;
}

TEST(new_sites_and_threads) {
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, thread, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    ASSERT_EQ(wrong, 0);
}

static unsigned long gs_base(void) {
    unsigned long gs = 1;
    return syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 ? gs : 1;
}

static unsigned long gs_word(void) {
    unsigned long word;
    __asm__ volatile("movq %%gs:8, %0" : "=r"(word));
    return word;
}

static void many_calls(int fd, long tid) {
    for (long i = 0; i < 300; i++)
        each_site(fd, tid, getppid(), i * 10);
}

static void *with_gs(void *arg) {
    unsigned long mine[2] = {0, (unsigned long)(uintptr_t)arg};
    long tid = syscall(SYS_gettid);
    int fd = memfd_create("place", 0);
    wrong += gs_base() != 0;
    many_calls(fd, tid);
    wrong += syscall(SYS_arch_prctl, ARCH_SET_GS, mine) != 0 || gs_word() != mine[1];
    many_calls(fd, tid);
    wrong += gs_base() != (unsigned long)mine || gs_word() != mine[1];
    wrong += syscall(SYS_arch_prctl, ARCH_SET_GS, 0) != 0 || gs_base() != 0;
    many_calls(fd, tid);
    close(fd);
    return NULL;
}

TEST(a_gs_base_of_its_own) {
    pthread_t t[2];
    with_gs((void *)77);
    for (uintptr_t i = 0; i < 2; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, with_gs, (void *)(i + 1)), 0);
    for (int i = 0; i < 2; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    ASSERT_EQ(wrong, 0);
}

// A child begins with its parent's.
TEST(gs_base_and_fork) {
    unsigned long mine[2] = {0, 99};
    int status;
    ASSERT_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, mine));
    pid_t pid = fork();
    if (pid == 0)
        _exit(gs_base() != (unsigned long)mine || gs_word() != 99);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
    ASSERT_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
    pid = fork();
    if (pid == 0)
        _exit(gs_base() != 0);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
}
