// SPDX-License-Identifier: Apache-2.0
// The gofer's loop: one request record in, one reply record out. The table of messages gives the dispatch:
// decode, check the right to write, operate, encode. A request that makes no sense gets an error reply; a
// record whose framing is wrong ends the gofer, and with it this sandbox only. Called by gofer.c; tests and
// the fuzzer call gofer_serve_one(). One thread, no locks. A round trip is two host calls here, plus those of
// the operation.
#include "gofer/server.h"
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_MAGIC 0x9fa0

// ---- Start ------------------------------------------------------------------------------------------------
// A /dev of its own file system is not for guests, whatever its type (devtmpfs calls itself tmpfs).
static void find_masked(struct gofer_server *s) {
    static const char *const paths[] = {"/dev", "/proc", "/sys"};
    struct stat root, st;
    if (stat("/", &root) < 0)
        return;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (stat(paths[i], &st) == 0 && st.st_dev != root.st_dev)
            s->masked_dev[s->nmasked++] = st.st_dev;
}

static int open_proc(void) {
    int fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_MAGIC) {
        close(fd);
        return -LINUX_ENODEV;
    }
    return fd;
}

static int open_roots(struct gofer_server *s, const struct gofer_root *roots, int n) {
    for (int i = 0; i < n; i++) {
        int fd = open(roots[i].host_path, O_PATH | O_CLOEXEC);
        if (fd < 0) {
            int err = errno;
            log_error("%s: %s", roots[i].host_path, strerror(err));
            return -err;
        }
        s->roots[i] = (struct gofer_root_fd){fd, roots[i].writable, roots[i].ids};
        s->nroots++;
    }
    return 0;
}

int gofer_server_init(struct gofer_server *s, const struct gofer_root *roots, int n, uint32_t max_handles) {
    // The buffers behind are large, and written before they are read.
    memset(s, 0, offsetof(struct gofer_server, rx));
    s->proc_fd = -1;
    if (n < 1 || n > GOFER_ROOTS_MAX || max_handles < 1)
        return -LINUX_EINVAL;
    s->nslots = max_handles < 65536 ? max_handles : 65536;
    s->free_head = UINT32_MAX;
    s->slots = calloc(s->nslots, sizeof(*s->slots));
    if (!s->slots)
        return -LINUX_ENOMEM;
    find_masked(s);
    s->proc_fd = open_proc();
    if (s->proc_fd < 0) {
        log_error("/proc/self/fd: no procfs there, which is needed to open files");
        return s->proc_fd;
    }
    return open_roots(s, roots, n);
}

void gofer_server_destroy(struct gofer_server *s) {
    if (s->slots)
        handle_release_all(s);
    free(take_ptr(s->slots));
    for (unsigned i = 0; i < s->nroots; i++)
        close(s->roots[i].fd);
    s->nroots = 0;
    if (s->proc_fd >= 0)
        close(take_fd(&s->proc_fd));
    gofer_close_out(s);
}

// ---- Dispatch ---------------------------------------------------------------------------------------------
// The first field of every message with GOFER_WRITES is the handle that is written to (or below).
static int may_write(struct gofer_server *s, const struct gofer_in *in) {
    if (in->left < sizeof(uint64_t))
        return -LINUX_EBADMSG;
    const struct gofer_obj *o = handle_get(s, gofer_peek_u64(in));
    if (!o)
        return -LINUX_EBADF;
    return s->roots[o->root].writable ? 0 : -LINUX_EROFS;
}

#define GOFER_MSG(name, number, flags)                                                                       \
    static int serve_##name(struct gofer_server *s, struct gofer_in *in, struct gofer_out *out) {            \
        struct gofer_##name##_req q;                                                                         \
        struct gofer_##name##_rep r;                                                                         \
        memset(&r, 0, sizeof(r));                                                                            \
        int err = ((flags) & GOFER_WRITES) ? may_write(s, in) : 0;                                           \
        if (!err)                                                                                            \
            err = gofer_get_##name##_req(in, &q);                                                            \
        if (!err)                                                                                            \
            err = op_##name(s, &q, &r);                                                                      \
        return err ? err : gofer_put_##name##_rep(out, &r);                                                  \
    }
#include "gofer/proto.def"

