// SPDX-License-Identifier: Apache-2.0
// The general registers of a thread, in the order of ptrace's struct user_regs_struct, so that a platform
// built on ptrace can use it as it is.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct lx_regs {
    uint64_t r15;
    uint64_t r14;
    uint64_t r13;
    uint64_t r12;
    uint64_t rbp;
    uint64_t rbx;
    uint64_t r11;
    uint64_t r10;
    uint64_t r9;
    uint64_t r8;
    uint64_t rax;
    uint64_t rcx;
    uint64_t rdx;
    uint64_t rsi;
    uint64_t rdi;
    uint64_t orig_rax; // the number of the call, or -1 when the thread is not in one
    uint64_t rip;
    uint64_t cs;
    uint64_t eflags;
    uint64_t rsp;
    uint64_t ss;
    uint64_t fs_base;
    uint64_t gs_base;
    uint64_t ds;
    uint64_t es;
    uint64_t fs;
    uint64_t gs;
};
static_assert(sizeof(struct lx_regs) == 27 * 8, "user_regs_struct");
static_assert(offsetof(struct lx_regs, orig_rax) == 120, "user_regs_struct");
static_assert(offsetof(struct lx_regs, rsp) == 152, "user_regs_struct");

#define LINUX_USER_CS   0x33
#define LINUX_USER_DS   0x2b
#define LINUX_USER32_CS 0x23

#define LINUX_EFLAGS_CF    0x00000001u
#define LINUX_EFLAGS_FIXED 0x00000002u // always one
#define LINUX_EFLAGS_PF    0x00000004u
#define LINUX_EFLAGS_AF    0x00000010u
#define LINUX_EFLAGS_ZF    0x00000040u
#define LINUX_EFLAGS_SF    0x00000080u
#define LINUX_EFLAGS_TF    0x00000100u
#define LINUX_EFLAGS_IF    0x00000200u
#define LINUX_EFLAGS_DF    0x00000400u
#define LINUX_EFLAGS_OF    0x00000800u
#define LINUX_EFLAGS_IOPL  0x00003000u
#define LINUX_EFLAGS_NT    0x00004000u
#define LINUX_EFLAGS_RF    0x00010000u
#define LINUX_EFLAGS_AC    0x00040000u
#define LINUX_EFLAGS_ID    0x00200000u
// What rt_sigreturn and ptrace let a program change (FIX_EFLAGS of the kernel).
#define LINUX_EFLAGS_USER                                                                                    \
    (LINUX_EFLAGS_AC | LINUX_EFLAGS_OF | LINUX_EFLAGS_DF | LINUX_EFLAGS_TF | LINUX_EFLAGS_SF |               \
     LINUX_EFLAGS_ZF | LINUX_EFLAGS_AF | LINUX_EFLAGS_PF | LINUX_EFLAGS_CF | LINUX_EFLAGS_RF)

// x86 trap numbers, as in sigcontext.trapno.
#define LINUX_TRAP_NR_DE 0
#define LINUX_TRAP_NR_DB 1
#define LINUX_TRAP_NR_BP 3
#define LINUX_TRAP_NR_OF 4
#define LINUX_TRAP_NR_BR 5
#define LINUX_TRAP_NR_UD 6
#define LINUX_TRAP_NR_GP 13
#define LINUX_TRAP_NR_PF 14
#define LINUX_TRAP_NR_MF 16
#define LINUX_TRAP_NR_AC 17
#define LINUX_TRAP_NR_XF 19

// Page fault error code bits, as in sigcontext.err.
#define LINUX_PF_PROT  0x01 // the page was there, the access was not allowed
#define LINUX_PF_WRITE 0x02
#define LINUX_PF_USER  0x04
#define LINUX_PF_RSVD  0x08
#define LINUX_PF_INSTR 0x10
#define LINUX_PF_PK    0x20
