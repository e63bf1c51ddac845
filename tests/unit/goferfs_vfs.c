// SPDX-License-Identifier: Apache-2.0
// The file system over the gofer, used through the VFS, with the real gofer server behind it in this process.
// Counts round trips: what is promised to be cached must ask nothing.
#include "base/fault.h"
#include "tests/unit/goferfs_mounted.h"
#include <sys/mman.h>

static int up(void **state, bool read_only, bool follow) {
    struct mounted *t = mounted_new();
    // What the tests look at is there before the file system comes.
    mkdir(in_root(t->f, "dir"), 0755);
    mkdir(in_root(t->f, "dir/sub"), 0755);
    put_file(in_root(t->f, "dir/file"), "contents");
    assert_int_equal(symlink("dir/file", in_root(t->f, "link")), 0);
    mkfifo(in_root(t->f, "fifo"), 0666);
    struct superblock *sb = mounted_goferfs(t, read_only);
    if (follow)
        goferfs_follow_host(sb);
    mounted_start(t, sb);
    *state = t;
    return 0;
}
static int up_ro(void **state) { return up(state, true, false); }
static int up_rw(void **state) { return up(state, false, false); }
static int up_follow(void **state) { return up(state, true, true); }

static int open_file(struct mounted *t, const char *name, unsigned flags, struct file **out) {
    return vfs_open(&t->ctx, NULL, name, flags, 0644, WALK_FOLLOW, out);
}
static int attr_of(struct mounted *t, const char *name, unsigned walk, struct vfs_attr *a) {
    struct path p;
    int err = vfs_walk(&t->ctx, NULL, name, walk, &p);
    if (err)
        return err;
    err = vfs_getattr(&p, a);
    path_put(&p);
    return err;
}
static void expect_text(struct mounted *t, const char *name, const char *want) {
    struct file *f;
    char buf[64] = "";
    assert_int_equal(open_file(t, name, LINUX_O_RDONLY, &f), 0);
    assert_int_equal(vfs_kread(f, buf, sizeof(buf) - 1, 0), (int64_t)strlen(want));
    assert_string_equal(buf, want);
    file_put(f);
}

static void test_read(void **state) {
    struct mounted *t = *state;
    struct vfs_attr a;
    struct file *f;
    expect_text(t, "/dir/file", "contents");
    expect_text(t, "/link", "contents");
    assert_int_equal(attr_of(t, "/link", 0, &a), 0);
    assert_true(LINUX_S_ISLNK(a.mode));
    assert_int_equal(attr_of(t, "/dir/file", 0, &a), 0);
    assert_int_equal(a.size, 8);
    assert_int_equal(open_file(t, "/dir/missing", LINUX_O_RDONLY, &f), -LINUX_ENOENT);
    assert_int_equal(open_file(t, "/dir/file/x", LINUX_O_RDONLY, &f), -LINUX_ENOTDIR);
    assert_int_equal(open_file(t, "/dir/file", LINUX_O_RDWR, &f), -LINUX_EROFS);
    assert_int_equal(open_file(t, "/dir/new", LINUX_O_RDWR | LINUX_O_CREAT, &f), -LINUX_EROFS);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/dir/file"), -LINUX_EROFS);
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/dir/new", 0755), -LINUX_EROFS);
}

// Read-only: once known, always known. stat, a missing name, a second open with its read, readlink: no round
// trip.
static void test_nothing_is_asked_twice(void **state) {
    struct mounted *t = *state;
    struct vfs_attr a;
    expect_text(t, "/link", "contents");
    assert_int_equal(attr_of(t, "/dir/none", 0, &a), -LINUX_ENOENT);
    trips = 0;
    expect_text(t, "/link", "contents");
    expect_text(t, "/dir/file", "contents");
    assert_int_equal(attr_of(t, "/dir/file", 0, &a), 0);
    assert_int_equal(attr_of(t, "/dir/none", 0, &a), -LINUX_ENOENT);
    assert_int_equal(trips, 0);
}

struct collect {
    struct readdir_sink sink;
    unsigned n, room;
    char names[4096][32];
};
static bool emit(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned dtype,
                 uint64_t off) {
    struct collect *c = (struct collect *)s;
    if (c->room == 0)
        return false;
    c->room--;
    snprintf(c->names[c->n++], 32, "%.*s", (int)len, name);
    return true;
}
static int compare(const void *a, const void *b) { return strcmp(a, b); }

