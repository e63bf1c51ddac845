// SPDX-License-Identifier: Apache-2.0
// covers: readlink, open, getdents64
// /proc/self/fd lists the open descriptors and reopens them (man 5 proc, /proc/pid/fd).
#include "guest.h"

static char *link_of(int fd)
{
    static char target[PATH_MAX];
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    target[n < 0 ? 0 : n] = 0;
    return target;
}

TEST(targets)
{
    in_tmpdir();
    char want[PATH_MAX];
    int fd = ASSERT_OK(open("file", O_RDWR | O_CREAT, 0600)), pipes[2];
    ASSERT_TRUE(getcwd(want, sizeof(want) - 8));
    strcat(want, "/file");
    EXPECT_STREQ(link_of(fd), want);
    ASSERT_OK(unlink("file"));
    strcat(want, " (deleted)");
    EXPECT_STREQ(link_of(fd), want);
    ASSERT_OK(pipe(pipes));
    EXPECT_EQ(strncmp(link_of(pipes[0]), "pipe:[", 6), 0);
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
}

TEST(listing)
{
    int fd = ASSERT_OK(dup2(1, 77));
    bool found = false;
    DIR *dir = opendir("/proc/self/fd");
    ASSERT_TRUE(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        found |= atoi(entry->d_name) == 77;
    closedir(dir);
    EXPECT_TRUE(found);
    close(fd);
    EXPECT_ERRNO(access("/proc/self/fd/77", F_OK), ENOENT);
}

TEST(reopening)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("file", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(write(fd, "text", 4), 4);
    char path[64], text[8];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT_EQ(get_file(path, text, sizeof(text)), 4);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
    ASSERT_OK(unlink("file"));
    EXPECT_EQ(get_file(path, text, sizeof(text)), 4);
    close(fd);
}

TEST(fdinfo)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_EQ(lseek(fd, 7, SEEK_SET), 7);
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    EXPECT_GE(get_file(path, text, sizeof(text)), 10);
    EXPECT_TRUE(strstr(text, "pos:\t7\n"));
    EXPECT_TRUE(strstr(text, "flags:\t0"));
    close(fd);
}

// fifo(7): waiting for the other side is for fifos with a name.
TEST(a_pipe_opens_at_once_without_its_writer)
{
    int fds[2];
    char path[64], c;
    ASSERT_OK(pipe(fds));
    ASSERT_EQ(write(fds[1], "x", 1), 1);
    close(fds[1]);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
    int fd = open(path, O_RDONLY);
    ASSERT_OK(fd);
    EXPECT_EQ(read(fd, &c, 1), 1);
    EXPECT_EQ(read(fd, &c, 1), 0);
    close(fd);
    close(fds[0]);
}
