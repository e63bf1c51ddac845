// SPDX-License-Identifier: Apache-2.0
// Path walk, names and permissions over a tmpfs.
#include "tests/unit/fs_util.h"

static void test_walk_basics(void **state) {
    struct fx x;
    struct vfs_attr a;
    fx_begin(&x);
    assert_int_equal(fx_mkdir(&x, "/a"), 0);
    assert_int_equal(fx_mkdir(&x, "a/b/"), 0);
    assert_int_equal(fx_mkdir(&x, "/a"), -LINUX_EEXIST);
    assert_int_equal(fx_mkdir(&x, "/"), -LINUX_EEXIST);
    assert_int_equal(fx_mkdir(&x, "/a/."), -LINUX_EEXIST);
    assert_int_equal(fx_mkdir(&x, "/nowhere/x"), -LINUX_ENOENT);
    fx_put(&x, "/a/f", "hello");
    fx_expect(&x, "a//b/../f", "hello");
    fx_expect(&x, "/../../a/./f", "hello");
    assert_int_equal(fx_exists(&x, ""), -LINUX_ENOENT);
    assert_int_equal(fx_exists(&x, "a/f/"), -LINUX_ENOTDIR);
    assert_int_equal(fx_exists(&x, "a/f/x"), -LINUX_ENOTDIR);
    assert_int_equal(fx_exists(&x, "a/f/.."), -LINUX_ENOTDIR);
    assert_int_equal(fx_exists(&x, "a/b/"), 0);
    assert_int_equal(fx_exists(&x, "///"), 0);
    assert_int_equal(fx_stat(&x, "", WALK_EMPTY, &a), 0);
    assert_int_equal(a.nlink, 3);
    char name[5000];
    memset(name, 'x', sizeof name);
    name[256] = 0;
    assert_int_equal(fx_exists(&x, name), -LINUX_ENAMETOOLONG);
    name[255] = 0;
    assert_int_equal(fx_exists(&x, name), -LINUX_ENOENT);
    assert_int_equal(fx_mkdir(&x, name), 0);
    assert_int_equal(fx_exists(&x, name), 0);
    memset(name, '/', sizeof name);
    name[4096] = 0;
    assert_int_equal(fx_exists(&x, name), -LINUX_ENAMETOOLONG);
    name[4095] = 0;
    assert_int_equal(fx_exists(&x, name), 0);
    fx_end(&x);
}

