// SPDX-License-Identifier: Apache-2.0
// From a call and its row in abi/syscalls.def to a line of text. The sentry's tracing calls it, and unit
// tests do. It reads the argument specification each time: tracing is no hot path. No locks, no allocation.
//
// LIMIT: arguments of ioctl and prctl, control messages, epoll and futex vectors are shown as addresses.
#include "sentry/strace/strace.h"
#include "sentry/strace/text.h"
#include "sentry/strace/types.h"
#include <stdlib.h>
#include <string.h>

struct slice {
    const char *p;
    size_t n;
};

// One argument: KIND(SUB*COUNT):NAME, see abi/syscalls.def.
struct argspec {
    struct slice kind, sub, count, name;
};

struct line {
    struct text x;
    struct strace_mem mem;
    struct argspec spec[6];
    unsigned nargs;
    struct slice ret_format; // "hex", "oct" or empty
    const uint64_t *args;
    int64_t ret;
    bool entry;
};

static bool is(struct slice s, const char *word) {
    return strlen(word) == s.n && memcmp(s.p, word, s.n) == 0;
}

static bool same(struct slice a, struct slice b) {
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

// ---- Reading the specification
// -------------------------------------------------------------------------------------
static struct slice until(const char **p, const char *stops) {
    struct slice s = {*p, strcspn(*p, stops)};
    *p += s.n;
    return s;
}

static void parse_arg(const char **p, struct argspec *spec) {
    *spec = (struct argspec){.kind = until(p, "(:,;")};
    if (**p == '(') {
        ++*p;
        spec->sub = until(p, "*)");
        if (**p == '*') {
            ++*p;
            spec->count = until(p, ")");
        }
        *p += **p == ')';
    }
    if (**p == ':') {
        ++*p;
        spec->name = until(p, ",;");
    }
}

static void parse(struct line *l, const char *p) {
    while (*p && *p != ';' && l->nargs < 6) {
        parse_arg(&p, &l->spec[l->nargs++]);
        p += strspn(p, ", ");
    }
    if (*p == ';') {
        p += strspn(p, "; ");
        l->ret_format = until(&p, "");
    }
}

// ---- Memory
// -------------------------------------------------------------------------------------------------------- A
// count is a number, `ret', or another argument: its value, or what it points to.
static uint64_t count_of(const struct line *l, struct slice count) {
    if (!count.n)
        return 1;
    if (count.p[0] >= '0' && count.p[0] <= '9')
        return strtoull(count.p, NULL, 10); // ends at the bracket
    if (is(count, "ret"))
        return l->ret > 0 ? (uint64_t)l->ret : 0;
    for (unsigned i = 0; i < l->nargs; i++) {
        if (!same(l->spec[i].name, count))
            continue;
        if (!is(l->spec[i].kind, "inout"))
            return is(l->spec[i].kind, "int") ? (uint32_t)l->args[i] : l->args[i];
        uint32_t value = 0;
        if (l->mem.copy(l->mem.ctx, &value, l->args[i], sizeof(value)) != sizeof(value))
            value = 0;
        return value;
    }
    return 0;
}

static void structure(struct line *l, const struct argspec *s, uint64_t addr) {
    const struct strace_type *type = strace_type_find(s->sub.p, s->sub.n);
    _Alignas(16) char object[STRACE_TYPE_MAX];
    if (type && s->count.n)
        strace_array(&l->x, &l->mem, type, addr, count_of(l, s->count));
    else if (type && addr && l->mem.copy(l->mem.ctx, object, addr, type->size) == (int64_t)type->size)
        type->print(&l->x, object);
    else
        text_ptr(&l->x, addr);
}

static void memory(struct line *l, const struct argspec *s, uint64_t addr) {
    bool out = is(s->kind, "out");
    if (out && (l->entry || l->ret < 0)) {
        text_ptr(&l->x, addr);
        return;
    }
    uint64_t limit = out ? (uint64_t)l->ret : UINT64_MAX;
    if (is(s->sub, "bytes"))
        strace_bytes(&l->x, &l->mem, addr, count_of(l, s->count));
    else if (is(s->sub, "path"))
        strace_string(&l->x, &l->mem, addr);
    else if (is(s->sub, "strings"))
        strace_strings(&l->x, &l->mem, addr);
    else if (is(s->sub, "strcount"))
        strace_strcount(&l->x, &l->mem, addr);
    else if (is(s->sub, "iovec"))
        strace_iovec(&l->x, &l->mem, addr, count_of(l, s->count), limit);
    else if (is(s->sub, "fdset"))
        strace_fdset(&l->x, &l->mem, addr, count_of(l, s->count));
    else if (is(s->sub, "sockaddr"))
        strace_sockaddr(&l->x, &l->mem, addr, count_of(l, s->count));
    else if (is(s->sub, "msghdr"))
        strace_msghdr(&l->x, &l->mem, addr, limit);
    else
        structure(l, s, addr);
}

// ---- Arguments that others decide
// ------------------------------------------------------------------------------------
static void sockopt(struct text *x, uint64_t level, uint64_t option) {
    if ((uint32_t)level == LINUX_SOL_SOCKET)
        text_enum(x, &flagset_so, option);
    else if ((uint32_t)level == LINUX_SOL_TCP)
        text_enum(x, &flagset_tcp, option);
    else
        text_fmt(x, "%d", (int)option);
}

static void fcntl_arg(struct line *l, uint64_t arg) {
    static const struct argspec flock = {.kind = {"inout", 5}, .sub = {"flock", 5}};
    switch ((uint32_t)l->args[1]) {
    case LINUX_F_SETFD:
        text_flags(&l->x, &flagset_fdcloexec, arg);
        break;
    case LINUX_F_SETFL:
        text_flags(&l->x, &flagset_open, (uint32_t)arg);
        break;
    case LINUX_F_ADD_SEALS:
        text_flags(&l->x, &flagset_seal, (uint32_t)arg);
        break;
    case LINUX_F_GETLK:
    case LINUX_F_SETLK:
    case LINUX_F_SETLKW:
    case LINUX_F_OFD_GETLK:
    case LINUX_F_OFD_SETLK:
    case LINUX_F_OFD_SETLKW:
        memory(l, &flock, arg);
        break;
    default:
        text_fmt(&l->x, "%lld", (long long)arg);
    }
}

// Is there an argument at all? The mode of open counts only when a file can be made, and the argument of
// fcntl not for the commands that ask.
static bool is_absent(const struct line *l, unsigned i) {
    const struct argspec *s = &l->spec[i];
    if (is(s->kind, "mode") && i > 0 && is(l->spec[i - 1].kind, "flags") && is(l->spec[i - 1].sub, "open"))
        return !(l->args[i - 1] & (LINUX_O_CREAT | LINUX___O_TMPFILE));
    if (!is(s->kind, "fcntlarg"))
        return false;
    switch ((uint32_t)l->args[1]) {
    case LINUX_F_GETFD:
    case LINUX_F_GETFL:
    case LINUX_F_GETOWN:
    case LINUX_F_GETSIG:
    case LINUX_F_GETLEASE:
    case LINUX_F_GETPIPE_SZ:
    case LINUX_F_GET_SEALS:
        return true;
    }
    return false;
}

// ---- Scalars
// -----------------------------------------------------------------------------------------------------
static void id(struct text *x, uint64_t value) {
    if ((uint32_t)value == UINT32_MAX)
        text_fmt(x, "-1"); // leave as it is
    else
        text_fmt(x, "%u", (unsigned)value);
}

static void flags(struct line *l, const struct argspec *s, uint64_t value) {
    const struct flagset *set = flagset_find(s->sub.p, s->sub.n);
    // Flags are ints but for those of clone and mmap; what stands in the upper half then is not looked at by
    // Linux.
    bool wide = set == &flagset_clone || set == &flagset_sa;
    if (!set)
        text_hex(&l->x, value);
    else if (is(s->kind, "flags"))
        text_flags(&l->x, set, wide ? value : (uint32_t)value);
    else
        text_enum(&l->x, set, (uint32_t)value);
}

// Returns false for kinds that are no scalars.
static bool scalar(struct text *x, struct slice kind, uint64_t v) {
    if (is(kind, "fd") || is(kind, "int") || is(kind, "pid"))
        text_fmt(x, "%d", (int)v);
    else if (is(kind, "dirfd") && (int)v == LINUX_AT_FDCWD)
        text_fmt(x, "AT_FDCWD");
    else if (is(kind, "dirfd"))
        text_fmt(x, "%d", (int)v);
    else if (is(kind, "uint"))
        text_fmt(x, "%u", (unsigned)v);
    else if (is(kind, "long") || is(kind, "off"))
        text_fmt(x, "%lld", (long long)v);
    else if (is(kind, "size"))
        text_fmt(x, "%llu", (unsigned long long)v);
    else if (is(kind, "hex"))
        text_hex(x, v);
    else if (is(kind, "ptr"))
        text_ptr(x, v);
    else if (is(kind, "oct"))
        text_fmt(x, "%#llo", (unsigned long long)v);
    else if (is(kind, "mode"))
        text_mode(x, (uint32_t)v);
    else if (is(kind, "sig"))
        text_signal(x, (uint32_t)v);
    else if (is(kind, "uid") || is(kind, "gid"))
        id(x, v);
    else if (is(kind, "dev"))
        text_fmt(x, "makedev(%#x, %#x)", LINUX_MAJOR(v), LINUX_MINOR(v));
    else
        return false;
    return true;
}

static void argument(struct line *l, unsigned i) {
    const struct argspec *s = &l->spec[i];
    uint64_t value = l->args[i];
    if (scalar(&l->x, s->kind, value))
        return;
    if (is(s->kind, "path"))
        strace_string(&l->x, &l->mem, value);
    else if (is(s->kind, "flags") || is(s->kind, "enum"))
        flags(l, s, value);
    else if (is(s->kind, "in") || is(s->kind, "out") || is(s->kind, "inout"))
        memory(l, s, value);
    else if (is(s->kind, "sockopt"))
        sockopt(&l->x, l->args[1], value);
    else if (is(s->kind, "fcntlarg"))
        fcntl_arg(l, value);
    else
        text_hex(&l->x, value);
}

// ---- The return value
// ------------------------------------------------------------------------------------------------
static void return_value(struct line *l) {
    int64_t ret = l->ret;
    const char *name =
        ret < 0 && ret >= -LINUX_MAX_ERRNO ? flagset_name(&flagset_errno, (uint64_t)-ret) : NULL;
    if (name && ret <= -LINUX_ERESTARTSYS)
        text_fmt(&l->x, "? %s (to be restarted)", name);
    else if (name)
        text_fmt(&l->x, "-1 %s (%s)", name, strerrordesc_np((int)-ret));
    else if (is(l->ret_format, "hex"))
        text_hex(&l->x, (uint64_t)ret);
    else if (is(l->ret_format, "oct"))
        text_fmt(&l->x, "%#llo", (unsigned long long)ret);
    else
        text_fmt(&l->x, "%lld", (long long)ret);
}

int strace_format(char *buf, size_t n, const struct sysdesc *desc, const uint64_t args[6], int64_t ret,
                  bool entry, strace_copy_fn copy, void *ctx) {
    struct line l = {.mem = {copy, ctx}, .args = args, .ret = ret, .entry = entry};
    text_init(&l.x, buf, n);
    parse(&l, desc->args);
    text_fmt(&l.x, "%s(", desc->name);
    for (unsigned i = 0; i < l.nargs && !is_absent(&l, i); i++) {
        text_fmt(&l.x, i ? ", " : "");
        argument(&l, i);
    }
    text_fmt(&l.x, ")");
    if (!entry) {
        text_fmt(&l.x, " = ");
        return_value(&l);
    }
    return (int)l.x.len;
}
