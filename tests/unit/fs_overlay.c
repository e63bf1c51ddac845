// SPDX-License-Identifier: Apache-2.0
// The overlay over a second tmpfs that serves as the lower file system; the lower one must come out
// unchanged.
#include "tests/unit/fs_util.h"
#include <unistd.h>

static struct vfs *vfs;

// A lower tree: /f /f2 /empty /d/{a,b,sub/{c,deep/x}} /link -> d/a /ed
static struct superblock *make_lower(void) {
    struct tmpfs_opts o = {.mode = 0755};
    struct superblock *sb;
    struct fx x;
    assert_int_equal(tmpfs_create(vfs, &o, &sb), 0);
    fx_begin_on(&x, vfs, sb);
    fx_put(&x, "/f", "lower f");
    fx_put(&x, "/f2", "lower f2");
    fx_put(&x, "/empty", "");
    fx_mkdir(&x, "/d");
    fx_put(&x, "/d/a", "lower a");
    fx_put(&x, "/d/b", "lower b");
    fx_mkdir(&x, "/d/sub");
    fx_put(&x, "/d/sub/c", "lower c");
    fx_mkdir(&x, "/d/sub/deep");
    fx_put(&x, "/d/sub/deep/x", "lower x");
    fx_symlink(&x, "d/a", "/link");
    fx_mkdir(&x, "/ed");
    // Keep the file system, and take its mount away by hand: the overlay will own it.
    ref_get(&sb->active);
    path_put(&x.ctx.cwd);
    path_put(&x.ctx.root);
    return sb;
}
static struct superblock *lower;

static void begin(struct fx *x) {
    struct tmpfs_opts o = {.mode = 0755};
    struct superblock *upper, *both;
    vfs = vfs_create();
    lower = make_lower();
    assert_int_equal(tmpfs_create(vfs, &o, &upper), 0);
    assert_int_equal(overlay_create(vfs, lower, upper, &both), 0);
    // The lower root stays mounted as "/", the overlay lies on it, so that both can be looked at.
    struct path root;
    assert_int_equal(vfs_root(vfs, &root), 0);
    *x = (struct fx){.vfs = vfs, .sb = both};
    assert_int_equal(vfs_mount(vfs, both, &root, 0, "overlay"), 0);
    x->ctx = (struct vfs_ctx){
        .vfs = vfs, .cred = {.caps = LINUX_CAP_FULL_SET}, .umask = 022, .fsize_limit = UINT64_MAX};
    x->ctx.root = root;
    x->ctx.cwd = root;
    path_get(&root);
    // Step into the overlay.
    struct path top;
    assert_int_equal(vfs_walk(&x->ctx, NULL, "/..", 0, &top), 0);
    assert_ptr_equal(top.dentry->sb, both);
    path_put(&x->ctx.root);
    path_put(&x->ctx.cwd);
    x->ctx.root = x->ctx.cwd = top;
    path_get(&top);
}
static void end(struct fx *x) {
    struct fx low = *x;
    assert_int_equal(vfs_root(vfs, &low.ctx.root), 0);
    low.ctx.cwd = low.ctx.root;
    fx_expect(&low, "f", "lower f");
    fx_expect(&low, "f2", "lower f2");
    fx_expect(&low, "d/a", "lower a");
    fx_expect(&low, "d/sub/c", "lower c");
    fx_expect(&low, "d/sub/deep/x", "lower x");
    fx_expect_list(&low, ".", "d ed empty f f2 link ");
    fx_expect_list(&low, "d", "a b sub ");
    path_put(&low.ctx.root);
    fx_end(x);
}

