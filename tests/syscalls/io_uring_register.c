// SPDX-License-Identifier: Apache-2.0
// covers: io_uring_register
// What is registered with a ring: files, buffers, an eventfd, credentials, restrictions (man 2
// io_uring_register).
#include "ring.h"

#include <sys/eventfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>

TEST(files) {
    struct ring r;
    int p[2], more[1];
    char in[8] = {0};
    in_tmpdir();
    ring_init(&r, 8, 0);
    EXPECT_OK(pipe(p));
    int fds[4] = {p[0], p[1], -1, -1};
    EXPECT_ERRNO(ring_register(&r, IORING_UNREGISTER_FILES, NULL, 0), ENXIO);
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_FILES, fds, 0), EINVAL);
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_FILES, NULL, 4), EFAULT);
    fds[2] = 999;
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_FILES, fds, 4), EBADF);
    fds[2] = r.fd;
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_FILES, fds, 4), EBADF);
    fds[2] = -1;
    EXPECT_OK(ring_register(&r, IORING_REGISTER_FILES, fds, 4));
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_FILES, fds, 4), EBUSY);
    close(p[1]);  // the ring has its own
    ring_prep(&r, IORING_OP_WRITE, 1, "abc", 3, 0, 1)->flags = IOSQE_FIXED_FILE;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 3);
    ring_prep(&r, IORING_OP_READ, 0, in, 8, 0, 1)->flags = IOSQE_FIXED_FILE;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 3);
    EXPECT_STREQ(in, "abc");
    for (int i = 2; i < 6; i++) {
        ring_prep(&r, IORING_OP_READ, i, in, 8, 0, 1)->flags = IOSQE_FIXED_FILE;
        EXPECT_EQ(ring_submit(&r, 1), 1);
        EXPECT_EQ(ring_take(&r).res, -EBADF);
    }
    struct io_uring_files_update u = {.offset = 2, .fds = (unsigned long)more};
    more[0] = p[0];
    EXPECT_EQ(ring_register(&r, IORING_REGISTER_FILES_UPDATE, &u, 1), 1);
    u.offset = 4;
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_FILES_UPDATE, &u, 1), EINVAL);
    more[0] = -1;
    EXPECT_EQ(ring_do(&r, IORING_OP_FILES_UPDATE, -1, more, 1, 1), 1);
    EXPECT_EQ(read(p[0], in, 8), 0);  // the last writer is gone
    // opened into the table
    struct io_uring_sqe *s = ring_prep(&r, IORING_OP_OPENAT, AT_FDCWD, "f", 0600, 0, 1);
    s->open_flags = O_RDWR | O_CREAT;
    s->file_index = 2;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    ring_prep(&r, IORING_OP_WRITE, 1, "abc", 3, 0, 1)->flags = IOSQE_FIXED_FILE;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 3);
    ring_prep(&r, IORING_OP_FSYNC, 1, NULL, 0, 0, 1)->flags = IOSQE_FIXED_FILE;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    ring_prep(&r, IORING_OP_CLOSE, 0, NULL, 0, 0, 1)->file_index = 2;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    s = ring_prep(&r, IORING_OP_OPENAT, AT_FDCWD, "f", 0600, 0, 1);
    s->file_index = 20;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, -EINVAL);
    EXPECT_OK(ring_register(&r, IORING_UNREGISTER_FILES, NULL, 0));
    ring_exit(&r);
}

TEST(buffers) {
    struct ring r;
    static char a[64], b[64];
    in_tmpdir();
    ring_init(&r, 8, 0);
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    struct iovec v[2] = {{a, 64}, {b, 64}}, bad = {(void *)16, 64}, empty = {a, 0};
    EXPECT_ERRNO(ring_register(&r, IORING_UNREGISTER_BUFFERS, NULL, 0), ENXIO);
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_BUFFERS, &bad, 1), EFAULT);
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_BUFFERS, &empty, 1), EFAULT);
    EXPECT_OK(ring_register(&r, IORING_REGISTER_BUFFERS, v, 2));
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_BUFFERS, v, 2), EBUSY);
    strcpy(a, "hello");
    ring_prep(&r, IORING_OP_WRITE_FIXED, fd, a, 5, 0, 1)->buf_index = 0;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 5);
    ring_prep(&r, IORING_OP_READ_FIXED, fd, b + 60, 4, 0, 1)->buf_index = 1;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 4);
    EXPECT_MEMEQ(b + 60, "hell", 4);
    const struct {
        char *at;
        unsigned len, index;
    } wrong[] = {{b + 60, 5, 1}, {b - 1, 4, 1}, {a, 5, 1}, {a, 5, 2}, {a, 5, 0xffff}, {a + 64, 1, 0}};
    for (unsigned i = 0; i < 6; i++) {
        ring_prep(&r, IORING_OP_READ_FIXED, fd, wrong[i].at, wrong[i].len, 0, 1)->buf_index =
            (unsigned short)wrong[i].index;
        EXPECT_EQ(ring_submit(&r, 1), 1);
        EXPECT_EQ(ring_take(&r).res, -EFAULT);
    }
    EXPECT_OK(ring_register(&r, IORING_UNREGISTER_BUFFERS, NULL, 0));
    ring_exit(&r);
}

