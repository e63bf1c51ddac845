// SPDX-License-Identifier: Apache-2.0
// Guarded memory: mapped by the host ahead of the guest's wishes, so that these cost no host work. A
// userfaultfd turns the first touch of any page of it, by the guest or by the kernel for it, into SIGBUS or
// EFAULT, and then our books say what is there: the guest's memory, which is *opened* (one ioctl of ours; the
// stub has no part in it), or nothing. premap.c has the memory of small maps, heap.c that behind the break.
// The stub makes the descriptor, which belongs to its memory; it comes to us by pidfd_getfd(2), and the stub
// closes its own at once. Called by hostops.c, dispatch.c, clone.c, keep.c, and by memory.c when a copy
// fails. Locks: thread->lock, then those of the two.
#include "platform/seccomp/guard.h"
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

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define UFFD_FLAGS (O_CLOEXEC | UFFD_USER_MODE_ONLY)

static bool uffd_begin(int fd) {
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS};
    return ioctl(fd, UFFDIO_API, &api) == 0;
}

// A container's profile may refuse either of the two.
void sc_guard_probe(struct sc_platform *p) {
    int fd = (int)syscall(SYS_userfaultfd, UFFD_FLAGS);
    int none = (int)syscall(SYS_pidfd_getfd, -1, 0, 0);
    p->premaps = fd >= 0 && none < 0 && errno == EBADF && uffd_begin(fd);
    if (fd >= 0)
        close(fd);
}

void sc_guard_settle(struct sc_platform *p) {
    if (p->base.use_proc_mem)
        p->premaps = false;
}

// ---- Its host ops -----------------------------------------------------------------------------------------

static struct sc_op *order(struct sc_thread *t, struct host_call call, enum sc_special special) {
    struct sc_op *o = sc_ops_add(t);
    if (o) {
        o->call = call;
        o->expect = STUB_EXPECT_ANY;
        o->special = special;
    }
    return o;
}

bool sc_guard_order_unmap(struct sc_thread *t, uint64_t addr, uint64_t len) {
    return order(t, (struct host_call){SYS_munmap, {addr, len}}, SC_ORDINARY) != NULL;
}

// The stub's descriptor has number 0, since it has no other. If something fails, the op `begin` notes it, and
// the undoing one then does its munmap; else that is answered without being made.
bool sc_guard_order_map(struct sc_thread *t, uint64_t addr, uint64_t len, enum sc_special begin) {
    const uint64_t rw = LINUX_PROT_READ | LINUX_PROT_WRITE,
                   flags = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS | LINUX_MAP_FIXED | LINUX_MAP_NORESERVE;
    enum sc_special undo = begin == SC_HEAP_BEGIN ? SC_HEAP_UNDO : SC_PREMAP_UNDO;
    return order(t, (struct host_call){SYS_userfaultfd, {UFFD_FLAGS}}, SC_ORDINARY) &&
           order(t, (struct host_call){SYS_mmap, {addr, len, rw, flags, (uint64_t)-1, 0}}, SC_ORDINARY) &&
           order(t, (struct host_call){SYS_close_range, {0, 0, 0}}, begin) &&
           order(t, (struct host_call){SYS_munmap, {addr, len}}, undo);
}

static int stub_uffd(int pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
    if (pidfd >= 0)
        close(pidfd);
    return fd;
}

bool sc_guard_possible(const struct sc_as *as) {
    return sc_of(as->base.p)->premaps && !atomic_load(&as->unguarded);
}

// A host that refuses the call does so to all; other failures are this memory's own.
static void refused(struct sc_thread *t, int error) {
    if (error == ENOSYS || error == EPERM || error == EACCES)
        sc_plat(t)->premaps = false;
    else
        atomic_store(&sc_as(t)->unguarded, true);
}

int sc_guard_take(struct sc_thread *t, uint64_t addr, uint64_t len) {
    struct uffdio_register reg = {.range = {addr, len}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    int fd = stub_uffd(t->proc->pid);
    if (fd >= 0 && fdcharge_take_spare(fd) < 0) {  // too many have one already: this one does without
        close(fd);
        return -1;
    }
    if (fd >= 0 && uffd_begin(fd) && ioctl(fd, UFFDIO_REGISTER, &reg) == 0)
        return fd;
    refused(t, errno);
    if (fd >= 0)
        fdcharge_close(fd);
    return -1;
}

void sc_guard_open(struct sc_as *as, int fd, uint64_t low, uint64_t high) {
    struct uffdio_range r = {low, high - low};
    if (high <= low || ioctl(fd, UFFDIO_UNREGISTER, &r) == 0)
        return;
    int pid = atomic_load(&as->base.pid);
    log_warn("stub %d ends: its memory cannot be opened: %s", pid, strerror(errno));
    if (pid > 0)
        kill(pid, SIGKILL);
}

// ---- Which work concerns it -------------------------------------------------------------------------------

bool sc_guard_overlaps(uint64_t start, uint64_t len, uint64_t low, uint64_t high) {
    return start < high && low < start + len;
}

// Has the op to do with memory in [low, high)?
bool sc_guard_concerns(const struct plat_op *op, uint64_t low, uint64_t high) {
    bool two = op->kind == OP_REMAP || op->kind == OP_INCORE;
    return sc_guard_overlaps(op->addr, op->len, low, high) ||
           (two && sc_guard_overlaps(op->to, op->to_len, low, high));
}

// ---- Both -------------------------------------------------------------------------------------------------

bool sc_guard_any(const struct sc_as *as) { return atomic_load(&as->premap.on) || atomic_load(&as->heap.on); }

// What an offer was made for may reach back over premapped memory, which has books of its own.
static void check_offer(struct sc_as *as, const struct plat_op *op) {
    if (atomic_load(&as->heap.offer) && sc_premap_overlaps(as, op->addr, op->len + SC_HEAP_LEN))
        atomic_store(&as->heap.offer, 0);
}

int sc_guard_work(struct sc_thread *t, const struct plat_op *op) {
    check_offer(sc_as(t), op);
    int done = sc_heap_work(t, op);
    return done ? done : sc_premap_work(t, op);
}

enum sc_touch sc_guard_touched(struct sc_thread *t, uint64_t addr) {
    bool again = t->touched_at == addr;  // opened by somebody's copy meanwhile; or another file's end
    t->touched_at = addr;
    enum sc_touch touch = sc_heap_touched(t, addr, again);
    return touch == TOUCH_OTHER ? sc_premap_touched(t, addr, again) : touch;
}

bool sc_guard_admit(struct plat_as *pas, const struct iovec *remote, int n) {
    struct sc_as *as = sc_as_of(pas);
    bool heap = sc_heap_admit(as, remote, n), premap = sc_premap_admit(as, remote, n);
    return heap || premap;
}

bool sc_guard_give_up(struct sc_thread *t) { return sc_heap_give_up(t) && sc_premap_give_up(t); }

void sc_guard_begin(struct sc_thread *t, const struct sc_op *o) {
    if (o->special == SC_PREMAP_BEGIN)
        sc_premap_begin(t, o);
    if (o->special == SC_HEAP_BEGIN)
        sc_heap_begin(t, o);
}

bool sc_guard_makes(struct sc_thread *t, const struct sc_op *o) {
    const struct sc_as *as = sc_as(t);
    return !(o->special == SC_PREMAP_UNDO && atomic_load(&as->premap.on)) &&
           !(o->special == SC_HEAP_UNDO && atomic_load(&as->heap.on));
}
