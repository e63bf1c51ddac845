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

static void figures(struct statfs *fs) { ASSERT_OK(statfs("/dev/shm", fs)); }

TEST(has_a_size)
{
    in_shm();
    struct statfs fs;
    figures(&fs);
    if (fs.f_blocks == 0)
        SKIP("a tmpfs without a limit");
    EXPECT_TRUE(fs.f_bfree <= fs.f_blocks && fs.f_bavail <= fs.f_bfree && fs.f_ffree <= fs.f_files);
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(fallocate(fd, 0, 0, (off_t)(fs.f_blocks + 1) * fs.f_bsize), ENOSPC);
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(fs.f_blocks + 1) * fs.f_bsize), ENOSPC);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 0);
    EXPECT_EQ(st.st_blocks, 0);
    EXPECT_OK(ftruncate(fd, (off_t)(fs.f_blocks + 1) * fs.f_bsize));  // holes cost nothing
    close(fd);
}

// Others may use the same tmpfs: what is checked is at least what this test has taken.
TEST(figures_follow)
{
    in_shm();
    struct statfs before, after;
    figures(&before);
    if (before.f_blocks == 0 || before.f_files == 0)
        SKIP("a tmpfs without a limit");
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    char *p = map_file(fd, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED);
    EXPECT_OK(ftruncate(fd, 16 << 20));
    memset(p, 1, 8 << 20);
    EXPECT_OK(fallocate(fd, 0, 8 << 20, 8 << 20));
    EXPECT_OK(link("f", "g"));
    EXPECT_OK(link("f", "h"));
    figures(&after);
    EXPECT_GE(before.f_bfree, after.f_bfree + (12 << 20) / 4096);
    EXPECT_GE(before.f_ffree, after.f_ffree + 3);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_blocks, (16 << 20) / 512);
    munmap(p, 16 << 20);
    close(fd);
}

TEST(long_symlink_has_a_page)
{
    in_shm();
    char target[200], text[256];
    memset(target, 't', sizeof(target));
    target[199] = 0;
    EXPECT_OK(symlink(target, "long"));
    EXPECT_OK(symlink("short", "short"));
    struct stat st;
    EXPECT_OK(lstat("long", &st));
    EXPECT_EQ(st.st_size, 199);
    EXPECT_EQ(readlink("long", text, sizeof(text)), 199);
    EXPECT_OK(lstat("short", &st));
    EXPECT_EQ(st.st_blocks, 0);
}