static void test_show_and_copy_up(void **state) {
    struct fx x;
    struct vfs_attr a, b;
    char buf[64] = {0};
    begin(&x);
    fx_expect(&x, "/f", "lower f");
    fx_expect(&x, "/link", "lower a");
    fx_expect(&x, "/d/sub/deep/x", "lower x");
    fx_expect_list(&x, "/", "d ed empty f f2 link ");
    assert_int_equal(fx_stat(&x, "/f", 0, &a), 0);
    struct file *r = fx_open(&x, "/f", LINUX_O_RDONLY, 0);
    struct file *w = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_APPEND, 0);
    assert_int_equal(fx_write(&x, w, "+new", 4), 4);
    // The file opened before sees it; the inode number stays.
    assert_int_equal(fx_read(r, buf, sizeof buf), 11);
    assert_string_equal(buf, "lower f+new");
    assert_int_equal(fx_stat(&x, "/f", 0, &b), 0);
    assert_int_equal(a.ino, b.ino);
    assert_int_equal(b.size, 11);
    file_put(r);
    file_put(w);
    dcache_shrink(vfs, 1000);
    dcache_shrink(vfs, 1000);
    dcache_shrink(vfs, 1000);
    fx_expect(&x, "/f", "lower f+new");
    fx_stat(&x, "/f", 0, &b);
    assert_int_equal(a.ino, b.ino);
    // O_TRUNC, truncate, chmod, chown, utimes.
    fx_put(&x, "/f2", "mine");
    fx_expect(&x, "/f2", "mine");
    assert_int_equal(fx_truncate(&x, "/d/a", 5), 0);
    assert_int_equal(fx_chmod(&x, "/d/b", 0600), 0);
    assert_int_equal(fx_chown(&x, "/d/sub/c", 5, 6), 0);
    dcache_shrink(vfs, 1000);
    dcache_shrink(vfs, 1000);
    fx_expect(&x, "/d/a", "lower");
    fx_expect(&x, "/d/b", "lower b");
    fx_stat(&x, "/d/b", 0, &b);
    assert_int_equal(b.mode & 07777, 0600);
    fx_stat(&x, "/d/sub/c", 0, &b);
    assert_int_equal(b.uid, 5);
    fx_truncate(&x, "/d/sub/c", 9);
    struct file *f = fx_open(&x, "/d/sub/c", LINUX_O_RDONLY, 0);
    assert_int_equal(fx_read(f, buf, sizeof buf), 9);
    assert_memory_equal(buf, "lower c\0\0", 9);
    file_put(f);
    fx_expect_list(&x, "/d", "a b sub ");
    end(&x);
}

static void test_whiteouts(void **state) {
    struct fx x;
    begin(&x);
    assert_int_equal(fx_unlink(&x, "/f"), 0);
    assert_int_equal(fx_exists(&x, "/f"), -LINUX_ENOENT);
    assert_int_equal(fx_unlink(&x, "/f"), -LINUX_ENOENT);
    fx_expect_list(&x, "/", "d ed empty f2 link ");
    fx_put(&x, "/f", "again");
    fx_expect(&x, "/f", "again");
    fx_expect_list(&x, "/", "d ed empty f f2 link ");
    fx_unlink(&x, "/f");
    assert_int_equal(fx_exists(&x, "/f"), -LINUX_ENOENT);
    assert_int_equal(fx_rmdir(&x, "/d"), -LINUX_ENOTEMPTY);
    assert_int_equal(fx_rmdir(&x, "/ed"), 0);
    assert_int_equal(fx_exists(&x, "/ed"), -LINUX_ENOENT);
    // rm -r, then a new directory of that name is empty.
    fx_unlink(&x, "/d/a");
    fx_unlink(&x, "/d/b");
    fx_unlink(&x, "/d/sub/deep/x");
    assert_int_equal(fx_rmdir(&x, "/d/sub/deep"), 0);
    fx_unlink(&x, "/d/sub/c");
    assert_int_equal(fx_rmdir(&x, "/d/sub"), 0);
    fx_expect_list(&x, "/d", "");
    dcache_shrink(vfs, 1000);
    dcache_shrink(vfs, 1000);
    fx_expect_list(&x, "/d", "");
    assert_int_equal(fx_rmdir(&x, "/d"), 0);
    assert_int_equal(fx_stat(&x, "/link", WALK_FOLLOW, &(struct vfs_attr){0}), -LINUX_ENOENT);
    assert_int_equal(fx_mkdir(&x, "/d"), 0);
    fx_expect_list(&x, "/d", "");
    assert_int_equal(fx_exists(&x, "/d/a"), -LINUX_ENOENT);
    fx_put(&x, "/d/a", "own");
    fx_expect(&x, "/link", "own");
    end(&x);
}

