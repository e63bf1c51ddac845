// SPDX-License-Identifier: Apache-2.0
// Signals as on x86-64: numbers, action and siginfo layouts of the kernel (not of libc), alternate stacks,
// sigevent.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_SIGHUP    1
#define LINUX_SIGINT    2
#define LINUX_SIGQUIT   3
#define LINUX_SIGILL    4
#define LINUX_SIGTRAP   5
#define LINUX_SIGABRT   6
#define LINUX_SIGIOT    6
#define LINUX_SIGBUS    7
#define LINUX_SIGFPE    8
#define LINUX_SIGKILL   9
#define LINUX_SIGUSR1   10
#define LINUX_SIGSEGV   11
#define LINUX_SIGUSR2   12
#define LINUX_SIGPIPE   13
#define LINUX_SIGALRM   14
#define LINUX_SIGTERM   15
#define LINUX_SIGSTKFLT 16
#define LINUX_SIGCHLD   17
#define LINUX_SIGCONT   18
#define LINUX_SIGSTOP   19
#define LINUX_SIGTSTP   20
#define LINUX_SIGTTIN   21
#define LINUX_SIGTTOU   22
#define LINUX_SIGURG    23
#define LINUX_SIGXCPU   24
#define LINUX_SIGXFSZ   25
#define LINUX_SIGVTALRM 26
#define LINUX_SIGPROF   27
#define LINUX_SIGWINCH  28
#define LINUX_SIGIO     29
#define LINUX_SIGPOLL   29
#define LINUX_SIGPWR    30
#define LINUX_SIGSYS    31
#define LINUX_SIGRTMIN  32 // the kernel's; libc keeps the first two for itself
#define LINUX_SIGRTMAX  64
#define LINUX_NSIG      64

typedef uint64_t linux_sigset_t; // bit n-1 is signal n
#define LINUX_SIGSET_SIZE  8
#define LINUX_SIGMASK(sig) (1ull << ((sig)-1))

#define LINUX_SIG_BLOCK   0
#define LINUX_SIG_UNBLOCK 1
#define LINUX_SIG_SETMASK 2

#define LINUX_SIG_DFL 0ull
#define LINUX_SIG_IGN 1ull

#define LINUX_SA_NOCLDSTOP      0x00000001ul
#define LINUX_SA_NOCLDWAIT      0x00000002ul
#define LINUX_SA_SIGINFO        0x00000004ul
#define LINUX_SA_UNSUPPORTED    0x00000400ul
#define LINUX_SA_EXPOSE_TAGBITS 0x00000800ul
#define LINUX_SA_RESTORER       0x04000000ul
#define LINUX_SA_ONSTACK        0x08000000ul
#define LINUX_SA_RESTART        0x10000000ul
#define LINUX_SA_NODEFER        0x40000000ul
#define LINUX_SA_RESETHAND      0x80000000ul
#define LINUX_SA_ALL                                                                                         \
    (LINUX_SA_NOCLDSTOP | LINUX_SA_NOCLDWAIT | LINUX_SA_SIGINFO | LINUX_SA_EXPOSE_TAGBITS |                  \
     LINUX_SA_RESTORER | LINUX_SA_ONSTACK | LINUX_SA_RESTART | LINUX_SA_NODEFER | LINUX_SA_RESETHAND)

// libc makes macros of the member names below. They are put aside here, so that the order of includes does
// not matter; a file that includes <signal.h> too cannot name these members of ours, and need not.
#pragma push_macro("sa_handler")
#pragma push_macro("si_pid")
#pragma push_macro("si_timerid")
#pragma push_macro("si_uid")
#pragma push_macro("si_overrun")
#pragma push_macro("si_value")
#pragma push_macro("si_int")
#pragma push_macro("si_ptr")
#pragma push_macro("si_status")
#pragma push_macro("si_utime")
#pragma push_macro("si_stime")
#pragma push_macro("si_addr")
#pragma push_macro("si_addr_lsb")
#pragma push_macro("si_lower")
#pragma push_macro("si_upper")
#pragma push_macro("si_pkey")
#pragma push_macro("si_band")
#pragma push_macro("si_fd")
#pragma push_macro("si_call_addr")
#pragma push_macro("si_syscall")
#pragma push_macro("si_arch")
#undef sa_handler
#undef si_pid
#undef si_timerid
#undef si_uid
#undef si_overrun
#undef si_value
#undef si_int
#undef si_ptr
#undef si_status
#undef si_utime
#undef si_stime
#undef si_addr
#undef si_addr_lsb
#undef si_lower
#undef si_upper
#undef si_pkey
#undef si_band
#undef si_fd
#undef si_call_addr
#undef si_syscall
#undef si_arch

