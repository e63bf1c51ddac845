// SPDX-License-Identifier: Apache-2.0
// covers: pread64, mmap
// /proc/PID/pagemap: a word for each page (Documentation/admin-guide/mm/pagemap.rst).
#include "guest.h"

#define PRESENT (1ull << 63)

TEST(present_pages) {
    unsigned long long w[4] = {0};
    int fd = open("/proc/self/pagemap", O_RDONLY);
    ASSERT_TRUE(fd >= 0);
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = p[4096] = 1;
    munmap(p + 2 * 4096, 4096);
    off_t at = (off_t)((unsigned long)p / 4096 * 8);
    EXPECT_EQ(pread(fd, w, sizeof w, at), sizeof w);
    EXPECT_TRUE(w[0] & PRESENT);
    EXPECT_TRUE(w[1] & PRESENT);
    EXPECT_EQ(w[2], 0);
    EXPECT_ERRNO(pread(fd, w, 7, at), EINVAL);
    EXPECT_ERRNO(pread(fd, w, 8, at + 1), EINVAL);
    close(fd);
    munmap(p, 2 * 4096);
    munmap(p + 3 * 4096, 4096);
}