static void test_rename(void **state) {
    struct fx x;
    struct vfs_attr a, b;
    begin(&x);
    fx_stat(&x, "/f", 0, &a);
    assert_int_equal(fx_rename(&x, "/f", "/d/moved"), 0);
    fx_stat(&x, "/d/moved", 0, &b);
    assert_int_equal(a.ino, b.ino);
    fx_expect(&x, "/d/moved", "lower f");
    assert_int_equal(fx_exists(&x, "/f"), -LINUX_ENOENT);
    // Over another lower file.
    assert_int_equal(fx_rename(&x, "/d/moved", "/f2"), 0);
    fx_expect(&x, "/f2", "lower f");
    // A whole lower directory moves, with its tree, and stays writable.
    assert_int_equal(fx_rename(&x, "/d", "/dd"), 0);
    assert_int_equal(fx_exists(&x, "/d"), -LINUX_ENOENT);
    fx_expect(&x, "/dd/sub/deep/x", "lower x");
    fx_put(&x, "/dd/sub/deep/y", "y");
    assert_int_equal(fx_rename(&x, "/dd/sub", "/ed/sub2"), 0);
    dcache_shrink(vfs, 1000);
    dcache_shrink(vfs, 1000);
    dcache_shrink(vfs, 1000);
    fx_expect_list(&x, "/ed/sub2/deep", "x y ");
    fx_expect(&x, "/ed/sub2/c", "lower c");
    fx_expect_list(&x, "/dd", "a b ");
    assert_int_equal(fx_rename(&x, "/ed", "/ed/sub2/deep/z"), -LINUX_EINVAL);
    assert_int_equal(fx_rename(&x, "/dd", "/ed"), -LINUX_ENOTEMPTY);
    // Back to where it came from.
    assert_int_equal(fx_rename(&x, "/dd", "/d"), 0);
    fx_expect(&x, "/d/a", "lower a");
    assert_int_equal(fx_exists(&x, "/d/sub"), -LINUX_ENOENT);
    // Exchange a lower name with a new one.
    fx_mkdir(&x, "/new");
    assert_int_equal(vfs_rename(&x.ctx, NULL, "/empty", NULL, "/new", LINUX_RENAME_EXCHANGE), 0);
    fx_expect(&x, "/new", "");
    fx_expect_list(&x, "/empty", "");
    assert_int_equal(vfs_rename(&x.ctx, NULL, "/new", NULL, "/link", LINUX_RENAME_NOREPLACE), -LINUX_EEXIST);
    fx_expect_list(&x, "/", "d ed empty f2 link new ");
    end(&x);
}

static void test_links(void **state) {
    struct fx x;
    struct vfs_attr a;
    begin(&x);
    assert_int_equal(fx_link(&x, "/f", "/d/hard"), 0);
    fx_stat(&x, "/f", 0, &a);
    assert_int_equal(a.nlink, 2);
    fx_put(&x, "/d/hard", "both");
    fx_expect(&x, "/f", "both");
    assert_int_equal(fx_unlink(&x, "/f"), 0);
    fx_expect(&x, "/d/hard", "both");
    fx_stat(&x, "/d/hard", 0, &a);
    assert_int_equal(a.nlink, 1);
    struct file *f = fx_open(&x, "/d/hard", LINUX_O_RDWR, 0);
    assert_int_equal(fx_unlink(&x, "/d/hard"), 0);
    char c;
    assert_int_equal(fx_pread(f, &c, 1, 0), 1);
    file_put(f);
    // Unlinked while open, never changed.
    f = fx_open(&x, "/f2", LINUX_O_RDONLY, 0);
    assert_int_equal(fx_unlink(&x, "/f2"), 0);
    assert_int_equal(fx_pread(f, &c, 1, 6), 1);
    assert_int_equal(c, 'f');
    file_put(f);
    // Made and removed in a lower directory: nothing stays behind.
    struct path p;
    vfs_walk(&x.ctx, NULL, "/d", 0, &p);
    fx_put(&x, "/d/tmp", "t");
    fx_unlink(&x, "/d/tmp");
    fx_expect_list(&x, "/d", "a b sub ");
    path_put(&p);
    end(&x);
}

