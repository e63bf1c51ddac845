// SPDX-License-Identifier: Apache-2.0
// tmpfs: data (heap pages and memfd), holes, quota, attributes, extended attributes, listings; memfds and
// seals.
#include "tests/unit/fs_util.h"
#include <sys/mman.h>
#include <unistd.h>

static char big[3 << 20];

static void check_against_model(struct fx *x, struct file *f, const char *model, size_t size) {
    static char got[3 << 20];
    struct vfs_attr a;
    assert_int_equal(vfs_getattr(&f->path, &a), 0);
    assert_int_equal(a.size, size);
    assert_int_equal(fx_pread(f, got, sizeof got, 0), size);
    assert_memory_equal(got, model, size);
}
// Random writes, truncations and punches against a plain buffer, below and above the size where a memfd takes
// over.
static void test_data_model(void **state) {
    for (unsigned round = 0; round < 6; round++) {
        struct fx x;
        static char model[3 << 20];
        size_t size = 0, span = round % 2 ? 2 << 20 : 40000;
        unsigned seed = 77 + round;
        fx_begin(&x);
        memset(model, 0, sizeof model);
        struct file *f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_CREAT, 0644);
        for (unsigned step = 0; step < 300; step++) {
            size_t off = (size_t)rand_r(&seed) % span, len = (size_t)rand_r(&seed) % (span / 8) + 1;
            switch (rand_r(&seed) % 6) {
            case 0:
                assert_int_equal(vfs_ftruncate(&x.ctx, f, off), 0);
                if (off < size)
                    memset(model + off, 0, size - off);
                size = off;
                break;
            case 1:
                assert_int_equal(vfs_fallocate(&x.ctx, f, 3, off, len), 0);  // punch, keep size
                if (off < size)
                    memset(model + off, 0, len < size - off ? len : size - off);
                break;
            case 2:
                // allocate, or zero
                assert_int_equal(vfs_fallocate(&x.ctx, f, step % 2 ? 0 : 16, off, len), 0);
                if (step % 2 == 0)
                    memset(model + off, 0, len);
                size = off + len > size ? off + len : size;
                break;
            default:
                memset(big, 'a' + (int)(step % 26), len);
                assert_int_equal(fx_pwrite(&x, f, big, len, off), len);
                memset(model + off, 'a' + (int)(step % 26), len);
                size = off + len > size ? off + len : size;
            }
            if (step == 150 && round >= 4)
                assert_true(vfs_mmap_fd(f, 3, true) >= 0);  // promoted from here on
            check_against_model(&x, f, model, size);
        }
        file_put(f);
        fx_end(&x);
    }
}

static void test_holes(void **state) {
    struct fx x;
    struct vfs_attr a;
    fx_begin(&x);
    for (int mapped = 0; mapped < 2; mapped++) {
        struct file *f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_CREAT | LINUX_O_TRUNC, 0644);
        assert_int_equal(fx_pwrite(&x, f, "x", 1, 20480), 1);
        assert_int_equal(fx_pwrite(&x, f, "y", 1, 4096), 1);
        if (mapped)
            assert_true(vfs_mmap_fd(f, 1, false) >= 0);
        assert_int_equal(vfs_getattr(&f->path, &a), 0);
        assert_int_equal(a.blocks, 16);
        assert_int_equal(vfs_llseek(f, 0, LINUX_SEEK_DATA), 4096);
        assert_int_equal(vfs_llseek(f, 5000, LINUX_SEEK_DATA), 5000);
        assert_int_equal(vfs_llseek(f, 4096, LINUX_SEEK_HOLE), 8192);
        assert_int_equal(vfs_llseek(f, 0, LINUX_SEEK_HOLE), 0);
        assert_int_equal(vfs_llseek(f, 8192, LINUX_SEEK_DATA), 20480);
        assert_int_equal(vfs_llseek(f, 20480, LINUX_SEEK_HOLE), 20481);
        assert_int_equal(vfs_llseek(f, 20481, LINUX_SEEK_DATA), -LINUX_ENXIO);
        // A huge sparse file costs nothing.
        assert_int_equal(vfs_ftruncate(&x.ctx, f, 1ull << 40), 0);
        assert_int_equal(vfs_getattr(&f->path, &a), 0);
        assert_int_equal(a.blocks, 16);
        assert_int_equal(fx_pwrite(&x, f, "z", 1, (1ull << 40) - 1), 1);
        assert_int_equal(vfs_getattr(&f->path, &a), 0);
        assert_int_equal(a.blocks, 24);
        assert_int_equal(fx_pwrite(&x, f, "z", 1, INT64_MAX), -LINUX_EINVAL);
        file_put(f);
    }
    fx_end(&x);
}

