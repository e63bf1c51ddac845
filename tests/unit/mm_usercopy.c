// SPDX-License-Identifier: Apache-2.0
// Copies to and from guest memory, over a guest that is an array of pages, some of them missing: what is
// copied, what is refused, and how many host calls it takes. The platform's copies are stand-ins of this
// file.
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/uio.h"
#include "fs/pipe/pipe.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/task.h"
#include "sentry/signal/signal.h"
#include "tests/unit/fs_util.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
// cmocka wants the above first.
#include <cmocka.h>

#define LO    0x10000ull
#define PAGES 40u
#define PG(n) (LO + (n) * GUEST_PAGE_SIZE)
#define HI    PG(PAGES)

static char guest[PAGES * GUEST_PAGE_SIZE];
static bool missing[PAGES];
static unsigned calls;

// How much of the range is there, from its start.
static size_t there(uint64_t at, size_t n) {
    size_t ok = 0;
    for (; ok < n && at + ok < HI && at + ok >= LO && !missing[(at + ok - LO) / GUEST_PAGE_SIZE]; ok++)
        ;
    return ok;
}
int64_t plat_copy_in(struct plat_as *as, void *dst, uaddr_t src, size_t len) {
    size_t n = there(src.v, len);
    calls++;
    memcpy(dst, guest + (src.v - LO) * (n > 0), n);
    return n ? (int64_t)n : -LINUX_EFAULT;
}
int64_t plat_copy_out(struct plat_as *as, uaddr_t dst, const void *src, size_t len) {
    size_t n = there(dst.v, len);
    calls++;
    if (n)
        memcpy(guest + (dst.v - LO), src, n);
    return n ? (int64_t)n : -LINUX_EFAULT;
}
static unsigned later;  // copies that were left to the answer
int64_t plat_copy_out_answer(struct plat_thread *t, uaddr_t dst, const void *src, size_t len) {
    later++;
    return plat_copy_out(NULL, dst, src, len);
}
// Both sides in order, until one is used up or a page is missing.
static int64_t copyv(bool out, const struct iovec *v, int n, const struct plat_span *span, int nspan) {
    int64_t done = 0;
    size_t loff = 0;
    calls++;
    for (int s = 0, l = 0; s < nspan; s++) {
        size_t ok = there(span[s].start, span[s].len);
        for (size_t i = 0; i < ok; i++, done++, loff++) {
            for (; l < n && loff == v[l].iov_len; l++)
                loff = 0;
            if (l == n)
                return done;
            char *g = guest + (span[s].start + i - LO), *mine = (char *)v[l].iov_base + loff;
            *(out ? g : mine) = *(out ? mine : g);
        }
        if (ok < span[s].len)
            break;
    }
    return done ? done : -LINUX_EFAULT;
}
int64_t plat_copyv_in(struct plat_as *as, const struct iovec *dst, int n, const struct plat_span *src,
                      int nsrc) {
    return copyv(false, dst, n, src, nsrc);
}
int64_t plat_copyv_out(struct plat_as *as, const struct plat_span *dst, int ndst, const struct iovec *src,
                       int n) {
    return copyv(true, src, n, dst, ndst);
}
static bool dying;
bool signal_dying_slow(struct task *t) { return dying; }
int64_t plat_call_string(struct plat_thread *t, uaddr_t src, char *dst, size_t size) { return -LINUX_EAGAIN; }
static unsigned came;  // bytes that are said to have come with the call
int64_t plat_call_data(struct plat_thread *t, uaddr_t src, void *dst, size_t len) {
    return len <= came ? plat_copy_in(NULL, dst, src, len) : -LINUX_EAGAIN;
}

static const struct plat_layout layout = {.lo = LO, .hi = HI};
static struct mm mm = {.layout = &layout};
static struct kernel k;
static struct task task = {.k = &k, .mm = &mm, .thread = (struct plat_thread *)guest};

static int fresh(void **state) {
    memset(guest, 0, sizeof guest);
    memset(missing, 0, sizeof missing);
    calls = 0;
    return 0;
}

