// SPDX-License-Identifier: Apache-2.0
// The signal frame of x86-64, as the kernel lays it on the stack of a program and rt_sigreturn(2) reads it
// back. From the stack pointer upward: struct linux_rt_sigframe, padding, then the XSAVE area at an address
// divisible by 64; at the end of that area stands LINUX_FP_XSTATE_MAGIC2.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/signal.h"

// Registers as struct sigcontext_64 has them; another order than struct lx_regs.
struct linux_sigcontext {
    uint64_t r8;
    uint64_t r9;
    uint64_t r10;
    uint64_t r11;
    uint64_t r12;
    uint64_t r13;
    uint64_t r14;
    uint64_t r15;
    uint64_t rdi;
    uint64_t rsi;
    uint64_t rbp;
    uint64_t rbx;
    uint64_t rdx;
    uint64_t rax;
    uint64_t rcx;
    uint64_t rsp;
    uint64_t rip;
    uint64_t eflags;
    uint16_t cs;
    uint16_t gs;
    uint16_t fs;
    uint16_t ss;
    uint64_t err;
    uint64_t trapno;
    uint64_t oldmask;
    uint64_t cr2;
    uint64_t fpstate; // guest address of the XSAVE area, or 0
    uint64_t reserved1[8];
};
static_assert(sizeof(struct linux_sigcontext) == 256, "struct sigcontext");
static_assert(offsetof(struct linux_sigcontext, cs) == 144, "struct sigcontext");
static_assert(offsetof(struct linux_sigcontext, fpstate) == 184, "struct sigcontext");

#define LINUX_UC_FP_XSTATE         0x1 // fpstate is a full XSAVE area with its software bytes
#define LINUX_UC_SIGCONTEXT_SS     0x2 // the ss field is valid
#define LINUX_UC_STRICT_RESTORE_SS 0x4 // rt_sigreturn restores ss as given

struct linux_ucontext {
    uint64_t uc_flags;
    uint64_t uc_link;
    struct linux_stack uc_stack;
    struct linux_sigcontext uc_mcontext;
    linux_sigset_t uc_sigmask; // last, so that it can grow
};
static_assert(sizeof(struct linux_ucontext) == 304, "struct ucontext");
static_assert(offsetof(struct linux_ucontext, uc_mcontext) == 40, "struct ucontext");

struct linux_rt_sigframe {
    uint64_t pretcode; // the return address: sa_restorer
    struct linux_ucontext uc;
    struct linux_siginfo info;
};
static_assert(sizeof(struct linux_rt_sigframe) == 440, "struct rt_sigframe");
static_assert(offsetof(struct linux_rt_sigframe, info) == 312, "struct rt_sigframe");

// Below the stack pointer of interrupted code, leaf functions may keep data here.
#define LINUX_REDZONE_SIZE 128

#define LINUX_FP_XSTATE_MAGIC1      0x46505853u
#define LINUX_FP_XSTATE_MAGIC2      0x46505845u
#define LINUX_FP_XSTATE_MAGIC2_SIZE 4

// The last 48 bytes of the 512-byte legacy area, which the processor leaves to software.
struct linux_fpx_sw_bytes {
    uint32_t magic1;        // LINUX_FP_XSTATE_MAGIC1 when there is more than the legacy area
    uint32_t extended_size; // legacy area, XSAVE header, extended state and magic2
    uint64_t xfeatures;     // bitmap of states that are saved
    uint32_t xstate_size;   // extended_size without magic2
    uint32_t padding[7];
};
static_assert(sizeof(struct linux_fpx_sw_bytes) == 48, "struct _fpx_sw_bytes");

// The FXSAVE image, 512 bytes.
struct linux_fpstate {
    uint16_t cwd;
    uint16_t swd;
    uint16_t twd;
    uint16_t fop;
    uint64_t rip;
    uint64_t rdp;
    uint32_t mxcsr;
    uint32_t mxcsr_mask;
    uint32_t st_space[32];
    uint32_t xmm_space[64];
    uint32_t reserved2[12];
    struct linux_fpx_sw_bytes sw_reserved;
};
static_assert(sizeof(struct linux_fpstate) == 512, "struct _fpstate");
static_assert(offsetof(struct linux_fpstate, sw_reserved) == 464, "struct _fpstate");

struct linux_xsave_header {
    uint64_t xfeatures; // XSTATE_BV
    uint64_t xcomp_bv;  // must be zero in a signal frame: the standard, uncompacted format
    uint64_t reserved[6];
};
static_assert(sizeof(struct linux_xsave_header) == 64, "struct _header");

struct linux_xstate {
    struct linux_fpstate fpstate;
    struct linux_xsave_header header;
    uint8_t extended[];
};
static_assert(sizeof(struct linux_xstate) == 576, "struct _xstate");

#define LINUX_XSTATE_ALIGN  64
#define LINUX_XFEATURE_FP   0x1ull
#define LINUX_XFEATURE_SSE  0x2ull
#define LINUX_XFEATURE_YMM  0x4ull
#define LINUX_XFEATURE_PKRU 0x200ull
#define LINUX_FCW_INIT      0x037f
#define LINUX_MXCSR_INIT    0x1f80u
