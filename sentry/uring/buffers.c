// SPDX-License-Identifier: Apache-2.0
// Groups of buffers that requests choose from: lists that were provided, and rings in guest memory. All
// under the ring's lock; how many there are is bounded, since they are the guest's to add.
#include "sentry/uring/uring.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include <stddef.h>

#define GROUPS_MOST   1024u
#define PROVIDED_MOST 65536u
#define RING_MOST     32768u

static struct uring_group *find(struct uring *r, uint16_t id) {
    struct uring_group *g;
    list_for_each(g, &r->groups, link)
        if (g->id == id)
            return g;
    return NULL;
}

static struct uring_group *make(struct uring *r, uint16_t id) {
    if (r->ngroups >= GROUPS_MOST || !uring_charge(r, sizeof(struct uring_group)))
        return NULL;
    struct uring_group *g = znew(struct uring_group);
    if (!g) {
        uring_uncharge(r, sizeof *g);
        return NULL;
    }
    g->id = id;
    list_add_tail(&r->groups, &g->link);
    r->ngroups++;
    return g;
}

static void drop(struct uring *r, struct uring_group *g) {
    list_del(&g->link);
    r->ngroups--;
    r->nprovided -= g->room;
    uring_uncharge(r, sizeof *g + g->room * sizeof *g->list);
    free(g->list);
    free(g);
}

void uring_groups_free(struct uring *r) {
    struct uring_group *g, *tmp;
    list_for_each_safe(g, tmp, &r->groups, link)
        drop(r, g);
}

// ---- The list of a group, a queue -------------------------------------------------------------------------
static bool make_room(struct uring *r, struct uring_group *g, unsigned more) {
    if (g->room - g->n >= more)
        return true;
    unsigned room = g->n + more;
    size_t bytes = (room - g->room) * sizeof *g->list;
    if (room - g->room > PROVIDED_MOST - r->nprovided || !uring_charge(r, bytes))
        return false;
    struct linux_io_uring_buf *list = xcalloc(room, sizeof *list);
    if (!list) {
        uring_uncharge(r, bytes);
        return false;
    }
    for (unsigned i = 0; i < g->n; i++)
        list[i] = g->list[(g->first + i) % g->room];
    free(g->list);
    g->list = list;
    g->first = 0;
    r->nprovided += room - g->room;
    g->room = room;
    return true;
}

static void push(struct uring_group *g, const struct linux_io_uring_buf *b) {
    g->list[(g->first + g->n++) % g->room] = *b;
}
static void push_front(struct uring_group *g, const struct linux_io_uring_buf *b) {
    g->first = (g->first + g->room - 1) % g->room;
    g->list[g->first] = *b;
    g->n++;
}
static void pop(struct uring_group *g, struct linux_io_uring_buf *b) {
    *b = g->list[g->first];
    g->first = (g->first + 1) % g->room;
    g->n--;
}

// ---- Choosing ---------------------------------------------------------------------------------------------
// From the guest's ring, which is read once.
static int take_from_ring(struct uring_req *q, struct uring_group *g) {
    uint16_t tail;
    size_t tail_at = offsetof(struct linux_io_uring_buf, resv);
    uint64_t entry = g->at + (uint64_t)(g->head & g->mask) * sizeof q->buffer;
    if (copy_in_some(q->w.t, &tail, uaddr(g->at + tail_at), sizeof tail) != (int64_t)sizeof tail)
        return -LINUX_EFAULT;
    if (tail == g->head)
        return -LINUX_ENOBUFS;
    if (copy_in_some(q->w.t, &q->buffer, uaddr(entry), sizeof q->buffer) != (int64_t)sizeof q->buffer)
        return -LINUX_EFAULT;
    g->head++;
    return 0;
}

int uring_buffer_take(struct uring_req *q) {
    struct uring *r = q->ring;
    int err = -LINUX_ENOBUFS;
    LOCKED(&r->lock);
    struct uring_group *g = find(r, q->sqe.buf_index);
    if (g && g->n) {
        pop(g, &q->buffer);
        err = 0;
    } else if (g && g->ring) {
        err = make_room(r, g, 1) ? take_from_ring(q, g) : -LINUX_ENOMEM;  // so that it can be given back
    }
    if (err < 0)
        return err;
    q->has_buffer = true;
    q->cqe_flags = LINUX_IORING_CQE_F_BUFFER | (uint32_t)q->buffer.bid << LINUX_IORING_CQE_BUFFER_SHIFT;
    return 0;
}

// A group that has gone since, or has no room, loses it.
void uring_buffer_give_back(struct uring_req *q) {
    struct uring *r = q->ring;
    q->cqe_flags = 0;
    if (!q->has_buffer)
        return;
    q->has_buffer = false;
    LOCKED(&r->lock);
    struct uring_group *g = find(r, q->sqe.buf_index);
    if (g && make_room(r, g, 1))
        push_front(g, &q->buffer);
}

// ---- Adding and removing ----------------------------------------------------------------------------------
int uring_buffers_add(struct uring *r, uint16_t group, uint64_t addr, uint32_t len, unsigned n,
                      uint16_t bid) {
    LOCKED(&r->lock);
    struct uring_group *g = find(r, group);
    g = g ? g : make(r, group);
    if (!g)
        return -LINUX_ENOMEM;
    if (g->ring)
        return -LINUX_EINVAL;
    if (!make_room(r, g, n))
        return -LINUX_ENOMEM;
    for (unsigned i = 0; i < n; i++)
        push(g, &(struct linux_io_uring_buf){addr + (uint64_t)i * len, len, (uint16_t)(bid + i), 0});
    return 0;
}

int uring_buffers_remove(struct uring *r, uint16_t group, unsigned n) {
    LOCKED(&r->lock);
    struct uring_group *g = find(r, group);
    if (!g)
        return -LINUX_ENOENT;
    if (g->ring)
        return -LINUX_EINVAL;
    unsigned gone = n < g->n ? n : g->n;
    if (g->room)
        g->first = (g->first + gone) % g->room;
    g->n -= gone;
    return (int)gone;
}

static int add_ring(struct uring *r, const struct linux_io_uring_buf_reg *a) {
    if (!a->ring_addr || a->ring_addr % GUEST_PAGE_SIZE)
        return a->ring_addr ? -LINUX_EINVAL : -LINUX_EFAULT;
    if (!a->ring_entries || (a->ring_entries & (a->ring_entries - 1)) || a->ring_entries > RING_MOST)
        return -LINUX_EINVAL;
    struct uring_group *g = find(r, a->bgid);
    if (g && (g->ring || g->n))
        return -LINUX_EEXIST;
    g = g ? g : make(r, a->bgid);
    if (!g)
        return -LINUX_ENOMEM;
    g->ring = true;
    g->at = a->ring_addr;
    g->mask = (uint16_t)(a->ring_entries - 1);
    g->head = 0;
    return 0;
}

int uring_buffer_ring(struct uring *r, struct task *t, uaddr_t arg, bool add) {
    struct linux_io_uring_buf_reg a;
    if (copy_in_obj(t, &a, arg) < 0)
        return -LINUX_EFAULT;
    if (a.flags || a.resv[0] || a.resv[1] || a.resv[2])
        return -LINUX_EINVAL;
    LOCKED(&r->lock);
    if (add)
        return add_ring(r, &a);
    struct uring_group *g = find(r, a.bgid);
    if (!g)
        return -LINUX_ENOENT;
    if (!g->ring)
        return -LINUX_EINVAL;
    drop(r, g);
    return 0;
}
