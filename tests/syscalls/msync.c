// SPDX-License-Identifier: Apache-2.0
// covers: msync
// Flags and ranges of msync (man 2 msync).
#include "guest.h"

TEST(flags)
{
    in_tmpdir();
    put_file("f", "data");
    int fd = ASSERT_OK(open("f", O_RDWR));
    char *p = map_file(fd, 8192, PROT_READ | PROT_WRITE, MAP_SHARED);
    p[0] = 'D';
    EXPECT_OK(msync(p, 4096, MS_SYNC));
    EXPECT_OK(msync(p, 4096, MS_ASYNC));
    EXPECT_OK(msync(p, 1, MS_SYNC | MS_INVALIDATE));
    EXPECT_OK(msync(p, 0, MS_SYNC));
    EXPECT_ERRNO(msync(p, 4096, MS_SYNC | MS_ASYNC), EINVAL);
    EXPECT_ERRNO(msync(p, 4096, 0x80), EINVAL);
    EXPECT_ERRNO(msync(p + 1, 4096, MS_SYNC), EINVAL);
    EXPECT_OK(munmap(p + 4096, 4096));
    EXPECT_ERRNO(msync(p, 8192, MS_SYNC), ENOMEM);
    EXPECT_OK(munmap(p, 4096));
    EXPECT_ERRNO(msync(p, 4096, MS_SYNC), ENOMEM);
    close(fd);
}

TEST(anonymous_memory_too)
{
    char *p = map_pages(1, PROT_READ, MAP_PRIVATE);
    EXPECT_OK(msync(p, 4096, MS_SYNC));
    munmap(p, 4096);
}
