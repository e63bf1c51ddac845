// SPDX-License-Identifier: Apache-2.0
// covers: getsockopt, setsockopt, recvmsg, sendmsg
// SO_PEERPIDFD, SO_PEERGROUPS, SO_PASSPIDFD with SCM_PIDFD, and SO_PASSRIGHTS (man 7 unix; Linux 6.5 and
// 6.16).
#include "guest.h"

#include <grp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#endif
#define SO_PASSRIGHTS_ 83
#define SCM_PIDFD_     4
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static int peer_pidfd(int s) {
    int fd = -1;
    socklen_t n = sizeof(fd);
    return getsockopt(s, SOL_SOCKET, SO_PEERPIDFD, &fd, &n) ? -errno : fd;
}
static void pair(int s[2], int type) { ASSERT_OK(socketpair(AF_UNIX, type, 0, s)); }
static int set(int s, int name, int v) { return setsockopt(s, SOL_SOCKET, name, &v, sizeof(v)); }

// Does a pidfd stand for this process?
static volatile int signals;
static void count(int sig) { signals++; }
static int is_me(int fd) {
    int before = signals;
    on_signal(SIGUSR1, count, 0);
    return syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) == 0 && signals == before + 1;
}

TEST(peer_pidfd) {
    int s[2], in = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    pair(s, SOCK_STREAM);
    int fd = peer_pidfd(s[0]);
    if (fd == -ENOPROTOOPT)
        SKIP("Linux before 6.5");
    ASSERT_OK(fd);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_TRUE(is_me(fd));
    close(fd);
    EXPECT_EQ(peer_pidfd(in), -ENODATA);
    int lone = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(peer_pidfd(lone), -ENODATA);
    close(lone), close(in), close(s[0]), close(s[1]);
}

// A pidfd whose answer goes nowhere is not left behind.
TEST(peer_pidfd_to_nowhere) {
    int s[2], before, after;
    pair(s, SOCK_STREAM);
    if (peer_pidfd(s[0]) == -ENOPROTOOPT)
        SKIP("Linux before 6.5");
    socklen_t n = sizeof(int);
    before = ASSERT_OK(dup(0));
    EXPECT_ERRNO(getsockopt(s[0], SOL_SOCKET, SO_PEERPIDFD, KERNEL_POINTER, &n), EFAULT);
    after = ASSERT_OK(dup(0));
    EXPECT_EQ(after, before + 1);
    close(before), close(after), close(s[0]), close(s[1]);
}

TEST(peer_groups) {
    int s[2];
    gid_t mine[128], got[128];
    int count = ASSERT_OK(getgroups(128, mine));
    socklen_t n = sizeof(got);
    pair(s, SOCK_STREAM);
    EXPECT_OK(getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, got, &n));
    EXPECT_EQ(n, count * sizeof(gid_t));
    EXPECT_MEMEQ(got, mine, n);
    if (count > 0) {
        n = 0;
        EXPECT_ERRNO(getsockopt(s[0], SOL_SOCKET, SO_PEERGROUPS, got, &n), ERANGE);
        EXPECT_EQ(n, count * sizeof(gid_t));
    }
    int lone = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
    n = sizeof(got);
    EXPECT_ERRNO(getsockopt(lone, SOL_SOCKET, SO_PEERGROUPS, got, &n), ENODATA);
    close(lone), close(s[0]), close(s[1]);
}

struct got {
    int pidfd, file, flags;
    struct ucred cred;
};

