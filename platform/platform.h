// SPDX-License-Identifier: Apache-2.0
// The platform: how guest code runs on the host. This header is all that the rest of the tree sees of it.
//
// A *guest address space* (struct plat_as) is the memory of one or more host processes (stubs). A *thread*
// (struct plat_thread) is a host thread that runs one guest thread. A thread is either *running* (in guest
// code, or on its way there) or *held* (stopped, waiting for the sentry's word). plat_wait() returns an event
// and with it the exclusive right to act on that thread, until it is let go by plat_answer(), plat_resume(),
// plat_flush() or plat_exit_thread(). A held thread may be let go from any sentry thread; it costs nothing to
// keep it held.
//
// Host work in a guest's process (map, unmap, clone ...) is *queued* on a held thread, and that thread itself
// carries it out, in order, before it goes on. With plat_flush() the thread stays held and reports
// PLAT_OPS_DONE; with plat_answer()/plat_resume() it goes on to guest code, and only a failure is reported
// (PLAT_OPS_DONE, result < 0, the thread is held). Work of several threads on one memory is done in no order
// of its own: who wants one flushes.
//
// Errors are negative LINUX_E* (abi/errno.h). Acting on a thread whose host process has died does nothing and
// is not an error: a PLAT_DEATH event tells, or has told, of it.
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H
#include "abi/mman.h"
#include "abi/x86_64/regs.h"
#include "base/uaddr.h"
#include <sys/uio.h>

struct lock;
struct platform;
struct plat_as;
struct plat_thread;

enum plat_kind { PLAT_AUTO, PLAT_PTRACE, PLAT_SECCOMP };

// Page aligned but for used_end: from there on the mapping has nothing of the program's, only what fills its
// last page.
struct plat_text {
    uint64_t start, end, used_end;
};

// What the platform asks about the guest, to make it faster. Asked in plat_wait(), by the thread that is
// about to return a PLAT_SYSCALL event, with no lock held; the call has not been begun, and its thread is the
// only one of its address space. `owner` is the thread's: referenced by owner_get() before, given back by
// owner_put() afterwards.
struct plat_guest_ops {
    // Takes a reference. Called under a lock of the platform, which plat_thread_destroy() takes too, so that
    // the owner is alive. Also called for each PLAT_DEATH event: the receiver of the event gives that one
    // back.
    void (*owner_get)(void *owner);
    void (*owner_put)(void *owner);
    // May the text around `at` be changed to make its system calls faster? True: out->start to end, around
    // it, is one private file-backed mapping with read and execute permission and is the guest's last word on
    // these addresses. (The guest can see the change when it reads its own text.) NULL: never. Also called
    // by plat_text_work().
    bool (*text_range)(void *owner, uint64_t at, struct plat_text *out);
    // What names that place in every process that has the file there: the file, by two numbers, and the
    // offset of `at` in it. False: it is no such text. NULL: never.
    bool (*text_name)(void *owner, uint64_t at, uint64_t name[3]);
    // Where is room for `len` bytes of memory, mapped ahead of the guest's wishes? Nothing is mapped there.
    // Whatever is done there later comes first, and until then the guest finds nothing there. 0: nowhere.
    // NULL: never.
    uint64_t (*free_range)(void *owner, uint64_t len);
    // The same for `len` bytes from the page on that the break (brk(2)) will next grow into: its address, or
    // 0. NULL: never.
    uint64_t (*heap_room)(void *owner, uint64_t len);
};

