// SPDX-License-Identifier: Apache-2.0
// What strace shows of guest memory beyond one fixed structure: data, strings, vectors, addresses of sockets.
// Called by strace.c. Each copy is bounded by the constants of types.h; what cannot be read is shown as its
// address. No locks.
#include "abi/uio.h"
#include "sentry/strace/types.h"
#include <string.h>

static bool get(const struct strace_mem *m, void *dst, uint64_t addr, size_t n) {
    return m->copy(m->ctx, dst, addr, n) == (int64_t)n;
}

// Up to n bytes; 0 when none could be read.
static size_t get_some(const struct strace_mem *m, void *dst, uint64_t addr, size_t n) {
    int64_t got = n ? m->copy(m->ctx, dst, addr, n) : 0;
    if (got <= 0)
        return 0;
    return (uint64_t)got < n ? (size_t)got : n;
}

void strace_bytes(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t count) {
    char data[STRACE_STRING_MAX];
    size_t want = count < sizeof(data) ? (size_t)count : sizeof(data);
    size_t got = get_some(m, data, addr, want);
    if (!addr || got < want)
        text_ptr(x, addr);
    else
        text_quoted(x, data, got, count > got);
}

void strace_string(struct text *x, const struct strace_mem *m, uint64_t addr) {
    char data[STRACE_PATH_MAX];
    size_t got = addr ? get_some(m, data, addr, sizeof(data)) : 0;
    size_t len = got ? strnlen(data, got) : 0;
    // Without a NUL the string goes on, or into memory that is not there.
    if (!got || (len == got && got < sizeof(data)))
        text_ptr(x, addr);
    else
        text_quoted(x, data, len, len == got);
}

void strace_strings(struct text *x, const struct strace_mem *m, uint64_t addr) {
    uint64_t p;
    if (!addr || !get(m, &p, addr, sizeof(p))) {
        text_ptr(x, addr);
        return;
    }
    text_fmt(x, "[");
    for (unsigned i = 0; p; i++) {
        if (i == STRACE_ARRAY_MAX) {
            text_fmt(x, ", ...");
            break;
        }
        text_fmt(x, i ? ", " : "");
        strace_string(x, m, p);
        if (!get(m, &p, addr + (i + 1) * sizeof(p), sizeof(p)))
            break;
    }
    text_fmt(x, "]");
}

void strace_strcount(struct text *x, const struct strace_mem *m, uint64_t addr) {
    enum { STEP = 64, MOST = 4096 };
    uint64_t p[STEP];
    unsigned count = 0;
    text_ptr(x, addr);
    while (addr && count < MOST) {
        size_t got = get_some(m, p, addr + count * sizeof(p[0]), sizeof(p)) / sizeof(p[0]);
        size_t used = 0;
        while (used < got && p[used])
            used++;
        count += (unsigned)used;
        if (used < STEP)
            break;
    }
    if (addr)
        text_fmt(x, " /* %u vars */", count);
}

void strace_iovec(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t count, uint64_t limit) {
    struct linux_iovec iov[STRACE_ARRAY_MAX];
    size_t shown = count < STRACE_ARRAY_MAX ? (size_t)count : STRACE_ARRAY_MAX;
    if (!addr || (shown && !get(m, iov, addr, shown * sizeof(iov[0])))) {
        text_ptr(x, addr);
        return;
    }
    text_fmt(x, "[");
    for (size_t i = 0; i < shown; i++) {
        uint64_t moved = iov[i].iov_len < limit ? iov[i].iov_len : limit;
        limit -= moved;
        text_fmt(x, "%s{iov_base=", i ? ", " : "");
        strace_bytes(x, m, iov[i].iov_base, moved);
        text_fmt(x, ", iov_len=%llu}", (unsigned long long)iov[i].iov_len);
    }
    text_fmt(x, count > shown ? ", ...]" : "]");
}

void strace_fdset(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t nfds) {
    uint8_t set[LINUX_FD_SETSIZE / 8];
    unsigned most = nfds < LINUX_FD_SETSIZE ? (unsigned)nfds : LINUX_FD_SETSIZE;
    if (!addr || !get(m, set, addr, (most + 63) / 64 * 8)) {
        text_ptr(x, addr);
        return;
    }
    const char *between = "";
    text_fmt(x, "[");
    for (unsigned fd = 0; fd < most; fd++) {
        if (!(set[fd / 8] & (1u << (fd % 8))))
            continue;
        text_fmt(x, "%s%u", between, fd);
        between = " ";
    }
    text_fmt(x, "]");
}

