// SPDX-License-Identifier: Apache-2.0
// Rulesets, domains, and groups of fanotify with their marks, as objects of the VFS: who owns what, errors of
// allocation, budgets, unmounting. What the calls say is in tests/syscalls/landlock*.c and fanotify*.c.
#include "fs/fanotify.h"
#include "fs/landlock.h"
#include "tests/unit/fs_util.h"

static struct path found(struct fx *x, const char *name) {
    struct path p;
    assert_int_equal(vfs_walk(&x->ctx, NULL, name, WALK_FOLLOW, &p), 0);
    return p;
}
static struct file *ruleset(struct fx *x, uint64_t fs, uint64_t net, uint64_t scoped) {
    struct file *f;
    const struct linux_landlock_ruleset_attr a = {fs, net, scoped};
    assert_int_equal(landlock_ruleset_open(x->vfs, &a, &f), 0);
    return f;
}
static int allow(struct fx *x, struct file *f, const char *name, uint64_t access) {
    struct path p = found(x, name);
    int err = landlock_add_path(f, &p, access);
    path_put(&p);
    return err;
}
#define READ LINUX_LANDLOCK_ACCESS_FS_READ_FILE

// What a domain has is as it was, whatever becomes of the ruleset and of the files that it names.
static void test_a_domain_keeps_its_rules(void **state) {
    struct fx x;
    struct landlock_domain *d, *inner;
    fx_begin(&x);
    fx_put(&x, "/a", "text");
    fx_put(&x, "/b", "text");
    struct file *f = ruleset(&x, READ, 0, 0);
    assert_int_equal(allow(&x, f, "/a", READ), 0);
    assert_int_equal(landlock_restrict(f, NULL, &d), 0);
    assert_int_equal(allow(&x, f, "/b", READ), 0);
    assert_int_equal(landlock_restrict(f, d, &inner), 0);
    file_put(f);
    x.ctx.cred.landlock = d;
    assert_int_equal(fx_open_err(&x, "/a", LINUX_O_RDONLY), 0);
    assert_int_equal(fx_open_err(&x, "/b", LINUX_O_RDONLY), -LINUX_EACCES);
    x.ctx.cred.landlock = inner;
    assert_int_equal(fx_open_err(&x, "/a", LINUX_O_RDONLY), 0);
    assert_int_equal(fx_open_err(&x, "/b", LINUX_O_RDONLY), -LINUX_EACCES);
    assert_int_equal(fx_unlink(&x, "/a"), 0);
    x.ctx.cred.landlock = NULL;
    fx_put(&x, "/a", "another");
    x.ctx.cred.landlock = d;
    assert_int_equal(fx_open_err(&x, "/a", LINUX_O_RDONLY), -LINUX_EACCES);  // not the file of the rule
    x.ctx.cred.landlock = NULL;
    assert_true(landlock_is_inside(inner, d) && landlock_is_inside(d, NULL) && !landlock_is_inside(d, inner));
    landlock_put(d);
    landlock_put(inner);
    fx_end(&x);
}
static void test_scopes(void **state) {
    struct fx x;
    struct landlock_domain *out, *plain, *deep;
    const uint64_t sig = LINUX_LANDLOCK_SCOPE_SIGNAL;
    fx_begin(&x);
    struct file *scoped = ruleset(&x, 0, 0, sig), *other = ruleset(&x, READ, 0, 0);
    assert_int_equal(landlock_restrict(scoped, NULL, &out), 0);
    assert_int_equal(landlock_restrict(other, out, &plain), 0);
    assert_int_equal(landlock_restrict(scoped, plain, &deep), 0);
    assert_false(landlock_is_scoped(NULL, out, sig));
    assert_true(landlock_is_scoped(out, NULL, sig));
    assert_false(landlock_is_scoped(out, out, sig));
    assert_false(landlock_is_scoped(out, deep, sig));
    assert_false(landlock_is_scoped(plain, out, sig));  // the layer with the scope is out's own
    assert_true(landlock_is_scoped(plain, NULL, sig));
    assert_true(landlock_is_scoped(deep, plain, sig));
    assert_false(landlock_is_scoped(deep, NULL, LINUX_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET));
    file_put(scoped);
    file_put(other);
    landlock_put(out);
    landlock_put(plain);
    landlock_put(deep);
    fx_end(&x);
}
// Rules end with the budget, and it has all of them back.
static void test_budget(void **state) {
    struct fx x;
    fx_begin(&x);
    unsigned most = 0;
    for (int round = 0; round < 2; round++) {
        struct file *f = ruleset(&x, 0, LINUX_LANDLOCK_ACCESS_NET_BIND_TCP, 0), *g = NULL;
        unsigned n = 0;
        while (n < UINT16_MAX && landlock_add_port(f, n, LINUX_LANDLOCK_ACCESS_NET_BIND_TCP) == 0)
            n++;
        assert_true(n > 20000 && n < UINT16_MAX);
        assert_int_equal(landlock_add_port(f, n, LINUX_LANDLOCK_ACCESS_NET_BIND_TCP), -LINUX_ENOMEM);
        assert_int_equal(landlock_add_port(f, 7, LINUX_LANDLOCK_ACCESS_NET_BIND_TCP), -LINUX_ENOMEM);
        assert_true(round == 0 || n == most);
        most = n;
        g = ruleset(&x, READ, 0, 0);
        file_put(g);
        file_put(f);
    }
    fx_end(&x);
}
static void test_no_memory(void **state) {
    struct fx x;
    struct file *f = NULL;
    struct landlock_domain *d = NULL;
    const struct linux_landlock_ruleset_attr a = {.handled_access_fs = READ};
    fx_begin(&x);
    fx_put(&x, "/a", "text");
    for (unsigned n = 1; !f; n++) {
        fault_alloc_at(n);
        assert_true(landlock_ruleset_open(x.vfs, &a, &f) == 0 || !f);
    }
    struct path p = found(&x, "/a");
    fault_alloc_at(1);
    assert_int_equal(landlock_add_path(f, &p, READ), -LINUX_ENOMEM);
    fault_alloc_at(2);
    assert_int_equal(landlock_add_path(f, &p, READ), -LINUX_ENOMEM);
    fault_alloc_at(0);
    assert_int_equal(landlock_add_path(f, &p, READ), 0);
    path_put(&p);
    fault_alloc_at(1);
    assert_int_equal(landlock_restrict(f, NULL, &d), -LINUX_ENOMEM);
    fault_alloc_at(0);
    assert_null(d);
    file_put(f);
    fx_end(&x);
}

