// SPDX-License-Identifier: Apache-2.0
// See control.h.
#include "oci/control.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "oci/pod.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE 8  // seconds for a reply

// By way of the directory's descriptor: the path itself may be too long for a socket's address.
static struct sockaddr_un address(int dir) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/control", dir);
    return a;
}

int control_listen(const struct container *c, struct error *e) {
    struct sockaddr_un a = address(c->dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, 64) == 0)
        return fd;
    int err = errno;
    if (fd >= 0)
        close(fd);
    return error_errno(e, err, "container %s: control socket", c->id);
}

static int connect_to(const struct container *c, int dir, struct error *e) {
    struct sockaddr_un a = address(dir);
    const struct timeval patience = {.tv_sec = PATIENCE};
    const int room = CONTROL_MAX;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(e, errno, "container %s: control socket", c->id);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    int err = errno;
    close(fd);
    if (err == ECONNREFUSED || err == ENOENT)
        return error_set(e, "container %s: container not running", c->id);
    return error_errno(e, err, "container %s: control socket", c->id);
}

int pod_connect(const struct container *c, struct error *e) {
    char path[OCI_NAME_MAX + 4];
    snprintf(path, sizeof path, "../%s", pod_sandbox(c->annotations));
    int dir cleanup_close = openat(c->dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dir < 0 ? error_set(e, "container %s: its sandbox is gone: container not running", c->id)
                   : connect_to(c, dir, e);
}

// Over the connection of its pod's sandbox, which has to be told whom it is about.
static int connect_in_pod(const struct container *c, struct error *e) {
    struct control_select m = {.number = pod_number(c)};
    char reply[sizeof(struct control_failed)];
    int fd = pod_connect(c, e);
    if (fd < 0)
        return -1;
    if (control_send(fd, CONTROL_SELECT, &m, sizeof m, NULL, 0, e) == 0 &&
        control_receive(fd, CONTROL_OK, reply, sizeof(struct control_head), sizeof reply, e) >= 0)
        return fd;
    close(fd);
    return -1;
}

int control_connect(const struct container *c, struct error *e) {
    return pod_sandbox(c->annotations) ? connect_in_pod(c, e) : connect_to(c, c->dir, e);
}

int control_send(int fd, enum control_kind kind, void *message, size_t n, const int *fds, int nfds,
                 struct error *e) {
    union {
        char bytes[CMSG_SPACE(CONTROL_FDS * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct control_head *head = message;
    *head = (struct control_head){kind, (uint32_t)n};
    struct iovec v = {message, n};
    struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
    if (nfds > 0 && nfds <= (int)CONTROL_FDS) {
        size_t bytes = (size_t)nfds * sizeof(int);
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(bytes);
        control.align = (struct cmsghdr){CMSG_LEN(bytes), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.align), fds, bytes);
    }
    ssize_t sent = TEMP_FAILURE_RETRY(sendmsg(fd, &h, MSG_NOSIGNAL));
    if (sent == (ssize_t)n)
        return 0;
    if (errno == EMSGSIZE)
        return error_set(e, "arguments and environment are too long");
    return error_errno(e, errno, "the sandbox does not listen");
}

ssize_t control_receive(int fd, enum control_kind kind, void *buf, size_t n, size_t size, struct error *e) {
    struct control_failed failed;
    ssize_t got = TEMP_FAILURE_RETRY(recv(fd, buf, size, MSG_TRUNC));
    const struct control_head *head = buf;
    if (got < 0)
        return error_errno(e, errno == EAGAIN ? ETIMEDOUT : errno, "the sandbox does not answer");
    if (got == 0)
        return error_set(e, "the sandbox has ended: container not running");
    if ((size_t)got < sizeof *head || (size_t)got > size || head->length != (uint32_t)got)
        return error_set(e, "the sandbox answers nonsense");
    if (head->kind == CONTROL_FAILED && (size_t)got == sizeof failed) {
        memcpy(&failed, buf, sizeof failed);
        failed.text[sizeof failed.text - 1] = '\0';
        error_lower_last(failed.text);
        return error_set(e, "%s", failed.text);
    }
    if (head->kind != kind || (size_t)got < n)
        return error_set(e, "the sandbox answers nonsense");
    return got;
}

int control_call(const struct container *c, enum control_kind kind, void *message, size_t n,
                 struct error *e) {
    char buf[sizeof(struct control_failed)];
    int fd cleanup_close = control_connect(c, e);
    if (fd < 0 || control_send(fd, kind, message, n, NULL, 0, e) < 0)
        return -1;
    return control_receive(fd, CONTROL_OK, buf, sizeof(struct control_head), sizeof buf, e) < 0 ? -1 : 0;
}

int control_kill(const struct container *c, int sig, unsigned flags, struct error *e) {
    struct control_signal m = {.sig = (uint32_t)sig, .flags = flags};
    return control_call(c, CONTROL_SIGNAL, &m, sizeof m, e);
}

int control_wait_status(uint32_t told) {
    int status = (int)(told & 0xffff);
    if (WIFEXITED(status) || (WIFSIGNALED(status) && WTERMSIG(status) <= 64))
        return status & 0xff7f;
    return SIGKILL;
}

// ---- exec -------------------------------------------------------------------------------------------------
static size_t add_string(char *to, const char *s) {
    size_t n = strlen(s) + 1;
    if (to)
        memcpy(to, s, n);
    return n;
}

// What follows struct control_exec; to NULL: only its length.
static size_t put_rest(const struct sentry_process *p, char *to, struct control_exec *m) {
    size_t n = p->ngroups * sizeof p->groups[0];
    if (to && n)
        memcpy(to, p->groups, n);
    n += add_string(to ? to + n : NULL, p->cwd);
    m->nargs = m->nenv = 0;
    for (char *const *a = p->argv; *a; a++, m->nargs++)
        n += add_string(to ? to + n : NULL, *a);
    for (char *const *v = p->envp; *v; v++, m->nenv++)
        n += add_string(to ? to + n : NULL, *v);
    return n;
}

char *control_pack_exec(const struct sentry_process *p, size_t *size, struct error *e) {
    struct control_exec head = {.uid = p->uid,
                                .gid = p->gid,
                                .umask = p->umask,
                                .ngroups = p->ngroups,
                                .has_caps = p->has_caps,
                                .no_new_privs = p->no_new_privs,
                                .oom_score_adj = p->oom_score_adj,
                                .limits_set = p->limits_set,
                                .more_fds = p->more_fds};
    memcpy(head.caps, p->caps, sizeof head.caps);
    for (unsigned i = 0; i < SENTRY_NLIMITS; i++) {
        head.limits[i][0] = p->limits[i].cur;
        head.limits[i][1] = p->limits[i].max;
    }
    size_t n = sizeof head + put_rest(p, NULL, &head);
    if (n > CONTROL_MAX) {
        error_set(e, "arguments and environment are too long: more than %u KiB", CONTROL_MAX >> 10);
        return NULL;
    }
    char *m = malloc(n);
    if (!m) {
        error_set(e, "no memory");
        return NULL;
    }
    put_rest(p, m + sizeof head, &head);
    memcpy(m, &head, sizeof head);
    *size = n;
    return m;
}

int control_exec(int fd, const struct sentry_process *p, const int *fds, struct error *e) {
    char reply[sizeof(struct control_failed)];
    size_t n;
    char *m cleanup_free = control_pack_exec(p, &n, e);
    if (!m)
        return -1;
    if (control_send(fd, CONTROL_EXEC, m, n, fds, 3 + (int)p->more_fds, e) < 0)
        return -1;
    return control_receive(fd, CONTROL_OK, reply, sizeof(struct control_head), sizeof reply, e) < 0 ? -1 : 0;
}