static void test_mmap(void **state) {
    struct fx x;
    begin(&x);
    struct file *r = fx_open(&x, "/f", LINUX_O_RDONLY, 0), *w = fx_open(&x, "/f", LINUX_O_RDWR, 0);
    int low = vfs_mmap_fd(r, 1, true);
    assert_true(low >= 0);
    assert_int_equal(vfs_mmap_fd(w, 3, false), low);  // private: no copy
    int own = vfs_mmap_fd(w, 3, true);
    assert_true(own >= 0 && own != low);
    assert_int_equal(pwrite(own, "LOWER", 5, 0), 5);
    char buf[8] = {0};
    assert_int_equal(fx_pread(r, buf, 7, 0), 7);
    assert_string_equal(buf, "LOWER f");
    file_put(r);
    file_put(w);
    end(&x);
}

// A copy up is as long as the file: it ends when its caller is to die, and leaves nothing behind.
static unsigned chunks_left;
static bool dies(void) { return chunks_left == 0 || chunks_left-- == 0; }
static void test_copy_up_ends(void **state) {
    struct fx x;
    struct vfs_attr a;
    struct file *f;
    begin(&x);
    struct fx low = x;
    assert_int_equal(vfs_root(vfs, &low.ctx.root), 0);
    low.ctx.cwd = low.ctx.root;
    fx_put(&low, "long", "head");
    assert_int_equal(fx_truncate(&low, "long", 10 * 65536), 0);
    f = fx_open(&x, "/long", LINUX_O_RDWR, 0);
    chunks_left = 5;
    vfs_set_caller_dies(vfs, dies);
    assert_int_equal(fx_write(&x, f, "HEAD", 4), -LINUX_EINTR);
    vfs_set_caller_dies(vfs, NULL);
    assert_int_equal(chunks_left, 0);
    assert_int_equal(fx_write(&x, f, "HEAD", 4), 4);
    file_put(f);
    assert_int_equal(fx_stat(&x, "/long", 0, &a), 0);
    assert_int_equal(a.size, 10 * 65536);
    fx_unlink(&low, "long");
    path_put(&low.ctx.root);
    end(&x);
}

static void test_upper_with_names(void **state) {
    struct fx up, x;
    struct tmpfs_opts o = {.mode = 0755};
    struct superblock *sb, *both;
    vfs = vfs_create();
    lower = make_lower();
    // The upper file system is filled first, through a mount of its own.
    assert_int_equal(tmpfs_create(vfs, &o, &sb), 0);
    ref_get(&sb->active);
    struct path root;
    vfs_root(vfs, &root);
    up.ctx = (struct vfs_ctx){.vfs = vfs, .cred = {.caps = LINUX_CAP_FULL_SET}, .fsize_limit = UINT64_MAX};
    up.ctx.root = up.ctx.cwd = root;
    struct path ed;
    vfs_walk(&up.ctx, NULL, "/ed", 0, &ed);
    assert_int_equal(vfs_mount(vfs, sb, &ed, 0, "upper"), 0);
    path_put(&ed);
    fx_put(&up, "/ed/f", "upper f");
    fx_mkdir(&up, "/ed/d");
    fx_mkdir(&up, "/ed/own");
    vfs_walk(&up.ctx, NULL, "/ed", 0, &ed);
    assert_int_equal(vfs_umount(vfs, &ed), 0);
    path_put(&ed);
    assert_int_equal(overlay_create(vfs, lower, sb, &both), 0);
    assert_int_equal(vfs_mount(vfs, both, &root, 0, "overlay"), 0);
    x = up;
    assert_int_equal(vfs_walk(&up.ctx, NULL, "/..", 0, &x.ctx.root), 0);
    x.ctx.cwd = x.ctx.root;
    fx_expect(&x, "f", "upper f");
    fx_expect(&x, "f2", "lower f2");
    fx_expect_list(&x, ".", "d ed empty f f2 link own ");
    fx_unlink(&x, "f");
    assert_int_equal(fx_exists(&x, "f"), -LINUX_ENOENT);
    path_put(&x.ctx.root);
    path_put(&root);
    vfs_destroy(vfs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_show_and_copy_up),
        cmocka_unit_test(test_whiteouts),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_mmap),
        cmocka_unit_test(test_upper_with_names),
        cmocka_unit_test(test_copy_up_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
