// SPDX-License-Identifier: Apache-2.0
// covers: socket, connect, bind
// Families that do not exist are refused; types and protocols are checked (man 2 socket).
#include "guest.h"

#include <sys/socket.h>

TEST(bad_arguments)
{
    EXPECT_ERRNO(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
    EXPECT_ERRNO(socket(-1, SOCK_STREAM, 0), EAFNOSUPPORT);
    EXPECT_ERRNO(socket(AF_UNIX, 0x80, 0), EINVAL);
    EXPECT_ERRNO(socket(AF_UNIX, SOCK_STREAM, 99), EPROTONOSUPPORT);
    EXPECT_ERRNO(socket(AF_UNIX, SOCK_DCCP, 0), ESOCKTNOSUPPORT);
}

TEST(flags)
{
    int fd = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_TRUE(S_ISSOCK(st.st_mode));
    EXPECT_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    char link[64] = {0}, path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    EXPECT_OK(readlink(path, link, sizeof(link) - 1));
    EXPECT_EQ(strncmp(link, "socket:[", 8), 0);
    close(fd);
}
