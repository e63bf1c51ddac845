// SPDX-License-Identifier: Apache-2.0
// See bpf.h. The instructions are those of Linux (Documentation/networking/filter.rst); what its checker
// refuses is refused here (net/core/filter.c: bpf_check_classic, check_load_and_stores). No locks.
#include "sentry/socket/bpf.h"
#include "abi/errno.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"
#include <string.h>

enum class { LD, LDX, ST, STX, ALU, JMP, RET, MISC };
#define CLASS(code) ((code)&7)
enum { W = 0x00, H = 0x08, B = 0x10 };
#define SIZE(code) ((code)&0x18)
enum { IMM = 0x00, ABS = 0x20, IND = 0x40, MEM = 0x60, LEN = 0x80, MSH = 0xa0 };
#define MODE(code) ((code)&0xe0)
enum {
    ADD = 0x00,
    SUB = 0x10,
    MUL = 0x20,
    DIV = 0x30,
    OR = 0x40,
    AND = 0x50,
    LSH = 0x60,
    RSH = 0x70,
    NEG = 0x80,
    MOD = 0x90,
    XOR = 0xa0
};
enum { JA = 0x00, JEQ = 0x10, JGT = 0x20, JGE = 0x30, JSET = 0x40 };
#define OP(code) ((code)&0xf0)
#define X_SOURCE 0x08  // the other operand is X, else k
enum { RET_K = 0x00, RET_X = 0x08, RET_A = 0x10 };
#define RVAL(code) ((code)&0x18)
enum { TAX = 0x00, TXA = 0x80 };
#define MEM_WORDS 16

#define ANCILLARY (-0x1000)  // SKF_AD_OFF
enum { AD_PROTOCOL = 0, AD_PKTTYPE = 4, AD_IFINDEX = 8, AD_RANDOM = 56 };

// ---- The check --------------------------------------------------------------------------------------------
static bool load_ok(const struct linux_sock_filter *f) {
    switch (f->code) {
    case LD | W | ABS:
    case LD | H | ABS:
    case LD | B | ABS:
    case LD | W | IND:
    case LD | H | IND:
    case LD | B | IND:
    case LD | IMM:
    case LD | W | LEN:
    case LDX | IMM:
    case LDX | W | LEN:
    case LDX | B | MSH:
        return true;
    case LD | MEM:
    case LDX | MEM:
        return f->k < MEM_WORDS;
    default:
        return false;
    }
}

static bool alu_ok(const struct linux_sock_filter *f) {
    unsigned op = OP(f->code);
    if (f->code & ~0xffu || op > XOR)
        return false;
    if (op == NEG)
        return f->code == (ALU | NEG);
    bool by_k = !(f->code & X_SOURCE);
    if ((op == DIV || op == MOD) && by_k)
        return f->k != 0;
    return !((op == LSH || op == RSH) && by_k) || f->k < 32;
}

// The room behind it, in instructions.
static bool jump_ok(const struct linux_sock_filter *f, unsigned room) {
    if (f->code == (JMP | JA))
        return f->k < room;
    unsigned op = OP(f->code);
    return !(f->code & ~0xffu) && op >= JEQ && op <= JSET && f->jt < room && f->jf < room;
}

static bool insn_ok(const struct linux_sock_filter *f, unsigned room) {
    switch ((enum class)CLASS(f->code)) {
    case LD:
    case LDX:
        return load_ok(f);
    case ST:
    case STX:
        return (f->code == ST || f->code == STX) && f->k < MEM_WORDS;
    case ALU:
        return alu_ok(f);
    case JMP:
        return jump_ok(f, room);
    case RET:
        return f->code == (RET | RET_K) || f->code == (RET | RET_A);
    case MISC:
        return f->code == (MISC | TAX) || f->code == (MISC | TXA);
    }
    return false;
}

// No word of the scratch memory is read on any way that has not stored it: masks[i] has a bit for each word
// that every way to instruction i has stored.
static bool stores_before_loads(const struct linux_sock_filter *f, unsigned n, uint16_t *masks) {
    uint16_t valid = 0;
    memset(masks, 0xff, n * sizeof *masks);
    for (unsigned i = 0; i < n; i++) {
        valid &= masks[i];
        switch (f[i].code) {
        case ST:
        case STX:
            valid |= (uint16_t)(1u << f[i].k);
            break;
        case LD | MEM:
        case LDX | MEM:
            if (!(valid & 1u << f[i].k))
                return false;
            break;
        case JMP | JA:
            masks[i + 1 + f[i].k] &= valid;
            valid = UINT16_MAX;
            break;
        default:
            if (CLASS(f[i].code) != JMP)
                break;
            masks[i + 1 + f[i].jt] &= valid;
            masks[i + 1 + f[i].jf] &= valid;
            valid = UINT16_MAX;
        }
    }
    return true;
}

static int check(const struct linux_sock_filter *f, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (!insn_ok(&f[i], n - i - 1))
            return -LINUX_EINVAL;
    if (CLASS(f[n - 1].code) != RET)
        return -LINUX_EINVAL;
    uint16_t *masks = xcalloc(n, sizeof *masks);
    if (!masks)
        return -LINUX_ENOMEM;
    bool ok = stores_before_loads(f, n, masks);
    free(masks);
    return ok ? 0 : -LINUX_EINVAL;
}

