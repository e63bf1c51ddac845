// SPDX-License-Identifier: Apache-2.0
// A watched file of the host stays the watched one when the cache of names is emptied, on a bind and below an
// overlay (where the first write copies it), and ends with its name. With the real gofer server behind it in
// this process.
#include "abi/inotify.h"
#include "fs/notify.h"
#include "tests/unit/goferfs_mounted.h"

static int up(void **state, bool overlay) {
    struct mounted *t = mounted_new();
    assert_int_equal(chmod(t->f->root, 0755), 0);
    assert_int_equal(mkdir(in_root(t->f, "d"), 0755), 0);
    put_file(in_root(t->f, "d/f"), "text");
    struct superblock *sb = mounted_goferfs(t, overlay), *upper;
    if (overlay) {
        assert_int_equal(tmpfs_create(t->v, &(struct tmpfs_opts){.mode = 0755}, &upper), 0);
        assert_int_equal(overlay_create(t->v, sb, upper, &sb), 0);
    }
    mounted_start(t, sb);
    *state = t;
    return 0;
}
static int up_bind(void **state) { return up(state, false); }
static int up_overlay(void **state) { return up(state, true); }

static void watch(struct mounted *t, struct file *in, const char *name, int want) {
    struct path p;
    assert_int_equal(vfs_walk(&t->ctx, NULL, name, 0, &p), 0);
    assert_int_equal(inotify_add(in, &p, LINUX_IN_ALL_EVENTS & ~(LINUX_IN_OPEN | LINUX_IN_ACCESS)), want);
    path_put(&p);
}
// As "number:mask " for each event.
static const char *told(struct file *in) {
    static char text[512];
    char raw[4096];
    struct uio_kernel k;
    uio_kernel_init(&k, raw, sizeof raw);
    int64_t n = vfs_read(in, &k.u), at = 0;
    for (text[0] = '\0'; at < n;) {
        struct linux_inotify_event e;
        memcpy(&e, raw + at, sizeof e);
        snprintf(text + strlen(text), 32, "%d:%x ", e.wd, e.mask);
        at += (int64_t)sizeof e + e.len;
    }
    return text;
}

static void test_outlives_the_cache(void **state) {
    struct mounted *t = *state;
    struct file *in, *f;
    struct uio_kernel k;
    assert_int_equal(inotify_open(t->v, 0, LINUX_IN_NONBLOCK, &in), 0);
    watch(t, in, "/d/f", 1);
    watch(t, in, "/d", 2);
    dcache_shrink(t->v, 100000);
    dcache_shrink(t->v, 100000);  // the first look spares what was used just now
    assert_int_equal(vfs_open(&t->ctx, NULL, "/d/f", LINUX_O_WRONLY, 0, 0, &f), 0);
    uio_kernel_init(&k, "new", 3);
    assert_int_equal(vfs_write(&t->ctx, f, &k.u), 3);
    file_put(f);
    assert_string_equal(told(in), "2:2 1:2 2:8 1:8 ");
    dcache_shrink(t->v, 100000);
    dcache_shrink(t->v, 100000);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/d/f", NULL, "/g", 0), 0);
    assert_string_equal(told(in), "2:40 1:800 ");
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/g"), 0);
    assert_string_equal(told(in), "1:4 1:400 1:8000 ");
    assert_int_equal(vfs_rmdir(&t->ctx, NULL, "/d"), 0);
    assert_string_equal(told(in), "2:400 2:8000 ");
    assert_int_equal(atomic_load(&notify_watches), 0);
    file_put(in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        {"bind", test_outlives_the_cache, up_bind, mounted_down, NULL},
        {"overlay", test_outlives_the_cache, up_overlay, mounted_down, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