static void test_symlinks(void **state) {
    struct fx x;
    struct vfs_attr a;
    char name[64], buf[16];
    fx_begin(&x);
    fx_mkdir(&x, "/d");
    fx_put(&x, "/d/f", "data");
    assert_int_equal(fx_symlink(&x, "d", "/l"), 0);
    assert_int_equal(fx_symlink(&x, "/l/f", "/d/ll"), 0);
    assert_int_equal(fx_symlink(&x, "../d/ll", "/d/lll"), 0);
    fx_expect(&x, "/l/lll", "data");
    fx_expect(&x, "/l/../l/./ll", "data");
    assert_int_equal(fx_exists(&x, "/l/f/"), -LINUX_ENOTDIR);
    assert_int_equal(fx_stat(&x, "/l", 0, &a), 0);
    assert_true(LINUX_S_ISLNK(a.mode));
    assert_int_equal(a.size, 1);
    assert_int_equal(fx_stat(&x, "/l/", 0, &a), 0);
    assert_true(LINUX_S_ISDIR(a.mode));
    assert_int_equal(fx_open_err(&x, "/l", LINUX_O_RDONLY | LINUX_O_NOFOLLOW), -LINUX_ELOOP);
    assert_int_equal(fx_open_err(&x, "/l", LINUX_O_PATH | LINUX_O_NOFOLLOW), 0);
    assert_int_equal(fx_open_err(&x, "/l", LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW), -LINUX_ENOTDIR);
    // Loops and depth: 40 links pass, 41 do not.
    fx_symlink(&x, "loop", "/loop");
    assert_int_equal(fx_stat(&x, "/loop", WALK_FOLLOW, &a), -LINUX_ELOOP);
    assert_int_equal(fx_open_err(&x, "/loop", LINUX_O_CREAT | LINUX_O_RDWR), -LINUX_ELOOP);
    fx_symlink(&x, "d/f", "/n1");
    for (int i = 2; i <= 41; i++) {
        char target[16];
        snprintf(name, sizeof name, "/n%d", i);
        snprintf(target, sizeof target, "n%d", i - 1);
        fx_symlink(&x, target, name);
    }
    assert_int_equal(fx_stat(&x, "/n40", WALK_FOLLOW, &a), 0);
    assert_int_equal(fx_stat(&x, "/n41", WALK_FOLLOW, &a), -LINUX_ELOOP);
    // Dangling.
    fx_symlink(&x, "/d/new", "/dangle");
    assert_int_equal(fx_stat(&x, "/dangle", WALK_FOLLOW, &a), -LINUX_ENOENT);
    assert_int_equal(fx_open_err(&x, "/dangle", LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_RDWR), -LINUX_EEXIST);
    assert_int_equal(fx_mkdir(&x, "/dangle"), -LINUX_EEXIST);
    fx_put(&x, "/dangle", "made");
    fx_expect(&x, "/d/new", "made");
    assert_int_equal(fx_symlink(&x, "", "/e"), -LINUX_ENOENT);
    struct path p;
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/dangle", 0, &p), 0);
    assert_int_equal(vfs_readlink(&x.ctx, &p, buf, 3), 3);
    assert_memory_equal(buf, "/d/", 3);
    path_put(&p);
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/l/f", WALK_NO_LINKS, &p), -LINUX_ELOOP);
    fx_end(&x);
}

static void test_resolve_flags(void **state) {
    struct fx x;
    struct path base, p;
    fx_begin(&x);
    fx_mkdir(&x, "/jail");
    fx_mkdir(&x, "/jail/in");
    fx_put(&x, "/out", "o");
    fx_put(&x, "/jail/out", "j");
    fx_symlink(&x, "/out", "/jail/abs");
    fx_symlink(&x, "../../out", "/jail/in/up");
    vfs_walk(&x.ctx, NULL, "/jail", 0, &base);
    assert_int_equal(vfs_walk(&x.ctx, &base, "in/../out", WALK_BENEATH, &p), 0);
    path_put(&p);
    assert_int_equal(vfs_walk(&x.ctx, &base, "../out", WALK_BENEATH, &p), -LINUX_EXDEV);
    assert_int_equal(vfs_walk(&x.ctx, &base, "/out", WALK_BENEATH, &p), -LINUX_EXDEV);
    assert_int_equal(vfs_walk(&x.ctx, &base, "abs", WALK_BENEATH | WALK_FOLLOW, &p), -LINUX_EXDEV);
    assert_int_equal(vfs_walk(&x.ctx, &base, "in/up", WALK_BENEATH | WALK_FOLLOW, &p), -LINUX_EXDEV);
    struct file *f;
    char c;
    assert_int_equal(vfs_open(&x.ctx, &base, "abs", 0, 0, WALK_IN_ROOT, &f), 0);
    assert_int_equal(fx_read(f, &c, 1), 1);
    assert_int_equal(c, 'j');
    file_put(f);
    assert_int_equal(vfs_open(&x.ctx, &base, "in/up", 0, 0, WALK_IN_ROOT, &f), 0);
    assert_int_equal(fx_read(f, &c, 1), 1);
    assert_int_equal(c, 'j');
    file_put(f);
    // chroot
    struct vfs_ctx jailed = x.ctx;
    jailed.root = jailed.cwd = base;
    assert_int_equal(vfs_open(&jailed, NULL, "../../../out", 0, 0, 0, &f), 0);
    assert_int_equal(fx_read(f, &c, 1), 1);
    assert_int_equal(c, 'j');
    char buf[64];
    assert_int_equal(path_text(x.vfs, &f->path, &base, buf, sizeof buf), 4);
    assert_string_equal(buf, "/out");
    assert_int_equal(path_text(x.vfs, &f->path, &x.ctx.root, buf, sizeof buf), 9);
    assert_string_equal(buf, "/jail/out");
    assert_int_equal(path_text(x.vfs, &f->path, &x.ctx.root, buf, 9), -LINUX_ENAMETOOLONG);
    fx_unlink(&x, "/jail/out");
    path_text(x.vfs, &f->path, &x.ctx.root, buf, sizeof buf);
    assert_string_equal(buf, "/jail/out (deleted)");
    path_text(x.vfs, &x.ctx.root, &base, buf, sizeof buf);
    assert_string_equal(buf, "(unreachable)/");
    file_put(f);
    path_put(&base);
    fx_end(&x);
}

