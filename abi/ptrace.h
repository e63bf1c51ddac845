// SPDX-License-Identifier: Apache-2.0
// ptrace(2): requests, options, events, and the structures that requests fill.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LINUX_PTRACE_TRACEME               0
#define LINUX_PTRACE_PEEKTEXT              1
#define LINUX_PTRACE_PEEKDATA              2
#define LINUX_PTRACE_PEEKUSR               3
#define LINUX_PTRACE_POKETEXT              4
#define LINUX_PTRACE_POKEDATA              5
#define LINUX_PTRACE_POKEUSR               6
#define LINUX_PTRACE_CONT                  7
#define LINUX_PTRACE_KILL                  8
#define LINUX_PTRACE_SINGLESTEP            9
#define LINUX_PTRACE_GETREGS               12
#define LINUX_PTRACE_SETREGS               13
#define LINUX_PTRACE_GETFPREGS             14
#define LINUX_PTRACE_SETFPREGS             15
#define LINUX_PTRACE_ATTACH                16
#define LINUX_PTRACE_DETACH                17
#define LINUX_PTRACE_OLDSETOPTIONS         21
#define LINUX_PTRACE_SYSCALL               24
#define LINUX_PTRACE_ARCH_PRCTL            30
#define LINUX_PTRACE_SYSEMU                31
#define LINUX_PTRACE_SYSEMU_SINGLESTEP     32
#define LINUX_PTRACE_SETOPTIONS            0x4200
#define LINUX_PTRACE_GETEVENTMSG           0x4201
#define LINUX_PTRACE_GETSIGINFO            0x4202
#define LINUX_PTRACE_SETSIGINFO            0x4203
#define LINUX_PTRACE_GETREGSET             0x4204
#define LINUX_PTRACE_SETREGSET             0x4205
#define LINUX_PTRACE_SEIZE                 0x4206
#define LINUX_PTRACE_INTERRUPT             0x4207
#define LINUX_PTRACE_LISTEN                0x4208
#define LINUX_PTRACE_PEEKSIGINFO           0x4209
#define LINUX_PTRACE_GETSIGMASK            0x420a
#define LINUX_PTRACE_SETSIGMASK            0x420b
#define LINUX_PTRACE_SECCOMP_GET_FILTER    0x420c
#define LINUX_PTRACE_GET_SYSCALL_INFO      0x420e

#define LINUX_PTRACE_O_TRACESYSGOOD    0x00000001u
#define LINUX_PTRACE_O_TRACEFORK       0x00000002u
#define LINUX_PTRACE_O_TRACEVFORK      0x00000004u
#define LINUX_PTRACE_O_TRACECLONE      0x00000008u
#define LINUX_PTRACE_O_TRACEEXEC       0x00000010u
#define LINUX_PTRACE_O_TRACEVFORKDONE  0x00000020u
#define LINUX_PTRACE_O_TRACEEXIT       0x00000040u
#define LINUX_PTRACE_O_TRACESECCOMP    0x00000080u
#define LINUX_PTRACE_O_EXITKILL        0x00100000u
#define LINUX_PTRACE_O_SUSPEND_SECCOMP 0x00200000u

#define LINUX_PTRACE_EVENT_FORK       1
#define LINUX_PTRACE_EVENT_VFORK      2
#define LINUX_PTRACE_EVENT_CLONE      3
#define LINUX_PTRACE_EVENT_EXEC       4
#define LINUX_PTRACE_EVENT_VFORK_DONE 5
#define LINUX_PTRACE_EVENT_EXIT       6
#define LINUX_PTRACE_EVENT_SECCOMP    7
#define LINUX_PTRACE_EVENT_STOP       128
// What GETEVENTMSG tells in a syscall-stop.
#define LINUX_PTRACE_EVENTMSG_SYSCALL_ENTRY 1
#define LINUX_PTRACE_EVENTMSG_SYSCALL_EXIT  2

#define LINUX_PTRACE_PEEKSIGINFO_SHARED 1u
struct linux_ptrace_peeksiginfo_args {
    uint64_t off;
    uint32_t flags;
    int32_t nr;
};
static_assert(sizeof(struct linux_ptrace_peeksiginfo_args) == 16, "struct ptrace_peeksiginfo_args");

#define LINUX_PTRACE_SYSCALL_INFO_NONE  0
#define LINUX_PTRACE_SYSCALL_INFO_ENTRY 1
#define LINUX_PTRACE_SYSCALL_INFO_EXIT  2
#define LINUX_PTRACE_SYSCALL_INFO_SECCOMP 3
#define LINUX_AUDIT_ARCH_X86_64 0xc000003eu
struct linux_ptrace_syscall_info {
    uint8_t op;
    uint8_t pad[3];
    uint32_t arch;
    uint64_t instruction_pointer, stack_pointer;
    union {
        struct {
            uint64_t nr, args[6];
        } entry;
        struct {
            int64_t rval;
            uint8_t is_error;
        } exit;
        struct {
            uint64_t nr, args[6];
            uint32_t ret_data;
        } seccomp;
    };
};
static_assert(sizeof(struct linux_ptrace_syscall_info) == 88, "struct ptrace_syscall_info");

// Notes of GETREGSET.
#define LINUX_NT_PRSTATUS   1
#define LINUX_NT_PRFPREG    2
#define LINUX_NT_X86_XSTATE 0x202
// In the software bytes of that image: the features that the system has enabled.
#define LINUX_XSTATE_XCR0_AT 464

// struct user of PEEKUSR: the registers, much else, and last the debug registers.
#define LINUX_USER_REGS_SIZE     (27 * 8)
#define LINUX_USER_DEBUGREG_AT   848
#define LINUX_USER_NDEBUGREG     8
#define LINUX_USER_SIZE          912
