// SPDX-License-Identifier: Apache-2.0
// Shapes over sockets: pairs, named and unnamed unix sockets, descriptors in messages, the inet families.
#include "fuzz.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static int type(void) {
    return pick(((const int[]){SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET})) |
           (one_in(2) ? SOCK_NONBLOCK : 0);
}

static void sh_pair(void) {
    int *fds = room(8);
    call(SYS_socketpair, AF_UNIX, type(), 0, fds);
    call(SYS_write, fds[one_in(2)], any_pointer(), below(3000));
}

static struct sockaddr_un *name(void) {
    struct sockaddr_un *un = room(sizeof *un);
    fill("sockaddr", 8, un, 1);
    un->sun_family = AF_UNIX;
    return un;
}

static unsigned name_len(const struct sockaddr_un *un) {
    return one_in(12) ? below(112) : 2 + (unsigned)strnlen(un->sun_path + 1, 16) + 2;
}

static void sh_listen(void) {
    int fd = (int)call(SYS_socket, one_in(12) ? AF_INET : AF_UNIX, type(), 0);
    struct sockaddr_un *un = name();
    call(SYS_bind, fd, un, name_len(un));
    call(SYS_listen, fd, below(4));
    if (one_in(2))
        call(SYS_accept4, fd, one_in(2) ? room(128) : NULL, room(4), 0);
    if (one_in(4))
        call(SYS_close, fd);
}

static void sh_connect(void) {
    int fd = one_in(2) ? any_fd() : (int)call(SYS_socket, one_in(12) ? AF_INET6 : AF_UNIX, type(), 0);
    struct sockaddr_un *un = name();
    call(SYS_connect, fd, un, name_len(un));
    if (one_in(2))
        call(SYS_sendto, fd, any_pointer(), below(2000), flags_of("msg", 3, false), NULL, 0);
}

// A message with descriptors, credentials or rubbish as control data.
static void message(struct msghdr *m) {
    struct iovec *iov = room(8 * sizeof *iov);
    struct cmsghdr *c = room(128);
    unsigned n = below(4), nfds = below(5);
    fill("iovec", 5, iov, n);
    *m = (struct msghdr){one_in(4) ? name() : NULL, 0, iov, n, c, 0, 0};
    m->msg_namelen = m->msg_name ? name_len(m->msg_name) : below(8);
    if (one_in(3))
        return;
    *c = (struct cmsghdr){CMSG_LEN(4 * nfds), SOL_SOCKET, one_in(6) ? 2 : SCM_RIGHTS};
    for (unsigned i = 0; i < nfds; i++)
        ((int *)CMSG_DATA(c))[i] = any_fd();
    m->msg_controllen = one_in(8) ? below(200) : CMSG_SPACE(4 * nfds);
    if (one_in(12))
        fill("bytes", 5, c, 64);
}

static void sh_sendmsg(void) {
    struct msghdr *m = room(sizeof *m);
    message(m);
    call(SYS_sendmsg, any_fd(), m, flags_of("msg", 3, false) | (one_in(2) ? MSG_DONTWAIT : 0));
}

static void sh_recvmsg(void) {
    struct msghdr *m = room(sizeof *m);
    message(m);
    m->msg_controllen = below(128);
    if (one_in(3))
        call(SYS_recvfrom, any_fd(), any_pointer(), below(3000), flags_of("msg", 3, false), NULL, NULL);
    else
        call(SYS_recvmsg, any_fd(), m, flags_of("msg", 3, false) | (one_in(2) ? MSG_DONTWAIT : 0));
}

static void sh_many(void) {
    struct mmsghdr *m = room(4 * sizeof *m);
    unsigned n = below(5);
    for (unsigned i = 0; i < n; i++)
        message(&m[i].msg_hdr);
    if (one_in(2))
        call(SYS_sendmmsg, any_fd(), m, n, MSG_DONTWAIT);
    else
        call(SYS_recvmmsg, any_fd(), m, n, one_in(2) ? MSG_DONTWAIT : MSG_WAITFORONE, short_time());
}

static void sh_shutdown(void) { call(SYS_shutdown, any_fd(), below(4)); }

static void sh_option(void) {
    int *v = room(16);
    v[0] = one_in(3) ? (int)any_int() : (int)below(2);
    v[1] = v[2] = v[3] = 0;
    if (one_in(2))  // a time limit on waiting
        ((long *)v)[0] = 0, ((long *)v)[1] = (long)below(20000);
    call(SYS_setsockopt, any_fd(), SOL_SOCKET, one_in(2) ? SO_RCVTIMEO : (int)below(70), v, 4u << below(3));
}

const struct shape socket_shapes[] = {
    {sh_pair, 8}, {sh_listen, 5},   {sh_connect, 8}, {sh_sendmsg, 8}, {sh_recvmsg, 8},
    {sh_many, 3}, {sh_shutdown, 2}, {sh_option, 3},  {NULL, 0},
};
