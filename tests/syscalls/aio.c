// SPDX-License-Identifier: Apache-2.0
// covers: io_setup, io_destroy, io_submit, io_getevents, io_pgetevents, io_cancel
// Asynchronous I/O of the kernel's (man 2 io_submit).
#include "guest.h"

#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

static aio_context_t setup(unsigned n) {
    aio_context_t c = 0;
    long r = syscall(SYS_io_setup, n, &c);
    if (r == -1 && errno == ENOSYS)
        SKIP("a kernel without it");
    ASSERT_EQ(r, 0);
    return c;
}
static long submit(aio_context_t c, struct iocb *a) { return syscall(SYS_io_submit, c, 1L, &a); }
static long get(aio_context_t c, long least, long most, struct io_event *e, struct timespec *t) {
    return syscall(SYS_io_getevents, c, least, most, e, t);
}

TEST(reads_and_writes) {
    in_tmpdir();
    aio_context_t c = setup(8);
    struct io_event e[8];
    char out[] = "hello, world", in[32] = {0}, a[5], b[8];
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    struct iovec v[2] = {{a, 5}, {b, 8}};
    struct iocb w = {.aio_data = 77,
                     .aio_lio_opcode = IOCB_CMD_PWRITE,
                     .aio_fildes = fd,
                     .aio_buf = (unsigned long)out,
                     .aio_nbytes = 12};
    struct iocb r = {.aio_data = 78,
                     .aio_lio_opcode = IOCB_CMD_PREAD,
                     .aio_fildes = fd,
                     .aio_buf = (unsigned long)in,
                     .aio_nbytes = 32,
                     .aio_offset = 7};
    struct iocb s = {.aio_data = 79, .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd};
    struct iocb rv = {
        .aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = fd, .aio_buf = (unsigned long)v, .aio_nbytes = 2};
    EXPECT_EQ(submit(c, &w), 1);
    EXPECT_EQ(get(c, 1, 8, e, NULL), 1);
    EXPECT_EQ(e[0].data, 77);
    EXPECT_EQ(e[0].obj, (unsigned long)&w);
    EXPECT_EQ(e[0].res, 12);
    struct iocb *list[3] = {&r, &s, &rv};
    EXPECT_EQ(syscall(SYS_io_submit, c, 3L, list), 3);
    EXPECT_EQ(get(c, 3, 8, e, NULL), 3);
    long sum = 0;
    for (int i = 0; i < 3; i++)
        sum += e[i].res;
    EXPECT_EQ(sum, 5 + 0 + 12);
    EXPECT_STREQ(in, "world");
    EXPECT_MEMEQ(b, ", world", 7);
    EXPECT_EQ(syscall(SYS_io_destroy, c), 0);
    EXPECT_ERRNO(syscall(SYS_io_destroy, c), EINVAL);
    EXPECT_ERRNO(submit(c, &w), EINVAL);
    close(fd);
}

TEST(told_by_eventfd) {
    in_tmpdir();
    aio_context_t c = setup(2);
    put_file("f", "text");
    char text[4];
    uint64_t count = 0;
    int tell = eventfd(0, EFD_NONBLOCK), fd = open("f", O_RDONLY);
    struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PREAD,
                      .aio_fildes = fd,
                      .aio_buf = (unsigned long)text,
                      .aio_nbytes = 4,
                      .aio_flags = IOCB_FLAG_RESFD,
                      .aio_resfd = tell};
    EXPECT_EQ(submit(c, &cb), 1);
    struct io_event e;
    EXPECT_EQ(get(c, 1, 1, &e, NULL), 1);
    EXPECT_EQ(read(tell, &count, sizeof(count)), 8);
    EXPECT_EQ(count, 1);
    syscall(SYS_io_destroy, c);
    close(fd);
    close(tell);
}

