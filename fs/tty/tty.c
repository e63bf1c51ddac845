// SPDX-License-Identifier: Apache-2.0
// The bytes and the readiness of a terminal, at both of its ends; opening, closing, hanging up. See tty.h.
// A near file keeps in f->pos, which a stream does not need, how often its terminal had been hung up when it
// was opened.
//
// LIMIT: a write that waits for room is done in pieces, and another one may come between them. What a reader
// does not take in time with VMIN above 1 stays in the terminal, where another reader may find it. EOF,
// echoes and signals come at once, where Linux hands them on from a work queue.
#include "fs/tty/tty.h"
#include "abi/caps.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "base/clock.h"

#define IN_EVENTS  (LINUX_POLLIN | LINUX_POLLRDNORM)
#define OUT_EVENTS (LINUX_POLLOUT | LINUX_POLLWRNORM)
#define OUT_ROOM \
    8u  // so much must be free before somebody who waits is told: the longest that one byte becomes
#define CHUNK 1024u  // of a near write, at a time

int tty_init(struct tty *t, const struct ctty_ops *ops, uint64_t dev) {
    if (!ldisc_init(&t->ld))
        return -LINUX_ENOMEM;
    if (!ring_init(&t->in, TTY_IN)) {
        ldisc_destroy(&t->ld);
        return -LINUX_ENOMEM;
    }
    ctty_init(&t->ctl, ops, dev);
    lock_init(&t->lock, RANK_OBJECT);
    waitq_init(&t->near);
    waitq_init(&t->far);
    return 0;
}
void tty_destroy(struct tty *t) {
    ldisc_destroy(&t->ld);
    free(t->in.data);
    waitq_destroy(&t->near);
    waitq_destroy(&t->far);
    lock_destroy(&t->lock);
}

// ---- Events -----------------------------------------------------------------------------------------------
static uint8_t packet_bits(uint32_t events) {
    return (uint8_t)((events & LD_FLUSH_READ ? LINUX_TIOCPKT_FLUSHREAD : 0) |
                     (events & LD_FLUSH_WRITE ? LINUX_TIOCPKT_FLUSHWRITE : 0) |
                     (events & LD_STOPPED ? LINUX_TIOCPKT_STOP : 0) |
                     (events & LD_STARTED ? LINUX_TIOCPKT_START : 0));
}
static void tell_packet(struct tty *t, uint32_t events) {
    uint8_t bits = packet_bits(events);
    if (!t->packet || !bits)
        return;
    if (bits & (LINUX_TIOCPKT_STOP | LINUX_TIOCPKT_START))
        t->packet_status &= (uint8_t) ~(LINUX_TIOCPKT_STOP | LINUX_TIOCPKT_START);
    t->packet_status |= bits;
    waitq_wake(&t->far, IN_EVENTS | LINUX_POLLPRI);
}
void tty_done(struct tty *t) {
    static const int signals[] = {LINUX_SIGINT, LINUX_SIGQUIT,
                                  LINUX_SIGTSTP};  // as LD_INTR, LD_QUIT, LD_SUSP
    uint32_t events = t->ld.events;
    t->ld.events = 0;
    tell_packet(t, events);
    if (events & LD_INPUT)
        waitq_wake(&t->near, IN_EVENTS);
    if (events & LD_OUTPUT)
        waitq_wake(&t->far, IN_EVENTS);
    if (events & (LD_STARTED | LD_FLUSH_WRITE))
        waitq_wake(&t->near, OUT_EVENTS);
    lock_drop(&t->lock);
    for (unsigned i = 0; i < 3; i++)
        if (events & (LD_INTR << i))
            ctty_signal(&t->ctl, signals[i]);
}
void tty_pump(struct tty *t) {
    bool was_full = ring_room(&t->in) == 0;
    while (t->in.len) {
        struct iovec v[2];
        ring_pieces(&t->in, 0, t->in.len, v);
        size_t n = ldisc_receive(&t->ld, v[0].iov_base, v[0].iov_len);
        if (n == 0)
            break;
        ring_drop(&t->in, (uint32_t)n);
        t->last_input = mono_ns();
    }
    if (was_full && ring_room(&t->in))
        waitq_wake(&t->far, OUT_EVENTS);
}

// ---- The near end -----------------------------------------------------------------------------------------
bool tty_hung_up(struct tty *t, const struct file *f) { return f->pos != t->hangups; }

