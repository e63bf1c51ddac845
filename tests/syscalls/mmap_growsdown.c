// SPDX-License-Identifier: Apache-2.0
// covers: mmap
// MAP_GROWSDOWN: a touch below the area makes it reach there, up to a gap before what lies below and to
// RLIMIT_STACK (man 2 mmap; mm/mmap.c, expand_downwards).
#include "guest.h"

#include <sys/resource.h>

#define RW   (PROT_READ | PROT_WRITE)
#define PAGE 4096ul
#define GAP  (256 * PAGE)

// A page that grows, `room` bytes above the start of free addresses.
static char *growing(size_t room)
{
    char *free_range = mmap(NULL, room + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (free_range == MAP_FAILED)
        FAIL("no range");
    ASSERT_OK(munmap(free_range, room + 2 * PAGE));
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
    char *p = mmap(free_range + room, PAGE, RW, flags, -1, 0);
    if (p == MAP_FAILED)
        FAIL("no map");
    return p;
}

TEST(grows)
{
    char *p = growing(1024 * PAGE);
    p[0] = 'x';
    EXPECT_EQ(write_faults(p - 1), 0);
    EXPECT_EQ(p[-2], 0);
    EXPECT_EQ(write_faults(p - 100 * PAGE), 0);
    EXPECT_EQ(p[-50 * (long)PAGE], 0);
    EXPECT_EQ(p[0], 'x');
    unsigned char present[102];
    EXPECT_OK(mincore(p - 100 * PAGE, 101 * PAGE, present));
    EXPECT_ERRNO(mincore(p - 101 * PAGE, PAGE, present), ENOMEM);
    EXPECT_EQ(read_faults(p - 200 * PAGE), 0);
    munmap(p - 200 * PAGE, 201 * PAGE);
}

TEST(keeps_a_gap)
{
    char *p = growing(1024 * PAGE);
    char *wall = mmap(p - 600 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ASSERT_TRUE(wall != MAP_FAILED);
    EXPECT_EQ(write_faults(wall + PAGE + GAP), 0);
    EXPECT_EQ(write_faults(wall + GAP), SIGSEGV);
    EXPECT_EQ(write_faults(wall + PAGE + GAP - 1), SIGSEGV);
    munmap(wall, 601 * PAGE);
}

TEST(needs_no_gap_above_memory_without_access)
{
    char *p = growing(1024 * PAGE);
    char *wall = mmap(p - 20 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ASSERT_TRUE(wall != MAP_FAILED);
    EXPECT_EQ(write_faults(wall + PAGE), 0);
    EXPECT_EQ(write_faults(wall), SIGSEGV);
    munmap(wall, 21 * PAGE);
}

TEST(within_the_limit_of_the_stack)
{
    IN_CHILD {
        struct rlimit limit;
        ASSERT_OK(getrlimit(RLIMIT_STACK, &limit));
        limit.rlim_cur = 64 * PAGE;
        ASSERT_OK(setrlimit(RLIMIT_STACK, &limit));
        char *p = growing(1024 * PAGE);
        EXPECT_EQ(write_faults(p - 64 * PAGE), SIGSEGV);
        EXPECT_EQ(write_faults(p - 63 * PAGE), 0);
        EXPECT_EQ(write_faults(p - 64 * PAGE), SIGSEGV);
    }
}

TEST(only_when_asked_for)
{
    char *p = map_pages(2, RW, MAP_PRIVATE);
    ASSERT_OK(munmap(p, PAGE));
    EXPECT_EQ(write_faults(p), SIGSEGV);
    munmap(p + PAGE, PAGE);
}

TEST(as_a_thread_stack)
{
    char *p = growing(1024 * PAGE);
    pid_t pid = fork_child();
    if (pid == 0) {
        volatile char *at = p;
        for (int i = 0; i < 500; i++) {
            at -= PAGE;
            *at = (char)i;
        }
        child_done();
    }
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_EQ(write_faults(p - 300 * PAGE), 0);
    munmap(p - 300 * PAGE, 301 * PAGE);
}

// Several at once, in areas of their own, while the map changes. Far from where maps are put: what is mapped
// below would stop them.
static void *digs(void *arg)
{
    volatile char *at = arg;
    for (int i = 0; i < 200; i++) {
        at -= PAGE;
        *at = 1;
        char *q = map_pages(1, RW, MAP_PRIVATE);
        q[0] = 1;
        munmap(q, PAGE);
    }
    return NULL;
}
TEST(threads)
{
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++) {
        char *p = mmap((char *)(0x300000000ul + (i << 26)), PAGE, RW,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);
        ASSERT_TRUE(p != MAP_FAILED);
        ASSERT_EQ(pthread_create(&t[i], NULL, digs, p), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

TEST(refused)
{
    EXPECT_EQ(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0) == MAP_FAILED, 1);
    EXPECT_EQ(errno, EINVAL);
}