// The kernel's order, which differs from libc's struct sigaction.
struct linux_sigaction {
    uint64_t sa_handler; // guest address, LINUX_SIG_DFL or LINUX_SIG_IGN
    uint64_t sa_flags;
    uint64_t sa_restorer;
    linux_sigset_t sa_mask;
};
static_assert(sizeof(struct linux_sigaction) == 32, "struct sigaction");

// si_code: who sent it (zero and below come from user space, above from the kernel).
#define LINUX_SI_USER     0
#define LINUX_SI_KERNEL   0x80
#define LINUX_SI_QUEUE    (-1)
#define LINUX_SI_TIMER    (-2)
#define LINUX_SI_MESGQ    (-3)
#define LINUX_SI_ASYNCIO  (-4)
#define LINUX_SI_SIGIO    (-5)
#define LINUX_SI_TKILL    (-6)
#define LINUX_SI_DETHREAD (-7)
#define LINUX_SI_ASYNCNL  (-60)

#define LINUX_ILL_ILLOPC 1
#define LINUX_ILL_ILLOPN 2
#define LINUX_ILL_ILLADR 3
#define LINUX_ILL_ILLTRP 4
#define LINUX_ILL_PRVOPC 5
#define LINUX_ILL_PRVREG 6
#define LINUX_ILL_COPROC 7
#define LINUX_ILL_BADSTK 8

#define LINUX_FPE_INTDIV   1
#define LINUX_FPE_INTOVF   2
#define LINUX_FPE_FLTDIV   3
#define LINUX_FPE_FLTOVF   4
#define LINUX_FPE_FLTUND   5
#define LINUX_FPE_FLTRES   6
#define LINUX_FPE_FLTINV   7
#define LINUX_FPE_FLTSUB   8
#define LINUX_FPE_FLTUNK   14
#define LINUX_FPE_CONDTRAP 15

#define LINUX_SEGV_MAPERR 1
#define LINUX_SEGV_ACCERR 2
#define LINUX_SEGV_BNDERR 3
#define LINUX_SEGV_PKUERR 4
#define LINUX_SEGV_CPERR  10

#define LINUX_BUS_ADRALN    1
#define LINUX_BUS_ADRERR    2
#define LINUX_BUS_OBJERR    3
#define LINUX_BUS_MCEERR_AR 4
#define LINUX_BUS_MCEERR_AO 5

#define LINUX_TRAP_BRKPT  1
#define LINUX_TRAP_TRACE  2
#define LINUX_TRAP_BRANCH 3
#define LINUX_TRAP_HWBKPT 4
#define LINUX_TRAP_UNK    5
#define LINUX_TRAP_PERF   6

#define LINUX_CLD_EXITED    1
#define LINUX_CLD_KILLED    2
#define LINUX_CLD_DUMPED    3
#define LINUX_CLD_TRAPPED   4
#define LINUX_CLD_STOPPED   5
#define LINUX_CLD_CONTINUED 6

#define LINUX_POLL_IN  1
#define LINUX_POLL_OUT 2
#define LINUX_POLL_MSG 3
#define LINUX_POLL_ERR 4
#define LINUX_POLL_PRI 5
#define LINUX_POLL_HUP 6

#define LINUX_SYS_SECCOMP       1
#define LINUX_SYS_USER_DISPATCH 2

typedef union linux_sigval {
    int32_t sival_int;
    uint64_t sival_ptr;
} linux_sigval_t;

