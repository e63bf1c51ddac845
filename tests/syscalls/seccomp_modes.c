// SPDX-License-Identifier: Apache-2.0
// covers: seccomp, prctl
// What filters see and decide, who inherits them, how they add up, and what is no filter (man 2 seccomp).
#include "guest.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ucontext.h>

#define LOAD(field)        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(value)      BPF_STMT(BPF_RET | BPF_K, value)

static long filter(struct sock_filter *code, unsigned short n, unsigned flags) {
    struct sock_fprog program = {n, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
#define FILTER(flags, ...) \
    ({ \
        struct sock_filter code_[] = {__VA_ARGS__}; \
        filter(code_, sizeof(code_) / sizeof(code_[0]), flags); \
    })
#define ON(number, action, flags) \
    FILTER(flags, LOAD(nr), IS(number, 0, 1), RETURN(action), RETURN(SECCOMP_RET_ALLOW))

static int status_line(const char *name) {
    char text[8192];
    get_file("/proc/self/status", text, sizeof(text));
    char *at = strstr(text, name);
    return at ? atoi(at + strlen(name)) : -1;
}

TEST(status) {
    IN_CHILD {
        EXPECT_EQ(prctl(PR_GET_SECCOMP), 0);
        int before = status_line("\nSeccomp_filters:");
        EXPECT_EQ(status_line("\nSeccomp:"), 0);
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0));
        ASSERT_OK(ON(SYS_getsid, SECCOMP_RET_ERRNO | EXDEV, 0));
        EXPECT_EQ(prctl(PR_GET_SECCOMP), 2);
        EXPECT_EQ(status_line("\nSeccomp:"), 2);
        EXPECT_EQ(status_line("\nNoNewPrivs:"), 1);
        if (before == 0)
            EXPECT_EQ(status_line("\nSeccomp_filters:"), 2);
        EXPECT_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
    }
}

// All that a filter may look at, and the answer of each action's data.
TEST(sees_the_call) {
    IN_CHILD {
        ASSERT_OK(FILTER(
            0, LOAD(arch), IS(AUDIT_ARCH_X86_64, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS), LOAD(nr),
            IS(SYS_getpriority, 0, 6),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])), IS(0x1234, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4), IS(0x5678, 0, 1),
            RETURN(SECCOMP_RET_ERRNO | 77), RETURN(SECCOMP_RET_ERRNO | 0), RETURN(SECCOMP_RET_ALLOW)));
        EXPECT_ERRNO(syscall(SYS_getpriority, 0, 0x567800001234), 77);
        EXPECT_EQ(syscall(SYS_getpriority, 0, 0x1234), 0);
        EXPECT_EQ(syscall(SYS_getpriority, 0, 0), 0);
    }
}

TEST(large_errno) {
    IN_CHILD {
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | 0xffff, 0));
        EXPECT_ERRNO(syscall(SYS_getppid), 4095);
    }
    IN_CHILD {
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | 512, 0));
        EXPECT_ERRNO(syscall(SYS_getppid), 512);
    }
}

// Calls that are made often enough to come by a faster way are still looked at, and those before it are not
// lost.
TEST(hot_calls) {
    for (int i = 0; i < 20000; i++)
        syscall(SYS_getppid);
    IN_CHILD {
        for (int i = 0; i < 20000; i++)
            syscall(SYS_getppid);
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0));
        for (int i = 0; i < 20000; i++) {
            if (!EXPECT_ERRNO(syscall(SYS_getppid), EXDEV))
                break;
        }
        EXPECT_OK(getpid());
    }
}

TEST(by_place) {
    IN_CHILD {
        for (int i = 0; i < 5000; i++)
            syscall(SYS_getppid);
        ASSERT_OK(
            FILTER(0, LOAD(nr), IS(SYS_getppid, 0, 4),
                   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
                   IS(0, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ERRNO | EXDEV),
                   RETURN(SECCOMP_RET_ALLOW)));
        for (int i = 0; i < 100; i++)
            EXPECT_TRUE(syscall(SYS_getppid) == -1 && errno == EXDEV);
        EXPECT_OK(syscall(SYS_getpid));
    }
}

TEST(strongest_counts) {
    IN_CHILD {
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | 5, 0));
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_LOG, 0));
        EXPECT_ERRNO(syscall(SYS_getppid), 5);
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | 6, 0));
        EXPECT_ERRNO(syscall(SYS_getppid), 6);
        on_signal(SIGSYS, SIG_DFL, 0);
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0));
            syscall(SYS_getppid);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(pid), -SIGSYS);
    }
}

static volatile siginfo_t seen;
static volatile long long seen_rax, seen_rip;

static void on_sys(int signal, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    memcpy((void *)&seen, info, sizeof(seen));
    seen_rax = u->uc_mcontext.gregs[REG_RAX];
    seen_rip = u->uc_mcontext.gregs[REG_RIP];
    u->uc_mcontext.gregs[REG_RAX] = 4711;
}

TEST(trap) {
    IN_CHILD {
        on_siginfo(SIGSYS, on_sys, 0);
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_TRAP | 99, 0));
        EXPECT_EQ(syscall(SYS_getppid), 4711);
        EXPECT_EQ(seen.si_errno, 99);
        EXPECT_EQ(seen.si_code, 1);
        EXPECT_EQ(seen.si_syscall, SYS_getppid);
        EXPECT_EQ(seen.si_arch, AUDIT_ARCH_X86_64);
        EXPECT_EQ((long long)seen.si_call_addr, seen_rip);
        EXPECT_EQ(seen_rax, SYS_getppid);
        pid_t pid = fork_child();
        if (pid == 0) {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGSYS);
            sigprocmask(SIG_BLOCK, &set, NULL);
            syscall(SYS_getppid);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(pid), -SIGSYS);
    }
}

