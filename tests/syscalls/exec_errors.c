// SPDX-License-Identifier: Apache-2.0
// covers: execve
// ENOENT, EACCES, ENOEXEC, ENOTDIR, E2BIG, EFAULT, ELOOP; a failed exec changes nothing (man 2 execve).
#include "guest.h"

static int exec_errno(const char *path)
{
    char *argv[] = {"x", NULL}, *envp[] = {NULL};
    execve(path, argv, envp);
    return errno;
}

TEST(paths)
{
    in_tmpdir();
    put_file("f", "data");
    EXPECT_EQ(exec_errno("missing"), ENOENT);
    EXPECT_EQ(exec_errno(""), ENOENT);
    EXPECT_EQ(exec_errno("f"), EACCES);
    EXPECT_EQ(exec_errno("f/x"), ENOTDIR);
    EXPECT_EQ(exec_errno("."), EACCES);
    EXPECT_EQ(exec_errno("/dev/null"), EACCES);
    ASSERT_OK(symlink("loop", "loop"));
    EXPECT_EQ(exec_errno("loop"), ELOOP);
}

TEST(not_a_program)
{
    in_tmpdir();
    put_file("empty", "");
    put_file("text", "just text\n");
    put_file("elf", "\177ELF");
    ASSERT_OK(chmod("empty", 0755));
    ASSERT_OK(chmod("text", 0755));
    ASSERT_OK(chmod("elf", 0755));
    EXPECT_EQ(exec_errno("empty"), ENOEXEC);
    EXPECT_EQ(exec_errno("text"), ENOEXEC);
    EXPECT_EQ(exec_errno("elf"), ENOEXEC);
}

TEST(pointers)
{
    char *argv[] = {"x", NULL}, *envp[] = {NULL};
    EXPECT_ERRNO(syscall(SYS_execve, NULL_POINTER, argv, envp), EFAULT);
    EXPECT_ERRNO(syscall(SYS_execve, guest.exe, KERNEL_POINTER, envp), EFAULT);
    EXPECT_ERRNO(syscall(SYS_execve, guest.exe, argv, no_access_page()), EFAULT);
    char *bad[] = {"x", KERNEL_POINTER, NULL};
    EXPECT_ERRNO(syscall(SYS_execve, guest.exe, bad, envp), EFAULT);
}

TEST(too_big)
{
    size_t size = 200000;
    char *big = malloc(size);
    memset(big, 'a', size);
    big[size - 1] = 0;
    char *one[] = {"x", big, NULL}, *envp[] = {NULL};
    EXPECT_ERRNO(execve(guest.exe, one, envp), E2BIG);
    big[100000] = 0;
    static char *many[400];
    for (int i = 0; i < 399; i++)
        many[i] = big;
    EXPECT_ERRNO(execve(guest.exe, many, envp), E2BIG);
    free(big);
}

TEST(nothing_changed)
{
    in_tmpdir();
    IN_CHILD {
        put_file("text", "just text\n");
        ASSERT_OK(chmod("text", 0755));
        int fd = ASSERT_OK(open("text", O_RDONLY | O_CLOEXEC));
        signal(SIGUSR1, SIG_IGN);
        EXPECT_EQ(exec_errno("text"), ENOEXEC);
        EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        EXPECT_TRUE(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    }
}
