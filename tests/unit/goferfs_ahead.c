// SPDX-License-Identifier: Apache-2.0
// Files that are opened in the order of their directory: how many round trips that takes, and that what was
// opened ahead is never another file than the one that is asked for. With the real gofer server behind it in
// this process.
#include "base/clock.h"
#include "tests/unit/goferfs_mounted.h"

#define FILES 60

// As the directory lists them.
struct names {
    struct readdir_sink sink;
    unsigned n;
    char v[FILES][24];
};
static bool keep_name(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned dtype,
                      uint64_t off) {
    struct names *to = container_of(s, struct names, sink);
    if (dtype == LINUX_DT_REG)
        snprintf(to->v[to->n++], sizeof(to->v[0]), "/d/%.*s", (int)len, name);
    return true;
}
static void list_dir(struct mounted *t, struct names *names) {
    struct file *f;
    *names = (struct names){.sink = {keep_name}};
    assert_int_equal(vfs_open(&t->ctx, NULL, "/d", LINUX_O_RDONLY | LINUX_O_DIRECTORY, 0, 0, &f), 0);
    assert_int_equal(vfs_readdir(f, &names->sink), 0);
    file_put(f);
}

static int up(void **state, bool read_only) {
    struct mounted *t = mounted_new();
    char name[32];
    assert_int_equal(mkdir(in_root(t->f, "d"), 0755), 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "d/%02d", i);
        put_file(in_root(t->f, name), name);
    }
    assert_int_equal(mkfifo(in_root(t->f, "d/fifo"), 0666), 0);
    assert_int_equal(mkdir(in_root(t->f, "d/dir"), 0755), 0);
    mounted_start(t, mounted_goferfs(t, read_only));
    *state = t;
    return 0;
}
static int up_ro(void **state) { return up(state, true); }
static int up_rw(void **state) { return up(state, false); }

// What is read there; "" when it cannot be opened.
static const char *text_of(struct mounted *t, const char *name) {
    static char buf[32];
    struct file *f;
    memset(buf, 0, sizeof(buf));
    if (vfs_open(&t->ctx, NULL, name, LINUX_O_RDONLY, 0, 0, &f))
        return buf;
    assert_true(vfs_kread(f, buf, sizeof(buf) - 1, 0) >= 0);
    file_put(f);
    return buf;
}

// 5, 9 and thrice 16, or what is left.
static void test_in_order(void **state) {
    struct mounted *t = *state;
    struct names names;
    list_dir(t, &names);
    assert_int_equal(names.n, FILES);
    trips = 0;
    for (unsigned i = 0; i < FILES; i++)
        assert_string_equal(text_of(t, names.v[i]), names.v[i] + 1);
    assert_in_range(trips, 1, 5);
    for (unsigned i = 0; i < FILES; i++)
        text_of(t, names.v[i]);
    assert_in_range(trips, 1, 5);
}
// From somewhere on: the second one tells.
static void test_from_the_middle(void **state) {
    struct mounted *t = *state;
    struct names names;
    list_dir(t, &names);
    trips = 0;
    for (unsigned i = 20; i < 36; i++)
        assert_string_equal(text_of(t, names.v[i]), names.v[i] + 1);
    assert_in_range(trips, 1, 4);
}
// In no order, each is asked for, and nothing else is opened.
static void test_in_no_order(void **state) {
    struct mounted *t = *state;
    struct names names;
    list_dir(t, &names);
    trips = 0;
    int before = open_fds();
    for (unsigned i = 1; i < 12; i++)
        assert_string_equal(text_of(t, names.v[i * 5 % FILES]), names.v[i * 5 % FILES] + 1);
    assert_int_equal(trips, 11);
    assert_int_equal(open_fds(), before + 11);
}
// What has become another file meanwhile is not taken for the old one; what cannot be opened fails by itself.
static void test_changed_by_the_host(void **state) {
    struct mounted *t = *state;
    struct names names;
    list_dir(t, &names);
    put_file(in_root(t->f, "new"), "new");
    assert_int_equal(rename(in_root(t->f, "new"), in_root(t->f, names.v[2])), 0);
    assert_int_equal(unlink(in_root(t->f, names.v[8])), 0);
    assert_int_equal(mkfifo(in_root(t->f, names.v[8]), 0666), 0);
    usleep(110000);  // what was listed is believed for 100 ms
    alarm(100);
    for (unsigned i = 0; i < FILES; i++) {
        const char *want = names.v[i] + 1;
        if (i == 2)
            want = "new";
        if (i != 8)
            assert_string_equal(text_of(t, names.v[i]), want);
    }
    alarm(0);
}
// A file that was opened ahead and is replaced then: who opens the name later gets the new one.
static void test_replaced_after_it_was_opened(void **state) {
    struct mounted *t = *state;
    struct names names;
    list_dir(t, &names);
    text_of(t, names.v[0]);
    put_file(in_root(t->f, "new"), "new");
    assert_int_equal(rename(in_root(t->f, "new"), in_root(t->f, names.v[1])), 0);
    usleep(110000);
    assert_string_equal(text_of(t, names.v[1]), "new");
}
// ... also for writing, while the name is still believed.
static void test_replaced_and_written(void **state) {
    struct mounted *t = *state;
    struct names names;
    struct uio_kernel k;
    struct file *f;
    char text[] = "written";
    list_dir(t, &names);
    text_of(t, names.v[0]);
    put_file(in_root(t->f, "new"), "new");
    assert_int_equal(rename(in_root(t->f, "new"), in_root(t->f, names.v[1])), 0);
    assert_int_equal(vfs_open(&t->ctx, NULL, names.v[1], LINUX_O_RDWR, 0, 0, &f), 0);
    uio_kernel_init(&k, text, 7);
    assert_int_equal(vfs_write(&t->ctx, f, &k.u), 7);
    file_put(f);
    usleep(110000);
    assert_string_equal(text_of(t, names.v[1]), "written");
}
// ... and by the sandbox itself: at once.
static void test_own_changes(void **state) {
    struct mounted *t = *state;
    struct names names;
    list_dir(t, &names);
    text_of(t, names.v[0]);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, names.v[1]), 0);
    assert_int_equal(vfs_rename(&t->ctx, NULL, names.v[3], NULL, names.v[2], 0), 0);
    assert_string_equal(text_of(t, names.v[1]), "");
    assert_string_equal(text_of(t, names.v[2]), names.v[3] + 1);
    assert_string_equal(text_of(t, names.v[3]), "");
    for (unsigned i = 4; i < FILES; i++)
        assert_string_equal(text_of(t, names.v[i]), names.v[i] + 1);
}

