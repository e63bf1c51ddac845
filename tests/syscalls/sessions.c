// SPDX-License-Identifier: Apache-2.0
// covers: setsid, getsid, setpgid, getpgid, getpgrp
// Groups and sessions: creation, joining, and every refusal (man 2 setpgid, man 2 setsid).
#include "guest.h"

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    wait_exit(pid);
}

TEST(new_session)
{
    IN_CHILD {
        EXPECT_EQ(setsid(), getpid());
        EXPECT_EQ(getsid(0), getpid());
        EXPECT_EQ(getpgrp(), getpid());
        EXPECT_ERRNO(setsid(), EPERM);
        EXPECT_ERRNO(setpgid(0, 0), EPERM);
        IN_CHILD {
            EXPECT_EQ(getsid(0), getppid());
            EXPECT_EQ(getpgrp(), getppid());
        }
    }
}

TEST(groups)
{
    IN_CHILD {
        EXPECT_OK(setpgid(0, 0));
        EXPECT_EQ(getpgrp(), getpid());
        EXPECT_EQ(getpgid(0), getpid());
        pid_t a = sleeper(), b = sleeper();
        EXPECT_EQ(getpgid(a), getpid());
        EXPECT_OK(setpgid(a, 0));
        EXPECT_OK(setpgid(b, a));
        EXPECT_EQ(getpgid(b), a);
        EXPECT_OK(setpgid(b, getpid()));
        EXPECT_EQ(getpgid(b), getpid());
        end(a);
        end(b);
    }
}

TEST(refusals)
{
    IN_CHILD {
        pid_t child = sleeper();
        EXPECT_ERRNO(setpgid(child, -1), EINVAL);
        EXPECT_ERRNO(setpgid(999999999, 0), ESRCH);
        EXPECT_ERRNO(setpgid(child, 999999999), EPERM);
        EXPECT_ERRNO(setpgid(getppid(), 0), ESRCH);
        EXPECT_ERRNO(getpgid(999999999), ESRCH);
        EXPECT_ERRNO(getsid(999999999), ESRCH);
        end(child);
    }
}

TEST(other_session)
{
    IN_CHILD {
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = fork();
        if (pid == 0) {
            setsid();
            write(fds[1], "x", 1);
            for (;;)
                pause();
        }
        char c;
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        EXPECT_EQ(getsid(pid), pid);
        EXPECT_ERRNO(setpgid(pid, getpgrp()), EPERM);
        EXPECT_ERRNO(setpgid(0, pid), EPERM);
        end(pid);
    }
}

ROLE(wait_for_end)
{
    char c;
    ssize_t n = write(1, "x", 1);
    return read(0, &c, 1) == n;
}

TEST(after_exec)
{
    IN_CHILD {
        int in[2], out[2];
        ASSERT_OK(pipe(in));
        ASSERT_OK(pipe(out));
        pid_t pid = fork();
        if (pid == 0) {
            dup2(in[0], 0);
            dup2(out[1], 1);
            close_range(3, ~0U, 0);
            execl(guest.exe, "x", "wait_for_end", NULL);
            _exit(9);
        }
        char c;
        EXPECT_EQ(read(out[0], &c, 1), 1);
        EXPECT_ERRNO(setpgid(pid, pid), EACCES);
        close(in[1]);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}
