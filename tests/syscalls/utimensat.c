// SPDX-License-Identifier: Apache-2.0
// covers: utimensat, utimes, utime, futimesat
// Setting times exactly, NOW and OMIT, following and not following links (man 2 utimensat).
#include "guest.h"

#include <sys/time.h>
#include <utime.h>

static const struct timespec TIMES[2] = {{1000000, 123456789}, {2000000, 987654321}};

TEST(sets_both)
{
    in_tmpdir();
    put_file("f", "");
    EXPECT_OK(utimensat(AT_FDCWD, "f", TIMES, 0));
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_atim.tv_sec, 1000000);
    EXPECT_EQ(st.st_mtim.tv_sec, 2000000);
    EXPECT_EQ(st.st_mtim.tv_nsec, 987654321);
}

TEST(omit_and_now)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(utimensat(AT_FDCWD, "f", TIMES, 0));
    struct timespec times[2] = {{5, UTIME_OMIT}, {0, UTIME_NOW}};
    EXPECT_OK(utimensat(AT_FDCWD, "f", times, 0));
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_atim.tv_sec, 1000000);
    EXPECT_GE(st.st_mtim.tv_sec, 1500000000);
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_OK(futimens(fd, TIMES));
    EXPECT_OK(futimens(fd, NULL));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_GE(st.st_atim.tv_sec, 1500000000);
    close(fd);
}

TEST(links)
{
    in_tmpdir();
    put_file("f", "");
    ASSERT_OK(symlink("f", "link"));
    EXPECT_OK(utimensat(AT_FDCWD, "link", TIMES, AT_SYMLINK_NOFOLLOW));
    struct stat st;
    EXPECT_OK(lstat("link", &st));
    EXPECT_EQ(st.st_mtim.tv_sec, 2000000);
    EXPECT_OK(stat("link", &st));
    EXPECT_TRUE(st.st_mtim.tv_sec != 2000000);
}

TEST(older_calls)
{
    in_tmpdir();
    put_file("f", "");
    struct timeval tv[2] = {{100, 5}, {200, 6}};
    struct stat st;
    EXPECT_OK(utimes("f", tv));
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_mtim.tv_sec, 200);
    EXPECT_EQ(st.st_mtim.tv_nsec, 6000);
    struct utimbuf buf = {300, 400};
    EXPECT_OK(utime("f", &buf));
    EXPECT_OK(stat("f", &st));
    EXPECT_EQ(st.st_atim.tv_sec, 300);
    tv[0].tv_usec = 1000000;
    EXPECT_ERRNO(syscall(SYS_utimes, "f", tv), EINVAL);
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "");
    struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
    EXPECT_ERRNO(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "missing", TIMES, 0), ENOENT);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "f", TIMES, 0x8000), EINVAL);
    EXPECT_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", no_access_page(), 0), EFAULT);
    EXPECT_ERRNO(syscall(SYS_utimensat, 9999, NULL, TIMES, 0), EBADF);
    if (geteuid() != 0)
        EXPECT_ERRNO(utimensat(AT_FDCWD, "/", TIMES, 0), EPERM);
}
