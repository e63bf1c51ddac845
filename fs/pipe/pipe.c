// SPDX-License-Identifier: Apache-2.0
// Pipes and fifos: a ring of pages that are allocated when first written, and kept, so that a ping-pong of
// small writes allocates nothing (an empty ring starts again at its first page). Writes of at most PIPE_BUF
// bytes go in whole or not at all. Capacity is counted in bytes, not in page slots as on Linux. A call makes
// no host call but those of the copy and of waking a waiter. The sentry adds SIGPIPE to EPIPE. Lock:
// pipe->lock (RANK_OBJECT); inode->pipe by inode->lock.
// In packet mode (O_DIRECT) a write of up to PIPE_BUF bytes is one packet, and a read takes one: where
// packets lie in the stream is noted beside the bytes. There are as many as Linux has slots for.
//
// LIMIT: a transfer whose buffer faults midway moves what lies before it, here and on stream sockets (Linux:
// what fills whole pages, else EFAULT).
#include "fs/pipe/pipe.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "fs/core.h"
#include <stdio.h>
#include <string.h>

#define PAGE GUEST_PAGE_SIZE

struct pipe {
    struct lock lock;
    struct waitq wait;
    unsigned readers, writers;            // [lock] open ends
    uint32_t reader_count, writer_count;  // [lock] how many ever came: a fifo's open waits for a change
    // [lock] bytes: capacity (a power of two), in it, place of the first
    uint32_t size, len, head;
    uint64_t taken;                       // [lock] bytes that were ever taken out
    unsigned users;                       // [inode->lock] open files; the last one frees
    uint8_t **pages;                      // [lock] size / PAGE
    struct packet {
        uint64_t start, end;              // as `taken` counts
    } *packets;                           // [lock] size / PAGE of them, from first_packet on; NULL: none yet
    uint32_t npackets, first_packet;      // [lock]
    struct budget *budget;                // [c] what pages are charged to
};

// NULL: no memory, or no more for pipes.
static uint8_t *page_new(struct pipe *p) {
    if (!budget_take(p->budget, PAGE))
        return NULL;
    uint8_t *page = xcalloc(1, PAGE);
    if (!page)
        budget_give(p->budget, PAGE);
    return page;
}
static void pages_free(struct pipe *p, uint8_t **pages, uint32_t size) {
    for (uint32_t k = 0; k < size / PAGE; k++) {
        budget_give(p->budget, pages[k] ? PAGE : 0);
        free(pages[k]);
    }
    free(pages);
}

// ---- The ring ---------------------------------------------------------------------------------------------
// The n bytes of the ring behind the first `skip`, as pieces of its pages, UIO_GATHER at most: how many
// pieces, and *bytes in all. Pages that are not there yet are made; without memory for one it ends before it.
static unsigned ring_pieces(struct pipe *p, uint32_t skip, uint32_t n, struct iovec *v, uint32_t *bytes) {
    unsigned k = 0;
    for (*bytes = 0; *bytes < n && k < UIO_GATHER; k++) {
        uint32_t at = (p->head + skip + *bytes) & (p->size - 1), page = at / PAGE, in = at % PAGE;
        uint32_t run = n - *bytes < PAGE - in ? n - *bytes : (uint32_t)(PAGE - in);
        if (!p->pages[page] && !(p->pages[page] = page_new(p)))
            break;
        v[k] = (struct iovec){p->pages[page] + in, run};
        *bytes += run;
    }
    return k;
}
static int64_t ring_put(struct pipe *p, struct uio *u, uint32_t n) {
    uint32_t done = 0;
    if (p->len == 0)
        p->head = 0;
    while (done < n) {
        struct iovec v[UIO_GATHER];
        uint32_t run;
        unsigned k = ring_pieces(p, p->len, n - done, v, &run);
        int64_t got = k ? uio_fromv(u, v, k) : -LINUX_ENOMEM;
        if (got < 0)
            return done ? (int64_t)done : got;
        p->len += (uint32_t)got;
        done += (uint32_t)got;
        if (got < run)
            break;
    }
    return done;
}
static int64_t ring_take(struct pipe *p, struct uio *u) {
    uint32_t done = 0;
    while (p->len > 0 && u->left > 0) {
        struct iovec v[UIO_GATHER];
        uint32_t run;
        unsigned k = ring_pieces(p, 0, u->left < p->len ? (uint32_t)u->left : p->len, v, &run);
        int64_t put = uio_tov(u, v, k);
        if (put < 0)
            return done ? (int64_t)done : put;
        p->head = (p->head + (uint32_t)put) & (p->size - 1);
        p->len -= (uint32_t)put;
        p->taken += (uint64_t)put;
        done += (uint32_t)put;
        if (put < run)
            break;
    }
    return done;
}

