// SPDX-License-Identifier: Apache-2.0
// covers: getgroups, setgroups
// Supplementary groups: counting, setting, their effect on files, refusals (man 2 getgroups).
#include "guest.h"

#include <grp.h>

TEST(counting)
{
    gid_t groups[65536];
    int count = EXPECT_OK(getgroups(0, NULL));
    EXPECT_EQ(getgroups(65536, groups), count);
    EXPECT_ERRNO(getgroups(-1, groups), EINVAL);
    if (count > 0)
        EXPECT_ERRNO(syscall(SYS_getgroups, 100, KERNEL_POINTER), EFAULT);
    if (count > 1)
        EXPECT_ERRNO(getgroups(1, groups), EINVAL);
}

TEST(setting)
{
    gid_t want[3] = {1003, 1001, 1002}, got[8];
    IN_CHILD {
        if (geteuid() != 0) {
            EXPECT_ERRNO(setgroups(3, want), EPERM);
            _exit(0);
        }
        EXPECT_OK(setgroups(3, want));
        EXPECT_EQ(getgroups(8, got), 3);
        int sum = 0;
        for (int i = 0; i < 3; i++)
            sum += got[i];
        EXPECT_EQ(sum, 3006);
        EXPECT_ERRNO(getgroups(2, got), EINVAL);
        EXPECT_OK(setgroups(0, NULL));
        EXPECT_EQ(getgroups(0, NULL), 0);
        EXPECT_ERRNO(setgroups(65537, want), EINVAL);
        EXPECT_ERRNO(syscall(SYS_setgroups, 3, KERNEL_POINTER), EFAULT);
    }
}

// As many as there may be, in an order that is none, some twice: they come back sorted (groups_sort() in
// Linux).
TEST(sorted)
{
    enum { MANY = 65536 };
    static gid_t want[MANY], got[MANY];
    if (geteuid() != 0)
        SKIP("needs root");
    for (unsigned n = 1; n <= MANY; n = n < 256 ? n * 3 : n * 4) {
        for (unsigned i = 0; i < n; i++)
            want[i] = i * 2654435761u % (n + n / 2);
        IN_CHILD {
            EXPECT_OK(setgroups(n, want));
            EXPECT_EQ(getgroups(MANY, got), n);
            uint64_t sums[2] = {0, 0};
            for (unsigned i = 0; i < n; i++) {
                sums[0] += want[i];
                sums[1] += got[i];
                if (i > 0 && got[i - 1] > got[i])
                    FAIL("group %u: %u after %u", i, got[i], got[i - 1]);
            }
            EXPECT_EQ(sums[1], sums[0]);
        }
    }
}

TEST(decide_about_files)
{
    if (geteuid() != 0)
        SKIP("needs root");
    in_tmpdir();
    ASSERT_OK(chmod(".", 0755));
    put_file("f", "x");
    ASSERT_OK(chown("f", 0, 1005));
    ASSERT_OK(chmod("f", 0640));
    IN_CHILD {
        gid_t groups[] = {1005};
        EXPECT_OK(setgroups(1, groups));
        EXPECT_OK(setgid(1001));
        EXPECT_OK(setuid(1001));
        close(EXPECT_OK(open("f", O_RDONLY)));
        EXPECT_ERRNO(open("f", O_RDWR), EACCES);
    }
    IN_CHILD {
        EXPECT_OK(setgroups(0, NULL));
        EXPECT_OK(setgid(1001));
        EXPECT_OK(setuid(1001));
        EXPECT_ERRNO(open("f", O_RDONLY), EACCES);
    }
}