// Which members are valid follows from si_signo and si_code; the names are those of siginfo_t.
struct linux_siginfo {
    int32_t si_signo;
    int32_t si_errno;
    int32_t si_code;
    int32_t pad0;
    union {
        int32_t pad[28];
        struct { // kill, tkill, sigqueue; POSIX timers; SIGCHLD
            union {
                int32_t si_pid;
                int32_t si_timerid;
            };
            union {
                uint32_t si_uid;
                int32_t si_overrun;
            };
            union {
                linux_sigval_t si_value;
                int32_t si_int;
                uint64_t si_ptr;
                int32_t si_status;
            };
            int64_t si_utime;
            int64_t si_stime;
        };
        struct { // SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP
            uint64_t si_addr;
            union {
                int16_t si_addr_lsb; // BUS_MCEERR_*
                struct {             // SEGV_BNDERR
                    uint64_t pad1;
                    uint64_t si_lower;
                    uint64_t si_upper;
                };
                struct { // SEGV_PKUERR
                    uint64_t pad2;
                    uint32_t si_pkey;
                };
            };
        };
        struct { // SIGIO
            int64_t si_band;
            int32_t si_fd;
        };
        struct { // SIGSYS
            uint64_t si_call_addr;
            int32_t si_syscall;
            uint32_t si_arch;
        };
    };
};
static_assert(sizeof(struct linux_siginfo) == 128, "siginfo_t");
static_assert(offsetof(struct linux_siginfo, si_pid) == 16, "siginfo_t");
static_assert(offsetof(struct linux_siginfo, si_value) == 24, "siginfo_t");
static_assert(offsetof(struct linux_siginfo, si_utime) == 32, "siginfo_t");
static_assert(offsetof(struct linux_siginfo, si_lower) == 32, "siginfo_t");
static_assert(offsetof(struct linux_siginfo, si_pkey) == 32, "siginfo_t");
static_assert(offsetof(struct linux_siginfo, si_syscall) == 24, "siginfo_t");

#pragma pop_macro("sa_handler")
#pragma pop_macro("si_pid")
#pragma pop_macro("si_timerid")
#pragma pop_macro("si_uid")
#pragma pop_macro("si_overrun")
#pragma pop_macro("si_value")
#pragma pop_macro("si_int")
#pragma pop_macro("si_ptr")
#pragma pop_macro("si_status")
#pragma pop_macro("si_utime")
#pragma pop_macro("si_stime")
#pragma pop_macro("si_addr")
#pragma pop_macro("si_addr_lsb")
#pragma pop_macro("si_lower")
#pragma pop_macro("si_upper")
#pragma pop_macro("si_pkey")
#pragma pop_macro("si_band")
#pragma pop_macro("si_fd")
#pragma pop_macro("si_call_addr")
#pragma pop_macro("si_syscall")
#pragma pop_macro("si_arch")

#define LINUX_SS_ONSTACK    1
#define LINUX_SS_DISABLE    2
#define LINUX_SS_AUTODISARM 0x80000000u
#define LINUX_MINSIGSTKSZ   2048
#define LINUX_SIGSTKSZ      8192

struct linux_stack {
    uint64_t ss_sp;
    int32_t ss_flags;
    uint32_t pad0;
    uint64_t ss_size;
};
static_assert(sizeof(struct linux_stack) == 24, "stack_t");

#define LINUX_SIGEV_SIGNAL    0
#define LINUX_SIGEV_NONE      1
#define LINUX_SIGEV_THREAD    2
#define LINUX_SIGEV_THREAD_ID 4

struct linux_sigevent {
    linux_sigval_t sigev_value;
    int32_t sigev_signo;
    int32_t sigev_notify;
    union {
        int32_t sigev_tid;
        struct {
            uint64_t function;
            uint64_t attribute;
        } thread;
        int32_t pad[12];
    };
};
static_assert(sizeof(struct linux_sigevent) == 64, "struct sigevent");

struct linux_signalfd_siginfo {
    uint32_t ssi_signo;
    int32_t ssi_errno;
    int32_t ssi_code;
    uint32_t ssi_pid;
    uint32_t ssi_uid;
    int32_t ssi_fd;
    uint32_t ssi_tid;
    uint32_t ssi_band;
    uint32_t ssi_overrun;
    uint32_t ssi_trapno;
    int32_t ssi_status;
    int32_t ssi_int;
    uint64_t ssi_ptr;
    uint64_t ssi_utime;
    uint64_t ssi_stime;
    uint64_t ssi_addr;
    uint16_t ssi_addr_lsb;
    uint16_t pad0;
    int32_t ssi_syscall;
    uint64_t ssi_call_addr;
    uint32_t ssi_arch;
    uint8_t pad1[28];
};
static_assert(sizeof(struct linux_signalfd_siginfo) == 128, "struct signalfd_siginfo");

// The sixth argument of pselect6 points to this pair.
struct linux_sigset_argpack {
    uint64_t p;
    uint64_t size;
};
static_assert(sizeof(struct linux_sigset_argpack) == 16, "sigset_argpack");
