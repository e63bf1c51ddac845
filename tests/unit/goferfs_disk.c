// SPDX-License-Identifier: Apache-2.0
// What is charged for --disk: exactly by what the files of the host grow and shrink, also when threads cut
// and grow the same one at the same time.
#include "fs/use.h"
#include "tests/unit/goferfs_mounted.h"
#include <pthread.h>

#define ROUNDS 3000
#define LIMIT  (1 << 20)

static struct vfs_use use;

static int up(void **state) {
    struct mounted *t = mounted_new();
    use = (struct vfs_use){.max_disk = LIMIT};
    vfs_set_use(t->v, &use, false);
    mounted_start(t, mounted_goferfs(t, false));
    *state = t;
    return 0;
}
static struct file *open_rw_at(struct mounted *t, const char *name) {
    struct file *f;
    assert_int_equal(vfs_open(&t->ctx, NULL, name, LINUX_O_RDWR | LINUX_O_CREAT, 0644, WALK_FOLLOW, &f), 0);
    return f;
}
static struct file *open_rw(struct mounted *t) { return open_rw_at(t, "/f"); }
static int64_t put(struct mounted *t, struct file *f, size_t n, uint64_t off) {
    static const char zeros[8192];
    struct uio_kernel k;
    uio_kernel_init(&k, (char *)zeros, n);
    return vfs_pwrite(&t->ctx, f, &k.u, off);
}

