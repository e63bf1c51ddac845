// SPDX-License-Identifier: Apache-2.0
// What of a process lies in its memory: cmdline, environ, auxv; and the map itself: maps, smaps, statm.
// LIMIT: how much of an area is resident is not known: private writable areas count as resident and dirty,
// others as resident and clean.
#include "sentry/procfs/impl.h"
#include "fs/vfs.h"
#include "platform/platform.h"
#include <string.h>

// ---- Bytes of the guest -----------------------------------------------------------------------------------
#define STRINGS_MAX (8u << 20)  // more than execve(2) lets through

static void put_memory(struct proc_text *x, struct mm *mm, uint64_t start, uint64_t end) {
    char buf[4096];
    if (end - start > STRINGS_MAX || end < start)
        return;
    while (start < end) {
        size_t n = end - start < sizeof buf ? end - start : sizeof buf;
        int64_t got = plat_copy_in(mm->as, buf, uaddr(start), n);
        if (got <= 0)
            return;
        proc_put(x, buf, (size_t)got);
        start += (uint64_t)got;
    }
}

int proc_show_cmdline(struct proc_text *x, const struct proc_node *n) {
    struct mm *mm = proc_mm(n);
    if (!mm)
        return 0;  // a zombie has none
    uint64_t start, end, env_end;
    {
        LOCKED(&mm->lock);
        start = mm->arg_start;
        end = mm->arg_end;
        env_end = mm->env_end;
    }
    put_memory(x, mm, start, end);
    // A program that has written its title over the end of its arguments: up to the NUL, as Linux shows it.
    if (!x->failed && x->len == end - start && x->len && x->buf[x->len - 1] && env_end > end) {
        put_memory(x, mm, end, env_end - end > 4096 ? end + 4096 : env_end);
        if (!x->failed)
            x->len = strnlen(x->buf, x->len);
    }
    mm_put(mm);
    return 0;
}

int proc_show_environ(struct proc_text *x, const struct proc_node *n) {
    struct mm *mm = proc_mm(n);
    if (!mm)
        return 0;
    uint64_t start, end;
    {
        LOCKED(&mm->lock);
        start = mm->env_start;
        end = mm->env_end;
    }
    put_memory(x, mm, start, end);
    mm_put(mm);
    return 0;
}

int proc_show_auxv(struct proc_text *x, const struct proc_node *n) {
    struct mm *mm = proc_mm(n);
    if (!mm)
        return 0;
    proc_put(x, mm->auxv, mm->nauxv * sizeof mm->auxv[0]);
    mm_put(mm);
    return 0;
}

// ---- The map ----------------------------------------------------------------------------------------------
struct map_walk {
    struct proc_text *x;
    struct path root;
    char line[LINUX_PATH_MAX * 2];
    bool smaps;
    uint64_t size, rss, locked, clean, dirty, anon;  // bytes, of all areas
    uint64_t first, last;
};

static bool is_private_writable(const struct vma *v) {
    return (v->flags & LINUX_MAP_PRIVATE) && (v->prot & LINUX_PROT_WRITE);
}

static void count_area(struct map_walk *w, const struct vma *v) {
    uint64_t size = v->end - v->start;
    bool resident = v->prot != LINUX_PROT_NONE, dirty = resident && is_private_writable(v);
    w->size += size;
    w->rss += resident ? size : 0;
    w->locked += v->flags & VMA_LOCKED ? size : 0;
    w->dirty += dirty ? size : 0;
    w->clean += resident && !dirty ? size : 0;
    w->anon += dirty ? size : 0;
}

