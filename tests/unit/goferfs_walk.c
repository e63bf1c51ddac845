// SPDX-License-Identifier: Apache-2.0
// Walks that ask ahead: how many round trips a path takes, and that what was asked for in advance decides
// nothing: each step is still checked where the walk takes it. With the real gofer server behind it in this
// process.
#include "base/clock.h"
#include "tests/unit/goferfs_mounted.h"

// a/b/c/d/f, links into the middle, and an overlay over it when asked for.
static int up(void **state, bool overlay, bool read_only) {
    struct mounted *t = mounted_new();
    assert_int_equal(chmod(t->f->root, 0755), 0);
    const char *dirs[] = {"a", "a/b", "a/b/c", "a/b/c/d", "other"};
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        assert_int_equal(mkdir(in_root(t->f, dirs[i]), 0755), 0);
    put_file(in_root(t->f, "a/b/c/d/f"), "deep");
    put_file(in_root(t->f, "a/b/c/d/g"), "too");
    assert_int_equal(symlink("a/b", in_root(t->f, "link")), 0);
    assert_int_equal(symlink("/a/b/c/d/f", in_root(t->f, "a/b/to_f")), 0);
    assert_int_equal(mkfifo(in_root(t->f, "a/b/fifo"), 0666), 0);
    struct superblock *sb = mounted_goferfs(t, read_only), *upper;
    if (overlay) {
        assert_int_equal(tmpfs_create(t->v, &(struct tmpfs_opts){.mode = 0755}, &upper), 0);
        assert_int_equal(overlay_create(t->v, sb, upper, &sb), 0);
    }
    mounted_start(t, sb);
    *state = t;
    return 0;
}
static int up_ro(void **state) { return up(state, false, true); }
static int up_rw(void **state) { return up(state, false, false); }
static int up_overlay(void **state) { return up(state, true, true); }

#define ANY_COST (-1)  // live mounts ask again when time has passed

// Opens for reading and reads: the text is `want`, or the error is `err`, after so many round trips.
static void expect(struct mounted *t, const char *name, const char *want, int err, int cost) {
    struct file *f;
    char buf[16] = "";
    trips = 0;
    assert_int_equal(vfs_open(&t->ctx, NULL, name, LINUX_O_RDONLY, 0, 0, &f), err);
    if (!err) {
        assert_int_equal(vfs_kread(f, buf, sizeof(buf) - 1, 0), (int64_t)strlen(want));
        assert_string_equal(buf, want);
        file_put(f);
    }
    if (cost != ANY_COST)
        assert_int_equal(trips, cost);
}
static void expect_stat(struct mounted *t, const char *name, int err, int cost) {
    struct path p;
    trips = 0;
    int got = vfs_walk(&t->ctx, NULL, name, 0, &p);
    if (!got)
        path_put(&p);
    assert_int_equal(got, err);
    assert_int_equal(trips, cost);
}

