// SPDX-License-Identifier: Apache-2.0
// covers: madvise, mlock, mlock2, mlockall, mmap
// Memory that is made present: MADV_POPULATE_READ and _WRITE with their errors, MAP_POPULATE, mlock
// (man 2 madvise, mlock, mmap). And advice that the kernel may refuse.
#include "guest.h"

#include <sys/resource.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#define MADV_COLLAPSE_      25
#define MADV_GUARD_INSTALL_ 102
#define MADV_GUARD_REMOVE_  103
#define RW                  (PROT_READ | PROT_WRITE)

static int present(void *p, size_t pages) {
    unsigned char vec[64];
    int sum = 0;
    if (mincore(p, pages * 4096, vec) < 0)
        return -1;
    for (size_t i = 0; i < pages; i++)
        sum += vec[i] & 1;
    return sum;
}
static bool has_populate(void) {
    char *p = map_pages(1, RW, MAP_PRIVATE);
    bool has = madvise(p, 4096, MADV_POPULATE_READ) == 0;
    munmap(p, 4096);
    return has;
}

TEST(populate) {
    if (!has_populate())
        SKIP("an older kernel");
    char *p = map_pages(8, RW, MAP_PRIVATE);
    EXPECT_EQ(present(p, 8), 0);
    EXPECT_OK(madvise(p, 4 * 4096, MADV_POPULATE_WRITE));
    EXPECT_EQ(present(p, 8), 4);
    EXPECT_OK(madvise(p, 8 * 4096, MADV_POPULATE_READ));
    EXPECT_EQ(present(p, 8), 8);
    for (int i = 0; i < 8 * 4096; i++)
        if (p[i])
            FAIL("not zero");
    munmap(p, 8 * 4096);
}

TEST(populate_keeps_what_is_there) {
    if (!has_populate())
        SKIP("an older kernel");
    in_tmpdir();
    put_file("f", "text");
    int fd = ASSERT_OK(open("f", O_RDWR));
    char *p = map_file(fd, 4096, RW, MAP_PRIVATE), *q = map_file(fd, 4096, RW, MAP_SHARED);
    p[0] = 'T';
    EXPECT_OK(madvise(p, 4096, MADV_POPULATE_WRITE));
    EXPECT_OK(madvise(q, 4096, MADV_POPULATE_WRITE));
    EXPECT_MEMEQ(p, "Text", 4);
    EXPECT_MEMEQ(q, "text", 4);
    munmap(p, 4096);
    munmap(q, 4096);
    close(fd);
}

TEST(populate_errors) {
    if (!has_populate())
        SKIP("an older kernel");
    char *p = map_pages(4, RW, MAP_PRIVATE);
    EXPECT_ERRNO(madvise(p + 1, 4096, MADV_POPULATE_READ), EINVAL);
    EXPECT_OK(mprotect(p + 2 * 4096, 4096, PROT_READ));
    EXPECT_ERRNO(madvise(p, 4 * 4096, MADV_POPULATE_WRITE), EINVAL);
    EXPECT_EQ(present(p, 4), 2);
    EXPECT_OK(madvise(p, 4 * 4096, MADV_POPULATE_READ));
    EXPECT_OK(mprotect(p + 2 * 4096, 4096, PROT_NONE));
    EXPECT_ERRNO(madvise(p, 4 * 4096, MADV_POPULATE_READ), EINVAL);
    munmap(p, 4 * 4096);
    p = map_pages(4, RW, MAP_PRIVATE);
    EXPECT_OK(munmap(p + 2 * 4096, 4096));
    EXPECT_ERRNO(madvise(p, 4 * 4096, MADV_POPULATE_WRITE), ENOMEM);
    EXPECT_EQ(present(p, 2), 2);
    EXPECT_EQ(present(p + 3 * 4096, 1), 0);
    EXPECT_ERRNO(madvise(p + 2 * 4096, 4096, MADV_POPULATE_READ), ENOMEM);
    munmap(p, 4 * 4096);
}

TEST(populate_behind_the_end_of_a_file) {
    if (!has_populate())
        SKIP("an older kernel");
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 4096));
    char *p = map_file(fd, 2 * 4096, RW, MAP_SHARED);
    EXPECT_OK(madvise(p, 4096, MADV_POPULATE_WRITE));
    EXPECT_ERRNO(madvise(p, 2 * 4096, MADV_POPULATE_WRITE), EFAULT);
    EXPECT_ERRNO(madvise(p, 2 * 4096, MADV_POPULATE_READ), EFAULT);
    munmap(p, 2 * 4096);
    close(fd);
}

TEST(map_populate) {
    char *p = mmap(NULL, 8 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_EQ(present(p, 8), 8);
    munmap(p, 8 * 4096);
    p = mmap(NULL, 8 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NONBLOCK, -1, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_EQ(present(p, 8), 0);
    munmap(p, 8 * 4096);
}

TEST(mlock_fills) {
    char *p = map_pages(8, RW, MAP_PRIVATE);
    if (mlock(p, 2 * 4096) < 0)
        SKIP("locking is not allowed");
    EXPECT_EQ(present(p, 8), 2);
    EXPECT_OK(mlock2(p + 4 * 4096, 2 * 4096, MLOCK_ONFAULT));
    EXPECT_EQ(present(p, 8), 2);
    EXPECT_OK(mprotect(p + 6 * 4096, 4096, PROT_NONE));
    int err = mlock(p + 6 * 4096, 2 * 4096) < 0 ? errno : 0;
    EXPECT_TRUE(err == 0 || err == ENOMEM);  // Linux gives up at memory without access since 5.?
    EXPECT_OK(munlock(p, 8 * 4096));
    munmap(p, 8 * 4096);
}

TEST(mlock_behind_the_end_of_a_file) {
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 4096));
    char *p = map_file(fd, 2 * 4096, RW, MAP_SHARED);
    EXPECT_ERRNO(mlock(p, 2 * 4096), ENOMEM);
    munmap(p, 2 * 4096);
    close(fd);
}