static void test_mounts(void **state) {
    struct fx x;
    struct path at, p, q;
    struct superblock *sb;
    struct tmpfs_opts o = {.mode = 01777};
    char buf[64];
    fx_begin(&x);
    fx_mkdir(&x, "/m");
    fx_put(&x, "/m/hidden", "h");
    fx_put(&x, "/f", "f");
    assert_int_equal(tmpfs_create(x.vfs, &o, &sb), 0);
    vfs_walk(&x.ctx, NULL, "/f", 0, &p);
    assert_int_equal(vfs_mount(x.vfs, sb, &p, 0, "none"), -LINUX_ENOTDIR);
    path_put(&p);
    vfs_walk(&x.ctx, NULL, "/m", 0, &at);
    assert_int_equal(vfs_mount(x.vfs, sb, &at, LINUX_MS_NOEXEC, "none"), 0);
    assert_int_equal(fx_exists(&x, "/m/hidden"), -LINUX_ENOENT);
    fx_put(&x, "/m/new", "n");
    fx_expect(&x, "/m/../m/./new", "n");
    fx_expect(&x, "/m/../f", "f");
    assert_int_equal(fx_rename(&x, "/m/new", "/new"), -LINUX_EXDEV);
    assert_int_equal(fx_link(&x, "/m/new", "/new"), -LINUX_EXDEV);
    assert_int_equal(fx_rmdir(&x, "/m"), -LINUX_EBUSY);
    assert_int_equal(fx_rename(&x, "/m", "/mm"), -LINUX_EBUSY);
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/m/new", WALK_NO_XDEV, &p), -LINUX_EXDEV);
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/m/new", 0, &p), 0);
    path_text(x.vfs, &p, &x.ctx.root, buf, sizeof buf);
    assert_string_equal(buf, "/m/new");
    assert_int_equal(vfs_access(&p, MAY_EXEC, &x.ctx.cred), -LINUX_EACCES);
    vfs_walk(&x.ctx, NULL, "/m", 0, &q);
    assert_int_equal(vfs_umount(x.vfs, &q), -LINUX_EBUSY);
    path_put(&p);
    assert_int_equal(vfs_umount(x.vfs, &at), -LINUX_EBUSY);  // what lies there, which q holds
    path_put(&at);
    assert_int_equal(vfs_umount(x.vfs, &q), 0);
    path_put(&q);
    fx_expect(&x, "/m/hidden", "h");
    // A read-only bind.
    vfs_walk(&x.ctx, NULL, "/m", 0, &at);
    fx_mkdir(&x, "/b");
    vfs_walk(&x.ctx, NULL, "/b", 0, &q);
    assert_int_equal(vfs_bind(x.vfs, &at, &q, LINUX_MS_RDONLY, "m"), 0);
    path_put(&at);
    path_put(&q);
    fx_expect(&x, "/b/hidden", "h");
    assert_int_equal(fx_open_err(&x, "/b/hidden", LINUX_O_WRONLY), -LINUX_EROFS);
    assert_int_equal(fx_open_err(&x, "/b/nofile", LINUX_O_WRONLY | LINUX_O_CREAT), -LINUX_EROFS);
    assert_int_equal(fx_open_err(&x, "/b/hidden", LINUX_O_RDONLY | LINUX_O_CREAT), 0);
    assert_int_equal(fx_mkdir(&x, "/b/hidden"), -LINUX_EEXIST);
    assert_int_equal(fx_mkdir(&x, "/b/x"), -LINUX_EROFS);
    assert_int_equal(fx_unlink(&x, "/b/nofile"), -LINUX_EROFS);
    assert_int_equal(fx_chmod(&x, "/b/hidden", 0), -LINUX_EROFS);
    assert_int_equal(fx_truncate(&x, "/b/hidden", 0), -LINUX_EROFS);
    fx_end(&x);
}

