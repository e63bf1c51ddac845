// SPDX-License-Identifier: Apache-2.0
// covers: execve, fork, pipe, dup2, wait4
// The C library's own users of system calls: system, popen, posix_spawn, pipelines of a shell (man 3
// system).
#include "guest.h"

#include <spawn.h>

TEST(system_function)
{
    EXPECT_EQ(system("exit 7"), 7 << 8);
    EXPECT_EQ(system("kill -TERM $$"), SIGTERM);
    EXPECT_EQ(system("true && ! false"), 0);
}

TEST(pipeline)
{
    char line[64] = {0};
    FILE *pipe = popen("for i in 3 1 2; do echo $i; done | sort | tr '\\n' ' '", "r");
    ASSERT_TRUE(pipe);
    EXPECT_TRUE(fgets(line, sizeof(line), pipe));
    EXPECT_STREQ(line, "1 2 3 ");
    EXPECT_EQ(pclose(pipe), 0);
}

TEST(spawn)
{
    char *argv[] = {"sh", "-c", "exit 9", NULL};
    pid_t pid;
    ASSERT_EQ(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
    EXPECT_EQ(wait_exit(pid), 9);
    EXPECT_EQ(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ), ENOENT);
}

TEST(here_document_and_background)
{
    in_tmpdir();
    EXPECT_EQ(system("cat <<X >out\nline one\nline two\nX\n(sleep 0.05; echo done >>out) & wait"), 0);
    char text[64];
    get_file("out", text, sizeof(text));
    EXPECT_STREQ(text, "line one\nline two\ndone\n");
}

TEST(trap)
{
    EXPECT_EQ(system("trap 'exit 5' USR1; kill -USR1 $$; exit 6"), 5 << 8);
}
