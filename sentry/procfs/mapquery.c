// SPDX-License-Identifier: Apache-2.0
// PROCMAP_QUERY: one area of a map by address, as do_procmap_query() of Linux has it. What is told of an area
// is what its line in maps says, so both say the same.
// LIMIT: PROCMAP_QUERY finds no build ids.
#include "abi/procmap.h"
#include "platform/platform.h"
#include "sentry/mm/area.h"
#include "sentry/mm/mm.h"
#include "sentry/procfs/impl.h"
#include <stdio.h>
#include <string.h>

#define PERMISSIONS \
    (LINUX_PROCMAP_QUERY_VMA_READABLE | LINUX_PROCMAP_QUERY_VMA_WRITABLE | \
     LINUX_PROCMAP_QUERY_VMA_EXECUTABLE | LINUX_PROCMAP_QUERY_VMA_SHARED)
#define KNOWN (PERMISSIONS | LINUX_PROCMAP_QUERY_COVERING_OR_NEXT_VMA | LINUX_PROCMAP_QUERY_FILE_BACKED_VMA)

static uint64_t flags_of(const struct vma *v) {
    return (v->prot & LINUX_PROT_READ ? LINUX_PROCMAP_QUERY_VMA_READABLE : 0) |
           (v->prot & LINUX_PROT_WRITE ? LINUX_PROCMAP_QUERY_VMA_WRITABLE : 0) |
           (v->prot & LINUX_PROT_EXEC ? LINUX_PROCMAP_QUERY_VMA_EXECUTABLE : 0) |
           (v->flags & LINUX_MAP_SHARED ? LINUX_PROCMAP_QUERY_VMA_SHARED : 0);
}
static bool suits(const struct vma *v, uint64_t flags) {
    if ((flags_of(v) & flags & PERMISSIONS) != (flags & PERMISSIONS))
        return false;
    return v->file || !(flags & LINUX_PROCMAP_QUERY_FILE_BACKED_VMA);
}
// The map's lock is held.
static const struct vma *find(struct mm *mm, const struct linux_procmap_query *q) {
    const struct vma *v = area_find_shown(mm, q->query_addr);
    bool next = q->query_flags & LINUX_PROCMAP_QUERY_COVERING_OR_NEXT_VMA;
    while (v && (next || v->start <= q->query_addr)) {
        if (!area_hidden(v) && suits(v, q->query_flags))
            return v;
        v = next ? area_next(v) : NULL;
    }
    return NULL;
}

// Of a line of maps: where its name is, with that NUL-ended; NULL: it has none.
static const char *parse(char *line, struct linux_procmap_query *q) {
    unsigned long long start, end, off = 0, ino = 0;
    unsigned major = 0, minor = 0;
    char perms[8];
    int at = 0;
    sscanf(line, "%llx-%llx %7s %llx %x:%x %llu%n", &start, &end, perms, &off, &major, &minor, &ino, &at);
    q->vma_offset = off;
    q->dev_major = major;
    q->dev_minor = minor;
    q->inode = ino;
    char *name = line + at + strspn(line + at, " ");
    name[strcspn(name, "\n")] = '\0';
    return *name ? name : NULL;
}
static int tell(struct linux_procmap_query *q, char *line, struct uaccess *ua) {
    const char *name = parse(line, q);
    size_t size = name ? strlen(name) + 1 : 0;
    q->build_id_size = 0;
    if (!q->vma_name_size)
        return 0;
    if (size > q->vma_name_size)
        return -LINUX_ENAMETOOLONG;
    q->vma_name_size = (uint32_t)size;
    return size ? ua->out(ua, uaddr(q->vma_name_addr), name, size) : 0;
}
static int query(struct mm *mm, const struct path *root, struct linux_procmap_query *q, struct uaccess *ua) {
    char line[LINUX_PATH_MAX * 2];
    {
        LOCKED(&mm->lock);
        const struct vma *v = find(mm, q);
        if (!v)
            return -LINUX_ENOENT;
        q->vma_start = v->start;
        q->vma_end = v->end;
        q->vma_flags = flags_of(v);
        q->vma_page_size = GUEST_PAGE_SIZE;
        line[vma_format(v, the_kernel->vfs, root, line, sizeof line - 1)] = '\0';
    }
    return tell(q, line, ua);
}

// size bytes, of which what we do not know must be zero.
static int take(struct linux_procmap_query *q, uint64_t arg, struct uaccess *ua) {
    uint8_t more[GUEST_PAGE_SIZE];
    uint64_t size;
    int err = ua->in(ua, &size, uaddr(arg), sizeof size);
    if (err)
        return err;
    if (size > sizeof more)
        return -LINUX_E2BIG;
    if (size < LINUX_PROCMAP_QUERY_LEAST)
        return -LINUX_EINVAL;
    err = ua->in(ua, more, uaddr(arg), size);
    if (err)
        return err;
    for (size_t i = sizeof *q; i < size; i++)
        if (more[i])
            return -LINUX_E2BIG;
    *q = (struct linux_procmap_query){0};
    memcpy(q, more, size < sizeof *q ? size : sizeof *q);
    q->size = size;
    if (q->query_flags & ~(uint64_t)KNOWN)
        return -LINUX_EINVAL;
    return !q->vma_name_size != !q->vma_name_addr || !q->build_id_size != !q->build_id_addr ? -LINUX_EINVAL
                                                                                            : 0;
}
static int ask(struct mm *mm, struct linux_procmap_query *q, struct uaccess *ua) {
    struct path root;
    int err = proc_caller_root(&root);
    if (err)
        return err;
    err = query(mm, &root, q, ua);
    path_put(&root);
    return err;
}
int64_t proc_map_query(const struct proc_node *n, uint64_t arg, struct uaccess *ua) {
    struct linux_procmap_query q;
    int err = take(&q, arg, ua);
    if (err)
        return err;
    struct mm *mm = proc_mm(n);
    if (!mm)
        return -LINUX_ESRCH;
    err = ask(mm, &q, ua);
    mm_put(mm);
    return err ? err : ua->out(ua, uaddr(arg), &q, q.size < sizeof q ? q.size : sizeof q);
}