// As user 1000 in a directory that all may write, then as root; leaves root.
static void check_nodes(struct fx *x) {
    assert_int_equal(vfs_mknod(&x->ctx, NULL, "/pub/dev", LINUX_S_IFCHR | 0666, 0x103, NULL), -LINUX_EPERM);
    assert_int_equal(vfs_mknod(&x->ctx, NULL, "/pub/d", LINUX_S_IFDIR | 0666, 0, NULL), -LINUX_EPERM);
    fx_user(x, 0);
    assert_int_equal(vfs_mknod(&x->ctx, NULL, "/pub/dev", LINUX_S_IFCHR | 0666, 0x103, NULL), 0);
    assert_int_equal(fx_open_err(x, "/pub/dev", LINUX_O_RDONLY), 0);  // ours: the null device
    assert_int_equal(vfs_mknod(&x->ctx, NULL, "/pub/tun", LINUX_S_IFCHR | 0666, 0x0ac8, NULL), 0);
    assert_int_equal(fx_open_err(x, "/pub/tun", LINUX_O_RDONLY), -LINUX_ENXIO);
    assert_int_equal(vfs_mknod(&x->ctx, NULL, "/pub/sock", LINUX_S_IFSOCK | 0666, 0, NULL), 0);
    assert_int_equal(fx_open_err(x, "/pub/sock", LINUX_O_RDONLY), -LINUX_ENXIO);
}

