// SPDX-License-Identifier: Apache-2.0
// Premapped memory: small maps and unmaps of a busy single-threaded guest without any work of the host.
//
// The host's own mmap and munmap cost two switches to the sentry and back each, since each must be approved.
// So when a patched munmap site is hot (fastcall/sites.c), and the sentry has named free addresses
// (free_range()), its process maps SC_PREMAP_LEN of private anonymous memory there, *guarded*: registered
// with a userfaultfd that turns the first touch of any page, by the guest or by the kernel for it, into
// SIGBUS or EFAULT. To own guarded memory is a matter of our books:
//
//   low ......... free ......... at ......... guarded, the guest's ......... top
//
//   map     The ring's mmap proposes the highest free place (`at` goes down). The sentry's decision to map it
//           there is carried out by no host call.
//   unmap   Of the last one, untouched: `at` goes up again. Nothing to do for the host either.
//   touch   A page in [at, top): all of it becomes ordinary memory (*opened*: one ioctl of ours, the stub has
//           no part in it), and the guest, or the copy, goes on. A page in [low, at): the guest has no memory
//           there, and is told so.
//   else    Any other work on [at, top) opens it first. Other work on [low, at), a fork, a second thread: the
//           premapped memory is given up, that is unmapped, before it is done.
//
// So host map and books agree on each page whenever somebody could tell: a page without an owner faults, and
// what is opened is the host's memory like any other. When the last maps were touched, the next are opened as
// they are made, or, when they are small and unmapped one before the other, *filled* with pages: that costs
// less than the fault. The descriptor comes to us by pidfd_getfd(2); the stub closes its own at once.
//
// Host calls: none for a map, none for the unmap of what was not touched; one ioctl for a map that is opened
// or filled. Called by hostops.c, dispatch.c, fastcall/, clone.c, process.c, and by memory.c when a copy
// fails. Locks: sc_premap.lock, for moments.
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/fdcharge.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SC_PREMAP_LEN   (16ull << 20)
#define SC_PREMAP_MOST  (1ull << 20)  // of one map
#define SC_PREMAP_LEAST (2ull << 20)  // when less is free, there is to be new memory
#define SC_FILL         (2 * STUB_PAGE)
#define SC_GUESS        32  // maps that are opened at once before one is left guarded, to see

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define UFFD_FLAGS (O_CLOEXEC | UFFD_USER_MODE_ONLY)

static bool uffd_begin(int fd) {
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    return ioctl(fd, UFFDIO_API, &api) == 0;
}

// Before the sentry is caged. A container's profile may refuse either of the two.
void sc_premap_probe(struct sc_platform *p) {
    int fd = (int)syscall(SYS_userfaultfd, UFFD_FLAGS);
    int none = (int)syscall(SYS_pidfd_getfd, -1, 0, 0);
    p->premaps = fd >= 0 && none < 0 && errno == EBADF && uffd_begin(fd);
    if (fd >= 0)
        close(fd);
}

void sc_premap_settle(struct sc_platform *p) {
    if (p->base.use_proc_mem)
        p->premaps = false;
}

void sc_premap_init(struct sc_premap *s) {
    lock_init(&s->lock, RANK_LEAF);
    s->fd = -1;
}

// What the ring's code in the stub goes by (layout.h): a hint, as all that lies there.
static void tell_stub(struct sc_as *as) {
    const struct sc_premap *s = &as->premap;
    uint64_t room = s->at - s->low;
    sc_ring_premap_hint(sc_of(as->base.p), s->ring, room < SC_PREMAP_MOST ? room : SC_PREMAP_MOST,
                        s->n ? s->at : 0);
}

// [premap.lock] Closing the descriptor ends the guard of all that it was registered for.
static void forget_range(struct sc_as *as) {
    struct sc_premap *s = &as->premap;
    if (s->fd >= 0)
        fdcharge_close(s->fd);
    s->fd = -1;
    s->low = s->at = s->top = s->high = s->n = 0;
    s->filled = false;
    atomic_store(&s->on, false);
    tell_stub(as);
}

void sc_premap_fini(struct sc_as *as) {
    if (as->premap.fd >= 0)
        fdcharge_close(as->premap.fd);
    lock_destroy(&as->premap.lock);
}

