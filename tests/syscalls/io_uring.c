// SPDX-License-Identifier: Apache-2.0
// covers: io_uring_setup, io_uring_enter
// Requests by rings (man 7 io_uring): files, links, drains, timeouts, polls, cancelling.
#include "ring.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

TEST(setup) {
    struct ring r;
    ring_init(&r, 5, 0);
    EXPECT_EQ(r.p.sq_entries, 8);
    EXPECT_EQ(r.p.cq_entries, 16);
    EXPECT_TRUE(r.p.features & IORING_FEAT_SINGLE_MMAP);
    EXPECT_TRUE(r.p.features & IORING_FEAT_NODROP);
    EXPECT_TRUE(r.p.features & IORING_FEAT_SUBMIT_STABLE);
    EXPECT_TRUE(r.p.features & IORING_FEAT_EXT_ARG);
    EXPECT_EQ(fcntl(r.fd, F_GETFD), FD_CLOEXEC);
    *r.cq_head = 3;  // one memory, mapped twice
    EXPECT_EQ(*(unsigned *)(r.at + r.p.cq_off.head), 3);
    *r.cq_head = 0;
    struct io_uring_params p = {0};
    EXPECT_ERRNO(ring_setup(0, &p), EINVAL);
    EXPECT_ERRNO(ring_setup(40000, &p), EINVAL);
    EXPECT_ERRNO(ring_setup(8, NULL), EFAULT);
    p.flags = 1u << 31;
    EXPECT_ERRNO(ring_setup(8, &p), EINVAL);
    p = (struct io_uring_params){.resv = {0, 1, 0}};
    EXPECT_ERRNO(ring_setup(8, &p), EINVAL);
    p = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .cq_entries = 4};
    EXPECT_ERRNO(ring_setup(8, &p), EINVAL);
    p = (struct io_uring_params){.flags = IORING_SETUP_CQSIZE, .cq_entries = 33};
    int fd = ring_setup(8, &p);
    EXPECT_TRUE(fd >= 0);
    EXPECT_EQ(p.cq_entries, 64);
    close(fd);
    p = (struct io_uring_params){.flags = IORING_SETUP_CLAMP};
    fd = ring_setup(100000, &p);
    EXPECT_TRUE(fd >= 0);
    EXPECT_EQ(p.sq_entries, 32768);
    close(fd);
    p = (struct io_uring_params){.flags = IORING_SETUP_DEFER_TASKRUN};
    EXPECT_ERRNO(ring_setup(8, &p), EINVAL);
    EXPECT_ERRNO(syscall(SYS_io_uring_enter, 0, 0, 0, 0, NULL, 0), EOPNOTSUPP);
    EXPECT_ERRNO(syscall(SYS_io_uring_enter, 99, 0, 0, 0, NULL, 0), EBADF);
    EXPECT_ERRNO(ring_enter(&r, 0, 0, 1u << 30), EINVAL);
    EXPECT_ERRNO(read(r.fd, &p, 1), EINVAL);
    EXPECT_TRUE(mmap(NULL, 4096, PROT_READ, MAP_SHARED, r.fd, 0x20000000) == MAP_FAILED);
    ring_exit(&r);
}

TEST(nop) {
    struct ring r;
    ring_init(&r, 4, 0);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, round * 4 + i);
        EXPECT_EQ(ring_submit(&r, 4), 4);
        for (unsigned i = 0; i < 4; i++) {
            struct completion c = ring_take(&r);
            EXPECT_EQ(c.user_data, round * 4 + i);
            EXPECT_EQ(c.res, 0);
        }
    }
    EXPECT_EQ(ring_submit(&r, 0), 0);
    EXPECT_EQ(ring_do(&r, 200, -1, NULL, 0, 0), -EINVAL);
    ring_exit(&r);
}

