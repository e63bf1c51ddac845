// SPDX-License-Identifier: Apache-2.0
// PACKET_RX_RING of packet sockets (Documentation/networking/packet_mmap.rst), TPACKET_V2: frames in memory
// that is shared with the reader, each with a status that says whose it is. The memory is a memfd, charged as
// such; the sentry does not map it, but writes frames and looks at statuses through the descriptor, so what
// the reader does to it meanwhile is his own loss.
//
// Frames are moved when somebody asks whether there are any (poll), until then they wait in the stack's
// queue, which SO_RCVBUF bounds.
#include "abi/errno.h"
#include "abi/inet.h"
#include "base/clock.h"
#include "base/fault.h"
#include "abi/mman.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/socket/packet.h"
#include <stdlib.h>
#include <string.h>

#define RING_MAX    (64u << 20)
#define RESERVE_MAX 4096
#define ALIGN(n)    (((n) + 15u) & ~15u)  // TPACKET_ALIGN
#define HEADER \
    (ALIGN((uint32_t)sizeof(struct linux_tpacket2_hdr)) + (uint32_t)sizeof(struct linux_sockaddr_ll))

static void ring_free(struct packet_ring *r) {
    if (r->file)
        file_put(r->file);
    free(r->frame);
    *r = (struct packet_ring){0};
}
void packet_ring_free(struct packet_sock *p) { ring_free(&p->ring); }

static int check(const struct packet_sock *p, const struct linux_tpacket_req *r) {
    if (r->tp_block_size == 0 || r->tp_block_size % 4096 || r->tp_frame_size < HEADER + 16 + p->reserve ||
        r->tp_frame_size % 16 || r->tp_frame_size > r->tp_block_size)
        return -LINUX_EINVAL;
    uint32_t per_block = r->tp_block_size / r->tp_frame_size;
    if ((uint64_t)per_block * r->tp_block_nr != r->tp_frame_nr)
        return -LINUX_EINVAL;
    return (uint64_t)r->tp_block_size * r->tp_block_nr > RING_MAX ? -LINUX_ENOMEM : 0;
}

#define FRAME_MOST 65536u
static struct packet_ring ring_of(struct file *f, int fd, char *frame, const struct linux_tpacket_req *r) {
    if (!f)
        return (struct packet_ring){0};
    return (struct packet_ring){.file = f,
                                .fd = fd,
                                .frame = frame,
                                .frames = r->tp_frame_nr,
                                .size = r->tp_frame_size,
                                .block = r->tp_block_size,
                                .per_block = r->tp_block_size / r->tp_frame_size};
}

// Its memory: *f and the descriptor, or -LINUX_E*.
static int make_memory(struct packet_sock *p, struct task *t, const struct linux_tpacket_req *r,
                       struct file **f) {
    TASK_VFS_CTX(t, ctx);
    int err = p->version == LINUX_TPACKET_V2 ? check(p, r) : -LINUX_EINVAL;
    if (err == 0)
        err = memfd_open(t->k->vfs, "packet ring", 0, f);
    if (err < 0)
        return err;
    err = vfs_ftruncate(&ctx, *f, (uint64_t)r->tp_block_size * r->tp_block_nr);
    if (err == 0)
        err = vfs_mmap_fd(*f, LINUX_PROT_READ | LINUX_PROT_WRITE, true);
    if (err < 0)
        file_put(*f);
    return err;
}

// No blocks: the ring goes.
int packet_ring_set(struct packet_sock *p, struct task *t, const void *buf, uint32_t len) {
    struct linux_tpacket_req r;
    struct file *f = NULL;
    int err = 0;
    if (len < sizeof r)
        return -LINUX_EINVAL;
    memcpy(&r, buf, sizeof r);
    if (r.tp_block_nr == 0 && r.tp_frame_nr)
        return -LINUX_EINVAL;
    int fd = r.tp_block_nr ? make_memory(p, t, &r, &f) : 0;
    if (fd < 0)
        return fd;
    char *frame = f ? xcalloc(1, FRAME_MOST) : NULL;
    struct packet_ring drop = ring_of(f, fd, frame, &r);
    if (f && !frame)
        err = -LINUX_ENOMEM;
    {
        LOCKED(&p->lock);
        if (err == 0 && p->ring.file && (f || p->ring.mapped))
            err = -LINUX_EBUSY;
        if (err == 0) {
            struct packet_ring new = drop;
            drop = p->ring;
            p->ring = new;
        }
    }
    ring_free(&drop);
    return err;
}

