// SPDX-License-Identifier: Apache-2.0
// Shares of descriptors: one user's, all users', what administrators keep, what is kept for speed; and that
// tmpfs asks.
#include "base/fdcharge.h"
#include "tests/unit/fs_util.h"
#include <unistd.h>

#define LIMIT 80u

static struct fdcharge_who who;
static struct fdcharge_who current(void) { return who; }

// The numbers are not open: only their charges matter here.
static int fill(int from, uint32_t uid, bool admin, int err) {
    int fd = from;
    who = (struct fdcharge_who){uid, admin};
    while (fdcharge_take(fd) == 0)
        fd++;
    assert_int_equal(fdcharge_take(fd), err);
    return fd - from;
}

static void test_shares(void **state) {
    assert_int_equal(fill(1000, 7, false, -LINUX_ENFILE), LIMIT * 5 / 8);
    assert_int_equal(fdcharge_of(7), LIMIT * 5 / 8);
    assert_int_equal(fill(1200, 8, false, -LINUX_ENFILE), LIMIT / 8);
    assert_int_equal(fill(1300, 9, false, -LINUX_ENFILE), 0);
    assert_int_equal(fill(1400, 0, true, -LINUX_ENFILE), LIMIT / 8);
    unsigned spare = 0;
    while (fdcharge_take_spare(1500 + (int)spare) == 0)
        spare++;
    assert_int_equal(spare, LIMIT / 8);
    // Charged to another, and given back.
    fdcharge_give(1000);
    who = (struct fdcharge_who){9, false};
    assert_int_equal(fdcharge_take(1001), 0);
    assert_int_equal(fdcharge_of(7), LIMIT * 5 / 8 - 2);
    assert_int_equal(fdcharge_of(9), 1);
    for (int fd = 1000; fd < 1600; fd++)
        fdcharge_give(fd);
    assert_int_equal(fdcharge_of(7) + fdcharge_of(8) + fdcharge_of(9) + fdcharge_of(0), 0);
    assert_int_equal(fdcharge_take(100000), -LINUX_ENFILE);
}

// A name is of one charge only.
static void test_names(void **state) {
    who = (struct fdcharge_who){7, false};
    assert_int_equal(fdcharge_id(1000), 0);
    assert_int_equal(fdcharge_take(1000), 0);
    assert_int_equal(fdcharge_take(1001), 0);
    uint64_t a = fdcharge_id(1000), b = fdcharge_id(1001);
    assert_true(a && b && a != b && fdcharge_id(1000) == a);
    fdcharge_give(1000);
    assert_int_equal(fdcharge_id(1000), 0);
    assert_int_equal(fdcharge_take(1000), 0);
    assert_true(fdcharge_id(1000) && fdcharge_id(1000) != a && fdcharge_id(1000) != b);
    assert_int_equal(fdcharge_id(-1), 0);
    assert_int_equal(fdcharge_id(100000), 0);
    fdcharge_give(1000);
    fdcharge_give(1001);
}

static void test_memfds(void **state) {
    struct fx x;
    struct file *f[LIMIT];
    unsigned n = 0;
    fx_begin(&x);
    who = (struct fdcharge_who){7, false};
    for (;; n++) {
        assert_int_equal(memfd_open(x.vfs, "m", 0, &f[n]), 0);
        int fd = vfs_mmap_fd(f[n], 3, true);
        if (fd < 0) {
            assert_int_equal(fd, -LINUX_ENFILE);
            break;
        }
    }
    assert_int_equal(n, LIMIT * 5 / 8);
    // A file that would have to become a memfd finds the disk full; small ones go on.
    assert_int_equal(fx_pwrite(&x, f[n], "x", 1, 8 << 20), -LINUX_ENOSPC);
    assert_int_equal(fx_pwrite(&x, f[n], "x", 1, 0), 1);
    who = (struct fdcharge_who){0, true};
    assert_true(vfs_mmap_fd(f[n], 3, true) >= 0);
    for (unsigned i = 0; i <= n; i++)
        file_put(f[i]);
    assert_int_equal(fdcharge_of(7) + fdcharge_of(0), 0);
    fx_end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_memfds)};
    if (fdcharge_init(LIMIT, current))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