// ---- Packets ----------------------------------------------------------------------------------------------
static uint32_t packets_max(const struct pipe *p) { return p->size / PAGE; }

// The packet that is to be read next; NULL: the next *plain bytes belong to none.
static struct packet *next_packet(struct pipe *p, uint32_t *plain) {
    *plain = p->len;
    while (p->npackets > 0) {
        struct packet *k = &p->packets[p->first_packet];
        if (k->end > p->taken) {
            *plain = k->start > p->taken ? (uint32_t)(k->start - p->taken) : 0;
            return *plain ? NULL : k;
        }
        p->first_packet = (p->first_packet + 1) % packets_max(p);
        p->npackets--;
    }
    return NULL;
}

// Gives the rest of a packet up: the reader's buffer was too small for it.
static void drop_to(struct pipe *p, uint64_t end) {
    uint32_t n = (uint32_t)(end - p->taken);
    p->head = (p->head + n) & (p->size - 1);
    p->len -= n;
    p->taken = end;
}

static int64_t packet_take(struct pipe *p, struct uio *u) {
    uint32_t plain;
    const struct packet *k = next_packet(p, &plain);
    uint64_t end = k ? k->end : p->taken + plain;
    size_t more = u->left > end - p->taken ? u->left - (size_t)(end - p->taken) : 0;
    u->left -= more;
    int64_t n = ring_take(p, u);
    u->left += more;
    if (n > 0 && k)
        drop_to(p, end);
    return n;
}

// One packet, or several for what is longer.
static int64_t packet_put(struct pipe *p, struct uio *u) {
    int64_t done = 0;
    uint32_t plain;
    next_packet(p, &plain);  // lets go of those that are read
    if (!p->packets && !(p->packets = xcalloc(packets_max(p), sizeof *p->packets)))
        return -LINUX_ENOMEM;
    while (u->left > 0 && p->npackets < packets_max(p) && p->size - p->len >= LINUX_PIPE_BUF) {
        uint64_t start = p->taken + p->len;
        int64_t n = ring_put(p, u, u->left < LINUX_PIPE_BUF ? (uint32_t)u->left : LINUX_PIPE_BUF);
        if (n <= 0)
            return done ? done : n;
        p->packets[(p->first_packet + p->npackets++) % packets_max(p)] =
            (struct packet){start, start + (uint64_t)n};
        done += n;
    }
    return done ? done : -LINUX_EAGAIN;
}

