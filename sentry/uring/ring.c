// SPDX-License-Identifier: Apache-2.0
// A ring as an open file and as memory; what is complete. See uring.h.
//
// The memory is a memfd, charged as such, all of it allocated when the ring is made, so that no access of
// ours can fail. Its layout is ours to choose, and is Linux's. Nobody but the sentry has a descriptor of it
// that could make it shorter.
#include "sentry/uring/uring.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/fs_ctx.h"
#include <string.h>
#include <sys/mman.h>

#define OVERFLOW_PER_ENTRY 4u  // so many completions are kept for each entry of the queue

// ---- Shared words -----------------------------------------------------------------------------------------
static uint32_t *word_at(const struct uring *r, unsigned at) { return (uint32_t *)(void *)(r->base + at); }
uint32_t uring_word(const struct uring *r, unsigned at) {
    return __atomic_load_n(word_at(r, at), __ATOMIC_ACQUIRE);
}
void uring_set_word(struct uring *r, unsigned at, uint32_t v) {
    __atomic_store_n(word_at(r, at), v, __ATOMIC_RELEASE);
}
static size_t cqe_size(unsigned flags) {
    return sizeof(struct linux_io_uring_cqe) << !!(flags & LINUX_IORING_SETUP_CQE32);
}
unsigned uring_sq_array(const struct uring *r) {
    return URING_CQES + r->cq_entries * (unsigned)cqe_size(r->flags);
}

bool uring_charge(struct uring *r, size_t n) { return worker_charge(&r->k->urings.budget, n); }
void uring_uncharge(struct uring *r, size_t n) { worker_uncharge(&r->k->urings.budget, n); }

// ---- Completions ------------------------------------------------------------------------------------------
static uint32_t taken(const struct uring *r) { return r->cq_tail - uring_word(r, URING_CQ_HEAD); }

// A head that is ahead of our tail, or too far behind, is the guest's mistake: there is no room then.
static bool has_room(const struct uring *r) { return taken(r) < r->cq_entries; }

static void put(struct uring *r, const struct linux_io_uring_cqe *cqe) {
    size_t size = cqe_size(r->flags);
    char *to = r->base + URING_CQES + (r->cq_tail & (r->cq_entries - 1)) * size;
    memset(to, 0, size);
    memcpy(to, cqe, sizeof *cqe);
    uring_set_word(r, URING_CQ_TAIL, ++r->cq_tail);
}

static void show_overflow(struct uring *r) {
    uint32_t flags = uring_word(r, URING_SQ_FLAGS) & ~LINUX_IORING_SQ_CQ_OVERFLOW;
    uring_set_word(r, URING_SQ_FLAGS, flags | (r->noverflow ? LINUX_IORING_SQ_CQ_OVERFLOW : 0));
}

static void drop_kept(struct uring *r, struct uring_overflow *o) {
    uring_uncharge(r, sizeof *o);
    free(o);
}

static void flush(struct uring *r) {
    bool had = r->noverflow;
    while (r->noverflow && has_room(r)) {
        struct uring_overflow *o = list_first(&r->overflow, struct uring_overflow, link);
        put(r, &o->cqe);
        list_del(&o->link);
        r->noverflow--;
        drop_kept(r, o);
    }
    if (had)
        show_overflow(r);
}
void uring_flush(struct uring *r) {
    LOCKED(&r->lock);
    flush(r);
}

static void keep(struct uring *r, const struct linux_io_uring_cqe *cqe) {
    bool may = r->noverflow < r->cq_entries * OVERFLOW_PER_ENTRY;
    may = may && uring_charge(r, sizeof(struct uring_overflow));
    struct uring_overflow *o = may ? znew(struct uring_overflow) : NULL;
    if (!o) {
        if (may)
            uring_uncharge(r, sizeof *o);
        uring_set_word(r, URING_CQ_OVERFLOW, uring_word(r, URING_CQ_OVERFLOW) + 1);
        return;
    }
    o->cqe = *cqe;
    list_add_tail(&r->overflow, &o->link);
    r->noverflow++;
    show_overflow(r);
}

bool uring_complete(struct uring *r, const struct linux_io_uring_cqe *cqe, bool must, bool counts,
                    bool inline_done) {
    struct file *told cleanup_file = NULL;
    {
        LOCKED(&r->lock);
        flush(r);
        bool room = has_room(r) && !r->noverflow;
        if (!room && !must)
            return false;
        if (room)
            put(r, cqe);
        else
            keep(r, cqe);
        r->completed += counts;
        bool wanted = !(uring_word(r, URING_CQ_FLAGS) & LINUX_IORING_CQ_EVENTFD_DISABLED) &&
                      !(r->eventfd_async && inline_done);
        if (r->eventfd && wanted)
            told = file_get(r->eventfd);
    }
    waitq_wake(&r->wait, LINUX_POLLIN | LINUX_POLLRDNORM);
    if (told)
        eventfd_signal(told);
    return true;
}

