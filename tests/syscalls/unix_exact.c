// SPDX-License-Identifier: Apache-2.0
// covers: recvmsg, recvfrom, sendmsg, setsockopt, ioctl
// What suites of other people look for in unix sockets: bounds of reads beside files and credentials, reads
// of no bytes, senders' names, buffers, and requests about links (man 7 unix; net/unix/af_unix.c).
#include "guest.h"

#include <net/if.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static void pair(int s[2], int type) { ASSERT_OK(socketpair(AF_UNIX, type, 0, s)); }
static int set(int s, int name, int v) { return setsockopt(s, SOL_SOCKET, name, &v, sizeof(v)); }

static ssize_t send_file(int s, const char *bytes, size_t n) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    int fd = 0;
    struct iovec v = {(char *)bytes, n};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *m = CMSG_FIRSTHDR(&h);
    *m = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(m), &fd, sizeof(fd));
    return sendmsg(s, &h, 0);
}
// Bytes; *fd: a file that came along, or -1.
static ssize_t receive(int s, char *bytes, size_t n, int flags, int *fd) {
    char control[256];
    struct iovec v = {bytes, n};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    *fd = -1;
    ssize_t r = recvmsg(s, &h, flags);
    for (struct cmsghdr *m = r < 0 ? NULL : CMSG_FIRSTHDR(&h); m; m = CMSG_NXTHDR(&h, m))
        if (m->cmsg_type == SCM_RIGHTS)
            memcpy(fd, CMSG_DATA(m), sizeof(*fd));
    return r;
}

// Plain bytes and those with files behind them come in one read, the bytes behind files in another.
TEST(reads_beside_files) {
    int s[2], fd;
    char b[32];
    pair(s, SOCK_STREAM);
    EXPECT_EQ(write(s[0], "ab", 2), 2);
    EXPECT_EQ(send_file(s[0], "cd", 2), 2);
    EXPECT_EQ(write(s[0], "ef", 2), 2);
    EXPECT_EQ(receive(s[1], b, sizeof(b), 0, &fd), 4);
    EXPECT_MEMEQ(b, "abcd", 4);
    EXPECT_GE(fd, 0);
    close(fd);
    EXPECT_EQ(receive(s[1], b, sizeof(b), 0, &fd), 2);
    EXPECT_EQ(fd, -1);
    close(s[0]), close(s[1]);
}

TEST(files_of_two_sends) {
    int s[2], fd;
    char b[32];
    pair(s, SOCK_STREAM);
    EXPECT_EQ(send_file(s[0], "ab", 2), 2);
    EXPECT_EQ(send_file(s[0], "cd", 2), 2);
    EXPECT_EQ(receive(s[1], b, sizeof(b), 0, &fd), 2);
    EXPECT_GE(fd, 0);
    close(fd);
    EXPECT_EQ(receive(s[1], b, 1, 0, &fd), 1);
    EXPECT_GE(fd, 0);
    close(fd);
    EXPECT_EQ(receive(s[1], b, 1, 0, &fd), 1);
    EXPECT_EQ(fd, -1);
    close(s[0]), close(s[1]);
}

// A read of no bytes of a stream takes the files and leaves the bytes.
TEST(no_bytes_and_files) {
    int s[2], fd;
    char b[8];
    pair(s, SOCK_STREAM);
    EXPECT_EQ(send_file(s[0], "ab", 2), 2);
    EXPECT_EQ(receive(s[1], b, 0, 0, &fd), 0);
    EXPECT_GE(fd, 0);
    close(fd);
    EXPECT_EQ(receive(s[1], b, sizeof(b), 0, &fd), 2);
    EXPECT_EQ(fd, -1);
    close(s[0]), close(s[1]);
}

TEST(no_bytes_of_nothing) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    char b[4];
    for (int i = 0; i < 3; i++) {
        int s[2];
        pair(s, types[i]);
        EXPECT_ERRNO(recv(s[1], b, 0, MSG_DONTWAIT), EAGAIN);
        EXPECT_EQ(write(s[0], "a", 1), 1);
        EXPECT_EQ(recv(s[1], b, 0, MSG_DONTWAIT), 0);
        if (types[i] == SOCK_STREAM)
            EXPECT_EQ(recv(s[1], b, 4, MSG_DONTWAIT), 1);
        else
            EXPECT_ERRNO(recv(s[1], b, 4, MSG_DONTWAIT), EAGAIN);
        close(s[0]), close(s[1]);
    }
}

TEST(peek_shows_files) {
    int s[2], fd;
    char b[8];
    pair(s, SOCK_STREAM);
    EXPECT_EQ(send_file(s[0], "ab", 2), 2);
    EXPECT_EQ(receive(s[1], b, 1, MSG_PEEK, &fd), 1);
    EXPECT_GE(fd, 0);
    close(fd);
    EXPECT_EQ(receive(s[1], b, sizeof(b), 0, &fd), 2);
    EXPECT_GE(fd, 0);
    close(fd), close(s[0]), close(s[1]);
}

static socklen_t name(struct sockaddr_un *a, const char *text) {
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "%s-%d", text, getpid());
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a->sun_path + 1));
}

