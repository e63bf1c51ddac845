// SPDX-License-Identifier: Apache-2.0
// covers: fcntl
// F_NOTIFY: signals about what happens in a directory (man 2 fcntl).
#include "guest.h"

static volatile sig_atomic_t told, told_code, told_fd;
static void on_event(int signal, siginfo_t *info, void *context) {
    told++;
    told_code = info->si_code;
    told_fd = info->si_fd;
}

static int directory(unsigned mask) {
    int fd = ASSERT_OK(open("d", O_RDONLY | O_DIRECTORY));
    on_siginfo(SIGUSR1, on_event, 0);
    told = 0;
    ASSERT_OK(fcntl(fd, F_SETSIG, SIGUSR1));
    int r = fcntl(fd, F_NOTIFY, mask);
    if (r == -1 && errno == EINVAL)
        SKIP("a kernel without it");
    EXPECT_EQ(r, 0);
    return fd;
}

TEST(once) {
    in_tmpdir();
    mkdir("d", 0755);
    int fd = directory(DN_CREATE);
    put_file("d/a", "x");
    EXPECT_EQ(told, 1);
    EXPECT_EQ(told_code, POLL_MSG);
    EXPECT_EQ(told_fd, fd);
    put_file("d/b", "x");
    EXPECT_EQ(told, 1);
    close(fd);
}

TEST(many_times) {
    in_tmpdir();
    mkdir("d", 0755);
    put_file("d/a", "x");
    int fd = directory(DN_MODIFY | DN_ACCESS | DN_ATTRIB | DN_DELETE | DN_CREATE | DN_MULTISHOT);
    char text[8];
    int f = open("d/a", O_RDWR);
    EXPECT_EQ(told, 0);
    EXPECT_EQ(read(f, text, 1), 1);
    EXPECT_EQ(told, 1);
    EXPECT_EQ(write(f, "y", 1), 1);
    EXPECT_EQ(told, 2);
    EXPECT_OK(fchmod(f, 0600));
    EXPECT_EQ(told, 3);
    EXPECT_OK(unlink("d/a"));
    EXPECT_GE(told, 4);
    int before = told;
    EXPECT_OK(mkdir("d/sub", 0755));
    EXPECT_EQ(told, before + 1);
    EXPECT_OK(fcntl(fd, F_NOTIFY, 0));
    EXPECT_OK(rmdir("d/sub"));
    EXPECT_EQ(told, before + 1);
    close(f);
    close(fd);
}

TEST(ends_with_close) {
    in_tmpdir();
    mkdir("d", 0755);
    int fd = directory(DN_CREATE | DN_MULTISHOT), other = dup(fd);
    close(fd);
    put_file("d/a", "x");
    EXPECT_EQ(told, 0);
    close(other);
    unlink("d/a");
}

TEST(errors) {
    in_tmpdir();
    mkdir("d", 0755);
    int fd = directory(DN_CREATE), file = open("f", O_RDWR | O_CREAT, 0600);
    EXPECT_ERRNO(fcntl(file, F_NOTIFY, DN_CREATE), ENOTDIR);
    close(fd);
    close(file);
}

// Of the directory itself, and of names that change within it.
TEST(itself_and_its_names) {
    in_tmpdir();
    mkdir("d", 0755);
    mkdir("d/sub", 0755);
    put_file("d/a", "x");
    int fd = directory(DN_ATTRIB | DN_RENAME | DN_MULTISHOT);
    EXPECT_OK(chmod("d", 0700));
    EXPECT_EQ(told, 1);
    EXPECT_OK(chmod("d/sub", 0700));
    EXPECT_EQ(told, 2);
    EXPECT_OK(rename("d/a", "d/b"));
    EXPECT_EQ(told, 3);
    EXPECT_OK(rename("d/b", "d/sub/b"));  // leaves it
    EXPECT_EQ(told, 3);
    EXPECT_OK(rename("d/sub/b", "d/b"));
    EXPECT_EQ(told, 3);
    EXPECT_OK(rename("d/sub", "d/other"));
    EXPECT_EQ(told, 4);
    close(fd);
}
