// SPDX-License-Identifier: Apache-2.0
// From rows of a host_syscalls.def to a loaded filter; see confine.h. No memory is allocated, so nothing has
// to be freed by calls that the filter may not allow.
//
// The program: another architecture ends the process; then a binary tree of comparisons with the number, at
// each of whose ends stands one number with its rules. x32 calls have numbers beyond all of the rows.
#include "host/confine.h"
#include "abi/errno.h"
#include "base/log.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_RULES 160

#define LD(field)    ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (field)))
#define RET(action)  ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (action)))
#define JEQ(k, t, f) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f)))
#define JGE(k, t, f) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (k), (t), (f)))
#define AND(k)       ((struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (k)))
#define OFF(field)   offsetof(struct seccomp_data, field)

struct filter_rules {
    struct filter_rule rule[MAX_RULES];  // sorted by number; of one number as they were added
    unsigned n;
};

struct program {
    struct sock_filter *insn;  // FILTER_MAX_INSNS
    unsigned n;
};

void filter_add(struct filter_rules *to, struct filter_rule rule) {
    unsigned at = to->n++;
    invariant(to->n <= MAX_RULES && rule.arg < 6);
    for (; at && to->rule[at - 1].number > rule.number; at--)
        to->rule[at] = to->rule[at - 1];
    to->rule[at] = rule;
}

static unsigned put(struct program *p, struct sock_filter insn) {
    invariant(p->n < FILTER_MAX_INSNS);
    p->insn[p->n] = insn;
    return p->n++;
}

// Falls through when the rule does not speak of this call. The low half of an argument comes first.
static void put_rule(struct program *p, const struct filter_rule *r) {
    if (r->test != FILTER_ANY) {
        put(p, LD(OFF(args) + 8 * r->arg));
        put(p, AND(r->mask));
        put(p, r->test == FILTER_IS ? JEQ(r->value, 0, 1) : JEQ(r->value, 1, 0));
    }
    put(p, RET(r->error ? SECCOMP_RET_ERRNO | r->error : SECCOMP_RET_ALLOW));
}

// The number is in the accumulator.
static void put_number(struct program *p, const struct filter_rule *r, unsigned n) {
    put(p, JEQ((uint32_t)r->number, 1, 0));
    put(p, RET(SECCOMP_RET_KILL_PROCESS));
    for (unsigned i = 0; i < n; i++)
        put_rule(p, &r[i]);
    if (r[n - 1].test != FILTER_ANY)
        put(p, RET(SECCOMP_RET_KILL_PROCESS));
}

// Where the second half of the rules begins: with a number's first one. n: there is only one number.
static unsigned middle(const struct filter_rule *r, unsigned n) {
    unsigned up = n / 2, down = n / 2;
    while (up < n && up && r[up].number == r[up - 1].number)
        up++;
    while (down && r[down].number == r[down - 1].number)
        down--;
    if (!down)
        return up ? up : n;
    return down;
}

// As deep as the logarithm of their count.
static void put_tree(struct program *p, const struct filter_rule *r, unsigned n) {
    unsigned half = middle(r, n);
    if (half == n) {
        put_number(p, r, n);
        return;
    }
    put(p, JGE((uint32_t)r[half].number, 0, 1));
    unsigned jump = put(p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
    put_tree(p, r, half);
    p->insn[jump].k = p->n - jump - 1;
    put_tree(p, r + half, n - half);
}

unsigned filter_build(const struct filter *f, struct sock_filter *insn) {
    struct filter_rules rules;
    struct program p = {.insn = insn};
    rules.n = 0;
    for (size_t i = 0; i < f->nrows; i++)
        if (f->when >> f->rows[i].when & 1)
            f->allow(&rules, &f->rows[i], f->arg);
    put(&p, LD(OFF(arch)));
    put(&p, JEQ(AUDIT_ARCH_X86_64, 1, 0));
    put(&p, RET(SECCOMP_RET_KILL_PROCESS));
    put(&p, LD(OFF(nr)));
    if (rules.n)
        put_tree(&p, rules.rule, rules.n);
    put(&p, RET(SECCOMP_RET_KILL_PROCESS));
    return p.n;
}

int filter_load(const struct filter *f) {
    struct sock_filter insn[FILTER_MAX_INSNS];
    const struct sock_fprog prog = {(unsigned short)filter_build(f, insn), insn};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    long r =
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f->all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0, &prog);
    if (r > 0)
        return -LINUX_ESRCH;  // a thread has a filter that is not ours
    return r ? -errno : 0;
}
