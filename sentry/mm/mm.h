// SPDX-License-Identifier: Apache-2.0
// A guest's memory map. The sentry owns areas, placement, limits and accounting; the host address space of
// the stub mirrors it. Changes are made in our map first and queued as host work on the calling task's held
// thread.
//
// Two threads of one process may change the map at once, and the platform keeps no order between their host
// work: a map that more than one task uses must not be changed from the decision until the host has done it.
// mm_op_begin() takes the turn (or parks), mm_op_finish() ends it, with a SYS_FLUSH before when others share
// the map.
#ifndef SENTRY_MM_MM_H
#define SENTRY_MM_MM_H
#include "abi/mman.h"
#include "abi/prctl.h"
#include "base/lock.h"
#include "base/rbtree.h"
#include "base/refcount.h"
#include "base/uaddr.h"
#include "base/waitq.h"
#include "fs/knobs.h"
#include "fs/vfs.h"
#include "platform/platform.h"
#include "sentry/aio/aio.h"
#include "sentry/mm/mem_pool.h"
#include <stdatomic.h>
#include <stdint.h>

struct task;
struct user_ns;

struct vma {
    union {
        struct rb_node node;  // [mm->lock] by start
        struct vma *chain;    // when it is not in the tree: spare, or on its way to be freed
    };
    uint64_t start, end;  // [mm->lock] page aligned, never overlapping
    uint32_t prot;        // LINUX_PROT_*
    uint32_t max_prot;    // what mprotect may grant (files opened read-only, shared)
    uint32_t flags;       // LINUX_MAP_SHARED, PRIVATE, NORESERVE, GROWSDOWN ...; VMA_*
    struct file *file;    // owned; NULL: anonymous private. Shared anonymous memory has a memfd file.
    uint64_t offset;      // in file, of start
    const char *name;     // "[heap]", "[stack]", "[vdso]"; a constant, or NULL
};
#define VMA_LOCKED 0x80000000u
// the vDSO and its data: the platform's own, may not be changed. Without a
// name: the platform's hidden parts, which look like a hole that is never free
#define VMA_FIXED_KERNEL 0x40000000u
#define VMA_DONTFORK 0x20000000u      // MADV_DONTFORK
#define VMA_DONTDUMP 0x10000000u      // MADV_DONTDUMP, for show
// mbind(2), kept for show: its mode, and its flags (sentry/mm/mm_policy.c)
#define VMA_POLICY       0x001f0000u
#define VMA_ONFAULT      0x08000000u      // in mm->def_flags alone: MCL_ONFAULT
#define VMA_KEPT_FLAGS \
    (LINUX_MAP_SHARED | LINUX_MAP_PRIVATE | LINUX_MAP_GROWSDOWN | VMA_LOCKED | VMA_FIXED_KERNEL)
#define MM_MAX_AREAS 65400            // below the host's 65530, which also counts the stub's own

struct mm {
    struct refcount refs;           // tasks and lookers (procfs)
    _Atomic unsigned users;         // tasks that run in it
    struct plat_as *as;             // [c] owned
    const struct plat_layout *layout;  // [c]
    struct lock lock;               // RANK_MM
    struct rb_root areas;           // [lock]
    unsigned nareas;                // [lock]
    uint64_t total, locked;         // [lock] bytes mapped; VMA_LOCKED
    _Atomic uint64_t data, peak;    // [lock] to change: private writable; the largest that total was
    struct mem_pool *pool;          // [c] where `data` of all maps is summed; NULL: nowhere
    uint32_t counted;               // [T: limits.c] the last look that counted it
    struct vma *spare;              // [lock] reserved before a change, so that the change itself cannot fail
    unsigned nspare;                // [lock]
    uint32_t def_flags;             // [lock] VMA_LOCKED, VMA_ONFAULT after mlockall(MCL_FUTURE)
    _Atomic uint32_t mdwe;          // [a] LINUX_PR_MDWE_* (prctl(2)): set once
    bool dirty;                     // [lock] host work is queued that has not been flushed or answered
    uint64_t mmap_base;             // [c after exec] placement goes downward from here
    uint64_t anchor;                // [c after exec] mm_anchor()'s page; 0: none
    // [lock] between place_top and mmap_base no hole is larger than place_hole
    uint64_t place_top, place_hole;
    uint64_t brk_start, brk;        // [lock]
    uint64_t stack_top;
    uint64_t arg_start, arg_end, env_start, env_end;  // [lock] for /proc/PID/cmdline and environ
    uint64_t auxv[64];              // [c after exec] for /proc/PID/auxv
    unsigned nauxv;
    struct file *exe;               // [lock] owned
    const struct knobs *knobs;      // [c after exec] borrowed: vm.max_map_count; NULL: none
    // [a] may others of the user look into it (1)? PR_SET_DUMPABLE
    _Atomic uint32_t dumpable;
    // [c after exec] owned: over which else a capability has to hold (NULL: the first)
    struct user_ns *user;
    _Atomic uint32_t membarrier;    // LINUX_MEMBARRIER_CMD_REGISTER_* that were made
    struct task *op_task;           // [lock] whose turn it is to change the map; NULL: nobody's
    struct list unsettled;          // [lock] task->unsettled: what host threads have still to do (mm_turn.c)
    struct waitq op_wait;
    struct aio_set aio;  // [own] contexts of io_setup(2)
};