static void test_ranges(void **state) {
    char buf[64] = "x";
    assert_int_equal(copy_in(&task, buf, uaddr(0), 0), 0);
    assert_int_equal(copy_in(&task, buf, uaddr(HI - 4), 8), -LINUX_EFAULT);
    assert_int_equal(copy_in(&task, buf, uaddr(UINT64_MAX - 2), 8), -LINUX_EFAULT);
    assert_int_equal(copy_out(&task, uaddr(HI), buf, 1), -LINUX_EFAULT);
    assert_int_equal(calls, 0);  // refused without asking the host
    assert_int_equal(copy_in_some(&task, buf, uaddr(HI - 4), 8), 4);
    assert_int_equal(copy_out(&task, uaddr(PG(1)), "hello", 6), 0);
    assert_string_equal(guest + GUEST_PAGE_SIZE, "hello");
    missing[2] = true;
    assert_int_equal(copy_in(&task, buf, uaddr(PG(2) - 4), 8), -LINUX_EFAULT);
    assert_int_equal(copy_out_some(&task, uaddr(PG(2) - 4), buf, 8), 4);
    assert_int_equal(copy_out_some(&task, uaddr(PG(2)), buf, 8), -LINUX_EFAULT);
    memset(guest, 1, sizeof guest);
    assert_int_equal(clear_user(&task, uaddr(PG(3) + 5), 2 * GUEST_PAGE_SIZE), 0);
    assert_true(guest[3 * GUEST_PAGE_SIZE + 4] == 1 && !guest[3 * GUEST_PAGE_SIZE + 5] &&
                !guest[5 * GUEST_PAGE_SIZE + 4] && guest[5 * GUEST_PAGE_SIZE + 5] == 1);
    assert_int_equal(clear_user(&task, uaddr(PG(1)), 2 * GUEST_PAGE_SIZE), -LINUX_EFAULT);
}

// What a call gives back may come with its answer, unless somebody is to see it before.
static void test_answers(void **state) {
    later = 0;
    assert_int_equal(copy_out(&task, uaddr(PG(1)), "copied", 7), 0);
    assert_int_equal(later, 0);
    assert_int_equal(copy_out_answer(&task, uaddr(PG(1)), "answer", 7), 0);
    assert_int_equal(later, 1);
    assert_int_equal(copy_out_answer(&task, uaddr(HI - 4), "answer", 7), -LINUX_EFAULT);
    k.strace = true;
    assert_int_equal(copy_out_answer(&task, uaddr(PG(1)), "strace", 7), 0);
    k.strace = false;
    atomic_store(&task.traced, true);
    assert_int_equal(copy_out_answer(&task, uaddr(PG(2)), "ptrace", 7), 0);
    atomic_store(&task.traced, false);
    assert_int_equal(later, 1);
    assert_string_equal(guest + GUEST_PAGE_SIZE, "strace");
}

static int64_t give(struct uio_user *u, bool answer) {
    assert_int_equal(uio_user_buf(u, &task, uaddr(PG(1)), 7), 0);
    u->answer = answer;
    return uio_to(&u->u, "answer", 7);
}

// ... as a read's bytes do.
static void test_answers_of_reads(void **state) {
    struct uio_user u;
    later = 0;
    assert_int_equal(give(&u, false), 7);
    assert_int_equal(later, 0);
    assert_int_equal(give(&u, true), 7);
    assert_int_equal(later, 1);
}

// What a call brought along is not fetched; what it did not bring is.
static void test_data_of_the_call(void **state) {
    struct uio_user u;
    char buf[64];
    memset(guest + GUEST_PAGE_SIZE, 'd', sizeof buf);
    for (came = 0; came <= 32; came += 32) {
        calls = 0;
        assert_int_equal(uio_user_buf(&u, &task, uaddr(PG(1)), sizeof buf), 0);
        assert_int_equal(uio_from(&u.u, buf, 32), 32);
        assert_int_equal(uio_from(&u.u, buf + 32, 32), 32);
        assert_int_equal(calls, 2);
        assert_memory_equal(buf, guest + GUEST_PAGE_SIZE, sizeof buf);
    }
    came = 0;
}

