// SPDX-License-Identifier: Apache-2.0
// covers: copy_file_range
// Ranges between files, offsets, overlap and descriptor checks (man 2 copy_file_range).
#include "guest.h"

TEST(copies)
{
    in_tmpdir();
    put_file("a", "0123456789");
    int in = ASSERT_OK(open("a", O_RDONLY)), out = ASSERT_OK(open("b", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(copy_file_range(in, NULL, out, NULL, 4, 0), 4);
    EXPECT_EQ(lseek(in, 0, SEEK_CUR), 4);
    EXPECT_EQ(lseek(out, 0, SEEK_CUR), 4);
    off64_t from = 8, to = 20;
    EXPECT_EQ(copy_file_range(in, &from, out, &to, 100, 0), 2);
    EXPECT_EQ(from, 10);
    EXPECT_EQ(to, 22);
    EXPECT_EQ(lseek(in, 0, SEEK_CUR), 4);
    EXPECT_EQ(copy_file_range(in, &from, out, &to, 100, 0), 0);
    char text[32];
    EXPECT_EQ(pread(out, text, sizeof(text), 0), 22);
    EXPECT_MEMEQ(text, "0123", 4);
    EXPECT_MEMEQ(text + 20, "89", 2);
    close(in);
    close(out);
}

TEST(errors)
{
    in_tmpdir();
    put_file("a", "0123456789");
    put_file("b", "");
    int in = ASSERT_OK(open("a", O_RDWR)), out = ASSERT_OK(open("b", O_RDONLY)), pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(copy_file_range(in, NULL, out, NULL, 4, 0), EBADF);
    EXPECT_ERRNO(copy_file_range(-1, NULL, in, NULL, 4, 0), EBADF);
    EXPECT_ERRNO(copy_file_range(in, NULL, in, NULL, 4, 7), EINVAL);
    EXPECT_ERRNO(copy_file_range(in, NULL, pipes[1], NULL, 4, 0), EINVAL);
    off64_t from = 0, to = 2;
    EXPECT_ERRNO(copy_file_range(in, &from, in, &to, 4, 0), EINVAL);
    to = 5;
    EXPECT_EQ(copy_file_range(in, &from, in, &to, 4, 0), 4);
    char text[16];
    get_file("a", text, sizeof(text));
    EXPECT_STREQ(text, "0123401239");
    close(in);
    close(out);
    close(pipes[0]);
    close(pipes[1]);
}
