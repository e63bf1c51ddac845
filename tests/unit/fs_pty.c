// SPDX-License-Identifier: Apache-2.0
// devpts and ptys below the sentry: instances, numbers, limits, what they are charged, and every allocation
// failing once. (What a terminal does is proven by tests/syscalls/pty_*.c with Linux as the oracle.)
#include "abi/ioctl.h"
#include "fs/tty/ctty.h"
#include "tests/unit/fs_util.h"

static int ua_out(struct uaccess *a, uaddr_t dst, const void *src, size_t n) {
    memcpy((void *)(uintptr_t)dst.v, src, n);
    return 0;
}
static int ua_in(struct uaccess *a, void *dst, uaddr_t src, size_t n) {
    memcpy(dst, (void *)(uintptr_t)src.v, n);
    return 0;
}
static struct uaccess ua = {.in = ua_in, .out = ua_out};
static int64_t request(struct file *f, unsigned cmd, int32_t *value) {
    return vfs_ioctl(&(struct vfs_ctx){0}, f, cmd, (uint64_t)(uintptr_t)value, &ua);
}

static int mount_on(struct fx *x, const char *where, unsigned max) {
    struct devpts_opts o = {.uid = DEVPTS_OWNER, .gid = 5, .mode = 0620, .ptmxmode = 0666, .max = max};
    struct superblock *sb;
    struct path at;
    int err = devpts_create(x->vfs, &o, &sb);
    if (err)
        return err;
    assert_int_equal(vfs_walk(&x->ctx, NULL, where, 0, &at), 0);
    err = vfs_mount(x->vfs, sb, &at, 0, "devpts");
    if (err)
        super_put(sb);
    path_put(&at);
    return err;
}
static void begin(struct fx *x, unsigned max) {
    fx_begin(x);
    assert_int_equal(fx_mkdir(x, "/pts"), 0);
    assert_int_equal(mount_on(x, "/pts", max), 0);
}
static int32_t number_of(struct file *master) {
    int32_t n = -1;
    assert_int_equal(request(master, LINUX_TIOCGPTN, &n), 0);
    return n;
}
static struct file *unlocked(struct fx *x, const char *ptmx) {
    int32_t zero = 0;
    struct file *f = fx_open(x, ptmx, LINUX_O_RDWR, 0);
    assert_int_equal(request(f, LINUX_TIOCSPTLCK, &zero), 0);
    return f;
}

static void lowest_number_first(void **state) {
    struct fx x;
    begin(&x, 0);
    struct file *a = unlocked(&x, "/pts/ptmx"), *b = unlocked(&x, "/pts/ptmx"),
                *slave = fx_open(&x, "/pts/0", LINUX_O_RDWR, 0);
    assert_int_equal(number_of(b), 1);
    file_put(a);
    assert_int_equal(fx_exists(&x, "/pts/0"), -LINUX_ENOENT);
    a = unlocked(&x, "/pts/ptmx");
    assert_int_equal(number_of(a), 2);  // 0 is still open on one side
    file_put(slave);
    struct file *c = unlocked(&x, "/pts/ptmx");
    assert_int_equal(number_of(c), 0);
    assert_int_equal(devpts_count(x.vfs), 3);
    file_put(a);
    file_put(b);
    file_put(c);
    assert_int_equal(devpts_count(x.vfs), 0);
    fx_end(&x);
}

static void instances_count_for_themselves(void **state) {
    struct fx x;
    begin(&x, 2);
    assert_int_equal(fx_mkdir(&x, "/other"), 0);
    assert_int_equal(mount_on(&x, "/other", 0), 0);
    struct file *a = unlocked(&x, "/pts/ptmx"), *b = unlocked(&x, "/pts/ptmx"),
                *c = unlocked(&x, "/other/ptmx");
    assert_int_equal(number_of(c), 0);
    assert_int_equal(fx_open_err(&x, "/pts/ptmx", LINUX_O_RDWR), -LINUX_ENOSPC);
    assert_int_equal(fx_exists(&x, "/other/1"), -LINUX_ENOENT);
    char text[64];
    struct path p;
    assert_int_equal(vfs_walk(&x.ctx, NULL, "/pts", 0, &p), 0);
    assert_true(devpts_show(p.dentry->sb, text, sizeof text) > 0);
    assert_string_equal(text, ",gid=5,mode=620,ptmxmode=666,max=2");
    path_put(&p);
    file_put(a);
    file_put(b);
    file_put(c);
    fx_end(&x);
}

static void never_more_than_all_may_have(void **state) {
    static struct file *all[DEVPTS_MAX];
    struct fx x;
    begin(&x, 0);
    for (unsigned i = 0; i < DEVPTS_MAX; i++)
        all[i] = fx_open(&x, "/pts/ptmx", LINUX_O_RDWR, 0);
    assert_int_equal(number_of(all[DEVPTS_MAX - 1]), DEVPTS_MAX - 1);
    assert_int_equal(fx_open_err(&x, "/pts/ptmx", LINUX_O_RDWR), -LINUX_ENOSPC);
    for (unsigned i = 0; i < DEVPTS_MAX; i++)
        file_put(all[i]);
    fx_end(&x);
}

// 1 MiB for all: they take part of it, and give it back.
static void charged_to_the_sandbox(void **state) {
    struct fx x;
    struct file *all[256];
    unsigned n = 0;
    begin(&x, 0);
    vfs_limit_memory(x.vfs, 1 << 20, 0);
    while (n < 256 && vfs_open(&x.ctx, NULL, "/pts/ptmx", LINUX_O_RDWR, 0, 0, &all[n]) == 0)
        n++;
    assert_in_range(n, 20, 60);
    assert_int_equal(fx_open_err(&x, "/pts/ptmx", LINUX_O_RDWR), -LINUX_ENOMEM);
    file_put(all[--n]);
    assert_int_equal(fx_open_err(&x, "/pts/ptmx", LINUX_O_RDWR), 0);
    while (n > 0)
        file_put(all[--n]);
    fx_end(&x);
}

// A master that is opened at the other end, with the nth allocation failing: all is given back.
static int round_trip(struct fx *x) {
    struct file *master, *slave;
    int32_t zero = 0;
    char text[8];
    int err = vfs_open(&x->ctx, NULL, "/pts/ptmx", LINUX_O_RDWR, 0, 0, &master);
    if (err)
        return err;
    request(master, LINUX_TIOCSPTLCK, &zero);
    err = pty_open_peer(&x->ctx, master, LINUX_O_RDWR, &slave);
    if (!err) {
        assert_int_equal(fx_write(x, slave, "hi\n", 3), 3);
        assert_int_equal(fx_read(master, text, sizeof text), 4);
        file_put(slave);
    }
    file_put(master);
    return err;
}
static void every_allocation_fails_once(void **state) {
    for (unsigned nth = 1;; nth++) {
        struct fx x;
        begin(&x, 0);
        fault_alloc_at(nth);
        int err = round_trip(&x);
        unsigned made = fault_alloc_at(0);
        assert_int_equal(err, made >= nth ? -LINUX_ENOMEM : 0);
        assert_int_equal(devpts_count(x.vfs), 0);
        assert_int_equal(round_trip(&x), 0);
        fx_end(&x);
        if (!err)
            break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowest_number_first),        cmocka_unit_test(instances_count_for_themselves),
        cmocka_unit_test(never_more_than_all_may_have), cmocka_unit_test(charged_to_the_sandbox),
        cmocka_unit_test(every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
