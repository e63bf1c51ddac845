// SPDX-License-Identifier: Apache-2.0
// covers: madvise
// MADV_DONTNEED zeroes private memory and re-reads shared; MADV_FREE, unknown advice, holes (man 2
// madvise).
#include "guest.h"

TEST(dontneed_private)
{
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 1, 3 * 4096);
    EXPECT_OK(madvise(p + 4096, 4096, MADV_DONTNEED));
    EXPECT_EQ(p[4095], 1);
    EXPECT_EQ(p[4096], 0);
    EXPECT_EQ(p[8191], 0);
    EXPECT_EQ(p[8192], 1);
    munmap(p, 3 * 4096);
}

TEST(dontneed_private_file_shows_the_file_again)
{
    in_tmpdir();
    put_file("f", "original");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    strcpy(p, "changed!");
    EXPECT_OK(madvise(p, 4096, MADV_DONTNEED));
    EXPECT_MEMEQ(p, "original", 9);
    munmap(p, 4096);
    close(fd);
}

TEST(dontneed_shared_keeps_data)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    strcpy(p, "kept");
    EXPECT_OK(madvise(p, 4096, MADV_DONTNEED));
    EXPECT_STREQ(p, "kept");
    munmap(p, 4096);
}

TEST(remove_punches_shared_memory)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    strcpy(p, "gone");
    EXPECT_OK(madvise(p, 4096, MADV_REMOVE));
    EXPECT_EQ(p[0], 0);
    munmap(p, 4096);
}

TEST(hints)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    strcpy(p, "kept");
    EXPECT_OK(madvise(p, 4096, MADV_NORMAL));
    EXPECT_OK(madvise(p, 4096, MADV_SEQUENTIAL));
    EXPECT_OK(madvise(p, 4096, MADV_RANDOM));
    EXPECT_OK(madvise(p, 4096, MADV_WILLNEED));
    EXPECT_OK(madvise(p, 4096, MADV_DONTDUMP));
    EXPECT_STREQ(p, "kept");
    EXPECT_OK(madvise(p, 4096, MADV_FREE));
    EXPECT_TRUE(p[0] == 'k' || p[0] == 0);
    munmap(p, 4096);
}

TEST(dontfork_and_wipeonfork)
{
    char *p = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = p[4096] = 'x';
    EXPECT_OK(madvise(p, 4096, MADV_WIPEONFORK));
    EXPECT_OK(madvise(p + 4096, 4096, MADV_DONTFORK));
    IN_CHILD {
        EXPECT_EQ(p[0], 0);
        EXPECT_EQ(read_faults(p + 4096), SIGSEGV);
    }
    EXPECT_EQ(p[0], 'x');
    munmap(p, 8192);
}

TEST(errors)
{
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_ERRNO(madvise(p, 4096, 9999), EINVAL);
    EXPECT_ERRNO(madvise(p + 1, 4096, MADV_DONTNEED), EINVAL);
    EXPECT_OK(munmap(p + 4096, 4096));
    p[0] = 1;
    EXPECT_ERRNO(madvise(p, 3 * 4096, MADV_DONTNEED), ENOMEM);
    EXPECT_EQ(p[0], 0);
    munmap(p, 3 * 4096);
}