static void test_quota(void **state) {
    struct fx x;
    struct linux_statfs s;
    fx_begin_limited(&x, 40960, 4);  // 10 pages; the root and three more
    struct file *f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_CREAT, 0644);
    assert_int_equal(fx_write(&x, f, big, 50000), 40960);
    assert_int_equal(fx_write(&x, f, big, 1), -LINUX_ENOSPC);
    assert_int_equal(vfs_statfs(&x.ctx.root, &s), 0);
    assert_int_equal(s.f_blocks, 10);
    assert_int_equal(s.f_bfree, 0);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 4096), 0);
    assert_int_equal(vfs_llseek(f, 0, LINUX_SEEK_END), 4096);
    assert_int_equal(fx_write(&x, f, big, 4096), 4096);
    // The same as a memfd.
    int fd = vfs_mmap_fd(f, 3, true);
    assert_true(fd >= 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 8);
    assert_int_equal(fx_pwrite(&x, f, big, 100000, 0), 40960);
    assert_int_equal(fx_pwrite(&x, f, big, 1, 40960), -LINUX_ENOSPC);
    assert_int_equal(fx_pwrite(&x, f, big, 10, 100), 10);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 50000), 0);  // holes cost nothing
    assert_int_equal(vfs_mmap_fd(f, 3, true), -LINUX_ENOMEM);  // but may not be given: none could be paid for
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 40960), 0);
    assert_int_equal(vfs_fallocate(&x.ctx, f, 3, 0, 8192), 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 2);
    assert_int_equal(vfs_fallocate(&x.ctx, f, 0, 0, 40960), 0);
    assert_int_equal(vfs_fallocate(&x.ctx, f, 0, 0, 40961), -LINUX_ENOSPC);
    file_put(f);
    fx_put(&x, "/a", "");
    assert_int_equal(fx_mkdir(&x, "/b"), 0);
    assert_int_equal(fx_mkdir(&x, "/c"), -LINUX_ENOSPC);
    assert_int_equal(fx_open_err(&x, "/c", LINUX_O_CREAT | LINUX_O_RDWR), -LINUX_ENOSPC);
    assert_int_equal(fx_unlink(&x, "/f"), 0);
    assert_int_equal(fx_mkdir(&x, "/c"), 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 10);
    assert_int_equal(s.f_ffree, 0);
    fx_end(&x);
}

// What guests make through mappings is charged when it is counted, and then there is less for everybody.
static void test_quota_mapped(void **state) {
    struct fx x;
    struct linux_statfs s;
    fx_begin_limited(&x, 40960, 0);
    struct file *f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_CREAT, 0644);
    struct file *g = fx_open(&x, "/g", LINUX_O_RDWR | LINUX_O_CREAT, 0644);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 1 << 20), 0);
    int fd = vfs_mmap_fd(f, 3, true);
    assert_true(fd >= 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 10);
    char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(m != MAP_FAILED);
    memset(m, 1, 8 * 4096);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 2);
    memset(m, 1, 12 * 4096);
    usleep(50000);
    assert_int_equal(fx_write(&x, g, "x", 1), -LINUX_ENOSPC);
    assert_int_equal(vfs_fallocate(&x.ctx, g, 0, 0, 1), -LINUX_ENOSPC);
    assert_int_equal(vfs_mmap_fd(f, 3, true), -LINUX_ENOMEM);
    assert_int_equal(fx_pwrite(&x, f, "x", 1, 4096), 1);  // a page that is there
    assert_int_equal(vfs_fallocate(&x.ctx, f, 3, 0, 8 * 4096), 0);
    assert_int_equal(fx_write(&x, g, "x", 1), 1);
    munmap(m, 1 << 20);
    file_put(f);
    file_put(g);
    assert_int_equal(fx_unlink(&x, "/f"), 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 9);
    fx_end(&x);
}

