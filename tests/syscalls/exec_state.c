// SPDX-License-Identifier: Apache-2.0
// covers: execve
// What exec resets and what it keeps: handlers, mask, pending signals, altstack, timers, directory (man 2
// execve).
#include "guest.h"

#include <sys/resource.h>

ROLE(check)
{
    guest.current = "in_the_new_program";
    struct sigaction action;
    stack_t stack;
    sigset_t set;
    EXPECT_OK(sigaction(SIGUSR1, NULL, &action));
    EXPECT_TRUE(action.sa_handler == SIG_DFL);
    EXPECT_EQ(action.sa_flags, 0);
    EXPECT_OK(sigaction(SIGUSR2, NULL, &action));
    EXPECT_TRUE(action.sa_handler == SIG_IGN);
    EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &set));
    EXPECT_EQ(sigismember(&set, SIGTERM), 1);
    EXPECT_EQ(sigismember(&set, SIGINT), 0);
    EXPECT_OK(sigpending(&set));
    EXPECT_EQ(sigismember(&set, SIGTERM), 1);
    EXPECT_OK(sigaltstack(NULL, &stack));
    EXPECT_EQ(stack.ss_flags, SS_DISABLE);
    EXPECT_ERRNO(fcntl(60, F_GETFD), EBADF);
    EXPECT_EQ(fcntl(61, F_GETFD), 0);
    EXPECT_EQ(umask(0), 0123);
    char here[PATH_MAX];
    EXPECT_STREQ(getcwd(here, sizeof(here)), "/");
    EXPECT_EQ(getpid(), atoi(argv[2]));
    EXPECT_GE(alarm(0), 50);
    struct rlimit limit;
    EXPECT_OK(getrlimit(RLIMIT_NOFILE, &limit));
    EXPECT_EQ(limit.rlim_cur, 100);
    return atomic_load(&guest.failures);
}

static void handler(int signal)
{
}

TEST(reset_and_kept)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        static char stack[65536];
        stack_t altstack = {.ss_sp = stack, .ss_size = sizeof(stack)};
        struct rlimit limit = {100, 100};
        char text[16];
        on_signal(SIGUSR1, handler, SA_RESTART);
        signal(SIGUSR2, SIG_IGN);
        block_signal(SIG_BLOCK, SIGTERM);
        kill(getpid(), SIGTERM);
        ASSERT_OK(sigaltstack(&altstack, NULL));
        ASSERT_OK(dup3(1, 60, O_CLOEXEC));
        ASSERT_OK(dup2(1, 61));
        ASSERT_OK(setrlimit(RLIMIT_NOFILE, &limit));
        umask(0123);
        ASSERT_OK(chdir("/"));
        alarm(60);
        snprintf(text, sizeof(text), "%d", getpid());
        execl(guest.exe, guest.exe, "check", text, NULL);
        _exit(99);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

ROLE(name)
{
    char text[32];
    get_file("/proc/self/comm", text, sizeof(text));
    return strcmp(text, "exec_state\n") == 0 ? 0 : 1;
}

TEST(name_follows_the_file)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        execl(guest.exe, "other name", "name", NULL);
        _exit(99);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}