// In small pieces, as getdents with a small buffer asks. Every name once; then a stat storm without a round
// trip.
static void test_readdir(void **state) {
    struct mounted *t = *state;
    static struct collect c;
    memset(&c, 0, sizeof(c));
    c.sink.emit = emit;
    for (int i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "dir/sub/f%04d", i);
        put_file(in_root(t->f, name), "x");
    }
    struct file *f;
    assert_int_equal(open_file(t, "/dir/sub", LINUX_O_RDONLY | LINUX_O_DIRECTORY, &f), 0);
    trips = 0;
    for (unsigned before = ~0u; c.n != before;) {
        before = c.n;
        c.room = 7;
        assert_int_equal(vfs_readdir(f, &c.sink), 0);
    }
    assert_in_range(trips, 2, 20);
    assert_int_equal(c.n, 3002);
    qsort(c.names, c.n, sizeof(c.names[0]), compare);
    assert_string_equal(c.names[0], ".");
    assert_string_equal(c.names[1], "..");
    assert_string_equal(c.names[2], "f0000");
    assert_string_equal(c.names[3001], "f2999");
    // Back to the start: all again.
    assert_int_equal(vfs_llseek(f, 0, LINUX_SEEK_SET), 0);
    c.n = 0;
    c.room = 4096;
    while (vfs_readdir(f, &c.sink) == 0 && c.n < 3002)
        ;
    assert_int_equal(c.n, 3002);
    file_put(f);
    trips = 0;
    for (int i = 0; i < 3000; i++) {
        char name[32];
        struct vfs_attr a;
        snprintf(name, sizeof(name), "/dir/sub/f%04d", i);
        assert_int_equal(attr_of(t, name, 0, &a), 0);
        assert_int_equal(a.size, 1);
    }
    assert_int_equal(trips, 0);
    expect_text(t, "/dir/sub/f1234", "x");
}

// Deep trees: handles are got again by one walk of many names; many files: descriptors are bounded.
static void test_bounds(void **state) {
    struct mounted *t = *state;
    char path[256] = "dir";
    for (int i = 0; i < 80; i++) {
        strcat(path, "/d");
        assert_int_equal(mkdir(in_root(t->f, path), 0755), 0);
    }
    strcat(path, "/end");
    put_file(in_root(t->f, path), "deep");
    char guest[260] = "/";
    strcat(guest, path);
    expect_text(t, guest, "deep");
    int before = open_fds();
    for (int i = 0; i < 600; i++) {
        char name[64];
        snprintf(name, sizeof(name), "dir/sub/f%d", i);
        put_file(in_root(t->f, name), "many");
        snprintf(name, sizeof(name), "/dir/sub/f%d", i);
        expect_text(t, name, "many");
    }
    assert_in_range(open_fds() - before, 0, 300);
}

// More directories than the gofer has handles (100 here): old ones are given back, and found again when
// needed.
static void test_many_directories(void **state) {
    struct mounted *t = *state;
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 300; i++) {
            char name[64];
            snprintf(name, sizeof(name), "dir/sub/d%d", i);
            mkdir(in_root(t->f, name), 0755);
            snprintf(name, sizeof(name), "dir/sub/d%d/f%d", i, round);
            put_file(in_root(t->f, name), "one of many");
            snprintf(name, sizeof(name), "/dir/sub/d%d/f%d", i, round);
            expect_text(t, name, "one of many");
        }
}

static void test_special(void **state) {
    struct mounted *t = *state;
    struct vfs_attr a;
    struct file *f;
    assert_int_equal(attr_of(t, "/fifo", 0, &a), 0);
    assert_true(LINUX_S_ISFIFO(a.mode));
    // The sandbox's own fifo: a non-blocking reader succeeds, and no host writer is let go by it.
    assert_int_equal(open_file(t, "/fifo", LINUX_O_RDONLY | LINUX_O_NONBLOCK, &f), 0);
    int host = open(in_root(t->f, "fifo"), O_WRONLY | O_NONBLOCK);
    assert_int_equal(host, -1);
    assert_int_equal(errno, ENXIO);
    file_put(f);
    struct linux_statfs st;
    assert_int_equal(vfs_statfs(&t->root, &st), 0);
    assert_true(st.f_bsize > 0);
}

