// SPDX-License-Identifier: Apache-2.0
// covers: getppid, read, write, stat, pipe, fork, wait4, munmap, kill
// Code that a program has made itself (as a JIT does) calls the kernel from there, often: whatever is done
// for such busy places, the calls, their errors, signals and children are as from any other place.
#include "guest.h"
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <pthread.h>

#define MANY 3000

typedef long (*made_call)(long nr, long a, long b, long c);

// mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx; syscall; ret
static made_call make(void) {
    static const unsigned char code[] = {0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89,
                                         0xd6, 0x48, 0x89, 0xca, 0x0f, 0x05, 0xc3};
    void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED)
        return NULL;
    memcpy(m, code, sizeof code);
    return mprotect(m, 4096, PROT_READ | PROT_EXEC) ? NULL : (made_call)m;
}

static void warm(made_call call, int n) {
    for (int i = 0; i < n; i++)
        EXPECT_EQ(call(SYS_getppid, 0, 0, 0), getppid());
}

TEST(values_errors_and_bytes) {
    made_call call = make();
    int p[2];
    char c;
    struct stat st;
    ASSERT_TRUE(call != NULL);
    ASSERT_OK(pipe(p));
    warm(call, MANY);
    for (int i = 0; i < MANY; i++) {
        char out = (char)i;
        ASSERT_EQ(call(SYS_write, p[1], (long)&out, 1), 1);
        ASSERT_EQ(call(SYS_read, p[0], (long)&c, 1), 1);
        ASSERT_EQ(c, (char)i);
        ASSERT_EQ(call(SYS_read, -1, (long)&c, 1), -EBADF);
        ASSERT_EQ(call(SYS_write, p[1], 0x1000, 1), -EFAULT);
        ASSERT_EQ(call(SYS_stat, (long)"/", (long)&st, 0), 0);
        ASSERT_TRUE(S_ISDIR(st.st_mode));
        ASSERT_EQ(call(SYS_stat, (long)"/no such", (long)&st, 0), -ENOENT);
        ASSERT_EQ(call(SYS_stat, 0x1000, (long)&st, 0), -EFAULT);
        ASSERT_EQ(call(SYS_stat, (long)"/", 0x1000, 0), -EFAULT);
        ASSERT_EQ(call(5000, 0, 0, 0), -ENOSYS);
    }
}

TEST(maps_come_and_go) {
    made_call call = make();
    ASSERT_TRUE(call != NULL);
    warm(call, MANY);
    for (int i = 0; i < MANY; i++) {
        char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_TRUE(m != MAP_FAILED);
        m[4096] = 1;
        ASSERT_EQ(call(SYS_getppid, 0, 0, 0), getppid());
        ASSERT_EQ(call(SYS_mprotect, (long)m, 4096, PROT_READ), 0);
        ASSERT_EQ(call(SYS_munmap, (long)m, 8192, 0), 0);
    }
}

static volatile sig_atomic_t caught;
static void count_signal(int sig) { caught++; }

// A child sends signals all the time: none is lost, no call is made twice or not at all.
TEST(signals_meet_it_anywhere) {
    made_call call = make();
    int p[2];
    char c;
    ASSERT_TRUE(call != NULL);
    ASSERT_OK(pipe(p));
    struct sigaction sa = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    ASSERT_OK(sigaction(SIGUSR1, &sa, NULL));
    warm(call, MANY);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        for (int i = 0; i < 500; i++) {
            kill(parent, SIGUSR1);
            usleep(100);
        }
        _exit(0);
    }
    int status = -1;
    for (int i = 0; call(SYS_wait4, child, (long)&status, WNOHANG) == 0; i++) {
        char out = (char)i;
        ASSERT_EQ(call(SYS_write, p[1], (long)&out, 1), 1);
        ASSERT_EQ(call(SYS_read, p[0], (long)&c, 1), 1);
        ASSERT_EQ(c, (char)i);
    }
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(caught > 0);
}

TEST(a_read_that_waits) {
    made_call call = make();
    int p[2], q[2];
    char c = 'x';
    ASSERT_TRUE(call != NULL);
    ASSERT_OK(pipe(p));
    ASSERT_OK(pipe(q));
    warm(call, MANY);
    pid_t child = fork();
    if (child == 0) { // an echo, by the same code
        while (call(SYS_read, p[0], (long)&c, 1) == 1 && c != 'e')
            call(SYS_write, q[1], (long)&c, 1);
        _exit(c == 'e' ? 7 : 1);
    }
    for (int i = 0; i < 500; i++) {
        char back = 0;
        c = (char)('f' + i % 16);
        ASSERT_EQ(call(SYS_write, p[1], (long)&c, 1), 1);
        ASSERT_EQ(call(SYS_read, q[0], (long)&back, 1), 1);
        ASSERT_EQ(back, c);
    }
    c = 'e';
    int status;
    ASSERT_EQ(call(SYS_write, p[1], (long)&c, 1), 1);
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 7);
}

static void *caller(void *arg) {
    made_call call = (made_call)arg;
    long bad = 0, me = getppid();
    for (int i = 0; i < MANY; i++)
        bad += call(SYS_getppid, 0, 0, 0) != me;
    return (void *)bad;
}

TEST(from_threads_that_end) {
    made_call call = make();
    ASSERT_TRUE(call != NULL);
    for (int round = 0; round < 4; round++) {
        pthread_t t[4];
        void *bad;
        for (int i = 0; i < 4; i++)
            ASSERT_EQ(pthread_create(&t[i], NULL, caller, (void *)call), 0);
        for (int i = 0; i < 4; i++) {
            ASSERT_EQ(pthread_join(t[i], &bad), 0);
            EXPECT_EQ((long)bad, 0);
        }
    }
}
