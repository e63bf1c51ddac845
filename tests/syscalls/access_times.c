// SPDX-License-Identifier: Apache-2.0
// covers: getdents64, readlink, open, chown
// Who looks at a directory or follows a link moves its atime, once after a change (relatime); O_NOATIME does
// not (man 2 open, man 8 mount).
#include "guest.h"

#include <dirent.h>
#include <sys/stat.h>

static struct timespec atime_of(const char *path) {
    struct stat st;
    EXPECT_OK(lstat(path, &st));
    return st.st_atim;
}
static bool same(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}
static void list(const char *path, int flags) {
    char buf[1024];
    int fd = ASSERT_OK(open(path, O_RDONLY | O_DIRECTORY | flags));
    EXPECT_OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
    close(fd);
}

TEST(directories) {
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    struct timespec was = atime_of("d");
    sleep_ms(30);
    list("d", O_NOATIME);
    EXPECT_TRUE(same(atime_of("d"), was));
    list("d", 0);
    struct timespec now = atime_of("d");
    EXPECT_TRUE(!same(now, was));
    sleep_ms(30);
    list("d", 0);
    EXPECT_TRUE(same(atime_of("d"), now));
}

TEST(links) {
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "l"));
    ASSERT_OK(symlink("f", "m"));
    struct timespec l = atime_of("l"), m = atime_of("m");
    struct stat st;
    char text[8];
    sleep_ms(30);
    EXPECT_EQ(readlink("l", text, sizeof(text)), 1);
    EXPECT_OK(stat("m", &st));
    EXPECT_TRUE(!same(atime_of("l"), l));
    EXPECT_TRUE(!same(atime_of("m"), m));
}

// A chown that changes nothing still moves ctime, of a directory too.
TEST(chown_of_nothing) {
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    struct stat was, now;
    EXPECT_OK(stat("d", &was));
    sleep_ms(30);
    EXPECT_OK(chown("d", -1, -1));
    EXPECT_OK(stat("d", &now));
    EXPECT_TRUE(!same(now.st_ctim, was.st_ctim));
}
