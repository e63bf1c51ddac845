// SPDX-License-Identifier: Apache-2.0
// covers: process_vm_readv, process_vm_writev
// Copying to and from another process of the same user (man 2 process_vm_readv).
#include "guest.h"

#include <sys/uio.h>

static char shared_name[64] = "before";

TEST(own_memory)
{
    char copy[64] = {0};
    struct iovec local = {copy, 64}, remote = {shared_name, 64};
    ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    if (n < 0 && (errno == ENOSYS || errno == EPERM))
        SKIP("not offered here");
    EXPECT_EQ(n, 64);
    EXPECT_STREQ(copy, "before");
    remote.iov_base = KERNEL_POINTER;
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
    EXPECT_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 1), EINVAL);
}

TEST(missing_process)
{
    char copy[64] = {0};
    struct iovec local = {copy, 64}, remote = {shared_name, 64};
    if (process_vm_readv(999999999, &local, 1, &remote, 1, 0) < 0 && errno != ESRCH)
        SKIP("not offered here");
    EXPECT_ERRNO(process_vm_readv(999999999, &local, 1, &remote, 1, 0), ESRCH);
}
