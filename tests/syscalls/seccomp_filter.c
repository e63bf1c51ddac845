// SPDX-License-Identifier: Apache-2.0
// covers: seccomp, prctl
// Strict and filter modes set by the program itself, where they are offered (man 2 seccomp).
#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static int install(int number, unsigned action)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) {
        if (errno == ENOSYS || errno == EINVAL)
            SKIP("filters are not offered here");
        return -1;
    }
    return 0;
}

TEST(errno_action)
{
    IN_CHILD {
        ASSERT_OK(install(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV));
        EXPECT_ERRNO(syscall(SYS_getppid), EXDEV);
        EXPECT_OK(syscall(SYS_getpid));
        IN_CHILD {
            EXPECT_ERRNO(syscall(SYS_getppid), EXDEV);
        }
    }
}

TEST(kill_action)
{
    IN_CHILD {
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(install(SYS_getppid, SECCOMP_RET_KILL_PROCESS));
            syscall(SYS_getppid);
            _exit(3);
        }
        int result = wait_exit(pid);
        if (result == GUEST_EXIT_SKIP)
            SKIP("filters are not offered here");
        EXPECT_EQ(result, -SIGSYS);
    }
}

static volatile int trapped;

static void handler(int signal, siginfo_t *info, void *context)
{
    trapped = info->si_syscall;
}

TEST(trap_action)
{
    IN_CHILD {
        on_siginfo(SIGSYS, handler, 0);
        ASSERT_OK(install(SYS_getppid, SECCOMP_RET_TRAP));
        syscall(SYS_getppid);
        EXPECT_EQ(trapped, SYS_getppid);
    }
}

TEST(errors)
{
    EXPECT_TRUE(syscall(SYS_seccomp, 99, 0, NULL) == -1 && (errno == EINVAL || errno == ENOSYS));
    EXPECT_TRUE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, KERNEL_POINTER) == -1);
}