static void test_strings(void **state) {
    char buf[LINUX_PATH_MAX];
    missing[1] = true;
    memset(guest, 'a', GUEST_PAGE_SIZE);
    guest[GUEST_PAGE_SIZE - 1] = 0;
    // The NUL is the last byte before a hole: the hole is not touched.
    assert_int_equal(copy_in_str(&task, buf, uaddr(PG(1) - 6), sizeof buf), 5);
    assert_string_equal(buf, "aaaaa");
    assert_int_equal(calls, 1);
    guest[GUEST_PAGE_SIZE - 1] = 'a';
    assert_int_equal(copy_in_str(&task, buf, uaddr(PG(1) - 6), sizeof buf), -LINUX_EFAULT);
    missing[1] = false;
    assert_int_equal(copy_in_str(&task, buf, uaddr(PG(1) - 6), sizeof buf), 6);
    memset(guest, 'b', sizeof guest);
    assert_int_equal(copy_in_str(&task, buf, uaddr(PG(0)), sizeof buf), -LINUX_ENAMETOOLONG);
    assert_int_equal(copy_in_str(&task, buf, uaddr(HI - 3), sizeof buf), -LINUX_EFAULT);
    guest[LINUX_PATH_MAX - 1] = 0;
    assert_int_equal(copy_in_str(&task, buf, uaddr(PG(0)), sizeof buf), LINUX_PATH_MAX - 1);
    assert_int_equal(copy_in_path(&task, buf, uaddr(UINT64_MAX)), -LINUX_EFAULT);
}

static void put_iov(uint64_t at, const struct linux_iovec *v, size_t n) {
    memcpy(guest + (at - LO), v, n * sizeof *v);
}

static void test_vectors(void **state) {
    struct uio_user u;
    char buf[64];
    for (int i = 0; i < 64; i++)
        guest[i] = (char)i;
    // The first three touch: one range, one host call. The empty one between is skipped.
    const struct linux_iovec v[] = {{PG(0), 8}, {PG(0) + 8, 8}, {PG(0) + 16, 8}, {PG(5), 0}, {PG(0) + 40, 8}};
    put_iov(PG(7), v, 5);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 5), 0);
    assert_int_equal(u.u.left, 32);
    calls = 0;
    assert_int_equal(uio_from(&u.u, buf, 20), 20);
    assert_int_equal(calls, 1);
    assert_int_equal(uio_from(&u.u, buf + 20, 64), 12);  // two ranges
    assert_int_equal(calls, 2);
    assert_true(buf[23] == 23 && buf[24] == 40 && buf[31] == 47);
    assert_int_equal(u.u.left, 0);
    assert_int_equal(uio_from(&u.u, buf, 1), 0);
    uio_user_done(&u);
    // A rerun that has done 18 bytes already.
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 5), 0);
    uio_user_skip(&u, 18);
    assert_int_equal(uio_from(&u.u, buf, 64), 14);
    assert_true(buf[0] == 18 && buf[6] == 40);
    uio_user_done(&u);
}

static void test_vector_faults(void **state) {
    struct uio_user u;
    char buf[64] = {0};
    missing[3] = true;
    const struct linux_iovec v[] = {{PG(2), 8}, {PG(3) - 4, 8}, {PG(4), 8}};
    put_iov(PG(7), v, 3);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 3), 0);
    assert_int_equal(uio_to(&u.u, buf, 24), 12);             // short at the hole
    assert_int_equal(uio_to(&u.u, buf, 12), -LINUX_EFAULT);  // and then nothing
    uio_user_done(&u);
    assert_int_equal(uio_user_buf(&u, &task, uaddr(PG(3)), 8), 0);
    assert_int_equal(uio_to(&u.u, buf, 8), -LINUX_EFAULT);
    uio_user_done(&u);
}