// How many bytes this read must find; what is there is enough for who does not wait, or has waited long
// enough.
static uint32_t least(const struct tty *t, const struct file *f, const struct uio *u) {
    uint32_t min = t->ld.t.c_cc[LINUX_VMIN];
    bool now = (u->flags & UIO_ENOUGH) || (atomic_load(&f->flags) & LINUX_O_NONBLOCK);
    if (ldisc_lines(&t->ld) || now || min == 0)
        return 1;
    return u->left < min ? (uint32_t)u->left : min;
}
static bool answers_nothing(const struct tty *t, const struct uio *u) {
    const uint8_t *cc = t->ld.t.c_cc;
    return !ldisc_lines(&t->ld) && ((u->flags & UIO_ENOUGH) || (!cc[LINUX_VMIN] && !cc[LINUX_VTIME]));
}
static int64_t take_input(struct tty *t, struct file *f, struct uio *u) {
    struct iovec v[2];
    uint32_t take;
    if (tty_hung_up(t, f))
        return 0;
    if (ldisc_available(&t->ld) < least(t, f, u))
        return answers_nothing(t, u) && !ldisc_available(&t->ld) ? 0 : -LINUX_EAGAIN;
    uint32_t n = ldisc_peek(&t->ld, u->left, v, &take);
    int64_t got = n ? uio_tov(u, v, v[1].iov_len ? 2 : 1) : 0;
    if (got < 0)
        return got;
    ldisc_take(&t->ld, got == n ? take : (uint32_t)got);
    tty_pump(t);
    return got;
}
static int64_t near_read(struct file *f, struct uio *u, uint64_t off) {
    struct tty *t = f->priv;
    int err = ctty_check(&t->ctl, LINUX_SIGTTIN);
    if (err)
        return err;
    if (u->left == 0)
        return 0;
    lock_take(&t->lock);
    int64_t n = take_input(t, f, u);
    tty_done(t);
    return n;
}
// VTIME without VMIN is for the whole read; with it, from byte to byte.
static uint64_t near_deadline(struct file *f, uint64_t before) {
    struct tty *t = f->priv;
    LOCKED(&t->lock);
    uint64_t patience = t->ld.t.c_cc[LINUX_VTIME] * (NS_PER_SEC / 10);
    if (ldisc_lines(&t->ld) || !patience || tty_hung_up(t, f))
        return 0;
    bool between = t->ld.t.c_cc[LINUX_VMIN];
    if (between && !ldisc_available(&t->ld))
        return 0;
    if (!before)
        return mono_ns() + patience;
    return between && t->last_input + patience > before ? t->last_input + patience : before;
}
static int64_t put_output(struct tty *t, struct uio *u) {
    uint8_t buf[CHUNK];
    int64_t done = 0;
    while (u->left > 0) {
        int64_t got = uio_from(u, buf, u->left < CHUNK ? u->left : CHUNK);
        if (got <= 0)
            return done ? done : got;
        size_t n = ldisc_write(&t->ld, buf, (size_t)got);
        uio_back(u, (size_t)got - n);
        done += (int64_t)n;
        t->refused = n < (size_t)got;
        if (t->refused)
            break;
    }
    return done || u->left == 0 ? done : -LINUX_EAGAIN;
}
static int64_t near_write(struct file *f, struct uio *u, uint64_t off) {
    struct tty *t = f->priv;
    lock_take(&t->lock);
    bool hung_up = tty_hung_up(t, f), asks = t->ld.t.c_lflag & LINUX_TOSTOP;
    lock_drop(&t->lock);
    if (hung_up)
        return -LINUX_EIO;
    int64_t n = asks ? ctty_check(&t->ctl, LINUX_SIGTTOU) : 0;
    if (n)
        return n;
    lock_take(&t->lock);
    n = tty_hung_up(t, f) ? -LINUX_EIO : put_output(t, u);
    tty_done(t);
    return n;
}
static uint32_t near_poll(struct file *f, struct waiter *w) {
    struct tty *t = f->priv;
    if (w)
        waitq_add(&t->near, w);
    LOCKED(&t->lock);
    if (tty_hung_up(t, f))
        return IN_EVENTS | OUT_EVENTS | LINUX_POLLERR | LINUX_POLLHUP;
    uint32_t ev = ldisc_readable(&t->ld) ? IN_EVENTS : 0;
    if (!t->ld.stopped && !t->ld.echo.len && ring_room(&t->ld.out) >= OUT_ROOM)
        ev |= OUT_EVENTS;
    return ev;
}
static uint32_t both_ways(struct file *f) {
    return (f->mode & FMODE_READ ? LINUX_POLLIN : 0) | (f->mode & FMODE_WRITE ? LINUX_POLLOUT : 0);
}
static void near_release(struct file *f) {
    struct tty *t = f->priv;
    if (!t)
        return;
    {
        LOCKED(&t->lock);
        if (--t->opens == 0 && t->state == TTY_OPEN) {
            t->state = TTY_UNUSED;
            waitq_wake(&t->far, LINUX_POLLHUP | IN_EVENTS);
        }
    }
    ctty_put(&t->ctl);
}
static const struct file_ops near_ops = {
    .read = near_read,
    .write = near_write,
    .poll = near_poll,
    .async = both_ways,
    .ioctl = tty_near_ioctl,
    .read_deadline = near_deadline,
    .release = near_release,
};
struct tty *tty_near(struct file *f) {
    return f->ops == &near_ops ? f->priv : NULL;
}

