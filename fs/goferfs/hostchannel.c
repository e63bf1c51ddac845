// SPDX-License-Identifier: Apache-2.0
// Records to and from the gofer over a SOCK_SEQPACKET socket. Called by client.c under its lock. Two host
// calls a round trip; the gofer is woken on this core and we sleep right after, so it runs here at once.
#include "abi/errno.h"
#include "fs/goferfs/client.h"
#include "base/hostfstat.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

// The descriptors of a record. More cannot arrive: there is room for so many.
static void take_descriptors(struct msghdr *m, struct gofer_fds *fds) {
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
        return;
    size_t len = c->cmsg_len - CMSG_LEN(0);
    fds->n = len <= sizeof fds->v ? (uint32_t)(len / sizeof(int)) : 0;
    memcpy(fds->v, CMSG_DATA(c), fds->n * sizeof(int));
}

static int64_t receive(int sock, void *rep, size_t cap, struct gofer_fds *fds) {
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof fds->v)];
    } control = {0};
    struct iovec iov = {rep, cap};
    struct msghdr m = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = CMSG_LEN(sizeof fds->v),
    };
    ssize_t n;
    do
        n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    take_descriptors(&m, fds);
    if (n == 0 || (m.msg_flags & MSG_TRUNC))
        return -LINUX_EPROTO;
    // A descriptor came for which our table has no room (or more than there may be: those are dropped).
    return m.msg_flags & MSG_CTRUNC ? -LINUX_EMFILE : n;
}

static int64_t exchange(void *arg, const void *req, size_t n, void *rep, size_t cap, struct gofer_fds *fds) {
    int sock = (int)(intptr_t)arg;
    struct iovec iov = {(void *)(uintptr_t)req, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t sent;
    do
        sent = sendmsg(sock, &m, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return rep ? receive(sock, rep, cap, fds) : 0;
}

static void close_socket(void *arg) { close((int)(intptr_t)arg); }

struct gofer_channel gofer_channel_socket(int sock) {
    return (struct gofer_channel){exchange, close_socket, (void *)(intptr_t)sock};
}

bool gofer_fd_is_regular(int fd) {
    struct stat st;
    return host_fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}