static int receive(int s, struct got *g, size_t room) {
    char c, control[256];
    struct iovec v = {&c, 1};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    *g = (struct got){-1, -1, 0, {0, 0, 0}};
    int n = recvmsg(s, &h, 0);
    g->flags = h.msg_flags;
    for (struct cmsghdr *m = CMSG_FIRSTHDR(&h); m; m = CMSG_NXTHDR(&h, m)) {
        if (m->cmsg_type == SCM_PIDFD_)
            memcpy(&g->pidfd, CMSG_DATA(m), sizeof(int));
        if (m->cmsg_type == SCM_RIGHTS)
            memcpy(&g->file, CMSG_DATA(m), sizeof(int));
        if (m->cmsg_type == SCM_CREDENTIALS)
            memcpy(&g->cred, CMSG_DATA(m), sizeof(struct ucred));
    }
    return n;
}
static int send_file(int s, int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {"x", 1};
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *m = CMSG_FIRSTHDR(&h);
    *m = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(m), &fd, sizeof(fd));
    return (int)sendmsg(s, &h, 0);
}

TEST(pass_pidfd) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    struct got g;
    for (int i = 0; i < 3; i++) {
        int s[2], v = -1;
        socklen_t n = sizeof(v);
        pair(s, types[i]);
        if (set(s[1], SO_PASSPIDFD, 1) < 0 && errno == ENOPROTOOPT)
            SKIP("Linux before 6.5");
        EXPECT_OK(getsockopt(s[1], SOL_SOCKET, SO_PASSPIDFD, &v, &n));
        EXPECT_EQ(v, 1);
        EXPECT_EQ(write(s[0], "a", 1), 1);
        EXPECT_EQ(receive(s[1], &g, 256), 1);
        EXPECT_TRUE(is_me(g.pidfd));
        close(g.pidfd);
        EXPECT_EQ(send_file(s[0], 0), 1);
        EXPECT_OK(set(s[1], SO_PASSCRED, 1));
        EXPECT_EQ(receive(s[1], &g, 256), 1);
        EXPECT_EQ(g.cred.pid, getpid());
        EXPECT_GE(g.file, 0);
        EXPECT_TRUE(is_me(g.pidfd));
        close(g.pidfd), close(g.file), close(s[0]), close(s[1]);
    }
}

TEST(pass_pidfd_without_room) {
    struct got g;
    int s[2];
    pair(s, SOCK_STREAM);
    if (set(s[1], SO_PASSPIDFD, 1) < 0 && errno == ENOPROTOOPT)
        SKIP("Linux before 6.5");
    EXPECT_EQ(write(s[0], "a", 1), 1);
    EXPECT_EQ(receive(s[1], &g, 0), 1);
    EXPECT_EQ(g.pidfd, -1);
    EXPECT_TRUE(g.flags & MSG_CTRUNC);
    int in = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT_ERRNO(set(in, SO_PASSPIDFD, 1), EOPNOTSUPP);
    close(in), close(s[0]), close(s[1]);
}

// The pidfd stands for the process that sent, also when that has ended meanwhile.
TEST(pidfd_of_one_that_ended) {
    int s[2];
    pair(s, SOCK_STREAM);
    if (set(s[1], SO_PASSPIDFD, 1) < 0 && errno == ENOPROTOOPT)
        SKIP("Linux before 6.5");
    int pid = fork_child();
    if (pid == 0) {
        EXPECT_EQ(write(s[0], "a", 1), 1);
        pause();
        child_done();
    }
    struct got g;
    EXPECT_EQ(receive(s[1], &g, 256), 1);
    ASSERT_OK(g.pidfd);
    struct pollfd p = {g.pidfd, POLLIN, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    kill(pid, SIGKILL);
    EXPECT_EQ(poll(&p, 1, 20000), 1);
    wait_exit(pid);
    close(g.pidfd), close(s[0]), close(s[1]);
}

TEST(pass_rights) {
    int s[2];
    struct got g;
    pair(s, SOCK_STREAM);
    if (set(s[1], SO_PASSRIGHTS_, 0) < 0)
        SKIP("Linux before 6.16");
    EXPECT_ERRNO(send_file(s[0], 0), EPERM);
    EXPECT_OK(set(s[1], SO_PASSRIGHTS_, 1));
    EXPECT_EQ(send_file(s[0], 0), 1);
    EXPECT_EQ(receive(s[1], &g, 256), 1);
    EXPECT_GE(g.file, 0);
    close(g.file), close(s[0]), close(s[1]);
}