TEST(files) {
    struct ring r;
    in_tmpdir();
    ring_init(&r, 8, 0);
    char in[32] = {0}, a[5] = {0}, b[16] = {0};
    int fd = ring_do(&r, IORING_OP_OPENAT, AT_FDCWD, "f", 0600, 0);
    EXPECT_EQ(fd, -ENOENT);
    struct io_uring_sqe *s = ring_prep(&r, IORING_OP_OPENAT, AT_FDCWD, "f", 0600, 0, 1);
    s->open_flags = O_RDWR | O_CREAT;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    fd = ring_take(&r).res;
    ASSERT_TRUE(fd >= 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_WRITE, fd, "hello, world", 12, 0), 12);
    EXPECT_EQ(ring_do(&r, IORING_OP_READ, fd, in, 5, 7), 5);
    EXPECT_STREQ(in, "world");
    EXPECT_EQ(ring_do(&r, IORING_OP_READ, fd, in, 5, 1000), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_READ, fd, in, 5, -1ull), 5);  // at the file's position, which moves
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 5);
    struct iovec v[2] = {{a, 5}, {b, 7}};
    EXPECT_EQ(ring_do(&r, IORING_OP_READV, fd, v, 2, 0), 12);
    EXPECT_MEMEQ(a, "hello", 5);
    EXPECT_MEMEQ(b, ", world", 7);
    EXPECT_EQ(ring_do(&r, IORING_OP_WRITEV, fd, v, 2, 12), 12);
    EXPECT_EQ(ring_do(&r, IORING_OP_FSYNC, fd, NULL, 0, 0), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_READ, 99, in, 5, 0), -EBADF);
    EXPECT_EQ(ring_do(&r, IORING_OP_READ, fd, NULL, 5, 0), -EFAULT);
    int ro = open("f", O_RDONLY);
    EXPECT_EQ(ring_do(&r, IORING_OP_WRITE, ro, "x", 1, 0), -EBADF);
    struct statx x = {0};
    ring_prep(&r, IORING_OP_STATX, AT_FDCWD, "f", STATX_SIZE, (unsigned long)&x, 1);
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    EXPECT_EQ(x.stx_size, 24);
    ring_prep(&r, IORING_OP_FALLOCATE, fd, (void *)100, 0, 0, 1);
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), 100);
    EXPECT_EQ(ring_do(&r, IORING_OP_CLOSE, fd, NULL, 0, 0), 0);
    EXPECT_ERRNO(lseek(fd, 0, SEEK_CUR), EBADF);
    EXPECT_EQ(ring_do(&r, IORING_OP_CLOSE, fd, NULL, 0, 0), -EBADF);
    EXPECT_EQ(ring_do(&r, IORING_OP_CLOSE, r.fd, NULL, 0, 0), -EBADF);
    ring_exit(&r);
}

TEST(names) {
    struct ring r;
    in_tmpdir();
    ring_init(&r, 8, 0);
    struct stat st;
    EXPECT_EQ(ring_do(&r, IORING_OP_MKDIRAT, AT_FDCWD, "d", 0700, 0), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_MKDIRAT, AT_FDCWD, "d", 0700, 0), -EEXIST);
    EXPECT_EQ(ring_do(&r, IORING_OP_SYMLINKAT, AT_FDCWD, "target", 0, (unsigned long)"l"), 0);
    EXPECT_EQ(lstat("l", &st), 0);
    EXPECT_TRUE(S_ISLNK(st.st_mode));
    EXPECT_EQ(ring_do(&r, IORING_OP_RENAMEAT, AT_FDCWD, "l", (unsigned)AT_FDCWD, (unsigned long)"d/m"), 0);
    EXPECT_EQ(lstat("d/m", &st), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_LINKAT, AT_FDCWD, "d/m", (unsigned)AT_FDCWD, (unsigned long)"n"), 0);
    EXPECT_EQ(lstat("n", &st), 0);
    EXPECT_EQ(st.st_nlink, 2);
    EXPECT_EQ(ring_do(&r, IORING_OP_UNLINKAT, AT_FDCWD, "n", 0, 0), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_UNLINKAT, AT_FDCWD, "d/m", 0, 0), 0);
    struct io_uring_sqe *s = ring_prep(&r, IORING_OP_UNLINKAT, AT_FDCWD, "d", 0, 0, 1);
    s->unlink_flags = AT_REMOVEDIR;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    ring_exit(&r);
}

