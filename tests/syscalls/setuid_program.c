// SPDX-License-Identifier: Apache-2.0
// covers: execve, chmod
// A set-user-ID program gives its owner's identity unless no_new_privs forbids it (man 2 execve, man 2
// prctl).
#include "guest.h"

#include <sys/prctl.h>

ROLE(report)
{
    return geteuid() == (uid_t)atoi(argv[2]) && getuid() == 1001 ? 0 : 1;
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

TEST(no_new_privs_stops_it)
{
    make_program();
    EXPECT_EQ(run(true, "1001"), 0);
}
