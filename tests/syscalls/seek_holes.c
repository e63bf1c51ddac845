// SPDX-License-Identifier: Apache-2.0
// covers: lseek, fallocate
// SEEK_DATA and SEEK_HOLE over what was only asked for: pages of fallocate(2) that nobody has written count
// as used, and are a hole (man 2 lseek, "unwritten"); before and behind the size where a file in memory
// changes its shape.
#include "guest.h"

#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096

static long blocks_of(int fd) {
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    return st.st_blocks;
}
static void unwritten_pages(int pages) {
    int fd = ASSERT_OK(memfd_create("holes", 0));
    char byte;
    EXPECT_OK(fallocate(fd, 0, 0, pages * PAGE));
    EXPECT_EQ(blocks_of(fd), pages * 8);
    EXPECT_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
    EXPECT_EQ(lseek(fd, 100, SEEK_HOLE), 100);
    EXPECT_EQ(pread(fd, &byte, 1, 3 * PAGE), 1);
    EXPECT_EQ(byte, 0);
    EXPECT_EQ(pwrite(fd, "x", 1, 2 * PAGE + 5), 1);
    EXPECT_EQ(pwrite(fd, "y", 1, 0), 1);
    EXPECT_EQ(blocks_of(fd), pages * 8);
    EXPECT_EQ(lseek(fd, 0, SEEK_DATA), 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), PAGE);
    EXPECT_EQ(lseek(fd, PAGE, SEEK_DATA), 2 * PAGE);
    EXPECT_EQ(lseek(fd, 2 * PAGE, SEEK_HOLE), 3 * PAGE);
    EXPECT_ERRNO(lseek(fd, 3 * PAGE, SEEK_DATA), ENXIO);
    // A part of a page that is only asked for can be punched out; a whole one goes.
    EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * PAGE + 10, 20));
    EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE));
    EXPECT_EQ(blocks_of(fd), (pages - 1) * 8);
    EXPECT_ERRNO(lseek(fd, PAGE, SEEK_DATA), ENXIO);
    // A second time it costs nothing; what is cut off comes back.
    EXPECT_OK(fallocate(fd, 0, 0, pages * PAGE));
    EXPECT_EQ(blocks_of(fd), pages * 8);
    EXPECT_OK(ftruncate(fd, PAGE));
    EXPECT_EQ(blocks_of(fd), 8);
    char text[2] = "";
    EXPECT_EQ(pread(fd, text, 2, 0), 2);
    EXPECT_EQ(text[0], 'y');
    EXPECT_EQ(text[1], 0);
    close(fd);
}
TEST(small) { unwritten_pages(8); }
TEST(large) { unwritten_pages(600); }

// It becomes another kind of file while pages of it are only asked for.
TEST(grows_large) {
    int fd = ASSERT_OK(memfd_create("holes", 0));
    EXPECT_OK(fallocate(fd, 0, 0, 4 * PAGE));
    EXPECT_EQ(pwrite(fd, "x", 1, PAGE), 1);
    EXPECT_EQ(pwrite(fd, "x", 1, 700 * PAGE), 1);
    EXPECT_EQ(blocks_of(fd), 5 * 8);
    EXPECT_EQ(lseek(fd, 0, SEEK_DATA), PAGE);
    EXPECT_EQ(lseek(fd, PAGE, SEEK_HOLE), 2 * PAGE);
    EXPECT_EQ(lseek(fd, 2 * PAGE, SEEK_DATA), 700 * PAGE);
    close(fd);
}

TEST(mapped) {
    int fd = ASSERT_OK(memfd_create("holes", 0));
    EXPECT_OK(fallocate(fd, 0, 0, 4 * PAGE));
    char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    p[PAGE] = 1;
    EXPECT_EQ(blocks_of(fd), 4 * 8);
    EXPECT_EQ(lseek(fd, 0, SEEK_DATA), PAGE);
    munmap(p, 4 * PAGE);
    close(fd);
}
