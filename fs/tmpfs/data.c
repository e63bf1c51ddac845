// SPDX-License-Identifier: Apache-2.0
// The bytes of a tmpfs file. Small ones are pages in our heap, reached without any host call; a larger file,
// or one that is mapped, is a memfd: one pread or pwrite for 64 KiB, and one fstat a write for the quota;
// what is read or overwritten again, in large pieces, goes by a window of the file (window.h), without these.
// Whatever becomes visible was zeroed or written. The inode's lock is held throughout.
#include "fs/tmpfs/node.h"
#include <assert.h>
#include <string.h>
#include <unistd.h>

#define PAGE GUEST_PAGE_SIZE

// What a hole is read from. As an entry of the table: a page that fallocate(2) has asked for, paid for but
// not there yet; who looks for data finds a hole.
static const uint8_t zeros[PAGE];

static struct vfs_attr *attr(struct tnode *n) { return &n->inode->attr; }
static uint64_t pages_of(uint64_t size) { return size / PAGE + (size % PAGE != 0); }
static void set_charged(struct tnode *n, uint64_t pages) {
    n->data.charged = pages;
    attr(n)->blocks = pages * (PAGE / 512);
}
static bool reserved(const struct tdata *t, uint32_t k) { return t->pages[k] == zeros; }
static bool has_page(const struct tdata *t, uint32_t k) { return t->pages[k] && !reserved(t, k); }
void tdata_init(struct tdata *t) { t->fd = -1; }

// ---- Heap pages -------------------------------------------------------------------------------------------
static void free_page(struct tnode *n, uint32_t k) {
    struct tdata *t = &n->data;
    if (k >= t->npages || !t->pages[k])
        return;
    if (!reserved(t, k))
        free(t->pages[k]);
    t->pages[k] = NULL;
    if (k == 0)
        t->cap0 = 0;
    tquota_give(tsuper(n->inode), 1);
    set_charged(n, t->charged - 1);
}
static void free_heap(struct tnode *n) {
    for (uint32_t k = 0; k < n->data.npages; k++)
        free_page(n, k);
    free(n->data.pages);
    n->data.pages = NULL;
    n->data.npages = 0;
}
static int grow_table(struct tdata *t, uint32_t k) {
    uint32_t want = t->npages ? t->npages : 1;
    while (want <= k)
        want *= 4;
    if (want == t->npages)
        return 0;
    uint8_t **p = xrealloc(t->pages, want * sizeof *p);
    if (!p)
        return -LINUX_ENOMEM;
    memset(p + t->npages, 0, (want - t->npages) * sizeof *p);
    t->pages = p;
    t->npages = want;
    return 0;
}
// Page 0 grows by doubling: most files are small.
static int grow_page0(struct tdata *t, uint32_t end) {
    uint32_t cap = t->cap0 ? t->cap0 : 64;
    while (cap < end)
        cap *= 2;
    if (cap == t->cap0)
        return 0;
    uint8_t *p = xrealloc(t->cap0 ? t->pages[0] : NULL, cap);
    if (!p)
        return -LINUX_ENOMEM;
    memset(p + t->cap0, 0, cap - t->cap0);
    t->pages[0] = p;
    t->cap0 = cap;
    return 0;
}
static int make_page(struct tdata *t, uint32_t k) {
    uint8_t *p = xcalloc(1, PAGE);
    if (!p)
        return -LINUX_ENOMEM;
    t->pages[k] = p;
    return 0;
}
// Makes page k writable up to byte `end` of it.
static int heap_page(struct tnode *n, uint32_t k, uint32_t end) {
    struct tdata *t = &n->data;
    int err = grow_table(t, k);
    if (err)
        return err;
    bool had = t->pages[k];
    if (!had && !tquota_take(tsuper(n->inode), 1))
        return -LINUX_ENOSPC;
    if (k == 0)
        err = grow_page0(t, end);
    else if (!has_page(t, k))
        err = make_page(t, k);
    if (err && !had)
        tquota_give(tsuper(n->inode), 1);
    if (!err && !had)
        set_charged(n, t->charged + 1);
    return err;
}
// What can be read at byte `at` of page k, and how much of it lies together (at most n).
static const uint8_t *heap_run(const struct tdata *t, uint64_t k, uint32_t at, uint32_t *n) {
    if (k >= t->npages || !t->pages[k])
        return zeros + at;
    if (k > 0)
        return t->pages[k] + at;
    if (at >= t->cap0)
        return zeros + at;
    if (*n > t->cap0 - at)
        *n = t->cap0 - at;
    return t->pages[0] + at;
}
static int64_t heap_read(struct tnode *n, struct uio *u, uint64_t off, uint64_t len) {
    uint64_t done = 0;
    while (done < len) {
        struct iovec v[UIO_GATHER];
        uint64_t bytes = 0;
        unsigned k = 0;
        for (; k < UIO_GATHER && done + bytes < len; k++) {
            uint64_t pos = off + done + bytes, left = len - done - bytes;
            uint32_t at = (uint32_t)(pos % PAGE), run = (uint32_t)PAGE - at;
            if (run > left)
                run = (uint32_t)left;
            const uint8_t *p = heap_run(&n->data, pos / PAGE, at, &run);
            v[k] = (struct iovec){(void *)(uintptr_t)p, run};
            bytes += run;
        }
        int64_t put = uio_tov(u, v, k);
        if (put < 0)
            return done ? (int64_t)done : put;
        done += (uint64_t)put;
        if ((uint64_t)put < bytes)
            break;
    }
    return (int64_t)done;
}
// Pages that a write is about to fill.
struct heap_batch {
    struct iovec v[UIO_GATHER];
    unsigned n;
    uint32_t first;   // the page of v[0]; each has the next
    uint64_t fresh;   // bit i: v[i]'s page was not there before
    uint64_t bytes;
};
static_assert(UIO_GATHER <= 64, "a bit for each page");