// ---- The message ------------------------------------------------------------------------------------------
static int open_all(struct fixture *f, const char *const *v, unsigned n, struct gofer_attrs *a,
                    struct gofer_fds *fds) {
    struct gofer_names names = {.n = n};
    for (unsigned i = 0; i < n; i++)
        names.v[i] = (struct gofer_str){v[i], (uint32_t)strlen(v[i])};
    return client_open_all(f->c, f->rw, &names, a, fds);
}
static void close_all(struct gofer_fds *fds) {
    while (fds->n)
        close(fds->v[--fds->n]);
}
static void test_message(void **state) {
    struct fixture *f = *state;
    struct gofer_attrs a;
    struct gofer_fds fds;
    char buf[8] = "";
    put_file(in_root(f, "a"), "A");
    put_file(in_root(f, "b"), "B");
    assert_int_equal(mkdir(in_root(f, "dir"), 0755), 0);
    assert_int_equal(mkfifo(in_root(f, "fifo"), 0666), 0);
    assert_int_equal(symlink("a", in_root(f, "link")), 0);
    assert_int_equal(open_all(f, (const char *[]){"b", "a"}, 2, &a, &fds), 0);
    assert_int_equal(fds.n, 2);
    assert_int_equal(pread(fds.v[0], buf, 8, 0), 1);
    assert_string_equal(buf, "B");
    assert_int_equal(fcntl(fds.v[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    close_all(&fds);
    static const char *const not_opened[] = {"dir", "fifo", "link", "none"};
    alarm(100);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(open_all(f, (const char *[]){"a", not_opened[i], "b"}, 3, &a, &fds), 0);
        assert_int_equal(fds.n, 1);
        close_all(&fds);
    }
    alarm(0);
    const char *many[GOFER_FDS_MAX + 4];
    for (unsigned i = 0; i < GOFER_FDS_MAX + 4; i++)
        many[i] = "a";
    assert_int_equal(open_all(f, many, GOFER_FDS_MAX + 4, &a, &fds), 0);
    assert_int_equal(fds.n, GOFER_FDS_MAX);
    close_all(&fds);
    struct gofer_names names = {1, {{"a", 1}}};
    assert_int_equal(client_open_all(f->c, 12345, &names, &a, &fds), -LINUX_EBADF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, up_ro, mounted_down),
        cmocka_unit_test_setup_teardown(test_from_the_middle, up_ro, mounted_down),
        cmocka_unit_test_setup_teardown(test_in_no_order, up_ro, mounted_down),
        cmocka_unit_test_setup_teardown(test_changed_by_the_host, up_rw, mounted_down),
        cmocka_unit_test_setup_teardown(test_replaced_after_it_was_opened, up_rw, mounted_down),
        cmocka_unit_test_setup_teardown(test_replaced_and_written, up_rw, mounted_down),
        cmocka_unit_test_setup_teardown(test_own_changes, up_rw, mounted_down),
        cmocka_unit_test_setup_teardown(test_message, fixture_up, fixture_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