// ---- file_ops ---------------------------------------------------------------------------------------------
static int64_t read_locked(struct pipe *p, struct uio *u) {
    if (p->len)
        return p->npackets ? packet_take(p, u) : ring_take(p, u);
    return p->writers ? -LINUX_EAGAIN : 0;
}
static int64_t pipe_read(struct file *f, struct uio *u, uint64_t off) {
    struct pipe *p = f->priv;
    if (u->left == 0)
        return 0;
    lock_take(&p->lock);
    int64_t n = read_locked(p, u);
    bool room = p->writers && p->size - p->len >= LINUX_PIPE_BUF;
    lock_drop(&p->lock);
    if (n > 0 && room)
        waitq_wake(&p->wait, LINUX_POLLOUT | LINUX_POLLWRNORM);
    return n;
}
static int64_t pipe_write(struct file *f, struct uio *u, uint64_t off) {
    struct pipe *p = f->priv;
    int64_t n;
    if (u->left == 0)
        return 0;
    lock_take(&p->lock);
    uint32_t room = p->size - p->len;
    if (!p->readers)
        n = -LINUX_EPIPE;
    else if (atomic_load_explicit(&f->flags, memory_order_relaxed) & LINUX_O_DIRECT)
        n = packet_put(p, u);
    else if (room == 0 || (u->left <= LINUX_PIPE_BUF && u->left > room))
        n = -LINUX_EAGAIN;
    else
        n = ring_put(p, u, u->left < room ? (uint32_t)u->left : room);
    lock_drop(&p->lock);
    if (n > 0)
        waitq_wake(&p->wait, LINUX_POLLIN | LINUX_POLLRDNORM);
    return n;
}
static uint32_t pipe_poll(struct file *f, struct waiter *w) {
    struct pipe *p = f->priv;
    uint32_t ev = 0;
    if (w)
        waitq_add(&p->wait, w);
    LOCKED(&p->lock);
    if (f->mode & FMODE_READ) {
        if (p->len)
            ev |= LINUX_POLLIN | LINUX_POLLRDNORM;
        // A fifo that no writer has opened yet has not been hung up.
        if (!p->writers && p->writer_count != (uint32_t)f->pos)
            ev |= LINUX_POLLHUP;
    }
    if (f->mode & FMODE_WRITE) {
        if (p->size - p->len >= LINUX_PIPE_BUF && p->npackets < packets_max(p))
            ev |= LINUX_POLLOUT | LINUX_POLLWRNORM;
        if (!p->readers)
            ev |= LINUX_POLLERR;
    }
    return ev;
}
static uint32_t pipe_async(struct file *f) {
    return (f->mode & FMODE_READ ? LINUX_POLLIN : 0) | (f->mode & FMODE_WRITE ? LINUX_POLLOUT : 0);
}
static int64_t pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct pipe *p = f->priv;
    if (cmd != LINUX_FIONREAD)
        return -LINUX_ENOTTY;
    lock_take(&p->lock);
    int32_t n = (int32_t)p->len;
    lock_drop(&p->lock);
    return ua->out(ua, uaddr(arg), &n, sizeof n);
}
static void pipe_free(struct pipe *p) {
    pages_free(p, p->pages, p->size);
    free(p->packets);
    waitq_destroy(&p->wait);
    lock_destroy(&p->lock);
    free(p);
}
static void pipe_release(struct file *f) {
    struct pipe *p = f->priv;
    struct inode *i = f->inode;
    if (!p)
        return;
    lock_take(&i->lock);
    lock_take(&p->lock);
    p->readers -= (f->mode & FMODE_READ) != 0;
    p->writers -= (f->mode & FMODE_WRITE) != 0;
    lock_drop(&p->lock);
    bool last = --p->users == 0;
    if (last)
        i->pipe = NULL;
    else
        waitq_wake(&p->wait, LINUX_POLLIN | LINUX_POLLOUT | LINUX_POLLERR | LINUX_POLLHUP | LINUX_POLLRDNORM |
                                 LINUX_POLLWRNORM);
    lock_drop(&i->lock);
    if (last)
        pipe_free(p);
}
static const struct file_ops pipe_ops = {
    .read = pipe_read, .write = pipe_write, .poll = pipe_poll, .async = pipe_async, .ioctl = pipe_ioctl,
    .release = pipe_release};

