// SPDX-License-Identifier: Apache-2.0
// covers: getdents64, lseek
// telldir, seekdir and rewinddir; entries that come and go while reading (man 3 seekdir).
#include "guest.h"

static int count_entries(DIR *dir)
{
    int count = 0;
    while (readdir(dir))
        count++;
    return count;
}

static void make_files(int count)
{
    char name[16];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        put_file(name, "");
    }
}

TEST(positions)
{
    in_tmpdir();
    make_files(50);
    DIR *dir = opendir(".");
    ASSERT_TRUE(dir);
    for (int i = 0; i < 20; i++)
        ASSERT_TRUE(readdir(dir));
    long position = telldir(dir);
    char name[NAME_MAX + 1];
    strcpy(name, readdir(dir)->d_name);
    EXPECT_EQ(count_entries(dir), 52 - 21);
    seekdir(dir, position);
    EXPECT_STREQ(readdir(dir)->d_name, name);
    EXPECT_EQ(count_entries(dir), 52 - 21);
    rewinddir(dir);
    EXPECT_EQ(count_entries(dir), 52);
    closedir(dir);
}

TEST(rewinding_sees_changes)
{
    in_tmpdir();
    make_files(5);
    DIR *dir = opendir(".");
    ASSERT_TRUE(dir);
    EXPECT_EQ(count_entries(dir), 7);
    ASSERT_OK(unlink("f0"));
    put_file("new1", "");
    put_file("new2", "");
    rewinddir(dir);
    EXPECT_EQ(count_entries(dir), 8);
    closedir(dir);
}

TEST(two_streams_are_independent)
{
    in_tmpdir();
    make_files(30);
    DIR *a = opendir("."), *b = opendir(".");
    ASSERT_TRUE(a && b);
    for (int i = 0; i < 10; i++)
        readdir(a);
    EXPECT_EQ(count_entries(b), 32);
    EXPECT_EQ(count_entries(a), 22);
    closedir(a);
    closedir(b);
}

TEST(large_directory)
{
    in_tmpdir();
    make_files(3000);
    DIR *dir = opendir(".");
    ASSERT_TRUE(dir);
    EXPECT_EQ(count_entries(dir), 3002);
    closedir(dir);
}
