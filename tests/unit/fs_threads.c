// SPDX-License-Identifier: Apache-2.0
// Several threads over one tree, with every call that takes more than one lock: ends without a deadlock, a
// leak or (in a build with the thread sanitizer) a race, and with link counts that add up.
#include "abi/fileattr.h"
#include "abi/ioctl.h"
#include "tests/unit/fs_util.h"
#include <pthread.h>

#define THREADS 4
#define ROUNDS  3000

static struct fx shared;

static void *busy(void *arg) {
    struct fx x = shared;
    unsigned seed = (unsigned)(uintptr_t)arg;
    char a[64], b[64], text[64];
    struct vfs_attr at;
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(a, sizeof a, "/d%u/d%u/n%u", rand_r(&seed) % 3, rand_r(&seed) % 2, rand_r(&seed) % 6);
        snprintf(b, sizeof b, "/d%u/d%u/n%u", rand_r(&seed) % 3, rand_r(&seed) % 2, rand_r(&seed) % 6);
        struct file *f;
        switch (rand_r(&seed) % 12) {
        case 0:
            fx_mkdir(&x, a);
            break;
        case 1:
            fx_rmdir(&x, a);
            break;
        case 2:
            fx_unlink(&x, a);
            break;
        case 3:
        case 4:
            fx_rename(&x, a, b);
            break;
        case 5:
            vfs_rename(&x.ctx, NULL, a, NULL, b, LINUX_RENAME_EXCHANGE);
            break;
        case 6:
            fx_link(&x, a, b);
            break;
        case 7:
            fx_stat(&x, a, 0, &at);
            fx_chmod(&x, b, 0755);
            break;
        case 8:
            if (!vfs_open(&x.ctx, NULL, "/d0", LINUX_O_RDONLY, 0, 0, &f)) {
                struct fx_sink k = {.s.emit = fx_emit, .room = 100};
                vfs_readdir(f, &k.s);
                path_text(x.vfs, &f->path, &x.ctx.root, text, sizeof text);
                file_put(f);
            }
            break;
        case 9:
            dcache_shrink(x.vfs, 5);
            break;
        default:
            if (!vfs_open(&x.ctx, NULL, a, LINUX_O_RDWR | LINUX_O_CREAT | LINUX_O_APPEND, 0644, 0, &f)) {
                fx_write(&x, f, "0123456789", 10);
                fx_pread(f, text, sizeof text, 3);
                vfs_flock(f, LINUX_LOCK_EX);
                file_put(f);
            }
        }
    }
    return NULL;
}
static unsigned count_dirs(struct fx *x, const char *dir) {
    char names[8192], path[128], *save;
    unsigned n = 0;
    struct vfs_attr a;
    fx_list(x, dir, 1000, names);
    for (char *s = strtok_r(names, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        snprintf(path, sizeof path, "%s/%s", dir, s);
        assert_int_equal(fx_stat(x, path, 0, &a), 0);
        n += LINUX_S_ISDIR(a.mode);
    }
    return n;
}
static void test_threads(void **state) {
    pthread_t t[THREADS];
    struct vfs_attr a;
    char name[64];
    fx_begin(&shared);
    for (int i = 0; i < 3; i++)
        for (int j = -1; j < 2; j++) {
            if (j < 0)
                snprintf(name, sizeof name, "/d%d", i);
            else
                snprintf(name, sizeof name, "/d%d/d%d", i, j);
            assert_int_equal(fx_mkdir(&shared, name), 0);
        }
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, busy, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 2; j++) {
            snprintf(name, sizeof name, "/d%d/d%d", i, j);
            assert_int_equal(fx_stat(&shared, name, 0, &a), 0);
            assert_int_equal(a.nlink, 2 + count_dirs(&shared, name));
        }
    fx_end(&shared);
}

// Appenders never overwrite each other.
static void *append(void *arg) {
    struct fx x = shared;
    struct file *f = fx_open(&x, "/log", LINUX_O_WRONLY | LINUX_O_APPEND, 0);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(fx_write(&x, f, "12345678", 8), 8);
    file_put(f);
    return NULL;
}
static void test_append(void **state) {
    pthread_t t[THREADS];
    struct vfs_attr a;
    fx_begin(&shared);
    fx_put(&shared, "/log", "");
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, append, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    fx_stat(&shared, "/log", 0, &a);
    assert_int_equal(a.size, 8 * 2000 * THREADS);
    fx_end(&shared);
}

// An owner who sets the flags that he has read takes none off that root has set meanwhile.
static int user_in(struct uaccess *u, void *dst, uaddr_t src, size_t n) {
    memcpy(dst, (const void *)(uintptr_t)src.v, n);
    return 0;
}
static int user_out(struct uaccess *u, uaddr_t dst, const void *src, size_t n) {
    memcpy((void *)(uintptr_t)dst.v, src, n);
    return 0;
}
static int64_t flags_call(struct fx *x, struct file *f, unsigned cmd, uint32_t *flags) {
    struct uaccess user = {user_in, user_out, NULL};
    return vfs_ioctl(&x->ctx, f, cmd, (uintptr_t)flags, &user);
}
static _Atomic bool settled;
static void *owner(void *arg) {
    struct fx x = shared;
    uint32_t none = 0;
    fx_user(&x, 1000);
    while (!settled)
        flags_call(&x, arg, LINUX_FS_IOC_SETFLAGS, &none);
    return NULL;
}
static void test_flags(void **state) {
    pthread_t t;
    unsigned lost = 0;
    fx_begin(&shared);
    fx_put(&shared, "/f", "");
    struct file *f = fx_open(&shared, "/f", LINUX_O_RDONLY, 0);
    assert_int_equal(vfs_chown(&shared.ctx, &f->path, 1000, 1000), 0);
    settled = false;
    assert_int_equal(pthread_create(&t, NULL, owner, f), 0);
    for (int i = 0; i < 100000; i++) {
        uint32_t set = LINUX_FS_IMMUTABLE_FL, got = 0, none = 0;
        flags_call(&shared, f, LINUX_FS_IOC_SETFLAGS, &set);
        for (int k = 0; k < 10; k++)
            flags_call(&shared, f, LINUX_FS_IOC_GETFLAGS, &got);
        lost += got != set;
        flags_call(&shared, f, LINUX_FS_IOC_SETFLAGS, &none);
    }
    settled = true;
    pthread_join(t, NULL);
    uint32_t set = LINUX_FS_IMMUTABLE_FL;
    flags_call(&shared, f, LINUX_FS_IOC_SETFLAGS, &set);
    int late = f->inode->ops->set_flags(f->inode, 0, 0);  // judged before
    uint32_t left = atomic_load(&f->inode->flags);
    file_put(f);
    assert_int_equal(lost, 0);
    assert_int_equal(late, -LINUX_EAGAIN);
    assert_int_equal(left, set);
    fx_end(&shared);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_append),
                                       cmocka_unit_test(test_flags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
