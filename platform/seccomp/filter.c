// SPDX-License-Identifier: Apache-2.0
// The stub's seccomp program. Written as BPF by hand, because it decides by instruction pointer, which
// libseccomp cannot. Called by open.c; stateless.
//
//   other architecture                      TRAP
//   stub text, behind the sigreturn insn    rt_sigreturn: ALLOW (the only one); else USER_NOTIF
//   stub text, anywhere else                USER_NOTIF; the sentry lets only the gate's ordered calls through
//   vsyscall page, x32 bit                  TRAP
//   guest, number in needs_context          TRAP
//   guest, any other number                 USER_NOTIF
#include "abi/errno.h"
#include "abi/syscalls.h"
#include "platform/seccomp/sc.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#define VSYSCALL_HI     0xffffffffu
#define X32_BIT         0x40000000u
#define MAX_INSNS       128
#define OFF_NR          offsetof(struct seccomp_data, nr)
#define OFF_ARCH        offsetof(struct seccomp_data, arch)
#define OFF_IP_LO       offsetof(struct seccomp_data, instruction_pointer)
#define OFF_IP_HI       (OFF_IP_LO + 4)

struct prog {
    struct sock_filter insn[MAX_INSNS];
    unsigned n;
};

static unsigned emit(struct prog *p, uint16_t code, uint32_t k, unsigned jt, unsigned jf) {
    p->insn[p->n] = (struct sock_filter){code, (uint8_t)jt, (uint8_t)jf, k};
    return p->n++;
}
static void load(struct prog *p, uint32_t offset) { emit(p, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0); }
static void ret(struct prog *p, uint32_t action) { emit(p, BPF_RET | BPF_K, action, 0, 0); }
// Skips `skip` instructions when A == k (or A >= k) does not hold.
static void unless_eq(struct prog *p, uint32_t k, unsigned skip) {
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip);
}
static void unless_ge(struct prog *p, uint32_t k, unsigned skip) {
    emit(p, BPF_JMP | BPF_JGE | BPF_K, k, 0, skip);
}
static void if_ge(struct prog *p, uint32_t k, unsigned skip) {
    emit(p, BPF_JMP | BPF_JGE | BPF_K, k, skip, 0);
}

// The stub's text lies within one 4 GiB range of addresses and does not cross it (place.c aligns and sizes it
// so).
static void stub_text(struct prog *p, const struct stub_place *pl) {
    uint64_t sigret = pl->base + stub_header()->sigreturn + 2;
    load(p, OFF_IP_HI);
    unsigned skip_at = p->n;
    unless_eq(p, (uint32_t)(pl->base >> 32), 0);
    load(p, OFF_IP_LO);
    unless_ge(p, (uint32_t)pl->base + 1, 6);  // an ip is that of the next instruction
    if_ge(p, (uint32_t)(pl->base + pl->text_len) + 1, 5);
    unless_eq(p, (uint32_t)sigret, 3);
    load(p, OFF_NR);
    unless_eq(p, LINUX_NR_rt_sigreturn, 1);
    ret(p, SECCOMP_RET_ALLOW);
    ret(p, SECCOMP_RET_USER_NOTIF);
    p->insn[skip_at].jf = (uint8_t)(p->n - skip_at - 1);
}

// A bitmap of 512 numbers: the word by a chain of comparisons, the bit by a shift.
static void context_numbers(struct prog *p, const bool *needs) {
    uint32_t words[16] = {0};
    for (unsigned nr = 0; nr < 512; nr++)
        if (needs && needs[nr])
            words[nr / 32] |= 1u << nr % 32;
    load(p, OFF_NR);
    emit(p, BPF_ALU | BPF_AND | BPF_K, 31, 0, 0);
    emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);
    emit(p, BPF_LD | BPF_IMM, 1, 0, 0);
    emit(p, BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0);
    emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);  // X: the bit
    load(p, OFF_NR);
    emit(p, BPF_ALU | BPF_RSH | BPF_K, 5, 0, 0);  // A: the word's index; 16 and more: no word
    for (unsigned i = 0; i < 16; i++) {
        if (!words[i])
            continue;
        unless_eq(p, i, 5);
        emit(p, BPF_LD | BPF_IMM, words[i], 0, 0);
        emit(p, BPF_ALU | BPF_AND | BPF_X, 0, 0, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
        ret(p, SECCOMP_RET_TRAP);
        ret(p, SECCOMP_RET_USER_NOTIF);
    }
    ret(p, SECCOMP_RET_USER_NOTIF);
}

int sc_filter_build(const struct stub_place *pl, const bool *needs_context, struct sock_fprog *out) {
    struct prog p = {.n = 0};
    load(&p, OFF_ARCH);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    ret(&p, SECCOMP_RET_TRAP);
    stub_text(&p, pl);
    load(&p, OFF_IP_HI);
    unless_eq(&p, VSYSCALL_HI, 1);
    ret(&p, SECCOMP_RET_TRAP);
    load(&p, OFF_NR);
    emit(&p, BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 3);
    emit(&p, BPF_JMP | BPF_JSET | BPF_K, 0x80000000u, 1,
         0);  // negative numbers have that bit too: no calls at all
    ret(&p, SECCOMP_RET_TRAP);
    ret(&p, SECCOMP_RET_USER_NOTIF);
    context_numbers(&p, needs_context);
    out->len = (unsigned short)p.n;
    out->filter = malloc(p.n * sizeof *out->filter);
    if (!out->filter)
        return -LINUX_ENOMEM;
    memcpy(out->filter, p.insn, p.n * sizeof *out->filter);
    return 0;
}

uint32_t sc_filter_run(const struct sock_fprog *prog, const struct seccomp_data *data) {
    uint32_t a = 0, x = 0;
    for (unsigned pc = 0; pc < prog->len; pc++) {
        const struct sock_filter *f = &prog->filter[pc];
        bool hit = false;
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&a, (const char *)data + f->k, sizeof a);
            continue;
        case BPF_LD | BPF_IMM:
            a = f->k;
            continue;
        case BPF_MISC | BPF_TAX:
            x = a;
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            continue;
        case BPF_ALU | BPF_AND | BPF_X:
            a &= x;
            continue;
        case BPF_ALU | BPF_RSH | BPF_K:
            a >>= f->k;
            continue;
        case BPF_ALU | BPF_LSH | BPF_X:
            a <<= x & 31;
            continue;
        case BPF_RET | BPF_K:
            return f->k;
        case BPF_JMP | BPF_JEQ | BPF_K:
            hit = a == f->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            hit = a >= f->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            hit = (a & f->k) != 0;
            break;
        default:
            return SECCOMP_RET_KILL_PROCESS;
        }
        pc += hit ? f->jt : f->jf;
    }
    return SECCOMP_RET_KILL_PROCESS;
}
