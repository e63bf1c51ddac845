// SPDX-License-Identifier: Apache-2.0
// covers: clone, exit, exit_group, execve, sigaltstack
// Threads that come and go one after the other: the new one has nothing of the old one, and a process whose
// threads have ended is a process with one thread (man 7 pthreads, man 2 clone).
#include "guest.h"
#include <sys/prctl.h>
#include <xmmintrin.h>

#define NEAREST 0x37f  // the x87 control word, and rounding down, up
#define DOWN    0x77f
#define UP      0xb7f
static void set_round(unsigned short word) { __asm__ volatile("fldcw %0" : : "m"(word)); }
static int get_round(void) {
    unsigned short word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}

static __thread int local = 5;
static char altstack[1 << 16];

struct seen {
    sigset_t mask, pending;
    stack_t altstack;
    char name[16];
    unsigned mxcsr;
    int round, local, tid;
};

static void look(struct seen *s) {
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, NULL, &s->mask), 0);
    EXPECT_EQ(sigpending(&s->pending), 0);
    EXPECT_EQ(sigaltstack(NULL, &s->altstack), 0);
    EXPECT_EQ(prctl(PR_GET_NAME, s->name), 0);
    s->mxcsr = _mm_getcsr() & ~0x3fu;
    s->round = get_round();
    s->local = local;
    s->tid = gettid();
}
static void *look_on(void *seen) {
    look(seen);
    return NULL;
}
static void run(void *(*f)(void *), void *arg) {
    pthread_t t;
    void *value;
    ASSERT_EQ(pthread_create(&t, NULL, f, arg), 0);
    ASSERT_EQ(pthread_join(t, &value), 0);
}
// Ends with all changed that a thread has of its own.
static void *change_all(void *unused) {
    sigset_t usr1;
    stack_t stack = {.ss_sp = altstack, .ss_size = sizeof altstack};
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    EXPECT_EQ(pthread_kill(pthread_self(), SIGUSR1), 0);
    EXPECT_EQ(sigaltstack(&stack, NULL), 0);
    EXPECT_EQ(prctl(PR_SET_NAME, "changed"), 0);
    set_round(UP);
    _mm_setcsr(_mm_getcsr() | _MM_FLUSH_ZERO_ON);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    local = 99;
    return unused;
}

static int count_threads(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    ASSERT_TRUE(d != NULL);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

// One that has been joined may still be on its way out.
static int threads_here(void) {
    int n = 0;
    for (int i = 0; i < 1500 && (n = count_threads()) != 1; i++)
        sleep_ms(10);
    return n;
}

TEST(nothing_of_the_last_one) {
    struct seen mine, its;
    look(&mine);
    for (int i = 0; i < 10; i++) {
        run(change_all, NULL);
        memset(&its, 0x55, sizeof its);
        run(look_on, &its);
        EXPECT_TRUE(!sigismember(&its.mask, SIGUSR1));
        EXPECT_TRUE(!sigismember(&its.pending, SIGUSR1));
        EXPECT_EQ(its.altstack.ss_flags, SS_DISABLE);
        EXPECT_STREQ(its.name, mine.name);
        EXPECT_EQ(its.mxcsr, mine.mxcsr);
        EXPECT_EQ(its.round, mine.round);
        EXPECT_EQ(its.local, 5);
        EXPECT_TRUE(its.tid != mine.tid);
    }
}

// What a maker has, its thread begins with: not what was there when the last one began.
TEST(what_the_maker_has_now) {
    struct seen its;
    run(look_on, &its);
    EXPECT_EQ(its.round, NEAREST);
    set_round(DOWN);
    sigset_t usr2, old;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &usr2, &old), 0);
    ASSERT_EQ(prctl(PR_SET_NAME, "maker"), 0);
    run(look_on, &its);
    EXPECT_EQ(its.round, DOWN);
    EXPECT_TRUE(sigismember(&its.mask, SIGUSR2));
    EXPECT_STREQ(its.name, "maker");
    set_round(NEAREST);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void *return_tid(void *unused) {
    (void)unused;
    return (void *)(intptr_t)gettid();
}
TEST(fresh_numbers) {
    intptr_t last = gettid();
    for (int i = 0; i < 50; i++) {
        pthread_t t;
        void *tid;
        ASSERT_EQ(pthread_create(&t, NULL, return_tid, NULL), 0);
        ASSERT_EQ(pthread_join(t, &tid), 0);
        EXPECT_TRUE((intptr_t)tid != last);
        last = (intptr_t)tid;
    }
}

