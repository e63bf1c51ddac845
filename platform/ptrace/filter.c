// SPDX-License-Identifier: Apache-2.0
// The seccomp filter of the stubs of the ptrace platform: a second line of defence. Guest calls are taken by
// PTRACE_SYSEMU before any filter sees them; what passes here are the calls that the tracer injects at one
// instruction of the stub. A vsyscall is emulated by the kernel without a ptrace stop, so it is turned into a
// signal, which is one; everything else ends the process. Written by hand: the rows of host/filter.c
// know no instruction pointers.
#include "base/log.h"
#include "platform/ptrace/pt.h"
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#define LD(field)    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (field))
#define RET(action)  (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (action))
#define JEQ(k, t, f) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define AND(k)       (struct sock_filter) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (k))
#define ARG_LO(n)    (offsetof(struct seccomp_data, args) + 8 * (n))
#define IP_LO        offsetof(struct seccomp_data, instruction_pointer)
#define IP_HI        (IP_LO + 4)

#define VSYSCALL_PAGE_HI 0xffffffffu
#define VSYSCALL_PAGE_LO 0xff600000u

struct prog {
    struct sock_filter *f;
    unsigned n;
};

static void put(struct prog *b, struct sock_filter insn) {
    invariant(b->n < PT_FILTER_MAX);
    b->f[b->n++] = insn;
}

// The number is in the accumulator, and stays there for the next rule when it is not nr.
static void allow(struct prog *b, uint32_t nr) {
    put(b, JEQ(nr, 0, 1));
    put(b, RET(SECCOMP_RET_ALLOW));
}

// Allows nr when argument `arg` is one of the values; ends the process when it is not.
static void allow_values(struct prog *b, uint32_t nr, unsigned arg, const uint32_t *values, unsigned n) {
    put(b, JEQ(nr, 0, (unsigned char)(2 * n + 2)));
    put(b, LD(ARG_LO(arg)));
    for (unsigned i = 0; i < n; i++) {
        put(b, JEQ(values[i], 0, 1));
        put(b, RET(SECCOMP_RET_ALLOW));
    }
    put(b, RET(SECCOMP_RET_KILL_PROCESS));
}

// call_ip: what the kernel shows as instruction pointer for the injected call, the address behind the
// instruction.
unsigned pt_filter(uint64_t call_ip, struct sock_filter *out) {
    struct prog b = {out, 0};
    put(&b, LD(offsetof(struct seccomp_data, arch)));
    put(&b, JEQ(AUDIT_ARCH_X86_64, 1, 0));
    put(&b, RET(SECCOMP_RET_KILL_PROCESS));
    put(&b, LD(IP_HI));
    put(&b, JEQ((uint32_t)(call_ip >> 32), 6, 0));
    put(&b, JEQ(VSYSCALL_PAGE_HI, 1, 0));
    put(&b, RET(SECCOMP_RET_KILL_PROCESS));
    put(&b, LD(IP_LO));
    put(&b, AND(0xfffff000u));
    put(&b, JEQ(VSYSCALL_PAGE_LO, 0, 3));
    put(&b, RET(SECCOMP_RET_TRAP));
    put(&b, LD(IP_LO));
    put(&b, JEQ((uint32_t)call_ip, 1, 0));
    put(&b, RET(SECCOMP_RET_KILL_PROCESS));
    put(&b, LD(offsetof(struct seccomp_data, nr)));
    allow(&b, SYS_munmap);
    allow(&b, SYS_mprotect);
    allow(&b, SYS_mremap);
    allow(&b, SYS_madvise);
    allow(&b, SYS_mincore);
    allow(&b, SYS_exit);
    allow_values(&b, SYS_mmap, 4, (const uint32_t[]){(uint32_t)-1, PT_FD_FILE}, 2);
    allow_values(&b, SYS_close, 0, (const uint32_t[]){PT_FD_FILE}, 1);
    allow_values(&b, SYS_recvmsg, 0, (const uint32_t[]){PT_FD_CHANNEL}, 1);
    allow_values(&b, SYS_clone, 0, (const uint32_t[]){PT_CLONE_FORK, PT_CLONE_VM, PT_CLONE_THREAD}, 3);
    put(&b, RET(SECCOMP_RET_KILL_PROCESS));
    return b.n;
}
