// SPDX-License-Identifier: Apache-2.0
// Bounded text and the plain scalars of strace. Called by strace.c and strace_types.c alone. No locks, no
// allocation.
#include "sentry/strace/text.h"
#include <stdarg.h>
#include <stdio.h>

void text_init(struct text *x, char *buf, size_t size) {
    *x = (struct text){.buf = buf, .size = size};
    buf[0] = '\0';
}

void text_fmt(struct text *x, const char *format, ...) {
    size_t room = x->size - x->len;
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(x->buf + x->len, room, format, ap);
    va_end(ap);
    if (n > 0)
        x->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void quoted_byte(struct text *x, unsigned char c, bool digit_follows) {
    static const char names[] = "abtnvfr"; // 7 to 13
    if (c == '"' || c == '\\')
        text_fmt(x, "\\%c", c);
    else if (c >= 7 && c <= 13)
        text_fmt(x, "\\%c", names[c - 7]);
    else if (c >= 0x20 && c < 0x7f)
        text_fmt(x, "%c", c);
    else
        text_fmt(x, digit_follows ? "\\%03o" : "\\%o", c); // a digit must not become part of the escape
}

void text_quoted(struct text *x, const void *bytes, size_t n, bool more) {
    const unsigned char *p = bytes;
    text_fmt(x, "\"");
    for (size_t i = 0; i < n; i++)
        quoted_byte(x, p[i], i + 1 < n && p[i + 1] >= '0' && p[i + 1] <= '9');
    text_fmt(x, more ? "\"..." : "\"");
}

void text_flags(struct text *x, const struct flagset *set, uint64_t value) {
    uint64_t taken = 0;
    const char *between = "";
    for (size_t i = 0; i < set->count; i++) {
        const struct flagentry *e = &set->entries[i];
        if ((value & e->mask) != e->value || (e->mask & ~taken) == 0)
            continue;
        text_fmt(x, "%s%s", between, e->name);
        taken |= e->mask;
        between = "|";
    }
    if (value & ~taken)
        text_fmt(x, "%s0x%llx", between, (unsigned long long)(value & ~taken));
    else if (!*between)
        text_fmt(x, "0");
}

void text_enum(struct text *x, const struct flagset *set, uint64_t value) {
    const char *name = flagset_name(set, value);
    if (name)
        text_fmt(x, "%s", name);
    else if (value < 1000)
        text_fmt(x, "%u", (unsigned)value);
    else
        text_hex(x, value);
}

void text_hex(struct text *x, uint64_t value) {
    text_fmt(x, value ? "0x%llx" : "%llu", (unsigned long long)value);
}

void text_ptr(struct text *x, uint64_t value) {
    if (value)
        text_hex(x, value);
    else
        text_fmt(x, "NULL");
}

void text_signal(struct text *x, uint64_t sig) {
    const char *name = flagset_name(&flagset_signal, sig);
    if (name)
        text_fmt(x, "%s", name);
    else if (sig >= LINUX_SIGRTMIN && sig <= LINUX_SIGRTMAX)
        text_fmt(x, "SIGRT_%u", (unsigned)(sig - LINUX_SIGRTMIN));
    else
        text_fmt(x, "%d", (int)sig);
}

void text_mode(struct text *x, uint32_t mode) {
    if (mode & LINUX_S_IFMT) {
        text_enum(x, &flagset_filetype, mode & LINUX_S_IFMT);
        text_fmt(x, "|");
    }
    text_fmt(x, "%#o", mode & ~(uint32_t)LINUX_S_IFMT);
}
