// SPDX-License-Identifier: Apache-2.0
// covers: clone3, getpid, getppid, kill, wait4, unshare
// Pid namespaces, pid_namespaces(7): numbers on each level, the init of one and its end, /proc of one,
// set_tid.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "guest.h"

static void need_namespaces(void) {
    int pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0);
    if (wait_exit(pid) != 0)
        SKIP("no user namespaces here");
}

// The child of a fork in a new namespace: its number 1.
static int fork_init(void) {
    ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWPID));
    return fork_child();
}

TEST(numbers_begin_at_one) {
    need_namespaces();
    IN_CHILD {
        int before = getpid(), init = fork_init();
        if (init == 0) {
            EXPECT_EQ(getpid(), 1);
            EXPECT_EQ(getppid(), 0);
            EXPECT_EQ(syscall(SYS_gettid), 1);
            EXPECT_EQ(getpgrp(), 0);
            EXPECT_EQ(getsid(0), 0);
            EXPECT_EQ(setsid(), 1);
            EXPECT_EQ(getpgrp(), 1);
            int child = fork_child();
            if (child == 0) {
                EXPECT_EQ(getpid(), 2);
                EXPECT_EQ(getppid(), 1);
                EXPECT_EQ(getpgid(0), 1);
                EXPECT_EQ(getpgid(1), 1);
                EXPECT_OK(setpgid(0, 0));
                EXPECT_EQ(getpgrp(), 2);
                EXPECT_ERRNO(kill(77, 0), ESRCH);
                child_done();
            }
            EXPECT_EQ(child, 2);
            EXPECT_EQ(wait_exit(child), 0);
            child_done();
        }
        EXPECT_EQ(getpid(), before);
        EXPECT_TRUE(init != 1);
        EXPECT_EQ(wait_exit(init), 0);
        EXPECT_ERRNO(fork(), ENOMEM);  // its init has ended
    }
}

TEST(orphans_go_to_the_init) {
    need_namespaces();
    IN_CHILD {
        int init = fork_init();
        if (init == 0) {
            int middle = fork_child();
            if (middle == 0) {
                int last = fork_child();
                if (last == 0) {
                    while (getppid() != 1)
                        sleep_ms(1);
                    _exit(7);
                }
                _exit(0);
            }
            EXPECT_EQ(wait_exit(middle), 0);
            int status, pid = wait(&status);
            EXPECT_EQ(pid, 3);
            EXPECT_EQ(WEXITSTATUS(status), 7);
            child_done();
        }
        EXPECT_EQ(wait_exit(init), 0);
    }
}

TEST(the_end_of_the_init_ends_all) {
    need_namespaces();
    IN_CHILD {
        int held[2];
        ASSERT_OK(pipe(held));
        int init = fork_init();
        if (init == 0) {
            for (int i = 0; i < 3; i++)
                if (fork() == 0)
                    for (;;)
                        pause();
            _exit(3);
        }
        EXPECT_EQ(wait_exit(init), 3);
        close(held[1]);
        char c;
        EXPECT_EQ(read(held[0], &c, 1), 0);  // nobody has the other end any more
    }
}

TEST(an_init_takes_no_default_from_inside) {
    need_namespaces();
    IN_CHILD {
        int ready[2];
        ASSERT_OK(pipe(ready));
        int init = fork_init();
        if (init == 0) {
            EXPECT_OK(kill(1, SIGTERM));
            EXPECT_OK(kill(getpid(), SIGKILL));
            int child = fork_child();
            if (child == 0) {
                EXPECT_OK(kill(1, SIGKILL));
                EXPECT_OK(kill(1, SIGSTOP));
                EXPECT_OK(kill(-1, 0) == -1 && errno == ESRCH ? 0 : -1);
                child_done();
            }
            EXPECT_EQ(wait_exit(child), 0);
            EXPECT_EQ(write(ready[1], "x", 1), 1);
            for (;;)
                pause();
        }
        char c;
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        EXPECT_OK(kill(init, SIGKILL));  // from outside it is one as any other
        EXPECT_EQ(wait_exit(init), -SIGKILL);
    }
}

static volatile int told_pid = -1;
static void note_sender(int sig, siginfo_t *info, void *ctx) { told_pid = info->si_pid; }

