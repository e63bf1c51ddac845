// SPDX-License-Identifier: Apache-2.0
// covers: open, pread64, pwrite64, statx
// O_DIRECT (man 2 open): where statx(2) names an alignment, offsets and lengths that do not keep it are
// EINVAL, but for a read at the end; where it names none (memory), everything goes.
#include "guest.h"

#include <sys/stat.h>

static char *buffer(void) {
    static char b[16384] __attribute__((aligned(4096)));
    return b;
}
static unsigned align_of(int fd) {
    struct statx sx = {0};
    EXPECT_OK(statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx));
    return sx.stx_mask & STATX_DIOALIGN ? sx.stx_dio_offset_align : 0;
}
static void try_all(int fd, unsigned align) {
    char *b = buffer();
    EXPECT_EQ(pwrite(fd, b, 8192, 0), 8192);
    EXPECT_EQ(pread(fd, b, 4096, 4096), 4096);
    if (align > 1) {
        EXPECT_ERRNO(pwrite(fd, b, 100, 0), EINVAL);
        EXPECT_ERRNO(pwrite(fd, b, 4096, 100), EINVAL);
        EXPECT_ERRNO(pread(fd, b, 100, 0), EINVAL);
        EXPECT_ERRNO(pread(fd, b, 4096, 100), EINVAL);
    } else {
        EXPECT_EQ(pwrite(fd, b, 100, 1), 100);
        EXPECT_EQ(pread(fd, b, 100, 1), 100);
    }
    EXPECT_EQ(pread(fd, b, 8192, 4096), 4096);
    EXPECT_EQ(pread(fd, b, 4096, 8192), 0);
    EXPECT_EQ(pread(fd, b, 100, 8192), 0);
    // Without the flag nothing is asked.
    EXPECT_OK(fcntl(fd, F_SETFL, 0));
    EXPECT_EQ(pread(fd, b, 100, 1), 100);
}

TEST(disk) {
    in_tmpdir();
    int fd = open("f", O_RDWR | O_CREAT | O_DIRECT, 0600);
    if (fd < 0 && errno == EINVAL)
        SKIP("no O_DIRECT here");
    ASSERT_OK(fd);
    try_all(fd, align_of(fd));
    close(fd);
}

TEST(memory) {
    int fd = open("/dev/shm", O_RDWR | O_TMPFILE | O_DIRECT, 0600);
    if (fd < 0)
        SKIP("no O_DIRECT there");
    try_all(fd, align_of(fd));
    close(fd);
}