TEST(sender_of_a_stream) {
    struct sockaddr_un at, from, got;
    int l = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    socklen_t n = name(&at, "exact-server"), m = name(&from, "exact-client"), k = sizeof(got);
    char b[4];
    ASSERT_OK(bind(l, (struct sockaddr *)&at, n));
    ASSERT_OK(listen(l, 1));
    ASSERT_OK(bind(c, (struct sockaddr *)&from, m));
    ASSERT_OK(connect(c, (struct sockaddr *)&at, n));
    int a = ASSERT_OK(accept(l, NULL, NULL));
    EXPECT_EQ(write(c, "abc", 3), 3);
    EXPECT_EQ(recvfrom(a, b, sizeof(b), 0, (struct sockaddr *)&got, &k), 3);
    EXPECT_EQ(k, m);
    EXPECT_MEMEQ(&got, &from, m);
    EXPECT_EQ(write(a, "abc", 3), 3);
    k = sizeof(got);
    EXPECT_EQ(recvfrom(c, b, sizeof(b), 0, (struct sockaddr *)&got, &k), 3);
    EXPECT_EQ(k, n);
    close(a), close(c), close(l);
}

TEST(sender_without_a_name) {
    int s[2];
    struct sockaddr_un got;
    socklen_t k = sizeof(got);
    char b[4];
    pair(s, SOCK_DGRAM);
    EXPECT_EQ(write(s[0], "abc", 3), 3);
    EXPECT_EQ(recvfrom(s[1], b, sizeof(b), 0, (struct sockaddr *)&got, &k), 3);
    EXPECT_EQ(k, 0);
    close(s[0]), close(s[1]);
}

// A datagram as long as the buffer allows, and one that is longer.
TEST(send_buffer) {
    int s[2], v = 0;
    socklen_t n = sizeof(v);
    pair(s, SOCK_DGRAM);
    EXPECT_OK(set(s[0], SO_SNDBUF, 0x7fffffff));
    EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, &n));
    EXPECT_GE(v, 2 * 212992);
    EXPECT_OK(set(s[0], SO_SNDBUF, 0));
    EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, &n));
    EXPECT_EQ(v, 4608);
    char *b = calloc(1, 8192);
    EXPECT_EQ(send(s[0], b, 4000, MSG_DONTWAIT), 4000);
    EXPECT_ERRNO(send(s[0], b, 4608, MSG_DONTWAIT), EMSGSIZE);
    free(b);
    close(s[0]), close(s[1]);
}

TEST(links) {
    int s = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    struct ifreq r = {.ifr_name = "lo"};
    EXPECT_OK(ioctl(s, SIOCGIFFLAGS, &r));
    EXPECT_TRUE(r.ifr_flags & IFF_LOOPBACK);
    EXPECT_OK(ioctl(s, SIOCGIFINDEX, &r));
    EXPECT_EQ(r.ifr_ifindex, 1);
    EXPECT_OK(ioctl(s, SIOCGIFNAME, &r));
    EXPECT_STREQ(r.ifr_name, "lo");
    EXPECT_OK(ioctl(s, SIOCGIFMTU, &r));
    snprintf(r.ifr_name, sizeof(r.ifr_name), "nosuch0");
    EXPECT_ERRNO(ioctl(s, SIOCGIFFLAGS, &r), ENODEV);
    close(s);
}

// Files that are sent to a socket which takes none along with bytes (read(2)) are closed.
TEST(read_drops_files) {
    int s[2], p[2];
    char b[8];
    pair(s, SOCK_STREAM);
    ASSERT_OK(pipe(p));
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {"ab", 2};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *m = CMSG_FIRSTHDR(&h);
    *m = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(m), &p[1], sizeof(int));
    EXPECT_EQ(sendmsg(s[0], &h, 0), 2);
    close(p[1]);
    EXPECT_EQ(read(s[1], b, sizeof(b)), 2);
    EXPECT_EQ(read(p[0], b, sizeof(b)), 0);
    close(p[0]), close(s[0]), close(s[1]);
}

TEST(seqpacket_ends) {
    int s[2];
    char b[8];
    struct iovec v = {b, sizeof(b)};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    pair(s, SOCK_SEQPACKET);
    EXPECT_EQ(send(s[0], "abc", 3, MSG_EOR), 3);
    EXPECT_EQ(send(s[0], "", 0, 0), 0);
    EXPECT_EQ(recvmsg(s[1], &h, 0), 3);
    EXPECT_EQ(recv(s[1], b, sizeof(b), 0), 0);
    EXPECT_EQ(send(s[0], "abcdef", 6, 0), 6);
    EXPECT_EQ(recv(s[1], b, 2, MSG_TRUNC), 6);
    EXPECT_EQ(send(s[0], "abcdef", 6, 0), 6);
    v.iov_len = 2;
    EXPECT_EQ(recvmsg(s[1], &h, 0), 2);
    EXPECT_EQ(h.msg_flags & MSG_TRUNC, MSG_TRUNC);
    close(s[0]);
    EXPECT_EQ(recv(s[1], b, sizeof(b), 0), 0);
    EXPECT_ERRNO(send(s[1], "a", 1, MSG_NOSIGNAL), EPIPE);
    close(s[1]);
}
