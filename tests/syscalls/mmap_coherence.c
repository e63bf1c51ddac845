// SPDX-License-Identifier: Apache-2.0
// covers: mmap, read, write, fork, ftruncate
// One file mapped, read and written by several processes shows one content (man 2 mmap, MAP_SHARED).
#include "guest.h"

TEST(unrelated_mappings)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int a = ASSERT_OK(open("f", O_RDWR)), b = ASSERT_OK(open("f", O_RDWR));
    char *p = map_file(a, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *q = map_file(b, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    p[0] = 'A';
    EXPECT_EQ(q[0], 'A');
    q[1] = 'B';
    char text[4];
    EXPECT_EQ(pread(a, text, 2, 0), 2);
    EXPECT_MEMEQ(text, "AB", 2);
    EXPECT_EQ(pwrite(b, "C", 1, 2), 1);
    EXPECT_EQ(p[2], 'C');
    munmap(p, 4096);
    munmap(q, 4096);
    close(a);
    close(b);
}

TEST(another_process_opens_it_itself)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    IN_CHILD {
        ASSERT_OK(munmap(p, 4096));
        int own = ASSERT_OK(open("f", O_RDWR));
        char *q = map_file(own, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
        EXPECT_MEMEQ(q, "0123456789", 10);
        q[9] = 'Z';
    }
    EXPECT_EQ(p[9], 'Z');
    munmap(p, 4096);
    close(fd);
}

TEST(appending_becomes_visible)
{
    in_tmpdir();
    put_file("f", "");
    int fd = ASSERT_OK(open("f", O_RDWR | O_APPEND));
    char *p = map_file(fd, 8192, PROT_READ, MAP_SHARED);
    EXPECT_EQ(read_faults(p), SIGBUS);
    EXPECT_EQ(write(fd, "now", 3), 3);
    EXPECT_MEMEQ(p, "now", 4);
    munmap(p, 8192);
    close(fd);
}

TEST(private_sees_changes_until_it_writes)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 'X';
    EXPECT_EQ(pwrite(fd, "YY", 2, 0), 2);
    EXPECT_EQ(p[0], 'X');
    EXPECT_EQ(p[1], '1');
    munmap(p, 4096);
    close(fd);
}

TEST(counter_between_processes)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    ASSERT_OK(ftruncate(fd, 4096));
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            atomic_int *counter = (atomic_int *)map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
            for (int n = 0; n < 500; n++)
                atomic_fetch_add(counter, 1);
            _exit(0);
        }
    }
    for (int i = 0; i < 4; i++)
        EXPECT_OK(wait(NULL));
    int value;
    EXPECT_EQ(pread(fd, &value, sizeof(value), 0), sizeof(value));
    EXPECT_EQ(value, 2000);
    close(fd);
}
