// SPDX-License-Identifier: Apache-2.0
// See usercopy.h. Called by every handler that takes a pointer, and (through uio and uaccess) by fs/.
//
// The platform refuses the ranges that are its own; here only what would overflow is caught before the host
// call. A task's map does not change while its call is handled, so no reference and no lock is taken.
#include "sentry/mm/usercopy.h"
#include "abi/uio.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/task.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/worker.h"
#include "sentry/signal/signal.h"
#include <stdlib.h>
#include <string.h>

static bool range_ok(const struct mm *mm, uint64_t addr, uint64_t n) {
    return addr < mm->layout->hi && n <= mm->layout->hi - addr;
}

int64_t copy_in_some(struct task *t, void *dst, uaddr_t src, size_t n) {
    if (n == 0)
        return 0;
    const struct mm *mm = t->mm;
    if (src.v >= mm->layout->hi)
        return -LINUX_EFAULT;
    if (n > mm->layout->hi - src.v)
        n = mm->layout->hi - src.v;
    int64_t r = plat_copy_in(mm->as, dst, src, n);
    return r > 0 ? r : -LINUX_EFAULT;
}
int64_t copy_out_some(struct task *t, uaddr_t dst, const void *src, size_t n) {
    if (n == 0)
        return 0;
    const struct mm *mm = t->mm;
    if (dst.v >= mm->layout->hi)
        return -LINUX_EFAULT;
    if (n > mm->layout->hi - dst.v)
        n = mm->layout->hi - dst.v;
    int64_t r = plat_copy_out(mm->as, dst, src, n);
    return r > 0 ? r : -LINUX_EFAULT;
}
int copy_in(struct task *t, void *dst, uaddr_t src, size_t n) {
    if (n == 0 || (t->worker && worker_recall(t->worker, dst, src.v, n)))
        return 0;
    if (!range_ok(t->mm, src.v, n) || plat_copy_in(t->mm->as, dst, src, n) != (int64_t)n)
        return -LINUX_EFAULT;
    if (t->worker)
        worker_remember(t->worker, src.v, dst, n);
    return 0;
}
int copy_in_with_call(struct task *t, void *dst, uaddr_t src, size_t n) {
    bool came = !t->worker && range_ok(t->mm, src.v, n) && plat_call_data(t->thread, src, dst, n) >= 0;
    return came ? 0 : copy_in(t, dst, src, n);
}
int copy_out(struct task *t, uaddr_t dst, const void *src, size_t n) {
    if (n == 0 || (t->worker && worker_write_back(t->worker, dst.v, src, n)))
        return 0;
    if (!range_ok(t->mm, dst.v, n))
        return -LINUX_EFAULT;
    return plat_copy_out(t->mm->as, dst, src, n) == (int64_t)n ? 0 : -LINUX_EFAULT;
}
// Whoever traces looks at guest memory before the call is answered.
static int64_t copy_answer(struct task *t, uaddr_t dst, const void *src, size_t n) {
    bool looked_at = t->k->strace || ptrace_on(t) || t->worker;
    return looked_at ? plat_copy_out(t->mm->as, dst, src, n) : plat_copy_out_answer(t->thread, dst, src, n);
}
int copy_out_answer(struct task *t, uaddr_t dst, const void *src, size_t n) {
    if (n == 0)
        return 0;
    if (!range_ok(t->mm, dst.v, n))
        return -LINUX_EFAULT;
    return copy_answer(t, dst, src, n) == (int64_t)n ? 0 : -LINUX_EFAULT;
}
int clear_user(struct task *t, uaddr_t dst, size_t n) {
    static const char zeros[GUEST_PAGE_SIZE];
    if (n && !range_ok(t->mm, dst.v, n))
        return -LINUX_EFAULT;
    for (size_t done = 0; done < n;) {
        size_t now = n - done < sizeof zeros ? n - done : sizeof zeros;
        if (plat_copy_out(t->mm->as, uaddr_add(dst, done), zeros, now) != (int64_t)now)
            return -LINUX_EFAULT;
        done += now;
    }
    return 0;
}

int copy_in_struct(struct task *t, void *dst, size_t n, uaddr_t src, uint64_t size, size_t least) {
    unsigned char raw[GUEST_PAGE_SIZE];
    if (size < least)
        return -LINUX_EINVAL;
    if (size > sizeof raw)
        return -LINUX_E2BIG;
    if (copy_in(t, raw, src, size) < 0)
        return -LINUX_EFAULT;
    for (size_t i = n; i < size; i++)
        if (raw[i])
            return -LINUX_E2BIG;
    memset(dst, 0, n);
    memcpy(dst, raw, size < n ? size : n);
    return 0;
}

