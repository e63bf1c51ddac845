// SPDX-License-Identifier: Apache-2.0
// covers: fcntl, memfd_create
// F_ADD_SEALS forbids growing, shrinking, writing and more seals (man 2 fcntl, File Sealing).
#include "guest.h"

TEST(needs_permission)
{
    int fd = ASSERT_OK(memfd_create("m", 0));
    EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    close(fd);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(fcntl(pipes[0], F_GET_SEALS), EINVAL);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(size)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    ASSERT_OK(ftruncate(fd, 4096));
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    EXPECT_ERRNO(ftruncate(fd, 10), EPERM);
    EXPECT_OK(ftruncate(fd, 5000));
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    EXPECT_ERRNO(ftruncate(fd, 6000), EPERM);
    EXPECT_EQ(pwrite(fd, "x", 1, 4999), 1);
    EXPECT_ERRNO(pwrite(fd, "x", 1, 9000), EPERM);
    EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    close(fd);
}

TEST(writing)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    ASSERT_OK(ftruncate(fd, 4096));
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(p, 4096);
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_ERRNO(write(fd, "x", 1), EPERM);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    p[0] = 1;
    munmap(p, 4096);
    close(fd);
}

TEST(seal_of_seals)
{
    int fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    close(fd);
    fd = ASSERT_OK(memfd_create("m", MFD_ALLOW_SEALING));
    EXPECT_ERRNO(fcntl(fd, F_ADD_SEALS, 0x8000), EINVAL);
    close(fd);
}