static inline unsigned mm_area_limit(const struct mm *mm) {
    int64_t most = mm->knobs ? knob(mm->knobs, KNOB_MAP_COUNT) : MM_MAX_AREAS;
    return most < MM_MAX_AREAS ? (unsigned)most : MM_MAX_AREAS;
}

// Does PR_SET_MDWE refuse that memory of the protection `old` gets `now`? A new map: the same twice.
static inline bool mm_denies(const struct mm *mm, uint32_t old, uint32_t now) {
    return atomic_load(&mm->mdwe) && now & LINUX_PROT_EXEC &&
           (now & LINUX_PROT_WRITE || !(old & LINUX_PROT_EXEC));
}
// For a map made from another one, by fork or exec.
static inline uint32_t mm_mdwe_inherited(const struct mm *old) {
    uint32_t bits = atomic_load(&old->mdwe);
    return bits & LINUX_PR_MDWE_NO_INHERIT ? 0 : bits;
}

// A map for a fresh address space (reference to `as` taken over), summed in `pool` (borrowed, or NULL).
struct mm *mm_new(struct platform *p, struct plat_as *as, struct mem_pool *pool);
struct mm *mm_get(struct mm *mm);
// Does one area of memory that the guest may write hold all of it? For a moment's word: others may change it.
bool mm_may_write(struct mm *mm, uint64_t addr, uint64_t len);
void mm_put(struct mm *mm);           // the last one frees; host memory goes with the address space
void mm_use(struct mm *mm);           // one more task runs in it
void mm_unuse(struct mm *mm);
// The copy that fork makes: areas only, the host memory is copied by plat_clone(). `as` is taken over.
int mm_fork(struct mm *old, struct plat_as *as, struct mm **out);

// The turn to change t->mm. 0: it is ours (stays ours over reruns until finish); SYS_PARK or an error: return
// that.
int64_t mm_op_begin(struct task *t);
// The same for a change of nothing but [start, end): what others have unsettled elsewhere is not waited for.
int64_t mm_op_begin_range(struct task *t, uint64_t start, uint64_t end);
bool mm_turn_try(struct task *t);  // the same without waiting; given back by mm_op_end()
// Ends the turn. `value` is what the guest gets. Use as: return mm_op_finish(t, value); and at the handler's
// head: if (mm_op_flushed(t)) return mm_op_done(t);
int64_t mm_op_finish(struct task *t, int64_t value);
// The same where all that was queued lies in [start, end): the turn ends without a flush where that is safe.
int64_t mm_op_finish_range(struct task *t, int64_t value, uint64_t start, uint64_t end);
// By the event loop, for each event of a task that ran: its host thread has done what it was given.
void mm_settle(struct task *t);
// In the middle of a turn: waits for the host's answer to what is queued. SYS_FLUSH; in the rerun
// mm_op_asked() is true and call.flush_result the answer.
int64_t mm_op_ask(struct task *t);
// The same at the end of a handler: `value` is what the guest gets when the host agrees (notes.map.value). It
// ends the turn when nothing is queued.
int64_t mm_op_ask_with(struct task *t, int64_t value);
bool mm_op_asked(const struct task *t);
bool mm_op_flushed(const struct task *t);
int64_t mm_op_done(struct task *t);
// Gives the turn back as it is, without a flush: after it, or when nothing was changed.
void mm_op_end(struct task *t);

// Host work that went along with an answer was refused (PLAT_OPS_DONE, result < 0, outside a call). True: it
// was a new mapping and is taken back, so the call can still be answered with the error (*answer, in and out:
// brk answers with the old break). False: the maps differ for good.
bool mm_late_failure(struct task *t, int64_t *answer);
// ... and then the process ends. `error` (-LINUX_E*) is told, unless the process was ending anyway: its host
// process may have gone in the middle of the work.
void mm_end_process(struct task *t, int64_t error);

struct mmap_args {
    uint64_t addr, len, offset;
    uint64_t flags;  // LINUX_MAP_*: MAP_SHARED_VALIDATE looks at all of them
    uint32_t prot;
    uint32_t deny;        // LINUX_PROT_*: what mprotect may not grant later either
    bool proposed;        // addr is the platform's wish, not the guest's
    struct file *file;    // borrowed
    const char *name;     // a constant
};
// Semantics (do_ layer): mm->lock is taken inside; host work is queued on `th`. Values or -LINUX_E*.
int64_t do_mmap(struct task *t, struct mm *mm, struct plat_thread *th, const struct mmap_args *a);
int64_t do_munmap(struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len);
int64_t do_mprotect(struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len, uint32_t prot);
int64_t do_brk(struct task *t, struct mm *mm, struct plat_thread *th, uaddr_t at);
struct mremap_args {
    uint64_t addr, old_len, new_len, new_addr;
    uint32_t flags;
};
// SYS_FLUSH: the host has been asked to have it at *asked; our map follows its answer (0 or -LINUX_E*) by
// mremap_follow(), in the same turn, with the same arguments, which returns what the guest gets.
int64_t do_mremap(struct task *t, struct mm *mm, struct plat_thread *th, const struct mremap_args *a,
                  uint64_t *asked);