// A request that waits holds nobody: the call returns, and the completion comes with the bytes.
TEST(waiting_read) {
    struct ring r;
    int p[2];
    char in[8] = {0};
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 7);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    EXPECT_EQ(ring_ready(&r), 0);
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    struct completion c = ring_take(&r);
    EXPECT_EQ(c.user_data, 7);
    EXPECT_EQ(c.res, 3);
    EXPECT_STREQ(in, "abc");
    ring_exit(&r);
}

// What a request points to is its own from the submission on: vectors may be written over at once.
TEST(stable_after_submission) {
    struct ring r;
    int p[2];
    char in[8] = {0}, other[8] = {0};
    struct iovec v = {in, 8};
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    ring_prep(&r, IORING_OP_READV, p[0], &v, 1, 0, 7);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    v = (struct iovec){other, 8};
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    EXPECT_EQ(ring_take(&r).res, 3);
    EXPECT_STREQ(in, "abc");
    EXPECT_STREQ(other, "");
    ring_exit(&r);
}

TEST(links) {
    struct ring r;
    struct completion c[4];
    in_tmpdir();
    ring_init(&r, 8, 0);
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    char in[8] = {0};
    ring_prep(&r, IORING_OP_WRITE, fd, "abcd", 4, 0, 1)->flags = IOSQE_IO_LINK;
    ring_prep(&r, IORING_OP_READ, fd, in, 4, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(c[0].user_data, 1);
    EXPECT_EQ(c[1].user_data, 2);
    EXPECT_EQ(c[1].res, 4);
    EXPECT_STREQ(in, "abcd");
    // a failure, and a read that is short, end their chains
    ring_prep(&r, IORING_OP_READ, fd, in, 8, 0, 1)->flags = IOSQE_IO_LINK;
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = IOSQE_IO_LINK;
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 4);
    EXPECT_EQ(ring_submit(&r, 4), 4);
    ring_take_n(&r, c, 4);
    EXPECT_EQ(ring_result_of(c, 4, 1), 4);
    EXPECT_EQ(ring_result_of(c, 4, 2), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 4, 3), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 4, 4), 0);
    // hard links go on
    ring_prep(&r, IORING_OP_READ, 99, in, 8, 0, 1)->flags = IOSQE_IO_HARDLINK;
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), -EBADF);
    EXPECT_EQ(ring_result_of(c, 2, 2), 0);
    // a member that cannot begin takes all with it
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
    ring_prep(&r, 200, -1, NULL, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 2, 2), -EINVAL);
    ring_exit(&r);
}

// A chain as long as the queue, all of which is done in one go.
TEST(long_chain) {
    struct ring r;
    ring_init(&r, 4096, 0);
    for (unsigned i = 0; i < 4096; i++)
        ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, i)->flags = i < 4095 ? IOSQE_IO_HARDLINK : 0;
    EXPECT_EQ(ring_submit(&r, 4096), 4096);
    for (unsigned i = 0; i < 4096; i++)
        EXPECT_EQ(ring_take(&r).user_data, i);
    ring_exit(&r);
}

TEST(link_timeouts) {
    struct ring r;
    struct completion c[2];
    struct __kernel_timespec soon = {0, 1000000}, late = {600, 0};
    int p[2];
    char in[8];
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 1)->flags = IOSQE_IO_LINK;
    ring_prep(&r, IORING_OP_LINK_TIMEOUT, -1, &soon, 1, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 2, 2), -ETIME);
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    ring_prep(&r, IORING_OP_READ, p[0], in, 3, 0, 1)->flags = IOSQE_IO_LINK;
    ring_prep(&r, IORING_OP_LINK_TIMEOUT, -1, &late, 1, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), 3);
    EXPECT_EQ(ring_result_of(c, 2, 2), -ECANCELED);
    EXPECT_EQ(ring_do(&r, IORING_OP_LINK_TIMEOUT, -1, &late, 1, 0), -EINVAL);  // of nothing
    ring_exit(&r);
}

TEST(drain) {
    struct ring r;
    struct completion c[4];
    int p[2];
    char in[8];
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 1);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = IOSQE_IO_DRAIN;
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
    EXPECT_EQ(ring_submit(&r, 0), 3);
    EXPECT_EQ(ring_ready(&r), 0);
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    ring_take_n(&r, c, 3);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(c[i].user_data, i + 1);
    EXPECT_EQ(c[0].res, 3);
    ring_exit(&r);
}