static void test_vector_checks(void **state) {
    struct uio_user u;
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), LINUX_IOV_MAX + 1), -LINUX_EINVAL);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(HI), 1), -LINUX_EFAULT);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(0), 0), 0);
    const struct linux_iovec negative[] = {{PG(0), 8}, {PG(0), UINT64_MAX}};
    put_iov(PG(7), negative, 2);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 2), -LINUX_EINVAL);
    const struct linux_iovec kernel[] = {{UINT64_MAX - 4096, 8}};
    put_iov(PG(7), kernel, 1);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 1), -LINUX_EFAULT);
    const struct linux_iovec large[] = {{PG(0), LINUX_MAX_RW_COUNT - 1}, {PG(0), 4096}};
    put_iov(PG(7), large, 2);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 2), 0);
    assert_int_equal(u.u.left, LINUX_MAX_RW_COUNT);  // cut
    uio_user_done(&u);
    // More than fit into the struct itself.
    struct linux_iovec many[20];
    for (unsigned i = 0; i < 20; i++)
        many[i] = (struct linux_iovec){PG(1) + i * 16, 4};
    put_iov(PG(7), many, 20);
    assert_int_equal(uio_user_iov(&u, &task, uaddr(PG(7)), 20), 0);
    char buf[128];
    calls = 0;
    assert_int_equal(uio_from(&u.u, buf, sizeof buf), 80);
    assert_int_equal(calls, 1);
    uio_user_done(&u);
    assert_int_equal(uio_user_buf(&u, &task, uaddr(PG(0)), UINT64_MAX), -LINUX_EFAULT);
    assert_int_equal(uio_user_buf(&u, &task, uaddr(PG(0)), INT64_MAX), -LINUX_EFAULT);
}

// ---- What lies in pages here costs a host call for each gathering of them, not for each page --------------
#define BULK 65536u

static int64_t bulk(int64_t (*io)(struct vfs_ctx *ctx, struct file *f, struct uio *u), struct vfs_ctx *ctx,
                    struct file *f, uint64_t at, size_t n) {
    struct uio_user u;
    assert_int_equal(uio_user_buf(&u, &task, uaddr(at), n), 0);
    calls = 0;
    int64_t done = io(ctx, f, &u.u);
    assert_int_equal(u.u.left, n - (size_t)(done > 0 ? done : 0));
    uio_user_done(&u);
    return done;
}
static int64_t bulk_read(struct vfs_ctx *ctx, struct file *f, struct uio *u) { return vfs_read(f, u); }
static int64_t bulk_write(struct vfs_ctx *ctx, struct file *f, struct uio *u) { return vfs_write(ctx, f, u); }

static void fill(uint64_t at, size_t n) {
    for (size_t i = 0; i < n; i++)
        guest[at - LO + i] = (char)(i * 7 + i / 4096);
}

static void test_pipe_gathers(void **state) {
    struct fx x;
    struct file *p[2];
    fx_begin(&x);
    assert_int_equal(pipe_open(x.vfs, 0, p), 0);
    fill(PG(1), BULK);
    assert_int_equal(bulk(bulk_write, &x.ctx, p[1], PG(1), BULK), BULK);
    assert_int_equal(calls, 1);
    assert_int_equal(bulk(bulk_read, &x.ctx, p[0], PG(20), BULK), BULK);
    assert_int_equal(calls, 1);
    assert_memory_equal(guest + (PG(20) - LO), guest + (PG(1) - LO), BULK);
    // Across the end of the ring, and short at a page that is missing.
    assert_int_equal(bulk(bulk_write, &x.ctx, p[1], PG(1) + 5, 50000), 50000);
    assert_int_equal(bulk(bulk_read, &x.ctx, p[0], PG(20), 40000), 40000);
    assert_int_equal(bulk(bulk_write, &x.ctx, p[1], PG(1), 50000), 50000);
    assert_int_equal(calls, 1);
    missing[21] = true;
    assert_int_equal(bulk(bulk_read, &x.ctx, p[0], PG(20), BULK), GUEST_PAGE_SIZE);
    assert_memory_equal(guest + (PG(20) - LO), guest + (PG(1) + 5 + 40000 - LO), GUEST_PAGE_SIZE);
    assert_int_equal(bulk(bulk_read, &x.ctx, p[0], PG(21), BULK), -LINUX_EFAULT);
    missing[21] = false;
    assert_int_equal(bulk(bulk_read, &x.ctx, p[0], PG(20), BULK), 60000 - GUEST_PAGE_SIZE);
    assert_memory_equal(guest + (PG(20) - LO) + 10000 - GUEST_PAGE_SIZE, guest + (PG(1) - LO), 50000);
    file_put(p[0]);
    file_put(p[1]);
    fx_end(&x);
}

