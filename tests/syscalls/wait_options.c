// SPDX-License-Identifier: Apache-2.0
// covers: wait4, waitid
// Stopped and continued children, WNOWAIT, process groups, siginfo, what there is nothing to wait for (man 2
// waitid).
#include "guest.h"

#include <sys/syscall.h>

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

// A zombie never stops or continues, so there is nothing to wait for when its end is not asked for.
TEST(a_zombie_has_no_other_news)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(5);
    siginfo_t info;
    ASSERT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    EXPECT_ERRNO(waitid(P_PID, pid, &info, WSTOPPED), ECHILD);
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, WCONTINUED), ECHILD);
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, WSTOPPED | WCONTINUED | WNOHANG), ECHILD);
    pid_t living = sleeper();
    EXPECT_OK(waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG));
    EXPECT_EQ(info.si_pid, 0);
    EXPECT_OK(kill(living, SIGKILL));
    EXPECT_EQ(wait_exit(living), -SIGKILL);
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, WSTOPPED), ECHILD);
    EXPECT_EQ(wait_exit(pid), 5);
}

TEST(refusals)
{
    siginfo_t info;
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, WNOHANG), EINVAL);
    EXPECT_ERRNO(waitid(P_ALL, 0, &info, WEXITED | 0x10), EINVAL);
    EXPECT_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
    EXPECT_ERRNO(waitid(P_PID, -1, &info, WEXITED), EINVAL);
    EXPECT_ERRNO(waitid(P_PGID, -1, &info, WEXITED), EINVAL);
    EXPECT_ERRNO(waitid(P_PIDFD, -1, &info, WEXITED), EINVAL);
    EXPECT_ERRNO(waitid(P_PIDFD, 0x3fffffff, &info, WEXITED), EBADF);
    EXPECT_ERRNO(waitid(9, 0, &info, WEXITED), EINVAL);
    EXPECT_ERRNO(waitpid(-1, NULL, WEXITED), EINVAL);
    EXPECT_ERRNO(waitpid(-1, NULL, WNOWAIT), EINVAL);
    EXPECT_ERRNO(waitpid(INT_MIN, NULL, 0), ESRCH);
    EXPECT_ERRNO(waitpid(-1, NULL, 0), ECHILD);
    EXPECT_ERRNO(waitpid(getpid(), NULL, 0), ECHILD);
}

// Children that do not tell by SIGCHLD are waited for by __WCLONE or __WALL alone.
TEST(kinds_of_children)
{
    int status;
    pid_t plain = sleeper(), other = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
    if (other == 0) {
        for (;;)
            pause();
    }
    ASSERT_OK(other);
    EXPECT_EQ(waitpid(plain, &status, WNOHANG), 0);
    EXPECT_ERRNO(waitpid(plain, &status, WNOHANG | __WCLONE), ECHILD);
    EXPECT_ERRNO(waitpid(other, &status, WNOHANG), ECHILD);
    EXPECT_EQ(waitpid(other, &status, WNOHANG | __WCLONE), 0);
    EXPECT_EQ(waitpid(other, &status, WNOHANG | __WALL), 0);
    EXPECT_OK(kill(plain, SIGKILL));
    EXPECT_EQ(wait_exit(plain), -SIGKILL);
    EXPECT_ERRNO(waitpid(-1, &status, 0), ECHILD);
    EXPECT_OK(kill(other, SIGKILL));
    EXPECT_EQ(waitpid(-1, &status, __WCLONE), other);
}

static void *fork_and_leave(void *arg)
{
    *(pid_t *)arg = sleeper();
    return NULL;
}

static void *try_no_thread(void *arg)
{
    int status;
    errno = 0;
    *(int *)arg = waitpid(-1, &status, WNOHANG | __WNOTHREAD) < 0 ? errno : 0;
    return NULL;
}

// The child of a thread that has ended is another thread's: the first one's.
TEST(children_of_ended_threads)
{
    pthread_t thread;
    pid_t pid = 0;
    int result = -1, status;
    ASSERT_EQ(pthread_create(&thread, NULL, fork_and_leave, &pid), 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 15000 && waitpid(-1, &status, WNOHANG | __WNOTHREAD) < 0; i++)
        sleep_ms(1);
    EXPECT_EQ(waitpid(-1, &status, WNOHANG | __WNOTHREAD), 0);
    ASSERT_EQ(pthread_create(&thread, NULL, try_no_thread, &result), 0);
    pthread_join(thread, NULL);
    EXPECT_EQ(result, ECHILD);
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}
