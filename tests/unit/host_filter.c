// SPDX-License-Identifier: Apache-2.0
// The filters of our own processes: programs made from rules at random decide each call as the rules say.
#include "host/confine.h"
#include "platform/seccomp/sc.h"
#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
// after those
#include <cmocka.h>

#define NUMBERS 64
#define RULES   40

struct set {
    struct filter_rule rule[RULES];
    size_t n;
};

// A row for each rule.
static void allow(struct filter_rules *rules, const struct filter_row *row, const void *arg) {
    const struct set *s = arg;
    filter_add(rules, s->rule[row->number]);
}

static uint32_t expected(const struct set *s, const struct seccomp_data *call) {
    if (call->arch != AUDIT_ARCH_X86_64)
        return SECCOMP_RET_KILL_PROCESS;
    for (size_t i = 0; i < s->n; i++) {
        const struct filter_rule *r = &s->rule[i];
        bool is = ((uint32_t)call->args[r->arg] & r->mask) == r->value;
        if (r->number == call->nr && (r->test == FILTER_ANY || is == (r->test == FILTER_IS)))
            return r->error ? SECCOMP_RET_ERRNO | r->error : SECCOMP_RET_ALLOW;
    }
    return SECCOMP_RET_KILL_PROCESS;
}

static void check(const struct set *s, const struct sock_fprog *prog, struct seccomp_data call) {
    uint32_t got = sc_filter_run(prog, &call), want = expected(s, &call);
    if (got != want)
        fail_msg("call %d of %zu rules: %#x instead of %#x", call.nr, s->n, got, want);
}

static struct filter_rule any_rule(void) {
    struct filter_rule r = {.number = rand() % NUMBERS, .test = (unsigned char)(rand() % 3)};
    r.arg = (unsigned char)(rand() % 6);
    r.error = rand() % 8 ? 0 : EPERM;
    r.mask = rand() % 2 ? ~0u : 3u << rand() % 30;
    r.value = (uint32_t)(rand() % 4) & r.mask;
    return r;
}

static void try_set(const struct set *s) {
    struct filter_row rows[RULES];
    struct sock_filter insn[FILTER_MAX_INSNS];
    for (size_t i = 0; i < s->n; i++)
        rows[i] = (struct filter_row){(int)i, 0, 0};
    const struct filter f = {.rows = rows, .nrows = s->n, .when = 1, .allow = allow, .arg = s};
    const struct sock_fprog prog = {(unsigned short)filter_build(&f, insn), insn};
    for (int nr = -1; nr <= NUMBERS; nr++) {
        struct seccomp_data call = {.nr = nr, .arch = AUDIT_ARCH_X86_64};
        for (int i = 0; i < 6; i++)
            call.args[i] = (uint64_t)(rand() % 4) | (uint64_t)(rand() % 2) << 32;
        check(s, &prog, call);
        call.nr |= 0x40000000;
        check(s, &prog, call);
        call.nr = nr;
        call.arch = AUDIT_ARCH_I386;
        check(s, &prog, call);
    }
}

static void test_as_the_rules_say(void **state) {
    struct set s;
    srand(1);
    for (int round = 0; round < 3000; round++) {
        s.n = (size_t)round % (RULES + 1);
        for (size_t i = 0; i < s.n; i++)
            s.rule[i] = any_rule();
        try_set(&s);
    }
}

// One call with many requests, alone and between others.
static void test_many_rules_of_one_number(void **state) {
    struct set s = {.n = RULES};
    for (uint32_t i = 0; i < RULES; i++)
        s.rule[i] = (struct filter_rule){16, FILTER_IS, 1, .mask = ~0u, .value = i / 2};
    try_set(&s);
    s.rule[RULES - 1].number = 17;
    s.rule[0].number = 15;
    try_set(&s);
}

// A row that is not for now.
static void test_when(void **state) {
    const struct filter_row rows[] = {{0, 0, 0}, {1, 1, 0}};
    struct set s = {.rule = {{5}, {6}}, .n = 1};
    struct sock_filter insn[FILTER_MAX_INSNS];
    const struct filter f = {.rows = rows, .nrows = 2, .when = 1, .allow = allow, .arg = &s};
    const struct sock_fprog prog = {(unsigned short)filter_build(&f, insn), insn};
    for (int nr = 4; nr < 8; nr++)
        check(&s, &prog, (struct seccomp_data){.nr = nr, .arch = AUDIT_ARCH_X86_64});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_the_rules_say),
        cmocka_unit_test(test_many_rules_of_one_number),
        cmocka_unit_test(test_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
