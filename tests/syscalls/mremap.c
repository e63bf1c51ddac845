// SPDX-License-Identifier: Apache-2.0
// covers: mremap
// Growing in place, moving, shrinking, MREMAP_FIXED, content and errors (man 2 mremap).
#include "guest.h"

static void fill(char *p, int pages)
{
    for (int i = 0; i < pages; i++)
        p[i * 4096] = 'a' + i;
}

TEST(shrink)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    fill(p, 4);
    EXPECT_EQ(mremap(p, 4 * 4096, 2 * 4096, 0), p);
    EXPECT_EQ(p[4096], 'b');
    EXPECT_EQ(read_faults(p + 2 * 4096), SIGSEGV);
    munmap(p, 2 * 4096);
}

TEST(grow_in_place)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    fill(p, 1);
    ASSERT_OK(munmap(p + 4096, 3 * 4096));
    EXPECT_EQ(mremap(p, 4096, 4 * 4096, 0), p);
    EXPECT_EQ(p[0], 'a');
    EXPECT_EQ(p[3 * 4096], 0);
    munmap(p, 4 * 4096);
}

TEST(blocked_growth_needs_maymove)
{
    char *p = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    ASSERT_OK(mprotect(p + 4096, 4096, PROT_READ));
    fill(p, 1);
    EXPECT_ERRNO(mremap(p, 4096, 8192, 0), ENOMEM);
    char *moved = mremap(p, 4096, 8192, MREMAP_MAYMOVE);
    ASSERT_TRUE(moved != MAP_FAILED && moved != p);
    EXPECT_EQ(moved[0], 'a');
    EXPECT_EQ(moved[4096], 0);
    EXPECT_EQ(read_faults(p), SIGSEGV);
    EXPECT_EQ(read_faults(p + 4096), 0);
    munmap(moved, 8192);
    munmap(p + 4096, 4096);
}

TEST(fixed)
{
    char *p = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE), *to = map_pages(3, PROT_READ, MAP_PRIVATE);
    fill(p, 2);
    EXPECT_EQ(mremap(p, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
    EXPECT_EQ(to[4096], 'b');
    EXPECT_EQ(write_faults(to), 0);
    EXPECT_EQ(write_faults(to + 8192), SIGSEGV);
    EXPECT_EQ(read_faults(p), SIGSEGV);
    EXPECT_ERRNO(mremap(to, 4096, 4096, MREMAP_FIXED, p), EINVAL);
    EXPECT_ERRNO(mremap(to, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4096), EINVAL);
    munmap(to, 3 * 4096);
}

// Neighbours that got their pages apart are one area or several, as the kernel likes: all of it is moved, or
// nothing.
TEST(neighbours)
{
    for (int fixed = 0; fixed < 2; fixed++) {
        char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE),
             *to = map_pages(4, PROT_READ, MAP_PRIVATE);
        ASSERT_OK(munmap(p + 4096, 4096));
        p[0] = 'a';
        p[8192] = 'c';
        ASSERT_EQ(
            mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
            p + 4096);
        p[4096] = 'b';
        char *moved = fixed ? mremap(p, 3 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to)
                            : mremap(p, 3 * 4096, 4 * 4096, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED)
            EXPECT_EQ(errno, EFAULT);
        char *now = moved == MAP_FAILED ? p : moved;
        EXPECT_TRUE(now[0] == 'a' && now[4096] == 'b' && now[8192] == 'c');
        EXPECT_EQ(read_faults(p), now == p ? 0 : SIGSEGV);
        EXPECT_EQ(write_faults(now + 8192), 0);
        munmap(now, 4 * 4096);
        munmap(to, 4 * 4096);
    }
}

TEST(shared_file)
{
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 4 * 4096));
    EXPECT_EQ(pwrite(fd, "z", 1, 3 * 4096), 1);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    p = mremap(p, 4096, 4 * 4096, MREMAP_MAYMOVE);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_EQ(p[3 * 4096], 'z');
    p[0] = 'q';
    char c;
    EXPECT_EQ(pread(fd, &c, 1, 0), 1);
    EXPECT_EQ(c, 'q');
    munmap(p, 4 * 4096);
    close(fd);
}

TEST(errors)
{
    char *p = map_pages(1, PROT_READ, MAP_PRIVATE);
    EXPECT_ERRNO(mremap(p + 1, 4096, 8192, MREMAP_MAYMOVE), EINVAL);
    EXPECT_ERRNO(mremap(p, 4096, 0, 0), EINVAL);
    EXPECT_ERRNO(mremap(p, 4096, 8192, 0x80), EINVAL);
    EXPECT_OK(munmap(p, 4096));
    EXPECT_ERRNO(mremap(p, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
}

// The pages move, and the old place stays mapped, empty (Linux 5.7).
TEST(kept_mapping)
{
    enum { DONTUNMAP = 4 };
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    fill(p, 3);
    char *q = mremap(p + 4096, 4096, 4096, MREMAP_MAYMOVE | DONTUNMAP, 0);
    ASSERT_TRUE(q != MAP_FAILED && q != p + 4096);
    EXPECT_EQ(q[0], 'b');
    EXPECT_EQ(p[0], 'a');
    EXPECT_EQ(p[4096], 0);
    EXPECT_EQ(p[8192], 'c');
    p[4096] = 'x';
    EXPECT_EQ(q[0], 'b');
    munmap(q, 4096);
    char *to = map_pages(1, PROT_NONE, MAP_PRIVATE);
    EXPECT_EQ(mremap(p, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP, to), to);
    EXPECT_EQ(to[0], 'a');
    EXPECT_EQ(p[0], 0);
    EXPECT_ERRNO(mremap(p, 4096, 4096, DONTUNMAP), EINVAL);
    EXPECT_ERRNO(mremap(p, 4096, 8192, MREMAP_MAYMOVE | DONTUNMAP, 0), EINVAL);
    EXPECT_ERRNO(mremap(p, 4096, 4096, MREMAP_MAYMOVE | DONTUNMAP, p), EINVAL);
    munmap(to, 4096);
    munmap(p, 3 * 4096);
}

// Shared memory is in both places; a private view of a file is as the file again.
TEST(kept_files)
{
    enum { DONTUNMAP = 4 };
    in_tmpdir();
    char *s = map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    s[0] = 's';
    char *t = mremap(s, 4096, 4096, MREMAP_MAYMOVE | DONTUNMAP, 0);
    ASSERT_TRUE(t != MAP_FAILED);
    EXPECT_EQ(t[0], 's');
    EXPECT_EQ(s[0], 's');
    t[0] = 'u';
    EXPECT_EQ(s[0], 'u');
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    EXPECT_EQ(write(fd, "file", 4), 4);
    char *f = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    ASSERT_TRUE(f != MAP_FAILED);
    f[0] = 'F';
    char *g = mremap(f, 4096, 4096, MREMAP_MAYMOVE | DONTUNMAP, 0);
    ASSERT_TRUE(g != MAP_FAILED);
    EXPECT_MEMEQ(g, "File", 4);
    EXPECT_MEMEQ(f, "file", 4);
    munmap(s, 4096);
    munmap(t, 4096);
    munmap(f, 4096);
    munmap(g, 4096);
}
