// SPDX-License-Identifier: Apache-2.0
// covers: open, write, fallocate, statfs, unlink
// A file system in memory at /dev/shm: holes, sizes, links, unlinked files (man 5 tmpfs).
#include "guest.h"

#include <sys/vfs.h>

static void in_shm(void)
{
    struct statfs fs;
    if (statfs("/dev/shm", &fs) < 0 || fs.f_type != 0x01021994)
        SKIP("no tmpfs on /dev/shm");
    setenv("TMPDIR", "/dev/shm", 1);
    in_tmpdir();
}

TEST(holes)
{
    in_shm();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(pwrite(fd, "end", 3, 1 << 20), 3);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, (1 << 20) + 3);
    EXPECT_RANGE(st.st_blocks, 1, 64);
    EXPECT_EQ(lseek(fd, 0, SEEK_DATA), 1 << 20);
    char c = 1;
    EXPECT_EQ(pread(fd, &c, 1, 5000), 1);
    EXPECT_EQ(c, 0);
    close(fd);
}

TEST(unlinked_file_keeps_its_data)
{
    in_shm();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_OK(unlink("f"));
    EXPECT_EQ(write(fd, "data", 4), 4);
    char *p = map_file(fd, 4096, PROT_READ | PROT_WRITE, MAP_SHARED);
    close(fd);
    EXPECT_MEMEQ(p, "data", 4);
    munmap(p, 4096);
}

TEST(directory_link_counts)
{
    in_shm();
    struct stat st;
    ASSERT_OK(mkdir("d", 0755));
    EXPECT_OK(stat("d", &st));
    EXPECT_EQ(st.st_nlink, 2);
    ASSERT_OK(mkdir("d/sub", 0755));
    EXPECT_OK(stat("d", &st));
    EXPECT_EQ(st.st_nlink, 3);
}

TEST(rename_and_many_files)
{
    in_shm();
    char name[16], next[16];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "%d", i);
        snprintf(next, sizeof(next), "n%d", i);
        put_file(name, name);
        ASSERT_OK(rename(name, next));
    }
    char text[16];
    EXPECT_EQ(get_file("n499", text, sizeof(text)), 3);
    EXPECT_STREQ(text, "499");
}
