// SPDX-License-Identifier: Apache-2.0
// covers: mmap, ftruncate
// Touching a page past the end of the mapped file raises SIGBUS, BUS_ADRERR (man 2 mmap).
#include "guest.h"

TEST(past_the_end)
{
    in_tmpdir();
    put_file("f", "data");
    int fd = ASSERT_OK(open("f", O_RDWR));
    char *p = map_file(fd, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_EQ(read_faults(p + 4095), 0);
    EXPECT_EQ(read_faults(p + 4096), SIGBUS);
    EXPECT_EQ(fault_info.si_code, BUS_ADRERR);
    EXPECT_EQ(fault_info.si_addr, p + 4096);
    EXPECT_EQ(write_faults(p + 8192 + 7), SIGBUS);
    ASSERT_OK(ftruncate(fd, 8192));
    EXPECT_EQ(write_faults(p + 4096), 0);
    ASSERT_OK(ftruncate(fd, 10));
    EXPECT_EQ(read_faults(p + 4096), SIGBUS);
    munmap(p, 3 * 4096);
    close(fd);
}

TEST(private_mapping_too)
{
    in_tmpdir();
    put_file("f", "data");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char *p = map_file(fd, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    EXPECT_EQ(write_faults(p), 0);
    EXPECT_EQ(write_faults(p + 4096), SIGBUS);
    munmap(p, 2 * 4096);
    close(fd);
}

TEST(truncated_and_regrown_is_zero)
{
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 4096));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    p[0] = 'x';
    ASSERT_OK(ftruncate(fd, 0));
    EXPECT_EQ(read_faults(p), SIGBUS);
    ASSERT_OK(ftruncate(fd, 4096));
    EXPECT_EQ(p[0], 0);
    munmap(p, 4096);
    close(fd);
}

TEST(system_call_gets_efault)
{
    int fd = ASSERT_OK(memfd_create("m", 0)), pipes[2];
    ASSERT_OK(pipe(pipes));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_ERRNO(write(pipes[1], p, 1), EFAULT);
    EXPECT_EQ(write(pipes[1], "x", 1), 1);
    EXPECT_ERRNO(read(pipes[0], p, 1), EFAULT);
    munmap(p, 4096);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}