struct plat_config {
    enum plat_kind kind;  // PLAT_AUTO: the best that works here
    // By number, 0..511: does the call need the full registers, or host work in the guest's process? (The
    // platform may give full registers for every call.) Borrowed until plat_open() returns.
    const bool *needs_context;
    // Called in a fresh stub-to-be before anything else, to close what it inherited that the platform does
    // not know of; may be NULL.
    void (*after_fork)(void);
    // Borrowed for the platform's life; NULL: owners are not counted, and nothing is asked.
    const struct plat_guest_ops *guest;
    // Asks for one more thread in plat_wait(): there is something to do, and every waiter is busy. Called by
    // any thread, also under a lock of the platform; false: there will be none. NULL: never asked.
    bool (*another_waiter)(void *arg);
    void *waiters;  // its argument
    // Every call as an exchange with the host's kernel: no call site is changed, nothing is polled, no memory
    // mapped ahead. Slower, and less of ours is in the guest's reach. (ptrace: always so.)
    bool plain_calls;
    // Called once by plat_open(), when a first stub has been made and starts: what the caller has to do
    // beside it and needs no platform for. It makes no thread and closes no descriptor but its own: the stub
    // shares the table of descriptors until its filter is in force. May be NULL.
    void (*meanwhile)(void *arg);
    void *meanwhile_arg;
};

// Address ranges of every guest address space that guest mappings must leave alone. The guest may use
// [lo, hi) without the reserved ranges. All are page aligned and equal in all address spaces of a sandbox.
#define PLAT_MAX_RESERVED 8
struct plat_layout {
    uint64_t lo, hi;
    unsigned nreserved;
    struct plat_range {
        uint64_t start, end;
        const char *name;  // "[vdso]", "[vvar]": shown in /proc/PID/maps; NULL: hidden
    } reserved[PLAT_MAX_RESERVED];
    uint64_t vdso;        // address of the vDSO's ELF header, 0 when there is none
    size_t fpstate_size;  // bytes of a raw XSAVE image, for plat_get_fpstate()
    uint64_t fp_features;  // that the CPU saves there, XFEATURE_*
    uint64_t hwcap, hwcap2;
};

enum plat_event_kind {
    PLAT_SYSCALL,    // the guest made a system call; answer it
    PLAT_FAULT,      // a synchronous host signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) in guest code
    PLAT_INTERRUPT,  // plat_interrupt() was asked for; the guest stands between two of its instructions
    PLAT_OPS_DONE,   // queued work was done after plat_flush(), or failed
    // the host thread is gone, not by plat_exit_thread(); comes once for each thread, and may come
    // while another sentry thread acts on it
    PLAT_DEATH,
    PLAT_NOTHING,    // plat_wait() was woken (plat_kick(), a host signal); there is no thread
};

struct plat_event {
    enum plat_event_kind kind;
    struct plat_thread *thread;
    void *owner;   // as given to plat_set_owner()
    bool context;  // full registers may be read and written (always for FAULT and INTERRUPT)
    bool violation;  // DEATH: the platform ended it for an offence
    union {
        struct {
            uint64_t nr;  // as in rax: not truncated, x32 bit included
            uint64_t args[6];
            bool foreign;  // not the 64-bit entry: int 0x80, sysenter, vsyscall; answered by a fault
            // mmap without an address: where the stub would like to have it, 0: anywhere. Untrusted as
            // args[0] is. An answer with that, and just that map (PLAT_NORESERVE) queued, costs no round trip
            // of its own.
            uint64_t proposal;
            // The platform would like to change text that other threads may be running: plat_text_work().
            bool text_work;
        } call;
        struct {
            int signo, code;  // LINUX_SIG*, si_code
            uint64_t addr;
            uint32_t trapno, error_code;
        } fault;
        int64_t result;  // OPS_DONE: 0, or the error of the first operation that failed
        int cause;       // DEATH: the host signal that ended it, 0 when it is not known
    };
};