static void *wait_to_be_cancelled(void *unused) {
    for (;;)
        pause();
    return unused;
}
// A thread that was interrupted to its end is no worse a beginning than one that went by itself.
TEST(after_a_cancelled_one) {
    struct seen its;
    for (int i = 0; i < 20; i++) {
        pthread_t t;
        void *value;
        ASSERT_EQ(pthread_create(&t, NULL, wait_to_be_cancelled, NULL), 0);
        ASSERT_EQ(pthread_cancel(t), 0);
        ASSERT_EQ(pthread_join(t, &value), 0);
        EXPECT_TRUE(value == PTHREAD_CANCELED);
        run(look_on, &its);
        EXPECT_EQ(its.local, 5);
    }
}

static void *sum_up(void *sum) {
    volatile double x = 1;
    for (int i = 1; i < 2000; i++)
        x = x + 1.0 / i;
    *(double *)sum += x;
    return sum;
}
TEST(thousands_in_sequence) {
    double sum = 0, one = 0;
    sum_up(&one);
    for (int i = 0; i < 3000; i++)
        run(sum_up, &sum);
    EXPECT_TRUE(sum > 2999.9 * one && sum < 3000.1 * one);
}

static void *at_barrier(void *barrier) {
    pthread_barrier_wait(barrier);
    return NULL;
}
// More than are kept, at the same time, and then one after the other.
static void threads_have_been(int n) {
    pthread_t t[64];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)n + 1);
    for (int i = 0; i < n; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, at_barrier, &barrier), 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < n; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    for (int i = 0; i < 10; i++)
        run(change_all, NULL);
}

TEST(not_to_be_seen) {
    IN_CHILD {
        threads_have_been(40);
        EXPECT_EQ(threads_here(), 1);
    }
}

TEST(fork_beside_them) {
    threads_have_been(8);
    for (int i = 0; i < 5; i++) {
        IN_CHILD {
            struct seen its;
            EXPECT_EQ(threads_here(), 1);
            run(change_all, NULL);
            run(look_on, &its);
            EXPECT_EQ(its.local, 5);
        }
        run(change_all, NULL);
    }
}

ROLE(alone) {
    struct seen its;
    (void)argc, (void)argv;
    int n = threads_here();
    run(change_all, NULL);
    run(look_on, &its);
    return n == 1 && its.local == 5 && !sigismember(&its.mask, SIGUSR1) ? 0 : 1;
}
static void *exec_alone(void *unused) {
    execl(guest.exe, guest.exe, "alone", (char *)NULL);
    return unused;
}
TEST(exec_beside_them) {
    pid_t pid = fork();
    ASSERT_TRUE(pid >= 0);
    if (pid == 0) {
        threads_have_been(8);
        exec_alone(NULL);
        _exit(9);
    }
    EXPECT_EQ(wait_exit(pid), 0);
    pid = fork();  // by one that was another before
    ASSERT_TRUE(pid >= 0);
    if (pid == 0) {
        threads_have_been(8);
        run(exec_alone, NULL);
        _exit(9);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(killed_with_them) {
    for (int sig = 0; sig < 2; sig++) {
        int ready[2];
        ASSERT_EQ(pipe(ready), 0);
        pid_t pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
            threads_have_been(8);
            if (write(ready[1], "r", 1) != 1)
                _exit(9);
            for (;;)
                pause();
        }
        char c;
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        ASSERT_EQ(kill(pid, sig ? SIGKILL : SIGTERM), 0);
        EXPECT_EQ(wait_exit(pid), sig ? -SIGKILL : -SIGTERM);
        close(ready[0]);
        close(ready[1]);
    }
}

// The leader ends first: the others are the process.
static void *after_the_leader(void *unused) {
    usleep(20000);
    for (int i = 0; i < 50; i++)
        run(change_all, NULL);
    _exit(7);
    return unused;
}
TEST(without_the_leader) {
    pid_t pid = fork();
    ASSERT_TRUE(pid >= 0);
    if (pid == 0) {
        pthread_t t;
        threads_have_been(4);
        if (pthread_create(&t, NULL, after_the_leader, NULL))
            _exit(9);
        syscall(SYS_exit, 0);
    }
    EXPECT_EQ(wait_exit(pid), 7);
}

static void *thread_after_thread(void *unused) {
    for (;;)
        run(change_all, NULL);
    return unused;
}
// Whatever a thread is just about: its process can be killed, and replaced.
TEST(killed_while_they_come_and_go) {
    for (int i = 0; i < 60; i++) {
        pid_t pid = fork();
        ASSERT_TRUE(pid >= 0);
        if (pid == 0) {
            pthread_t t[3];
            for (int k = 0; k < 3; k++)
                if (pthread_create(&t[k], NULL, thread_after_thread, NULL))
                    _exit(9);
            if (i % 2) {
                usleep(1000 + (unsigned)i * 100);
                exec_alone(NULL);
            }
            pause();
        }
        if (i % 2) {
            EXPECT_EQ(wait_exit(pid), 0);
        } else {
            usleep(1000 + (unsigned)i * 100);
            ASSERT_EQ(kill(pid, SIGKILL), 0);
            EXPECT_EQ(wait_exit(pid), -SIGKILL);
        }
    }
}
