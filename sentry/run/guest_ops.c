// SPDX-License-Identifier: Apache-2.0
// What the platform asks about its guests (struct plat_guest_ops): where it may change their text, and where
// it may map memory ahead. Called in plat_wait(), before the call that it is about has been begun. Locks:
// tasks_lock, then the map's, one after the other.
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/loader/elf.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/task.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/run.h"

static void owner_get(void *owner) { task_get(owner); }
static void owner_put(void *owner) { task_put(owner); }

// With a reference; NULL: the task is at its end.
static struct mm *mm_of(const struct task *t) {
    LOCKED(&t->k->tasks_lock);
    return t->mm ? mm_get(t->mm) : NULL;
}

// Where the program's own bytes end in `len` bytes of its file from `offset` on, which are mapped as text.
// What the file's headers do not tell counts as the program's.
static uint64_t used_bytes(struct file *f, uint64_t offset, uint64_t len) {
    struct elf_image *im cleanup_free = znew(struct elf_image);
    char head[GUEST_PAGE_SIZE];
    struct elf_head h;
    int64_t n = vfs_kread(f, head, sizeof head, 0);
    if (!im || n < 0 || elf_read_head(head, (size_t)n, &h) < 0)
        return len;
    if (h.phoff > (size_t)n || h.phsize > (size_t)n - h.phoff ||
        elf_read_phdrs(&h, head + h.phoff, UINT64_MAX, UINT64_MAX, im) < 0)
        return len;
    for (unsigned i = 0; i < im->nsegs; i++) {
        const struct elf_segment *s = &im->segs[i];
        uint64_t end = s->offset + s->filesz;
        if (s->prot & LINUX_PROT_EXEC && end > offset && end - offset < len)
            return end - offset;
    }
    return len;
}

static bool text_range(void *owner, uint64_t at, struct plat_text *out) {
    if (ptrace_on(owner))
        return false;  // its tracer is to find the text as it was loaded
    struct mm *mm = mm_of(owner);
    struct vma v;
    struct file *f cleanup_file = mm ? mm_text_at(mm, at, &v) : NULL;
    if (mm)
        mm_put(mm);
    if (!f)
        return false;
    *out = (struct plat_text){v.start, v.end, v.start + used_bytes(f, v.offset, v.end - v.start)};
    return true;
}

static bool text_name(void *owner, uint64_t at, uint64_t name[3]) {
    struct mm *mm = mm_of(owner);
    struct vma v;
    struct file *f cleanup_file = mm ? mm_text_at(mm, at, &v) : NULL;
    if (mm)
        mm_put(mm);
    if (!f)
        return false;
    name[0] = f->inode->sb->dev;
    name[1] = f->inode->attr.ino;
    name[2] = v.offset + (at - v.start);
    return true;
}

static uint64_t free_range(void *owner, uint64_t len) {
    struct mm *mm = mm_of(owner);
    uint64_t at = mm ? mm_free_range(mm, len) : 0;
    if (mm)
        mm_put(mm);
    return at;
}

static uint64_t heap_room(void *owner, uint64_t len) {
    struct mm *mm = mm_of(owner);
    uint64_t at = mm ? mm_heap_room(mm, len) : 0;
    if (mm)
        mm_put(mm);
    return at;
}

const struct plat_guest_ops kernel_guest_ops = {
    .owner_get = owner_get,
    .owner_put = owner_put,
    .text_range = text_range,
    .text_name = text_name,
    .free_range = free_range,
    .heap_room = heap_room,
};
