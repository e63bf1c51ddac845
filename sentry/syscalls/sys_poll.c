// SPDX-License-Identifier: Apache-2.0
// Waiting for many files: poll ppoll select pselect6. Decodes, copies the lists in once, and gives the
// answers back; the waiting is in poll_set.c. A call that finds something at once costs two copies and no
// allocation for few files.
//
// LIMIT: poll writes the range from the first to the last revents as one copy, so a thread that changes fd or
// events of the same list meanwhile sees its change undone.
#include "abi/signal.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/poll_set.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define STICKY_TIMEOUTS 0x4000000u  // personality(2)

static bool waits(int64_t r) { return r == SYS_PARK || r == SYS_AGAIN; }

// ---- The time that is left, as Linux writes it back -------------------------------------------------------
enum time_kind { TIME_VAL, TIME_SPEC };

static int put_left(struct task *t, uaddr_t to, enum time_kind kind, uint64_t deadline) {
    uint64_t now = mono_ns(), left = deadline > now ? deadline - now : 0;
    if (kind == TIME_VAL) {
        struct linux_timeval tv = time_to_val(left);
        return copy_out_obj(t, to, &tv);
    }
    struct linux_timespec ts = time_to_spec(left);
    return copy_out_obj(t, to, &ts);
}

// A time that cannot be written (read-only memory) is no error, but then the call cannot be made again
// either.
static int64_t finish(struct task *t, int64_t r, uaddr_t to, enum time_kind kind, uint64_t deadline) {
    if (uaddr_is_null(to) || waits(r))
        return r;
    bool put = !(t->personality & STICKY_TIMEOUTS) &&
               (deadline == POLL_AT_ONCE || deadline == POLL_FOREVER || put_left(t, to, kind, deadline) == 0);
    return !put && r == -LINUX_ERESTARTNOHAND ? -LINUX_EINTR : r;
}

static int64_t get_time(struct task *t, uaddr_t from, enum time_kind kind, uint64_t *deadline) {
    struct linux_timespec ts;
    uint64_t ns;
    *deadline = POLL_FOREVER;
    if (uaddr_is_null(from))
        return 0;
    if (copy_in_obj(t, &ts, from) < 0)
        return -LINUX_EFAULT;
    if (kind == TIME_VAL) {  // microseconds may exceed a second, select(2)
        if (ts.tv_sec < 0 || ts.tv_nsec < 0)
            return -LINUX_EINVAL;
        uint64_t sec = (uint64_t)ts.tv_sec + (uint64_t)ts.tv_nsec / 1000000;
        ts.tv_sec = sec > INT64_MAX ? INT64_MAX : (int64_t)sec;
        ts.tv_nsec = ts.tv_nsec % 1000000 * 1000;
    }
    if (!time_from_spec(&ts, &ns))
        return -LINUX_EINVAL;
    *deadline = poll_deadline(ns);
    return 0;
}

// ---- poll -------------------------------------------------------------------------------------------------
static int poll_get(struct task *t, struct poll_set *s, uaddr_t from, unsigned n) {
    struct linux_pollfd fast[POLL_FAST], *p = n > POLL_FAST ? xcalloc(n, sizeof *p) : fast;
    if (!p)
        return -LINUX_ENOMEM;
    int err = copy_in(t, p, from, n * sizeof *p);
    for (unsigned i = 0; i < n && err == 0; i++) {
        s->e[i].fd = p[i].fd;
        s->e[i].events = (uint16_t)p[i].events;
    }
    if (p != fast)
        free(p);
    return err;
}

static int poll_put(struct task *t, const struct poll_set *s, uaddr_t to) {
    unsigned n = s->n;
    const size_t skip = offsetof(struct linux_pollfd, revents);
    struct linux_pollfd fast[POLL_FAST], *p = n > POLL_FAST ? xcalloc(n, sizeof *p) : fast;
    if (!p)
        return -LINUX_ENOMEM;
    for (unsigned i = 0; i < n; i++)
        p[i] = (struct linux_pollfd){s->e[i].fd, (int16_t)s->e[i].events, (int16_t)s->e[i].revents};
    int err = n ? copy_out(t, uaddr_add(to, skip), (char *)p + skip, n * sizeof *p - skip) : 0;
    if (p != fast)
        free(p);
    return err;
}

// A set that has to wait is moved, and is the call's from then on; s is empty then.
static int64_t poll_run(struct task *t, struct poll_set *s, uaddr_t fds, uint64_t deadline) {
    int64_t r = poll_set_wait(&s, deadline);
    if (r < 0)
        return r;
    int err = poll_put(t, s, fds);
    return err < 0 ? err : r;
}

