// SPDX-License-Identifier: Apache-2.0
// covers: mincore
// Which pages are present: touched ones, those of a file in memory, none that nobody has touched; holes and
// bad arguments are refused (man 2 mincore).
#include "guest.h"

static int count(const unsigned char *present, size_t n) {
    int sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += present[i] & 1;
    return sum;
}

TEST(resident)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    unsigned char present[4] = {9, 9, 9, 9};
    p[0] = p[2 * 4096] = 1;
    EXPECT_OK(mincore(p, 4 * 4096, present));
    EXPECT_EQ(present[0] & 1, 1);
    EXPECT_EQ(present[1] & 1, 0);
    EXPECT_EQ(present[2] & 1, 1);
    EXPECT_EQ(present[3] & 1, 0);
    munmap(p, 4 * 4096);
}

TEST(given_back) {
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    unsigned char present[4];
    memset(p, 1, 4 * 4096);
    EXPECT_OK(mincore(p, 4 * 4096, present));
    EXPECT_EQ(count(present, 4), 4);
    EXPECT_OK(madvise(p + 4096, 2 * 4096, MADV_DONTNEED));
    EXPECT_OK(mincore(p, 4 * 4096, present));
    EXPECT_EQ(count(present, 4), 2);
    EXPECT_EQ(present[1] & 1, 0);
    munmap(p, 4 * 4096);
}

TEST(memory_file) {
    int fd = ASSERT_OK(memfd_create("m", 0));
    unsigned char present[4];
    ASSERT_OK(ftruncate(fd, 4 * 4096));
    EXPECT_EQ(pwrite(fd, "x", 1, 4096), 1);
    char *p = map_file(fd, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_OK(mincore(p, 4 * 4096, present));
    EXPECT_EQ(count(present, 4), 1);
    EXPECT_EQ(present[1] & 1, 1);
    p[3 * 4096] = 1;
    EXPECT_OK(mincore(p, 4 * 4096, present));
    EXPECT_EQ(count(present, 4), 2);
    munmap(p, 4 * 4096);
    close(fd);
}

// The bytes may go to memory that nobody has touched, and to the end of a page.
TEST(places_for_the_answer) {
    char *p = map_pages(3, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    unsigned char *vec = (unsigned char *)map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 1;
    EXPECT_OK(mincore(p, 3 * 4096, vec));
    EXPECT_EQ(count(vec, 3), 1);
    EXPECT_OK(mincore(p, 2 * 4096 + 1, vec + 4093));
    EXPECT_EQ(count(vec + 4093, 3), 1);
    EXPECT_ERRNO(mincore(p, 3 * 4096, read_only_page()), EFAULT);
    munmap(p, 3 * 4096);
    munmap(vec, 4096);
}

TEST(no_access_is_no_hole) {
    char *p = map_pages(2, PROT_NONE, MAP_PRIVATE);
    unsigned char present[2] = {9, 9};
    EXPECT_OK(mincore(p, 2 * 4096, present));
    EXPECT_EQ(count(present, 2), 0);
    munmap(p, 2 * 4096);
}

static void *in_thread(void *arg) {
    unsigned char present[4];
    for (int i = 0; i < 50; i++) {
        char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        p[4096] = 1;
        EXPECT_OK(mincore(p, 4 * 4096, present));
        EXPECT_EQ(count(present, 4), 1);
        munmap(p, 4 * 4096);
    }
    return arg;
}
TEST(threads) {
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, in_thread, NULL), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

TEST(errors)
{
    char *p = map_pages(3, PROT_READ, MAP_PRIVATE);
    unsigned char present[3];
    EXPECT_ERRNO(mincore(p + 1, 4096, present), EINVAL);
    EXPECT_ERRNO(mincore(p, 4096, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(mincore(p, 4096, NULL_POINTER), EFAULT);
    EXPECT_ERRNO(mincore(KERNEL_POINTER, 4096, present), ENOMEM);
    EXPECT_OK(munmap(p + 4096, 4096));
    EXPECT_ERRNO(mincore(p, 3 * 4096, present), ENOMEM);
    EXPECT_OK(mincore(p, 0, present));
    munmap(p, 3 * 4096);
}