// Reads what the platforms want to know of /proc. For a process that opens no files any more when it calls
// plat_open().
void plat_prepare(void);
// Makes the platform in the calling process, which must have one thread and becomes the parent (and tracer)
// of all stubs. `why` receives one line that says what was chosen and why, or what is missing. 0 or -errno.
int plat_open(const struct plat_config *config, struct platform **out, char *why, size_t whylen);
// Ends every stub and frees everything. All other calls must have returned.
void plat_close(struct platform *p);
// As plat_close(), for a process that is about to end and with which all its stubs do: none of them is waited
// for, and memory and descriptors go with the process.
void plat_leave(struct platform *p);
const char *plat_name(const struct platform *p);
const struct plat_layout *plat_layout(const struct platform *p);
// By which way the guests' calls have come so far, and what was done to make them faster.
struct plat_stats {
    uint64_t plain;    // by a host call of the sentry, which gave number and arguments alone
    uint64_t context;  // with the guest's registers at hand
    uint64_t ring;     // through shared memory, without a host call
    uint64_t patched, patched_shared;  // call sites; of these, while other threads ran
    uint64_t dispatched;               // threads whose calls come by a ring from sites that cannot be patched
    uint64_t known;                    // ... of all, those known from another process
    uint64_t premapped;                // maps made ahead, each for many of the guest's
    uint64_t heaps;                    // ... and behind breaks
    uint64_t polled;                   // times that a sentry thread began to poll
    uint64_t staged;                   // of plain, those that brought a path or bytes along
    uint64_t rested;                   // times that a thread whose call waited for long was put to sleep
    uint64_t renewed;                  // threads whose host thread had been another's before
    uint64_t moved;                    // maps that a patched site made where the sentry did not want them
    uint64_t aside;                    // times that a thread was kept off the core of its ring's poller
};
void plat_get_stats(const struct platform *p, struct plat_stats *out);
// How many sentry threads may sit in plat_wait() (ptrace: 1, the one that called plat_open()). One is enough
// to begin with: plat_config.another_waiter asks for more.
unsigned plat_max_waiters(const struct platform *p);

// Waits for the next event. Several sentry threads may call it: one of them at most is asleep on the host's
// event source (the most recently used), the others sleep until there is work for them too. 0, or
// -LINUX_ESHUTDOWN after plat_shutdown().
int plat_wait(struct platform *p, struct plat_event *ev);
// Bracket work of an event's handler that may sleep in the host (a disk read, the gofer), so that other guest
// threads are served meanwhile. Cheap (no host call) while no other guest thread can run.
void plat_block_begin(struct platform *p);
void plat_block_end(struct platform *p);
// Makes one waiter return PLAT_NOTHING. Any thread.
void plat_kick(struct platform *p);
// Makes all present and future waiters return, and ends what guests there are. Any thread.
void plat_shutdown(struct platform *p);

// A clean address space (nothing mapped but the reserved ranges) with one held thread, all registers zero.
// Does not wait for the host: the thread may still be starting, operations can be queued on it at once.
// Returns references.
int plat_as_create(struct platform *p, struct plat_as **as, struct plat_thread **thread);
struct plat_as *plat_as_get(struct plat_as *as);
void plat_as_put(struct plat_as *as);  // the last put kills what is left of its host processes

// The address space of a thread (borrowed), and the sentry's own pointer kept with a thread.
struct plat_as *plat_thread_as(const struct plat_thread *t);
void plat_set_owner(struct plat_thread *t, void *owner);
// Takes back a thread that will never be used again: ends its host thread if it still runs (the host process
// too, when it was the last thread of it). No event comes for it any more. Any state, any sentry thread.
void plat_thread_destroy(struct plat_thread *t);

// Lets a held thread go: with a value for the system call it stands in, or as the registers say.
// On a SYSCALL event with context, plat_answer() also sets rax.
void plat_answer(struct plat_thread *t, int64_t value);
void plat_resume(struct plat_thread *t);
// The same, for a caller that holds a lock which keeps `t` from being destroyed until it is decided that it
// goes: that lock is dropped before it can run. (It may take the caller's own CPU, and others may wait for
// that lock to serve it.)
void plat_answer_unlock(struct plat_thread *t, int64_t value, struct lock *held);
void plat_resume_unlock(struct plat_thread *t, struct lock *held);
// Carries out the queued work and comes back with PLAT_OPS_DONE. The thread is not held until then.
void plat_flush(struct plat_thread *t);
// A hint: the held thread's call waits, for long perhaps.
void plat_park(struct plat_thread *t);
// For a held thread whose SYSCALL event asks for it. True: work is queued that is to be flushed before the
// call is handled; until then nothing else may change the map of its address space.
bool plat_text_work(struct plat_thread *t);
// Makes a running thread, or a held one as soon as it is let go, come back with PLAT_INTERRUPT before its
// next guest instruction. Any sentry thread, any time; several requests may become one event; one may come
// late, when its reason is gone.
void plat_interrupt(struct plat_thread *t);

