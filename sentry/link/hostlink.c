// SPDX-License-Identifier: Apache-2.0
// The host calls of links (link.h): frames in and out of a descriptor, each behind a struct vnet_hdr. A
// packet socket gives several frames at a time; to it, and to a tap, each goes with a writev(2), which has no
// room for an address: the filter leaves a sentry nothing on these descriptors that has.
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sentry/link/link.h"
#include "sentry/link/vnet.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOM   (sizeof(struct vnet_hdr) + VNET_FRAME_MAX)
#define PIECES 8  // of a frame that goes out, at most; the stack makes seven

// An error that ends a frame, not the link: the interface is down, or a frame had a form that the host cannot
// describe.
static bool passes(int err) {
    return err == EAGAIN || err == EINTR || err == ENETDOWN || err == EINVAL || err == ENOBUFS ||
           err == ENOMEM || err == EIO;
}
static int failed(int err) {
    if (passes(err))
        return 0;
    log_info("link: error %d", err);
    return -LINUX_EIO;
}

// ---- In ---------------------------------------------------------------------------------------------------
// Where the i-th frame is read to: the stack's memory, or ours when that is over its budget.
static uint8_t *room_of(struct link *l, unsigned i) {
    uint8_t *room = netif_room(l->nif, i, ROOM);
    return room || i > 0 ? room : l->spare;
}

static unsigned take(struct link *l, uint8_t *at, size_t got, struct ns_rx *rx, unsigned n) {
    struct ns_rx cut;
    if (l->rx.rate)
        bucket_take(&l->rx, got);
    switch (vnet_read(at, got, &rx[n])) {
    case VNET_PLAIN:
        capture_frame(l->capture, &(struct ns_iov){(void *)(uintptr_t)rx[n].frame, rx[n].len}, 1);
        return n + 1;
    case VNET_CUT:
        if (at == l->spare)  // the stack has no memory: as any frame then
            return n;
        // behind what came before, before what comes after
        netif_input_batch(l->nif, rx, n);
        for (unsigned i = 0; vnet_cut(at, got, i, l->spare, &cut); i++) {
            capture_frame(l->capture, &(struct ns_iov){l->spare, cut.len}, 1);
            netif_input(l->nif, cut.frame, cut.len, cut.flags);
        }
        return 0;
    default:
        return n;
    }
}

static int receive_packets(struct link *l, struct ns_rx *rx, bool *more) {
    struct mmsghdr m[LINK_BATCH];
    struct iovec v[LINK_BATCH];
    unsigned rooms = 0, n = 0;
    for (; rooms < LINK_BATCH; rooms++) {
        v[rooms] = (struct iovec){room_of(l, rooms), ROOM};
        if (!v[rooms].iov_base)
            break;
        m[rooms] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[rooms], .msg_iovlen = 1}};
    }
    int got = recvmmsg(l->fd, m, rooms, MSG_DONTWAIT, NULL);
    *more = got == (int)rooms;
    if (got < 0)
        return failed(errno);
    for (int i = 0; i < got; i++)
        if (!(m[i].msg_hdr.msg_flags & MSG_TRUNC))
            n = take(l, v[i].iov_base, m[i].msg_len, rx, n);
    return (int)n;
}

static int receive_tap(struct link *l, struct ns_rx *rx, bool *more) {
    unsigned n = 0;
    *more = false;
    for (unsigned i = 0; i < LINK_BATCH; i++) {
        uint8_t *at = room_of(l, i);
        ssize_t got = at ? read(l->fd, at, ROOM) : 0;
        if (got < 0)
            return n > 0 ? (int)n : failed(errno);
        if (got == 0)
            break;
        n = take(l, at, (size_t)got, rx, n);
        *more = i == LINK_BATCH - 1;
    }
    return (int)n;
}

int hostlink_receive(struct link *l, struct ns_rx rx[static LINK_BATCH], bool *more) {
    return l->kind == SENTRY_LINK_TAP ? receive_tap(l, rx, more) : receive_packets(l, rx, more);
}

// ---- Out --------------------------------------------------------------------------------------------------
int hostlink_send(struct link *l, const struct vnet_hdr *h, const struct ns_iov *iov, unsigned n) {
    struct iovec v[1 + PIECES] = {{(void *)(uintptr_t)h, sizeof *h}};
    if (n > PIECES)
        return -LINUX_EMSGSIZE;
    for (unsigned i = 0; i < n; i++)
        v[1 + i] = (struct iovec){iov[i].base, iov[i].len};
    return writev(l->fd, v, (int)n + 1) < 0 ? -LINUX_ENOBUFS : 0;
}

// ---- Numbers ----------------------------------------------------------------------------------------------
static int place(int fd, int number) {
    int got = fcntl(fd, F_DUPFD_CLOEXEC, number);
    if (got == number)
        return 0;
    if (got >= 0)
        close(got);
    return -LINUX_EMFILE;
}

int links_reserve(void) {
    int fd cleanup_close = eventfd(0, EFD_CLOEXEC), err = fd < 0 ? -LINUX_EMFILE : 0;
    for (int i = 0; err == 0 && i < LINK_FDS; i++)
        err = place(fd, LINK_FD + i);
    return err;
}

int hostlink_place(int fd, unsigned slot) {
    int number = LINK_FD + (int)slot;
    close(number);
    int err = place(fd, number);
    close(fd);
    return err < 0 ? err : number;
}