// All tmpfs and memfds of a sandbox share one limit; names and attributes have theirs.
static void test_shared_limit(void **state) {
    struct fx x;
    struct linux_statfs s;
    struct file *m;
    struct path p;
    char target[200] = {0};
    fx_begin(&x);
    vfs_limit_memory(x.vfs, 40960, 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_blocks, 10);
    assert_int_equal(s.f_files, 10);
    uint64_t left = s.f_ffree;
    assert_int_equal(memfd_open(x.vfs, "m", 0, &m), 0);
    assert_int_equal(vfs_fallocate(&x.ctx, m, 0, 0, 7 * 4096), 0);
    fx_put(&x, "/f", "x");
    memset(target, 'a', sizeof target - 1);
    assert_int_equal(vfs_symlink(&x.ctx, "short", NULL, "/s"), 0);
    assert_int_equal(vfs_symlink(&x.ctx, target, NULL, "/l"), 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 1);
    assert_int_equal(s.f_ffree, left - 4);
    assert_int_equal(vfs_fallocate(&x.ctx, m, 0, 0, 9 * 4096), -LINUX_ENOSPC);
    // A further name counts as an inode, its end gives it back; so does that of the file.
    assert_int_equal(fx_link(&x, "/f", "/g"), 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_ffree, left - 5);
    vfs_walk(&x.ctx, NULL, "/f", 0, &p);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.a", target, 100, 0), 0);
    path_put(&p);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_ffree, left - 6);
    for (uint64_t n = left - 6; n > 0; n--)
        assert_int_equal(fx_link(&x, "/f", (char[]){'/', (char)('A' + n), 0}), 0);
    assert_int_equal(fx_link(&x, "/f", "/z"), -LINUX_ENOSPC);
    assert_int_equal(fx_mkdir(&x, "/z"), -LINUX_ENOSPC);
    assert_int_equal(fx_unlink(&x, "/f"), 0);
    assert_int_equal(fx_unlink(&x, "/g"), 0);
    assert_int_equal(fx_mkdir(&x, "/z"), 0);
    assert_int_equal(fx_unlink(&x, "/l"), 0);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 2);
    file_put(m);
    vfs_statfs(&x.ctx.root, &s);
    assert_int_equal(s.f_bfree, 9);
    fx_end(&x);
}

static void test_mmap_coherence(void **state) {
    struct fx x;
    fx_begin(&x);
    struct file *f = fx_open(&x, "/f", LINUX_O_RDWR | LINUX_O_CREAT, 0644);
    assert_int_equal(fx_write(&x, f, "hello world", 11), 11);
    int fd = vfs_mmap_fd(f, 3, true);
    char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(m != MAP_FAILED);
    assert_memory_equal(m, "hello world\0\0", 13);
    m[0] = 'J';
    char buf[16] = {0};
    assert_int_equal(fx_pread(f, buf, 15, 0), 11);
    assert_string_equal(buf, "Jello world");
    assert_int_equal(fx_pwrite(&x, f, "W", 1, 6), 1);
    assert_int_equal(m[6], 'W');
    munmap(m, 4096);
    assert_int_equal(vfs_mmap_fd(f, 3, true), fd);
    file_put(f);
    fx_end(&x);
}

