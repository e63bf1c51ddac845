// SPDX-License-Identifier: Apache-2.0
// covers: splice, tee, vmsplice
// Moving bytes between pipes and files (man 2 splice, man 2 tee).
#include "guest.h"

#include <sys/uio.h>

static void need_splice(void)
{
    if (splice(-1, NULL, -1, NULL, 1, 0) < 0 && errno == ENOSYS)
        SKIP("not offered here");
}

TEST(file_to_pipe_to_file)
{
    need_splice();
    in_tmpdir();
    put_file("a", "0123456789");
    int in = ASSERT_OK(open("a", O_RDONLY)), out = ASSERT_OK(open("b", O_RDWR | O_CREAT, 0600)), fds[2];
    ASSERT_OK(pipe(fds));
    off64_t offset = 2;
    EXPECT_EQ(splice(in, &offset, fds[1], NULL, 5, 0), 5);
    EXPECT_EQ(offset, 7);
    EXPECT_EQ(splice(fds[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK), 5);
    char text[16];
    EXPECT_EQ(get_file("b", text, sizeof(text)), 5);
    EXPECT_STREQ(text, "23456");
    close(in);
    close(out);
    close(fds[0]);
    close(fds[1]);
}

TEST(tee_duplicates)
{
    need_splice();
    int a[2], b[2];
    ASSERT_OK(pipe(a));
    ASSERT_OK(pipe(b));
    EXPECT_EQ(write(a[1], "hello", 5), 5);
    EXPECT_EQ(tee(a[0], b[1], 100, 0), 5);
    char text[8] = {0};
    EXPECT_EQ(read(a[0], text, 5), 5);
    EXPECT_STREQ(text, "hello");
    EXPECT_EQ(read(b[0], text, 5), 5);
    EXPECT_STREQ(text, "hello");
    EXPECT_ERRNO(tee(a[0], b[1], 100, SPLICE_F_NONBLOCK), EAGAIN);
    EXPECT_ERRNO(tee(a[0], a[1], 100, 0), EINVAL);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

TEST(errors)
{
    need_splice();
    in_tmpdir();
    put_file("a", "0123456789");
    int in = ASSERT_OK(open("a", O_RDONLY)), fds[2];
    ASSERT_OK(pipe(fds));
    off64_t offset = 0;
    EXPECT_ERRNO(splice(in, NULL, in, NULL, 5, 0), EBADF);
    EXPECT_ERRNO(splice(in, NULL, fds[1], &offset, 5, 0), ESPIPE);
    EXPECT_ERRNO(splice(-1, NULL, fds[1], NULL, 5, 0), EBADF);
    EXPECT_ERRNO(splice(in, NULL, fds[1], NULL, 5, 0x80), EINVAL);
    EXPECT_EQ(splice(in, NULL, fds[1], NULL, 0, 0), 0);
    close(in);
    close(fds[0]);
    close(fds[1]);
}