static int64_t do_poll(struct task *t, uaddr_t fds, unsigned n, uint64_t deadline) {
    struct poll_set *kept = poll_set_of(t);
    if (kept)
        return poll_run(t, kept, fds, deadline);
    if (n > FD_MAX || n > task_rlimit(t, LINUX_RLIMIT_NOFILE))
        return -LINUX_EINVAL;
    if (!user_range_ok(fds.v, n * sizeof(struct linux_pollfd)))
        return -LINUX_EFAULT;
    struct poll_set s __attribute__((cleanup(poll_set_free)));
    int err = poll_set_init(&s, t, n, LINUX_POLLERR | LINUX_POLLHUP);
    if (err < 0)
        return err;
    err = poll_get(t, &s, fds, n);
    return err < 0 ? err : poll_run(t, &s, fds, deadline);
}

// Interrupted, and no handler ran: goes on with the same deadline.
static int64_t poll_restart(struct task *t) {
    const struct poll_wait *w = &t->restart_notes.poll;
    int64_t r = do_poll(t, w->fds, w->n, w->deadline);
    return r == -LINUX_ERESTARTNOHAND ? -LINUX_ERESTART_RESTARTBLOCK : r;
}

int64_t sys_poll(struct task *t, const struct sysargs *a) {
    struct poll_wait *w = &t->call.notes.poll;
    int32_t ms = arg_int(a, 2);
    if (!t->call.again) {
        w->fds = arg_ptr(a, 0);
        w->n = arg_u32(a, 1);
        w->deadline = ms < 0 ? POLL_FOREVER : poll_deadline((uint64_t)ms * 1000000);
    }
    int64_t r = do_poll(t, w->fds, w->n, w->deadline);
    if (r != -LINUX_ERESTARTNOHAND)
        return r;
    t->restart_fn = poll_restart;
    t->restart_notes.poll = *w;
    return -LINUX_ERESTART_RESTARTBLOCK;
}

// The first run of a call with a time and a mask: what it waits for, until when.
static int64_t wait_begin(struct task *t, uaddr_t time, uaddr_t mask, size_t size) {
    int64_t err = get_time(t, time, TIME_SPEC, &t->call.notes.poll.deadline);
    return err < 0 ? err : wait_mask(t, mask, size);
}

int64_t sys_ppoll(struct task *t, const struct sysargs *a) {
    const struct poll_wait *w = &t->call.notes.poll;
    if (!t->call.again) {
        int64_t err = wait_begin(t, arg_ptr(a, 2), arg_ptr(a, 3), arg_size(a, 4));
        if (err < 0)
            return err;
    }
    int64_t r = do_poll(t, arg_ptr(a, 0), arg_u32(a, 1), w->deadline);
    r = finish(t, r, arg_ptr(a, 2), TIME_SPEC, w->deadline);
    return signal_tmp_mask_end(t, r);
}

// ---- select -----------------------------------------------------------------------------------------------
#define WORD_BITS 64u
#define FAST_WORDS (LINUX_FD_SETSIZE / WORD_BITS)

// The three sets, one after the other; words each.
struct fd_sets {
    unsigned n, words;
    uint64_t *w, fast[3 * FAST_WORDS];
};
static const uint32_t set_events[3] = {
    LINUX_POLLIN | LINUX_POLLRDNORM | LINUX_POLLRDBAND | LINUX_POLLHUP | LINUX_POLLERR,
    LINUX_POLLOUT | LINUX_POLLWRNORM | LINUX_POLLWRBAND | LINUX_POLLERR,
    LINUX_POLLPRI,
};

static int sets_init(struct fd_sets *f, unsigned n) {
    f->n = n;
    f->words = (n + WORD_BITS - 1) / WORD_BITS;
    f->w = f->fast;
    if (f->words > FAST_WORDS) {
        f->w = xcalloc(3 * (size_t)f->words, sizeof *f->w);
        return f->w ? 0 : -LINUX_ENOMEM;
    }
    memset(f->fast, 0, 3 * f->words * sizeof f->fast[0]);
    return 0;
}
static void sets_free(struct fd_sets *f) {
    if (f->w != f->fast)
        free(f->w);
}
static bool has_bit(const struct fd_sets *f, unsigned set, unsigned fd) {
    return f->w[set * f->words + fd / WORD_BITS] >> fd % WORD_BITS & 1;
}
static void set_bit(struct fd_sets *f, unsigned set, unsigned fd) {
    f->w[set * f->words + fd / WORD_BITS] |= UINT64_C(1) << fd % WORD_BITS;
}
static uint32_t wanted(const struct fd_sets *f, unsigned fd) {
    uint32_t events = 0;
    for (unsigned set = 0; set < 3; set++)
        if (has_bit(f, set, fd))
            events |= set_events[set];
    return events;
}

