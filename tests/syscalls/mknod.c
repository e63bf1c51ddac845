// SPDX-License-Identifier: Apache-2.0
// covers: mknod, mknodat
// Fifos and empty regular files can be made by anyone, devices cannot by a user (man 2 mknod).
#include "guest.h"

TEST(regular_file)
{
    in_tmpdir();
    EXPECT_OK(mknod("f", S_IFREG | 0640, 0));
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_mode, S_IFREG | 0640);
    EXPECT_ERRNO(mknod("f", S_IFREG | 0640, 0), EEXIST);
    EXPECT_OK(mknod("g", 0600, 0));
    EXPECT_OK(stat("g", &st));
    EXPECT_TRUE(S_ISREG(st.st_mode));
}

TEST(fifo)
{
    in_tmpdir();
    EXPECT_OK(mknod("p", S_IFIFO | 0600, 0));
    struct stat st;
    EXPECT_OK(stat("p", &st));
    EXPECT_TRUE(S_ISFIFO(st.st_mode));
}

TEST(errors)
{
    in_tmpdir();
    EXPECT_ERRNO(mknod("d", S_IFDIR | 0700, 0), EPERM);
    EXPECT_ERRNO(mknod("x", S_IFLNK | 0700, 0), EINVAL);
    EXPECT_ERRNO(mknod("missing/x", S_IFREG | 0600, 0), ENOENT);
    EXPECT_ERRNO(mknod(KERNEL_POINTER, S_IFREG | 0600, 0), EFAULT);
    if (geteuid() != 0)
        EXPECT_ERRNO(mknod("c", S_IFCHR | 0600, 0x103), EPERM);
}
