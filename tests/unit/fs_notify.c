// SPDX-License-Identifier: Apache-2.0
// Watches at the VFS: limits of a user, unmounting, errors of allocation, and watches that outlive the dentry
// cache. What each call tells is in tests/syscalls/inotify_*.c.
#include "abi/inotify.h"
#include "fs/notify.h"
#include "tests/unit/fs_util.h"

#define INSTANCES 128    // fs.inotify.max_user_instances, at first
#define WATCHES   65536  // fs.inotify.max_user_watches

static struct file *instance(struct fx *x, uint32_t uid) {
    struct file *f;
    assert_int_equal(inotify_open(x->vfs, uid, LINUX_IN_NONBLOCK, &f), 0);
    return f;
}
static int watch(struct fx *x, struct file *in, const char *name, uint32_t mask) {
    struct path p;
    assert_int_equal(vfs_walk(&x->ctx, NULL, name, WALK_FOLLOW, &p), 0);
    int wd = inotify_add(in, &p, mask);
    path_put(&p);
    return wd;
}
// The masks and numbers of all events, as "1:100 1:200 ".
static const char *told(struct file *in) {
    static char raw[1 << 20], text[4096];
    int64_t n = fx_read(in, raw, sizeof raw), at = 0;
    text[0] = '\0';
    while (at < n) {
        struct linux_inotify_event e;
        memcpy(&e, raw + at, sizeof e);
        size_t used = strlen(text);
        if (used + 64 < sizeof text)
            snprintf(text + used, sizeof text - used, "%d:%x ", e.wd, e.mask);
        at += (int64_t)sizeof e + e.len;
    }
    return text;
}
static void touch(struct fx *x, const char *name) {
    file_put(fx_open(x, name, LINUX_O_RDWR | LINUX_O_CREAT, 0644));
}

