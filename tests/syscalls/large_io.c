// SPDX-License-Identifier: Apache-2.0
// covers: pread64, pwrite64, read, write, ftruncate, fallocate
// Large reads and writes of files in memory: the bytes are right whatever was done to the file in between,
// holes stay holes, and a buffer that ends in the middle gives a short count (man 2 read).
#include "guest.h"

#include <sys/stat.h>
#include <sys/uio.h>

#define KIB   1024ul
#define MIB   (1024 * KIB)
#define SIZE  (3 * MIB)
#define ROUND 4  // what is done again and again may be done another way

static unsigned char pattern(size_t at, int round)
{
    return (unsigned char)(at / 7 * 31 + at + (size_t)round * 13);
}
static void fill(unsigned char *p, size_t off, size_t n, int round)
{
    for (size_t i = 0; i < n; i++)
        p[i] = pattern(off + i, round);
}
static bool is(const unsigned char *p, size_t off, size_t n, int round)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != pattern(off + i, round))
            return false;
    return true;
}
static bool zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}
static int full_file(unsigned char *buf, int round)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    fill(buf, 0, SIZE, round);
    EXPECT_EQ(pwrite(fd, buf, SIZE, 0), (long)SIZE);
    return fd;
}
static unsigned char *buffer(void)
{
    return (unsigned char *)map_pages(SIZE / 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}
static blkcnt_t blocks(int fd)
{
    struct stat st;
    ASSERT_OK(fstat(fd, &st));
    return st.st_blocks;
}

TEST(rounds)
{
    static const size_t steps[] = {64 * KIB, 100 * KIB + 1, MIB + 4095};
    unsigned char *buf = buffer();
    int fd = full_file(buf, 0);
    for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
        for (int round = 1; round < ROUND; round++) {
            for (size_t at = 0; at < SIZE; at += steps[s]) {
                size_t n = SIZE - at < steps[s] ? SIZE - at : steps[s];
                fill(buf, at, n, round);
                EXPECT_EQ(pwrite(fd, buf, n, (off_t)at), (long)n);
            }
            for (size_t at = 0; at < SIZE; at += steps[s]) {
                size_t n = SIZE - at < steps[s] ? SIZE - at : steps[s];
                memset(buf, 0, n);
                EXPECT_EQ(pread(fd, buf, steps[s], (off_t)at), (long)n);
                if (!is(buf, at, n, round))
                    FAIL("step %zu round %d at %zu", steps[s], round, at);
            }
        }
    struct stat st;
    ASSERT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, (long)SIZE);
    close(fd);
    munmap(buf, SIZE);
}

TEST(the_map_and_the_file_are_one)
{
    unsigned char *buf = buffer();
    int fd = full_file(buf, 1);
    unsigned char *map = (unsigned char *)map_file(fd, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED);
    for (int round = 2; round < 2 + ROUND; round++) {
        fill(buf, 0, SIZE, round);
        EXPECT_EQ(pwrite(fd, buf, SIZE, 0), (long)SIZE);
        EXPECT_TRUE(is(map, 0, SIZE, round));
        fill(map, 0, SIZE, round + 100);
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
        EXPECT_TRUE(is(buf, 0, SIZE, round + 100));
    }
    munmap(map, SIZE);
    close(fd);
    munmap(buf, SIZE);
}

TEST(holes_stay_holes)
{
    unsigned char *buf = buffer();
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, SIZE));
    for (int i = 0; i < ROUND; i++) {
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
        EXPECT_TRUE(zero(buf, SIZE));
    }
    EXPECT_EQ(blocks(fd), 0);
    EXPECT_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
    close(fd);
    fd = full_file(buf, 1);
    for (int i = 0; i < ROUND; i++)
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
    EXPECT_EQ(blocks(fd), (long)(SIZE / 512));
    ASSERT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB + 100, MIB));
    for (int i = 0; i < ROUND; i++) {
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
        EXPECT_TRUE(is(buf, 0, MIB + 100, 1) && zero(buf + MIB + 100, MIB));
        EXPECT_TRUE(is(buf + 2 * MIB + 100, 2 * MIB + 100, SIZE - 2 * MIB - 100, 1));
    }
    EXPECT_EQ(blocks(fd), (long)((SIZE - MIB + 4096) / 512));
    EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), (long)(MIB + 4096));
    EXPECT_EQ(lseek(fd, MIB + 4096, SEEK_DATA), (long)(2 * MIB));
    close(fd);
    munmap(buf, SIZE);
}

TEST(shrunk_and_grown)
{
    unsigned char *buf = buffer();
    int fd = full_file(buf, 1);
    for (int i = 0; i < ROUND; i++)
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
    ASSERT_OK(ftruncate(fd, MIB + 1234));
    for (int i = 0; i < ROUND; i++)
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)(MIB + 1234));
    EXPECT_TRUE(is(buf, 0, MIB + 1234, 1));
    ASSERT_OK(ftruncate(fd, SIZE));
    for (int i = 0; i < ROUND; i++) {
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
        EXPECT_TRUE(is(buf, 0, MIB + 1234, 1) && zero(buf + MIB + 1234, SIZE - MIB - 1234));
    }
    EXPECT_EQ(blocks(fd), (long)((MIB + 4096) / 512));
    fill(buf, 0, SIZE, 2);
    EXPECT_EQ(pwrite(fd, buf, SIZE, 0), (long)SIZE);
    EXPECT_EQ(pwrite(fd, buf, 64 * KIB, SIZE - 1), (long)(64 * KIB));  // it grows by this
    EXPECT_EQ(lseek(fd, 0, SEEK_END), (long)(SIZE + 64 * KIB - 1));
    close(fd);
    munmap(buf, SIZE);
}

