// SPDX-License-Identifier: Apache-2.0
// covers: execveat
// Running by descriptor and relative to a directory (man 2 execveat, man 3 fexecve).
#include "guest.h"

ROLE(exit_with)
{
    return atoi(argv[2]);
}

static char *const ARGV[] = {"x", "exit_with", "31", NULL};
static char *const ENVP[] = {NULL};

static int run(int dir, const char *path, int flags)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        syscall(SYS_execveat, dir, path, ARGV, ENVP, flags);
        _exit(errno);
    }
    return wait_exit(pid);
}

TEST(by_descriptor)
{
    int fd = ASSERT_OK(open(guest.exe, O_RDONLY | O_CLOEXEC)), path = ASSERT_OK(open(guest.exe, O_PATH));
    EXPECT_EQ(run(fd, "", AT_EMPTY_PATH), 31);
    EXPECT_EQ(run(path, "", AT_EMPTY_PATH), 31);
    EXPECT_EQ(run(fd, "", 0), ENOENT);
    EXPECT_EQ(run(-5, guest.exe, 0), 31);
    close(fd);
    close(path);
}

TEST(relative)
{
    char copy[PATH_MAX];
    strcpy(copy, guest.exe);
    char *slash = strrchr(copy, '/');
    *slash = 0;
    int dir = ASSERT_OK(open(copy, O_PATH));
    EXPECT_EQ(run(dir, slash + 1, 0), 31);
    EXPECT_EQ(run(dir, "no-such-file-here", 0), ENOENT);
    EXPECT_EQ(run(dir, "", AT_EMPTY_PATH), EACCES);
    close(dir);
}

TEST(links_and_flags)
{
    in_tmpdir();
    ASSERT_OK(symlink(guest.exe, "link"));
    EXPECT_EQ(run(AT_FDCWD, "link", 0), 31);
    EXPECT_EQ(run(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW), ELOOP);
    EXPECT_EQ(run(AT_FDCWD, guest.exe, 0x40000), EINVAL);
    EXPECT_EQ(run(9999, "x", 0), EBADF);
}

TEST(unlinked_program)
{
    in_tmpdir();
    int fd = ASSERT_OK(memfd_create("program", 0)), in = ASSERT_OK(open(guest.exe, O_RDONLY));
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof(buffer))) > 0;)
        ASSERT_EQ(write(fd, buffer, n), n);
    EXPECT_EQ(run(fd, "", AT_EMPTY_PATH), 31);
    close(fd);
    close(in);
}

TEST(script_by_closed_descriptor)
{
    in_tmpdir();
    put_file("s", "#!/bin/sh\nexit 3\n");
    ASSERT_OK(chmod("s", 0755));
    int fd = ASSERT_OK(open("s", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(run(fd, "", AT_EMPTY_PATH), ENOENT);
    close(fd);
}
