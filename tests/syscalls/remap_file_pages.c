// SPDX-License-Identifier: Apache-2.0
// covers: remap_file_pages
// Pages of a shared map in another order, remap_file_pages(2).
#include "guest.h"

#define PAGE 4096
TEST(reorders) {
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    char page[PAGE];
    for (int i = 0; i < 4; i++) {
        memset(page, 'a' + i, PAGE);
        ASSERT_EQ(write(fd, page, PAGE), PAGE);
    }
    char *p = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_OK(syscall(SYS_remap_file_pages, p, PAGE, 0, 3, 0));
    EXPECT_EQ(p[0], 'd');
    EXPECT_EQ(p[PAGE], 'b');
    p[0] = 'x';
    EXPECT_EQ(p[3 * PAGE], 'x');
    EXPECT_ERRNO(syscall(SYS_remap_file_pages, p, PAGE, 1, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_remap_file_pages, p, 0, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_remap_file_pages, p, PAGE, 0, ~0ul, 0), EINVAL);
    char *private = map_pages(1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_ERRNO(syscall(SYS_remap_file_pages, private, PAGE, 0, 0, 0), EINVAL);
    munmap(p, 4 * PAGE);
    close(fd);
}