TEST(timeouts) {
    struct ring r;
    struct completion c[3];
    struct __kernel_timespec soon = {0, 1000000}, late = {600, 0}, bad = {-1, 0};
    ring_init(&r, 8, 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_TIMEOUT, -1, &soon, 1, 0), -ETIME);
    EXPECT_EQ(ring_do(&r, IORING_OP_TIMEOUT, -1, &bad, 1, 0), -EINVAL);
    EXPECT_EQ(ring_do(&r, IORING_OP_TIMEOUT, -1, NULL, 1, 0), -EFAULT);
    EXPECT_EQ(ring_do(&r, IORING_OP_TIMEOUT, -1, &soon, 2, 0), -EINVAL);
    // after so many completions
    ring_prep(&r, IORING_OP_TIMEOUT, -1, &late, 1, 2, 1);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
    EXPECT_EQ(ring_submit(&r, 0), 2);
    ring_take_n(&r, c, 3);
    EXPECT_EQ(ring_result_of(c, 3, 1), 0);
    // removed, and moved
    ring_prep(&r, IORING_OP_TIMEOUT, -1, &late, 1, 0, 1);
    ring_prep(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)1, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 2, 2), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)1, 0, 0), -ENOENT);
    ring_prep(&r, IORING_OP_TIMEOUT, -1, &late, 1, 0, 1);
    ring_prep(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)1, 0, (unsigned long)&soon, 2)->timeout_flags =
        IORING_TIMEOUT_UPDATE;
    EXPECT_EQ(ring_submit(&r, 2), 2);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), -ETIME);
    EXPECT_EQ(ring_result_of(c, 2, 2), 0);
    // the call's own
    struct io_uring_getevents_arg arg = {.ts = (unsigned long)&soon};
    EXPECT_ERRNO(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
                         sizeof arg),
                 ETIME);
    EXPECT_ERRNO(
        syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg, 8),
        EINVAL);
    ring_exit(&r);
}

TEST(polls) {
    struct ring r;
    struct completion c[2];
    int p[2];
    char in[8];
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    ring_prep(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 1)->poll32_events = POLLIN;
    EXPECT_EQ(ring_submit(&r, 0), 1);
    EXPECT_EQ(ring_ready(&r), 0);
    EXPECT_EQ(write(p[1], "a", 1), 1);
    struct completion one = ring_take(&r);
    EXPECT_EQ(one.res, POLLIN);
    EXPECT_EQ(one.flags & IORING_CQE_F_MORE, 0);
    EXPECT_EQ(read(p[0], in, 8), 1);
    // again and again
    ring_prep(&r, IORING_OP_POLL_ADD, p[0], NULL, IORING_POLL_ADD_MULTI, 0, 2)->poll32_events = POLLIN;
    EXPECT_EQ(ring_submit(&r, 0), 1);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(write(p[1], "a", 1), 1);
        one = ring_take(&r);
        EXPECT_EQ(one.user_data, 2);
        EXPECT_TRUE(one.res & POLLIN);
        EXPECT_TRUE(one.flags & IORING_CQE_F_MORE);
        EXPECT_EQ(read(p[0], in, 8), 1);
    }
    EXPECT_EQ(ring_do(&r, IORING_OP_POLL_REMOVE, -1, (void *)9, 0, 0), -ENOENT);
    ring_prep(&r, IORING_OP_POLL_REMOVE, -1, (void *)2, 0, 0, 3);
    EXPECT_EQ(ring_submit(&r, 2), 1);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 3), 0);
    EXPECT_EQ(ring_result_of(c, 2, 2), -ECANCELED);
    // the ring itself
    struct pollfd pf = {r.fd, POLLIN | POLLOUT, 0};
    EXPECT_EQ(poll(&pf, 1, 0), 1);
    EXPECT_EQ(pf.revents, POLLOUT);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    EXPECT_EQ(poll(&pf, 1, -1), 1);
    EXPECT_EQ(pf.revents, POLLIN | POLLOUT);
    ring_exit(&r);
}