static unsigned port(uint16_t network) {
    return (unsigned)(network >> 8 | (network & 0xff) << 8);
}

static void unix_name(struct text *x, const struct linux_sockaddr_un *un, size_t len) {
    size_t room = len - sizeof(un->sun_family);
    if (!room)
        return;
    text_fmt(x, ", sun_path=");
    if (un->sun_path[0]) {
        text_quoted(x, un->sun_path, strnlen(un->sun_path, room), false);
    } else { // abstract: the name may hold any bytes
        text_fmt(x, "@");
        text_quoted(x, un->sun_path + 1, room - 1, false);
    }
}

void strace_sockaddr(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t len) {
    union {
        struct linux_sockaddr any;
        struct linux_sockaddr_un un;
        struct linux_sockaddr_in in;
        struct linux_sockaddr_in6 in6;
        struct linux_sockaddr_nl nl;
    } sa = {0};
    size_t n = len < sizeof(sa) ? (size_t)len : sizeof(sa);
    if (!addr || n < sizeof(sa.any.sa_family) || !get(m, &sa, addr, n)) {
        text_ptr(x, addr);
        return;
    }
    text_fmt(x, "{sa_family=");
    text_enum(x, &flagset_af, sa.any.sa_family);
    if (sa.any.sa_family == LINUX_AF_UNIX) {
        unix_name(x, &sa.un, n < sizeof(sa.un) ? n : sizeof(sa.un));
    } else if (sa.any.sa_family == LINUX_AF_INET && n >= sizeof(sa.in)) {
        const uint8_t *a = (const uint8_t *)&sa.in.sin_addr;
        text_fmt(x, ", sin_port=%u, sin_addr=%u.%u.%u.%u", port(sa.in.sin_port), a[0], a[1], a[2], a[3]);
    } else if (sa.any.sa_family == LINUX_AF_INET6 && n >= sizeof(sa.in6)) {
        text_fmt(x, ", sin6_port=%u, sin6_addr=", port(sa.in6.sin6_port));
        for (unsigned i = 0; i < 16; i += 2)
            text_fmt(x, "%s%x", i ? ":" : "", sa.in6.sin6_addr[i] << 8 | sa.in6.sin6_addr[i + 1]);
    } else if (sa.any.sa_family == LINUX_AF_NETLINK && n >= sizeof(sa.nl)) {
        text_fmt(x, ", nl_pid=%u, nl_groups=0x%x", sa.nl.nl_pid, sa.nl.nl_groups);
    }
    text_fmt(x, "}");
}

void strace_msghdr(struct text *x, const struct strace_mem *m, uint64_t addr, uint64_t limit) {
    struct linux_msghdr h;
    if (!addr || !get(m, &h, addr, sizeof(h))) {
        text_ptr(x, addr);
        return;
    }
    text_fmt(x, "{msg_name=");
    strace_sockaddr(x, m, h.msg_name, (uint32_t)h.msg_namelen);
    text_fmt(x, ", msg_iov=");
    strace_iovec(x, m, h.msg_iov, h.msg_iovlen, limit);
    text_fmt(x, ", msg_controllen=%llu, msg_flags=", (unsigned long long)h.msg_controllen);
    text_flags(x, &flagset_msg, h.msg_flags);
    text_fmt(x, "}");
}

void strace_array(struct text *x, const struct strace_mem *m, const struct strace_type *type, uint64_t addr,
                  uint64_t count) {
    _Alignas(16) char object[STRACE_TYPE_MAX];
    size_t shown = count < STRACE_ARRAY_MAX ? (size_t)count : STRACE_ARRAY_MAX;
    if (!addr || (shown && !get(m, object, addr, type->size))) {
        text_ptr(x, addr);
        return;
    }
    text_fmt(x, "[");
    for (size_t i = 0; i < shown && get(m, object, addr + i * type->size, type->size); i++) {
        text_fmt(x, i ? ", " : "");
        type->print(x, object);
    }
    text_fmt(x, count > shown ? ", ...]" : "]");
}
