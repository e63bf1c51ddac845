// SPDX-License-Identifier: Apache-2.0
// covers: sysfs, ustat
// File systems by number and name, sysfs(2), and by device, ustat(2).
#include "guest.h"
#include <sys/sysmacros.h>

TEST(numbers_and_names) {
    char name[64] = "";
    long n = syscall(SYS_sysfs, 3);
    if (n < 0 && errno == ENOSYS)
        SKIP("built without it");
    ASSERT_TRUE(n > 0);
    EXPECT_OK(syscall(SYS_sysfs, 2, 0, name));
    EXPECT_EQ(syscall(SYS_sysfs, 1, name), 0);
    EXPECT_RANGE(syscall(SYS_sysfs, 1, "proc"), 0, n - 1);
    EXPECT_ERRNO(syscall(SYS_sysfs, 1, "no such"), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sysfs, 1, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_sysfs, 2, n, name), EINVAL);
    EXPECT_ERRNO(syscall(SYS_sysfs, 2, 0, NULL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_sysfs, 4), EINVAL);
}

TEST(by_device) {
    struct stat st;
    char buf[64];
    ASSERT_OK(stat("/proc", &st));
    if (syscall(SYS_ustat, 0xdeadu, buf) < 0 && errno == ENOSYS)
        SKIP("built without it");
    EXPECT_OK(syscall(SYS_ustat, (unsigned)st.st_dev, buf));
    EXPECT_ERRNO(syscall(SYS_ustat, (unsigned)st.st_dev, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_ustat, (unsigned)makedev(4095, 1048575), buf), EINVAL);
}