static void test_mmap(void **state) {
    struct mounted *t = *state;
    struct file *f;
    assert_int_equal(open_file(t, "/dir/file", LINUX_O_RDONLY, &f), 0);
    int fd = vfs_mmap_fd(f, 1, false);
    assert_true(fd >= 0);
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_memory_equal(p, "contents", 8);
    munmap(p, 4096);
    file_put(f);
}

// ---- Writable roots ---------------------------------------------------------------------------------------
static void test_write(void **state) {
    struct mounted *t = *state;
    struct file *f;
    struct vfs_attr a;
    struct uio_kernel k;
    char text[] = "hello world";
    assert_int_equal(open_file(t, "/dir/new", LINUX_O_RDWR | LINUX_O_CREAT | LINUX_O_EXCL, &f), 0);
    uio_kernel_init(&k, text, 11);
    assert_int_equal(vfs_write(&t->ctx, f, &k.u), 11);
    assert_int_equal(vfs_fsync(f, false), 0);
    assert_int_equal(attr_of(t, "/dir/new", 0, &a), 0);
    assert_int_equal(a.size, 11);
    assert_int_equal(a.mode, LINUX_S_IFREG | 0644);
    assert_int_equal(vfs_ftruncate(&t->ctx, f, 5), 0);
    file_put(f);
    expect_text(t, "/dir/new", "hello");
    struct stat st;
    assert_int_equal(stat(in_root(t->f, "dir/new"), &st), 0);
    assert_int_equal(st.st_size, 5);
    // Appending goes to the end.
    assert_int_equal(open_file(t, "/dir/new", LINUX_O_WRONLY | LINUX_O_APPEND, &f), 0);
    uio_kernel_init(&k, "!", 1);
    assert_int_equal(vfs_write(&t->ctx, f, &k.u), 1);
    file_put(f);
    expect_text(t, "/dir/new", "hello!");
    assert_int_equal(open_file(t, "/dir/new", LINUX_O_RDONLY | LINUX_O_TRUNC, &f), 0);
    file_put(f);
    expect_text(t, "/dir/new", "");
}

static void test_names(void **state) {
    struct mounted *t = *state;
    struct vfs_attr a;
    assert_int_equal(vfs_mkdir(&t->ctx, NULL, "/d", 0777), 0);
    assert_int_equal(attr_of(t, "/d", 0, &a), 0);
    assert_int_equal(a.mode, LINUX_S_IFDIR | 0755);
    assert_int_equal(vfs_symlink(&t->ctx, "d/moved", NULL, "/sym"), 0);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/dir/file", NULL, "/d/moved", 0), 0);
    expect_text(t, "/sym", "contents");
    assert_int_equal(attr_of(t, "/dir/file", 0, &a), -LINUX_ENOENT);
    // Below a directory that moved, by handles that are found anew.
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/d", NULL, "/dir/e", 0), 0);
    expect_text(t, "/dir/e/moved", "contents");
    assert_int_equal(vfs_link(&t->ctx, NULL, "/dir/e/moved", NULL, "/hard", 0), 0);
    assert_int_equal(attr_of(t, "/hard", 0, &a), 0);
    assert_int_equal(a.nlink, 2);
    assert_int_equal(vfs_rmdir(&t->ctx, NULL, "/dir/e"), -LINUX_ENOTEMPTY);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/dir/e/moved"), 0);
    assert_int_equal(vfs_rmdir(&t->ctx, NULL, "/dir/e"), 0);
    expect_text(t, "/hard", "contents");
    assert_int_equal(access(in_root(t->f, "dir/e"), F_OK), -1);
    struct path p;
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/hard", 0, &p), 0);
    assert_int_equal(vfs_chmod(&t->ctx, &p, 0600), 0);
    assert_int_equal(vfs_utimes(&t->ctx, &p, 1000, 2000), 0);
    assert_int_equal(vfs_getattr(&p, &a), 0);
    assert_int_equal(a.mode & 07777, 0600);
    assert_int_equal(a.mtime, 2000);
    path_put(&p);
    assert_int_equal(vfs_mknod(&t->ctx, NULL, "/dev", LINUX_S_IFCHR | 0666, 259, NULL), -LINUX_EPERM);
}

