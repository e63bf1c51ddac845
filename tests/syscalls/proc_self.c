// SPDX-License-Identifier: Apache-2.0
// covers: readlink, open, read
// /proc/self: exe, cwd, root, cmdline, comm, environ, and /proc/PID as the same thing (man 5 proc).
#include "guest.h"

#include <sys/prctl.h>

ROLE(cmdline)
{
    char text[256];
    ssize_t n = get_file("/proc/self/cmdline", text, sizeof(text));
    const char want[] = "the name\0cmdline\0two words";
    return n == sizeof(want) && memcmp(text, want, n) == 0 ? 0 : 1;
}

TEST(exe_and_cwd)
{
    char path[PATH_MAX] = {0}, here[PATH_MAX];
    EXPECT_OK(readlink("/proc/self/exe", path, sizeof(path) - 1));
    EXPECT_STREQ(path, guest.exe);
    in_tmpdir();
    memset(path, 0, sizeof(path));
    EXPECT_OK(readlink("/proc/self/cwd", path, sizeof(path) - 1));
    ASSERT_TRUE(getcwd(here, sizeof(here)));
    EXPECT_STREQ(path, here);
    memset(path, 0, sizeof(path));
    EXPECT_EQ(readlink("/proc/self/root", path, sizeof(path) - 1), 1);
    EXPECT_STREQ(path, "/");
    int fd = EXPECT_OK(open("/proc/self/exe", O_RDONLY));
    EXPECT_EQ(read(fd, path, 4), 4);
    EXPECT_MEMEQ(path, "\177ELF", 4);
    close(fd);
}

TEST(command_line)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(guest.exe, "the name", "cmdline", "two words", NULL);
        _exit(9);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(self_is_this_process)
{
    char path[64] = {0}, want[32];
    EXPECT_OK(readlink("/proc/self", path, sizeof(path) - 1));
    snprintf(want, sizeof(want), "%d", getpid());
    EXPECT_STREQ(path, want);
    IN_CHILD {
        memset(path, 0, sizeof(path));
        EXPECT_OK(readlink("/proc/self", path, sizeof(path) - 1));
        EXPECT_EQ(atoi(path), getpid());
    }
    EXPECT_ERRNO(access("/proc/999999999", F_OK), ENOENT);
}

TEST(comm_follows_prctl)
{
    IN_CHILD {
        char text[32];
        EXPECT_OK(prctl(PR_SET_NAME, "renamed", 0, 0, 0));
        get_file("/proc/self/comm", text, sizeof(text));
        EXPECT_STREQ(text, "renamed\n");
    }
}

TEST(read_only)
{
    EXPECT_ERRNO(mkdir("/proc/newdir", 0755), ENOENT);
    EXPECT_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
    EXPECT_TRUE(unlink("/proc/self/exe") == -1 && (errno == EPERM || errno == EACCES));
}