static void put_sizes(struct proc_text *x, const struct map_walk *w) {
    static const char *const zero[] = {"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb",
                                       "Private_Hugetlb", "Swap", "SwapPss"};
    proc_printf(x, "Rss:            %8llu kB\nPss:            %8llu kB\nPss_Dirty:      %8llu kB\n",
                (unsigned long long)w->rss / 1024, (unsigned long long)w->rss / 1024,
                (unsigned long long)w->dirty / 1024);
    proc_printf(x, "Shared_Clean:          0 kB\nShared_Dirty:          0 kB\nPrivate_Clean:  %8llu kB\n",
                (unsigned long long)w->clean / 1024);
    proc_printf(x,
                "Private_Dirty:  %8llu kB\nReferenced:     %8llu kB\nAnonymous:      %8llu kB\n"
                "LazyFree:              0 kB\n",
                (unsigned long long)w->dirty / 1024, (unsigned long long)w->rss / 1024,
                (unsigned long long)w->anon / 1024);
    for (unsigned i = 0; i < sizeof zero / sizeof zero[0]; i++)
        proc_printf(x, "%s:%*d kB\n", zero[i], 23 - (int)strlen(zero[i]), 0);
    proc_printf(x, "Locked:         %8llu kB\n", (unsigned long long)w->locked / 1024);
}

static void put_area_details(struct map_walk *w, const struct vma *v) {
    struct map_walk one = {0};
    count_area(&one, v);
    proc_printf(w->x, "Size:           %8llu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
                (unsigned long long)one.size / 1024);
    put_sizes(w->x, &one);
    proc_printf(w->x, "THPeligible:           0\nVmFlags:%s%s%s%s mr mw me\n",
                v->prot & LINUX_PROT_READ ? " rd" : "", v->prot & LINUX_PROT_WRITE ? " wr" : "",
                v->prot & LINUX_PROT_EXEC ? " ex" : "", v->flags & LINUX_MAP_SHARED ? " sh" : "");
}

static bool put_area(void *arg, const struct vma *v) {
    struct map_walk *w = arg;
    size_t n = vma_format(v, the_kernel->vfs, &w->root, w->line, sizeof w->line);
    proc_put(w->x, w->line, n);
    if (w->smaps)
        put_area_details(w, v);
    return !w->x->failed;
}

static bool sum_area(void *arg, const struct vma *v) {
    struct map_walk *w = arg;
    if (!w->first)
        w->first = v->start;
    w->last = v->end;
    count_area(w, v);
    return true;
}

static int show_map(struct proc_text *x, const struct proc_node *n, bool smaps) {
    struct map_walk w = {.x = x, .smaps = smaps};
    struct mm *mm = proc_mm(n);
    if (!mm)
        return 0;
    int err = proc_caller_root(&w.root);
    if (err == 0) {
        mm_for_each(mm, put_area, &w);
        path_put(&w.root);
    }
    mm_put(mm);
    return err;
}
int proc_show_maps(struct proc_text *x, const struct proc_node *n) { return show_map(x, n, false); }
int proc_show_smaps(struct proc_text *x, const struct proc_node *n) { return show_map(x, n, true); }

int proc_show_smaps_rollup(struct proc_text *x, const struct proc_node *n) {
    struct map_walk w = {.x = x};
    struct mm *mm = proc_mm(n);
    if (!mm)
        return -LINUX_ESRCH;
    mm_for_each(mm, sum_area, &w);
    mm_put(mm);
    proc_printf(x, "%08llx-%08llx ---p 00000000 00:00 0                          [rollup]\n",
                (unsigned long long)w.first, (unsigned long long)w.last);
    put_sizes(x, &w);
    return 0;
}

int proc_show_statm(struct proc_text *x, const struct proc_node *n) {
    struct mm *mm = proc_mm(n);
    uint64_t total = 0, data = 0;
    if (mm) {
        LOCKED(&mm->lock);
        total = mm->total / GUEST_PAGE_SIZE;
        data = mm->data / GUEST_PAGE_SIZE;
    }
    if (mm)
        mm_put(mm);
    proc_printf(x, "%llu %llu 0 0 0 %llu 0\n", (unsigned long long)total, (unsigned long long)data,
                (unsigned long long)data);
    return 0;
}
