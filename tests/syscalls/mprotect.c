// SPDX-License-Identifier: Apache-2.0
// covers: mprotect
// Changing protection of parts, splitting and joining; unmapped ranges and bad arguments (man 2 mprotect).
#include "guest.h"

TEST(parts)
{
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[4096] = 7;
    EXPECT_OK(mprotect(p + 4096, 4096, PROT_READ));
    EXPECT_EQ(write_faults(p), 0);
    EXPECT_EQ(write_faults(p + 4096), SIGSEGV);
    EXPECT_EQ(write_faults(p + 8192), 0);
    EXPECT_OK(mprotect(p, 3 * 4096, PROT_READ | PROT_WRITE));
    EXPECT_EQ(write_faults(p + 4096), 0);
    EXPECT_EQ(p[4096], 7);
    munmap(p, 3 * 4096);
}

TEST(none_and_back_keeps_content)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    strcpy(p, "kept");
    EXPECT_OK(mprotect(p, 4096, PROT_NONE));
    EXPECT_EQ(read_faults(p), SIGSEGV);
    EXPECT_OK(mprotect(p, 1, PROT_READ));
    EXPECT_STREQ(p, "kept");
    munmap(p, 4096);
}

TEST(system_calls_respect_it)
{
    char *p = map_pages(1, PROT_READ, MAP_PRIVATE);
    int fds[2];
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(write(fds[1], p, 10), 10);
    EXPECT_ERRNO(read(fds[0], p, 10), EFAULT);
    EXPECT_OK(mprotect(p, 4096, PROT_NONE));
    EXPECT_ERRNO(write(fds[1], p, 10), EFAULT);
    close(fds[0]);
    close(fds[1]);
    munmap(p, 4096);
}

TEST(errors)
{
    char *p = map_pages(3, PROT_READ, MAP_PRIVATE);
    EXPECT_OK(munmap(p + 4096, 4096));
    EXPECT_ERRNO(mprotect(p, 3 * 4096, PROT_READ | PROT_WRITE), ENOMEM);
    EXPECT_ERRNO(mprotect(p + 1, 4096, PROT_READ), EINVAL);
    EXPECT_ERRNO(mprotect(p, 4096, 0x100), EINVAL);
    EXPECT_ERRNO(mprotect(KERNEL_POINTER, 4096, PROT_READ), ENOMEM);
    EXPECT_OK(mprotect(p, 0, PROT_READ));
    munmap(p, 4096);
    munmap(p + 8192, 4096);
}