int64_t mremap_follow(struct task *t, struct mm *mm, struct plat_thread *th, const struct mremap_args *a,
                      uint64_t asked, int64_t result);
int64_t do_madvise(struct task *t, struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len,
                   int advice);
// May the host refuse this advice, so that its answer is the guest's (mm_op_ask_with)?
bool mm_advice_asks(int advice);
// With MM_FILL the host work is queued that fills what is locked. Its errors: mm_lock_error().
enum mm_lock { MM_UNLOCK, MM_LOCK, MM_FILL };
int64_t do_mlock(struct task *t, struct mm *mm, struct plat_thread *th, uaddr_t at, uint64_t len,
                 enum mm_lock how);
int64_t do_mlockall(struct task *t, struct mm *mm, struct plat_thread *th, unsigned flags);
int64_t do_munlockall(struct mm *mm);
int64_t mm_lock_error(int64_t host);  // what mlock(2) makes of the host's answer to the filling
// mincore(2) of the next piece of [start, end) that is to be done in one go; *done: how much. SYS_FLUSH or
// -LINUX_E*.
int64_t do_mincore(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, uaddr_t vec,
                   uint64_t *done);
// Does an area that grows downward (MAP_GROWSDOWN) begin above addr, with nothing between? mm_grow(), with
// the turn taken: it is made to reach down to addr, or -LINUX_E* as Linux would refuse it.
bool mm_grows(struct mm *mm, uint64_t addr);
int mm_grow(struct task *t, uint64_t addr);
int64_t do_msync(struct mm *mm, uaddr_t at, uint64_t len, unsigned flags);
// Is every page of [start, end) mapped? (mincore)
bool mm_is_mapped(struct mm *mm, uint64_t start, uint64_t end);
// A barrier on all processors of the host, membarrier(2) with MEMBARRIER_CMD_GLOBAL (hostmembarrier.c):
// milliseconds. 0 or -LINUX_ENOSYS when the host has none.
int host_membarrier(bool query_only);

// For the loader, on a map that nobody runs in yet. Picks mmap_base, and where the stack's top is; `stack` is
// how much is mapped for it at once. `random`: with ASLR.
int mm_layout(struct mm *mm, struct plat_thread *th, uint64_t stack, bool exec_stack, bool random);
// For a program that maps nothing at mmap_base itself (it has no interpreter): a page without access there,
// in the host's map alone. Else each map and unmap of a lone area would make and free three levels of the
// host's page tables, 5 us.
int mm_anchor(struct mm *mm, struct plat_thread *th);
// Free addresses that are not where the next maps will be, for memory mapped ahead (struct plat_guest_ops);
// 0: none.
uint64_t mm_free_range(struct mm *mm, uint64_t len);
// The page from which on the break will grow, when `len` bytes are free there; else 0.
uint64_t mm_heap_room(struct mm *mm, uint64_t len);
// A free range for `len` bytes, top down from mmap_base, or at the wanted address when that is free; 0: none.
uint64_t mm_place(struct mm *mm, uint64_t want, uint64_t len);
// Maps exactly there, over what is there (never over the platform's ranges: -LINUX_ENOMEM).
int mm_map_fixed(struct mm *mm, struct plat_thread *th, uint64_t start, uint64_t end, uint32_t prot,
                 struct file *file, uint64_t offset, const char *name);
// The program file of the map, for /proc/PID/exe. set: a reference of its own; NULL: none. get: referenced,
// or NULL.
void mm_set_exe(struct mm *mm, struct file *f);
struct file *mm_get_exe(struct mm *mm);
// A random number of bytes below 2^bits pages (fewer when the address space is small): for ASLR.
uint64_t mm_random_pages(const struct mm *mm, unsigned bits);

// The whole mapping around addr, when it is one of a file's text: private, readable and executable, no more.
// A copy of it, of which nothing is owned but the file that is returned, or NULL.
struct file *mm_text_at(struct mm *mm, uint64_t addr, struct vma *out);

// For procfs and coredumps: calls fn under mm->lock for each area in order; stops when fn returns false.
void mm_for_each(struct mm *mm, bool (*fn)(void *arg, const struct vma *v), void *arg);
// One line of /proc/PID/maps with its newline, paths as seen from `root`. Length; 0: it does not fit.
size_t vma_format(const struct vma *v, struct vfs *vfs, const struct path *root, char *buf, size_t size);

#endif