static int join(struct tty *t, struct file *f) {
    LOCKED(&t->lock);
    if (t->state == TTY_DEAD || t->locked)
        return -LINUX_EIO;
    if (t->exclusive && !ctty_capable(LINUX_CAP_SYS_ADMIN))
        return -LINUX_EBUSY;
    t->opens++;
    t->state = TTY_OPEN;
    f->pos = t->hangups;
    return 0;
}
int tty_open(struct tty *t, struct file *f) {
    int err = join(t, f);
    if (err)
        return err;
    f->mode &= ~FMODE_SEEK;
    f->ops = &near_ops;
    f->priv = t;
    ctty_get(&t->ctl);
    if (!(atomic_load(&f->flags) & LINUX_O_NOCTTY))
        ctty_opened(&t->ctl, f);
    return 0;
}

static void hang_up(struct tty *t, bool dead) {
    lock_take(&t->lock);
    t->hangups++;
    if (dead)
        t->state = TTY_DEAD;
    ldisc_flush_input(&t->ld);
    t->in.len = 0;
    ldisc_start(&t->ld);
    waitq_wake(&t->near, IN_EVENTS | OUT_EVENTS | LINUX_POLLERR | LINUX_POLLHUP);
    tty_done(t);
    ctty_gone(&t->ctl);
}
void tty_hangup(struct tty *t) { hang_up(t, false); }

// ---- The far end ------------------------------------------------------------------------------------------
static int64_t take_output(struct tty *t, struct uio *u) {
    struct tty_ring *out = &t->ld.out;
    struct iovec v[3];
    static const uint8_t data = LINUX_TIOCPKT_DATA;
    size_t head = t->packet, n = u->left - head < out->len ? u->left - head : out->len;
    v[0] = (struct iovec){(void *)(uintptr_t)&data, 1};
    unsigned k = ring_pieces(out, 0, (uint32_t)n, v + 1);
    int64_t got = uio_tov(u, v + !t->packet, k + t->packet);
    if (got <= (int64_t)head)
        return got;
    ring_drop(out, (uint32_t)got - (uint32_t)head);
    ldisc_flush_echo(&t->ld);
    if (ring_room(out) >= OUT_ROOM) {
        waitq_wake(&t->near, OUT_EVENTS | (t->refused ? 0 : VFS_WAKE_QUIET));
        t->refused = false;
    }
    return got;
}
int64_t tty_far_read(struct tty *t, struct uio *u) {
    if (u->left == 0)
        return 0;
    lock_take(&t->lock);
    int64_t n;
    if (t->packet && t->packet_status) {
        n = uio_to(u, &t->packet_status, 1);
        if (n == 1)
            t->packet_status = 0;
    } else if (t->ld.out.len) {
        n = take_output(t, u);
    } else {
        n = t->state == TTY_UNUSED ? -LINUX_EIO : -LINUX_EAGAIN;
    }
    tty_done(t);
    return n;
}
// What the line discipline does not keep (erased, or too much for a line) makes room for more at once, and a
// key may have it show a whole line again: no more than so much is taken by one call.
#define FAR_WRITE_MAX TTY_IN
int64_t tty_far_write(struct tty *t, struct uio *u) {
    int64_t done = 0, n = 1;
    lock_take(&t->lock);
    while (n > 0 && u->left > 0 && done < FAR_WRITE_MAX && !t->far_held) {
        struct iovec v[2];
        uint32_t room = ring_room(&t->in), want = u->left < room ? (uint32_t)u->left : room;
        if (want == 0)
            break;
        unsigned k = ring_pieces(&t->in, t->in.len, want, v);
        n = uio_fromv(u, v, k);
        if (n <= 0)
            break;
        t->in.len += (uint32_t)n;
        done += n;
        tty_pump(t);
    }
    bool blocked = u->left > 0 && n > 0;
    tty_done(t);
    if (done)
        return done;
    if (blocked)
        return -LINUX_EAGAIN;
    return n < 0 ? n : 0;
}
uint32_t tty_far_poll(struct tty *t, struct waiter *w) {
    if (w)
        waitq_add(&t->far, w);
    LOCKED(&t->lock);
    uint32_t ev = t->ld.out.len ? IN_EVENTS : 0;
    if (t->packet && t->packet_status)
        ev |= IN_EVENTS | LINUX_POLLPRI;
    if (t->state == TTY_UNUSED)
        ev |= LINUX_POLLHUP;
    if (ring_room(&t->in) && !t->far_held)
        ev |= OUT_EVENTS;
    return ev;
}
void tty_far_close(struct tty *t) { hang_up(t, true); }
