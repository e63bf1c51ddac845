// SPDX-License-Identifier: Apache-2.0
// covers: open, read, write, mknod
// A named pipe: opening waits for the other end, O_NONBLOCK opens, ENXIO, end of file (man 7 fifo).
#include "guest.h"

TEST(carries_data_between_processes)
{
    in_tmpdir();
    ASSERT_OK(mkfifo("p", 0600));
    pid_t pid = fork_child();
    if (pid == 0) {
        int fd = ASSERT_OK(open("p", O_WRONLY));
        EXPECT_EQ(write(fd, "through", 7), 7);
        child_done();
    }
    int fd = ASSERT_OK(open("p", O_RDONLY));
    char text[16];
    EXPECT_EQ(read_all(fd, text, sizeof(text)), 7);
    EXPECT_STREQ(text, "through");
    EXPECT_EQ(wait_exit(pid), 0);
    close(fd);
}

TEST(nonblocking_open)
{
    in_tmpdir();
    ASSERT_OK(mkfifo("p", 0600));
    EXPECT_ERRNO(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = EXPECT_OK(open("p", O_RDONLY | O_NONBLOCK));
    char c;
    EXPECT_EQ(read(reader, &c, 1), 0);
    int writer = EXPECT_OK(open("p", O_WRONLY | O_NONBLOCK));
    EXPECT_ERRNO(read(reader, &c, 1), EAGAIN);
    EXPECT_EQ(write(writer, "x", 1), 1);
    EXPECT_EQ(read(reader, &c, 1), 1);
    close(writer);
    EXPECT_EQ(read(reader, &c, 1), 0);
    close(reader);
}

TEST(read_write_open_never_waits)
{
    in_tmpdir();
    ASSERT_OK(mkfifo("p", 0600));
    int fd = EXPECT_OK(open("p", O_RDWR));
    EXPECT_EQ(write(fd, "x", 1), 1);
    char c;
    EXPECT_EQ(read(fd, &c, 1), 1);
    EXPECT_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    close(fd);
}
