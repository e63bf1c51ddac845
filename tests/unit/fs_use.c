// SPDX-License-Identifier: Apache-2.0
// What a sandbox may use up (fs/use.h): growth that is refused and comes back, output that is passed on in
// part, and who hears of one who insists. And the pool of promised memory, and budgets.
#include "base/budget.h"
#include "fs/use.h"
#include "fs/vfs.h"
#include "sentry/mm/mem_pool.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct told {
    unsigned disk, output;
};
static void insists(void *owner, bool output) {
    struct told *t = owner;
    if (output)
        t->output++;
    else
        t->disk++;
}

static void disk_grows_and_shrinks(void **state) {
    struct told told = {0};
    struct vfs_use use = {.max_disk = 1000, .insists = insists, .owner = &told};
    struct vfs *v = vfs_create();
    assert_non_null(v);
    assert_true(vfs_use_disk(v, 1 << 30));  // nobody counts
    vfs_set_use(v, &use, false);
    assert_true(vfs_use_disk(v, 600));
    assert_false(vfs_use_disk(v, 401));
    assert_true(vfs_use_disk(v, 400));
    assert_int_equal(use.disk, 1000);
    assert_false(vfs_use_disk(v, 1));
    assert_true(vfs_use_disk(v, -500));  // a file goes
    assert_true(vfs_use_disk(v, 500));
    assert_int_equal(use.refused, 2);
    // what was there before may go as well: then there is more room than at first
    assert_true(vfs_use_disk(v, -3000));
    assert_true(vfs_use_disk(v, 3000));
    assert_false(vfs_use_disk(v, 1));
    assert_true(vfs_use_disk(v, 0));
    assert_false(vfs_use_disk(v, INT64_MAX));  // no sum overflows
    assert_int_equal(use.disk, 1000);
    vfs_destroy(v);
}

static void who_insists_is_told_of_once(void **state) {
    struct told told = {0};
    struct vfs_use use = {.max_files = 1, .insists = insists, .owner = &told};
    struct vfs *v = vfs_create();
    vfs_set_use(v, &use, false);
    assert_true(vfs_use_files(v, 1));
    for (int i = 0; i < 30000; i++)
        assert_false(vfs_use_files(v, 1));
    assert_int_equal(told.disk, 1);
    assert_int_equal(use.refused, 30000);
    vfs_destroy(v);
}

static void output_is_passed_on_in_part(void **state) {
    struct told told = {0};
    struct vfs_use use = {.max_output = 100, .insists = insists, .owner = &told};
    struct vfs_output *o = &use.output[1];
    assert_int_equal(use_output(&use, o, 60), 60);
    assert_int_equal(use_output(&use, o, 60), 40);  // two at once: the second gets the rest
    use_output_done(&use, o, 60, 10, 0);            // the host took ten only
    use_output_done(&use, o, 40, 40, 20);
    assert_int_equal(o->passed, 50);
    assert_int_equal(o->total, 70);
    assert_int_equal(use_output(&use, o, 1000), 50);
    use_output_done(&use, o, 50, 50, 950);
    assert_int_equal(o->passed, 100);
    assert_int_equal(use_output(&use, o, 5), 0);
    assert_int_equal(told.output, 0);
    use_output_done(&use, o, 0, 0, 2 << 20);
    assert_true(told.output > 0);
}

static void no_limit_is_no_limit(void **state) {
    struct vfs_use use = {0};
    assert_int_equal(use_output(&use, &use.output[0], UINT32_MAX), UINT32_MAX);
    use_output_done(&use, &use.output[0], UINT32_MAX, UINT32_MAX, 0);
    assert_int_equal(use.output[0].total, UINT32_MAX);
}

static unsigned over;
static void count_over(struct mem_pool *p) { over++; }
static void pool_tells_of_growth_alone(void **state) {
    struct mem_pool p = {.over = count_over};
    mem_pool_add(&p, 1 << 20);
    assert_int_equal(over, 0);
    p.threshold = 2 << 20;
    mem_pool_add(&p, 1 << 20);
    assert_int_equal(over, 0);
    mem_pool_add(&p, 1);
    assert_int_equal(over, 1);
    mem_pool_add(&p, -UINT64_C(1));
    mem_pool_add(&p, 100);
    mem_pool_add(&p, -UINT64_C(50));  // less, though still too much
    assert_int_equal(over, 2);
}

static void budgets(void **state) {
    struct budget b = {.max = 10};
    assert_true(budget_take(&b, 10));
    assert_false(budget_take(&b, 1));
    assert_int_equal(b.used, 10);
    budget_give(&b, 4);
    assert_true(budget_take(&b, 4));
    b.max = 0;
    assert_true(budget_take(&b, 1000));
    assert_true(budget_take(NULL, 1000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disk_grows_and_shrinks),      cmocka_unit_test(who_insists_is_told_of_once),
        cmocka_unit_test(output_is_passed_on_in_part), cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(pool_tells_of_growth_alone),  cmocka_unit_test(budgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