struct job {
    struct mounted *t;
    struct file *f;
    bool writes;
};
static void *run(void *arg) {
    struct job *j = arg;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t r =
            j->writes ? put(j->t, j->f, 4096, 0) : vfs_ftruncate(&j->t->ctx, j->f, i % 2 ? 8192 : 100);
        if (r < 0)
            return "refused";
        if (vfs_ftruncate(&j->t->ctx, j->f, 0))
            return "not cut";
    }
    return NULL;
}
// Files are closed before anything is judged: a test that fails leaves none open.
static void two(struct mounted *t, bool writes) {
    struct file *f = open_rw(t);
    struct job jobs[2] = {{t, f, writes}, {t, f, false}};
    pthread_t th[2];
    void *failed[2] = {NULL, NULL};
    int64_t cut, wrote, after_cut, after_write;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&th[i], NULL, run, &jobs[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(th[i], &failed[i]);
    cut = vfs_ftruncate(&t->ctx, f, 0);
    after_cut = use.disk;
    wrote = put(t, f, 100, 0);
    after_write = use.disk;
    file_put(f);
    assert_true(!failed[0] && !failed[1]);
    assert_int_equal(cut, 0);
    assert_int_equal(after_cut, 0);
    assert_int_equal(wrote, 100);
    assert_int_equal(after_write, 100);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/f"), 0);
    dcache_shrink(t->v, 100);
    assert_int_equal(use.disk, 0);
}
static void test_cut_by_two(void **state) { two(*state, false); }
static void test_cut_and_written(void **state) { two(*state, true); }

// One after the other: what is given back is what was there, however stale the attributes are.
static void test_stale(void **state) {
    struct mounted *t = *state;
    struct file *f = open_rw(t);
    int64_t r[5], disk[4];
    r[0] = put(t, f, 1000, 0);
    disk[0] = use.disk;
    f->inode->attr.size = 5000;  // as an answer that was under way would have it
    r[1] = vfs_ftruncate(&t->ctx, f, 0);
    disk[1] = use.disk;
    f->inode->attr.size = 5000;
    r[2] = put(t, f, 3000, 0);
    disk[2] = use.disk;
    // The host's own changes are not charged.
    assert_int_equal(truncate(in_root(t->f, "f"), 0), 0);
    r[3] = put(t, f, 10, 4000);
    disk[3] = use.disk;
    r[4] = put(t, f, 4096, LIMIT);
    file_put(f);
    const int64_t want[5] = {1000, 0, 3000, 10, -LINUX_ENOSPC}, charged[4] = {1000, 0, 3000, 3000 + 4010};
    assert_memory_equal(r, want, sizeof want);
    assert_memory_equal(disk, charged, sizeof charged);
}

// statfs(2) tells what is left of the limit.
static void test_statfs(void **state) {
    struct mounted *t = *state;
    struct linux_statfs s;
    struct file *f = open_rw(t);
    assert_int_equal(vfs_statfs(&t->root, &s), 0);
    assert_int_equal(s.f_bavail * (uint64_t)s.f_bsize, LIMIT);
    for (int i = 0; i < 4; i++)
        assert_int_equal(put(t, f, 8192, 8192 * i), 8192);
    assert_int_equal(vfs_statfs(&t->root, &s), 0);
    assert_int_equal(s.f_bavail * (uint64_t)s.f_bsize, LIMIT - 4 * 8192);
    file_put(f);
}

// Names of one host file that have inodes of their own: the host made them, or they lie below two mounts.
#define SOME 8192
static void host_file(struct mounted *t, bool long_already) {
    int fd = open(in_root(t->f, "f"), O_RDWR | O_CREAT, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, long_already ? SOME : 0), 0);
    close(fd);
    assert_int_equal(link(in_root(t->f, "f"), in_root(t->f, "g")), 0);
}
static void test_written_by_two_names(void **state) {
    struct mounted *t = *state;
    host_file(t, false);
    struct file *a = open_rw_at(t, "/f"), *b = open_rw_at(t, "/g");
    int64_t r[3], disk[3];
    assert_ptr_not_equal(a->inode, b->inode);
    put(t, a, SOME, 0);
    put(t, b, SOME, 0);
    for (int i = 0; i < 3; i++) {
        vfs_ftruncate(&t->ctx, a, 0);
        r[i] = put(t, b, SOME, 0);
        disk[i] = use.disk;
    }
    file_put(a);
    file_put(b);
    const int64_t want[3] = {SOME, SOME, SOME};
    assert_memory_equal(r, want, sizeof want);
    assert_memory_equal(disk, want, sizeof want);
}
static void test_cut_by_two_names(void **state) {
    struct mounted *t = *state;
    struct path a, b;
    host_file(t, true);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/f", 0, &a), 0);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/g", 0, &b), 0);
    int r = vfs_truncate(&t->ctx, &a, 0) | vfs_truncate(&t->ctx, &b, 0);
    path_put(&a);
    path_put(&b);
    assert_int_equal(r, 0);
    assert_int_equal(use.disk, -SOME);
}
static void test_both_names_removed(void **state) {
    struct mounted *t = *state;
    host_file(t, false);
    struct file *a = open_rw_at(t, "/f"), *b = open_rw_at(t, "/g");
    put(t, a, SOME, 0);
    int r = vfs_unlink(&t->ctx, NULL, "/f") | vfs_unlink(&t->ctx, NULL, "/g");
    file_put(b);
    dcache_shrink(t->v, 100);
    int64_t while_open = use.disk;
    file_put(a);
    dcache_shrink(t->v, 100);
    assert_int_equal(r, 0);
    assert_int_equal(while_open, SOME);
    assert_int_equal(use.disk, 0);
}
static void test_replaced(void **state) {
    struct mounted *t = *state;
    host_file(t, false);
    struct file *a = open_rw_at(t, "/f");
    put(t, a, SOME, 0);
    file_put(a);
    file_put(open_rw_at(t, "/g"));
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/d", 0755), 0);
    file_put(open_rw_at(t, "/x"));
    file_put(open_rw_at(t, "/y"));
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/x", NULL, "/f", 0), 0);
    assert_int_equal(use.disk, SOME);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/y", NULL, "/g", 0), 0);
    dcache_shrink(t->v, 100);
    assert_int_equal(use.disk, 0);
}
// A name that the one mount gives is not known to the other, which removes what was the only one.
static void test_two_mounts(void **state) {
    struct mounted *t = *state;
    struct path at;
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/m", 0755), 0);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/m", 0, &at), 0);
    assert_int_equal(vfs_mount(t->v, mounted_goferfs(t, false), &at, 0, "host"), 0);
    path_put(&at);
    struct file *f = open_rw(t);
    put(t, f, SOME, 0);
    file_put(f);
    assert_int_equal(vfs_link(&t->ctx, NULL, "/m/f", NULL, "/m/g", 0), 0);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/f"), 0);
    dcache_shrink(t->v, 100);
    int64_t one_left = use.disk;
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/m/g"), 0);
    dcache_shrink(t->v, 100);
    assert_int_equal(one_left, SOME);
    assert_int_equal(use.disk, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut_by_two, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_cut_and_written, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_stale, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_statfs, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_two_mounts, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_replaced, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_both_names_removed, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_cut_by_two_names, up, mounted_down),
        cmocka_unit_test_setup_teardown(test_written_by_two_names, up, mounted_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
