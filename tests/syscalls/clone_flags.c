// SPDX-License-Identifier: Apache-2.0
// covers: clone
// Sharing of memory, files, directory and handlers by flag; the exit signal (man 2 clone).
#include "guest.h"

#include <sched.h>

static int value;
static int descriptor;

static int run(int (*function)(void *), int flags, void *arg)
{
    static char stack[65536] __attribute__((aligned(16)));
    pid_t pid = ASSERT_OK(clone(function, stack + sizeof(stack), flags | SIGCHLD, arg));
    return wait_exit(pid);
}

static int change_all(void *arg)
{
    value = 2;
    descriptor = dup2(1, 88);
    umask(0111);
    signal(SIGUSR1, SIG_IGN);
    return chdir("/") < 0;
}

static void reset(void)
{
    value = 1;
    close(88);
    umask(022);
    signal(SIGUSR1, SIG_DFL);
    in_tmpdir();
}

static bool at_root(void)
{
    char here[PATH_MAX];
    return getcwd(here, sizeof(here)) && strcmp(here, "/") == 0;
}

TEST(nothing_shared)
{
    reset();
    EXPECT_EQ(run(change_all, 0, NULL), 0);
    EXPECT_EQ(value, 1);
    EXPECT_ERRNO(fcntl(88, F_GETFD), EBADF);
    EXPECT_TRUE(!at_root());
    EXPECT_EQ(umask(022), 022);
}

TEST(memory)
{
    reset();
    EXPECT_EQ(run(change_all, CLONE_VM, NULL), 0);
    EXPECT_EQ(value, 2);
    EXPECT_ERRNO(fcntl(88, F_GETFD), EBADF);
}

TEST(files)
{
    reset();
    EXPECT_EQ(run(change_all, CLONE_FILES, NULL), 0);
    EXPECT_EQ(value, 1);
    EXPECT_EQ(fcntl(88, F_GETFD), 0);
    close(88);
}

TEST(directory_and_umask)
{
    reset();
    EXPECT_EQ(run(change_all, CLONE_FS, NULL), 0);
    EXPECT_TRUE(at_root());
    EXPECT_EQ(umask(022), 0111);
}

TEST(handlers)
{
    reset();
    EXPECT_EQ(run(change_all, CLONE_VM | CLONE_SIGHAND, NULL), 0);
    struct sigaction action;
    EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
    EXPECT_TRUE(action.sa_handler == SIG_IGN);
    signal(SIGUSR1, SIG_DFL);
}

TEST(bad_combinations)
{
    EXPECT_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}
