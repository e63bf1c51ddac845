// SPDX-License-Identifier: Apache-2.0
// covers: rename, open, getcwd, unlink
// A working directory, descriptors and mappings survive renames and removals above them (man 2 rename).
#include "guest.h"

TEST(moving_the_tree_under_us)
{
    in_tmpdir();
    ASSERT_OK(mkdir("a", 0755));
    ASSERT_OK(mkdir("a/b", 0755));
    put_file("a/b/f", "text");
    int dir = ASSERT_OK(open("a/b", O_RDONLY | O_DIRECTORY)), fd = ASSERT_OK(open("a/b/f", O_RDWR));
    char *p = map_file(fd, 4096, PROT_READ, MAP_SHARED);
    EXPECT_OK(rename("a", "c"));
    EXPECT_EQ(pwrite(fd, "TEXT", 4, 0), 4);
    EXPECT_MEMEQ(p, "TEXT", 4);
    char text[8];
    EXPECT_EQ(get_file("c/b/f", text, sizeof(text)), 4);
    EXPECT_STREQ(text, "TEXT");
    EXPECT_ERRNO(access("a/b/f", F_OK), ENOENT);
    EXPECT_OK(unlinkat(dir, "f", 0));
    EXPECT_OK(rmdir("c/b"));
    EXPECT_OK(rmdir("c"));
    EXPECT_MEMEQ(p, "TEXT", 4);
    munmap(p, 4096);
    close(fd);
    close(dir);
}

TEST(name_reuse)
{
    in_tmpdir();
    for (int i = 0; i < 50; i++) {
        char name[8], text[16];
        snprintf(name, sizeof(name), "%d", i);
        put_file("tmp", name);
        ASSERT_OK(rename("tmp", "target"));
        get_file("target", text, sizeof(text));
        EXPECT_STREQ(text, name);
    }
    EXPECT_ERRNO(access("tmp", F_OK), ENOENT);
}
