// SPDX-License-Identifier: Apache-2.0
// covers: wait4, waitid
// Stopped and continued children, WNOWAIT, process groups, siginfo (man 2 waitid).
#include "guest.h"

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    return ASSERT_OK(pid);
}

TEST(stop_and_continue)
{
    pid_t pid = sleeper();
    int status;
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
    EXPECT_EQ(WSTOPSIG(status), SIGSTOP);
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
    EXPECT_OK(kill(pid, SIGCONT));
    EXPECT_EQ(waitpid(pid, &status, WCONTINUED), pid);
    EXPECT_TRUE(WIFCONTINUED(status));
    EXPECT_OK(kill(pid, SIGTERM));
    EXPECT_EQ(wait_exit(pid), -SIGTERM);
}

TEST(waitid_info)
{
    pid_t pid = sleeper();
    siginfo_t info;
    EXPECT_OK(kill(pid, SIGSTOP));
    EXPECT_OK(waitid(P_PID, pid, &info, WSTOPPED));
    EXPECT_EQ(info.si_code, CLD_STOPPED);
    EXPECT_EQ(info.si_status, SIGSTOP);
    EXPECT_EQ(info.si_pid, pid);
    EXPECT_EQ(info.si_signo, SIGCHLD);
    EXPECT_EQ(info.si_uid, getuid());
    EXPECT_OK(kill(pid, SIGCONT));
    EXPECT_OK(waitid(P_PID, pid, &info, WCONTINUED));
    EXPECT_EQ(info.si_code, CLD_CONTINUED);
    EXPECT_EQ(info.si_status, SIGCONT);
    EXPECT_OK(kill(pid, SIGKILL));
    EXPECT_OK(waitid(P_PID, pid, &info, WEXITED));
    EXPECT_EQ(info.si_code, CLD_KILLED);
    EXPECT_EQ(info.si_status, SIGKILL);
}

TEST(nowait_leaves_it)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(12);
    siginfo_t info;
    for (int i = 0; i < 2; i++) {
        EXPECT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
        EXPECT_EQ(info.si_code, CLD_EXITED);
        EXPECT_EQ(info.si_status, 12);
    }
    EXPECT_EQ(wait_exit(pid), 12);
    EXPECT_ERRNO(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), ECHILD);
}

TEST(nohang_gives_zeros)
{
    pid_t pid = sleeper();
    siginfo_t info;
    memset(&info, 0x55, sizeof(info));
    EXPECT_OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
    EXPECT_EQ(info.si_pid, 0);
    EXPECT_EQ(info.si_signo, 0);
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

TEST(process_groups)
{
    IN_CHILD {
        pid_t a = sleeper(), b = sleeper();
        ASSERT_OK(setpgid(a, a));
        ASSERT_OK(setpgid(b, a));
        int status;
        siginfo_t info;
        EXPECT_EQ(waitpid(-a, &status, WNOHANG), 0);
        EXPECT_ERRNO(waitpid(0, &status, WNOHANG), ECHILD);
        EXPECT_OK(kill(-a, SIGTERM));
        pid_t first = waitpid(-a, &status, 0);
        EXPECT_TRUE(first == a || first == b);
        EXPECT_OK(waitid(P_PGID, a, &info, WEXITED));
        EXPECT_EQ(info.si_pid, first == a ? b : a);
        EXPECT_ERRNO(waitpid(-a, &status, 0), ECHILD);
    }
}