// Registers of a held thread; only with `context`; on any sentry thread (FP state: only on the one that got
// the event, or on any for a child of plat_clone() that was not resumed yet). A system call's registers are
// those after it: rip behind the instruction, orig_rax the number. set: cs, ss, ds, es are ignored, the
// unprivileged bits of eflags are kept, fs_base and gs_base are applied when they changed; a rip or base
// outside user space is -LINUX_EPERM.
int plat_get_regs(struct plat_thread *t, struct lx_regs *regs);
int plat_set_regs(struct plat_thread *t, const struct lx_regs *regs);
// The FP state as a raw XSAVE image in standard (not compacted) form: 512 bytes legacy area, header,
// extended. Returns its length. set: the image is checked and -LINUX_EINVAL returned when the CPU would
// refuse it.
int64_t plat_get_fpstate(struct plat_thread *t, void *buf, size_t len);
int plat_set_fpstate(struct plat_thread *t, const void *buf, size_t len);
// Would the CPU and the kernel take it? 0 or -LINUX_EINVAL. (fpstate.c)
int plat_fpstate_check(const struct plat_layout *layout, const void *image, size_t len);

// Queue host work on a held thread. On one that was got without `context` it costs more than with (an
// interrupt of our own brings the thread to it), but for what a held munmap, mprotect or madvise itself asks
// for (answered with 0), which costs less: that call goes on. (plat_clone() wants context.) Addresses are
// page aligned, inside the layout's [lo, hi) and outside its reserved ranges, else -LINUX_EINVAL. prot:
// LINUX_PROT_*. fd: a host descriptor, duplicated by the call, or -1 for anonymous memory. When PLAT_OPS_DONE
// tells that a map has failed, nothing is mapped in its range.
//
// Otherwise that report is the guest's word (seccomp): a process may tell that work has failed which was
// done, and keep silent about work which has failed. So nothing that protects others may rest on what is
// mapped where.
#define PLAT_SHARED    1u  // MAP_SHARED, else MAP_PRIVATE
#define PLAT_NORESERVE 2u
#define PLAT_POPULATE  4u
int plat_map(struct plat_thread *t, uaddr_t addr, uint64_t len, int prot, unsigned flags, int fd,
             uint64_t offset);
// Of a held thread: memory for which its guest names no place will be put right below `top`, if it is free
// then. A hint, by which the first such map needs no question.
void plat_place_below(struct plat_thread *t, uaddr_t top);
int plat_unmap(struct plat_thread *t, uaddr_t addr, uint64_t len);
int plat_protect(struct plat_thread *t, uaddr_t addr, uint64_t len, int prot);
// mremap(MAYMOVE | FIXED): moves [from, from+oldlen) to [to, to+newlen); from == to resizes in place.
int plat_remap(struct plat_thread *t, uaddr_t from, uint64_t oldlen, uaddr_t to, uint64_t newlen);
// Advice that changes no map, only pages or how they are handled: when it meets another one's change of the
// map, it may do less, as a call that is made a moment later may. So it needs no flush, and its failure is
// not told of.
static inline bool plat_advice_is_free(int advice) {
    switch (advice) {
    case LINUX_MADV_NORMAL:
    case LINUX_MADV_RANDOM:
    case LINUX_MADV_SEQUENTIAL:
    case LINUX_MADV_WILLNEED:
    case LINUX_MADV_DONTNEED:
    case LINUX_MADV_FREE:
    case LINUX_MADV_COLD:
    case LINUX_MADV_PAGEOUT:
        return true;
    default:
        return false;
    }
}
// a LINUX_MADV_* of a fixed list
int plat_advise(struct plat_thread *t, uaddr_t addr, uint64_t len, int advice);
// mincore(2): a byte for each page goes to `vec` in guest memory.
int plat_incore(struct plat_thread *t, uaddr_t addr, uint64_t len, uaddr_t vec);
// A new thread: in the same host process (PLAT_CLONE_THREAD), in a host process of its own that shares the
// address space (PLAT_CLONE_VM alone), or in a copy of the address space (0). The child starts
// held-and-resumable with a copy of t's registers and FP state as they are at this call; change them with
// plat_set_regs(child), then plat_resume(child). Returns a reference to the new address space in *as (the old
// one's when shared). When the host refuses, PLAT_OPS_DONE of `t` tells, and the child must be destroyed; so:
// queue, plat_flush(t), and resume the child after PLAT_OPS_DONE came with 0. A child for which
// plat_started() says yes at once needs no work of the host: no flush.
#define PLAT_CLONE_VM     1u
#define PLAT_CLONE_THREAD 2u
int plat_clone(struct plat_thread *t, unsigned flags, struct plat_thread **child, struct plat_as **as);
// The child's memory can be copied to and from when its first event has come (plat_flush() with nothing
// queued brings one), or when plat_started() says so already.
bool plat_started(const struct plat_thread *t);

