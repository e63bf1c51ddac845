// SPDX-License-Identifier: Apache-2.0
// covers: io_uring_setup, io_uring_enter, io_uring_register
// Sockets by rings: connections, messages, requests with many completions, buffers to choose from.
#include "ring.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

static int listener(struct sockaddr_in *a) {
    socklen_t n = sizeof *a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ASSERT_EQ(bind(fd, (struct sockaddr *)a, n), 0);
    ASSERT_EQ(listen(fd, 16), 0);
    ASSERT_EQ(getsockname(fd, (struct sockaddr *)a, &n), 0);
    return fd;
}

TEST(connect_accept_send_recv) {
    struct ring r;
    struct completion c[4];
    struct sockaddr_in a, peer;
    socklen_t n = sizeof peer;
    char in[16] = {0};
    ring_init(&r, 8, 0);
    int l = listener(&a), s = ring_do(&r, IORING_OP_SOCKET, AF_INET, NULL, 0, SOCK_STREAM);
    ASSERT_TRUE(s >= 0);
    ring_prep(&r, IORING_OP_ACCEPT, l, &peer, 0, (unsigned long)&n, 1);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    struct sockaddr_in *to = malloc(sizeof *to);
    *to = a;
    ring_prep(&r, IORING_OP_CONNECT, s, to, 0, sizeof *to, 2);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    memset(to, 0xff, sizeof *to);  // it was read when it was submitted
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 2), 0);
    int t = ring_result_of(c, 2, 1);
    ASSERT_TRUE(t >= 0);
    EXPECT_EQ(peer.sin_family, AF_INET);
    ring_prep(&r, IORING_OP_RECV, t, in, 16, 0, 3);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    EXPECT_EQ(ring_ready(&r), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_RECV, 0x7fff, in, 16, 0), -EBADF);
    ring_prep(&r, IORING_OP_SEND, s, "hello", 5, 0, 4);
    EXPECT_EQ(ring_submit(&r, 1), 1);
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 3), 5);
    EXPECT_EQ(ring_result_of(c, 2, 4), 5);
    EXPECT_STREQ(in, "hello");
    EXPECT_EQ(ring_do(&r, IORING_OP_SHUTDOWN, s, NULL, SHUT_WR, 0), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_RECV, t, in, 16, 0), 0);
    EXPECT_EQ(ring_do(&r, IORING_OP_SEND, s, "x", 1, 0), -EPIPE);  // and no SIGPIPE
    int p[2];
    EXPECT_OK(pipe(p));
    EXPECT_EQ(ring_do(&r, IORING_OP_RECV, p[0], in, 16, 0), -ENOTSOCK);
    ring_exit(&r);
}

TEST(messages) {
    struct ring r;
    int s[2], p[2], got = -1;
    char in[16] = {0};
    ring_init(&r, 8, 0);
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_OK(pipe(p));
    union {
        char b[CMSG_SPACE(sizeof(int))];
        struct cmsghdr h;
    } out = {.h = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}}, control = {{0}};
    memcpy(CMSG_DATA(&out.h), &p[1], sizeof(int));
    struct iovec iv = {in, 16}, ov = {"abc", 3};
    struct msghdr im = {
        .msg_iov = &iv, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct msghdr om = {.msg_iov = &ov, .msg_iovlen = 1, .msg_control = &out, .msg_controllen = sizeof out};
    ring_prep(&r, IORING_OP_RECVMSG, s[0], &im, 1, 0, 1);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    iv.iov_base = NULL;  // the vector was read when it was submitted
    EXPECT_EQ(ring_do(&r, IORING_OP_SENDMSG, s[1], &om, 1, 0), 3);
    struct completion c = ring_take(&r);
    EXPECT_EQ(c.user_data, 1);
    EXPECT_EQ(c.res, 3);
    EXPECT_STREQ(in, "abc");
    memcpy(&got, CMSG_DATA(&control.h), sizeof got);
    EXPECT_EQ(write(got, "x", 1), 1);
    EXPECT_EQ(read(p[0], in, 16), 1);
    // a ring itself does not travel
    memcpy(CMSG_DATA(&out.h), &r.fd, sizeof(int));
    EXPECT_ERRNO(sendmsg(s[1], &om, 0), EINVAL);
    ring_exit(&r);
}

TEST(accept_many) {
    struct ring r;
    struct sockaddr_in a;
    ring_init(&r, 8, 0);
    int l = listener(&a);
    ring_prep(&r, IORING_OP_ACCEPT, l, NULL, 0, 0, 1)->ioprio = IORING_ACCEPT_MULTISHOT;
    EXPECT_EQ(ring_submit(&r, 0), 1);
    for (int i = 0; i < 5; i++) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_OK(connect(s, (struct sockaddr *)&a, sizeof a));
        struct completion c = ring_take(&r);
        EXPECT_EQ(c.user_data, 1);
        EXPECT_TRUE(c.res >= 0);
        EXPECT_TRUE(c.flags & IORING_CQE_F_MORE);
        close(c.res);
        close(s);
    }
    ring_prep(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 0, 2);
    EXPECT_EQ(ring_submit(&r, 0), 1);
    struct completion c[2];
    ring_take_n(&r, c, 2);
    EXPECT_EQ(ring_result_of(c, 2, 2), 0);
    EXPECT_EQ(ring_result_of(c, 2, 1), -ECANCELED);
    ring_exit(&r);
}

static char buffers[8][16];

static void provide(struct ring *r) {
    struct io_uring_sqe *s = ring_prep(r, IORING_OP_PROVIDE_BUFFERS, 8, buffers, 16, 0, 5);
    s->buf_group = 3;
    EXPECT_EQ(ring_submit(r, 1), 1);
    EXPECT_EQ(ring_take(r).res, 0);
}