// A path of five components is found, opened and read in one round trip.
static void test_one_trip(void **state) {
    struct mounted *t = *state;
    expect(t, "/a/b/c/d/f", "deep", 0, 1);
    expect(t, "/a/b/c/d/f", "deep", 0, 0);
    expect(t, "/a/b/c/d/g", "too", 0, 1);
    expect_stat(t, "/a/b/c", 0, 0);
}
static bool count_name(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned dtype,
                       uint64_t off) {
    return true;
}
// A tree is listed with one round trip for each of its directories, as find(1) goes through it.
static void test_tree(void **state) {
    struct mounted *t = *state;
    static const char *const dirs[] = {"/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/other"};
    for (unsigned k = 0; k < 6; k++) {
        struct readdir_sink sink = {count_name};
        struct file *f;
        trips = 0;
        assert_int_equal(vfs_open(&t->ctx, NULL, dirs[k], LINUX_O_RDONLY | LINUX_O_DIRECTORY, 0, 0, &f), 0);
        assert_int_equal(vfs_readdir(f, &sink), 0);
        file_put(f);
        assert_int_equal(trips, 1);
    }
    expect(t, "/a/b/c/d/f", "deep", 0, 1);
}
static void test_missing(void **state) {
    struct mounted *t = *state;
    expect_stat(t, "/a/b/none/d/f", -LINUX_ENOENT, 1);
    expect_stat(t, "/a/b/none", -LINUX_ENOENT, 0);
    expect_stat(t, "/a/b/c/d/none", -LINUX_ENOENT, 1);
    expect(t, "/a/b/c/d/none", NULL, -LINUX_ENOENT, 0);
    expect(t, "/a/b/c/d/f", "deep", 0, 1);
}
static void test_not_a_directory(void **state) {
    struct mounted *t = *state;
    expect(t, "/a/b/c/d/f/x/y", NULL, -LINUX_ENOTDIR, 1);
    expect(t, "/a/b/c/d/f/", NULL, -LINUX_ENOTDIR, 0);
    expect(t, "/a/b/fifo/x", NULL, -LINUX_ENOTDIR, 1);
    expect(t, "/a/b/c/d/f", "deep", 0, 1);
}
// Each symlink ends a walk; what follows it is asked for together with its text.
static void test_links(void **state) {
    struct mounted *t = *state;
    expect(t, "/link/c/d/f", "deep", 0, 2);
    expect(t, "/link/to_f", "deep", 0, 1);
    expect_stat(t, "/link/to_f", 0, 0);
}
static void test_dotdot(void **state) {
    struct mounted *t = *state;
    expect(t, "/a/b/../b/c/./../c/d/f", "deep", 0, 3);
    expect(t, "/../a/b/c/d/f", "deep", 0, 0);
}
static void test_long_names(void **state) {
    struct mounted *t = *state;
    char path[300], name[257];
    memset(name, 'x', 256);
    name[256] = 0;
    sprintf(path, "/a/b/%s/f", name);
    expect(t, path, NULL, -LINUX_ENAMETOOLONG, 1);
    sprintf(path, "/a/b/c/%.255s/f", name);
    expect(t, path, NULL, -LINUX_ENOENT, 1);
    sprintf(path, "a/b/c/d/%.255s", name);
    put_file(in_root(t->f, path), "long");
    sprintf(path, "/a/b/c/d/%.255s", name);
    expect(t, path, "long", 0, 1);
}
// More components than one message takes.
static void test_deep(void **state) {
    struct mounted *t = *state;
    char path[256] = "a";
    for (int i = 0; i < 40; i++) {
        strcat(path, "/x");
        assert_int_equal(mkdir(in_root(t->f, path), 0755), 0);
    }
    strcat(path, "/f");
    put_file(in_root(t->f, path), "end");
    char guest[260] = "/";
    strcat(guest, path);
    expect(t, guest, "end", 0, 3);
    expect(t, guest, "end", 0, 0);
}
// The gofer may search where the guest may not: the walk says no, before and after.
static void test_permission(void **state) {
    struct mounted *t = *state;
    assert_int_equal(chmod(in_root(t->f, "a/b/c"), 0700), 0);
    t->ctx.cred = (struct vfs_cred){.fsuid = 12345, .fsgid = 12345};
    expect(t, "/a/b/c/d/f", NULL, -LINUX_EACCES, 1);
    expect_stat(t, "/a/b/c/none", -LINUX_EACCES, 0);
    t->ctx.cred.caps = LINUX_CAP_FULL_SET;
    expect(t, "/a/b/c/d/f", "deep", 0, 0);
}
static void test_mount(void **state) {
    struct mounted *t = *state;
    struct superblock *sb;
    struct path at;
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/a/b/c", 0, &at), 0);
    assert_int_equal(tmpfs_create(t->v, &(struct tmpfs_opts){.mode = 0755}, &sb), 0);
    assert_int_equal(vfs_mount(t->v, sb, &at, 0, "tmpfs"), 0);
    path_put(&at);
    expect(t, "/a/b/c/d/f", NULL, -LINUX_ENOENT, 0);
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/a/b/c/d", 0755), 0);
    expect(t, "/a/b/c/d/f", NULL, -LINUX_ENOENT, 0);
}