static void test_permissions(void **state) {
    struct fx x;
    struct vfs_attr a;
    fx_begin(&x);
    fx_mkdir(&x, "/pub");
    fx_chmod(&x, "/pub", 01777);
    fx_mkdir(&x, "/priv");
    fx_chmod(&x, "/priv", 0700);
    fx_put(&x, "/priv/f", "x");
    fx_put(&x, "/ro", "x");
    fx_user(&x, 1000);
    assert_int_equal(fx_exists(&x, "/priv/f"), -LINUX_EACCES);
    assert_int_equal(fx_exists(&x, "/priv/nofile"), -LINUX_EACCES);
    assert_int_equal(fx_exists(&x, "/priv"), 0);
    assert_int_equal(fx_open_err(&x, "/ro", LINUX_O_RDONLY), 0);
    assert_int_equal(fx_open_err(&x, "/ro", LINUX_O_WRONLY), -LINUX_EACCES);
    assert_int_equal(fx_open_err(&x, "/ro", LINUX_O_RDONLY | LINUX_O_TRUNC), -LINUX_EACCES);
    assert_int_equal(fx_open_err(&x, "/ro", LINUX_O_NOATIME), -LINUX_EPERM);
    assert_int_equal(fx_open_err(&x, "/ro", VFS_O_EXEC), -LINUX_EACCES);
    assert_int_equal(fx_open_err(&x, "/new", LINUX_O_CREAT | LINUX_O_WRONLY), -LINUX_EACCES);
    assert_int_equal(fx_mkdir(&x, "/new"), -LINUX_EACCES);
    assert_int_equal(fx_unlink(&x, "/ro"), -LINUX_EACCES);
    assert_int_equal(fx_chmod(&x, "/ro", 0777), -LINUX_EPERM);
    assert_int_equal(fx_chown(&x, "/ro", 1000, ~0u), -LINUX_EPERM);
    fx_put(&x, "/pub/mine", "m");
    assert_int_equal(fx_chown(&x, "/pub/mine", 1000, 1000), 0);
    assert_int_equal(fx_chown(&x, "/pub/mine", 1001, ~0u), -LINUX_EPERM);
    assert_int_equal(fx_chown(&x, "/pub/mine", ~0u, 5), -LINUX_EPERM);
    assert_int_equal(fx_chmod(&x, "/pub/mine", 0), 0);
    assert_int_equal(fx_open_err(&x, "/pub/mine", LINUX_O_RDONLY), -LINUX_EACCES);
    // made with no bits, still open
    struct file *f = fx_open(&x, "/pub/zero", LINUX_O_CREAT | LINUX_O_RDWR, 0);
    assert_int_equal(fx_write(&x, f, "a", 1), 1);
    file_put(f);
    // Sticky.
    fx_user(&x, 1001);
    assert_int_equal(fx_unlink(&x, "/pub/mine"), -LINUX_EPERM);
    assert_int_equal(fx_rename(&x, "/pub/mine", "/pub/theirs"), -LINUX_EPERM);
    fx_put(&x, "/pub/other", "o");
    assert_int_equal(fx_rename(&x, "/pub/other", "/pub/mine"), -LINUX_EPERM);
    fx_user(&x, 1000);
    assert_int_equal(fx_unlink(&x, "/pub/mine"), 0);
    check_nodes(&x);
    // DAC_OVERRIDE does not make a file executable.
    assert_int_equal(fx_open_err(&x, "/ro", VFS_O_EXEC), -LINUX_EACCES);
    // Set-gid directory, set-id bits.
    fx_mkdir(&x, "/sg");
    fx_chown(&x, "/sg", 0, 77);
    fx_chmod(&x, "/sg", 02777);
    fx_mkdir(&x, "/sg/sub");
    assert_int_equal(fx_stat(&x, "/sg/sub", 0, &a), 0);
    assert_int_equal(a.gid, 77);
    assert_true(a.mode & LINUX_S_ISGID);
    fx_put(&x, "/sg/su", "x");
    fx_chmod(&x, "/sg/su", 06777);
    fx_user(&x, 1000);
    f = fx_open(&x, "/sg/su", LINUX_O_WRONLY, 0);
    assert_int_equal(fx_write(&x, f, "yy", 2), 2);
    file_put(f);
    fx_stat(&x, "/sg/su", 0, &a);
    assert_int_equal(a.mode & 07777, 0777);
    fx_end(&x);
}

