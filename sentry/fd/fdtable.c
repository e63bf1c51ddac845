// SPDX-License-Identifier: Apache-2.0
// See fdtable.h. Files are put after the lock was dropped: a close may do work of its own.
#include "sentry/fd/fdtable.h"
#include "base/fault.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64u

struct fdtable *fdtable_new(void) {
    struct fdtable *t = znew(struct fdtable);
    if (!t)
        return NULL;
    t->slots = xcalloc(FIRST_SIZE, sizeof *t->slots);
    if (!t->slots) {
        free(t);
        return NULL;
    }
    t->size = FIRST_SIZE;
    ref_init(&t->refs, 1);
    lock_init(&t->lock, RANK_FILES);
    return t;
}

struct fdtable *fdtable_get(struct fdtable *t) {
    ref_get(&t->refs);
    return t;
}

static void close_file(struct fdtable *t, struct file *f) {
    if (!f)
        return;
    vfs_flush(f, t);
    file_put(f);
}

void fdtable_put(struct fdtable *t) {
    if (!ref_put(&t->refs))
        return;
    for (unsigned i = 0; i < t->size; i++)
        close_file(t, t->slots[i].file);
    lock_destroy(&t->lock);
    free(t->slots);
    free(t);
}

struct fdtable *fdtable_copy(struct fdtable *old) {
    struct fdtable *t = znew(struct fdtable);
    if (!t)
        return NULL;
    LOCKED(&old->lock);
    t->slots = xcalloc(old->size, sizeof *t->slots);
    if (!t->slots) {
        free(t);
        return NULL;
    }
    ref_init(&t->refs, 1);
    lock_init(&t->lock, RANK_FILES);
    t->size = old->size;
    t->first_free = old->first_free;
    memcpy(t->slots, old->slots, old->size * sizeof *t->slots);
    for (unsigned i = 0; i < t->size; i++)
        if (t->slots[i].file)
            file_get(t->slots[i].file);
    return t;
}

int64_t fd_end(struct fdtable *t) {
    LOCKED(&t->lock);
    int64_t end = t->size;
    while (end > 0 && !t->slots[end - 1].file)
        end--;
    return end;
}

struct file *fd_get(struct fdtable *t, int fd) {
    LOCKED(&t->lock);
    struct file *f = (unsigned)fd < t->size ? t->slots[fd].file : NULL;
    return f ? file_get(f) : NULL;
}

struct file *fd_get_io(struct fdtable *t, int fd) {
    LOCKED(&t->lock);
    struct file *f = (unsigned)fd < t->size ? t->slots[fd].file : NULL;
    return f && !(f->mode & FMODE_PATH) ? file_get(f) : NULL;
}

struct file *fd_get_mode(struct fdtable *t, int fd, unsigned mode) {
    LOCKED(&t->lock);
    struct file *f = (unsigned)fd < t->size ? t->slots[fd].file : NULL;
    return f && !(f->mode & FMODE_PATH) && f->mode & mode ? file_get(f) : NULL;
}

// Makes slots[fd] exist.
static int grow(struct fdtable *t, unsigned fd) {
    if (fd < t->size)
        return 0;
    unsigned size = t->size;
    while (size <= fd)
        size *= 2;
    struct fdslot *slots = xrealloc(t->slots, size * sizeof *slots);
    if (!slots)
        return -LINUX_ENOMEM;
    memset(slots + t->size, 0, (size - t->size) * sizeof *slots);
    t->slots = slots;
    t->size = size;
    return 0;
}

int fd_install(struct fdtable *t, struct file *f, int min, uint64_t limit, bool cloexec) {
    if (limit > FD_MAX)
        limit = FD_MAX;
    if (min < 0 || (min > 0 && (uint64_t)min >= limit))
        return -LINUX_EINVAL;
    LOCKED(&t->lock);
    unsigned fd = (unsigned)min > t->first_free ? (unsigned)min : t->first_free;
    while (fd < t->size && t->slots[fd].file)
        fd++;
    if (fd >= limit)
        return -LINUX_EMFILE;
    int err = grow(t, fd);
    if (err < 0)
        return err;
    t->slots[fd] = (struct fdslot){file_get(f), cloexec};
    if (fd <= t->first_free || (unsigned)min <= t->first_free)
        t->first_free = fd + 1;
    return (int)fd;
}

int fd_replace(struct fdtable *t, struct file *f, int fd, uint64_t limit, bool cloexec) {
    if (fd < 0 || (uint64_t)fd >= limit || fd >= FD_MAX)
        return -LINUX_EBADF;
    struct file *old;
    {
        LOCKED(&t->lock);
        int err = grow(t, (unsigned)fd);
        if (err < 0)
            return err;
        old = t->slots[fd].file;
        t->slots[fd] = (struct fdslot){file_get(f), cloexec};
    }
    close_file(t, old);
    return fd;
}

// Takes the file out of its slot; the lock is held.
static struct file *take(struct fdtable *t, unsigned fd) {
    struct file *f = t->slots[fd].file;
    if (!f)
        return NULL;
    t->slots[fd] = (struct fdslot){0};
    if (fd < t->first_free)
        t->first_free = fd;
    return f;
}

struct file *fd_close_keep(struct fdtable *t, int fd) {
    struct file *f = NULL;
    {
        LOCKED(&t->lock);
        if ((unsigned)fd < t->size)
            f = take(t, (unsigned)fd);
        if (f)
            file_get(f);
    }
    close_file(t, f);
    return f;
}

int fd_close(struct fdtable *t, int fd) {
    struct file *f = fd_close_keep(t, fd);
    if (f)
        file_put(f);
    return f ? 0 : -LINUX_EBADF;
}

int fd_set_cloexec(struct fdtable *t, int fd, int cloexec) {
    LOCKED(&t->lock);
    if ((unsigned)fd >= t->size || !t->slots[fd].file)
        return -LINUX_EBADF;
    int before = t->slots[fd].cloexec;
    if (cloexec >= 0)
        t->slots[fd].cloexec = cloexec;
    return before;
}

void fd_close_range(struct fdtable *t, unsigned first, unsigned last, bool mark_only) {
    for (unsigned fd = first;; fd++) {
        struct file *f = NULL;
        {
            LOCKED(&t->lock);
            if (fd >= t->size || fd > last)
                return;
            if (mark_only)
                t->slots[fd].cloexec = t->slots[fd].file != NULL;
            else
                f = take(t, fd);
        }
        close_file(t, f);
    }
}

void fdtable_close_exec(struct fdtable *t) {
    for (unsigned fd = 0;; fd++) {
        struct file *f = NULL;
        {
            LOCKED(&t->lock);
            if (fd >= t->size)
                return;
            if (t->slots[fd].cloexec)
                f = take(t, fd);
        }
        close_file(t, f);
    }
}

int fd_next(struct fdtable *t, int fd, struct file **out) {
    LOCKED(&t->lock);
    for (unsigned i = fd < 0 ? 0 : (unsigned)fd; i < t->size; i++)
        if (t->slots[i].file) {
            *out = file_get(t->slots[i].file);
            return (int)i;
        }
    return -1;
}

unsigned fd_count(struct fdtable *t) {
    LOCKED(&t->lock);
    unsigned n = 0;
    for (unsigned i = 0; i < t->size; i++)
        n += t->slots[i].file != NULL;
    return n;
}

bool fd_count_at_least(struct fdtable *t, uint64_t n) {
    LOCKED(&t->lock);
    unsigned fd = t->first_free;
    while (fd < t->size && t->slots[fd].file)
        fd++;
    t->first_free = fd;
    return fd >= n;
}