static void test_attributes(void **state) {
    struct fx x;
    struct vfs_attr a, b;
    fx_begin(&x);
    fx_put(&x, "/f", "x");
    fx_stat(&x, "/f", 0, &a);
    assert_int_equal(a.nlink, 1);
    assert_int_equal(a.mode, LINUX_S_IFREG | 0644);
    assert_true(a.mtime > 1500000000000000000ll);
    struct path p;
    vfs_walk(&x.ctx, NULL, "/f", 0, &p);
    assert_int_equal(vfs_utimes(&x.ctx, &p, 1000, VFS_TIME_OMIT), 0);
    vfs_getattr(&p, &b);
    assert_int_equal(b.atime, 1000);
    assert_int_equal(b.mtime, a.mtime);
    fx_expect(&x, "/f", "x");  // relatime: read after a change
    vfs_getattr(&p, &b);
    assert_true(b.atime >= a.atime);
    path_put(&p);
    assert_int_equal(fx_link(&x, "/f", "/g"), 0);
    fx_stat(&x, "/g", 0, &b);
    assert_int_equal(b.nlink, 2);
    assert_int_equal(b.ino, a.ino);
    fx_unlink(&x, "/f");
    fx_stat(&x, "/g", 0, &b);
    assert_int_equal(b.nlink, 1);
    fx_mkdir(&x, "/d");
    fx_mkdir(&x, "/d/e");
    fx_stat(&x, "/d", 0, &b);
    assert_int_equal(b.nlink, 3);
    fx_rmdir(&x, "/d/e");
    fx_stat(&x, "/d", 0, &b);
    assert_int_equal(b.nlink, 2);
    // chown clears set-id bits, also for root.
    fx_chmod(&x, "/g", 06755);
    fx_chown(&x, "/g", 1, 1);
    fx_stat(&x, "/g", 0, &b);
    assert_int_equal(b.mode & 07777, 0755);
    fx_end(&x);
}

static void test_xattrs(void **state) {
    struct fx x;
    struct path p;
    char buf[64];
    fx_begin(&x);
    fx_put(&x, "/f", "x");
    vfs_walk(&x.ctx, NULL, "/f", 0, &p);
    assert_int_equal(vfs_getxattr(&x.ctx, &p, "user.a", buf, sizeof buf), -LINUX_ENODATA);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.a", "12345", 5, LINUX_XATTR_REPLACE), -LINUX_ENODATA);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.a", "12345", 5, LINUX_XATTR_CREATE), 0);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.a", "12345", 5, LINUX_XATTR_CREATE), -LINUX_EEXIST);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.bb", "", 0, 0), 0);
    assert_int_equal(vfs_getxattr(&x.ctx, &p, "user.a", NULL, 0), 5);
    assert_int_equal(vfs_getxattr(&x.ctx, &p, "user.a", buf, 4), -LINUX_ERANGE);
    assert_int_equal(vfs_getxattr(&x.ctx, &p, "user.a", buf, 64), 5);
    assert_memory_equal(buf, "12345", 5);
    assert_int_equal(vfs_listxattr(&x.ctx, &p, NULL, 0), 15);
    assert_int_equal(vfs_listxattr(&x.ctx, &p, buf, 14), -LINUX_ERANGE);
    assert_int_equal(vfs_listxattr(&x.ctx, &p, buf, 64), 15);
    assert_memory_equal(buf, "user.a\0user.bb", 15);
    assert_int_equal(vfs_removexattr(&x.ctx, &p, "user.a"), 0);
    assert_int_equal(vfs_removexattr(&x.ctx, &p, "user.a"), -LINUX_ENODATA);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "system.x", "1", 1, 0), -LINUX_EOPNOTSUPP);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.big", big, 65537, 0), -LINUX_E2BIG);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.big", big, 65536, 0), 0);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "", "1", 1, 0), -LINUX_ERANGE);
    fx_user(&x, 1000);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "user.a", "1", 1, 0), -LINUX_EACCES);
    assert_int_equal(vfs_setxattr(&x.ctx, &p, "trusted.a", "1", 1, 0), -LINUX_EPERM);
    path_put(&p);
    fx_end(&x);
}