// Deleted while open, and replaced by rename while open: the open file goes on.
static void test_deleted_while_open(void **state) {
    struct mounted *t = *state;
    struct file *f, *g;
    struct vfs_attr a;
    char buf[16] = "";
    assert_int_equal(open_file(t, "/dir/file", LINUX_O_RDWR, &f), 0);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/dir/file"), 0);
    assert_int_equal(vfs_kread(f, buf, 8, 0), 8);
    assert_int_equal(vfs_ftruncate(&t->ctx, f, 3), 0);
    assert_int_equal(vfs_getattr(&f->path, &a), 0);
    assert_int_equal(a.nlink, 0);
    assert_int_equal(a.size, 3);
    put_file(in_root(t->f, "dir/one"), "one");
    put_file(in_root(t->f, "dir/two"), "two");
    assert_int_equal(open_file(t, "/dir/two", LINUX_O_RDONLY, &g), 0);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/dir/one", NULL, "/dir/two", 0), 0);
    expect_text(t, "/dir/two", "one");
    assert_int_equal(vfs_kread(g, buf, 3, 0), 3);
    assert_memory_equal(buf, "two", 3);
    assert_int_equal(vfs_getattr(&g->path, &a), 0);
    assert_int_equal(a.nlink, 0);
    file_put(f);
    file_put(g);
}

// The host changes what lies below a live mount: seen after LIVE_NS.
static void test_host_changes(void **state) {
    struct mounted *t = *state;
    struct vfs_attr a;
    assert_int_equal(attr_of(t, "/dir/late", 0, &a), -LINUX_ENOENT);
    expect_text(t, "/dir/file", "contents");
    put_file(in_root(t->f, "dir/late"), "late");
    put_file(in_root(t->f, "dir/other"), "replaced!");
    assert_int_equal(rename(in_root(t->f, "dir/other"), in_root(t->f, "dir/file")), 0);
    usleep(120000);
    expect_text(t, "/dir/late", "late");
    expect_text(t, "/dir/file", "replaced!");
    assert_int_equal(unlink(in_root(t->f, "dir/late")), 0);
    usleep(120000);
    assert_int_equal(attr_of(t, "/dir/late", 0, &a), -LINUX_ENOENT);
}

// Several sentry threads at once: for ThreadSanitizer and the lock ranks. Each one's own files come out
// right.
static void *worker(void *arg) {
    struct mounted *t = arg;
    static _Atomic int next;
    int id = next++;
    char a[32], b[32];
    snprintf(a, sizeof(a), "/dir/a%d", id);
    snprintf(b, sizeof(b), "/dir/sub/b%d", id);
    for (int i = 0; i < 100; i++) {
        struct file *f;
        struct vfs_attr at;
        struct uio_kernel k;
        char text[] = "text";
        if (vfs_open(&t->ctx, NULL, a, LINUX_O_RDWR | LINUX_O_CREAT | LINUX_O_EXCL, 0600, WALK_FOLLOW, &f))
            return "create";
        uio_kernel_init(&k, text, 4);
        if (vfs_write(&t->ctx, f, &k.u) != 4)
            return "write";
        file_put(f);
        if (vfs_rename(&t->ctx, NULL, a, NULL, b, 0) || attr_of(t, b, 0, &at) || at.size != 4)
            return "rename";
        if (vfs_open(&t->ctx, NULL, "/dir/file", LINUX_O_RDONLY, 0, WALK_FOLLOW, &f))
            return "open";
        file_put(f);
        if (attr_of(t, a, 0, &at) != -LINUX_ENOENT || vfs_unlink(&t->ctx, NULL, b))
            return "unlink";
    }
    return NULL;
}
static void test_threads(void **state) {
    struct mounted *t = *state;
    pthread_t th[4];
    void *failed;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&th[i], NULL, worker, t), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(th[i], &failed), 0);
        if (failed)
            fail_msg("%s", (char *)failed);
    }
}

// Two names of one host file are two inodes where they were made outside: what is done by one is seen by the
// other at once.
static void test_two_names(void **state) {
    struct mounted *t = *state;
    struct vfs_attr a;
    struct path p;
    assert_int_equal(link(in_root(t->f, "dir/file"), in_root(t->f, "dir/again")), 0);
    assert_int_equal(attr_of(t, "/dir/file", 0, &a), 0);
    assert_int_equal(attr_of(t, "/dir/again", 0, &a), 0);
    assert_int_equal(a.nlink, 2);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/dir/file", 0, &p), 0);
    assert_int_equal(vfs_chmod(&t->ctx, &p, 0600), 0);
    path_put(&p);
    assert_int_equal(attr_of(t, "/dir/again", 0, &a), 0);
    assert_int_equal(a.mode & 07777, 0600);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/dir/file"), 0);
    assert_int_equal(attr_of(t, "/dir/again", 0, &a), 0);
    assert_int_equal(a.nlink, 1);
}

