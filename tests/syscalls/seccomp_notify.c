// SPDX-License-Identifier: Apache-2.0
// covers: seccomp, ioctl
// Calls that a filter hands to a supervisor (man 2 seccomp_unotify).
#include "guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND 2
#endif

static long listen_to(int number, unsigned flags) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {4, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
}

// A child that has the filter; its listener comes over a socket, and its end is the result of `work`.
static int listener;
static pid_t supervised(int number, int (*work)(void)) {
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    pid_t pid = fork_child();
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    if (pid == 0) {
        int fd = listen_to(number, 0);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
        if (fd < 0 || sendmsg(pair[0], &m, 0) != 1)
            _exit(99);
        close(fd);
        _exit(work());
    }
    close(pair[0]);
    ASSERT_EQ(recvmsg(pair[1], &m, 0), 1);
    memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(listener));
    close(pair[1]);
    return pid;
}

static struct seccomp_notif take(void) {
    struct seccomp_notif n = {0};
    ASSERT_OK(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n));
    return n;
}

static int answer(unsigned long long id, long long value, int error, unsigned flags) {
    struct seccomp_notif_resp r = {.id = id, .val = value, .error = error, .flags = flags};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int poll_events(void) {
    struct pollfd p = {listener, POLLIN | POLLOUT, 0};
    poll(&p, 1, 0);
    return p.revents;
}

static int three_calls(void) {
    if (syscall(SYS_getppid, 1, 2, 3) != 4711)
        return 1;
    if (syscall(SYS_getppid) != -1 || errno != EXDEV)
        return 2;
    if (syscall(SYS_getppid) <= 0)
        return 3;
    // not every value is an error, however it looks
    return syscall(SYS_getppid) == -0x10001 ? 0 : 4;
}

TEST(answers) {
    pid_t pid = supervised(SYS_getppid, three_calls);
    struct seccomp_notif n = take();
    EXPECT_EQ(n.pid, pid);
    EXPECT_EQ(n.flags, 0);
    EXPECT_EQ(n.data.nr, SYS_getppid);
    EXPECT_EQ(n.data.args[2], 3);
    EXPECT_TRUE(n.data.instruction_pointer != 0);
    EXPECT_EQ(poll_events(), POLLOUT);
    EXPECT_EQ(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), 0);
    EXPECT_EQ(answer(n.id, 4711, 0, 0), 0);
    // EINPROGRESS: the call is still on its way out
    EXPECT_TRUE(answer(n.id, 4711, 0, 0) == -1 && (errno == ENOENT || errno == EINPROGRESS));
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
    n = take();
    EXPECT_EQ(answer(n.id, 0, -EXDEV, 0), 0);
    n = take();
    EXPECT_EQ(answer(n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), 0);
    n = take();
    EXPECT_EQ(answer(n.id, -0x10001, 0, 0), 0);
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_EQ(poll_events(), POLLHUP);
    close(listener);
}

static int one_call(void) {
    long r = syscall(SYS_getppid);
    return r == -1 ? errno : 0;
}

// The asker's number is the supervisor's for it, not its own.
static int asks_as_init(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
        return 77;
    int init = fork_child();
    if (init == 0)
        _exit(one_call());
    return wait_exit(init);
}

TEST(pid_of_another_namespace) {
    pid_t pid = supervised(SYS_getppid, asks_as_init);
    struct pollfd p = {listener, POLLIN, 0};
    if (poll(&p, 1, 2000) != 1 || !(p.revents & POLLIN)) {
        close(listener);
        EXPECT_EQ(wait_exit(pid), 77);
        SKIP("no user namespaces here");
    }
    struct seccomp_notif n = take();
    EXPECT_TRUE(n.pid > (unsigned)pid);
    EXPECT_OK(answer(n.id, 1, 0, 0));
    close(listener);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(listener_closed) {
    pid_t pid = supervised(SYS_getppid, one_call);
    struct pollfd p = {listener, POLLIN, 0};
    ASSERT_EQ(poll(&p, 1, -1), 1);
    close(listener);
    EXPECT_EQ(wait_exit(pid), ENOSYS);
    pid = supervised(SYS_getppid, one_call);
    take();
    close(listener);
    EXPECT_EQ(wait_exit(pid), ENOSYS);
}

static void handler(int signal) {}

static int interrupted(void) {
    struct sigaction a = {.sa_handler = handler};
    sigaction(SIGUSR1, &a, NULL);
    return one_call();
}

TEST(signal_breaks_it_off) {
    pid_t pid = supervised(SYS_getppid, interrupted);
    struct seccomp_notif n = take();
    kill(pid, SIGUSR1);
    EXPECT_EQ(wait_exit(pid), EINTR);
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
    EXPECT_ERRNO(answer(n.id, 0, 0, 0), ENOENT);
    close(listener);
}

static int asks_and_dies(void) {
    syscall(SYS_getppid);
    return 5;
}

TEST(death_ends_it) {
    pid_t pid = supervised(SYS_getppid, asks_and_dies);
    struct seccomp_notif n = take();
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    EXPECT_ERRNO(answer(n.id, 0, 0, 0), ENOENT);
    close(listener);
}

static int reads_what_it_got(void) {
    char text[8] = {0};
    int fd = syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY);
    if (fd != 40)
        return 1;
    if (read(fd, text, 5) != 5 || strcmp(text, "hello") != 0)
        return 2;
    if (!(fcntl(fd, F_GETFD) & FD_CLOEXEC))
        return 3;
    fd = syscall(SYS_openat, AT_FDCWD, "/no/such/file", O_RDONLY);
    return fd >= 0 && fd != 40 && pread(fd, text, 5, 0) == 5 ? 0 : 4;
}

TEST(adds_descriptors) {
    in_tmpdir();
    put_file("f", "hello");
    pid_t pid = supervised(SYS_openat, reads_what_it_got);
    int file = open("f", O_RDONLY);
    struct seccomp_notif n = take();
    struct seccomp_notif_addfd a = {
        .id = n.id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = file, .newfd = 40, .newfd_flags = O_CLOEXEC};
    struct seccomp_notif_addfd bad = a;
    bad.flags = 0;
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &bad), EINVAL);
    bad = a;
    bad.srcfd = 999;
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &bad), EBADF);
    bad = a;
    bad.newfd_flags = O_APPEND;
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &bad), EINVAL);
    bad = a;
    bad.id ^= 1;
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &bad), ENOENT);
    EXPECT_EQ(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a), 40);
    EXPECT_EQ(answer(n.id, 40, 0, 0), 0);
    n = take();
    struct seccomp_notif_addfd send = {.id = n.id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = file};
    EXPECT_GE(ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &send), 3);
    EXPECT_EQ(wait_exit(pid), 0);
    close(listener);
    close(file);
}

TEST(errors) {
    pid_t pid = supervised(SYS_getppid, one_call);
    struct seccomp_notif n = {.id = 1};
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL);
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(ioctl(listener, TIOCSTI, NULL), EINVAL);
    char byte;
    EXPECT_ERRNO(read(listener, &byte, 1), EINVAL);
    n = take();
    EXPECT_ERRNO(answer(n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
    EXPECT_ERRNO(answer(n.id, 0, 0, 8), EINVAL);
    EXPECT_EQ(answer(n.id, 1, 0, 0), 0);
    EXPECT_EQ(wait_exit(pid), 0);
    close(listener);
    IN_CHILD {
        ASSERT_OK(listen_to(SYS_getppid, 0));
        EXPECT_ERRNO(listen_to(SYS_getppid, 0), EBUSY);
    }
}