// Makes the pages ready that [off, off+len) lies in, as many as a batch has. An error only when not even the
// first is.
static int heap_batch(struct tnode *n, uint64_t off, uint64_t len, struct heap_batch *b) {
    int err = 0;
    b->first = (uint32_t)(off / PAGE);
    b->fresh = b->bytes = b->n = 0;
    while (b->n < UIO_GATHER && b->bytes < len) {
        uint32_t at = (uint32_t)((off + b->bytes) % PAGE), k = b->first + b->n, run = (uint32_t)PAGE - at;
        if (run > len - b->bytes)
            run = (uint32_t)(len - b->bytes);
        bool had = k < n->data.npages && n->data.pages[k];
        err = heap_page(n, k, at + run);
        if (err)
            break;
        b->fresh |= (uint64_t)!had << b->n;
        b->v[b->n++] = (struct iovec){n->data.pages[k] + at, run};
        b->bytes += run;
    }
    return b->n ? 0 : err;
}
// Only `got` bytes of a batch at off came: pages that were made for the others go again, and what a fault may
// have left behind those that it reports is zeroed where it lies beyond the end of the file, as all is there.
static void heap_cut_short(struct tnode *n, const struct heap_batch *b, uint64_t off, uint64_t got) {
    uint64_t end = off + got > attr(n)->size ? off + got : attr(n)->size;
    for (unsigned i = 0; i < b->n; i++) {
        uint64_t start = (uint64_t)(b->first + i) * PAGE, from = end > start ? end - start : 0;
        uint8_t *page = n->data.pages[b->first + i], *stop = (uint8_t *)b->v[i].iov_base + b->v[i].iov_len;
        if ((b->fresh >> i & 1) && start >= off + got)
            free_page(n, b->first + i);
        else if (page + from < stop)
            memset(page + from, 0, (size_t)(stop - page - (ptrdiff_t)from));
    }
}
static int64_t heap_fill(struct tnode *n, struct uio *u, uint64_t off, struct heap_batch *b) {
    int err = heap_batch(n, off, u->left, b);
    return err ? err : uio_fromv(u, b->v, b->n);
}
static int64_t heap_write(struct tnode *n, struct uio *u, uint64_t off) {
    uint64_t done = 0;
    while (u->left > 0) {
        struct heap_batch b;
        int64_t got = heap_fill(n, u, off + done, &b);
        if (b.n && got < (int64_t)b.bytes)
            heap_cut_short(n, &b, off + done, got > 0 ? (uint64_t)got : 0);
        if (got < 0)
            return done ? (int64_t)done : got;
        done += (uint64_t)got;
        if ((uint64_t)got < b.bytes)
            break;
    }
    return (int64_t)done;
}
static void heap_zero(struct tnode *n, uint64_t off, uint64_t end) {
    struct tdata *t = &n->data;
    uint64_t limit = (uint64_t)t->npages * PAGE;
    for (end = end < limit ? end : limit; off < end;) {
        uint32_t k = (uint32_t)(off / PAGE), at = (uint32_t)(off % PAGE);
        uint32_t run = end - off < PAGE - at ? (uint32_t)(end - off) : (uint32_t)(PAGE - at);
        uint32_t cap = k == 0 ? t->cap0 : (uint32_t)PAGE;
        if (run == PAGE)
            free_page(n, k);
        else if (has_page(t, k) && at < cap)
            memset(t->pages[k] + at, 0, run < cap - at ? run : cap - at);
        off += run;
    }
}

