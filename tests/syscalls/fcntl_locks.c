// SPDX-License-Identifier: Apache-2.0
// covers: fcntl
// POSIX record locks: conflicts between processes, ranges, F_GETLK, release on any close (man 2 fcntl).
#include "guest.h"

static struct flock lock_of(int type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static int set_lock(int fd, int type, off_t start, off_t length)
{
    struct flock lock = lock_of(type, start, length);
    return fcntl(fd, F_SETLK, &lock);
}

TEST(conflict_with_another_process)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_lock(fd, F_WRLCK, 2, 4));
    pid_t parent = getpid();
    IN_CHILD {
        EXPECT_ERRNO(set_lock(fd, F_RDLCK, 5, 1), EAGAIN);
        EXPECT_OK(set_lock(fd, F_WRLCK, 6, 2));
        struct flock query = lock_of(F_WRLCK, 0, 0);
        EXPECT_OK(fcntl(fd, F_GETLK, &query));
        EXPECT_EQ(query.l_type, F_WRLCK);
        EXPECT_EQ(query.l_start, 2);
        EXPECT_EQ(query.l_len, 4);
        EXPECT_EQ(query.l_pid, parent);
    }
    struct flock query = lock_of(F_WRLCK, 0, 0);
    EXPECT_OK(fcntl(fd, F_GETLK, &query));
    EXPECT_EQ(query.l_type, F_UNLCK);
    close(fd);
}

TEST(shared_locks)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_lock(fd, F_RDLCK, 0, 0));
    IN_CHILD {
        EXPECT_OK(set_lock(fd, F_RDLCK, 0, 0));
        EXPECT_ERRNO(set_lock(fd, F_WRLCK, 0, 1), EAGAIN);
    }
    EXPECT_OK(set_lock(fd, F_WRLCK, 0, 0));
    close(fd);
}

TEST(unlocking_splits)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_lock(fd, F_WRLCK, 0, 10));
    EXPECT_OK(set_lock(fd, F_UNLCK, 4, 2));
    IN_CHILD {
        EXPECT_OK(set_lock(fd, F_WRLCK, 4, 2));
        EXPECT_ERRNO(set_lock(fd, F_WRLCK, 3, 1), EAGAIN);
        EXPECT_ERRNO(set_lock(fd, F_WRLCK, 6, 1), EAGAIN);
    }
    close(fd);
}

// F_GETLK names the first lock in the way in order of the file, not of locking.
TEST(query_shows_the_first_by_offset)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    EXPECT_OK(set_lock(fd, F_WRLCK, 6, 2));
    EXPECT_OK(set_lock(fd, F_RDLCK, 1, 3));
    IN_CHILD {
        struct flock query = lock_of(F_WRLCK, 0, 0);
        EXPECT_OK(fcntl(fd, F_GETLK, &query));
        EXPECT_EQ(query.l_type, F_RDLCK);
        EXPECT_EQ(query.l_start, 1);
    }
    EXPECT_OK(set_lock(fd, F_WRLCK, 2, 1));
    IN_CHILD {
        struct flock query = lock_of(F_RDLCK, 0, 0);
        EXPECT_OK(fcntl(fd, F_GETLK, &query));
        EXPECT_EQ(query.l_start, 2);
        EXPECT_EQ(query.l_len, 1);
    }
    close(fd);
}

TEST(any_close_releases)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR)), other = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(set_lock(fd, F_WRLCK, 0, 0));
    close(other);
    IN_CHILD {
        EXPECT_OK(set_lock(fd, F_WRLCK, 0, 0));
    }
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(set_lock(fd, F_WRLCK, 0, 0), EBADF);
    EXPECT_ERRNO(set_lock(fd, F_RDLCK, -1, 1), EINVAL);
    EXPECT_ERRNO(set_lock(fd, 77, 0, 1), EINVAL);
    EXPECT_ERRNO(fcntl(fd, F_SETLK, NULL_POINTER), EFAULT);
    close(fd);
}