TEST(a_sender_from_outside_has_no_number) {
    need_namespaces();
    IN_CHILD {
        int ready[2];
        ASSERT_OK(pipe(ready));
        int init = fork_init();
        if (init == 0) {
            on_siginfo(SIGUSR1, note_sender, 0);
            ASSERT_EQ(write(ready[1], "x", 1), 1);
            while (told_pid < 0)
                sleep_ms(1);
            EXPECT_EQ(told_pid, 0);
            child_done();
        }
        char c;
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        EXPECT_OK(kill(init, SIGUSR1));
        EXPECT_EQ(wait_exit(init), 0);
    }
}

TEST(proc_shows_the_namespace) {
    need_namespaces();
    IN_CHILD {
        uid_t uid = geteuid();
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS));
        char text[4096];
        snprintf(text, sizeof(text), "0 %u 1", uid);
        int fd = open("/proc/self/uid_map", O_WRONLY);
        ASSERT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        int init = fork_child();
        if (init == 0) {
            if (mount("proc", "/proc", "proc", 0, NULL) != 0)
                SKIP("no new /proc here");
            ASSERT_TRUE(readlink("/proc/self", text, sizeof(text)) == 1);
            EXPECT_EQ(text[0], '1');
            ssize_t n = get_file("/proc/1/status", text, sizeof(text) - 1);
            ASSERT_TRUE(n > 0);
            text[n] = 0;
            EXPECT_TRUE(strstr(text, "\nPid:\t1\n") != NULL);
            EXPECT_TRUE(strstr(text, "\nPPid:\t0\n") != NULL);
            EXPECT_TRUE(strstr(text, "\nNSpid:\t1\n") != NULL);
            EXPECT_TRUE(strstr(text, "\nUid:\t0\t0\t0\t0\n") != NULL);
            EXPECT_ERRNO(open("/proc/2", O_RDONLY), ENOENT);
            child_done();
        }
        EXPECT_EQ(wait_exit(init), 0);
    }
}

TEST(status_of_one_inside_has_both_numbers) {
    need_namespaces();
    IN_CHILD {
        int hold[2];
        ASSERT_OK(pipe(hold));
        int init = fork_init();
        if (init == 0) {
            char c;
            close(hold[1]);
            EXPECT_EQ(read(hold[0], &c, 1), 0);
            child_done();
        }
        char path[64], text[4096], want[64];
        snprintf(path, sizeof(path), "/proc/%d/status", init);
        ssize_t n = get_file(path, text, sizeof(text) - 1);
        ASSERT_TRUE(n > 0);
        text[n] = 0;
        snprintf(want, sizeof(want), "\t%d\t1\n", init);
        char *line = strstr(text, "\nNSpid:");
        ASSERT_TRUE(line != NULL);
        EXPECT_TRUE(strstr(line, want) != NULL);
        close(hold[1]);
        EXPECT_EQ(wait_exit(init), 0);
    }
}

static int clone_with(struct clone_args *a) { return (int)syscall(SYS_clone3, a, sizeof(*a)); }

TEST(set_tid) {
    need_namespaces();
    IN_CHILD {
        int init = fork_init();
        if (init == 0) {
            pid_t want[] = {42};
            struct clone_args a = {
                .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)want, .set_tid_size = 1};
            int pid = clone_with(&a);
            if (pid == 0)
                _exit(getpid() == 42 ? 0 : 1);
            EXPECT_EQ(pid, 42);
            want[0] = 1;
            EXPECT_EQ(clone_with(&a), -1);
            EXPECT_EQ(errno, EEXIST);
            EXPECT_EQ(wait_exit(42), 0);
            want[0] = -1;
            EXPECT_EQ(clone_with(&a), -1);
            EXPECT_EQ(errno, EINVAL);
            a.set_tid_size = 33;
            EXPECT_EQ(clone_with(&a), -1);
            EXPECT_EQ(errno, EINVAL);
            child_done();
        }
        EXPECT_EQ(wait_exit(init), 0);
    }
}

TEST(refusals) {
    need_namespaces();
    IN_CHILD {
        struct clone_args a = {.flags = CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM};
        EXPECT_EQ(clone_with(&a), -1);
        EXPECT_EQ(errno, EINVAL);
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWPID));
        a.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
        EXPECT_EQ(clone_with(&a), -1);
        EXPECT_EQ(errno, EINVAL);
        EXPECT_ERRNO(unshare(CLONE_NEWPID), EINVAL);  // one that has nobody yet is waiting
    }
}