TEST(provided_buffers) {
    struct ring r;
    int s[2];
    ring_init(&r, 8, 0);
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct io_uring_sqe *q = ring_prep(&r, IORING_OP_RECV, s[0], NULL, 16, 0, 1);
    q->flags = IOSQE_BUFFER_SELECT;
    q->buf_group = 3;
    EXPECT_EQ(write(s[1], "abc", 3), 3);
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, -ENOBUFS);
    provide(&r);
    for (int i = 0; i < 8; i++) {
        q = ring_prep(&r, IORING_OP_RECV, s[0], NULL, 3, 0, 1);
        q->flags = IOSQE_BUFFER_SELECT;
        q->buf_group = 3;
        if (i)
            EXPECT_EQ(write(s[1], "abc", 3), 3);
        EXPECT_EQ(ring_submit(&r, 1), 1);
        struct completion c = ring_take(&r);
        EXPECT_EQ(c.res, 3);
        EXPECT_TRUE(c.flags & IORING_CQE_F_BUFFER);
        EXPECT_MEMEQ(buffers[c.flags >> IORING_CQE_BUFFER_SHIFT], "abc", 3);
    }
    q = ring_prep(&r, IORING_OP_REMOVE_BUFFERS, 4, NULL, 0, 0, 1);
    q->buf_group = 3;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 0);
    provide(&r);
    q = ring_prep(&r, IORING_OP_REMOVE_BUFFERS, 4, NULL, 0, 0, 1);
    q->buf_group = 3;
    EXPECT_EQ(ring_submit(&r, 1), 1);
    EXPECT_EQ(ring_take(&r).res, 4);
    ring_exit(&r);
}

// Each message into a buffer of its own, until there is none.
TEST(receive_many) {
    struct ring r;
    int s[2];
    ring_init(&r, 8, 0);
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    provide(&r);
    struct io_uring_sqe *q = ring_prep(&r, IORING_OP_RECV, s[0], NULL, 0, 0, 1);
    q->flags = IOSQE_BUFFER_SELECT;
    q->ioprio = IORING_RECV_MULTISHOT;
    q->buf_group = 3;
    EXPECT_EQ(ring_submit(&r, 0), 1);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(write(s[1], "abcd", 4), 4);
        struct completion c = ring_take(&r);
        EXPECT_EQ(c.res, 4);
        EXPECT_TRUE(c.flags & IORING_CQE_F_MORE);
        EXPECT_TRUE(c.flags & IORING_CQE_F_BUFFER);
        EXPECT_MEMEQ(buffers[c.flags >> IORING_CQE_BUFFER_SHIFT], "abcd", 4);
    }
    EXPECT_EQ(write(s[1], "abcd", 4), 4);
    struct completion c = ring_take(&r);
    EXPECT_EQ(c.res, -ENOBUFS);
    EXPECT_EQ(c.flags & IORING_CQE_F_MORE, 0);
    ring_exit(&r);
}

// A ring of buffers in the program's own memory.
TEST(buffer_ring) {
    struct ring r;
    int s[2];
    ring_init(&r, 8, 0);
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct io_uring_buf_ring *b =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct io_uring_buf_reg reg = {.ring_addr = (unsigned long)b, .ring_entries = 4, .bgid = 7};
    EXPECT_OK(ring_register(&r, IORING_REGISTER_PBUF_RING, &reg, 1));
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_PBUF_RING, &reg, 1), EEXIST);
    for (unsigned i = 0; i < 4; i++) {
        b->bufs[i].addr = (unsigned long)buffers[i];
        b->bufs[i].len = 16;
        b->bufs[i].bid = (unsigned short)(i + 10);
    }
    __atomic_store_n(&b->tail, 3, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 4; i++) {
        struct io_uring_sqe *q = ring_prep(&r, IORING_OP_RECV, s[0], NULL, 16, 0, 1);
        q->flags = IOSQE_BUFFER_SELECT;
        q->buf_group = 7;
        EXPECT_EQ(write(s[1], "xy", 2), 2);
        EXPECT_EQ(ring_submit(&r, 1), 1);
        struct completion c = ring_take(&r);
        EXPECT_EQ(c.res, i < 3 ? 2 : -ENOBUFS);
        if (i < 3)
            EXPECT_EQ(c.flags >> IORING_CQE_BUFFER_SHIFT, i + 10);
    }
    EXPECT_OK(ring_register(&r, IORING_UNREGISTER_PBUF_RING, &reg, 1));
    EXPECT_ERRNO(ring_register(&r, IORING_UNREGISTER_PBUF_RING, &reg, 1), ENOENT);
    reg.ring_entries = 3;
    EXPECT_ERRNO(ring_register(&r, IORING_REGISTER_PBUF_RING, &reg, 1), EINVAL);
    ring_exit(&r);
}

// SO_LINGER: the request waits, as close(2) does (Linux waits where nobody sees it), and its result is
// close's.
TEST(close_that_lingers) {
    struct ring r;
    struct sockaddr_in a;
    static char data[65536];
    const struct linger soon = {1, 1};
    ring_init(&r, 8, 0);
    int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect(s, (struct sockaddr *)&a, sizeof a));
    int t = accept(l, NULL, NULL);
    ASSERT_TRUE(t >= 0);
    while (send(s, data, sizeof data, MSG_DONTWAIT) > 0) {
    }
    EXPECT_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &soon, sizeof soon));
    EXPECT_EQ(ring_do(&r, IORING_OP_CLOSE, s, NULL, 0, 0), 0);
    EXPECT_ERRNO(close(s), EBADF);
    ring_exit(&r);
}