// ---- Making and opening -----------------------------------------------------------------------------------
static struct pipe *pipe_new(struct vfs *v) {
    struct pipe *p = znew(struct pipe);
    uint8_t **pages = p ? xcalloc(PIPE_DEFAULT_SIZE / PAGE, sizeof *pages) : NULL;
    if (!pages) {
        free(p);
        return NULL;
    }
    lock_init(&p->lock, RANK_OBJECT);
    waitq_init(&p->wait);
    p->size = PIPE_DEFAULT_SIZE;
    p->pages = pages;
    p->budget = &v->buffers;
    return p;
}
// Counts f in as an end. inode->lock is held.
static void join(struct pipe *p, struct file *f) {
    f->ops = &pipe_ops;
    f->priv = p;
    p->users++;
    LOCKED(&p->lock);
    if (f->mode & FMODE_READ) {
        p->readers++;
        p->reader_count++;
    }
    if (f->mode & FMODE_WRITE) {
        p->writers++;
        p->writer_count++;
    }
}
// f->pos, which a stream does not need, remembers the other side's count at the time of opening: who waits is
// done when it has moved (a peer that came and went counts), and a reader sees no hang-up before.
#define WAITS (1ull << 63)
int fifo_open(struct inode *i, struct file *f) {
    f->mode &= ~FMODE_SEEK;
    lock_take(&i->lock);
    if (!i->pipe && !(i->pipe = pipe_new(i->sb->vfs))) {
        lock_drop(&i->lock);
        return -LINUX_ENOMEM;
    }
    struct pipe *p = i->pipe;
    bool rd = f->mode & FMODE_READ, wr = f->mode & FMODE_WRITE;
    bool nonblock = atomic_load_explicit(&f->flags, memory_order_relaxed) & LINUX_O_NONBLOCK;
    int err = !rd && !wr ? -LINUX_EINVAL : 0;
    if (wr && !rd && nonblock && !p->readers)
        err = -LINUX_ENXIO;
    if (err && !p->users) {
        i->pipe = NULL;
        pipe_free(p);
    }
    if (!err) {
        join(p, f);
        // A pipe(2) reached by /proc/PID/fd never waits: only fifos with a name do.
        bool named = i->sb != i->sb->vfs->nameless[NAMELESS_PIPE]->sb;
        bool wait = named && rd != wr && !(rd ? p->writers : p->readers);
        uint32_t seen = rd ? p->writer_count : p->reader_count;
        f->pos = wait ? seen : seen - 1u;  // somebody is here: the count has moved
        if (wait && !nonblock) {
            f->pos |= WAITS;
            err = -LINUX_EAGAIN;
        }
    }
    lock_drop(&i->lock);
    if (!err || err == -LINUX_EAGAIN)
        waitq_wake(&p->wait, LINUX_POLLIN | LINUX_POLLOUT);
    return err;
}
int fifo_open_again(struct file *f, struct waiter *w) {
    struct pipe *p = f->priv;
    if (w)
        waitq_add(&p->wait, w);
    if (!(f->pos & WAITS))
        return 0;
    LOCKED(&p->lock);
    uint32_t now = f->mode & FMODE_READ ? p->writer_count : p->reader_count;
    if (now == (uint32_t)f->pos)
        return -LINUX_EAGAIN;
    f->pos &= ~WAITS;
    return 0;
}

int pipe_open(struct vfs *vfs, unsigned flags, struct file *ends[2]) {
    static const struct inode_ops pipe_inode_ops = {.setattr = inode_setattr_block};
    char name[32];
    struct vfs_attr a = {.mode = LINUX_S_IFIFO | 0600, .ino = inode_next_ino(vfs), .nlink = 1};
    if (flags & ~(LINUX_O_CLOEXEC | LINUX_O_NONBLOCK | LINUX_O_DIRECT))
        return -LINUX_EINVAL;
    struct inode *i = inode_new(vfs->nameless[NAMELESS_PIPE]->sb, &pipe_inode_ops, NULL, &a);
    struct pipe *p = i ? pipe_new(vfs) : NULL;
    if (!p) {
        if (i)
            inode_put(i);
        return -LINUX_ENOMEM;
    }
    snprintf(name, sizeof name, "pipe:[%llu]", (unsigned long long)a.ino);
    flags &= LINUX_O_NONBLOCK | LINUX_O_DIRECT;
    int err = file_anon(vfs, name, i, &pipe_ops, NULL, flags | LINUX_O_RDONLY, &ends[0]);
    if (err) {
        pipe_free(p);
        return err;
    }
    path_get(&ends[0]->path);
    ends[1] = file_new(vfs, &ends[0]->path, flags | LINUX_O_WRONLY, FMODE_WRITE | FMODE_NAMELESS);
    if (!ends[1]) {
        path_put(&ends[0]->path);
        file_put(ends[0]);
        pipe_free(p);
        return -LINUX_ENOMEM;
    }
    i->pipe = p;
    lock_take(&i->lock);
    join(p, ends[0]);
    join(p, ends[1]);
    lock_drop(&i->lock);
    ends[0]->pos = 0;  // a writer has been here: the count is 1
    return 0;
}