// ---- fanotify ---------------------------------------------------------------------------------------------
static size_t no_size(const struct fan_group *g, const struct fan_queued *q) { return 0; }
// The masks of all events, as "20 8 ".
static const char *told(struct fan_group *g) {
    static char text[4096];
    struct fan_queued *q;
    int err;
    text[0] = '\0';
    while ((q = fan_take(g, 1, no_size, &err))) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%x ", q->mask);
        fan_queued_free(g, q);
    }
    assert_int_equal(err, -LINUX_EAGAIN);
    return text;
}
static int mark(struct fx *x, struct fan_group *g, const char *name, enum fan_on on, uint32_t mask) {
    struct path p = found(x, name);
    int err = fan_mark(g, &p, on, mask, LINUX_FAN_MARK_ADD);
    path_put(&p);
    return err;
}
static void look(struct fx *x, const char *name) { file_put(fx_open(x, name, LINUX_O_RDONLY, 0)); }

static void test_marks_end_with_what_they_are_on(void **state) {
    struct fx x;
    struct superblock *sb;
    struct fan_group *g;
    fx_begin(&x);
    assert_int_equal(fx_mkdir(&x, "/m"), 0);
    assert_int_equal(tmpfs_create(x.vfs, &(struct tmpfs_opts){.mode = 0755}, &sb), 0);
    struct path at = found(&x, "/m");
    assert_int_equal(vfs_mount(x.vfs, sb, &at, 0, "tmpfs"), 0);
    path_put(&at);
    fx_put(&x, "/m/f", "text");
    fx_put(&x, "/f", "text");
    assert_int_equal(fan_group_new(x.vfs, 1, 0, LINUX_O_RDONLY, false, &g), 0);
    assert_int_equal(mark(&x, g, "/m/f", FAN_ON_INODE, LINUX_FAN_OPEN), 0);
    assert_int_equal(mark(&x, g, "/m/f", FAN_ON_MOUNT, LINUX_FAN_OPEN), 0);
    assert_int_equal(mark(&x, g, "/m/f", FAN_ON_SUPER, LINUX_FAN_CLOSE_NOWRITE), 0);
    assert_int_equal(mark(&x, g, "/f", FAN_ON_INODE, LINUX_FAN_OPEN), 0);
    assert_int_equal(atomic_load(&fan_marks), 4);
    look(&x, "/m/f");
    look(&x, "/f");
    assert_string_equal(told(g), "30 20 ");
    at = found(&x, "/m");
    assert_int_equal(vfs_umount(x.vfs, &at), 0);  // marks are no hindrance
    path_put(&at);
    assert_int_equal(atomic_load(&fan_marks), 1);
    look(&x, "/f");
    assert_string_equal(told(g), "20 ");
    assert_int_equal(fx_unlink(&x, "/f"), 0);
    assert_int_equal(atomic_load(&fan_marks), 0);
    fan_group_free(g);
    assert_int_equal(atomic_load(&notify_watches), 0);
    fx_end(&x);
}
// An event that cannot be queued is told as lost; a group that goes takes what nobody has read.
static void test_events_without_memory(void **state) {
    struct fx x;
    struct fan_group *g = NULL, *h;
    fx_begin(&x);
    fx_put(&x, "/f", "text");
    for (unsigned n = 1; !g; n++) {
        fault_alloc_at(n);
        assert_true(fan_group_new(x.vfs, 1, 0, 0, false, &g) == 0 || !g);
    }
    struct path p = found(&x, "/f");
    fault_alloc_at(1);
    assert_int_equal(fan_mark(g, &p, FAN_ON_INODE, LINUX_FAN_OPEN, LINUX_FAN_MARK_ADD), -LINUX_ENOMEM);
    fault_alloc_at(0);
    assert_int_equal(fan_group_new(x.vfs, 1, LINUX_FAN_REPORT_FID, 0, false, &h), 0);
    assert_int_equal(fan_mark(g, &p, FAN_ON_INODE, LINUX_FAN_OPEN, LINUX_FAN_MARK_ADD), 0);
    assert_int_equal(fan_mark(h, &p, FAN_ON_INODE, LINUX_FAN_ATTRIB, LINUX_FAN_MARK_ADD), 0);
    fault_alloc_at(1);
    assert_int_equal(vfs_chmod(&x.ctx, &p, 0600), 0);
    fault_alloc_at(0);
    assert_string_equal(told(h), "4000 ");
    look(&x, "/f");
    path_put(&p);
    fan_group_free(g);  // with an event that holds the path
    fan_group_free(h);
    fx_end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_domain_keeps_its_rules),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_marks_end_with_what_they_are_on),
        cmocka_unit_test(test_events_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
