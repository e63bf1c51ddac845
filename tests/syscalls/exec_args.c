// SPDX-License-Identifier: Apache-2.0
// covers: execve
// Arguments, environment and the new program's status arrive (man 2 execve).
#include "guest.h"

ROLE(report)
{
    for (int i = 2; i < argc; i++)
        guest_print("%s|", argv[i]);
    guest_print("%s", getenv("GUEST_X") ? getenv("GUEST_X") : "unset");
    return argc;
}

ROLE(count_env)
{
    int count = 0;
    for (char **e = environ; *e; e++)
        count++;
    return count;
}

// Runs a program and returns its exit status, with its output in text.
static int run(char **argv, char **envp, char *text, size_t size)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        execve(guest.exe, argv, envp);
        _exit(99);
    }
    close(fds[1]);
    read_all(fds[0], text, size);
    close(fds[0]);
    return wait_exit(pid);
}

TEST(arguments)
{
    char text[256];
    char *argv[] = {"any name", "report", "", "two words", "-x", NULL}, *envp[] = {NULL};
    EXPECT_EQ(run(argv, envp, text, sizeof(text)), 5);
    EXPECT_STREQ(text, "|two words|-x|unset");
}

TEST(environment)
{
    char text[256];
    char *argv[] = {"x", "report", NULL}, *envp[] = {"A=b", "GUEST_X=here", NULL};
    EXPECT_EQ(run(argv, envp, text, sizeof(text)), 2);
    EXPECT_STREQ(text, "here");
    char *count[] = {"x", "count_env", NULL};
    EXPECT_EQ(run(count, envp, text, sizeof(text)), 2);
}

TEST(large_arguments)
{
    char *big = malloc(100001), text[64];
    memset(big, 'a', 100000);
    big[100000] = 0;
    char *argv[] = {"x", "report", NULL}, *envp[] = {big, "GUEST_X=after", NULL};
    EXPECT_EQ(run(argv, envp, text, sizeof(text)), 2);
    EXPECT_STREQ(text, "after");
    free(big);
}

TEST(keeps_the_pid)
{
    char *argv[] = {"x", "count_env", NULL}, *envp[] = {NULL};
    char text[16];
    EXPECT_EQ(run(argv, envp, text, sizeof(text)), 0);
}