uint32_t uring_ready(struct uring *r) {
    LOCKED(&r->lock);
    flush(r);
    uint32_t n = taken(r);
    return n > r->cq_entries ? r->cq_entries : n;
}

// ---- The file ---------------------------------------------------------------------------------------------
static uint32_t ring_poll(struct file *f, struct waiter *w) {
    struct uring *r = f->priv;
    if (w)
        waitq_add(&r->wait, w);
    LOCKED(&r->lock);
    bool room = uring_word(r, URING_SQ_TAIL) - r->sq_head < r->sq_entries;
    bool ready = taken(r) || r->noverflow;
    return (room ? LINUX_POLLOUT | LINUX_POLLWRNORM : 0) | (ready ? LINUX_POLLIN | LINUX_POLLRDNORM : 0);
}

static int ring_mmap_fd(struct file *f, int prot, bool shared) {
    const struct uring *r = f->priv;
    return shared ? r->memory_fd : -LINUX_EINVAL;
}
static int ring_mmap_at(struct file *f, uint64_t *off, uint64_t len) {
    const struct uring *r = f->priv;
    uint64_t room = r->sqes_at;
    if (*off == LINUX_IORING_OFF_SQES)
        room = r->size - r->sqes_at;
    else if (*off != LINUX_IORING_OFF_SQ_RING && *off != LINUX_IORING_OFF_CQ_RING)
        return -LINUX_EINVAL;
    if (len > room)
        return -LINUX_EINVAL;
    *off = *off == LINUX_IORING_OFF_SQES ? r->sqes_at : 0;
    return 0;
}

void uring_put(struct uring *r) {
    struct uring_overflow *o, *tmp;
    if (!ref_put(&r->refs))
        return;
    list_for_each_safe(o, tmp, &r->overflow, link)
        drop_kept(r, o);
    uring_groups_free(r);  // a request that was under way at the ring's end may have added some
    if (r->base)
        munmap(r->base, r->size);
    if (r->memory)
        file_put(r->memory);
    waitq_destroy(&r->wait);
    lock_destroy(&r->lock);
    free(r);
}

static bool enlist(struct uring *r) {
    struct uring_set *s = &r->k->urings;
    const struct uring *other;
    unsigned n = 0;
    LOCKED(&s->lock);
    list_for_each(other, &s->rings, in_set)
        n++;
    if (n >= URING_RINGS_MOST)
        return false;
    r->number = ++s->last;
    list_add_tail(&s->rings, &r->in_set);
    return true;
}
static void delist(struct uring *r) {
    LOCKED(&r->k->urings.lock);
    list_del(&r->in_set);
}

static void ring_release(struct file *f) {
    struct uring *r = f->priv;
    delist(r);
    {
        LOCKED(&r->lock);
        r->dead = true;
    }
    uring_cancel_all(r, NULL);
    uring_unregister_all(r);
    uring_put(r);
}

static const struct file_ops ring_fops = {.poll = ring_poll,
                                          .mmap_fd = ring_mmap_fd,
                                          .mmap_at = ring_mmap_at,
                                          .release = ring_release,
                                          .seek = SEEK_NOWHERE};

struct uring *uring_of(struct file *f) {
    return f->ops == &ring_fops ? f->priv : NULL;
}

// ---- A new one --------------------------------------------------------------------------------------------
static unsigned round_up(unsigned n) {
    unsigned p = 1;
    while (p < n)
        p <<= 1;
    return p;
}

static int one_size(unsigned *n, unsigned most, bool clamp) {
    if (*n == 0 || (*n > most && !clamp))
        return -LINUX_EINVAL;
    *n = round_up(*n > most ? most : *n);
    return 0;
}
static int sizes(struct uring *r, unsigned entries, const struct linux_io_uring_params *p) {
    bool clamp = p->flags & LINUX_IORING_SETUP_CLAMP;
    r->sq_entries = entries;
    int err = one_size(&r->sq_entries, LINUX_IORING_MAX_ENTRIES, clamp);
    r->cq_entries = 2 * r->sq_entries;
    if (err == 0 && (p->flags & LINUX_IORING_SETUP_CQSIZE)) {
        r->cq_entries = p->cq_entries;
        err = one_size(&r->cq_entries, LINUX_IORING_MAX_CQ_ENTRIES, clamp);
        if (err == 0 && r->cq_entries < r->sq_entries)
            err = -LINUX_EINVAL;
    }
    return err;
}

static int make_memory(struct uring *r, struct task *t) {
    TASK_VFS_CTX(t, ctx);
    ctx.fsize_limit = UINT64_MAX;
    size_t sqe = sizeof(struct linux_io_uring_sqe) << !!(r->flags & LINUX_IORING_SETUP_SQE128);
    r->sqes_at = page_up(uring_sq_array(r) + r->sq_entries * sizeof(uint32_t));
    r->size = r->sqes_at + page_up(r->sq_entries * sqe);
    int err = memfd_open(t->k->vfs, "io_uring", 0, &r->memory);
    if (err == 0)
        err = vfs_ftruncate(&ctx, r->memory, r->size);
    if (err == 0)
        err = vfs_fallocate(&ctx, r->memory, 0, 0, r->size);
    if (err == 0)
        r->memory_fd = err = vfs_mmap_fd(r->memory, LINUX_PROT_READ | LINUX_PROT_WRITE, true);
    if (err < 0)
        return -LINUX_ENOMEM;
    void *p = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->memory_fd, 0);
    if (p == MAP_FAILED)
        return -LINUX_ENOMEM;
    r->base = p;
    return 0;
}