static void test_listing(void **state) {
    struct fx x;
    char name[32];
    fx_begin(&x);
    fx_mkdir(&x, "/d");
    fx_mkdir(&x, "/d/sub");
    fx_put(&x, "/d/file", "");
    fx_symlink(&x, "x", "/d/link");
    fx_expect_list(&x, "/d", "file link sub ");
    // Names that go while the listing is under way do not disturb it: what stays is seen once.
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "/d/n%02d", i);
        fx_put(&x, name, "");
    }
    struct file *f = fx_open(&x, "/d", LINUX_O_RDONLY, 0);
    static struct fx_sink k;
    memset(&k, 0, sizeof k);
    k.s.emit = fx_emit;
    for (int i = 0; i < 100; i += 2) {
        k.room = 2;
        assert_int_equal(vfs_readdir(f, &k.s), 0);
        snprintf(name, sizeof name, "/d/n%02d", i);
        fx_unlink(&x, name);
    }
    k.room = 1000;
    assert_int_equal(vfs_readdir(f, &k.s), 0);
    int odd = 0;
    for (unsigned i = 0; i < k.n; i++)
        odd += k.names[i][0] == 'n' && (k.names[i][2] - '0') % 2;
    assert_int_equal(odd, 50);
    assert_int_equal(vfs_llseek(f, 0, LINUX_SEEK_SET), 0);
    k.n = 0;
    assert_int_equal(vfs_readdir(f, &k.s), 0);
    assert_int_equal(k.n, 53);
    file_put(f);
    fx_end(&x);
}

static void test_memfd(void **state) {
    struct fx x;
    struct file *f, *g;
    char buf[64];
    fx_begin(&x);
    assert_int_equal(memfd_open(x.vfs, "name", 2, &f), 0);
    path_text(x.vfs, &f->path, &x.ctx.root, buf, sizeof buf);
    assert_string_equal(buf, "/memfd:name (deleted)");
    assert_int_equal(memfd_get_seals(f), 0);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 100), 0);
    assert_int_equal(fx_write(&x, f, "abc", 3), 3);
    assert_int_equal(memfd_add_seals(f, LINUX_F_SEAL_GROW | LINUX_F_SEAL_SHRINK), 0);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 99), -LINUX_EPERM);
    assert_int_equal(vfs_ftruncate(&x.ctx, f, 101), -LINUX_EPERM);
    assert_int_equal(fx_pwrite(&x, f, "abc", 3, 98), -LINUX_EPERM);
    assert_int_equal(fx_pwrite(&x, f, "abc", 3, 97), 3);
    assert_true(vfs_mmap_fd(f, 3, true) >= 0);
    vfs_mmap_shared(f, 1);
    assert_int_equal(memfd_add_seals(f, LINUX_F_SEAL_WRITE), -LINUX_EBUSY);
    vfs_mmap_shared(f, -1);
    assert_int_equal(memfd_add_seals(f, LINUX_F_SEAL_WRITE | LINUX_F_SEAL_SEAL), 0);
    assert_int_equal(fx_pwrite(&x, f, "abc", 3, 0), -LINUX_EPERM);
    assert_int_equal(vfs_mmap_fd(f, 3, true), -LINUX_EPERM);
    assert_int_equal(memfd_add_seals(f, LINUX_F_SEAL_GROW), -LINUX_EPERM);
    assert_int_equal(memfd_open(x.vfs, "plain", 0, &g), 0);
    assert_int_equal(memfd_get_seals(g), LINUX_F_SEAL_SEAL);
    struct file *none;
    assert_int_equal(memfd_open(x.vfs, "bad", 0x100, &none), -LINUX_EINVAL);
    file_put(f);
    file_put(g);
    struct file *t = fx_open(&x, "/f", LINUX_O_CREAT | LINUX_O_RDWR, 0644);
    assert_int_equal(memfd_get_seals(t), LINUX_F_SEAL_SEAL);  // as on a tmpfs of Linux
    file_put(t);
    fx_end(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_model),   cmocka_unit_test(test_holes),
        cmocka_unit_test(test_quota),        cmocka_unit_test(test_quota_mapped),
        cmocka_unit_test(test_shared_limit), cmocka_unit_test(test_mmap_coherence),
        cmocka_unit_test(test_attributes),   cmocka_unit_test(test_xattrs),
        cmocka_unit_test(test_listing),      cmocka_unit_test(test_memfd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
