// SPDX-License-Identifier: Apache-2.0
// covers: execve, open
// A file open for writing cannot be run, a running one cannot be written (man 2 execve, ETXTBSY).
#include "guest.h"

static void copy_self(const char *path)
{
    int in = ASSERT_OK(open(guest.exe, O_RDONLY)), out = ASSERT_OK(open(path, O_WRONLY | O_CREAT, 0755));
    char buffer[65536];
    for (ssize_t n; (n = read(in, buffer, sizeof(buffer))) > 0;)
        ASSERT_EQ(write(out, buffer, n), n);
    close(in);
    close(out);
}

ROLE(wait_for_end)
{
    char c;
    guest_print("r");
    return read(0, &c, 1) == 0 ? 0 : 1;
}

TEST(open_for_writing)
{
    in_tmpdir();
    copy_self("program");
    int fd = ASSERT_OK(open("program", O_WRONLY));
    char *argv[] = {"x", "wait_for_end", NULL}, *envp[] = {NULL};
    EXPECT_ERRNO(execve("program", argv, envp), ETXTBSY);
    close(fd);
}

TEST(running)
{
    in_tmpdir();
    copy_self("program");
    int in[2], out[2];
    ASSERT_OK(pipe(in));
    ASSERT_OK(pipe(out));
    pid_t pid = fork_child();
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close_range(3, ~0U, 0);
        execl("program", "x", "wait_for_end", NULL);
        _exit(9);
    }
    close(out[1]);
    char c;
    EXPECT_EQ(read(out[0], &c, 1), 1);
    EXPECT_ERRNO(open("program", O_WRONLY), ETXTBSY);
    EXPECT_ERRNO(truncate("program", 0), ETXTBSY);
    int fd = EXPECT_OK(open("program", O_RDONLY));
    close(fd);
    close(in[0]);
    close(in[1]);
    EXPECT_EQ(wait_exit(pid), 0);
    fd = EXPECT_OK(open("program", O_WRONLY));
    close(fd);
    close(out[0]);
}
