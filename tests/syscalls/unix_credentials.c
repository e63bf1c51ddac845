// SPDX-License-Identifier: Apache-2.0
// covers: sendmsg, recvmsg, recvfrom, getsockopt
// Whose credentials come with a message, and which messages of a stream one read takes together
// (man 7 unix; maybe_add_creds() and unix_stream_read_generic() in net/unix/af_unix.c).
#include "guest.h"

#include <sys/socket.h>
#include <sys/un.h>

static void pass(int fd)
{
    int on = 1;
    ASSERT_OK(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

struct got {
    int n, nfds, flags;
    struct ucred cred;
    int has_cred;
    char text[64];
};

static struct got receive(int fd, int room, int flags)
{
    struct got g = {0};
    char control[256] __attribute__((aligned(8)));
    struct iovec iov = {g.text, room};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 256};
    g.n = recvmsg(fd, &m, flags);
    if (g.n < 0) {
        g.n = -errno;
        return g;
    }
    g.flags = m.msg_flags;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_CREDENTIALS) {
            g.has_cred = 1;
            memcpy(&g.cred, CMSG_DATA(h), sizeof(g.cred));
        }
        if (h->cmsg_type == SCM_RIGHTS) {
            g.nfds = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (int i = 0; i < g.nfds; i++)
                close(((int *)CMSG_DATA(h))[i]);
        }
    }
    return g;
}

static int send_control(int fd, const char *text, int type, const void *data, size_t size)
{
    char control[256] __attribute__((aligned(8))) = {0};
    struct iovec iov = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = type;
    h->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(h), data, size);
    return sendmsg(fd, &m, 0);
}

TEST(before_asked_for)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    EXPECT_EQ(send(s[0], "a", 1, 0), 1);
    pass(s[1]);
    EXPECT_EQ(send(s[0], "b", 1, 0), 1);
    struct got g = receive(s[1], 10, 0);
    EXPECT_EQ(g.has_cred, 1);
    EXPECT_EQ(g.cred.pid, 0);
    EXPECT_EQ(g.cred.uid, 65534);
    EXPECT_EQ(g.cred.gid, 65534);
    g = receive(s[1], 10, 0);
    EXPECT_EQ(g.cred.pid, getpid());
    EXPECT_EQ(g.cred.uid, getuid());
    EXPECT_EQ(g.cred.gid, getgid());
    close(s[0]);
    close(s[1]);
}

TEST(sender_asks)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    pass(s[0]);
    EXPECT_EQ(send(s[0], "a", 1, 0), 1);
    EXPECT_EQ(receive(s[1], 10, MSG_PEEK).has_cred, 0);
    pass(s[1]);
    EXPECT_EQ(receive(s[1], 10, 0).cred.pid, getpid());
    close(s[0]);
    close(s[1]);
}

TEST(streams_keep_them_apart)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(send(s[0], "one", 3, 0), 3);
    pass(s[1]);
    EXPECT_EQ(send(s[0], "two", 3, 0), 3);
    EXPECT_EQ(send(s[0], "three", 5, 0), 5);
    struct got g = receive(s[1], 60, 0);
    EXPECT_EQ(g.n, 3);
    EXPECT_EQ(g.cred.uid, 65534);
    g = receive(s[1], 60, 0);
    EXPECT_EQ(g.n, 8);
    EXPECT_EQ(g.cred.pid, getpid());
    close(s[0]);
    close(s[1]);
}

TEST(streams_join_without_asking)
{
    int s[2], on = 1, off = 0;
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(send(s[0], "one", 3, 0), 3);
    ASSERT_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    EXPECT_EQ(send(s[0], "two", 3, 0), 3);
    ASSERT_OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)));
    EXPECT_EQ(receive(s[1], 60, 0).n, 6);
    close(s[0]);
    close(s[1]);
}

TEST(plain_bytes_join_what_carries_files)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(send(s[0], "ab", 2, 0), 2);
    EXPECT_EQ(send_control(s[0], "cd", SCM_RIGHTS, &s[0], sizeof(int)), 2);
    EXPECT_EQ(send(s[0], "ef", 2, 0), 2);
    struct got g = receive(s[1], 60, MSG_PEEK);
    EXPECT_EQ(g.n, 4);
    EXPECT_EQ(g.nfds, 1);
    g = receive(s[1], 60, 0);
    EXPECT_EQ(g.n, 4);
    EXPECT_EQ(g.nfds, 1);
    EXPECT_MEMEQ(g.text, "abcd", 4);
    g = receive(s[1], 60, 0);
    EXPECT_EQ(g.n, 2);
    EXPECT_EQ(g.nfds, 0);
    close(s[0]);
    close(s[1]);
}

