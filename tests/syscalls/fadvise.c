// SPDX-License-Identifier: Apache-2.0
// covers: fadvise64, readahead
// Advice about files is checked and changes nothing else (man 2 posix_fadvise, man 2 readahead).
#include "guest.h"

TEST(advice)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    for (int advice = POSIX_FADV_NORMAL; advice <= POSIX_FADV_NOREUSE; advice++)
        EXPECT_EQ(posix_fadvise(fd, 0, 0, advice), 0);
    EXPECT_OK(readahead(fd, 0, 4096));
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "x");
    int fd = ASSERT_OK(open("f", O_WRONLY)), pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
    EXPECT_EQ(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
    EXPECT_EQ(posix_fadvise(pipes[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
    EXPECT_ERRNO(readahead(fd, 0, 10), EBADF);
    EXPECT_ERRNO(readahead(pipes[0], 0, 10), EINVAL);
    EXPECT_ERRNO(readahead(-1, 0, 10), EBADF);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
}
