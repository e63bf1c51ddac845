// SPDX-License-Identifier: Apache-2.0
// /proc/PID/pagemap: a word for each page, for who may trace the process. An open file keeps the map as it
// was at open(2). Frame numbers are hidden, as by Linux from who lacks CAP_SYS_ADMIN.
//
// LIMIT: /proc/PID/pagemap: a page that may be touched counts as present and written; PAGEMAP_SCAN is
// ENOTTY, as before Linux 6.7.
#include "platform/platform.h"
#include "sentry/mm/area.h"
#include "sentry/procfs/impl.h"

#define PM_SOFT_DIRTY (UINT64_C(1) << 55)
#define PM_FILE       (UINT64_C(1) << 61)  // of a file, or shared memory
#define PM_PRESENT    (UINT64_C(1) << 63)
#define WORDS         256u

int proc_open_pagemap(const struct proc_node *n, struct file *f) {
    f->priv = proc_mm_traced(n);
    f->ops = &proc_pagemap_fops;
    return 0;
}
static void release(struct file *f) {
    if (f->priv)
        mm_put(f->priv);
}

static uint64_t word_of(const struct vma *v) {
    bool file = v->file && !((v->flags & LINUX_MAP_PRIVATE) && (v->prot & LINUX_PROT_WRITE));
    if (v->prot == LINUX_PROT_NONE)
        return PM_SOFT_DIRTY;
    return PM_PRESENT | PM_SOFT_DIRTY | (file ? PM_FILE : 0);
}

// The words of n pages from the page `first` on.
static void words(struct mm *mm, uint64_t first, uint64_t *out, unsigned n) {
    LOCKED(&mm->lock);
    const struct vma *v = area_find_shown(mm, first * GUEST_PAGE_SIZE);
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = (first + i) * GUEST_PAGE_SIZE;
        while (v && v->end <= at)
            v = area_next(v);
        out[i] = v && v->start <= at && !area_hidden(v) ? word_of(v) : 0;
    }
}

static int64_t read_pagemap(struct file *f, struct uio *u, uint64_t off) {
    const uint64_t last = LINUX_TASK_SIZE / GUEST_PAGE_SIZE + 1;
    struct mm *mm = f->priv;
    uint64_t buf[WORDS], page = off / sizeof buf[0];
    int64_t done = 0;
    if (off % sizeof buf[0] || u->left % sizeof buf[0])
        return -LINUX_EINVAL;
    while (mm && u->left && page < last) {
        uint64_t n = u->left / sizeof buf[0] < WORDS ? u->left / sizeof buf[0] : WORDS;
        n = n < last - page ? n : last - page;
        words(mm, page, buf, (unsigned)n);
        int64_t r = uio_to(u, buf, n * sizeof buf[0]);
        if (r < 0)
            return done ? done : r;
        done += r;
        page += n;
        if ((uint64_t)r < n * sizeof buf[0])
            break;
    }
    return done;
}

const struct file_ops proc_pagemap_fops = {.read = read_pagemap, .release = release, .seek = SEEK_NO_END};
