// SPDX-License-Identifier: Apache-2.0
// covers: exit, exit_group, wait4
// Exit codes and signal deaths as the parent sees them; exit_group ends all threads (man 2 exit_group).
#include "guest.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static void *sleep_forever(void *unused)
{
    for (;;)
        pause();
    return NULL;
}

static void *exit_process(void *unused)
{
    _exit(44);
}

static void *slow_exit(void *unused)
{
    sleep_ms(30);
    syscall(SYS_exit, 6);
    return NULL;
}

TEST(codes)
{
    int codes[] = {0, 1, 127, 128, 255};
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(codes[i]);
        EXPECT_EQ(wait_status(pid), codes[i] << 8);
    }
}

TEST(signals)
{
    int signals[] = {SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM, SIGUSR2, SIGRTMIN};
    for (int i = 0; i < 9; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            signal(signals[i], SIG_DFL);
            kill(getpid(), signals[i]);
            _exit(0);
        }
        EXPECT_EQ(wait_exit(pid), -signals[i]);
    }
}

TEST(group_exit_from_a_thread)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t a, b;
        pthread_create(&a, NULL, sleep_forever, NULL);
        pthread_create(&b, NULL, exit_process, NULL);
        sleep_forever(NULL);
    }
    EXPECT_EQ(wait_exit(pid), 44);
}

TEST(main_thread_may_leave_first)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, slow_exit, NULL);
        syscall(SYS_exit, 5);
    }
    int status;
    EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
    EXPECT_RANGE(wait_exit(pid), 5, 6);  // of the first thread up to Linux 5.18, of the last one since
}

TEST(killed_while_threads_run)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        for (int i = 0; i < 4; i++)
            pthread_create(&thread, NULL, sleep_forever, NULL);
        kill(getpid(), SIGKILL);
        sleep_forever(NULL);
    }
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
}

// No core is written, so the status must not tell of one: not with RLIMIT_CORE 0, nor for what is not
// dumpable.
static void check_no_core(bool limit)
{
    char how[2] = "";
    if (limit && get_file("/proc/sys/kernel/core_pattern", how, sizeof(how)) > 0 && how[0] == '|')
        return; // handed to a program, which RLIMIT_CORE does not keep from it
    static const int signals[] = {SIGSEGV, SIGABRT, SIGQUIT, SIGTRAP, SIGXCPU};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            prctl(PR_SET_DUMPABLE, limit, 0, 0, 0);
            signal(signals[i], SIG_DFL);
            raise(signals[i]);
            _exit(99);
        }
        siginfo_t info;
        int status;
        EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
        EXPECT_EQ(info.si_code, CLD_KILLED);
        EXPECT_EQ(info.si_status, signals[i]);
        EXPECT_EQ(waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, signals[i]);
    }
}

TEST(no_core_by_limit)
{
    check_no_core(true);
}

TEST(no_core_of_what_is_not_dumpable)
{
    check_no_core(false);
}