// Never reads the page behind the one that has the NUL: it may be missing, or be somebody's trap. Most
// strings are short, so the first read is small.
int64_t copy_in_str(struct task *t, char *dst, uaddr_t src, size_t size) {
    size_t done = 0, most = 512;
    int64_t came = t->worker ? -LINUX_EAGAIN : plat_call_string(t->thread, src, dst, size);
    if (came >= 0)
        return came;
    while (done < size) {
        uint64_t at = src.v + done;
        size_t n = GUEST_PAGE_SIZE - at % GUEST_PAGE_SIZE;
        n = n < size - done ? n : size - done;
        n = n < most ? n : most;
        most = GUEST_PAGE_SIZE;
        if (at < src.v || copy_in(t, dst + done, uaddr(at), n) < 0)
            return -LINUX_EFAULT;
        const char *nul = memchr(dst + done, 0, n);
        if (nul)
            return nul - dst;
        done += n;
    }
    return -LINUX_ENAMETOOLONG;
}

// ---- uio --------------------------------------------------------------------------------------------------
// Where a vector of buffers stands that is used up in pieces.
struct cursor {
    const struct iovec *v;
    unsigned n, i;
    size_t off;  // within v[i]
};
// The next buffers, n bytes of them at most, UIO_GATHER pieces at most; returns how many pieces, *bytes in
// all.
static unsigned next_local(const struct cursor *c, size_t n, struct iovec *out, size_t *bytes) {
    unsigned k = 0;
    size_t off = c->off;
    *bytes = 0;
    for (unsigned i = c->i; i < c->n && k < UIO_GATHER && *bytes < n; i++, off = 0) {
        size_t len = c->v[i].iov_len - off;
        len = len < n - *bytes ? len : n - *bytes;
        if (len)
            out[k++] = (struct iovec){(char *)c->v[i].iov_base + off, len};
        *bytes += len;
    }
    return k;
}
static void cursor_skip(struct cursor *c, size_t n) {
    while (c->i < c->n && n >= c->v[c->i].iov_len - c->off) {
        n -= c->v[c->i++].iov_len - c->off;
        c->off = 0;
    }
    c->off += n;
}

// The next guest ranges in the same way; elements that touch are one.
static unsigned next_ranges(const struct uio_user *u, size_t n, struct plat_span *out, size_t *bytes) {
    unsigned k = 0;
    uint64_t off = u->off;
    *bytes = 0;
    for (unsigned i = u->i; i < u->n && *bytes < n; i++, off = 0) {
        uint64_t base = u->iov[i].base + off, len = u->iov[i].len - off;
        len = len < n - *bytes ? len : n - *bytes;
        if (len == 0)
            continue;
        if (k && out[k - 1].start + out[k - 1].len == base)
            out[k - 1].len += len;
        else if (k == UIO_GATHER)
            break;
        else
            out[k++] = (struct plat_span){base, len};
        *bytes += len;
    }
    return k;
}
// Ranges end at the end of user space: how many are left, the last of them cut.
static unsigned within_layout(const struct mm *mm, struct plat_span *span, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        if (span[i].start >= mm->layout->hi)
            return i;
        if (span[i].len > mm->layout->hi - span[i].start) {
            span[i].len = mm->layout->hi - span[i].start;
            return i + 1;
        }
    }
    return n;
}
void uio_user_skip(struct uio_user *u, uint64_t n) {
    n = n < u->u.left ? n : u->u.left;
    u->u.left -= n;
    while (n) {
        uint64_t rest = u->iov[u->i].len - u->off;
        if (n < rest) {
            u->off += n;
            return;
        }
        n -= rest;
        u->i++;
        u->off = 0;
    }
}

