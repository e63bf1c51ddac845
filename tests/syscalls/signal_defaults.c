// SPDX-License-Identifier: Apache-2.0
// covers: kill, wait4
// Default actions: terminate, ignore, stop, continue (man 7 signal, Standard signals).
#include "guest.h"

static pid_t after_raise(int signal_number)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(signal_number, SIG_DFL);
        block_signal(SIG_UNBLOCK, signal_number);
        kill(getpid(), signal_number);
        _exit(55);
    }
    return pid;
}

TEST(terminate)
{
    int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGPIPE,
                     SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGPOLL, SIGPWR, SIGSYS};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        EXPECT_EQ(wait_exit(after_raise(signals[i])), -signals[i]);
    EXPECT_EQ(wait_exit(after_raise(SIGRTMAX)), -SIGRTMAX);
}

TEST(ignore)
{
    int signals[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(wait_exit(after_raise(signals[i])), 55);
}

TEST(stop)
{
    int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (int i = 0; i < 4; i++) {
        // A terminal stop signal does nothing to an orphaned group; this group has a parent outside of it.
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, 0);
            signal(signals[i], SIG_DFL);
            kill(getpid(), signals[i]);
            _exit(55);
        }
        int status;
        EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
        EXPECT_TRUE(WIFSTOPPED(status));
        EXPECT_EQ(WSTOPSIG(status), signals[i]);
        EXPECT_OK(kill(pid, SIGCONT));
        EXPECT_EQ(wait_exit(pid), 55);
    }
}

TEST(ignored_by_choice)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGTERM, SIG_IGN);
        kill(getpid(), SIGTERM);
        _exit(55);
    }
    EXPECT_EQ(wait_exit(pid), 55);
}

TEST(abort_cannot_be_blocked_away)
{
    pid_t pid = fork();
    if (pid == 0) {
        block_signal(SIG_BLOCK, SIGABRT);
        signal(SIGABRT, SIG_IGN);
        abort();
    }
    EXPECT_EQ(wait_exit(pid), -SIGABRT);
}