static void test_open_flags(void **state) {
    struct fx x;
    fx_begin(&x);
    fx_mkdir(&x, "/d");
    fx_put(&x, "/f", "0123456789");
    assert_int_equal(fx_open_err(&x, "/d", LINUX_O_RDWR), -LINUX_EISDIR);
    assert_int_equal(fx_open_err(&x, "/d", LINUX_O_CREAT), -LINUX_EISDIR);
    assert_int_equal(fx_open_err(&x, "/d/", LINUX_O_CREAT | LINUX_O_RDWR), -LINUX_EISDIR);
    assert_int_equal(fx_open_err(&x, "/f/", LINUX_O_RDONLY), -LINUX_ENOTDIR);
    assert_int_equal(fx_open_err(&x, "/f", LINUX_O_DIRECTORY), -LINUX_ENOTDIR);
    assert_int_equal(fx_open_err(&x, "/new/", LINUX_O_CREAT | LINUX_O_RDWR), -LINUX_EISDIR);
    assert_int_equal(fx_open_err(&x, "/.", LINUX_O_CREAT | LINUX_O_RDWR), -LINUX_EISDIR);
    assert_int_equal(fx_open_err(&x, "/", LINUX_O_CREAT | LINUX_O_RDWR), -LINUX_EISDIR);
    assert_int_equal(fx_open_err(&x, "/f", LINUX_O_CREAT | LINUX_O_EXCL), -LINUX_EEXIST);
    assert_int_equal(fx_open_err(&x, "/f", LINUX_O_CREAT | LINUX_O_DIRECTORY), -LINUX_EINVAL);
    assert_int_equal(fx_open_err(&x, "/d", LINUX_O_TMPFILE | LINUX_O_RDONLY), -LINUX_EINVAL);
    // ETXTBSY both ways.
    fx_chmod(&x, "/f", 0755);
    struct file *e = fx_open(&x, "/f", VFS_O_EXEC, 0);
    assert_true(e->mode & FMODE_EXEC);
    assert_int_equal(fx_open_err(&x, "/f", LINUX_O_WRONLY), -LINUX_ETXTBSY);
    assert_int_equal(fx_truncate(&x, "/f", 1), -LINUX_ETXTBSY);
    file_put(e);
    struct file *w = fx_open(&x, "/f", LINUX_O_WRONLY, 0);
    assert_int_equal(fx_open_err(&x, "/f", VFS_O_EXEC), -LINUX_ETXTBSY);
    file_put(w);
    // O_APPEND, O_TRUNC, fsize.
    struct file *f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_APPEND, 0);
    assert_int_equal(fx_pwrite(&x, f, "ab", 2, 3), 2);
    assert_int_equal(fx_write(&x, f, "c", 1), 1);
    file_put(f);
    fx_expect(&x, "/f", "0123456789abc");
    fx_end(&x);
}
static void test_offsets_and_path_files(void **state) {
    struct fx x;
    struct file *f;
    fx_begin(&x);
    fx_mkdir(&x, "/d");
    fx_put(&x, "/f", "0123456789abc");
    x.ctx.fsize_limit = 15;
    f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_APPEND, 0);
    assert_int_equal(fx_write(&x, f, "defg", 4), 2);
    assert_int_equal(fx_write(&x, f, "fg", 2), -LINUX_EFBIG);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 16), -LINUX_EFBIG);
    x.ctx.fsize_limit = UINT64_MAX;
    // Offsets.
    char c;
    assert_int_equal(vfs_llseek(f, -1, LINUX_SEEK_SET), -LINUX_EINVAL);
    assert_int_equal(vfs_llseek(f, -3, LINUX_SEEK_END), 12);
    assert_int_equal(fx_read(f, &c, 1), 1);
    assert_int_equal(c, 'c');
    assert_int_equal(vfs_llseek(f, 1, LINUX_SEEK_CUR), 14);
    assert_int_equal(vfs_llseek(f, -20, LINUX_SEEK_CUR), -LINUX_EINVAL);
    assert_int_equal(vfs_llseek(f, INT64_MAX, LINUX_SEEK_CUR), -LINUX_EINVAL);
    assert_int_equal(vfs_llseek(f, 99, LINUX_SEEK_DATA), -LINUX_ENXIO);
    assert_int_equal(vfs_llseek(f, 2, LINUX_SEEK_HOLE), 15);
    file_put(f);
    assert_int_equal(fx_open_err(&x, "/f", LINUX_O_WRONLY | LINUX_O_TRUNC), 0);
    fx_expect(&x, "/f", "");
    // O_PATH does little.
    f = fx_open(&x, "/f", LINUX_O_PATH | LINUX_O_RDWR, 0);
    assert_int_equal(fx_read(f, &c, 1), -LINUX_EBADF);
    assert_int_equal(fx_write(&x, f, &c, 1), -LINUX_EBADF);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 0), -LINUX_EBADF);
    file_put(f);
    f = fx_open(&x, "/d", LINUX_O_RDONLY, 0);
    assert_int_equal(fx_read(f, &c, 1), -LINUX_EISDIR);
    file_put(f);
    // O_TMPFILE and its first name.
    f = fx_open(&x, "/d", LINUX_O_TMPFILE | LINUX_O_RDWR, 0600);
    assert_int_equal(fx_write(&x, f, "tmp", 3), 3);
    fx_expect_list(&x, "/d", "");
    assert_int_equal(vfs_link(&x.ctx, &f->path, "", NULL, "/d/named", WALK_EMPTY), 0);
    file_put(f);
    fx_expect(&x, "/d/named", "tmp");
    f = fx_open(&x, "/d", LINUX_O_TMPFILE | LINUX_O_RDWR | LINUX_O_EXCL, 0600);
    assert_int_equal(vfs_link(&x.ctx, &f->path, "", NULL, "/d/named2", WALK_EMPTY), -LINUX_ENOENT);
    file_put(f);
    fx_end(&x);
}