static int dispatch(struct gofer_server *s, unsigned type, struct gofer_in *in, struct gofer_out *out) {
    switch (type) {
#define GOFER_MSG(name, number, flags)                                                                       \
    case number:                                                                                             \
        return serve_##name(s, in, out);
#include "gofer/proto.def"
    default:
        return -LINUX_ENOSYS;
    }
}

void gofer_close_out(struct gofer_server *s) {
    while (s->out.n)
        close(s->out.v[--s->out.n]);
}

int gofer_serve_one(struct gofer_server *s, size_t n) {
    struct gofer_hdr h;
    int err = gofer_get_hdr(s->rx, n, &h);
    if (err || h.nfds || h.error)
        return -LINUX_EPROTO;
    struct gofer_in in = {s->rx + GOFER_HDR_SIZE, n - GOFER_HDR_SIZE, false};
    struct gofer_out out = {s->tx, GOFER_HDR_SIZE, sizeof(s->tx), false};
    err = dispatch(s, h.type, &in, &out);
    if (gofer_type_flags(h.type) & GOFER_SILENT)
        return 0;
    if (err) {
        out.len = GOFER_HDR_SIZE;
        gofer_close_out(s);
    }
    struct gofer_hdr reply = {
        .size = (uint32_t)out.len,
        .type = h.type,
        .nfds = (uint16_t)s->out.n,
        .tag = h.tag,
        .error = err,
    };
    gofer_put_hdr(s->tx, &reply);
    return (int)out.len;
}

// ---- The loop ---------------------------------------------------------------------------------------------
// No room for control data: descriptors that a hostile sentry sends are dropped by the kernel, none is ever
// received.
static ssize_t receive(struct gofer_server *s, int sock) {
    struct iovec iov = {s->rx, sizeof(s->rx)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;
    do
        n = recvmsg(sock, &m, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0 && (m.msg_flags & MSG_TRUNC))
        return -1;
    return n;
}

// Descriptors that are under way count for their user, whoever sent them (ETOOMANYREFS): as a rule they are
// received in a moment.
#define SEND_ATTEMPTS 100000
static ssize_t send_reply(int sock, const struct msghdr *m) {
    ssize_t sent;
    int attempts = 0;
    do
        sent = sendmsg(sock, m, MSG_NOSIGNAL);
    while (sent < 0 && (errno == EINTR || (errno == ETOOMANYREFS && ++attempts < SEND_ATTEMPTS)));
    return sent;
}

// Instead of a reply whose descriptors cannot be sent. (The handle that a walk made for it is lost.)
static size_t refuse_fds(struct gofer_server *s, size_t n) {
    struct gofer_hdr h;
    gofer_get_hdr(s->tx, n, &h);
    h.size = GOFER_HDR_SIZE;
    h.nfds = 0;
    h.error = -LINUX_EMFILE;
    gofer_put_hdr(s->tx, &h);
    return GOFER_HDR_SIZE;
}

static int reply(struct gofer_server *s, int sock, size_t n) {
    union {
        struct cmsghdr h;
        char room[CMSG_SPACE(sizeof(s->out.v))];
    } control = {0};
    struct iovec iov = {s->tx, n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (s->out.n) {
        size_t len = s->out.n * sizeof(int);
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(len);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(len);
        memcpy(CMSG_DATA(c), s->out.v, len);
    }
    ssize_t sent = send_reply(sock, &m);
    bool too_many = sent < 0 && errno == ETOOMANYREFS;
    gofer_close_out(s);
    if (too_many) {
        iov.iov_len = refuse_fds(s, n);
        m.msg_control = NULL;
        m.msg_controllen = 0;
        sent = send_reply(sock, &m);
    }
    return sent == (ssize_t)iov.iov_len ? 0 : -1;
}

int gofer_serve(struct gofer_server *s, int sock) {
    for (;;) {
        ssize_t n = receive(s, sock);
        if (n == 0)
            return 0;
        if (n < 0)
            return errno == ECONNRESET ? 0 : 1;
        int len = gofer_serve_one(s, (size_t)n);
        if (len < 0) {
            log_error("broken request from the sentry; ending");
            return 1;
        }
        if (len > 0 && reply(s, sock, (size_t)len) < 0)
            return 0;
    }
}
