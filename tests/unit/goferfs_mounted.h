// SPDX-License-Identifier: Apache-2.0
// The file system over the gofer as the root of a VFS, with the real gofer server behind it in this process;
// round trips are counted. For tests: mounted_new(), files below in_root(t->f, ...), mounted_start().
#ifndef TESTS_UNIT_GOFERFS_MOUNTED_H
#define TESTS_UNIT_GOFERFS_MOUNTED_H
#include "abi/caps.h"
#include "fs/vfs.h"
#include "tests/unit/gofer_fixture.h"

struct mounted {
    struct fixture *f;
    struct vfs *v;
    struct gofer_client *c;
    struct vfs_ctx ctx;
    struct path root;
};
static int trips;

static int64_t counting_exchange(void *arg, const void *req, size_t n, void *rep, size_t cap,
                                 struct gofer_fds *fds) {
    trips += rep != NULL;
    return direct_exchange(arg, req, n, rep, cap, fds);
}

static struct mounted *mounted_new(void) {
    struct mounted *t = calloc(1, sizeof(*t));
    void *fx;
    assert_non_null(t);
    fixture_up(&fx);
    t->f = fx;
    struct gofer_channel ch = {counting_exchange, direct_close, t->f->s};
    t->c = gofer_client_new(&ch);
    t->v = vfs_create();
    assert_non_null(t->v);
    return t;
}

static struct superblock *mounted_goferfs(struct mounted *t, bool read_only) {
    struct superblock *sb;
    assert_int_equal(goferfs_create(t->v, t->c, read_only, read_only, &sb), 0);
    return sb;
}

static void mounted_start(struct mounted *t, struct superblock *sb) {
    assert_int_equal(vfs_mount(t->v, sb, NULL, 0, "host"), 0);
    assert_int_equal(vfs_root(t->v, &t->root), 0);
    t->ctx = (struct vfs_ctx){
        .vfs = t->v,
        .cred = {.fsuid = geteuid(), .fsgid = getegid(), .caps = LINUX_CAP_FULL_SET},
        .root = t->root,
        .cwd = t->root,
        .umask = 022,
        .fsize_limit = UINT64_MAX,
    };
    trips = 0;
}

static int mounted_down(void **state) {
    struct mounted *t = *state;
    void *fx = t->f;
    path_put(&t->root);
    vfs_destroy(t->v);
    gofer_client_free(t->c);
    fixture_down(&fx);
    free(t);
    return 0;
}

#endif
