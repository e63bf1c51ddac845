// SPDX-License-Identifier: Apache-2.0
// covers: mseal, munmap, mprotect, mremap, madvise
// Sealed memory, mseal(2): neither unmapped, moved, replaced, nor given another protection, in part or as a
// whole; what cannot be written cannot be emptied; a fork keeps the seal.
#include "guest.h"

#define PAGE 4096
static long seal(void *p, size_t n, unsigned long flags) {
    return syscall(462, p, n, flags);
}
static bool unsupported(void) { return seal(NULL, 0, 0) < 0 && errno == ENOSYS; }

TEST(refusals) {
    if (unsupported())
        SKIP("before Linux 6.10");
    char *p = map_pages(4, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_OK(seal(p + PAGE, PAGE, 0));
    EXPECT_OK(seal(p + PAGE, PAGE, 0));
    EXPECT_ERRNO(munmap(p, 4 * PAGE), EPERM);
    EXPECT_ERRNO(munmap(p + PAGE, PAGE), EPERM);
    EXPECT_ERRNO(mprotect(p + PAGE, PAGE, PROT_NONE), EPERM);
    EXPECT_ERRNO(madvise(p + PAGE, PAGE, MADV_DONTNEED), EPERM);
    void *again = mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    EXPECT_TRUE(again == MAP_FAILED && errno == EPERM);
    EXPECT_TRUE(mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
    void *to = map_pages(8, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_TRUE(mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED &&
                errno == EPERM);
    EXPECT_OK(munmap(p, PAGE));
    EXPECT_OK(munmap(p + 2 * PAGE, 2 * PAGE));
    IN_CHILD { EXPECT_ERRNO(munmap(p + PAGE, PAGE), EPERM); }
}

TEST(arguments) {
    if (unsupported())
        SKIP("before Linux 6.10");
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    ASSERT_OK(munmap(p + 2 * PAGE, PAGE));
    EXPECT_ERRNO(seal(p, PAGE, 1), EINVAL);
    EXPECT_ERRNO(seal(p + 1, PAGE, 0), EINVAL);
    EXPECT_ERRNO(seal(p, -(size_t)PAGE + 1, 0), EINVAL);
    EXPECT_ERRNO(seal(p + 2 * PAGE, PAGE, 0), ENOMEM);
    EXPECT_ERRNO(seal(p, 4 * PAGE, 0), ENOMEM);
    EXPECT_OK(seal(p, 0, 0));
    EXPECT_OK(munmap(p, 2 * PAGE));
}
