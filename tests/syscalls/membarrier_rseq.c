// SPDX-License-Identifier: Apache-2.0
// covers: membarrier, rseq
// Optional accelerators answer a query or ENOSYS, and refuse nonsense (man 2 membarrier).
#include "guest.h"

#include <linux/membarrier.h>

TEST(membarrier_query)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    if (commands < 0) {
        EXPECT_EQ(errno, ENOSYS);
        SKIP("not offered here");
    }
    EXPECT_TRUE(commands & MEMBARRIER_CMD_GLOBAL);
    EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
    EXPECT_ERRNO(syscall(SYS_membarrier, 0x40000000, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0x80, 0), EINVAL);
    if (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
        EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
        EXPECT_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    }
}

TEST(rseq_errors)
{
    long result = syscall(SYS_rseq, opaque_pointer(1), 32, 0, 0);
    EXPECT_TRUE(result == -1 && (errno == EINVAL || errno == EFAULT || errno == ENOSYS || errno == EBUSY));
}
