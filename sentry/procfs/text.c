// SPDX-License-Identifier: Apache-2.0
// Growing text. A failure is remembered, so that the functions that make text need no checks of their own.
#include "base/fault.h"
#include "sentry/procfs/impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool room(struct proc_text *x, size_t n) {
    if (x->failed)
        return false;
    if (n <= x->cap - x->len)
        return true;
    size_t cap = x->cap ? x->cap : 1024;
    while (cap - x->len < n && cap <= PROC_TEXT_MAX)
        cap *= 2;
    char *buf = cap <= PROC_TEXT_MAX ? xrealloc(x->buf, cap) : NULL;
    if (!buf) {
        x->failed = true;
        return false;
    }
    x->buf = buf;
    x->cap = cap;
    return true;
}

void proc_put(struct proc_text *x, const void *p, size_t n) {
    if (!n || !room(x, n))
        return;
    memcpy(x->buf + x->len, p, n);
    x->len += n;
}

void proc_printf(struct proc_text *x, const char *fmt, ...) {
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line)
        x->failed = true;
    else
        proc_put(x, line, (size_t)n);
}

void proc_put_path(struct proc_text *x, const char *s, const char *escape) {
    for (; *s; s++) {
        if (strchr(escape, *s))
            proc_printf(x, "\\%03o", (unsigned char)*s);
        else
            proc_put(x, s, 1);
    }
}

void proc_text_free(struct proc_text *x) {
    free(x->buf);
    *x = (struct proc_text){0};
}
