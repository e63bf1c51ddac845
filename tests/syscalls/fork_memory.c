// SPDX-License-Identifier: Apache-2.0
// covers: fork, mmap
// Copy-on-write after fork in both directions, shared maps stay shared, protections are inherited (man 2
// fork).
#include "guest.h"

TEST(copy_on_write_both_ways)
{
    enum { PAGES = 200 };
    char *p = map_pages(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 'p', PAGES * 4096);
    int to_child[2], to_parent[2];
    ASSERT_OK(pipe(to_child));
    ASSERT_OK(pipe(to_parent));
    char c;
    pid_t pid = fork_child();
    if (pid == 0) {
        EXPECT_EQ(read(to_child[0], &c, 1), 1);
        int changed = 0;
        for (int i = 0; i < PAGES; i++)
            changed += p[i * 4096] != 'p';
        EXPECT_EQ(changed, 0);
        memset(p, 'c', PAGES * 4096);
        EXPECT_EQ(write(to_parent[1], "x", 1), 1);
        child_done();
    }
    for (int i = 0; i < PAGES; i += 2)
        p[i * 4096] = 'q';
    EXPECT_EQ(write(to_child[1], "x", 1), 1);
    EXPECT_EQ(read(to_parent[0], &c, 1), 1);
    EXPECT_EQ(p[0], 'q');
    EXPECT_EQ(p[4096], 'p');
    EXPECT_EQ(wait_exit(pid), 0);
    munmap(p, PAGES * 4096);
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(to_parent[i]);
    }
}

TEST(shared_stays_shared)
{
    atomic_int *p = (atomic_int *)map_pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            for (int n = 0; n < 1000; n++)
                atomic_fetch_add(p, 1);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(wait_exit(pids[i]), 0);
    EXPECT_EQ(atomic_load(p), 4000);
    munmap(p, 4096);
}

TEST(areas_are_inherited_and_separate)
{
    char *p = map_pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    ASSERT_OK(mprotect(p, 4096, PROT_READ));
    IN_CHILD {
        EXPECT_EQ(write_faults(p), SIGSEGV);
        EXPECT_OK(munmap(p, 8192));
        EXPECT_EQ(read_faults(p), SIGSEGV);
    }
    EXPECT_EQ(read_faults(p), 0);
    EXPECT_EQ(write_faults(p + 4096), 0);
    munmap(p, 8192);
}

TEST(grandchild_sees_the_child)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 1;
    IN_CHILD {
        p[0] = 2;
        IN_CHILD {
            EXPECT_EQ(p[0], 2);
            p[0] = 3;
        }
        EXPECT_EQ(p[0], 2);
    }
    EXPECT_EQ(p[0], 1);
    munmap(p, 4096);
}