TEST(cancel) {
    struct ring r;
    struct completion c[4];
    int p[2];
    char in[8];
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    EXPECT_EQ(ring_do(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 0), -ENOENT);
    ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 1);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    ring_prep(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 2), 1);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 1), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 2, 2), 0);
    // all of a file
    ring_prep(&r, IORING_OP_READ, p[0], in, 8, 0, 1);
    ring_prep(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 2)->poll32_events = POLLIN;
    EXPECT_EQ(ring_submit(&r, 0), 2);
    ring_prep(&r, IORING_OP_ASYNC_CANCEL, p[0], NULL, 0, 0, 3)->cancel_flags =
        IORING_ASYNC_CANCEL_FD | IORING_ASYNC_CANCEL_ALL;
    EXPECT_EQ(ring_submit(&r, 3), 1);
    ring_take_n(&r, c, 3);
    EXPECT_EQ(ring_result_of(c, 3, 1), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 3, 2), -ECANCELED);
    EXPECT_EQ(ring_result_of(c, 3, 3), 2);
    ring_exit(&r);
}

// Without room, completions are kept; none is lost.
TEST(overflow) {
    struct ring r;
    ring_init(&r, 4, 0);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < 4; j++)
            ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, i * 4 + j);
        EXPECT_EQ(ring_submit(&r, 0), 4);
    }
    EXPECT_EQ(ring_ready(&r), 8);
    EXPECT_TRUE(*r.sq_flags & IORING_SQ_CQ_OVERFLOW);
    for (unsigned i = 0; i < 20; i++)
        EXPECT_EQ(ring_take(&r).user_data, i);
    EXPECT_EQ(ring_enter(&r, 0, 0, IORING_ENTER_GETEVENTS), 0);
    EXPECT_EQ(*r.sq_flags & IORING_SQ_CQ_OVERFLOW, 0);
    EXPECT_EQ(*r.cq_overflow, 0);
    ring_exit(&r);
}

TEST(skip_success) {
    struct ring r;
    ring_init(&r, 4, 0);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 1), 2);
    EXPECT_EQ(ring_take(&r).user_data, 2);
    EXPECT_EQ(ring_ready(&r), 0);
    ring_exit(&r);
}

TEST(splices) {
    struct ring r;
    int p[2], q[2];
    char in[8] = {0};
    in_tmpdir();
    ring_init(&r, 4, 0);
    EXPECT_OK(pipe(p));
    EXPECT_OK(pipe(q));
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    EXPECT_EQ(write(fd, "0123456789", 10), 10);
    struct io_uring_sqe *s = ring_prep(&r, IORING_OP_SPLICE, p[1], (void *)3, 4, -1ull, 1);
    s->splice_fd_in = fd;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 4);
    s = ring_prep(&r, IORING_OP_TEE, q[1], NULL, 4, 0, 1);
    s->splice_fd_in = p[0];
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 4);
    EXPECT_EQ(read(q[0], in, 8), 4);
    EXPECT_STREQ(in, "3456");
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 10);
    ring_exit(&r);
}

// A process that ends, or runs another program, leaves nothing that is done in its name.
TEST(exit_and_exec) {
    int p[2];
    struct ring r;
    ring_init(&r, 4, 0);
    EXPECT_OK(pipe(p));
    for (int how = 0; how < 2; how++) {
        pid_t child = fork();
        if (child == 0) {
            struct ring own;
            static char in[8];
            ring_init(&own, 4, 0);
            ring_prep(&own, IORING_OP_READ, p[0], in, 8, 0, 1);
            ring_prep(&own, IORING_OP_READ, p[0], in, 8, 0, 2)->flags = IOSQE_IO_DRAIN;
            ring_submit(&own, 0);
            if (how == 1)
                execl("/bin/true", "true", (char *)NULL);
            _exit(0);
        }
        int status = -1;
        EXPECT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    char in[8];
    EXPECT_EQ(write(p[1], "abc", 3), 3);
    EXPECT_EQ(read(p[0], in, 8), 3);
    ring_exit(&r);
}
