// SPDX-License-Identifier: Apache-2.0
// covers: wait4, rt_sigaction, fork
// SIGCHLD's siginfo; SIG_IGN and SA_NOCLDWAIT reap by themselves; SA_NOCLDSTOP (man 2 sigaction).
#include "guest.h"

static volatile int count;
static volatile siginfo_t last;

static void handler(int signal, siginfo_t *info, void *context)
{
    count++;
    last = *info;
}

TEST(siginfo)
{
    IN_CHILD {
        on_siginfo(SIGCHLD, handler, SA_RESTART);
        pid_t pid = fork();
        if (pid == 0)
            _exit(13);
        EXPECT_EQ(wait_exit(pid), 13);
        EXPECT_EQ(count, 1);
        EXPECT_EQ(last.si_code, CLD_EXITED);
        EXPECT_EQ(last.si_pid, pid);
        EXPECT_EQ(last.si_status, 13);
        EXPECT_EQ(last.si_uid, getuid());
    }
}

TEST(ignored_means_no_zombies)
{
    IN_CHILD {
        signal(SIGCHLD, SIG_IGN);
        pid_t pid = fork();
        if (pid == 0) {
            sleep_ms(20);
            _exit(1);
        }
        int status;
        EXPECT_ERRNO(waitpid(pid, &status, 0), ECHILD);
        EXPECT_ERRNO(kill(pid, 0), ESRCH);
    }
}

TEST(nocldwait)
{
    IN_CHILD {
        on_siginfo(SIGCHLD, handler, SA_NOCLDWAIT | SA_RESTART);
        pid_t pid = fork();
        if (pid == 0)
            _exit(1);
        int status;
        EXPECT_ERRNO(waitpid(pid, &status, 0), ECHILD);
    }
}

TEST(stops_are_reported_unless_nocldstop)
{
    for (int quiet = 0; quiet < 2; quiet++) {
        IN_CHILD {
            on_siginfo(SIGCHLD, handler, SA_RESTART | (quiet ? SA_NOCLDSTOP : 0));
            pid_t pid = fork();
            if (pid == 0) {
                for (;;)
                    pause();
            }
            int status;
            kill(pid, SIGSTOP);
            EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
            EXPECT_EQ(count, quiet ? 0 : 1);
            if (!quiet)
                EXPECT_EQ(last.si_code, CLD_STOPPED);
            kill(pid, SIGKILL);
            EXPECT_EQ(wait_exit(pid), -SIGKILL);
            EXPECT_EQ(count, quiet ? 1 : 2);
        }
    }
}
