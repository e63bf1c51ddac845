// SPDX-License-Identifier: Apache-2.0
// What a backend (platform/seccomp, platform/ptrace) gives to platform/platform.c, which implements
// platform.h on top of it, and what both backends share. Each backend's objects begin with the structs below,
// so that the common code can be reached from either side without a call.
//
// Checked by platform.c before a backend is called: ranges and alignment of queued work, user-space addresses
// in registers, sizes. So a backend sees only well-formed requests; whether the thread is in the right state
// is its own business.
#ifndef PLATFORM_BACKEND_H
#define PLATFORM_BACKEND_H
#include "platform/platform.h"
#include <pthread.h>
#include <stdatomic.h>

// The sentry's own signal with which plat_kick() gets a sentry thread out of a host wait. The handler does
// nothing; it is installed without SA_RESTART. (glibc keeps 32 and 33.)
#define PLAT_KICK_SIGNAL 62
// Host signal that asks a stub thread to report PLAT_INTERRUPT.
#define PLAT_INTR_SIGNAL 63

enum plat_op_kind { OP_MAP, OP_UNMAP, OP_PROTECT, OP_REMAP, OP_ADVISE, OP_INCORE };

// One piece of queued host work.
struct plat_op {
    enum plat_op_kind kind;
    int prot;       // MAP, PROTECT
    unsigned flags; // MAP: PLAT_SHARED ...
    int fd;         // MAP: the caller's, to be duplicated by who keeps it; or -1
    uint64_t file;  // MAP: names what fd is open for (base/fdcharge.h); 0: it has no name
    int advice;     // ADVISE
    uint64_t addr, len;
    uint64_t offset;     // MAP
    uint64_t to, to_len;  // REMAP; INCORE: where the bytes go, and how many
};

// A host call with all its arguments.
struct host_call {
    uint64_t nr;
    uint64_t args[6];
};
// The host call that does `op` in the stub; `stub_fd`: the descriptor there that stands for op->fd.
void plat_op_call(const struct plat_op *op, int stub_fd, struct host_call *out);
// Is `result` what that host call returns when it worked? (The moving ones return their address.)
bool plat_call_ok(const struct host_call *call, int64_t result);

struct plat_backend {
    const char *name;
    enum plat_kind kind;
    int (*open)(const struct plat_config *config, struct platform **out, char *why, size_t whylen);
    void (*close)(struct platform *p);
    void (*leave)(struct platform *p);
    int (*wait)(struct platform *p, struct plat_event *ev);
    void (*block_begin)(struct platform *p);
    void (*block_end)(struct platform *p);
    void (*kick)(struct platform *p);
    void (*shutdown)(struct platform *p);
    int (*as_create)(struct platform *p, struct plat_as **as, struct plat_thread **thread);
    // The sentry's last reference is gone: kill what is left, free `as` when its last thread is gone too.
    void (*as_release)(struct plat_as *as);
    void (*thread_destroy)(struct plat_thread *t);
    // both drop `outer`, unless it is NULL
    void (*answer)(struct plat_thread *t, int64_t value, struct lock *outer);
    void (*resume)(struct plat_thread *t, struct lock *outer);
    void (*flush)(struct plat_thread *t);
    void (*interrupt)(struct plat_thread *t);
    int (*get_regs)(struct plat_thread *t, struct lx_regs *regs);
    int (*set_regs)(struct plat_thread *t, const struct lx_regs *regs);
    int64_t (*get_fpstate)(struct plat_thread *t, void *buf, size_t len);
    int (*set_fpstate)(struct plat_thread *t, const void *buf, size_t len);  // already checked: fpstate.h
    int (*queue)(struct plat_thread *t, const struct plat_op *op);
    int (*clone)(struct plat_thread *t, unsigned flags, struct plat_thread **child, struct plat_as **as);
    bool (*started)(const struct plat_thread *t); // NULL: not known
    bool (*text_work)(struct plat_thread *t);     // may be NULL
    void (*place_below)(struct plat_thread *t, uint64_t top);  // may be NULL
    void (*park)(struct plat_thread *t);          // may be NULL
    int64_t (*call_string)(struct plat_thread *t, uint64_t src, char *dst, size_t size); // may be NULL
    int64_t (*call_data)(struct plat_thread *t, uint64_t src, void *dst, size_t len); // may be NULL
    // May take a copy over, to be made when the call that `t` is held in is answered; may be NULL.
    bool (*copy_later)(struct plat_thread *t, uint64_t dst, const void *src, size_t len);
    // A copy has met a page that refuses: may it be tried again? May be NULL.
    bool (*admit)(struct plat_as *as, const struct iovec *remote, int nremote);
    int (*host_tid)(const struct plat_thread *t);
    int (*host_pid)(const struct plat_thread *t);
};
extern const struct plat_backend plat_seccomp, plat_ptrace;
void pt_prepare(void);  // reads why this host may forbid tracing, for the message

