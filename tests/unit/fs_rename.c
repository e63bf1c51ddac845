// SPDX-License-Identifier: Apache-2.0
// rename(2): every kind of source over every kind of target, in one directory and across two, with each flag;
// and the walk of allocation failures over open, create, link, rename and a copy-up.
#include "tests/unit/fs_util.h"

enum kind { NONE, FILE_, DIR_, FULL, LINK, KINDS };
static const char *const kind_name[] = {"nothing", "file", "dir", "full dir", "link"};

static void make(struct fx *x, const char *name, enum kind k) {
    char inner[64];
    switch (k) {
    case FILE_:
        fx_put(x, name, name);
        break;
    case FULL:
        fx_mkdir(x, name);
        snprintf(inner, sizeof inner, "%s/in", name);
        fx_put(x, inner, "in");
        break;
    case DIR_:
        fx_mkdir(x, name);
        break;
    case LINK:
        fx_symlink(x, "nowhere", name);
        break;
    default:
        break;
    }
}
static bool is_dir(enum kind k) { return k == DIR_ || k == FULL; }
static int expected(enum kind from, enum kind to, unsigned flags) {
    if (from == NONE)
        return -LINUX_ENOENT;
    if (flags == LINUX_RENAME_NOREPLACE)
        return to == NONE ? 0 : -LINUX_EEXIST;
    if (flags == LINUX_RENAME_EXCHANGE)
        return to == NONE ? -LINUX_ENOENT : 0;
    if (to == NONE)
        return 0;
    if (is_dir(from) && !is_dir(to))
        return -LINUX_ENOTDIR;
    if (!is_dir(from) && is_dir(to))
        return -LINUX_EISDIR;
    return to == FULL ? -LINUX_ENOTEMPTY : 0;
}
static void one(enum kind from, enum kind to, unsigned flags, bool across) {
    struct fx x;
    struct vfs_attr was, other, now;
    const char *a = "/p/a", *b = across ? "/q/b" : "/p/b";
    fx_begin(&x);
    fx_mkdir(&x, "/p");
    fx_mkdir(&x, "/q");
    make(&x, a, from);
    make(&x, b, to);
    bool had = fx_stat(&x, a, 0, &was) == 0, had_b = fx_stat(&x, b, 0, &other) == 0;
    int err = vfs_rename(&x.ctx, NULL, a, NULL, b, flags);
    if (err != expected(from, to, flags))
        fail_msg("%s over %s, flags %u: %d", kind_name[from], kind_name[to], flags, err);
    if (!err) {
        assert_int_equal(fx_stat(&x, b, 0, &now), 0);
        assert_int_equal(now.ino, was.ino);
        if (flags == LINUX_RENAME_EXCHANGE) {
            assert_int_equal(fx_stat(&x, a, 0, &now), 0);
            assert_int_equal(now.ino, other.ino);
        } else {
            assert_int_equal(fx_exists(&x, a), -LINUX_ENOENT);
        }
    } else {
        assert_int_equal(fx_exists(&x, a) == 0, had);
        assert_int_equal(fx_exists(&x, b) == 0, had_b);
    }
    // Link counts of the directories: 2, and one for each directory in them.
    for (const char *dir = "/p"; dir; dir = dir[1] == 'p' ? "/q" : NULL) {
        char names[256], path[80];
        unsigned subdirs = 0;
        fx_list(&x, dir, 1000, names);
        for (char *s = strtok(names, " "); s; s = strtok(NULL, " ")) {
            snprintf(path, sizeof path, "%s/%s", dir, s);
            fx_stat(&x, path, 0, &now);
            subdirs += LINUX_S_ISDIR(now.mode);
        }
        fx_stat(&x, dir, 0, &now);
        assert_int_equal(now.nlink, 2 + subdirs);
    }
    fx_end(&x);
}
static void test_matrix(void **state) {
    static const unsigned flags[] = {0, LINUX_RENAME_NOREPLACE, LINUX_RENAME_EXCHANGE};
    for (int from = NONE; from < KINDS; from++)
        for (int to = NONE; to < KINDS; to++)
            for (int f = 0; f < 3; f++)
                for (int across = 0; across < 2; across++)
                    one((enum kind)from, (enum kind)to, flags[f], across);
}