TEST(map_locked_fills) {
    char *p = mmap(NULL, 4 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
    if (p == MAP_FAILED)
        SKIP("locking is not allowed");
    EXPECT_EQ(present(p, 4), 4);
    munmap(p, 4 * 4096);
}

TEST(mlockall_fills) {
    if (geteuid() != 0)
        SKIP("all of a program is more than the limit");
    IN_CHILD {
        char *p = map_pages(4, RW, MAP_PRIVATE);
        ASSERT_OK(mlockall(MCL_CURRENT));
        EXPECT_EQ(present(p, 4), 4);
        p = map_pages(4, RW, MAP_PRIVATE);
        EXPECT_EQ(present(p, 4), 0);
        ASSERT_OK(mlockall(MCL_FUTURE));
        p = map_pages(4, RW, MAP_PRIVATE);
        EXPECT_EQ(present(p, 4), 4);
        ASSERT_OK(mlockall(MCL_FUTURE | 4 /* MCL_ONFAULT */));
        p = map_pages(4, RW, MAP_PRIVATE);
        EXPECT_EQ(present(p, 4), 0);
        ASSERT_OK(munlockall());
    }
}

TEST(advice_on_locked_memory) {
    char *p = map_pages(1, RW, MAP_PRIVATE);
    if (mlock(p, 4096) < 0)
        SKIP("locking is not allowed");
    EXPECT_ERRNO(madvise(p, 4096, MADV_DONTNEED), EINVAL);
    EXPECT_ERRNO(madvise(p, 4096, MADV_FREE), EINVAL);
    EXPECT_ERRNO(madvise(p, 4096, MADV_COLD), EINVAL);
    EXPECT_ERRNO(madvise(p, 4096, MADV_PAGEOUT), EINVAL);
    EXPECT_OK(madvise(p, 4096, 24 /* MADV_DONTNEED_LOCKED */));
    munmap(p, 4096);
}

TEST(advice_by_kind) {
    char *p = map_pages(1, RW, MAP_PRIVATE), *s = map_pages(1, RW, MAP_SHARED);
    static const int fine[] = {MADV_COLD,     MADV_PAGEOUT, MADV_DONTDUMP, MADV_DODUMP,
                               MADV_DONTFORK, MADV_DOFORK,  MADV_WILLNEED, MADV_KEEPONFORK};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        EXPECT_OK(madvise(p, 4096, fine[i]));
        EXPECT_OK(madvise(s, 4096, fine[i]));
    }
    EXPECT_ERRNO(madvise(s, 4096, MADV_FREE), EINVAL);
    EXPECT_ERRNO(madvise(s, 4096, MADV_WIPEONFORK), EINVAL);
    EXPECT_ERRNO(madvise(p, 4096, MADV_REMOVE), EINVAL);
    EXPECT_OK(madvise(p, 4096, MADV_WIPEONFORK));
    EXPECT_OK(madvise(p, 4096, MADV_FREE));
    munmap(p, 4096);
    munmap(s, 4096);
}

// What a kernel without huge pages refuses, and no map may be lost of it.
TEST(huge_pages) {
    size_t len = 4 << 20;
    char *p = map_pages(len / 4096, RW, MAP_PRIVATE);
    int err = madvise(p, len, MADV_HUGEPAGE) < 0 ? errno : 0;
    EXPECT_TRUE(err == 0 || err == EINVAL);
    memset(p, 7, len);
    int again = madvise(p, len, MADV_COLLAPSE_) < 0 ? errno : 0;
    EXPECT_TRUE(again == 0 || again == EINVAL || again == EAGAIN || again == ENOMEM || again == EBUSY);
    int no = madvise(p, len, MADV_NOHUGEPAGE) < 0 ? errno : 0;
    EXPECT_EQ(no, err);
    for (size_t i = 0; i < len; i += 4096)
        if (p[i] != 7)
            FAIL("lost");
    munmap(p, len);
}

TEST(guard_pages) {
    char *p = map_pages(3, RW, MAP_PRIVATE);
    memset(p, 5, 3 * 4096);
    if (madvise(p + 4096, 4096, MADV_GUARD_INSTALL_) < 0 && errno == EINVAL)
        SKIP("an older kernel");
    EXPECT_EQ(read_faults(p + 4096), SIGSEGV);
    EXPECT_EQ(p[0], 5);
    EXPECT_EQ(p[2 * 4096], 5);
    EXPECT_ERRNO(madvise(p, 3 * 4096, MADV_POPULATE_WRITE), EFAULT);
    EXPECT_ERRNO(write(-1, p + 4096, 1), EBADF);
    EXPECT_OK(madvise(p, 3 * 4096, MADV_GUARD_REMOVE_));
    EXPECT_EQ(p[4096], 0);
    EXPECT_EQ(p[0], 5);
    munmap(p, 3 * 4096);
}