// What lies over the lower names counts, whatever was asked for below it.
static void test_overlay(void **state) {
    struct mounted *t = *state;
    expect(t, "/a/b/c/d/f", "deep", 0, 1);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/a/b/c/d/f"), 0);
    expect(t, "/a/b/c/d/f", NULL, -LINUX_ENOENT, 0);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/a/b", NULL, "/moved", 0), 0);
    expect(t, "/a/b/c/d/g", NULL, -LINUX_ENOENT, 0);
    expect(t, "/moved/c/d/g", "too", 0, 1);
    expect(t, "/moved/c/d/f", NULL, -LINUX_ENOENT, 0);
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/a/b", 0755), 0);
    expect(t, "/a/b/c/d/g", NULL, -LINUX_ENOENT, 0);
}
// The same where nothing was looked at before: a whiteout is met by a walk whose names below are not cached.
static void test_overlay_whiteout_first(void **state) {
    struct mounted *t = *state;
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/a", NULL, "/other/a", 0), 0);
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/a", 0755), 0);
    dcache_shrink(t->v, 1000);
    expect(t, "/a/b/c/d/f", NULL, -LINUX_ENOENT, 0);
    expect(t, "/other/a/b/c/d/f", "deep", 0, 1);
}
// Below a writable root: what is made and removed inside is seen at once.
static void test_own_changes(void **state) {
    struct mounted *t = *state;
    struct file *f;
    struct path p;
    expect(t, "/a/b/c/new", NULL, -LINUX_ENOENT, ANY_COST);
    assert_int_equal(vfs_open(&t->ctx, NULL, "/a/b/c/new", LINUX_O_RDWR | LINUX_O_CREAT, 0644, 0, &f), 0);
    file_put(f);
    expect(t, "/a/b/c/new", "", 0, ANY_COST);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/a/b/c", NULL, "/a/c", 0), 0);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/a/b/c/d/f", 0, &p), -LINUX_ENOENT);
    expect(t, "/a/c/d/f", "deep", 0, ANY_COST);
}
// The host moves a directory away and back all the time: each open gives the file or says that it is gone.
static void test_host_renames(void **state) {
    struct mounted *t = *state;
    char from[512], to[512];
    snprintf(from, sizeof(from), "%s", in_root(t->f, "a/b"));
    snprintf(to, sizeof(to), "%s", in_root(t->f, "other/b"));
    unsigned found = 0;
    for (int i = 0; i < 200; i++) {
        struct file *f;
        assert_int_equal(i & 1 ? rename(to, from) : rename(from, to), 0);
        dcache_shrink(t->v, 1000);
        for (int k = 0; k < 2; k++) {
            int err = vfs_open(&t->ctx, NULL, k ? "/other/b/c/d/f" : "/a/b/c/d/f", LINUX_O_RDONLY, 0, 0, &f);
            assert_true(err == 0 || err == -LINUX_ENOENT || err == -LINUX_ESTALE);
            if (err)
                continue;
            found++;
            file_put(f);
        }
    }
    assert_true(found > 0);
}

// ---- Below a writable root: what a listing says answers the stats that follow -----------------------------
#define FRESH_NS 50000000ull  // half of how long a name is trusted