static void test_special(void **state) {
    struct fx x;
    char buf[128];
    fx_begin(&x);
    fx_mkdir(&x, "/d");
    fx_mkdir(&x, "/d/e");
    fx_put(&x, "/f", "f");
    assert_int_equal(fx_rename(&x, "/d", "/d/e/g"), -LINUX_EINVAL);
    assert_int_equal(fx_rename(&x, "/d", "/d"), 0);
    assert_int_equal(fx_rename(&x, "/d/e", "/d"), -LINUX_ENOTEMPTY);
    assert_int_equal(vfs_rename(&x.ctx, NULL, "/d/e", NULL, "/d", LINUX_RENAME_EXCHANGE), -LINUX_EINVAL);
    assert_int_equal(fx_rename(&x, "/d/.", "/g"), -LINUX_EBUSY);
    assert_int_equal(fx_rename(&x, "/d/e", "/d/.."), -LINUX_EBUSY);
    assert_int_equal(fx_rename(&x, "/", "/g"), -LINUX_EBUSY);
    assert_int_equal(fx_rename(&x, "/f/", "/g"), -LINUX_ENOTDIR);
    assert_int_equal(fx_rename(&x, "/f", "/g/"), -LINUX_ENOTDIR);
    assert_int_equal(fx_rename(&x, "/d/", "/g/"), 0);
    assert_int_equal(vfs_rename(&x.ctx, NULL, "/g", NULL, "/h", 3), -LINUX_EINVAL);
    assert_int_equal(vfs_rename(&x.ctx, NULL, "/g", NULL, "/h", 4), -LINUX_EINVAL);
    // Two names of one file: nothing happens.
    fx_link(&x, "/f", "/f2");
    assert_int_equal(fx_rename(&x, "/f", "/f2"), 0);
    assert_int_equal(fx_exists(&x, "/f"), 0);
    // Long names, and the path of an open file that moves.
    char longer[80] = "/g/";
    memset(longer + 3, 'n', 70);
    assert_int_equal(fx_rename(&x, "/g/e", longer), 0);
    struct file *f = fx_open(&x, longer, LINUX_O_RDONLY, 0);
    assert_int_equal(fx_rename(&x, "/g", "/moved"), 0);
    assert_int_equal(path_text(x.vfs, &f->path, &x.ctx.root, buf, sizeof buf), 77);
    assert_memory_equal(buf, "/moved/nnnn", 11);
    assert_int_equal(vfs_rename(&x.ctx, NULL, "/f", NULL, "/moved", LINUX_RENAME_EXCHANGE), 0);
    path_text(x.vfs, &f->path, &x.ctx.root, buf, sizeof buf);
    assert_memory_equal(buf, "/f/nnnn", 7);
    file_put(f);
    fx_end(&x);
}

