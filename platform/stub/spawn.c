// SPDX-License-Identifier: Apache-2.0
// Makes the zygote; spawn.h has the steps. Everything after the fork runs in the child, with raw host calls
// only: the C library's state there belongs to another process. No locks.
#include "platform/stub/spawn.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "host/confine.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
#define SA_RESTORER_BIT     0x04000000ul
#define HWCAP2_FSGSBASE_BIT 2ul

struct kernel_sigaction {
    uint64_t handler, flags, restorer, mask;
};

// How the child says, through its exit status, at which step it gave up (for the message of plat_open()).
enum { FAIL_PARENT = 101, FAIL_PRIVS, FAIL_RSEQ, FAIL_MAP, FAIL_SIGNALS, FAIL_FILES, FAIL_LANDLOCK };

static void leave(int status) {
    for (;;)
        syscall(SYS_exit_group, status);
}

static void drop_rights(pid_t parent) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    struct rlimit no_core = {0, 0}, files;
    syscall(SYS_setpgid, 0, 0);
    if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || syscall(SYS_getppid) != parent)
        leave(FAIL_PARENT);
    syscall(SYS_prctl, PR_SET_NAME, "picket-stub", 0, 0, 0);
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, NULL);
    if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files) == 0) { // each thread has a number of its own
        files.rlim_cur = files.rlim_max;
        syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, NULL);
    }
    if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_capset, &head, none) ||
        syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
        leave(FAIL_PRIVS);
    // A domain of the stubs' own, within the sentry's: the sentry reaches them, and they do not reach it.
    if (confine_landlock(false))
        leave(FAIL_LANDLOCK);
}