// [premap.lock] All that the guest has of it becomes ordinary memory. Only a host without memory refuses.
static void open_all(struct sc_as *as) {
    struct sc_premap *s = &as->premap;
    struct uffdio_range r = {s->at, s->top - s->at};
    if (s->top > s->at && ioctl(s->fd, UFFDIO_UNREGISTER, &r)) {
        int pid = atomic_load(&as->base.pid);
        log_warn("stub %d ends: its memory cannot be opened: %s", pid, strerror(errno));
        if (pid > 0)
            kill(pid, SIGKILL);
    }
    s->fill = s->fill && !s->filled;
    s->filled = false;
    s->top = s->at;
    s->n = 0;
    tell_stub(as);
}

// [premap.lock] The map at `at` alone gets its pages now.
static void fill_map(struct sc_as *as, uint64_t len) {
    static const char zeros[SC_FILL];
    struct sc_premap *s = &as->premap;
    struct uffdio_copy c = {.dst = s->at, .src = (uint64_t)zeros, .len = len};
    s->n = 0;
    s->filled = ioctl(s->fd, UFFDIO_COPY, &c) == 0;
    if (!s->filled)
        open_all(as);
}

static bool overlaps(uint64_t start, uint64_t len, uint64_t low, uint64_t high) {
    return start < high && low < start + len;
}

// ---- Getting it -------------------------------------------------------------------------------------------

uint64_t sc_premap_wanted(struct sc_thread *t) {
    const struct sc_as *as = sc_as(t);
    const struct sc_premap *s = &as->premap;
    return sc_plat(t)->premaps && (!atomic_load(&s->on) || s->at - s->low < SC_PREMAP_LEAST) ? SC_PREMAP_LEN
                                                                                             : 0;
}

static struct sc_op *order_op(struct sc_thread *t, struct host_call call, enum sc_special special) {
    struct sc_op *o = sc_ops_add(t);
    if (o) {
        o->call = call;
        o->expect = STUB_EXPECT_ANY;
        o->special = special;
    }
    return o;
}

// [lock, premap.lock] The free part goes. False: no memory for the order.
static bool give_range_up(struct sc_thread *t) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    if (s->at > s->low && !order_op(t, (struct host_call){SYS_munmap, {s->low, s->at - s->low}}, SC_ORDINARY))
        return false;
    forget_range(as);
    return true;
}

bool sc_premap_give_up(struct sc_thread *t) {
    if (!atomic_load(&sc_as(t)->premap.on))
        return true;
    LOCKED(&sc_as(t)->premap.lock);
    return give_range_up(t);
}

// The stub's descriptor has number 0, since it has no other. If something fails, BEGIN notes it, and UNDO
// then does its munmap; else UNDO is answered without being made.
void sc_premap_make(struct sc_thread *t, const struct sc_as *as, uint64_t addr, uint64_t len) {
    LOCKED(&t->lock);
    bool asked = t->state == SC_HELD && sc_as(t) == as && t->hold == HOLD_VALUE && t->ring.state == RING_NONE;
    if (!asked || len != SC_PREMAP_LEN || !sc_premap_wanted(t) || !sc_premap_give_up(t))
        return;
    unsigned before = t->queue.n;
    const uint64_t rw = LINUX_PROT_READ | LINUX_PROT_WRITE,
                   flags = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS | LINUX_MAP_FIXED | LINUX_MAP_NORESERVE;
    if (!order_op(t, (struct host_call){SYS_userfaultfd, {UFFD_FLAGS}}, SC_ORDINARY) ||
        !order_op(t, (struct host_call){SYS_mmap, {addr, len, rw, flags, (uint64_t)-1, 0}}, SC_ORDINARY) ||
        !order_op(t, (struct host_call){SYS_close_range, {0, 0, 0}}, SC_PREMAP_BEGIN) ||
        !order_op(t, (struct host_call){SYS_munmap, {addr, len}}, SC_PREMAP_UNDO))
        t->queue.n = before;
}

static int stub_uffd(int pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
    if (pidfd >= 0)
        close(pidfd);
    return fd;
}

// The memory has been mapped, or could not be; `o` is the call that comes next, the one behind it undoes it.
void sc_premap_begin(struct sc_thread *t, const struct sc_op *o) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    const uint64_t *undo = o[1].call.args;
    struct uffdio_register reg = {.range = {undo[0], undo[1]}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fd = stub_uffd(t->proc->pid);
    if (fd >= 0 && fdcharge_take_spare(fd) < 0) {  // too many have one already: this one does without
        close(fd);
        return;
    }
    if (fd < 0 || !uffd_begin(fd) || ioctl(fd, UFFDIO_REGISTER, &reg)) {
        if (fd >= 0)
            fdcharge_close(fd);
        sc_plat(t)->premaps = false;
        return;
    }
    LOCKED(&s->lock);
    s->fd = fd;
    s->ring = atomic_load(&t->ring_no);
    s->low = undo[0];
    s->at = s->top = s->high = undo[0] + undo[1];
    t->touched_at = 0;
    plat_count_one(t->base.p, STAT_PREMAPPED);
    atomic_store(&s->on, true);
    tell_stub(as);
}