TEST(errors) {
    in_tmpdir();
    aio_context_t c = setup(1), none = 0, set = 1;
    struct io_event e;
    char x = 0;
    struct timespec now = {0, 0};
    int rd = open("f", O_RDONLY | O_CREAT, 0600);
    struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PWRITE,
                      .aio_fildes = rd,
                      .aio_buf = (unsigned long)&x,
                      .aio_nbytes = 1},
                *p;
    EXPECT_ERRNO(syscall(SYS_io_setup, 1, NULL), EFAULT);
    EXPECT_ERRNO(syscall(SYS_io_setup, 1, &set), EINVAL);
    EXPECT_ERRNO(syscall(SYS_io_setup, 0, &none), EINVAL);
    EXPECT_TRUE(syscall(SYS_io_setup, 0x7fffffff, &none) == -1 && (errno == EINVAL || errno == EAGAIN));
    EXPECT_ERRNO(submit(c, &cb), EBADF);
    cb.aio_fildes = 999;
    EXPECT_ERRNO(submit(c, &cb), EBADF);
    cb.aio_fildes = rd;
    cb.aio_lio_opcode = 99;
    EXPECT_ERRNO(submit(c, &cb), EINVAL);
    cb.aio_lio_opcode = IOCB_CMD_PREAD;
    cb.aio_reserved2 = 1;
    EXPECT_ERRNO(submit(c, &cb), EINVAL);
    cb.aio_reserved2 = 0;
    cb.aio_flags = IOCB_FLAG_RESFD;
    cb.aio_resfd = rd;
    EXPECT_ERRNO(submit(c, &cb), EINVAL);
    cb.aio_flags = 0;
    EXPECT_ERRNO(submit(c, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_io_submit, c, -1L, &p), EINVAL);
    EXPECT_EQ(syscall(SYS_io_submit, c, 0L, &p), 0);
    EXPECT_ERRNO(syscall(SYS_io_submit, c, 1L, NULL), EFAULT);
    EXPECT_ERRNO(syscall(SYS_io_submit, 0L, 1L, &p), EINVAL);
    EXPECT_ERRNO(get(0, 1, 1, &e, &now), EINVAL);
    EXPECT_ERRNO(get(c, -1, 1, &e, &now), EINVAL);
    EXPECT_ERRNO(get(c, 2, 1, &e, &now), EINVAL);
    EXPECT_EQ(get(c, 1, 1, &e, &now), 0);
    EXPECT_ERRNO(get(c, 1, 1, &e, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_io_cancel, c, NULL, &e), EFAULT);
    EXPECT_ERRNO(syscall(SYS_io_cancel, c, &cb, &e), EINVAL);
    EXPECT_EQ(submit(c, &cb), 1);
    EXPECT_ERRNO(get(c, 1, 1, KERNEL_POINTER, NULL), EFAULT);
    syscall(SYS_io_destroy, c);
    close(rd);
}

static void handler(int signal) {}

static void *submits_later(void *arg) {
    aio_context_t c = *(aio_context_t *)arg;
    static char text[4];
    int fd = open("/dev/zero", O_RDONLY);
    struct iocb cb = {
        .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_buf = (unsigned long)text, .aio_nbytes = 4};
    sleep_ms(50);
    submit(c, &cb);
    close(fd);
    return NULL;
}

TEST(waiting) {
    aio_context_t c = setup(4);
    struct io_event e[2];
    pthread_t thread;
    struct timespec t = {0, 30000000};
    long long before = now_ms();
    EXPECT_EQ(get(c, 1, 1, e, &t), 0);
    EXPECT_GE(now_ms() - before, 29);
    EXPECT_EQ(syscall(SYS_io_pgetevents, c, 1L, 1L, e, &t, NULL), 0);
    ASSERT_EQ(pthread_create(&thread, NULL, submits_later, &c), 0);
    EXPECT_EQ(get(c, 1, 2, e, NULL), 1);
    EXPECT_EQ(e[0].res, 4);
    pthread_join(thread, NULL);
    on_signal(SIGUSR1, handler, 0);
    pid_t pid = fork_child();
    if (pid == 0) {
        sleep_ms(100);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    EXPECT_ERRNO(get(c, 1, 1, e, NULL), EINTR);
    wait_exit(pid);
    syscall(SYS_io_destroy, c);
}

// A request's end is told past the largest count too: then there is an error (man 2 eventfd).
TEST(an_eventfd_that_is_full) {
    in_tmpdir();
    aio_context_t c = setup(4);
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), tell = ASSERT_OK(eventfd(0, EFD_NONBLOCK));
    uint64_t v = UINT64_MAX - 1;
    struct pollfd p = {tell, POLLIN | POLLOUT, 0};
    struct iocb w = {.aio_lio_opcode = IOCB_CMD_PWRITE,
                     .aio_fildes = fd,
                     .aio_buf = (unsigned long)"x",
                     .aio_nbytes = 1,
                     .aio_flags = IOCB_FLAG_RESFD,
                     .aio_resfd = tell};
    struct io_event e[4];
    ASSERT_EQ(write(tell, &v, sizeof v), sizeof v);
    EXPECT_EQ(submit(c, &w), 1);
    EXPECT_EQ(submit(c, &w), 1);
    EXPECT_EQ(get(c, 2, 4, e, NULL), 2);
    EXPECT_EQ(poll(&p, 1, 10000), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLERR);
    v = 1;
    EXPECT_ERRNO(write(tell, &v, sizeof v), EAGAIN);
    EXPECT_EQ(read(tell, &v, sizeof v), sizeof v);
    EXPECT_TRUE(v == UINT64_MAX);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLOUT);
    EXPECT_OK(syscall(SYS_io_destroy, c));
    close(fd);
    close(tell);
}