// The kernel writes to a registered area on its own; in a stub that address is the guest's. The length must
// be the one of the registration, which has changed between C libraries: try those it can be.
bool stub_undo_rseq(void) {
#ifdef RSEQ_SIG
    if (__rseq_size == 0)
        return true;
    uintptr_t area = (uintptr_t)__builtin_thread_pointer() + (uintptr_t)__rseq_offset;
    if ((int32_t)((volatile struct rseq *)area)->cpu_id < 0)
        return true; // the kernel's word that it is not registered
    for (unsigned len = 32; len <= 1024; len += 4)
        if (syscall(SYS_rseq, area, len, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
            return true;
    return false;
#else
    return true;
#endif
}

static void reset_signals(const struct stub_spawn *s) {
    static const int handled[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, PLAT_INTR_SIGNAL};
    const struct stub_header *h = stub_header();
    uint64_t base = s->place->base, none = 0;
    struct kernel_sigaction sa = {0};
    stack_t ss = {.ss_sp = (void *)stub_slot_addr(s->place, 0),
                  .ss_size = STUB_SLOT_SIZE,
                  .ss_flags = (int)SS_AUTODISARM};
    for (int sig = 1; sig <= 64; sig++)
        syscall(SYS_rt_sigaction, sig, &sa, NULL, 8);
    if (s->mode == STUB_MODE_SECCOMP) {
        // SA_RESTART: a call that no one has taken yet starts again after an interrupt, as if it came after
        // it.
        sa = (struct kernel_sigaction){base + h->handler,
                                       SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_RESTORER_BIT,
                                       base + h->restorer, ~0ull};
        for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
            if (syscall(SYS_rt_sigaction, handled[i], &sa, NULL, 8))
                leave(FAIL_SIGNALS);
        if (syscall(SYS_sigaltstack, &ss, NULL))
            leave(FAIL_SIGNALS);
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, 8);
}

static bool map_at(uint64_t addr, uint64_t len) {
    return syscall(SYS_mmap, addr, len, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == (long)addr;
}

static void map_stub(const struct stub_place *pl) {
    struct stub_header *h = (struct stub_header *)pl->base;
    if (!map_at(pl->base, pl->text_len) ||
        !map_at(pl->slots, pl->nslots * STUB_SLOT_SIZE))
        leave(FAIL_MAP);
    memcpy(h, stub_blob_start, (size_t)(stub_blob_end - stub_blob_start));
    h->fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT) != 0;
    if (syscall(SYS_mprotect, pl->base, pl->text_len, PROT_READ | PROT_EXEC))
        leave(FAIL_MAP);
    // A huge page would be zeroed for each new stub, for the few KiB that are used of it.
    syscall(SYS_madvise, pl->slots, pl->nslots * STUB_SLOT_SIZE, MADV_NOHUGEPAGE);
}

static void add_gap(struct stub_boot *b, uint64_t start, uint64_t end) {
    if (start >= end)
        return;
    b->gaps[b->ngaps].start = start;
    b->gaps[b->ngaps++].len = end - start;
}

// The stub is the lower of the kept ranges: place.c has chosen it below where the kernel puts the vDSO; but
// do not rely on it.
static struct stub_boot *write_boot(const struct stub_spawn *s) {
    const struct stub_place *pl = s->place;
    struct stub_boot *b = (struct stub_boot *)stub_slot_addr(pl, pl->nslots - 1);
    uint64_t vstart = pl->vvar, vend = pl->vdso_end;
    bool vdso_first = vend && vstart < pl->base;
    b->ngaps = 0;
    if (!vend) {
        add_gap(b, 0, pl->base);
        add_gap(b, pl->end, LINUX_TASK_SIZE);
    } else {
        add_gap(b, 0, vdso_first ? vstart : pl->base);
        add_gap(b, vdso_first ? vend : pl->end, vdso_first ? pl->base : vstart);
        add_gap(b, vdso_first ? pl->end : vend, LINUX_TASK_SIZE);
    }
    b->mode = s->mode;
    b->share = pl->share;
    b->filter = 0;
    b->filter_flags = s->filter_flags;
    if (s->filter) {
        struct sock_fprog *prog = (struct sock_fprog *)(b + 1);
        prog->len = s->filter->len;
        prog->filter = (struct sock_filter *)(prog + 1);
        memcpy(prog->filter, s->filter->filter, s->filter->len * sizeof *prog->filter);
        b->filter = (uint64_t)prog;
    }
    return b;
}

static __attribute__((noreturn)) void enter_blob(const struct stub_place *pl, struct stub_boot *b) {
    uint64_t sp = (uint64_t)b + STUB_SLOT_SIZE, entry = pl->base + stub_header()->boot;
    // No register may carry an address of ours into memory that the guest can read: the blob's code saves
    // them.
    __asm__ volatile("movq %0, %%rsp\n\t"
                     "xorl %%ebp, %%ebp\n\txorl %%ebx, %%ebx\n\txorl %%edx, %%edx\n\txorl %%esi, %%esi\n\t"
                     "xorl %%r8d, %%r8d\n\txorl %%r9d, %%r9d\n\txorl %%r10d, %%r10d\n\t"
                     "xorl %%r11d, %%r11d\n\txorl %%r12d, %%r12d\n\txorl %%r13d, %%r13d\n\t"
                     "xorl %%r14d, %%r14d\n\txorl %%r15d, %%r15d\n\t"
                     "jmp *%1"
                     :
                     : "c"(sp), "a"(entry), "D"(b)
                     : "memory");
    __builtin_unreachable();
}

static __attribute__((noreturn)) void become_stub(const struct stub_spawn *s, pid_t parent) {
    if (s->after_fork)
        s->after_fork();
    if (s->close_files && syscall(SYS_close_range, 0, ~0u, 0))
        leave(FAIL_FILES);
    drop_rights(parent);
    if (!stub_undo_rseq())
        leave(FAIL_RSEQ);
    map_stub(s->place);
    reset_signals(s);
    struct stub_boot *b = write_boot(s);
    if (s->prepare) {
        int status = s->prepare(s->prepare_arg);
        if (status)
            leave(status);
    }
    enter_blob(s->place, b);
}

pid_t stub_spawn(const struct stub_spawn *s) {
    pid_t parent = getpid();
    if (s->filter && s->filter->len * sizeof(struct sock_filter) > STUB_SLOT_SIZE / 2)
        return -LINUX_E2BIG;
    // Not fork(): the child must not run the C library's handlers, nor send SIGCHLD unless asked.
    long pid = syscall(SYS_clone, s->clone_flags, 0, 0, 0, 0);
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become_stub(s, parent);
    return (pid_t)pid;
}