// ---- The run ----------------------------------------------------------------------------------------------
struct machine {
    const struct ns_view *v;
    uint32_t a, x, mem[MEM_WORDS];
};

static bool ancillary(struct machine *m, uint32_t what) {
    switch (what) {
    case AD_RANDOM:
        m->a = (uint32_t)random_u64();
        return true;
    case AD_PROTOCOL:
        m->a = m->v->protocol;
        return true;
    case AD_IFINDEX:
        m->a = m->v->netif;
        return true;
    case AD_PKTTYPE:
        m->a = 0;  // to this host
        return true;
    default:
        return false;
    }
}

// False ends the run: there is no such byte.
static bool load_packet(struct machine *m, const struct linux_sock_filter *f) {
    uint8_t b[4];
    uint32_t at = f->k;
    if (MODE(f->code) == ABS && (int32_t)at >= ANCILLARY && (int32_t)at < 0)
        return ancillary(m, at - (uint32_t)ANCILLARY);
    if (MODE(f->code) == IND && (at += m->x) < m->x && (int32_t)f->k >= 0)
        return false;
    if ((int32_t)at < 0)
        return false;
    switch (SIZE(f->code)) {
    case W:
        if (!m->v->load(m->v, at, b, 4))
            return false;
        m->a = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        return true;
    case H:
        if (!m->v->load(m->v, at, b, 2))
            return false;
        m->a = (uint32_t)b[0] << 8 | b[1];
        return true;
    default:
        if (!m->v->load(m->v, at, b, 1))
            return false;
        m->a = b[0];
        return true;
    }
}

static bool load(struct machine *m, const struct linux_sock_filter *f) {
    uint8_t b;
    uint32_t *to = CLASS(f->code) == LD ? &m->a : &m->x;
    switch (MODE(f->code)) {
    case IMM:
        *to = f->k;
        return true;
    case MEM:
        *to = m->mem[f->k];
        return true;
    case LEN:
        *to = m->v->len;
        return true;
    case MSH:
        if (!m->v->load(m->v, f->k, &b, 1))
            return false;
        m->x = (b & 15u) * 4;
        return true;
    default:
        return load_packet(m, f);
    }
}

static bool alu(struct machine *m, const struct linux_sock_filter *f) {
    uint32_t v = f->code & X_SOURCE ? m->x : f->k;
    switch (OP(f->code)) {
    case ADD:
        m->a += v;
        return true;
    case SUB:
        m->a -= v;
        return true;
    case MUL:
        m->a *= v;
        return true;
    case DIV:
        m->a = v ? m->a / v : 0;
        return v != 0;
    case MOD:
        m->a = v ? m->a % v : 0;
        return v != 0;
    case OR:
        m->a |= v;
        return true;
    case AND:
        m->a &= v;
        return true;
    case XOR:
        m->a ^= v;
        return true;
    case LSH:
        m->a <<= v & 31;
        return true;
    case RSH:
        m->a >>= v & 31;
        return true;
    default:
        m->a = -m->a;
        return true;
    }
}

// How many instructions it skips.
static uint32_t jump(const struct machine *m, const struct linux_sock_filter *f) {
    uint32_t v = f->code & X_SOURCE ? m->x : f->k;
    bool yes;
    switch (OP(f->code)) {
    case JA:
        return f->k;
    case JEQ:
        yes = m->a == v;
        break;
    case JGT:
        yes = m->a > v;
        break;
    case JGE:
        yes = m->a >= v;
        break;
    default:
        yes = m->a & v;
        break;
    }
    return yes ? f->jt : f->jf;
}

static uint32_t run(const struct ns_filter *filter, const struct ns_view *v) {
    const struct bpf_program *p = container_of(filter, struct bpf_program, filter);
    struct machine m = {.v = v};
    for (uint32_t pc = 0; pc < p->len; pc++) {
        const struct linux_sock_filter *f = &p->insn[pc];
        switch ((enum class)CLASS(f->code)) {
        case LD:
        case LDX:
            if (!load(&m, f))
                return 0;
            break;
        case ST:
            m.mem[f->k] = m.a;
            break;
        case STX:
            m.mem[f->k] = m.x;
            break;
        case ALU:
            if (!alu(&m, f))
                return 0;
            break;
        case JMP:
            pc += jump(&m, f);
            break;
        case RET:
            return RVAL(f->code) == RET_A ? m.a : f->k;
        case MISC:
            if (f->code == (MISC | TAX))
                m.x = m.a;
            else
                m.a = m.x;
            break;
        }
    }
    return 0;
}

int bpf_program_new(const struct linux_sock_filter *insn, unsigned n, struct bpf_program **out) {
    if (n == 0 || n > LINUX_BPF_MAXINSNS)
        return -LINUX_EINVAL;
    struct bpf_program *p = xcalloc(1, sizeof *p + n * sizeof *insn);
    if (!p)
        return -LINUX_ENOMEM;
    p->filter.run = run;
    p->len = n;
    memcpy(p->insn, insn, n * sizeof *insn);
    int err = check(p->insn, n);
    if (err < 0) {
        free(p);
        return err;
    }
    *out = p;
    return 0;
}