// ---- The memfd --------------------------------------------------------------------------------------------
// Pages of [off, end) have been made.
static void dense_grow(struct tdata *t, uint64_t off, uint64_t end) {
    if (page_down(off) <= t->dense && page_up(end) > t->dense)
        t->dense = page_up(end);
}
// Pages from `off` on may have gone.
static void dense_cut(struct tdata *t, uint64_t off) {
    if (page_up(off) < t->dense)
        t->dense = page_up(off);
}

static int promote(struct tnode *n) {
    struct tdata *t = &n->data;
    int fd = hostmem_new();
    t->dense = 0;
    if (fd < 0)
        return fd;
    int err = hostmem_resize(fd, attr(n)->size);
    for (uint32_t k = 0; !err && k < t->npages; k++) {
        uint64_t off = (uint64_t)k * PAGE;
        size_t len = k == 0 ? t->cap0 : PAGE;
        if (reserved(t, k))
            err = hostmem_fill(fd, off, PAGE);
        else if (t->pages[k] && off < attr(n)->size)
            err = hostmem_write(fd, t->pages[k], len < attr(n)->size - off ? len : attr(n)->size - off, off);
        if (!err && t->pages[k] && off < attr(n)->size)
            dense_grow(t, off, off + 1);
    }
    if (err) {
        hostmem_close(fd);
        return err;
    }
    free_heap(n);
    t->fd = fd;
    tquota_recount(n);
    return 0;
}
// For a file that grows: without a descriptor the "disk" is full.
static int grow_to_memfd(struct tnode *n) {
    int err = promote(n);
    return err == -LINUX_ENFILE ? -LINUX_ENOSPC : err;
}
// The pages of [off, end) that are not there yet. Costs two lseek(2) for every run of data.
static uint64_t missing_pages(int fd, uint64_t off, uint64_t end) {
    uint64_t missing = 0;
    for (off = page_down(off); off < end;) {
        int64_t hole = hostmem_seek(fd, off, LINUX_SEEK_HOLE);
        if (hole < 0)
            hole = (int64_t)off;  // behind the end of the file
        uint64_t from = page_up((uint64_t)hole);
        if (from >= end)
            break;
        int64_t data = hostmem_seek(fd, from, LINUX_SEEK_DATA);
        uint64_t to = data < 0 || (uint64_t)data > end ? end : (uint64_t)data;
        missing += pages_of(to - from);
        off = to > from ? to : from + PAGE;
    }
    return missing;
}
// Allocates the pages of [off, end) of the memfd, all paid for, or none.
static int memfd_fill(struct tnode *n, uint64_t off, uint64_t end) {
    struct tsuper *s = tsuper(n->inode);
    uint64_t more = missing_pages(n->data.fd, off, end);
    if (more && !tquota_take(s, more))
        return -LINUX_ENOSPC;
    int err = hostmem_fill(n->data.fd, off, end - off);
    if (!err)
        dense_grow(&n->data, off, end);
    if (more)
        tquota_give(s, more);
    tquota_recount(n);
    return err;
}
int tdata_fd(struct tnode *n) {
    struct tdata *t = &n->data;
    int err = t->fd < 0 ? promote(n) : 0;
    if (err)
        return err;
    if (t->mapped)
        tquota_recount(n);
    // What a guest will make of its holes is charged afterwards, so none may be given when nothing is left.
    if (pages_of(attr(n)->size) > t->charged && tquota_full(tsuper(n->inode)))
        return -LINUX_ENOMEM;
    tquota_mapped(n);
    return t->fd;
}
static bool take_for(struct tsuper *s, uint64_t off, uint64_t len, uint64_t *granted) {
    uint64_t worst = pages_of(off % PAGE + len);
    if (!tquota_take(s, worst))
        return false;
    *granted = worst;
    return true;
}
// How many bytes may be written at off now: those whose pages exist, or were granted (*granted pages).
static uint64_t grant(struct tnode *n, uint64_t off, uint64_t len, uint64_t *granted) {
    struct tsuper *s = tsuper(n->inode);
    *granted = 0;
    if (take_for(s, off, len, granted))
        return len;
    if (len > UIO_BOUNCE && take_for(s, off, UIO_BOUNCE, granted))
        return UIO_BOUNCE;
    uint64_t one = PAGE - off % PAGE;
    one = one < len ? one : len;
    int64_t data = hostmem_seek(n->data.fd, off, LINUX_SEEK_DATA);
    if (data >= 0 && page_down((uint64_t)data) == page_down(off))
        return one;
    if (!tquota_take(s, 1))
        return 0;
    *granted = 1;
    return one;
}
// As much of a request as one window has: bytes; 0: none, go the other way. Errors are the other way's to
// find.
static int64_t move_by_window(struct tnode *n, struct uio *u, uint64_t off, bool out) {
    struct windows *w = &tsuper(n->inode)->memory->windows;
    uint64_t size = attr(n)->size, end = (off & ~(WINDOW_SIZE - 1)) + WINDOW_SIZE;
    end = end < size ? end : size;
    if (!u->ops->by_host || off >= end || page_up(end) > n->data.dense)
        return 0;
    uint64_t len = end - off < u->left ? end - off : u->left;
    struct window_slot *slot;
    char *p = len >= WINDOW_LEAST ? window_get(w, n->data.fd, off, off + len, &slot) : NULL;
    if (!p)
        return 0;
    int flags = u->flags;
    u->flags |= UIO_BY_HOST;
    int64_t got = out ? uio_to(u, p, len) : uio_from(u, p, len);
    u->flags = flags;
    window_put(w, slot);
    return got > 0 ? got : 0;
}
// The request is cut to `len` for the time of a call that moves so much at most.
static int64_t move_some(struct uio *u, uint64_t len, int fd, uint64_t off, bool out) {
    size_t left = u->left;
    u->left = len;
    int64_t got = out ? uio_read_fd(fd, u, off) : uio_write_fd(fd, u, off);
    u->left += left - len;
    return got;
}
static int64_t memfd_read(struct tnode *n, struct uio *u, uint64_t off) {
    uint64_t done = 0;
    while (u->left > 0) {
        uint64_t at = off + done, piece = WINDOW_SIZE - at % WINDOW_SIZE;
        int64_t got = move_by_window(n, u, at, true);
        piece = piece < u->left ? piece : u->left;
        bool plain = got == 0;
        if (plain)
            got = move_some(u, piece, n->data.fd, at, true);
        if (got <= 0)
            return done ? (int64_t)done : got;
        done += (uint64_t)got;
        if (plain && (uint64_t)got < piece)
            break;
    }
    return (int64_t)done;
}
// New pages are paid for, written and counted together, as many of them as a request has: one fstat(2) for
// all. Where pages lie already a window may come next.
#define NEW_AT_ONCE (4u << 20)
static uint64_t write_piece(const struct tnode *n, const struct uio *u, uint64_t off) {
    uint64_t most = page_down(off) >= n->data.dense ? NEW_AT_ONCE : UIO_BOUNCE;
    return u->left < most ? u->left : most;
}
static int64_t memfd_write(struct tnode *n, struct uio *u, uint64_t off) {
    uint64_t done = 0;
    int64_t got = 0;
    while (u->left > 0) {
        got = move_by_window(n, u, off + done, false);
        if (got > 0) {
            done += (uint64_t)got;
            continue;
        }
        uint64_t granted, len = grant(n, off + done, write_piece(n, u, off + done), &granted);
        if (len == 0) {
            got = -LINUX_ENOSPC;
            break;
        }
        got = move_some(u, len, n->data.fd, off + done, false);
        if (granted) {
            tquota_give(tsuper(n->inode), granted);
            tquota_recount(n);
        }
        if (got <= 0)
            break;
        dense_grow(&n->data, off + done, off + done + (uint64_t)got);
        done += (uint64_t)got;
        if ((uint64_t)got < len)
            break;
    }
    return done ? (int64_t)done : got;
}

