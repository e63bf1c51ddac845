// SPDX-License-Identifier: Apache-2.0
// covers: mmap, munmap, msync
// Private and shared file mappings, permissions of the descriptor, the zero-filled tail (man 2 mmap).
#include "guest.h"

static int make(const char *text, int flags)
{
    in_tmpdir();
    put_file("f", text);
    return ASSERT_OK(open("f", flags));
}

TEST(private_is_private)
{
    int fd = make("hello", O_RDWR);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE), text[16];
    EXPECT_MEMEQ(p, "hello", 5);
    p[0] = 'J';
    get_file("f", text, sizeof(text));
    EXPECT_STREQ(text, "hello");
    EXPECT_EQ(p[0], 'J');
    munmap(p, 4096);
    close(fd);
}

TEST(shared_reaches_the_file)
{
    int fd = make("hello", O_RDWR);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED), text[16];
    close(fd);
    p[0] = 'J';
    get_file("f", text, sizeof(text));
    EXPECT_STREQ(text, "Jello");
    EXPECT_OK(msync(p, 4096, MS_SYNC));
    fd = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_EQ(pwrite(fd, "y", 1, 4), 1);
    EXPECT_EQ(p[4], 'y');
    munmap(p, 4096);
    close(fd);
}

TEST(tail_is_zero_and_not_written)
{
    int fd = make("hello", O_RDWR);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED), zeros[4091] = {0};
    EXPECT_MEMEQ(p + 5, zeros, sizeof(zeros));
    p[100] = 'x';
    munmap(p, 4096);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 5);
    close(fd);
}

TEST(offsets)
{
    int fd = make("", O_RDWR);
    EXPECT_EQ(pwrite(fd, "second", 6, 4096), 6);
    char *p = opaque_pointer(ASSERT_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096)));
    EXPECT_MEMEQ(p, "second", 6);
    munmap(p, 4096);
    EXPECT_ERRNO(syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
    close(fd);
}

TEST(descriptor_permissions)
{
    int fd = make("hello", O_RDONLY);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    munmap(p, 4096);
    p = map_file(fd, 4096, PROT_READ, MAP_SHARED);
    EXPECT_ERRNO(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
    munmap(p, 4096);
    close(fd);
    fd = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), EACCES);
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
    close(fd);
    fd = ASSERT_OK(open(".", O_RDONLY));
    EXPECT_ERRNO(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
    close(fd);
}
