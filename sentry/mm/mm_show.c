// SPDX-License-Identifier: Apache-2.0
// One area as a line of /proc/PID/maps. Called by procfs under mm->lock, through mm_for_each().
#include "sentry/mm/mm.h"
#include <stdio.h>
#include <string.h>

#define NAME_COLUMN 73  // where Linux puts the name

// A newline in a file's name must not make two lines of one.
static size_t put_escaped(char *buf, size_t size, size_t at, const char *s) {
    for (; *s; s++) {
        size_t n = *s == '\n' ? 4 : 1;
        if (at + n + 2 > size)
            return 0;
        if (n == 4)
            memcpy(buf + at, "\\012", 4);
        else
            buf[at] = *s;
        at += n;
    }
    return at;
}

size_t vma_format(const struct vma *v, struct vfs *vfs, const struct path *root, char *buf, size_t size) {
    uint64_t dev = 0, ino = 0;
    char path[LINUX_PATH_MAX + 16];
    const char *name = v->name ? v->name : "";
    if (v->file) {
        dev = v->file->inode->sb->dev;
        ino = v->file->inode->attr.ino;
        if (!v->name && path_text(vfs, &v->file->path, root, path, sizeof path) >= 0)
            name = path;
    }
    int n = snprintf(buf, size, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)v->start,
                     (unsigned long long)v->end, v->prot & LINUX_PROT_READ ? 'r' : '-',
                     v->prot & LINUX_PROT_WRITE ? 'w' : '-', v->prot & LINUX_PROT_EXEC ? 'x' : '-',
                     v->flags & LINUX_MAP_SHARED ? 's' : 'p', v->file ? (unsigned long long)v->offset : 0ull,
                     (unsigned)(dev >> 8 & 0xfff), (unsigned)((dev & 0xff) | (dev >> 12 & 0xfff00)),
                     (unsigned long long)ino);
    if (n < 0 || (size_t)n + NAME_COLUMN >= size)
        return 0;
    size_t at = (size_t)n;
    if (*name) {
        for (; at < NAME_COLUMN; at++)
            buf[at] = ' ';
        at = put_escaped(buf, size, at, name);
        if (at == 0)
            return 0;
    }
    buf[at] = '\n';
    buf[at + 1] = 0;
    return at + 1;
}
