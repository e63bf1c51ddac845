// SPDX-License-Identifier: Apache-2.0
// covers: execve, chmod, ptrace
// A set-user-ID program gives its owner's identity unless no_new_privs forbids it (man 2 execve, man 2
// prctl).
#include "guest.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>

ROLE(report)
{
    return geteuid() == (uid_t)atoi(argv[2]) && getuid() == 1001 ? 0 : 1;
}

ROLE(wait)
{
    sleep_ms(5000);
    return 0;
}

static void make_program(void)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    ASSERT_OK(chmod(".", 0755));
    int in = ASSERT_OK(open(guest.exe, O_RDONLY)), out = ASSERT_OK(open("p", O_WRONLY | O_CREAT, 0755));
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof(buffer))) > 0;)
        ASSERT_EQ(write(out, buffer, n), n);
    close(in);
    close(out);
    ASSERT_OK(chown("p", 1002, 1002));
    ASSERT_OK(chmod("p", 04755));
}

static int run(bool no_new_privs, char *expected)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        ASSERT_OK(setgid(1001));
        ASSERT_OK(setuid(1001));
        if (no_new_privs)
            ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        execl("./p", "p", "report", expected, NULL);
        _exit(9);
    }
    return wait_exit(pid);
}

TEST(takes_effect)
{
    make_program();
    int result = run(false, "1002");
    if (result == 1 && run(false, "1001") == 0)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    EXPECT_EQ(result, 0);
}

// It could be led about by a tracer that has no rights itself.
TEST(a_tracer_stops_it)
{
    make_program();
    if (run(false, "1002") != 0)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    pid_t parent = fork_child();
    if (parent == 0) {
        ASSERT_OK(setgid(1001));
        ASSERT_OK(setuid(1001));
        pid_t pid = fork();
        if (pid == 0) {
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            execl("./p", "p", "report", "1001", NULL);
            _exit(9);
        }
        int status = 0;
        EXPECT_EQ(waitpid(pid, &status, 0), pid);
        EXPECT_EQ(status, SIGTRAP << 8 | 0x7f);
        EXPECT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
        EXPECT_EQ(wait_exit(pid), 0);
        child_done();
    }
    EXPECT_EQ(wait_exit(parent), 0);
}

// What it is with all its rights, its maker may not look into.
TEST(it_is_not_traced_later)
{
    make_program();
    if (run(false, "1002") != 0)
        SKIP("set-user-ID has no effect here (nosuid or no_new_privs)");
    pid_t parent = fork_child();
    if (parent == 0) {
        ASSERT_OK(setgid(1001));
        ASSERT_OK(setuid(1001));
        pid_t pid = fork();
        if (pid == 0) {
            execl("./p", "p", "wait", NULL);
            _exit(9);
        }
        sleep_ms(200);
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        EXPECT_ERRNO(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
        EXPECT_ERRNO(ptrace(PTRACE_SEIZE, pid, 0, 0), EPERM);
        EXPECT_ERRNO(open(path, O_RDONLY), EACCES);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        child_done();
    }
    EXPECT_EQ(wait_exit(parent), 0);
}

TEST(no_new_privs_stops_it)
{
    make_program();
    EXPECT_EQ(run(true, "1001"), 0);
}