static int64_t transfer(struct uio_user *u, bool out, const struct iovec *local, unsigned nlocal,
                        struct plat_span *span, unsigned nspan) {
    struct task *t = u->t;
    bool one = nlocal == 1 && nspan == 1 && !(u->u.flags & UIO_BY_HOST) && !t->worker;
    if (out && one && u->answer && range_ok(t->mm, span->start, span->len))
        return copy_answer(t, uaddr(span->start), local->iov_base, span->len);
    int64_t came = !out && one ? plat_call_data(t->thread, uaddr(span->start), local->iov_base, span->len)
                               : -LINUX_EAGAIN;
    if (came >= 0)
        return came;
    nspan = within_layout(t->mm, span, nspan);
    if (nspan == 0)
        return -LINUX_EFAULT;
    return out ? plat_copyv_out(t->mm->as, span, (int)nspan, local, (int)nlocal)
               : plat_copyv_in(t->mm->as, local, (int)nlocal, span, (int)nspan);
}
// One host call for as much as UIO_GATHER pieces on either side hold.
static int64_t move(struct uio_user *u, bool out, const struct iovec *v, unsigned n) {
    struct cursor c = {.v = v, .n = n};
    size_t done = 0;
    for (;;) {
        struct iovec local[UIO_GATHER];
        struct plat_span span[UIO_GATHER];
        size_t bytes, now;
        unsigned nlocal = next_local(&c, u->u.left, local, &bytes), nspan = next_ranges(u, bytes, span, &now);
        if (now < bytes)
            nlocal = next_local(&c, now, local, &bytes);
        if (now == 0)
            return (int64_t)done;
        int64_t r = transfer(u, out, local, nlocal, span, nspan);
        if (r <= 0)
            return done ? (int64_t)done : -LINUX_EFAULT;
        uio_user_skip(u, (uint64_t)r);
        cursor_skip(&c, (size_t)r);
        done += (size_t)r;
        if ((size_t)r < now)
            return (int64_t)done;
    }
}
// However long the request: whatever loop of fs/ moves it comes here for each buffer or each gathering of
// pages, which are bounded, and a task that is to die gets no further.
static int64_t user_to(struct uio *u, const struct iovec *src, unsigned n) {
    struct uio_user *user = container_of(u, struct uio_user, u);
    return signal_dying(user->t) ? -LINUX_EINTR : move(user, true, src, n);
}
static int64_t user_from(struct uio *u, const struct iovec *dst, unsigned n) {
    struct uio_user *user = container_of(u, struct uio_user, u);
    return signal_dying(user->t) ? -LINUX_EINTR : move(user, false, dst, n);
}
static void user_back(struct uio *io, size_t n) {
    struct uio_user *u = container_of(io, struct uio_user, u);
    u->u.left += n;
    while (n) {
        if (u->off == 0) {
            u->off = u->iov[--u->i].len;
            continue;
        }
        uint64_t step = n < u->off ? n : u->off;
        u->off -= step;
        n -= step;
    }
}
static const struct uio_ops user_ops = {.by_host = true, .to = user_to, .from = user_from, .back = user_back};

static void uio_init(struct uio_user *u, struct task *t) {
    u->u = (struct uio){.ops = &user_ops};
    u->t = t;
    u->iov = u->fast;
    u->n = u->i = 0;
    u->off = 0;
    u->answer = false;
}

int uio_user_buf(struct uio_user *u, struct task *t, uaddr_t buf, uint64_t len) {
    uio_init(u, t);
    if (!user_range_ok(buf.v, len))
        return -LINUX_EFAULT;
    len = len < LINUX_MAX_RW_COUNT ? len : LINUX_MAX_RW_COUNT;
    u->fast[0] = (struct user_iov){buf.v, len};
    u->n = 1;
    u->u.left = len;
    u->u.odd = buf.v & UIO_ODD;
    return 0;
}

static int read_iov(struct uio_user *u, uaddr_t iov, unsigned n) {
    if (n > UIO_FAST_IOV) {
        u->iov = xcalloc(n, sizeof *u->iov);
        if (!u->iov) {
            u->iov = u->fast;
            return -LINUX_ENOMEM;
        }
    }
    int r = copy_in(u->t, u->iov, iov, n * sizeof *u->iov);
    if (r < 0)
        return r;
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        struct user_iov *v = &u->iov[i];
        if (v->len > INT64_MAX)
            return -LINUX_EINVAL;
        if (!user_range_ok(v->base, v->len))
            return -LINUX_EFAULT;
        if (v->len > LINUX_MAX_RW_COUNT - sum)
            v->len = LINUX_MAX_RW_COUNT - sum;  // cut as import_iovec() does
        sum += v->len;
        u->u.odd |= v->len ? (v->base | v->len) & UIO_ODD : 0;
    }
    u->n = n;
    u->u.left = sum;
    return 0;
}
int uio_user_iov(struct uio_user *u, struct task *t, uaddr_t iov, uint64_t count) {
    uio_init(u, t);
    if (count > LINUX_IOV_MAX)
        return -LINUX_EINVAL;
    int r = count ? read_iov(u, iov, (unsigned)count) : 0;
    if (r < 0)
        uio_user_done(u);
    return r;
}
void uio_user_done(struct uio_user *u) {
    if (u->iov != u->fast)
        free(u->iov);
    u->iov = u->fast;
    u->n = 0;
    u->u.left = 0;
}

// ---- uaccess ----------------------------------------------------------------------------------------------
static int access_in(struct uaccess *a, void *dst, uaddr_t src, size_t n) {
    return copy_in(a->task, dst, src, n);
}
static int access_out(struct uaccess *a, uaddr_t dst, const void *src, size_t n) {
    return copy_out(a->task, dst, src, n);
}
void uaccess_user_init(struct uaccess_user *u, struct task *t) {
    u->a = (struct uaccess){.in = access_in, .out = access_out, .task = t};
}