// A file that lost the name by which it was met, and lives on by another: still one inode, so who has it open
// sees at once what is done by that name.
static void test_another_name(void **state) {
    struct mounted *t = *state;
    struct file *f;
    struct vfs_attr a;
    struct path p;
    assert_int_equal(open_file(t, "/dir/file", LINUX_O_RDWR, &f), 0);
    for (int round = 0; round < 2; round++) {
        const char *from = round ? "/dir/again" : "/dir/file", *to = round ? "/dir/file" : "/dir/again";
        assert_int_equal(vfs_link(&t->ctx, NULL, from, NULL, to, 0), 0);
        assert_int_equal(vfs_unlink(&t->ctx, NULL, from), 0);
        usleep(120000);
        assert_int_equal(vfs_walk(&t->ctx, NULL, to, 0, &p), 0);
        assert_ptr_equal(p.dentry->inode, f->inode);
        assert_int_equal(vfs_truncate(&t->ctx, &p, 3 - (uint64_t)round), 0);
        path_put(&p);
        assert_int_equal(vfs_getattr(&f->path, &a), 0);
        assert_int_equal(a.size, 3 - round);
        assert_int_equal(a.nlink, 1);
    }
    assert_int_equal(vfs_link(&t->ctx, NULL, "/dir/file", NULL, "/dir/again", 0), 0);
    assert_int_equal(vfs_unlink(&t->ctx, NULL, "/dir/file"), 0);
    assert_int_equal(vfs_rename(&t->ctx, NULL, "/dir/again", NULL, "/dir/file", 0), 0);
    usleep(120000);
    assert_int_equal(vfs_walk(&t->ctx, NULL, "/dir/file", 0, &p), 0);
    assert_ptr_equal(p.dentry->inode, f->inode);
    path_put(&p);
    file_put(f);
}

// Each allocation fails once: an error, no crash; teardown finds no leak.
static void test_no_memory(void **state) {
    struct mounted *t = *state;
    for (unsigned nth = 1; nth < 60; nth++) {
        struct file *f;
        char name[32];
        fault_alloc_at(0);
        fault_alloc_at(nth);
        snprintf(name, sizeof(name), "/dir/n%u", nth);
        if (open_file(t, name, LINUX_O_RDWR | LINUX_O_CREAT, &f) == 0)
            file_put(f);
        snprintf(name, sizeof(name), "/dir/m%u", nth);
        vfs_mkdir(&t->ctx, NULL, name, 0755);
        vfs_rename(&t->ctx, NULL, name, NULL, "/moved", 0);
        vfs_symlink(&t->ctx, "x", NULL, name);
        if (open_file(t, "/dir", LINUX_O_RDONLY, &f) == 0) {
            static struct collect c;
            c = (struct collect){.sink.emit = emit, .room = 4000};
            vfs_readdir(f, &c.sink);
            file_put(f);
        }
    }
    fault_alloc_at(0);
    expect_text(t, "/dir/file", "contents");
}

#define RO(t) cmocka_unit_test_setup_teardown(t, up_ro, mounted_down)
#define FOLLOW(t) cmocka_unit_test_setup_teardown(t, up_follow, mounted_down)
#define RW(t) cmocka_unit_test_setup_teardown(t, up_rw, mounted_down)
int main(void) {
    const struct CMUnitTest tests[] = {
        RO(test_read),
        RO(test_nothing_is_asked_twice),
        RO(test_readdir),
        RO(test_bounds),
        RO(test_many_directories),
        RO(test_special),
        RO(test_mmap),
        RO(test_no_memory),
        FOLLOW(test_read),
        FOLLOW(test_host_changes),
        FOLLOW(test_many_directories),
        RW(test_write),
        RW(test_names),
        RW(test_two_names),
        RW(test_another_name),
        RW(test_deleted_while_open),
        RW(test_host_changes),
        RW(test_no_memory),
        RW(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
