// SPDX-License-Identifier: Apache-2.0
// Changes of mounts that propagate are whole or not at all: each allocation of a bind, of a copied namespace
// and of a tree without a place fails once. What is there afterwards is counted, and comes off without a
// rest.
#include "abi/misc.h"
#include "base/fault.h"
#include "fs/mnt_ns.h"
#include "tests/unit/fs_util.h"

static struct path place(struct fx *x, const char *name) {
    struct path p;
    assert_int_equal(vfs_walk(&x->ctx, NULL, name, 0, &p), 0);
    return p;
}
static unsigned count(struct mnt_ns *ns) {
    unsigned n = 0;
    for (struct mount *m = mnt_ns_next(ns, 0), *next; m; m = next, n++) {
        next = mnt_ns_next(ns, m->number + 1);
        mount_put(m);
    }
    return n;
}
static bool may(void *arg, const struct ns *ns) { return true; }

static int bind(struct fx *x, const char *from, const char *to, bool recursive) {
    struct path f = place(x, from), t = place(x, to);
    int err = vfs_bind_tree(vfs_first_ns(x->vfs), &f, &t, recursive);
    path_put(&f);
    path_put(&t);
    return err;
}
static void kind(struct fx *x, const char *at, unsigned long how) {
    struct path p = place(x, at);
    assert_int_equal(vfs_set_propagation(&p, how, false, may, NULL), 0);
    path_put(&p);
}
static int umount_all(struct fx *x, const char *at) {
    struct path p = place(x, at);
    int err = vfs_umount_in(vfs_first_ns(x->vfs), &p, LINUX_MNT_DETACH);
    path_put(&p);
    return err;
}

// a is shared with b, of which c is a slave with a group of its own; tree has one mount in it.
static void begin(struct fx *x) {
    fx_begin(x);
    const char *const dirs[] = {"/a", "/a/x", "/b", "/c", "/tree", "/tree/in"};
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        assert_int_equal(fx_mkdir(x, dirs[i]), 0);
    assert_int_equal(bind(x, "/a", "/a", false), 0);
    kind(x, "/a", LINUX_MS_SHARED);
    assert_int_equal(bind(x, "/a", "/b", false), 0);
    assert_int_equal(bind(x, "/a", "/c", false), 0);
    kind(x, "/c", LINUX_MS_SLAVE);
    kind(x, "/c", LINUX_MS_SHARED);
    assert_int_equal(bind(x, "/tree", "/tree", false), 0);
    assert_int_equal(bind(x, "/tree", "/tree/in", false), 0);
}

static int bind_once_more(struct fx *x) { return bind(x, "/tree", "/a/x", true); }

static int copy_namespace(struct fx *x) {
    struct mnt_ns *ns;
    int err = mnt_ns_copy(vfs_first_ns(x->vfs), NULL, &ns, NULL, 0);
    if (err < 0)
        return err;
    assert_int_equal(count(ns), count(vfs_first_ns(x->vfs)));
    mnt_ns_put(ns);
    return 0;
}

static int tree_to_place(struct fx *x) {
    struct path from = place(x, "/tree"), to = place(x, "/a/x"), tree;
    struct mnt_ns *ns = vfs_first_ns(x->vfs);
    int err = vfs_tree_clone(ns, &from, true, &tree);
    if (err == 0) {
        err = vfs_move_mount(ns, &tree, &to, &x->ctx.root, false);
        vfs_tree_end(&tree);
        path_put(&tree);
    }
    path_put(&from);
    path_put(&to);
    return err;
}

static void walk_faults(int (*attempt)(struct fx *), unsigned more) {
    for (unsigned nth = 1;; nth++) {
        struct fx x;
        begin(&x);
        unsigned before = count(vfs_first_ns(x.vfs));
        fault_alloc_at(nth);
        int err = attempt(&x);
        unsigned made = fault_alloc_at(0);
        assert_int_equal(count(vfs_first_ns(x.vfs)), before + (err ? 0 : more));
        if (!err && more)
            assert_int_equal(umount_all(&x, "/a/x"), 0);
        assert_int_equal(count(vfs_first_ns(x.vfs)), before);
        fx_end(&x);
        if (made < nth) {
            assert_int_equal(err, 0);
            assert_true(nth > 2);
            return;
        }
        assert_true(err == 0 || err == -LINUX_ENOMEM);
    }
}

// Two mounts on each of a, b and c.
static void test_bind(void **state) { walk_faults(bind_once_more, 6); }
static void test_namespace(void **state) { walk_faults(copy_namespace, 0); }
static void test_without_place(void **state) { walk_faults(tree_to_place, 6); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bind), cmocka_unit_test(test_namespace),
                                       cmocka_unit_test(test_without_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
