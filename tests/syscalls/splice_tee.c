// SPDX-License-Identifier: Apache-2.0
// covers: splice, tee, vmsplice
// Moving bytes between pipes and files (man 2 splice, man 2 tee).
#include "guest.h"

#include <sys/uio.h>

TEST(file_to_pipe_to_file)
{
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

static void fill(int fd)
{
    static char buffer[65536];
    ASSERT_EQ(write(fd, buffer, sizeof(buffer)), sizeof(buffer));
}

TEST(pipe_to_pipe)
{
    int a[2], b[2];
    char text[8] = {0};
    ASSERT_OK(pipe(a));
    ASSERT_OK(pipe(b));
    EXPECT_EQ(write(a[1], "abcdef", 6), 6);
    EXPECT_EQ(splice(a[0], NULL, b[1], NULL, 4, 0), 4);
    EXPECT_EQ(read(b[0], text, sizeof(text)), 4);
    EXPECT_STREQ(text, "abcd");
    EXPECT_ERRNO(splice(a[0], NULL, a[1], NULL, 4, 0), EINVAL);
    fill(b[1]);
    EXPECT_ERRNO(splice(a[0], NULL, b[1], NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
    EXPECT_EQ(read(a[0], text, sizeof(text)), 2);  // nothing was lost
    EXPECT_MEMEQ(text, "ef", 2);
    EXPECT_ERRNO(splice(a[0], NULL, b[1], NULL, 4, SPLICE_F_NONBLOCK), EAGAIN);
    close(a[1]);
    close(b[1]);
    close(b[0]);
    close(a[0]);
}

TEST(waits_for_data_and_sees_the_end)
{
    in_tmpdir();
    int out = ASSERT_OK(open("b", O_RDWR | O_CREAT, 0600)), fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork_child();
    if (pid == 0) {
        sleep_ms(30);
        EXPECT_EQ(write(fds[1], "late", 4), 4);
        child_done();
    }
    close(fds[1]);
    EXPECT_EQ(splice(fds[0], NULL, out, NULL, 100, 0), 4);
    EXPECT_EQ(splice(fds[0], NULL, out, NULL, 100, 0), 0);
    EXPECT_EQ(wait_exit(pid), 0);
    close(fds[0]);
    close(out);
}

TEST(waits_for_room)
{
    in_tmpdir();
    put_file("a", "0123456789");
    int in = ASSERT_OK(open("a", O_RDONLY)), fds[2];
    ASSERT_OK(pipe(fds));
    fill(fds[1]);
    pid_t pid = fork_child();
    if (pid == 0) {
        char buffer[8192];
        sleep_ms(30);
        for (int i = 0; i < 8; i++)
            EXPECT_EQ(read(fds[0], buffer, sizeof(buffer)), sizeof(buffer));
        child_done();
    }
    EXPECT_EQ(splice(in, NULL, fds[1], NULL, 10, 0), 10);
    EXPECT_EQ(lseek(in, 0, SEEK_CUR), 10);
    EXPECT_EQ(wait_exit(pid), 0);
    close(in);
    close(fds[0]);
    close(fds[1]);
}

TEST(to_and_from_memory)
{
    int fds[2];
    char text[8] = {0}, tail[8] = {0};
    struct iovec out[2] = {{"abc", 3}, {"def", 3}}, in[2] = {{text, 4}, {tail, 4}};
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(vmsplice(fds[1], out, 2, 0), 6);
    EXPECT_EQ(vmsplice(fds[0], in, 2, 0), 6);
    EXPECT_STREQ(text, "abcd");
    EXPECT_STREQ(tail, "ef");
    EXPECT_ERRNO(vmsplice(fds[0], in, 2, SPLICE_F_NONBLOCK), EAGAIN);
    EXPECT_ERRNO(vmsplice(fds[1], out, 5000, 0), EINVAL);
    EXPECT_ERRNO(vmsplice(fds[1], out, 1, 0x100), EINVAL);
    int null = ASSERT_OK(open("/dev/null", O_RDWR));
    EXPECT_ERRNO(vmsplice(null, out, 1, 0), EBADF);
    close(null);
    close(fds[0]);
    close(fds[1]);
}

TEST(more_errors)
{
    in_tmpdir();
    int fds[2], append = ASSERT_OK(open("a", O_WRONLY | O_CREAT | O_APPEND, 0600)),
                dir = ASSERT_OK(open(".", O_RDONLY));
    ASSERT_OK(pipe(fds));
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    EXPECT_ERRNO(splice(fds[0], NULL, append, NULL, 1, 0), EINVAL);
    EXPECT_ERRNO(splice(dir, NULL, fds[1], NULL, 1, 0), EINVAL);
    EXPECT_ERRNO(tee(dir, fds[1], 1, 0), EINVAL);
    EXPECT_ERRNO(splice(fds[1], NULL, append, NULL, 1, 0), EBADF);
    close(dir);
    close(append);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    put_file("f", "data");
    int in = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(splice(in, NULL, fds[1], NULL, 4, 0), EPIPE);
    close(in);
    close(fds[1]);
}

// A range that ends behind the largest offset, whether there is anything in the pipe or in the file.
TEST(past_the_largest_offset)
{
    in_tmpdir();
    put_file("a", "0123456789");
    int fd = ASSERT_OK(open("a", O_RDWR)), fds[2];
    ASSERT_OK(pipe(fds));
    off64_t at = INT64_MAX - 3;
    EXPECT_ERRNO(splice(fds[0], NULL, fd, &at, 10, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_ERRNO(splice(fd, &at, fds[1], NULL, 10, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_EQ(splice(fd, &at, fds[1], NULL, 3, SPLICE_F_NONBLOCK), 0);
    EXPECT_ERRNO(splice(fds[0], NULL, fd, &at, 3, SPLICE_F_NONBLOCK), EAGAIN);
    at = 5;
    EXPECT_ERRNO(splice(fds[0], NULL, fd, &at, SIZE_MAX - 2, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_ERRNO(splice(fd, NULL, fds[1], NULL, (size_t)INT64_MAX + 1, SPLICE_F_NONBLOCK), EINVAL);
    EXPECT_EQ(at, 5);
    close(fd);
    close(fds[0]);
    close(fds[1]);
}