TEST(eventfds) {
    struct ring r;
    uint64_t n = 0;
    ring_init(&r, 8, 0);
    int e = eventfd(0, EFD_NONBLOCK), p[2];
    EXPECT_OK(pipe(p));
    EXPECT_ERRNO(ring_register(&r, IORING_UNREGISTER_EVENTFD, NULL, 0), ENXIO);
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_EVENTFD, &p[0], 1), EINVAL);
    EXPECT_OK(ring_register(&r, IORING_REGISTER_EVENTFD, &e, 1));
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_EVENTFD, &e, 1), EBUSY);
    EXPECT_EQ(ring_do(&r, IORING_OP_NOP, -1, NULL, 0, 0), 0);
    EXPECT_EQ(read(e, &n, 8), 8);
    EXPECT_TRUE(n >= 1);
    EXPECT_OK(ring_register(&r, IORING_UNREGISTER_EVENTFD, NULL, 0));
    EXPECT_EQ(ring_do(&r, IORING_OP_NOP, -1, NULL, 0, 0), 0);
    EXPECT_ERRNO(read(e, &n, 8), EAGAIN);
    ring_exit(&r);
}

TEST(probe) {
    struct ring r;
    ring_init(&r, 8, 0);
    static unsigned long x[(sizeof(struct io_uring_probe) + 64 * sizeof(struct io_uring_probe_op)) / 8];
    const struct io_uring_probe *p = (const void *)x;
    EXPECT_OK(ring_register(&r, IORING_REGISTER_PROBE, x, 64));
    EXPECT_TRUE(p->last_op >= IORING_OP_LINKAT);
    const unsigned char known[] = {IORING_OP_NOP,    IORING_OP_READV, IORING_OP_POLL_ADD, IORING_OP_TIMEOUT,
                                   IORING_OP_ACCEPT, IORING_OP_READ,  IORING_OP_SEND,     IORING_OP_SPLICE};
    for (unsigned i = 0; i < sizeof known; i++) {
        EXPECT_EQ(p->ops[known[i]].op, known[i]);
        EXPECT_TRUE(p->ops[known[i]].flags & IO_URING_OP_SUPPORTED);
    }
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_PROBE, x, 64), EINVAL);  // not zero now
    EXPECT_ERRNO(ring_register(&r, 200, NULL, 0), EINVAL);
    ring_exit(&r);
}

TEST(restrictions) {
    struct ring r, other;
    ring_init(&r, 8, IORING_SETUP_R_DISABLED);
    ring_init(&other, 8, 0);
    EXPECT_EQ(ring_do(&other, IORING_OP_MSG_RING, r.fd, NULL, 1, 2), -EBADFD);
    EXPECT_EQ(ring_ready(&r), 0);
    struct io_uring_restriction x[2] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_NOP},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_PROBE}};
    EXPECT_ERRNO(ring_enter(&r, 0, 0, 0), EBADFD);
    EXPECT_OK(ring_register(&r, IORING_REGISTER_RESTRICTIONS, x, 2));
    EXPECT_OK(ring_register(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
    EXPECT_EQ(ring_do(&other, IORING_OP_MSG_RING, r.fd, NULL, 1, 2), 0);
    EXPECT_EQ(ring_take(&r).user_data, 2);
    ring_exit(&other);
    EXPECT_EQ(ring_do(&r, IORING_OP_NOP, -1, NULL, 0, 0), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_FSYNC, 1, NULL, 0, 0), -EACCES);
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_PERSONALITY, NULL, 0), EACCES);
    ring_exit(&r);
}

TEST(personalities) {
    struct ring r;
    ring_init(&r, 8, 0);
    int id = ring_register(&r, IORING_REGISTER_PERSONALITY, NULL, 0);
    EXPECT_TRUE(id > 0);
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->personality = (unsigned short)id;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    EXPECT_OK(ring_register(&r, IORING_UNREGISTER_PERSONALITY, NULL, (unsigned)id));
    ring_prep(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->personality = (unsigned short)id;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, -EINVAL);
    EXPECT_ERRNO(ring_register(&r, IORING_UNREGISTER_PERSONALITY, NULL, 500), EINVAL);
    ring_exit(&r);
}

static void set_disabled(const char *to) {
    int fd = open("/proc/sys/kernel/io_uring_disabled", O_WRONLY);
    EXPECT_EQ(write(fd, to, 1), 1);
    close(fd);
}

// kernel.io_uring_disabled, where it is this sandbox's own.
TEST(disabled) {
    struct utsname u;
    struct io_uring_params p = {0};
    uname(&u);
    if (!strstr(u.release, "picket") || geteuid() != 0)
        return;
    set_disabled("2");
    EXPECT_ERRNO(ring_setup(4, &p), EPERM);
    set_disabled("1");
    int fd = ring_setup(4, &p);
    EXPECT_TRUE(fd >= 0);
    close(fd);
    set_disabled("0");
}
