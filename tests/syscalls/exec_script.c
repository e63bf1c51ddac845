// SPDX-License-Identifier: Apache-2.0
// covers: execve
// #! scripts: interpreter, one optional argument, nesting, missing interpreters, long lines (man 2 execve,
// Interpreter scripts).
#include "guest.h"

ROLE(show)
{
    for (int i = 2; i < argc; i++)
        guest_print("[%s]", argv[i]);
    return 0;
}

static void script(const char *path, const char *first_line)
{
    put_file(path, first_line);
    ASSERT_OK(chmod(path, 0755));
}

// Runs path with the arguments "one" and "two"; what it printed is in text.
static int run(const char *path, char *text, size_t size)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        dup2(fds[1], 1);
        execl(path, "ignored", "one", "two", NULL);
        _exit(errno);
    }
    close(fds[1]);
    read_all(fds[0], text, size);
    close(fds[0]);
    return wait_exit(pid);
}

TEST(arguments)
{
    in_tmpdir();
    char line[PATH_MAX + 64], text[256];
    snprintf(line, sizeof(line), "#! %s  show \n", guest.exe);
    script("s", line);
    EXPECT_EQ(run("./s", text, sizeof(text)), 0);
    EXPECT_STREQ(text, "[./s][one][two]");
}

TEST(nesting)
{
    in_tmpdir();
    char line[PATH_MAX + 64], text[256];
    snprintf(line, sizeof(line), "#!%s show", guest.exe);
    script("inner", line);
    script("outer", "#!./inner a b c\n");
    EXPECT_EQ(run("./outer", text, sizeof(text)), 0);
    EXPECT_STREQ(text, "[./inner][a b c][./outer][one][two]");
}

TEST(too_deep)
{
    in_tmpdir();
    char text[16], line[16], name[16];
    script("s0", "#!./s0\n");
    EXPECT_EQ(run("./s0", text, sizeof(text)), ELOOP);
    for (int i = 1; i < 8; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        snprintf(line, sizeof(line), "#!./n%d\n", i + 1);
        script(name, i == 7 ? "#!/bin/true\n" : line);
    }
    EXPECT_EQ(run("./n1", text, sizeof(text)), ELOOP);
}

TEST(bad_interpreters)
{
    in_tmpdir();
    char text[16];
    script("missing", "#!/nonexistent/interpreter\n");
    EXPECT_EQ(run("./missing", text, sizeof(text)), ENOENT);
    script("blank", "#!   \n");
    EXPECT_EQ(run("./blank", text, sizeof(text)), ENOEXEC);
    script("directory", "#!/\n");
    EXPECT_EQ(run("./directory", text, sizeof(text)), EACCES);
    put_file("plain", "x");
    script("forbidden", "#!./plain\n");
    EXPECT_EQ(run("./forbidden", text, sizeof(text)), EACCES);
}