// The kernel itself kills for PTRACE_O_EXITKILL: the init dies of it, though its tracer is one of its own.
TEST(exitkill_ends_an_init) {
    need_namespaces();
    IN_CHILD {
        int init = fork_init();
        if (init == 0) {
            prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
            int tracer = fork_child();
            if (tracer == 0)
                _exit(ptrace(PTRACE_SEIZE, 1, 0, PTRACE_O_EXITKILL) != 0);
            _exit(wait_exit(tracer) ? 1 : 2);
        }
        int r = wait_exit(init);
        if (r == 1)
            SKIP("may not trace it here");
        EXPECT_EQ(r, -SIGKILL);
    }
}

// PIDFD_GET_INFO in the numbers of who asks; who cannot see it hears nothing.
TEST(what_a_pidfd_tells) {
    need_namespaces();
    struct info {
        uint64_t mask, cgroup;
        uint32_t pid, tgid, ppid, ids[8];
        int32_t exit_code;
    } i = {.mask = 3};
    int outside = ASSERT_OK(syscall(SYS_pidfd_open, getpid(), 0));
    if (ioctl(outside, _IOWR(0xff, 11, struct info), &i) < 0)
        SKIP("before Linux 6.13");
    IN_CHILD {
        int init = fork_init();
        if (init == 0) {
            int fd = ASSERT_OK(syscall(SYS_pidfd_open, 1, 0));
            EXPECT_OK(ioctl(fd, _IOWR(0xff, 11, struct info), &i));
            EXPECT_EQ(i.pid, 1);
            EXPECT_EQ(i.ppid, 0);
            EXPECT_EQ(i.ids[0], getuid());
            int unseen = ioctl(outside, _IOWR(0xff, 11, struct info), &i) < 0 ? errno : 0;
            EXPECT_TRUE(unseen == EREMOTE || unseen == ESRCH);  // since, before Linux 6.16
            child_done();
        }
        EXPECT_EQ(wait_exit(init), 0);
    }
    close(outside);
}

// Two namespaces with the same numbers: that 1 waits for 2 in one is no deadlock when 2 waits for 1 in the
// other.
static unsigned *words;  // shared: two locks, two flags
static long lock_pi(unsigned *word, int ms) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (ms % 1000) * 1000000L;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, &until, NULL, 0);
}

static int one_waits_for_two(void) {
    int init = fork_init();
    if (init)
        return init;
    int two = fork_child();
    if (two == 0) {
        ASSERT_OK(lock_pi(&words[0], 10000));
        __atomic_store_n(&words[2], 1, __ATOMIC_SEQ_CST);
        while (!__atomic_load_n(&words[3], __ATOMIC_SEQ_CST))
            sleep_ms(1);
        EXPECT_OK(syscall(SYS_futex, &words[0], FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
        child_done();
    }
    while (!__atomic_load_n(&words[2], __ATOMIC_SEQ_CST))
        sleep_ms(1);
    EXPECT_OK(lock_pi(&words[0], 10000));
    EXPECT_EQ(words[0] & FUTEX_TID_MASK, 1);
    EXPECT_EQ(wait_exit(two), 0);
    child_done();
}

TEST(locks_know_whose_numbers) {
    need_namespaces();
    words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(words != MAP_FAILED);
    int outer = fork_child();
    if (outer == 0) {
        EXPECT_EQ(wait_exit(one_waits_for_two()), 0);
        child_done();
    }
    while (!(__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) & FUTEX_WAITERS))
        sleep_ms(1);
    IN_CHILD {
        int init = fork_init();
        if (init == 0) {
            ASSERT_OK(lock_pi(&words[1], 10000));
            int two = fork_child();
            if (two == 0) {
                EXPECT_ERRNO(lock_pi(&words[1], 50), ETIMEDOUT);
                child_done();
            }
            EXPECT_EQ(wait_exit(two), 0);
            child_done();
        }
        EXPECT_EQ(wait_exit(init), 0);
    }
    __atomic_store_n(&words[3], 1, __ATOMIC_SEQ_CST);
    EXPECT_EQ(wait_exit(outer), 0);
    munmap(words, 4096);
}
