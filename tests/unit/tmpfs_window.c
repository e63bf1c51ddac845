// SPDX-License-Identifier: Apache-2.0
// Which pieces of a memory file get a window: those that are asked for again, and those that are large.
#include "fs/tmpfs/window.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_SIZE (4 * WINDOW_SIZE)

struct fixture {
    struct windows w;
    int fd;
};

static int up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    windows_init(&f->w);
    f->fd = memfd_create("window", MFD_CLOEXEC);
    assert_true(f->fd >= 0);
    assert_int_equal(ftruncate(f->fd, FILE_SIZE), 0);
    for (uint64_t at = 0; at < FILE_SIZE; at += 4096)
        assert_int_equal(pwrite(f->fd, &at, sizeof(at), (off_t)at), sizeof(at));
    *state = f;
    return 0;
}
static int down(void **state) {
    struct fixture *f = *state;
    windows_fini(&f->w);
    close(f->fd);
    free(f);
    return 0;
}

// Is there a window for [at, at + len), with the file's own bytes?
static bool has_window(struct fixture *f, uint64_t at, uint64_t len) {
    struct window_slot *slot;
    char *p = window_get(&f->w, f->fd, at, at + len, &slot);
    if (!p)
        return false;
    uint64_t word = 0;
    struct iovec to = {&word, sizeof(word)}, from = {p, sizeof(word)};
    assert_int_equal(process_vm_readv(getpid(), &to, 1, &from, 1, 0), sizeof(word));
    assert_int_equal(word, at);
    window_put(&f->w, slot);
    return true;
}

static void test_small_ones_the_second_time(void **state) {
    struct fixture *f = *state;
    assert_false(has_window(f, 0, 65536));
    assert_false(has_window(f, 65536, 65536));
    assert_true(has_window(f, 65536, 65536));
    assert_true(has_window(f, 0, 65536));  // the same window
    assert_false(has_window(f, WINDOW_SIZE, WINDOW_LEAST));
}
static void test_large_ones_at_once(void **state) {
    struct fixture *f = *state;
    for (uint64_t at = 0; at < FILE_SIZE; at += WINDOW_SIZE)
        assert_true(has_window(f, at, WINDOW_SIZE));
    windows_forget(&f->w, f->fd);
    assert_true(has_window(f, WINDOW_SIZE / 2, WINDOW_ONCE));
    assert_false(has_window(f, WINDOW_SIZE, WINDOW_ONCE - 4096));
}
// A window that somebody copies from stays, however large the other's wish is.
static void test_in_use(void **state) {
    struct fixture *f = *state;
    struct window_slot *slot, *other;
    char *p = window_get(&f->w, f->fd, 0, WINDOW_SIZE, &slot);
    assert_non_null(p);
    bool met = false;
    for (int fd = f->fd + 1; fd < f->fd + 4000 && !met; fd++) {  // one that falls on the same place
        char *q = window_get(&f->w, fd, 0, WINDOW_SIZE, &other);
        assert_null(q);
        met = slot->next_fd == fd;
    }
    assert_true(met);
    assert_int_equal(slot->fd, f->fd);
    window_put(&f->w, slot);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_small_ones_the_second_time, up, down),
        cmocka_unit_test_setup_teardown(test_large_ones_at_once, up, down),
        cmocka_unit_test_setup_teardown(test_in_use, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