int packet_ring_option(struct packet_sock *p, int name, int32_t v) {
    LOCKED(&p->lock);
    if (name == LINUX_PACKET_TIMESTAMP)
        return 0;  // there is one clock
    if (p->ring.file)
        return -LINUX_EBUSY;
    if (name == LINUX_PACKET_RESERVE) {
        if (v < 0 || v > RESERVE_MAX)
            return -LINUX_EINVAL;
        p->reserve = (uint32_t)v;
        return 0;
    }
    if (v != LINUX_TPACKET_V1 && v != LINUX_TPACKET_V2)
        return -LINUX_EINVAL;
    p->version = v;
    return 0;
}

int packet_member(struct packet_sock *p, bool add, const void *buf, uint32_t len) {
    struct linux_packet_mreq m;
    struct net_link l;
    if (len < sizeof m)
        return -LINUX_EINVAL;
    memcpy(&m, buf, sizeof m);
    if (m.mr_alen > sizeof m.mr_address)
        return -LINUX_EINVAL;
    return net_link_by_index(&p->s.net->inet.links.source, m.mr_ifindex, &l) ? 0 : -LINUX_ENODEV;
}

int packet_ring_fd(struct packet_sock *p) { return p->ring.file ? p->ring.fd : -LINUX_EINVAL; }

static uint64_t place(const struct packet_ring *r, uint32_t frame) {
    return (uint64_t)(frame / r->per_block) * r->block + (uint64_t)(frame % r->per_block) * r->size;
}

static bool put(const struct packet_ring *r, uint32_t frame, uint32_t at, void *data, size_t n) {
    struct uio_kernel k;
    uio_kernel_init(&k, data, n);
    return uio_write_fd(r->fd, &k.u, place(r, frame) + at) == (int64_t)n;
}

static bool is_users(const struct packet_ring *r, uint32_t frame) {
    struct uio_kernel k;
    uint32_t status = 0;
    uio_kernel_init(&k, &status, sizeof status);
    return uio_read_fd(r->fd, &k.u, place(r, frame)) == (int64_t)sizeof status &&
           status & LINUX_TP_STATUS_USER;
}

// One frame of the queue. False: there is none.
static bool move_one(struct packet_sock *p) {
    struct packet_ring *r = &p->ring;
    char *buf = r->frame;
    struct ns_mem_io io;
    struct ns_addr from;
    struct ns_extra x = {.when = 0};
    bool raw = p->s.type == LINUX_SOCK_RAW;
    uint32_t net = ALIGN(HEADER + 16) + p->reserve, mac = raw ? net - PACKET_LINK_HEADER : net;
    uint32_t room = r->size > mac ? r->size - mac : 0, most = room < FRAME_MOST ? room : FRAME_MOST;
    int64_t whole = ns_recv_with(p->ns, ns_io_to(&io, buf, most), NS_MSG_TRUNC, &from, &x);
    if (whole < 0)
        return false;
    uint32_t n = (uint32_t)whole < most ? (uint32_t)whole : most;
    uint64_t when = real_ns() - (mono_ns() - x.when);
    struct {
        struct linux_tpacket2_hdr h;
        struct linux_sockaddr_ll ll;
    } head = {.h = {.tp_len = (uint32_t)whole,
                    .tp_snaplen = n,
                    .tp_mac = (uint16_t)mac,
                    .tp_net = (uint16_t)net,
                    .tp_sec = (uint32_t)(when / NS_PER_SEC),
                    .tp_nsec = (uint32_t)(when % NS_PER_SEC)}};
    packet_from(p, &from, &head.ll);
    uint32_t status =
        LINUX_TP_STATUS_USER | LINUX_TP_STATUS_CSUM_VALID | (n < (uint32_t)whole ? LINUX_TP_STATUS_COPY : 0);
    if (put(r, r->next, mac, buf, n) && put(r, r->next, 4, (char *)&head + 4, sizeof head - 4))
        put(r, r->next, 0, &status, sizeof status);  // the last: it is the reader's from now on
    r->next = (r->next + 1) % r->frames;
    return true;
}

bool packet_ring_fill(struct packet_sock *p) {
    struct packet_ring *r = &p->ring;
    if (!r->file)
        return false;
    while (ns_ready(p->ns) & NS_IN && !is_users(r, r->next) && move_one(p))
        ;
    return is_users(r, (r->next + r->frames - 1) % r->frames);
}