TEST(part_of_what_carries_files)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EXPECT_EQ(send(s[0], "ab", 2, 0), 2);
    EXPECT_EQ(send_control(s[0], "cd", SCM_RIGHTS, &s[0], sizeof(int)), 2);
    struct got g = receive(s[1], 2, 0);
    EXPECT_EQ(g.n, 2);
    EXPECT_EQ(g.nfds, 0);
    g = receive(s[1], 1, 0);
    EXPECT_EQ(g.n, 1);
    EXPECT_EQ(g.nfds, 1);
    g = receive(s[1], 1, 0);
    EXPECT_EQ(g.n, 1);
    EXPECT_EQ(g.nfds, 0);
    close(s[0]);
    close(s[1]);
}

TEST(reads_of_nothing)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    char c;
    EXPECT_EQ(read(s[1], &c, 0), 0);
    EXPECT_ERRNO(recv(s[1], &c, 0, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(receive(s[1], 0, MSG_DONTWAIT).n, -EAGAIN);
    EXPECT_EQ(send_control(s[0], "cd", SCM_RIGHTS, &s[0], sizeof(int)), 2);
    struct got g = receive(s[1], 0, 0);
    EXPECT_EQ(g.n, 0);
    EXPECT_EQ(g.nfds, 1);
    g = receive(s[1], 10, 0);
    EXPECT_EQ(g.n, 2);
    EXPECT_EQ(g.nfds, 0);
    close(s[0]);
    EXPECT_EQ(recv(s[1], &c, 0, 0), 0);
    close(s[1]);
}

TEST(whom_one_may_name)
{
    int s[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct ucred me = {getpid(), getuid(), getgid()}, other = me;
    EXPECT_EQ(send_control(s[0], "x", SCM_CREDENTIALS, &me, sizeof(me)), 1);
    EXPECT_ERRNO(send_control(s[0], "x", SCM_CREDENTIALS, &me, sizeof(me) - 1), EINVAL);
    EXPECT_ERRNO(send_control(s[0], "x", SCM_CREDENTIALS, &me, 0), EINVAL);
    pid_t gone = fork_child();
    if (gone == 0)
        child_done();
    EXPECT_EQ(wait_exit(gone), 0);
    other.pid = gone;
    EXPECT_ERRNO(send_control(s[0], "x", SCM_CREDENTIALS, &other, sizeof(other)), geteuid() ? EPERM : ESRCH);
    other.pid = 1;
    if (geteuid() == 0)
        EXPECT_EQ(send_control(s[0], "x", SCM_CREDENTIALS, &other, sizeof(other)), 1);
    close(s[0]);
    close(s[1]);
}

TEST(names_of_streams)
{
    in_tmpdir();
    struct sockaddr_un a = {AF_UNIX, "l"}, c = {AF_UNIX, "c"}, from;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(l, 1));
    ASSERT_OK(bind(s, (void *)&c, sizeof(c)));
    ASSERT_OK(connect(s, (void *)&a, sizeof(a)));
    int n = accept(l, NULL, NULL);
    ASSERT_OK(n);
    char byte;
    socklen_t length = sizeof(from);
    EXPECT_EQ(send(s, "x", 1, 0), 1);
    EXPECT_EQ(recvfrom(n, &byte, 1, 0, (void *)&from, &length), 1);
    EXPECT_EQ(length, 4);
    EXPECT_STREQ(from.sun_path, "c");
    length = sizeof(from);
    EXPECT_EQ(send(n, "x", 1, 0), 1);
    EXPECT_EQ(recvfrom(s, &byte, 1, 0, (void *)&from, &length), 1);
    EXPECT_EQ(length, 4);
    EXPECT_STREQ(from.sun_path, "l");
    close(n);
    close(s);
    close(l);
}

TEST(a_listener_that_closes)
{
    in_tmpdir();
    struct sockaddr_un a = {AF_UNIX, "l"};
    int l = socket(AF_UNIX, SOCK_STREAM, 0), s = socket(AF_UNIX, SOCK_STREAM, 0);
    int t = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_OK(bind(l, (void *)&a, sizeof(a)));
    ASSERT_OK(listen(l, 5));
    ASSERT_OK(connect(s, (void *)&a, sizeof(a)));
    ASSERT_OK(connect(t, (void *)&a, sizeof(a)));
    EXPECT_EQ(send(t, "x", 1, 0), 1);
    close(l);
    char byte;
    EXPECT_ERRNO(recv(s, &byte, 1, 0), ECONNRESET);
    EXPECT_EQ(recv(s, &byte, 1, 0), 0);
    EXPECT_ERRNO(send(t, "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_ERRNO(recv(t, &byte, 1, 0), ECONNRESET);
    close(s);
    close(t);
}