static void test_removed_directory(void **state) {
    struct fx x;
    fx_begin(&x);
    fx_mkdir(&x, "/d");
    struct path d;
    vfs_walk(&x.ctx, NULL, "/d", 0, &d);
    struct file *f = fx_open(&x, "/d", LINUX_O_RDONLY, 0);
    assert_int_equal(fx_rmdir(&x, "/d"), 0);
    struct file *g;
    assert_int_equal(vfs_open(&x.ctx, &d, "x", LINUX_O_CREAT | LINUX_O_RDWR, 0644, 0, &g), -LINUX_ENOENT);
    assert_int_equal(vfs_mkdir(&x.ctx, &d, "x", 0777), -LINUX_ENOENT);
    struct fx_sink k = {.s.emit = fx_emit, .room = 10};
    assert_int_equal(vfs_readdir(f, &k.s), -LINUX_ENOENT);
    path_put(&d);
    file_put(f);
    assert_int_equal(fx_rmdir(&x, "/d"), -LINUX_ENOENT);
    assert_int_equal(fx_rmdir(&x, "/."), -LINUX_EINVAL);
    assert_int_equal(fx_rmdir(&x, "/.."), -LINUX_ENOTEMPTY);
    assert_int_equal(fx_rmdir(&x, "/"), -LINUX_EBUSY);
    assert_int_equal(fx_unlink(&x, "/"), -LINUX_EISDIR);
    fx_put(&x, "/f", "");
    assert_int_equal(fx_rmdir(&x, "/f"), -LINUX_ENOTDIR);
    assert_int_equal(fx_unlink(&x, "/f/"), -LINUX_ENOTDIR);
    fx_mkdir(&x, "/e");
    assert_int_equal(fx_unlink(&x, "/e"), -LINUX_EISDIR);
    assert_int_equal(fx_link(&x, "/e", "/e2"), -LINUX_EPERM);
    fx_end(&x);
}

// A chain deeper than any stack would like, torn down by fx_end().
static void test_deep_tree(void **state) {
    struct fx x;
    fx_begin(&x);
    struct path at = x.ctx.root, next;
    path_get(&at);
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(vfs_mkdir(&x.ctx, &at, "d", 0755), 0);
        assert_int_equal(vfs_walk(&x.ctx, &at, "d", 0, &next), 0);
        path_put(&at);
        at = next;
    }
    path_put(&at);
    dcache_shrink(x.vfs, 100);
    fx_end(&x);
}

// More names than the cache keeps.
static void test_many_names(void **state) {
    struct fx x;
    char name[32];
    fx_begin(&x);
    for (int i = 0; i < 70000; i++) {
        snprintf(name, sizeof name, "/none%d", i);
        assert_int_equal(fx_exists(&x, name), -LINUX_ENOENT);
    }
    fx_put(&x, "/none1", "now");
    fx_expect(&x, "/none1", "now");
    fx_end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk_basics),
        cmocka_unit_test(test_symlinks),
        cmocka_unit_test(test_resolve_flags),
        cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_open_flags),
        cmocka_unit_test(test_offsets_and_path_files),
        cmocka_unit_test(test_removed_directory),
        cmocka_unit_test(test_deep_tree),
        cmocka_unit_test(test_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
