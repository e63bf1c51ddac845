// SPDX-License-Identifier: Apache-2.0
// covers: memfd_create
// Files without a name: names, sharing by mapping and fork, close-on-exec, errors (man 2 memfd_create).
#include "guest.h"

TEST(is_a_file)
{
    int fd = ASSERT_OK(memfd_create("any/name", MFD_CLOEXEC));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(write(fd, "hello", 5), 5);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 5);
    EXPECT_TRUE(S_ISREG(st.st_mode));
    EXPECT_EQ(st.st_nlink, 0);
    char path[64], target[64] = {0}, text[8];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT_OK(readlink(path, target, sizeof(target) - 1));
    EXPECT_STREQ(target, "/memfd:any/name (deleted)");
    EXPECT_EQ(get_file(path, text, sizeof(text)), 5);
    close(fd);
}

TEST(shared_mapping)
{
    int fd = ASSERT_OK(memfd_create("m", 0));
    ASSERT_OK(ftruncate(fd, 8192));
    char *p = map_file(fd, 8192, PROT_READ | PROT_WRITE, MAP_SHARED);
    IN_CHILD {
        strcpy(p + 5000, "from the child");
    }
    EXPECT_STREQ(p + 5000, "from the child");
    char text[16] = {0};
    EXPECT_EQ(pread(fd, text, 8, 5000), 8);
    EXPECT_STREQ(text, "from the");
    munmap(p, 8192);
    close(fd);
}

TEST(errors)
{
    EXPECT_ERRNO(memfd_create("m", 0x8000), EINVAL);
    EXPECT_ERRNO(memfd_create(KERNEL_POINTER, 0), EFAULT);
    char name[300];
    memset(name, 'a', sizeof(name));
    name[299] = 0;
    EXPECT_ERRNO(memfd_create(name, 0), EINVAL);
    name[249] = 0;
    int fd = EXPECT_OK(memfd_create(name, 0));
    close(fd);
}
