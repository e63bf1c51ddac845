// SPDX-License-Identifier: Apache-2.0
// The set of files that poll(2) and select(2) wait for: room for few is on the caller's stack, for many it is
// allocated; without memory there is nothing, and nothing to give back.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include "base/fault.h"
#include "sentry/syscalls/poll_set.h"
#include <string.h>

// As a caller's stack is: full of what was there before.
static void dirty(struct poll_set *s) {
    memset(s, 0xa5, sizeof *s);
}

static void test_entries_are_zero(void **state) {
    const unsigned sizes[] = {0, 1, POLL_FAST, POLL_FAST + 1, 1000};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct poll_set s;
        dirty(&s);
        assert_int_equal(poll_set_init(&s, NULL, sizes[i], 0), 0);
        assert_int_equal(s.n, sizes[i]);
        assert_int_equal(s.e == s.fast, sizes[i] <= POLL_FAST);
        for (unsigned n = 0; n < s.n; n++) {
            assert_null(s.e[n].file);
            assert_int_equal(s.e[n].events, 0);
        }
        poll_set_free(&s);
        assert_int_equal(s.n, 0);
    }
}

static void test_no_memory(void **state) {
    struct poll_set s;
    dirty(&s);
    fault_alloc_at(1);
    assert_int_equal(poll_set_init(&s, NULL, POLL_FAST + 1, 0), -LINUX_ENOMEM);
    fault_alloc_at(0);
    poll_set_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_are_zero),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