static void list_dir(struct mounted *t, const char *dir) {
    struct readdir_sink sink = {count_name};
    struct file *f;
    assert_int_equal(vfs_open(&t->ctx, NULL, dir, LINUX_O_RDONLY | LINUX_O_DIRECTORY, 0, 0, &f), 0);
    assert_int_equal(vfs_readdir(f, &sink), 0);
    file_put(f);
}
static struct vfs_attr stat_of(struct mounted *t, const char *name) {
    struct vfs_attr a;
    struct path p;
    assert_int_equal(vfs_walk(&t->ctx, NULL, name, 0, &p), 0);
    assert_int_equal(vfs_getattr(&p, &a), 0);
    path_put(&p);
    return a;
}
// As ls -lR goes through it: each directory's listing is one round trip, and no stat is any. A machine that
// is slow just then may need more: what is known has grown old.
static void test_list_and_stat(void **state) {
    struct mounted *t = *state;
    static const char *const dirs[] = {"/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/other"};
    static const char *const names[] = {"/a",         "/a/b",       "/a/b/c", "/a/b/c/d",
                                        "/a/b/c/d/f", "/a/b/c/d/g", "/other", "/a/b/fifo"};
    bool in_time = false;
    for (int run = 0; run < 100 && !in_time; run++) {
        uint64_t start = mono_ns();
        trips = 0;
        dcache_shrink(t->v, 1000);
        for (size_t k = 0; k < sizeof(dirs) / sizeof(dirs[0]); k++)
            list_dir(t, dirs[k]);
        assert_true(trips >= 6);
        int listed = trips;
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
            stat_of(t, names[k]);
        in_time = mono_ns() - start < FRESH_NS;
        if (in_time) {
            assert_int_equal(listed, 6);
            assert_int_equal(trips, 6);
        }
    }
    assert_true(in_time);
}
// A name that is known already is told anew by a listing, when nobody in here was faster.
static void test_listing_refreshes(void **state) {
    struct mounted *t = *state;
    put_file(in_root(t->f, "other/x"), "1");
    assert_int_equal(stat_of(t, "/other/x").size, 1);
    put_file(in_root(t->f, "other/x"), "12345");
    list_dir(t, "/other");
    assert_int_equal(stat_of(t, "/other/x").size, 5);
    struct path p;
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/other/y", 0, &p), -LINUX_ENOENT);
    put_file(in_root(t->f, "other/y"), "12");
    list_dir(t, "/other");
    assert_int_equal(stat_of(t, "/other/y").size, 2);
}
// The rest of a batch lies with the open directory: what is done to those names meanwhile counts.
static bool stop_at_once(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned dtype,
                         uint64_t off) {
    return name[0] == '.';
}
static void test_changes_within_a_listing(void **state) {
    struct mounted *t = *state;
    struct readdir_sink none = {stop_at_once}, all = {count_name};
    struct file *f, *w;
    struct path p;
    struct uio_kernel k;
    char text[] = "longer";
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof(name), "other/%d", i);
        put_file(in_root(t->f, name), "1");
    }
    assert_int_equal(vfs_open(&t->ctx, NULL, "/other", LINUX_O_RDONLY | LINUX_O_DIRECTORY, 0, 0, &f), 0);
    assert_int_equal(vfs_readdir(f, &none), 0);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/other/1"), 0);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/other/2", NULL, "/other/two", 0), 0);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/other/3", 0, &p), 0);
    assert_int_equal(vfs_chmod(&t->ctx, &p, 0600), 0);
    path_put(&p);
    assert_int_equal(vfs_open(&t->ctx, NULL, "/other/4", LINUX_O_WRONLY, 0, 0, &w), 0);
    uio_kernel_init(&k, text, 6);
    assert_int_equal(vfs_write(&t->ctx, w, &k.u), 6);
    assert_int_equal(vfs_readdir(f, &all), 0);
    file_put(f);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/other/1", 0, &p), -LINUX_ENOENT);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/other/2", 0, &p), -LINUX_ENOENT);
    assert_int_equal(stat_of(t, "/other/two").size, 1);
    assert_int_equal(stat_of(t, "/other/3").mode & 0777, 0600);
    assert_int_equal(stat_of(t, "/other/4").size, 6);
    file_put(w);
}
// Many names of one directory, one after another, as git status asks for them: the rest comes at once.
static void test_run_of_names(void **state) {
    struct mounted *t = *state;
    char name[32];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "other/%02d", i);
        put_file(in_root(t->f, name), "1");
    }
    bool in_time = false;
    for (int run = 0; run < 100 && !in_time; run++) {
        uint64_t start = mono_ns();
        dcache_shrink(t->v, 1000);
        trips = 0;
        for (int i = 0; i < 60; i++) {
            snprintf(name, sizeof(name), "/other/%02d", i);
            assert_int_equal(stat_of(t, name).size, 1);
        }
        in_time = mono_ns() - start < FRESH_NS && trips <= 9;
    }
    assert_true(in_time);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/other/07"), 0);
    struct path p;
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/other/07", 0, &p), -LINUX_ENOENT);
}

#define RO(t)      cmocka_unit_test_setup_teardown(t, up_ro, mounted_down)
#define RW(t)      cmocka_unit_test_setup_teardown(t, up_rw, mounted_down)
#define OVERLAY(t) cmocka_unit_test_setup_teardown(t, up_overlay, mounted_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        RO(test_tree),
        OVERLAY(test_tree),
        RO(test_one_trip),
        OVERLAY(test_one_trip),
        RO(test_missing),
        OVERLAY(test_missing),
        RO(test_links),
        OVERLAY(test_links),
        RO(test_not_a_directory),
        RO(test_dotdot),
        RO(test_long_names),
        RO(test_deep),
        RO(test_permission),
        OVERLAY(test_permission),
        OVERLAY(test_mount),
        OVERLAY(test_overlay),
        OVERLAY(test_overlay_whiteout_first),
        RW(test_own_changes),
        RW(test_host_renames),
        RW(test_list_and_stat),
        RW(test_listing_refreshes),
        RW(test_changes_within_a_listing),
        RW(test_run_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