// ---- Using it ---------------------------------------------------------------------------------------------

uint64_t sc_premap_proposal(struct sc_thread *t, const uint64_t a[6]) {
    const struct sc_premap *s = &sc_as(t)->premap;
    uint64_t len = (a[1] + STUB_PAGE - 1) & ~(STUB_PAGE - 1);
    return a[0] == 0 && a[1] <= SC_PREMAP_MOST && len && len <= s->at - s->low ? s->at - len : 0;
}

static bool take_map(struct sc_thread *t, const struct plat_op *op) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    if (op->kind != OP_MAP || op->fd >= 0 || op->prot != (LINUX_PROT_READ | LINUX_PROT_WRITE) ||
        op->flags != PLAT_NORESERVE || op->addr + op->len != s->at || op->addr < s->low ||
        t->hold != HOLD_VALUE)
        return false;
    bool guess = s->touched && ++s->since % SC_GUESS;
    if (s->n == SC_PREMAP_DEPTH || s->filled)
        open_all(as);
    s->at = s->start[s->n++] = op->addr;
    if (guess && s->fill && s->n == 1 && op->len <= SC_FILL)
        fill_map(as, op->len);
    else if (guess)
        open_all(as);
    else
        s->fill = true;  // once in a while it may be worth it
    tell_stub(as);
    return true;
}

static bool give_map(struct sc_as *as, const struct plat_op *op) {
    struct sc_premap *s = &as->premap;
    if (op->kind != OP_UNMAP || !s->n || op->addr != s->at ||
        op->addr + op->len != (s->n > 1 ? s->start[s->n - 2] : s->top))
        return false;
    s->at += op->len;
    s->n--;
    s->touched = false;
    tell_stub(as);
    return true;
}

// The host unmaps it; its pages keep the guard no longer than itself.
static bool unmap_filled(struct sc_as *as, const struct plat_op *op) {
    struct sc_premap *s = &as->premap;
    if (op->kind != OP_UNMAP || !s->filled || op->addr != s->at || op->addr + op->len != s->top)
        return false;
    s->filled = false;
    s->top = s->at;
    return true;
}

// Has the op to do with memory in [low, high)?
static bool concerns(const struct plat_op *op, uint64_t low, uint64_t high) {
    bool two = op->kind == OP_REMAP || op->kind == OP_INCORE;
    return overlaps(op->addr, op->len, low, high) || (two && overlaps(op->to, op->to_len, low, high));
}

int sc_premap_work(struct sc_thread *t, const struct plat_op *op) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    if (!atomic_load(&s->on))
        return 0;
    LOCKED(&s->lock);
    if (take_map(t, op) || give_map(as, op))
        return 1;
    if (unmap_filled(as, op))
        return 0;
    if (concerns(op, s->low, s->at))
        return give_range_up(t) ? 0 : -LINUX_ENOMEM;
    if (concerns(op, s->at, s->top))
        open_all(as);
    return 0;
}

// ---- Touching it ------------------------------------------------------------------------------------------

enum sc_touch sc_premap_touched(struct sc_thread *t, uint64_t addr) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    LOCKED(&s->lock);
    bool again =
        t->touched_at == addr;  // opened by somebody's copy meanwhile; or a file's end that was mapped there
    t->touched_at = addr;
    if (addr >= s->low && addr < s->at)
        return TOUCH_NOTHING;
    if (addr < s->at || addr >= s->high || (addr >= s->top && again))
        return TOUCH_OTHER;
    s->touched = true;
    if (addr < s->top)
        open_all(as);
    return TOUCH_OPENED;
}

// A copy has met a page that refuses. True: it may be one of these; try again.
bool sc_premap_admit(struct plat_as *pas, const struct iovec *remote, int n) {
    struct sc_as *as = sc_as_of(pas);
    struct sc_premap *s = &as->premap;
    if (!atomic_load(&s->on))
        return false;
    LOCKED(&s->lock);
    for (int i = 0; i < n; i++) {
        if (overlaps((uint64_t)remote[i].iov_base, remote[i].iov_len, s->at, s->top)) {
            s->touched = true;
            open_all(as);
            return true;
        }
    }
    return false;
}