static void test_instances_of_a_user(void **state) {
    struct fx x;
    struct file *in[INSTANCES], *f;
    fx_begin(&x);
    for (int i = 0; i < INSTANCES; i++)
        in[i] = instance(&x, 1);
    assert_int_equal(inotify_open(x.vfs, 1, 0, &f), -LINUX_EMFILE);
    file_put(instance(&x, 2));
    file_put(in[5]);
    in[5] = instance(&x, 1);
    for (int i = 0; i < INSTANCES; i++)
        file_put(in[i]);
    assert_int_equal(inotify_open(x.vfs, 1, 1, &f), -LINUX_EINVAL);
    fx_end(&x);
}
// Two instances of one user share the number; a watch that goes gives its place back.
static void test_watches_of_a_user(void **state) {
    struct fx x;
    char name[32];
    fx_begin(&x);
    struct file *a = instance(&x, 1), *b = instance(&x, 1), *other = instance(&x, 2);
    for (int i = 0; i < WATCHES; i++) {
        snprintf(name, sizeof name, "/%d", i);
        touch(&x, name);
        assert_true(watch(&x, i % 2 ? a : b, name, LINUX_IN_OPEN) > 0);
    }
    assert_int_equal(watch(&x, a, "/", LINUX_IN_OPEN), -LINUX_ENOSPC);
    assert_int_equal(watch(&x, other, "/", LINUX_IN_OPEN), 1);
    assert_int_equal(watch(&x, b, "/0", LINUX_IN_MODIFY), 1);  // it has that one
    assert_int_equal(inotify_remove(b, 1), 0);
    assert_true(watch(&x, a, "/", LINUX_IN_OPEN) > 0);
    assert_int_equal(watch(&x, a, "/0", LINUX_IN_OPEN), -LINUX_ENOSPC);
    assert_int_equal(atomic_load(&notify_watches), WATCHES + 1);
    file_put(a);
    file_put(b);
    file_put(other);
    assert_int_equal(atomic_load(&notify_watches), 0);
    fx_end(&x);
}
// Long names fill the bytes that a user may have queued before the number of events does.
static void test_bytes_of_a_user(void **state) {
    struct fx x;
    struct file *in[8];
    char name[256] = "/";
    unsigned overflows = 0;
    fx_begin(&x);
    for (int i = 0; i < 8; i++) {
        in[i] = instance(&x, 1);
        assert_int_equal(watch(&x, in[i], "/", LINUX_IN_CREATE), 1);
    }
    memset(name + 1, 'n', 240);
    for (int i = 0; i < 6000; i++) {
        snprintf(name + 200, 40, "%d", i);
        assert_int_equal(vfs_mkdir(&x.ctx, NULL, name, 0755), 0);
    }
    for (int i = 0; i < 8; i++) {
        static char raw[8 << 20];
        int64_t n = fx_read(in[i], raw, sizeof raw), at = 0;
        while (at < n) {
            struct linux_inotify_event e;
            memcpy(&e, raw + at, sizeof e);
            overflows += e.mask == LINUX_IN_Q_OVERFLOW;
            at += (int64_t)sizeof e + e.len;
        }
    }
    assert_int_equal(overflows, 8);
    assert_int_equal(vfs_mkdir(&x.ctx, NULL, "/again", 0755), 0);
    assert_string_equal(told(in[7]), "1:40000100 ");
    for (int i = 0; i < 8; i++)
        file_put(in[i]);
    fx_end(&x);
}
static void test_unmount(void **state) {
    struct fx x;
    struct superblock *sb;
    struct path at;
    fx_begin(&x);
    assert_int_equal(fx_mkdir(&x, "/m"), 0);
    assert_int_equal(tmpfs_create(x.vfs, &(struct tmpfs_opts){.mode = 0755}, &sb), 0);
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/m", WALK_FOLLOW, &at), 0);
    assert_int_equal(vfs_mount(x.vfs, sb, &at, 0, "tmpfs"), 0);
    path_put(&at);
    touch(&x, "/m/f");
    struct file *in = instance(&x, 1);
    assert_int_equal(watch(&x, in, "/m/f", LINUX_IN_OPEN), 1);
    assert_int_equal(watch(&x, in, "/", LINUX_IN_OPEN), 2);
    assert_int_equal(watch(&x, in, "/m", LINUX_IN_OPEN), 3);
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/m", WALK_FOLLOW, &at), 0);
    assert_int_equal(vfs_umount(x.vfs, &at), 0);  // watches are no hindrance
    assert_string_equal(told(in), "");            // the caller still has it
    path_put(&at);
    assert_string_equal(told(in), "1:2000 1:8000 3:2000 3:8000 ");
    file_put(in);
    fx_end(&x);
}
// Each allocation fails once: no watch is half made, and what cannot be queued is told as lost.
static void test_no_memory(void **state) {
    struct fx x;
    struct file *in = NULL;
    struct path p;
    fx_begin(&x);
    for (unsigned n = 1; !in; n++) {
        fault_alloc_at(n);
        assert_true(inotify_open(x.vfs, 1, 0, &in) == 0 || !in);
    }
    fault_alloc_at(0);
    touch(&x, "/f");
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/f", 0, &p), 0);
    fault_alloc_at(1);
    assert_int_equal(inotify_add(in, &p, LINUX_IN_OPEN), -LINUX_ENOMEM);
    assert_int_equal(inotify_add(in, &p, LINUX_IN_ATTRIB), 1);
    fault_alloc_at(1);
    assert_int_equal(vfs_chmod(&x.ctx, &p, 0600), 0);
    fault_alloc_at(0);
    assert_string_equal(told(in), "-1:4000 ");
    path_put(&p);
    file_put(in);
    fx_end(&x);
}
// Watched while it has no name: it may get one, and loses it again.
static void test_without_a_name(void **state) {
    struct fx x;
    fx_begin(&x);
    struct file *in = instance(&x, 1), *f = fx_open(&x, "/", LINUX_O_TMPFILE | LINUX_O_RDWR, 0600);
    assert_int_equal(inotify_add(in, &f->path, LINUX_IN_DELETE_SELF | LINUX_IN_CLOSE_WRITE), 1);
    assert_int_equal(vfs_link(&x.ctx, &f->path, "", NULL, "/g", WALK_EMPTY), 0);
    file_put(f);
    assert_string_equal(told(in), "1:8 ");
    assert_int_equal(vfs_unlink(&x.ctx, NULL, "/g"), 0);
    assert_string_equal(told(in), "1:400 1:8000 ");
    f = fx_open(&x, "/", LINUX_O_TMPFILE | LINUX_O_RDWR, 0600);
    assert_int_equal(inotify_add(in, &f->path, LINUX_IN_DELETE_SELF), 2);
    file_put(f);
    assert_string_equal(told(in), "2:400 2:8000 ");
    file_put(in);
    fx_end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instances_of_a_user), cmocka_unit_test(test_watches_of_a_user),
        cmocka_unit_test(test_bytes_of_a_user),     cmocka_unit_test(test_unmount),
        cmocka_unit_test(test_no_memory),           cmocka_unit_test(test_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
