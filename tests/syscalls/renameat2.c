// SPDX-License-Identifier: Apache-2.0
// covers: renameat2
// RENAME_NOREPLACE and RENAME_EXCHANGE, and their combination (man 2 renameat2).
#include "guest.h"

static int move(const char *from, const char *to, unsigned flags)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST(noreplace)
{
    in_tmpdir();
    put_file("a", "A");
    put_file("b", "B");
    EXPECT_ERRNO(move("a", "b", RENAME_NOREPLACE), EEXIST);
    EXPECT_OK(move("a", "c", RENAME_NOREPLACE));
    EXPECT_OK(access("c", F_OK));
    EXPECT_ERRNO(access("a", F_OK), ENOENT);
}

TEST(exchange)
{
    in_tmpdir();
    put_file("a", "A");
    ASSERT_OK(mkdir("d", 0755));
    put_file("d/f", "");
    EXPECT_OK(move("a", "d", RENAME_EXCHANGE));
    char text[8];
    EXPECT_EQ(get_file("d", text, sizeof(text)), 1);
    EXPECT_OK(access("a/f", F_OK));
    EXPECT_ERRNO(move("a", "missing", RENAME_EXCHANGE), ENOENT);
}

TEST(bad_flags)
{
    in_tmpdir();
    put_file("a", "A");
    EXPECT_ERRNO(move("a", "b", 0x80), EINVAL);
    EXPECT_ERRNO(move("a", "b", RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
    EXPECT_OK(access("a", F_OK));
    EXPECT_OK(move("a", "b", 0));
}