static int sets_get(struct task *t, struct fd_sets *f, const uaddr_t from[3]) {
    size_t bytes = f->words * sizeof *f->w;
    for (unsigned set = 0; set < 3; set++)
        if (!uaddr_is_null(from[set]) && copy_in(t, f->w + set * f->words, from[set], bytes) < 0)
            return -LINUX_EFAULT;
    return 0;
}
static int sets_put(struct task *t, const struct fd_sets *f, const uaddr_t to[3]) {
    size_t bytes = f->words * sizeof *f->w;
    for (unsigned set = 0; set < 3; set++)
        if (!uaddr_is_null(to[set]) && copy_out(t, to[set], f->w + set * f->words, bytes) < 0)
            return -LINUX_EFAULT;
    return 0;
}

// An entry for each descriptor that is in any of the sets.
static int select_entries(struct task *t, struct poll_set *s, const struct fd_sets *f) {
    unsigned count = 0;
    for (unsigned i = 0; i < f->words; i++)
        count += (unsigned)__builtin_popcountll(f->w[i] | f->w[f->words + i] | f->w[2 * f->words + i]);
    int err = poll_set_init(s, t, count, 0);
    if (err < 0)
        return err;
    unsigned at = 0;
    for (unsigned fd = 0; fd < f->n; fd++) {
        uint32_t events = wanted(f, fd);
        if (events) {
            s->e[at].fd = (int32_t)fd;
            s->e[at++].events = events;
        }
    }
    s->n = at;  // bits behind nfds do not count
    return 0;
}

// After an error there is nothing to free.
static int select_begin(struct task *t, struct poll_set *s, unsigned n, const uaddr_t from[3]) {
    struct fd_sets f __attribute__((cleanup(sets_free)));
    int err = sets_init(&f, n);
    if (err < 0)
        return err;
    err = sets_get(t, &f, from);
    return err < 0 ? err : select_entries(t, s, &f);
}

// From what was found to the three sets: how many bits, or -LINUX_EBADF. Which sets an entry was in, its
// events tell: each set has events that no other one has.
static int64_t select_answer(struct task *t, const struct poll_set *s, unsigned n, const uaddr_t to[3]) {
    static const uint32_t own[3] = {LINUX_POLLIN, LINUX_POLLOUT, LINUX_POLLPRI};
    struct fd_sets f __attribute__((cleanup(sets_free)));
    int64_t bits = 0;
    int err = sets_init(&f, n);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < s->n; i++) {
        const struct poll_entry *e = &s->e[i];
        if (!e->file)
            return -LINUX_EBADF;
        for (unsigned set = 0; set < 3; set++)
            if ((e->events & own[set]) && (e->revents & set_events[set])) {
                set_bit(&f, set, (unsigned)e->fd);
                bits++;
            }
    }
    err = sets_put(t, &f, to);
    return err < 0 ? err : bits;
}

static int64_t select_run(struct task *t, struct poll_set *s, const uaddr_t sets[3]) {
    const struct poll_wait *w = &t->call.notes.poll;
    int64_t r = poll_set_wait(&s, w->deadline);
    return r < 0 ? r : select_answer(t, s, w->n, sets);
}

static int64_t do_select(struct task *t, const struct sysargs *a) {
    const uaddr_t sets[3] = {arg_ptr(a, 1), arg_ptr(a, 2), arg_ptr(a, 3)};
    struct poll_wait *w = &t->call.notes.poll;
    struct poll_set here, *kept = poll_set_of(t);
    if (kept)
        return select_run(t, kept, sets);
    if (arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    // As on Linux, what is beyond the table does not exist. `size` only grows; an old value will do.
    unsigned nfds = arg_u32(a, 0), size = __atomic_load_n(&t->files->size, __ATOMIC_RELAXED);
    w->n = nfds < size ? nfds : size;
    int err = select_begin(t, &here, w->n, sets);
    if (err < 0)
        return err;
    int64_t r = select_run(t, &here, sets);
    poll_set_free(&here);
    return r;
}

int64_t sys_select(struct task *t, const struct sysargs *a) {
    struct poll_wait *w = &t->call.notes.poll;
    if (!t->call.again) {
        int64_t err = get_time(t, arg_ptr(a, 4), TIME_VAL, &w->deadline);
        if (err < 0)
            return err;
    }
    return finish(t, do_select(t, a), arg_ptr(a, 4), TIME_VAL, w->deadline);
}

// The sixth argument is a pointer to two: the mask and its size.
static int64_t pselect_begin(struct task *t, const struct sysargs *a) {
    struct {
        uint64_t mask, size;
    } arg = {0, 0};
    if (arg_given(a, 5) && copy_in_obj(t, &arg, arg_ptr(a, 5)) < 0)
        return -LINUX_EFAULT;
    return wait_begin(t, arg_ptr(a, 4), uaddr(arg.mask), arg.size);
}

int64_t sys_pselect6(struct task *t, const struct sysargs *a) {
    if (!t->call.again) {
        int64_t err = pselect_begin(t, a);
        if (err < 0)
            return err;
    }
    int64_t r = finish(t, do_select(t, a), arg_ptr(a, 4), TIME_SPEC, t->call.notes.poll.deadline);
    return signal_tmp_mask_end(t, r);
}