TEST(unknown_action_kills) {
    IN_CHILD {
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(ON(SYS_getppid, 0x00010000, 0));
            syscall(SYS_getppid);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(pid), -SIGSYS);
    }
}

static void *killed_thread(void *arg) {
    syscall(SYS_getppid);
    *(int *)arg = 1;
    return NULL;
}

TEST(kill_thread) {
    IN_CHILD {
        static int survived;
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0));
        pthread_t thread;
        ASSERT_EQ(pthread_create(&thread, NULL, killed_thread, &survived), 0);
        pthread_join(thread, NULL);  // the kernel clears its number and wakes us
        EXPECT_EQ(survived, 0);
        pid_t pid = fork_child();
        if (pid == 0) {
            syscall(SYS_getppid);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(pid), -SIGSYS);  // the only one: the process
    }
}

TEST(strict) {
    IN_CHILD {
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
            syscall(SYS_write, 1, "", 0);
            syscall(SYS_exit, 7);
        }
        EXPECT_EQ(wait_exit(pid), 7);
        pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
            syscall(SYS_getpid);
            syscall(SYS_exit, 7);
        }
        EXPECT_EQ(wait_exit(pid), -SIGKILL);
    }
}

ROLE(parent) { return syscall(SYS_getppid) == -1 && errno == EXDEV ? 0 : 1; }

TEST(kept_by_exec) {
    IN_CHILD {
        ASSERT_OK(ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, 0));
        pid_t pid = fork_child();
        if (pid == 0) {
            execl(guest.exe, guest.exe, "parent", NULL);
            _exit(9);
        }
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

static atomic_int stage;

static void *other(void *arg) {
    if (arg)
        *(long *)arg = ON(SYS_getpgrp, SECCOMP_RET_ERRNO | 3, 0);
    atomic_store(&stage, 1);
    while (atomic_load(&stage) != 2)
        sched_yield();
    return (void *)(long)(syscall(SYS_getppid) == -1 && errno == EXDEV);
}

static void wait_stage(void) {
    while (atomic_load(&stage) != 1)
        sched_yield();
}

TEST(tsync) {
    IN_CHILD {
        pthread_t thread;
        void *result;
        ASSERT_EQ(pthread_create(&thread, NULL, other, NULL), 0);
        wait_stage();
        ASSERT_EQ(ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, SECCOMP_FILTER_FLAG_TSYNC), 0);
        atomic_store(&stage, 2);
        pthread_join(thread, &result);
        EXPECT_EQ((long)result, 1);
    }
    IN_CHILD {
        pthread_t thread;
        void *result;
        long installed = -1;
        atomic_store(&stage, 0);
        ASSERT_EQ(pthread_create(&thread, NULL, other, &installed), 0);
        wait_stage();
        ASSERT_EQ(installed, 0);
        EXPECT_GE(ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV, SECCOMP_FILTER_FLAG_TSYNC), 1);
        EXPECT_OK(syscall(SYS_getppid));
        EXPECT_ERRNO(ON(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV,
                        SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH),
                     ESRCH);
        atomic_store(&stage, 2);
        pthread_join(thread, &result);
        EXPECT_EQ((long)result, 0);
    }
}

TEST(refused_programs) {
    IN_CHILD {
        EXPECT_ERRNO(FILTER(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_ERRNO(FILTER(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_ERRNO(FILTER(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_ERRNO(FILTER(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_ERRNO(FILTER(0, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_ERRNO(FILTER(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_ERRNO(FILTER(0, LOAD(nr)), EINVAL);
        EXPECT_ERRNO(FILTER(0, IS(1, 5, 5), RETURN(SECCOMP_RET_ALLOW)), EINVAL);
        EXPECT_OK(FILTER(0, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), IS(64, 1, 0),
                         RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)));
        EXPECT_OK(getpid());
    }
}

TEST(errors) {
    IN_CHILD {
        struct sock_filter code[] = {RETURN(SECCOMP_RET_ALLOW)};
        struct sock_fprog program = {1, code}, none = {0, code}, lost = {1, KERNEL_POINTER};
        unsigned action = SECCOMP_RET_LOG, odd = 0x1234, sizes[2];
        ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &program), EINVAL);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x4000, &program), EINVAL);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                             SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_NEW_LISTENER, &program),
                     EINVAL);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &none), EINVAL);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &lost), EFAULT);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
        EXPECT_ERRNO(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), EFAULT);
        EXPECT_ERRNO(prctl(PR_SET_SECCOMP, 9, &program), EINVAL);
        EXPECT_EQ(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), 0);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &odd), EOPNOTSUPP);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
        EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
        EXPECT_EQ(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, sizes), 0);
        EXPECT_EQ(sizes[0], 80 | 24 << 16);
        EXPECT_ERRNO(syscall(SYS_seccomp, 77, 0, NULL), EINVAL);
    }
    IN_CHILD {
        struct sock_filter code[] = {RETURN(SECCOMP_RET_ALLOW)};
        struct sock_fprog program = {1, code};
        if (geteuid() == 0)
            ASSERT_OK(setresuid(65534, 65534, 65534));
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0)
            EXPECT_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), EACCES);
    }
}

// The chain has a bound: it is refused in the end, and nothing is lost.
TEST(many_filters) {
    IN_CHILD {
        static struct sock_filter code[4096];
        for (int i = 0; i < 4095; i++)
            code[i] = (struct sock_filter)LOAD(nr);
        code[4095] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
        int n = 0;
        while (n < 20 && filter(code, 4096, 0) == 0)
            n++;
        EXPECT_EQ(errno, ENOMEM);
        EXPECT_RANGE(n, 6, 8);
        EXPECT_OK(getpid());
    }
}
