// SPDX-License-Identifier: Apache-2.0
// covers: mkdirat, unlinkat, renameat, linkat, symlinkat, readlinkat, fchmodat, fchownat, faccessat
// covers: newfstatat, mknodat, futimesat
// Calls relative to a directory descriptor, with AT_FDCWD, and with descriptors that are no directories
// (man 2 openat).
#include "guest.h"

#include <sys/time.h>

TEST(relative_to_a_directory)
{
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    int dir = ASSERT_OK(open("d", O_RDONLY | O_DIRECTORY));
    struct stat st;
    char target[8] = {0};
    EXPECT_OK(mkdirat(dir, "sub", 0755));
    EXPECT_OK(mknodat(dir, "f", S_IFREG | 0600, 0));
    EXPECT_OK(linkat(dir, "f", dir, "g", 0));
    EXPECT_OK(renameat(dir, "g", dir, "sub/h"));
    EXPECT_OK(symlinkat("f", dir, "link"));
    EXPECT_EQ(readlinkat(dir, "link", target, sizeof(target)), 1);
    EXPECT_OK(fchmodat(dir, "f", 0640, 0));
    EXPECT_OK(fchownat(dir, "f", -1, -1, 0));
    EXPECT_OK(faccessat(dir, "sub/h", R_OK, 0));
    EXPECT_OK(fstatat(dir, "f", &st, 0));
    EXPECT_EQ(st.st_mode & 0777, 0640);
    EXPECT_EQ(st.st_nlink, 2);
    struct timeval times[2] = {{5, 0}, {6, 0}};
    EXPECT_OK(futimesat(dir, "f", times));
    EXPECT_OK(unlinkat(dir, "link", 0));
    EXPECT_OK(unlinkat(dir, "sub/h", 0));
    EXPECT_OK(unlinkat(dir, "sub", AT_REMOVEDIR));
    EXPECT_OK(access("d/f", F_OK));
    close(dir);
}

TEST(bad_descriptors)
{
    in_tmpdir();
    put_file("f", "");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    struct stat st;
    char target[8];
    int bad[] = {fd, 9999}, errors[] = {ENOTDIR, EBADF};
    for (int i = 0; i < 2; i++) {
        EXPECT_ERRNO(mkdirat(bad[i], "x", 0755), errors[i]);
        EXPECT_ERRNO(unlinkat(bad[i], "x", 0), errors[i]);
        EXPECT_ERRNO(renameat(bad[i], "x", AT_FDCWD, "y"), errors[i]);
        EXPECT_ERRNO(renameat(AT_FDCWD, "f", bad[i], "y"), errors[i]);
        EXPECT_ERRNO(linkat(AT_FDCWD, "f", bad[i], "y", 0), errors[i]);
        EXPECT_ERRNO(symlinkat("x", bad[i], "y"), errors[i]);
        EXPECT_ERRNO(readlinkat(bad[i], "x", target, 8), errors[i]);
        EXPECT_ERRNO(fchmodat(bad[i], "x", 0600, 0), errors[i]);
        EXPECT_ERRNO(fchownat(bad[i], "x", -1, -1, 0), errors[i]);
        EXPECT_ERRNO(fstatat(bad[i], "x", &st, 0), errors[i]);
        EXPECT_OK(fstatat(bad[i], "/", &st, 0));
    }
    close(fd);
}