// ---- The calls --------------------------------------------------------------------------------------------
void tdata_free(struct tnode *n) {
    free_heap(n);
    if (n->data.fd < 0)
        return;
    tquota_forget(n);
    windows_forget(&tsuper(n->inode)->memory->windows, n->data.fd);
    hostmem_close(n->data.fd);
}
int tdata_seal_write(struct tnode *n) {
    if (n->data.fd < 0)
        return 0;  // what is in our heap was never mapped
    windows_forget(&tsuper(n->inode)->memory->windows, n->data.fd);
    return hostmem_seal_write(n->data.fd);
}
int64_t tdata_read(struct tnode *n, struct uio *u, uint64_t off) {
    uint64_t size = attr(n)->size;
    if (off >= size || u->left == 0)
        return 0;
    uint64_t len = size - off < u->left ? size - off : u->left;
    if (n->data.fd < 0)
        return heap_read(n, u, off, len);
    size_t left = u->left;
    u->left = len;
    int64_t got = memfd_read(n, u, off);
    u->left += left - len;
    return got;
}
int64_t tdata_write(struct tnode *n, struct uio *u, uint64_t off) {
    if (u->left == 0)
        return 0;
    if (u->left > (uint64_t)INT64_MAX - off)
        u->left = (uint64_t)INT64_MAX - off;
    if (u->left == 0)
        return -LINUX_EFBIG;
    if (n->data.fd < 0 && (off >= HEAP_PAGES * PAGE || u->left > HEAP_PAGES * PAGE - off)) {
        int err = grow_to_memfd(n);
        if (err)
            return err;
    }
    int64_t got = n->data.fd < 0 ? heap_write(n, u, off) : memfd_write(n, u, off);
    if (got > 0 && off + (uint64_t)got > attr(n)->size)
        attr(n)->size = off + (uint64_t)got;
    return got;
}
int tdata_truncate(struct tnode *n, uint64_t size) {
    uint64_t old = attr(n)->size;
    if (n->data.fd >= 0) {
        int err = hostmem_resize(n->data.fd, size);
        if (err)
            return err;
        attr(n)->size = size;
        dense_cut(&n->data, size);
        tquota_recount(n);
        return 0;
    }
    if (size < old)
        heap_zero(n, size, UINT64_MAX);
    attr(n)->size = size;
    return 0;
}
// All pages of [off, end), or none.
static int reserve_page(struct tnode *n, uint32_t k) {
    int err = grow_table(&n->data, k);
    if (err)
        return err;
    if (!tquota_take(tsuper(n->inode), 1))
        return -LINUX_ENOSPC;
    n->data.pages[k] = (uint8_t *)(uintptr_t)zeros;  // never written: has_page()
    set_charged(n, n->data.charged + 1);
    return 0;
}
static int heap_allocate(struct tnode *n, uint64_t off, uint64_t end) {
    uint32_t first = (uint32_t)(off / PAGE), stop = (uint32_t)pages_of(end);
    bool fresh[HEAP_PAGES] = {false};
    int err = 0;
    for (uint32_t k = first; !err && k < stop; k++) {
        fresh[k] = k >= n->data.npages || !n->data.pages[k];
        err = fresh[k] ? reserve_page(n, k) : 0;
    }
    for (uint32_t k = first; err && k < stop; k++)
        if (fresh[k])
            free_page(n, k);
    return err;
}
static int allocate_range(struct tnode *n, uint64_t off, uint64_t end) {
    int err = 0;
    if (n->data.fd < 0 && end > HEAP_PAGES * PAGE)
        err = grow_to_memfd(n);
    if (err)
        return err;
    return n->data.fd >= 0 ? memfd_fill(n, off, end) : heap_allocate(n, off, end);
}
static int zero_range(struct tnode *n, uint64_t off, uint64_t len) {
    if (n->data.fd < 0) {
        heap_zero(n, off, off + len);
        return 0;
    }
    int err = hostmem_punch(n->data.fd, off, len);
    dense_cut(&n->data, off);
    tquota_recount(n);
    return err;
}
int tdata_fallocate(struct tnode *n, int mode, uint64_t off, uint64_t len) {
    const int punch = 2, zero = 16, keep_size = 1;  // LINUX_FALLOC_FL_*
    uint64_t end = off + len;
    int err = mode & (punch | zero) ? zero_range(n, off, len) : 0;
    if (err)
        return err;
    err = mode & punch ? 0 : allocate_range(n, off, end);
    if (err)
        return err;
    return !(mode & keep_size) && end > attr(n)->size ? tdata_truncate(n, end) : 0;
}
int64_t tdata_seek(struct tnode *n, uint64_t off, int whence) {
    uint64_t size = attr(n)->size;
    bool data = whence == LINUX_SEEK_DATA;
    if (off >= size)
        return -LINUX_ENXIO;
    if (n->data.fd >= 0)
        return hostmem_seek(n->data.fd, off, whence);
    for (uint64_t k = off / PAGE; k * PAGE < size && k < n->data.npages; k++)
        if (has_page(&n->data, (uint32_t)k) == data)
            return (int64_t)(k * PAGE > off ? k * PAGE : off);
    if (data)
        return -LINUX_ENXIO;
    uint64_t hole = (uint64_t)n->data.npages * PAGE;  // behind the last page that could be there
    hole = hole > off ? hole : off;
    return (int64_t)(hole < size ? hole : size);
}