// The string at `src`, when it came along with the call that `t` is held in: its length, without the NUL.
// Else, or when it does not fit, -LINUX_EAGAIN: copy it. Only for who handles that call.
int64_t plat_call_string(struct plat_thread *t, uaddr_t src, char *dst, size_t size);
// Some bytes of memory that the call says to read, when they came with it: len, or -LINUX_EAGAIN: copy them.
int64_t plat_call_data(struct plat_thread *t, uaddr_t src, void *dst, size_t len);

// Copy between the sentry and guest memory, for mapped pages as their protection allows (a private page is
// made as the guest's own write would). Bytes copied (short at the first page that refuses), or -LINUX_EFAULT
// when none was, or when the range touches a reserved one, or -LINUX_ESRCH when the address space is gone.
// Any sentry thread, any time. Cost: one host call, about 400 ns up to 4 KiB.
int64_t plat_copy_in(struct plat_as *as, void *dst, uaddr_t src, size_t len);
int64_t plat_copy_out(struct plat_as *as, uaddr_t dst, const void *src, size_t len);
// The same, of what the call that `t` is held in gives back, for who handles that call: it may travel with
// the answer, and is then made by the thread itself. When the guest's memory refuses then, the value of the
// call becomes -LINUX_EFAULT: of what cannot be undone, look first whether that memory may be written. Until
// the answer, guest memory may not have it yet.
int64_t plat_copy_out_answer(struct plat_thread *t, uaddr_t dst, const void *src, size_t len);
// As plat_copy_in() and plat_copy_out() between several host buffers and several guest ranges, in one host
// call. As many bytes as the shorter side has, in order; short at the first page or range that refuses. Of
// either vector only the first PLAT_COPY_SPANS elements count.
struct plat_span {
    uint64_t start, len;
};
#define PLAT_COPY_SPANS 1024
int64_t plat_copyv_in(struct plat_as *as, const struct iovec *dst, int n, const struct plat_span *src,
                      int nsrc);
int64_t plat_copyv_out(struct plat_as *as, const struct plat_span *dst, int ndst, const struct iovec *src,
                       int n);
// Copy past the protection, for a debugger's writes into text (makes private pages its own).
int64_t plat_poke(struct plat_as *as, uaddr_t dst, const void *src, size_t len);
// An atomic compare and exchange on an aligned 32-bit word of guest memory that may race with guest threads:
// 0 with the old value in *old, or -LINUX_EFAULT; -LINUX_EAGAIN: lost against a fault, try again.
// LIMIT: done as copy, compare, copy under a lock of the address space; guest code may slip between.
int plat_cmpxchg32(struct plat_as *as, uaddr_t word, uint32_t expect, uint32_t desired, uint32_t *old);

// CPU time that the host process of this thread has used, in ns (all its threads); 0 when it is gone.
uint64_t plat_cpu_ns(const struct plat_thread *t);
// The host's thread and process id, for logs and tests only.
int plat_host_tid(const struct plat_thread *t);
int plat_host_pid(const struct plat_thread *t);
// How many threads and address spaces are alive: zero when all were given back (leak proof).
void plat_count(const struct platform *p, unsigned *threads, unsigned *spaces);

#endif
