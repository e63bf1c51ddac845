// SPDX-License-Identifier: Apache-2.0
// The stub's seccomp program. Written as BPF by hand, because it decides by instruction pointer, which the
// rules of host/filter.c do not know. Called by open.c; stateless.
//
//   other architecture                      TRAP
//   stub text, behind the sigreturn insn    rt_sigreturn: ALLOW (the only one)
//   stub text, behind the gate              a call of gate_calls.def, or an event: USER_NOTIF; the sentry
//                                           lets only ordered ones through
//   stub text, anything else                KILL_PROCESS
//   vsyscall page                           TRAP
//   guest, a call of held_calls.def         USER_NOTIF, unless its number is in needs_context
//   guest, the ring's own numbers           USER_NOTIF
//   guest, any other number                 TRAP
//
// What is TRAPped no answer of ours can make happen; what is held, one can (held_calls.def).
#include "abi/errno.h"
#include "abi/syscalls.h"
#include "platform/seccomp/sc.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#define VSYSCALL_HI     0xffffffffu
#define MAX_INSNS       192
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

// What a stub may be let on to do, and what it reports.
static void gate(struct prog *p) {
#define GATE_CALL(name, when, reason) WHEN_##when(LINUX_NR_##name)
#define WHEN_ALWAYS(nr)               nr,
#define WHEN_SECCOMP(nr)              nr,
#define WHEN_PTRACE(nr)
#define WHEN_EXEMPT(nr)
    static const uint32_t calls[] = {
#include "platform/stub/gate_calls.def"
    };
    load(p, OFF_NR);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        unless_eq(p, calls[i], 1);
        ret(p, SECCOMP_RET_USER_NOTIF);
    }
    emit(p, BPF_ALU | BPF_AND | BPF_K, STUB_EV_TAG_MASK, 0, 0);
    unless_eq(p, STUB_EV_TAG, 1);
    ret(p, SECCOMP_RET_USER_NOTIF);
    ret(p, SECCOMP_RET_KILL_PROCESS);
}

// The stub's text lies within one 4 GiB range of addresses and does not cross it (place.c aligns and sizes it
// so). An instruction pointer is that of the next instruction.
static void stub_text(struct prog *p, const struct stub_place *pl) {
    uint32_t sigret = (uint32_t)(pl->base + stub_header()->sigreturn + 2);
    uint32_t gate_ip = (uint32_t)(pl->base + stub_header()->gate + 2);
    load(p, OFF_IP_HI);
    unsigned elsewhere = p->n;
    unless_eq(p, (uint32_t)(pl->base >> 32), 0);
    load(p, OFF_IP_LO);
    unless_eq(p, sigret, 4);
    load(p, OFF_NR);
    unless_eq(p, LINUX_NR_rt_sigreturn, 1);
    ret(p, SECCOMP_RET_ALLOW);
    ret(p, SECCOMP_RET_KILL_PROCESS);
    unless_eq(p, gate_ip, 0);
    unsigned beside = p->n - 1;
    gate(p);
    p->insn[beside].jf = (uint8_t)(p->n - beside - 1);
    unless_ge(p, (uint32_t)pl->base + 1, 2);
    if_ge(p, (uint32_t)(pl->base + pl->text_len) + 1, 1);
    ret(p, SECCOMP_RET_KILL_PROCESS);
    p->insn[elsewhere].jf = (uint8_t)(p->n - elsewhere - 1);
}

// A bitmap of 512 numbers: the word by a chain of comparisons, the bit by a shift.
static void held_numbers(struct prog *p, const bool held[512]) {
    uint32_t words[16] = {0};
    for (unsigned nr = 0; nr < 512; nr++)
        if (held[nr])
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
        ret(p, SECCOMP_RET_USER_NOTIF);
        ret(p, SECCOMP_RET_TRAP);
    }
}

// Numbers that are no calls: by them a thread comes back from its ring.
static void ring_numbers(struct prog *p) {
    load(p, OFF_NR);
    unless_eq(p, STUB_RING_WAIT, 1);
    ret(p, SECCOMP_RET_USER_NOTIF);
    unless_ge(p, STUB_RING_FAIL, 2);
    if_ge(p, STUB_RING_FAIL + 4096, 1);
    ret(p, SECCOMP_RET_USER_NOTIF);
}

static void find_held(bool held[512], const bool *needs_context) {
#define HELD(name, reason) held[LINUX_NR_##name] = true;
#include "platform/seccomp/held_calls.def"
    for (unsigned nr = 0; needs_context && nr < 512; nr++)
        held[nr] = held[nr] && !needs_context[nr];
}

int sc_filter_build(const struct stub_place *pl, const bool *needs_context, struct sock_fprog *out) {
    struct prog p = {.n = 0};
    bool held[512] = {false};
    find_held(held, needs_context);
    load(&p, OFF_ARCH);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    ret(&p, SECCOMP_RET_TRAP);
    stub_text(&p, pl);
    load(&p, OFF_IP_HI);
    unless_eq(&p, VSYSCALL_HI, 1);
    ret(&p, SECCOMP_RET_TRAP);
    ring_numbers(&p);
    held_numbers(&p, held);
    ret(&p, SECCOMP_RET_TRAP);
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
        case BPF_JMP | BPF_JA:
            pc += f->k;
            continue;
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
