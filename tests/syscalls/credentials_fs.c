// SPDX-License-Identifier: Apache-2.0
// covers: setfsuid, setfsgid, access, open
// The file system ids follow the effective ones and decide about files (man 2 setfsuid).
#include "guest.h"

#include <sys/fsuid.h>

TEST(report)
{
    EXPECT_EQ(setfsuid(-1), geteuid());
    EXPECT_EQ(setfsgid(-1), getegid());
}

TEST(users_may_not)
{
    IN_CHILD {
        if (geteuid() == 0) {
            ASSERT_OK(setgid(1001));
            ASSERT_OK(setuid(1001));
        }
        uid_t uid = geteuid();
        setfsuid(0);
        EXPECT_EQ(setfsuid(-1), uid);
    }
}

TEST(decide_about_files)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    ASSERT_OK(chmod(".", 0777));
    put_file("secret", "x");
    ASSERT_OK(chmod("secret", 0600));
    IN_CHILD {
        setfsgid(1001);
        EXPECT_EQ(setfsuid(1001), 0);
        EXPECT_EQ(setfsuid(-1), 1001);
        EXPECT_ERRNO(open("secret", O_RDONLY), EACCES);
        int fd = EXPECT_OK(open("mine", O_WRONLY | O_CREAT, 0600));
        struct stat st;
        EXPECT_OK(fstat(fd, &st));
        EXPECT_EQ(st.st_uid, 1001);
        EXPECT_EQ(st.st_gid, 1001);
        setfsuid(0);
        close(EXPECT_OK(open("secret", O_RDONLY)));
    }
    IN_CHILD {
        EXPECT_OK(seteuid(1002));
        EXPECT_EQ(setfsuid(-1), 1002);
    }
}
