// SPDX-License-Identifier: Apache-2.0
// What tmpfs may take: of each file system's own limit and of the sandbox' (half of its memory, as a tmpfs of
// Linux has). Called by data.c, inode.c, names.c, xattr.c with an inode's lock held.
//
// Pages that guests make through a mapping are charged when they are counted: before anybody is given
// something, at most each COUNT_NS, and when there seems to be nothing left; at statfs; and when the file
// itself is looked at or changed.
// LIMIT: a store through a mapping is not refused, where Linux sends SIGBUS when a tmpfs is full: its pages
// are charged afterwards, and until they are given back nothing more is written, allocated, or mapped with
// holes.
#include "base/clock.h"
#include "fs/tmpfs/node.h"
#include <time.h>

#define COUNT_NS 20000000  // 20 ms; and at least 20 times what the last count took

static bool take_within(_Atomic uint64_t *used, uint64_t max, uint64_t n) {
    uint64_t was = atomic_load_explicit(used, memory_order_relaxed);
    do {
        if (max && (was > max || n > max - was))
            return false;
    } while (!atomic_compare_exchange_weak(used, &was, was + n));
    return true;
}
static bool take_pages(struct tsuper *s, uint64_t n) {
    if (!take_within(&s->quota.pages, s->quota.max_pages, n))
        return false;
    if (take_within(&s->memory->quota.pages, s->memory->quota.max_pages, n))
        return true;
    atomic_fetch_sub(&s->quota.pages, n);
    return false;
}
void tquota_give(struct tsuper *s, uint64_t pages) {
    atomic_fetch_sub(&s->quota.pages, pages);
    atomic_fetch_sub(&s->memory->quota.pages, pages);
}

// ---- Mapped files -----------------------------------------------------------------------------------------
// vfs_memory.lock is held, or nobody else knows n.
static void count(struct tnode *n) {
    struct tsuper *s = tsuper(n->inode);
    int64_t now = hostmem_pages(n->data.fd);
    if (now < 0)
        return;
    atomic_fetch_add(&s->quota.pages, (uint64_t)now - n->data.charged);
    atomic_fetch_add(&s->memory->quota.pages, (uint64_t)now - n->data.charged);
    n->data.charged = (uint64_t)now;
}
void tquota_recount(struct tnode *n) {
    LOCKED(&tsuper(n->inode)->memory->lock);
    count(n);
    n->inode->attr.blocks = n->data.charged * (GUEST_PAGE_SIZE / 512);
}
static void count_all(struct vfs_memory *m) {
    struct tnode *n;
    uint64_t start = mono_ns();
    LOCKED(&m->lock);
    list_for_each(n, &m->mapped, mapped_link)
        count(n);
    uint64_t end = mono_ns(), pause = 20 * (end - start);
    atomic_store(&m->next_count, (int64_t)(end + (pause > COUNT_NS ? pause : COUNT_NS)));
}
void tquota_count(struct vfs_memory *m) {
    if (atomic_load_explicit(&m->nmapped, memory_order_relaxed) &&
        (int64_t)mono_ns() >= atomic_load(&m->next_count))
        count_all(m);
}
bool tquota_take(struct tsuper *s, uint64_t pages) {
    struct vfs_memory *m = s->memory;
    tquota_count(m);
    if (take_pages(s, pages))
        return true;
    if (atomic_load(&m->nmapped))
        count_all(m);  // guests may have punched holes
    bool taken = take_pages(s, pages);
    if (!taken && m->use)
        use_refused(m->use);
    return taken;
}
bool tquota_full(struct tsuper *s) {
    if (!tquota_take(s, 1))
        return true;
    tquota_give(s, 1);
    return false;
}
void tquota_mapped(struct tnode *n) {
    struct vfs_memory *m = tsuper(n->inode)->memory;
    if (n->data.mapped)
        return;
    n->data.mapped = true;
    LOCKED(&m->lock);
    list_add(&m->mapped, &n->mapped_link);
    atomic_fetch_add(&m->nmapped, 1);
}
void tquota_forget(struct tnode *n) {
    struct tsuper *s = tsuper(n->inode);
    if (n->data.mapped) {
        LOCKED(&s->memory->lock);
        list_del(&n->mapped_link);
        atomic_fetch_sub(&s->memory->nmapped, 1);
    }
    tquota_give(s, n->data.charged);
    n->data.charged = 0;
}

// ---- What is no page --------------------------------------------------------------------------------------
bool tquota_take_bytes(struct tsuper *s, uint64_t bytes) {
    if (!take_within(&s->quota.bytes, s->quota.max_bytes, bytes))
        return false;
    if (take_within(&s->memory->quota.bytes, s->memory->quota.max_bytes, bytes))
        return true;
    atomic_fetch_sub(&s->quota.bytes, bytes);
    if (s->memory->use)
        use_refused(s->memory->use);
    return false;
}
void tquota_give_bytes(struct tsuper *s, uint64_t bytes) {
    atomic_fetch_sub(&s->quota.bytes, bytes);
    atomic_fetch_sub(&s->memory->quota.bytes, bytes);
}

// ---- statfs -----------------------------------------------------------------------------------------------
static uint64_t rest(uint64_t max, uint64_t used) { return used < max ? max - used : 0; }
static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

// The size is the file system's own limit, or else the sandbox'; free is what both still give.
static void figures(uint64_t own_max, uint64_t own, uint64_t all_max, uint64_t all, uint64_t none,
                    uint64_t *total, uint64_t *left) {
    *total = own_max ? own_max : none;
    if (!own_max && all_max)
        *total = all_max;
    *left = rest(*total, own);
    if (all_max)
        *left = least(*left, rest(all_max, all));
}
void tquota_statfs(struct tsuper *s, struct linux_statfs *out) {
    const struct tquota *own = &s->quota, *all = &s->memory->quota;
    uint64_t bytes, left;
    if (atomic_load(&s->memory->nmapped))
        count_all(s->memory);
    figures(own->max_pages, atomic_load(&own->pages), all->max_pages, atomic_load(&all->pages), 1ull << 28,
            &out->f_blocks, &out->f_bfree);
    out->f_bavail = out->f_bfree;
    figures(own->max_bytes, atomic_load(&own->bytes), all->max_bytes, atomic_load(&all->bytes), 1ull << 34,
            &bytes, &left);
    out->f_files = bytes / INODE_BYTES;
    out->f_ffree = left / INODE_BYTES;
}