// ---- Size -------------------------------------------------------------------------------------------------
static struct pipe *pipe_of(struct file *f) { return f->ops == &pipe_ops ? f->priv : NULL; }
int64_t pipe_get_size(struct file *f) {
    struct pipe *p = pipe_of(f);
    if (!p)
        return -LINUX_EBADF;
    LOCKED(&p->lock);
    return p->size;
}
// Moves what is in the ring to the front of a new page table. p->lock is held.
// The notes of packets in a ring of another size.
static int resize_packets(struct pipe *p, uint32_t size) {
    uint32_t plain;
    if (!p->packets)
        return 0;
    next_packet(p, &plain);
    if (p->npackets > size / PAGE)
        return -LINUX_EBUSY;
    struct packet *more = xcalloc(size / PAGE, sizeof *more);
    if (!more)
        return -LINUX_ENOMEM;
    for (uint32_t i = 0; i < p->npackets; i++)
        more[i] = p->packets[(p->first_packet + i) % packets_max(p)];
    free(p->packets);
    p->packets = more;
    p->first_packet = 0;
    return 0;
}
static int resize(struct pipe *p, uint32_t size) {
    uint8_t **pages = xcalloc(size / PAGE, sizeof *pages);
    if (!pages)
        return -LINUX_ENOMEM;
    for (uint32_t at = 0; at < p->len;) {
        uint32_t from = (p->head + at) & (p->size - 1), in = from % PAGE, to = at % PAGE;
        uint32_t run = (uint32_t)(PAGE - (in > to ? in : to));
        run = run < p->len - at ? run : p->len - at;
        if (!pages[at / PAGE] && !(pages[at / PAGE] = page_new(p))) {
            pages_free(p, pages, size);
            return -LINUX_ENOMEM;
        }
        memcpy(pages[at / PAGE] + to, p->pages[from / PAGE] + in, run);
        at += run;
    }
    int err = resize_packets(p, size);
    if (err < 0) {
        pages_free(p, pages, size);
        return err;
    }
    pages_free(p, p->pages, p->size);
    p->pages = pages;
    p->size = size;
    p->head = 0;
    return 0;
}
int64_t pipe_set_size(struct file *f, uint64_t size, bool capable) {
    struct pipe *p = pipe_of(f);
    uint32_t want = (uint32_t)PAGE;
    if (!p)
        return -LINUX_EBADF;
    if (size > 1u << 31)
        return -LINUX_EINVAL;
    while (want < size)
        want *= 2;
    LOCKED(&p->lock);
    if (want > knob(&f->inode->sb->vfs->knobs, KNOB_PIPE_MAX) && want > p->size && !capable)
        return -LINUX_EPERM;
    if (want < p->len)
        return -LINUX_EBUSY;
    int err = want == p->size ? 0 : resize(p, want);
    if (!err)
        waitq_wake(&p->wait, LINUX_POLLOUT | LINUX_POLLWRNORM);
    return err ? err : (int64_t)want;
}

// ---- For splice -------------------------------------------------------------------------------------------
bool file_is_pipe(const struct file *f) { return f->ops == &pipe_ops; }

int64_t pipe_peek(struct file *f, void *buf, size_t n, uint64_t skip, uint64_t *mark) {
    struct pipe *p = f->priv;
    size_t done = 0;
    LOCKED(&p->lock);
    *mark = p->taken;
    if (p->len == 0)
        return p->writers ? -LINUX_EAGAIN : 0;
    if (skip >= p->len)
        return 0;
    n = n < p->len - skip ? n : (size_t)(p->len - skip);
    while (done < n) {
        uint32_t at = (uint32_t)(p->head + skip + done) & (p->size - 1), in = at % PAGE;
        size_t run = n - done < PAGE - in ? n - done : (size_t)(PAGE - in);
        memcpy((char *)buf + done, p->pages[at / PAGE] + in, run);
        done += run;
    }
    return (int64_t)done;
}

void pipe_consume(struct file *f, size_t n, uint64_t mark) {
    struct pipe *p = f->priv;
    lock_take(&p->lock);
    bool mine = p->taken == mark && n <= p->len;
    if (mine) {
        p->head = (p->head + (uint32_t)n) & (p->size - 1);
        p->len -= (uint32_t)n;
        p->taken += n;
    }
    bool room = mine && p->writers && p->size - p->len >= LINUX_PIPE_BUF;
    lock_drop(&p->lock);
    if (room)
        waitq_wake(&p->wait, LINUX_POLLOUT | LINUX_POLLWRNORM);
}

int64_t pipe_room(struct file *f) {
    struct pipe *p = f->priv;
    LOCKED(&p->lock);
    if (!p->readers)
        return -LINUX_EPIPE;
    // As poll says it, so that who waits for room and finds some goes on.
    return p->size - p->len < LINUX_PIPE_BUF ? -LINUX_EAGAIN : (int64_t)(p->size - p->len);
}