// The fields of struct plat_stats; PATCHED: without the shared ones.
enum plat_stat {
    STAT_PLAIN,
    STAT_CONTEXT,
    STAT_RING,
    STAT_PATCHED,
    STAT_PATCHED_SHARED,
    STAT_KNOWN,
    STAT_DISPATCHED,
    STAT_PREMAPPED,
    STAT_HEAPS,
    STAT_POLLED,
    STAT_STAGED,
    STAT_RESTED,
    STAT_RENEWED,
    STAT_ASIDE,
    STAT_MOVED
};
#define PLAT_NSTATS (STAT_MOVED + 1)

struct platform {
    const struct plat_backend *ops;
    struct plat_layout layout;
    unsigned max_waiters;
    bool (*another_waiter)(void *arg);  // [c] as in plat_config
    void *waiters;
    int proc_fd;                        // O_PATH of /proc for the fallback of memory.c, -1 when not needed
    bool use_proc_mem;                  // process_vm_readv/writev are refused here
    _Atomic unsigned nthreads, nspaces; // as plat_count() tells
    const struct plat_guest_ops *guest; // struct plat_config's; may be NULL
    _Atomic uint64_t stats[PLAT_NSTATS];
};
static inline void plat_count_one(struct platform *p, enum plat_stat s) {
    atomic_fetch_add_explicit(&p->stats[s], 1, memory_order_relaxed);
}

struct plat_as {
    struct platform *p;
    _Atomic unsigned refs; // the sentry's
    // A host process whose memory this is (any of several), 0: none left or none yet. The backend changes it.
    // memory.c holds `pins` while it uses it: a backend sets pid to 0 (or to another) first, then waits until
    // it has seen pins == 0 before it reaps, so that a recycled pid is never touched.
    _Atomic int pid;
    _Atomic unsigned pins;
    _Atomic int mem_fd; // /proc/PID/mem of mem_pid, -1: not open. memory.c's; plat_as_fini() closes it.
    int mem_pid;
    pthread_mutex_t lock;      // opening mem_fd
    pthread_mutex_t word_lock; // plat_cmpxchg32(); taken before `lock`
};
// A PLAT_DEATH event is handed out: holds its owner. Called under the lock that thread_destroy takes too, so
// that the owner is still alive.
static inline void plat_hold_owner(const struct platform *p, const struct plat_event *ev) {
    if (ev->owner && p->guest)
        p->guest->owner_get(ev->owner);
}
// platform.c: may guest mappings, or memory of ours for them, lie there? Page aligned, inside of the layout.
bool plat_range_ok(const struct platform *p, uint64_t start, uint64_t len);
bool plat_memory_ok(const struct platform *p, uint64_t start,
                    uint64_t len);  // may a guest name it? Any bytes
void plat_as_init(struct plat_as *as, struct platform *p);
void plat_as_fini(struct plat_as *as);
// The backend's half of the pin protocol: `pid` now stands for the memory (0: none); returns when nobody uses
// the old one any more.
void plat_as_set_pid(struct plat_as *as, int pid);
// memory.c: probes process_vm_readv on a stub and sets use_proc_mem/proc_fd. 0 or -errno.
int plat_memory_probe(struct platform *p, int pid, uint64_t readable);
// memory.c, for backends: one transfer between the sentry and a host process without the checks of
// platform.h. Bytes moved or -LINUX_E*.
int64_t plat_memory_raw(struct plat_as *as, bool write, const struct iovec *local, int nlocal,
                        const struct iovec *remote, int nremote);

struct plat_thread {
    struct platform *p;
    struct plat_as *as;
    void *_Atomic owner;
};

// fpstate.c
void plat_fpstate_describe(struct plat_layout *l);  // fpstate_size and fp_features

#endif