TEST(a_buffer_that_ends)
{
    unsigned char *buf = buffer(), *part = buffer();
    int fd = full_file(buf, 1);
    ASSERT_OK(munmap(part + 80 * KIB, SIZE - 80 * KIB));
    for (int i = 0; i < ROUND; i++) {
        memset(part, 0, 80 * KIB);
        ssize_t n = pread(fd, part, 128 * KIB, 4096);
        EXPECT_RANGE(n, 64 * (long)KIB, 80 * (long)KIB);
        EXPECT_TRUE(is(part, 4096, (size_t)n, 1));
        EXPECT_ERRNO(pread(fd, part + 80 * KIB, 128 * KIB, 4096), EFAULT);
        EXPECT_ERRNO(pwrite(fd, part + 80 * KIB, 128 * KIB, 4096), EFAULT);
    }
    for (int i = 0; i < ROUND; i++)
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
    EXPECT_TRUE(is(buf, 0, SIZE, 1));
    fill(part, 0, 80 * KIB, 9);
    ssize_t n = pwrite(fd, part, 128 * KIB, 0);
    EXPECT_RANGE(n, 64 * (long)KIB, 80 * (long)KIB);
    EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
    EXPECT_TRUE(is(buf, 0, (size_t)n, 9) && is(buf + 128 * KIB, 128 * KIB, SIZE - 128 * KIB, 1));
    close(fd);
    munmap(part, 80 * KIB);
    munmap(buf, SIZE);
}

TEST(sealed)
{
    unsigned char *buf = buffer();
    int fd = full_file(buf, 1);
    for (int i = 0; i < ROUND; i++)
        EXPECT_EQ(pwrite(fd, buf, SIZE, 0), (long)SIZE);
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
    for (int i = 0; i < ROUND; i++) {
        EXPECT_ERRNO(pwrite(fd, buf, SIZE, 0), EPERM);
        EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
        EXPECT_TRUE(is(buf, 0, SIZE, 1));
    }
    close(fd);
    munmap(buf, SIZE);
}

// Pieces of buffers, small ones too.
TEST(vectors)
{
    unsigned char *buf = buffer();
    int fd = full_file(buf, 1);
    struct iovec v[100];
    for (int i = 0; i < 100; i++)
        v[i] = (struct iovec){buf + (size_t)i * 10000, i % 3 ? 3000 : 5};
    for (int round = 0; round < ROUND; round++) {
        memset(buf, 0, MIB);
        ssize_t n = preadv(fd, v, 100, 777);
        EXPECT_EQ(n, 34 * 5 + 66 * 3000);
        size_t at = 777;
        for (int i = 0; i < 100; at += v[i++].iov_len)
            EXPECT_TRUE(is(v[i].iov_base, at, v[i].iov_len, 1));
        EXPECT_EQ(pwritev(fd, v, 100, 777), n);
    }
    EXPECT_EQ(pread(fd, buf, SIZE, 0), (long)SIZE);
    EXPECT_TRUE(is(buf, 0, SIZE, 1));
    close(fd);
    munmap(buf, SIZE);
}

// Many files, more than can be at hand at once; and numbers that are used again.
TEST(many_files)
{
    unsigned char *buf = buffer();
    int fds[24];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 24; i++) {
            fds[i] = ASSERT_OK(memfd_create("m", 0));
            memset(buf, i + round, 2 * MIB);
            EXPECT_EQ(pwrite(fds[i], buf, 2 * MIB, 0), (long)(2 * MIB));
        }
        for (int again = 0; again < 3; again++)
            for (int i = 0; i < 24; i++) {
                EXPECT_EQ(pread(fds[i], buf, 64 * KIB, MIB), (long)(64 * KIB));
                EXPECT_TRUE(buf[0] == i + round && buf[64 * KIB - 1] == i + round);
            }
        for (int i = 0; i < 24; i++)
            close(fds[i]);
    }
    munmap(buf, SIZE);
}

// One cuts the file and fills it again, all the time; the others read and write: no byte that was never
// there.
static int shared_fd;
static void *reads(void *arg)
{
    unsigned char *buf = buffer();
    for (int i = 0; i < 20; i++) {
        ssize_t n = pread(shared_fd, buf, SIZE, 0);
        for (ssize_t k = 0; k < n; k += 511)
            if (buf[k] && buf[k] != 0x5a) {
                FAIL("byte %02x", buf[k]);
                break;
            }
        memset(buf, 0x5a, MIB);
        pwrite(shared_fd, buf, MIB, (off_t)MIB);
    }
    munmap(buf, SIZE);
    return arg;
}
TEST(cut_while_it_is_read)
{
    unsigned char *buf = buffer();
    pthread_t t[2];
    shared_fd = ASSERT_OK(memfd_create("m", 0));
    memset(buf, 0x5a, SIZE);
    EXPECT_EQ(pwrite(shared_fd, buf, SIZE, 0), (long)SIZE);
    for (int i = 0; i < 2; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, reads, NULL), 0);
    for (int i = 0; i < 12; i++) {
        EXPECT_OK(ftruncate(shared_fd, i % 2 ? 0 : MIB / 2));
        EXPECT_OK(fallocate(shared_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, MIB));
        EXPECT_EQ(pwrite(shared_fd, buf, SIZE, 0), (long)SIZE);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    close(shared_fd);
    munmap(buf, SIZE);
}
