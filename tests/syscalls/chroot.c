// SPDX-License-Identifier: Apache-2.0
// covers: chroot, chdir, open
// The root directory moves for path walks, is inherited, and cannot be climbed out of by dots (man 2
// chroot).
#include "guest.h"

TEST(users_may_not)
{
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(chroot("/"), EPERM);
    }
}

TEST(moves_the_root)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    put_file("f", "inside");
    ASSERT_OK(symlink("/f", "absolute"));
    ASSERT_OK(symlink("../../../f", "climbing"));
    IN_CHILD {
        EXPECT_OK(chroot("."));
        char text[16];
        EXPECT_EQ(get_file("/f", text, sizeof(text)), 6);
        EXPECT_EQ(get_file("/../../f", text, sizeof(text)), 6);
        EXPECT_EQ(get_file("/absolute", text, sizeof(text)), 6);
        EXPECT_EQ(get_file("/climbing", text, sizeof(text)), 6);
        EXPECT_ERRNO(open("/etc/passwd", O_RDONLY), ENOENT);
        IN_CHILD {
            EXPECT_EQ(get_file("/f", text, sizeof(text)), 6);
        }
        EXPECT_OK(chdir("/"));
        EXPECT_EQ(syscall(SYS_getcwd, text, sizeof(text)), 2);
        EXPECT_STREQ(text, "/");
    }
    EXPECT_OK(access("/etc", F_OK));
}

TEST(errors)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(chroot("missing"), ENOENT);
    EXPECT_ERRNO(chroot("f"), ENOTDIR);
    EXPECT_ERRNO(chroot(KERNEL_POINTER), EFAULT);
}