static void test_tmpfs_gathers(void **state) {
    struct fx x;
    fx_begin(&x);
    struct file *f = fx_open(&x, "/f", LINUX_O_CREAT | LINUX_O_RDWR, 0600);
    fill(PG(1), BULK);
    assert_int_equal(bulk(bulk_write, &x.ctx, f, PG(1), BULK), BULK);
    assert_int_equal(calls, 1);
    assert_int_equal(vfs_llseek(f, 0, LINUX_SEEK_SET), 0);
    assert_int_equal(bulk(bulk_read, &x.ctx, f, PG(20), BULK), BULK);
    assert_true(calls <= 2);  // the first page, which grows by doubling, may end in zeros of its own
    assert_memory_equal(guest + (PG(20) - LO), guest + (PG(1) - LO), BULK);
    file_put(f);
    // A write that a missing page cuts leaves neither pages nor bytes behind its end.
    f = fx_open(&x, "/g", LINUX_O_CREAT | LINUX_O_RDWR, 0600);
    missing[3] = true;
    assert_int_equal(bulk(bulk_write, &x.ctx, f, PG(1), BULK), 2 * GUEST_PAGE_SIZE);
    struct vfs_attr a;
    assert_int_equal(vfs_getattr(&f->path, &a), 0);
    assert_int_equal(a.size, 2 * GUEST_PAGE_SIZE);
    assert_int_equal(a.blocks, 2 * GUEST_PAGE_SIZE / 512);
    assert_int_equal(bulk(bulk_write, &x.ctx, f, PG(3), BULK), -LINUX_EFAULT);
    assert_int_equal(vfs_getattr(&f->path, &a), 0);
    assert_int_equal(a.blocks, 2 * GUEST_PAGE_SIZE / 512);
    file_put(f);
    fx_end(&x);
}

// Who is to die gets no further, however long the request.
static void test_dying(void **state) {
    struct uio_user u;
    char buf[64] = "x";
    assert_int_equal(uio_user_buf(&u, &task, uaddr(PG(0)), 64), 0);
    atomic_store(&task.sigpending, true);
    assert_int_equal(uio_to(&u.u, buf, 8), 8);  // a signal that it lives through
    dying = true;
    assert_int_equal(uio_to(&u.u, buf, 8), -LINUX_EINTR);
    assert_int_equal(uio_from(&u.u, buf, 8), -LINUX_EINTR);
    assert_int_equal(u.u.left, 56);
    uio_user_done(&u);
    dying = false;
    atomic_store(&task.sigpending, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_answers, fresh), cmocka_unit_test_setup(test_answers_of_reads, fresh),
        cmocka_unit_test_setup(test_data_of_the_call, fresh),
        cmocka_unit_test_setup(test_ranges, fresh),        cmocka_unit_test_setup(test_strings, fresh),
        cmocka_unit_test_setup(test_vectors, fresh),       cmocka_unit_test_setup(test_vector_faults, fresh),
        cmocka_unit_test_setup(test_vector_checks, fresh), cmocka_unit_test_setup(test_pipe_gathers, fresh),
        cmocka_unit_test_setup(test_tmpfs_gathers, fresh),
        cmocka_unit_test_setup(test_dying, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
