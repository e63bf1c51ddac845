// SPDX-License-Identifier: Apache-2.0
// covers: pkey_mprotect, pkey_alloc, pkey_free
// pkey -1 is plain mprotect; unallocated keys are refused (man 2 pkey_mprotect).
#include "guest.h"

TEST(minus_one)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_OK(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, -1));
    EXPECT_EQ(write_faults(p), SIGSEGV);
    EXPECT_EQ(read_faults(p), 0);
    munmap(p, 4096);
}

TEST(errors)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, 15), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pkey_mprotect, p, 4096, PROT_READ, 99), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pkey_free, 99), EINVAL);
    EXPECT_ERRNO(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
    munmap(p, 4096);
}
