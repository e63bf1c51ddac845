// SPDX-License-Identifier: Apache-2.0
// covers: chown, fchown, lchown, fchownat
// Ownership: -1 keeps, root may give away, others may not, set-id bits are cleared (man 2 chown).
#include "guest.h"

TEST(minus_one_keeps)
{
    in_tmpdir();
    put_file("f", "");
    struct stat before, after;
    EXPECT_OK(stat("f", &before));
    EXPECT_OK(chown("f", -1, -1));
    EXPECT_OK(chown("f", getuid(), -1));
    EXPECT_OK(stat("f", &after));
    EXPECT_EQ(before.st_uid, after.st_uid);
    EXPECT_EQ(before.st_gid, after.st_gid);
}

TEST(giving_away)
{
    in_tmpdir();
    put_file("f", "");
    if (geteuid() != 0) {
        EXPECT_ERRNO(chown("f", 0, -1), EPERM);
        EXPECT_ERRNO(chown("f", -1, 12345), EPERM);
        return;
    }
    struct stat st;
    EXPECT_OK(chown("f", 1234, 5678));
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_uid, 1234);
    EXPECT_EQ(st.st_gid, 5678);
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(fchown(fd, 7, -1));
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_uid, 7);
    EXPECT_EQ(st.st_gid, 5678);
    close(fd);
}

TEST(links)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "link"));
    struct stat st;
    EXPECT_OK(lchown("link", 11, 12));
    EXPECT_OK(lstat("link", &st));
    EXPECT_EQ(st.st_uid, 11);
    EXPECT_OK(stat("link", &st));
    EXPECT_EQ(st.st_uid, 0);
    EXPECT_OK(chown("link", 13, 14));
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_gid, 14);
    EXPECT_OK(fchownat(AT_FDCWD, "link", 15, -1, AT_SYMLINK_NOFOLLOW));
    EXPECT_OK(lstat("link", &st));
    EXPECT_EQ(st.st_uid, 15);
}

TEST(clears_set_id)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(chmod("f", 06755));
    EXPECT_OK(chown("f", 1, 1));
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_mode & 07777, 0755);
}

TEST(errors)
{
    in_tmpdir();
    EXPECT_ERRNO(chown("missing", 0, 0), ENOENT);
    EXPECT_ERRNO(fchown(-1, 0, 0), EBADF);
    EXPECT_ERRNO(fchownat(AT_FDCWD, ".", 0, 0, 0x8000), EINVAL);
    EXPECT_ERRNO(chown(KERNEL_POINTER, 0, 0), EFAULT);
}