static int write_new(struct fx *x) {
    struct file *f;
    int err = vfs_open(&x->ctx, NULL, "/dir/new", LINUX_O_RDWR | LINUX_O_CREAT, 0644, 0, &f);
    if (err)
        return err;
    int64_t n = fx_write(x, f, "some text", 9);
    if (n == 9)
        n = fx_pwrite(x, f, "far", 3, 20000);
    file_put(f);
    return n < 0 ? (int)n : 0;
}
#define LONG_NAME "/dir/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
static int make_dir(struct fx *x) { return fx_mkdir(x, "/dir/sub"); }
static int make_symlink(struct fx *x) { return fx_symlink(x, "new", "/dir/link"); }
static int make_link(struct fx *x) { return fx_link(x, "/dir/new", "/dir/hard"); }
static int to_long_name(struct fx *x) { return fx_rename(x, "/dir/hard", LONG_NAME); }
static int exchange_long(struct fx *x) {
    return vfs_rename(&x->ctx, NULL, LONG_NAME, NULL, "/dir/sub", LINUX_RENAME_EXCHANGE);
}
static int up_from_low(struct fx *x) { return fx_rename(x, "/low/a", "/dir/sub2"); }
static int cut_it(struct fx *x) { return fx_truncate(x, "/dir/sub2", 3); }
static int unlink_low(struct fx *x) { return fx_unlink(x, "/low/b"); }
static int rename_low(struct fx *x) { return fx_rename(x, "/low", "/high"); }
static int find_deep(struct fx *x) { return fx_exists(x, "/high/c/deep"); }
static int use_pipe(struct fx *x) {
    struct file *ends[2];
    int err = pipe_open(x->vfs, 0, ends);
    if (err)
        return err;
    int n = (int)fx_write(x, ends[1], "x", 1);
    file_put(ends[0]);
    file_put(ends[1]);
    return n == 1 ? 0 : n;
}
static int attempt(struct fx *x) {
    static int (*const steps[])(struct fx *x) = {
        write_new,   make_dir, make_symlink, make_link,  to_long_name, exchange_long,
        up_from_low, cut_it,   unlink_low,   rename_low, find_deep,    use_pipe};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int err = steps[i](x);
        if (err)
            return err;
    }
    return 0;
}
static struct superblock *small_tree(struct vfs *v) {
    struct tmpfs_opts o = {.mode = 0755};
    struct superblock *sb;
    struct fx x;
    assert_int_equal(tmpfs_create(v, &o, &sb), 0);
    ref_get(&sb->active);
    fx_begin_on(&x, v, sb);
    fx_mkdir(&x, "/low");
    fx_put(&x, "/low/a", "a text");
    fx_put(&x, "/low/b", "b text");
    fx_mkdir(&x, "/low/c");
    fx_put(&x, "/low/c/deep", "d");
    path_put(&x.ctx.cwd);
    path_put(&x.ctx.root);
    return sb;
}
// Every allocation on the way fails once: an error comes back, nothing leaks, and a second try succeeds as
// far as what was already made lets it.
static void test_fault_walk(void **state) {
    for (unsigned nth = 1;; nth++) {
        struct fx x;
        struct tmpfs_opts o = {.mode = 0755};
        struct superblock *upper, *both;
        struct path root, top;
        struct vfs *v = vfs_create();
        struct superblock *lower = small_tree(v);
        tmpfs_create(v, &o, &upper);
        assert_int_equal(overlay_create(v, lower, upper, &both), 0);
        vfs_root(v, &root);
        assert_int_equal(vfs_mount(v, both, &root, 0, "overlay"), 0);
        x.vfs = v;
        x.ctx = (struct vfs_ctx){.vfs = v, .cred = {.caps = LINUX_CAP_FULL_SET}, .fsize_limit = UINT64_MAX};
        x.ctx.root = x.ctx.cwd = root;
        vfs_walk(&x.ctx, NULL, "/..", 0, &top);
        path_put(&root);
        x.ctx.root = x.ctx.cwd = top;
        assert_int_equal(fx_mkdir(&x, "/dir"), 0);
        fault_alloc_at(nth);
        int err = attempt(&x);
        unsigned made = fault_alloc_at(0);
        path_put(&top);
        vfs_destroy(v);
        if (made < nth) {
            assert_int_equal(err, 0);
            assert_true(nth > 30);
            break;
        }
        if (err != 0 && err != -LINUX_ENOMEM && err != -LINUX_ENOSPC)
            fail_msg("allocation %u: %d", nth, err);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix), cmocka_unit_test(test_special), cmocka_unit_test(test_fault_walk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