static void fill(struct uring *r, struct linux_io_uring_params *p) {
    uring_set_word(r, URING_SQ_MASK, r->sq_entries - 1);
    uring_set_word(r, URING_CQ_MASK, r->cq_entries - 1);
    uring_set_word(r, URING_SQ_ENTRIES, r->sq_entries);
    uring_set_word(r, URING_CQ_ENTRIES, r->cq_entries);
    p->sq_entries = r->sq_entries;
    p->cq_entries = r->cq_entries;
    p->features = LINUX_IORING_FEAT_SINGLE_MMAP | LINUX_IORING_FEAT_NODROP | LINUX_IORING_FEAT_SUBMIT_STABLE |
                  LINUX_IORING_FEAT_RW_CUR_POS | LINUX_IORING_FEAT_CUR_PERSONALITY |
                  LINUX_IORING_FEAT_FAST_POLL | LINUX_IORING_FEAT_POLL_32BITS | LINUX_IORING_FEAT_EXT_ARG |
                  LINUX_IORING_FEAT_NATIVE_WORKERS | LINUX_IORING_FEAT_CQE_SKIP |
                  LINUX_IORING_FEAT_LINKED_FILE;
    p->sq_off = (struct linux_io_sqring_offsets){.head = URING_SQ_HEAD,
                                                 .tail = URING_SQ_TAIL,
                                                 .ring_mask = URING_SQ_MASK,
                                                 .ring_entries = URING_SQ_ENTRIES,
                                                 .flags = URING_SQ_FLAGS,
                                                 .dropped = URING_SQ_DROPPED,
                                                 .array = uring_sq_array(r)};
    p->cq_off = (struct linux_io_cqring_offsets){.head = URING_CQ_HEAD,
                                                 .tail = URING_CQ_TAIL,
                                                 .ring_mask = URING_CQ_MASK,
                                                 .ring_entries = URING_CQ_ENTRIES,
                                                 .overflow = URING_CQ_OVERFLOW,
                                                 .cqes = URING_CQES,
                                                 .flags = URING_CQ_FLAGS};
}

static struct uring *new_ring(struct kernel *k, unsigned flags) {
    struct uring *r = znew(struct uring);
    if (!r)
        return NULL;
    ref_init(&r->refs, 1);
    r->k = k;
    r->flags = flags;
    r->disabled = flags & LINUX_IORING_SETUP_R_DISABLED;
    waitq_init(&r->wait);
    lock_init(&r->lock, RANK_OBJECT);
    list_init(&r->in_set);
    list_init(&r->overflow);
    list_init(&r->requests);
    list_init(&r->deferred);
    list_init(&r->groups);
    return r;
}

int uring_open(struct task *t, unsigned entries, struct linux_io_uring_params *p, struct file **out) {
    struct uring *r = new_ring(t->k, p->flags);
    if (!r)
        return -LINUX_ENOMEM;
    int err = sizes(r, entries, p);
    if (err == 0)
        err = make_memory(r, t);
    if (err == 0 && !enlist(r))
        err = -LINUX_ENOMEM;
    if (err < 0) {
        uring_put(r);
        return err;
    }
    fill(r, p);
    if ((r->flags & LINUX_IORING_SETUP_SINGLE_ISSUER) && !r->disabled)
        r->issuer = t;
    err = file_anon(t->k->vfs, "anon_inode:[io_uring]", NULL, &ring_fops, r, LINUX_O_RDWR, out);
    if (err < 0) {
        delist(r);
        uring_put(r);
    }
    return err;
}

// ---- Which there are --------------------------------------------------------------------------------------
void uring_set_init(struct uring_set *s) {
    lock_init(&s->lock, RANK_URINGS);
    list_init(&s->rings);
    s->budget.most = URING_BYTES_MOST;
}
void uring_set_destroy(struct uring_set *s) { lock_destroy(&s->lock); }

// The rings of the set, one after the other, with a reference: what is done to one may take a while. One
// whose last reference has gone is about to leave the set by itself.
static struct uring *next_of(struct uring_set *s, uint64_t after) {
    LOCKED(&s->lock);
    struct uring *r;
    list_for_each(r, &s->rings, in_set)
        if (r->number > after && ref_get_unless_zero(&r->refs))
            return r;
    return NULL;
}

void uring_task_ends(struct task *t) {
    if (!atomic_load(&t->uses_uring))
        return;
    uint64_t number = 0;
    for (struct uring *r; (r = next_of(&t->k->urings, number));) {
        number = r->number;
        uring_cancel_all(r, t);
        uring_put(r);
    }
    workers_run_ready();
}
