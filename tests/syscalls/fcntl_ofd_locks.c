// SPDX-License-Identifier: Apache-2.0
// covers: fcntl
// Open file description locks belong to the open file: they conflict within a process and survive other
// closes (man 2 fcntl).
#include "guest.h"

static int set_lock(int fd, int type, off_t start, off_t length)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

TEST(conflict_within_a_process)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int a = ASSERT_OK(open("f", O_RDWR)), b = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_lock(a, F_WRLCK, 0, 5));
    EXPECT_ERRNO(set_lock(b, F_WRLCK, 4, 2), EAGAIN);
    EXPECT_OK(set_lock(b, F_WRLCK, 5, 2));
    struct flock query = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    EXPECT_OK(fcntl(b, F_OFD_GETLK, &query));
    EXPECT_EQ(query.l_type, F_WRLCK);
    EXPECT_EQ(query.l_pid, -1);
    close(a);
    EXPECT_OK(set_lock(b, F_WRLCK, 0, 5));
    close(b);
}

TEST(shared_by_dup_and_fork)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int a = ASSERT_OK(open("f", O_RDWR)), copy = ASSERT_OK(dup(a)), b = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_lock(a, F_WRLCK, 0, 0));
    EXPECT_OK(set_lock(copy, F_WRLCK, 0, 0));
    IN_CHILD {
        EXPECT_OK(set_lock(a, F_WRLCK, 0, 0));
    }
    close(a);
    EXPECT_ERRNO(set_lock(b, F_WRLCK, 0, 0), EAGAIN);
    close(copy);
    EXPECT_OK(set_lock(b, F_WRLCK, 0, 0));
    close(b);
}

TEST(pid_must_be_zero)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_pid = 5};
    EXPECT_ERRNO(fcntl(fd, F_OFD_SETLK, &lock), EINVAL);
    close(fd);
}
