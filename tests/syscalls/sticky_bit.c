// SPDX-License-Identifier: Apache-2.0
// covers: unlink, rename, chmod
// In a sticky directory only owners remove or rename; /tmp is one (man 7 inode, S_ISVTX).
#include "guest.h"

static void as_user(uid_t uid)
{
    ASSERT_OK(setgid(uid));
    ASSERT_OK(setuid(uid));
}

TEST(tmp_is_sticky)
{
    struct stat st;
    EXPECT_OK(stat("/tmp", &st));
    EXPECT_EQ(st.st_mode & 07777, 01777);
}

TEST(others_may_not_remove)
{
    if (geteuid() != 0)
        SKIP("needs root to be two users");
    in_tmpdir();
    ASSERT_OK(chmod(".", 01777));
    put_file("f", "");
    ASSERT_OK(chown("f", 1001, 1001));
    IN_CHILD {
        as_user(1002);
        EXPECT_ERRNO(unlink("f"), EPERM);
        EXPECT_ERRNO(rename("f", "g"), EPERM);
    }
    IN_CHILD {
        as_user(1001);
        EXPECT_OK(rename("f", "g"));
        EXPECT_OK(unlink("g"));
    }
}

TEST(plain_directory_permissions)
{
    if (geteuid() != 0)
        SKIP("needs root to be two users");
    in_tmpdir();
    ASSERT_OK(chmod(".", 0755));
    put_file("f", "");
    IN_CHILD {
        as_user(1002);
        EXPECT_ERRNO(unlink("f"), EACCES);
        EXPECT_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
        EXPECT_ERRNO(mkdir("new", 0700), EACCES);
        EXPECT_OK(access("f", R_OK));
        EXPECT_ERRNO(open("f", O_WRONLY), EACCES);
    }
}
