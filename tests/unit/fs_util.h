// SPDX-License-Identifier: Apache-2.0
// A tmpfs root and short calls for the tests of fs/. Every test ends in fx_end(), which proves that nothing
// is left.
#ifndef TESTS_UNIT_FS_UTIL_H
#define TESTS_UNIT_FS_UTIL_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include <stdio.h>
#include <string.h>

struct fx {
    struct vfs *vfs;
    struct vfs_ctx ctx;
    struct superblock *sb;
};
static inline void fx_begin_on(struct fx *x, struct vfs *v, struct superblock *sb) {
    *x = (struct fx){.vfs = v, .sb = sb};
    assert_int_equal(vfs_mount(v, sb, NULL, 0, "root"), 0);
    x->ctx = (struct vfs_ctx){
        .vfs = v, .cred = {.caps = LINUX_CAP_FULL_SET}, .umask = 022, .fsize_limit = UINT64_MAX};
    assert_int_equal(vfs_root(v, &x->ctx.root), 0);
    x->ctx.cwd = x->ctx.root;
    path_get(&x->ctx.cwd);
}
static inline void fx_begin_limited(struct fx *x, uint64_t bytes, uint64_t inodes) {
    struct tmpfs_opts o = {.mode = 0755, .max_bytes = bytes, .max_inodes = inodes};
    struct superblock *sb;
    struct vfs *v = vfs_create();
    assert_non_null(v);
    assert_int_equal(tmpfs_create(v, &o, &sb), 0);
    fx_begin_on(x, v, sb);
}
static inline void fx_begin(struct fx *x) { fx_begin_limited(x, 0, 0); }
static inline void fx_end(struct fx *x) {
    path_put(&x->ctx.cwd);
    path_put(&x->ctx.root);
    vfs_destroy(x->vfs);
}
static inline void fx_user(struct fx *x, uint32_t uid) {  // becomes an ordinary user; 0: root again
    x->ctx.cred = (struct vfs_cred){.fsuid = uid, .fsgid = uid, .caps = uid ? 0 : LINUX_CAP_FULL_SET};
}

static inline struct file *fx_open(struct fx *x, const char *name, unsigned flags, uint32_t mode) {
    struct file *f;
    int err = vfs_open(&x->ctx, NULL, name, flags, mode, 0, &f);
    if (err)
        fail_msg("open %s: %d", name, err);
    return f;
}
static inline int fx_open_err(struct fx *x, const char *name, unsigned flags) {
    struct file *f;
    int err = vfs_open(&x->ctx, NULL, name, flags, 0666, 0, &f);
    if (!err)
        file_put(f);
    return err;
}
static inline int64_t fx_write(struct fx *x, struct file *f, const void *p, size_t n) {
    struct uio_kernel k;
    uio_kernel_init(&k, (void *)(uintptr_t)p, n);
    return vfs_write(&x->ctx, f, &k.u);
}
static inline int64_t fx_pwrite(struct fx *x, struct file *f, const void *p, size_t n, uint64_t off) {
    struct uio_kernel k;
    uio_kernel_init(&k, (void *)(uintptr_t)p, n);
    return vfs_pwrite(&x->ctx, f, &k.u, off);
}
static inline int64_t fx_read(struct file *f, void *p, size_t n) {
    struct uio_kernel k;
    uio_kernel_init(&k, p, n);
    return vfs_read(f, &k.u);
}
static inline int64_t fx_pread(struct file *f, void *p, size_t n, uint64_t off) {
    struct uio_kernel k;
    uio_kernel_init(&k, p, n);
    return vfs_pread(f, &k.u, off);
}
static inline void fx_put(struct fx *x, const char *name, const char *text) {  // a file with that text
    struct file *f = fx_open(x, name, LINUX_O_WRONLY | LINUX_O_CREAT | LINUX_O_TRUNC, 0644);
    assert_int_equal(fx_write(x, f, text, strlen(text)), strlen(text));
    file_put(f);
}
static inline void fx_expect(struct fx *x, const char *name, const char *text) {
    char buf[256] = {0};
    struct file *f = fx_open(x, name, LINUX_O_RDONLY, 0);
    assert_int_equal(fx_read(f, buf, sizeof buf - 1), strlen(text));
    assert_string_equal(buf, text);
    file_put(f);
}
static inline int fx_stat(struct fx *x, const char *name, unsigned walk, struct vfs_attr *a) {
    struct path p;
    int err = vfs_walk(&x->ctx, NULL, name, walk, &p);
    if (err)
        return err;
    err = vfs_getattr(&p, a);
    path_put(&p);
    return err;
}
static inline int fx_exists(struct fx *x, const char *name) {
    struct vfs_attr a;
    return fx_stat(x, name, 0, &a);
}
static inline int fx_mkdir(struct fx *x, const char *name) { return vfs_mkdir(&x->ctx, NULL, name, 0777); }
static inline int fx_rmdir(struct fx *x, const char *name) { return vfs_rmdir(&x->ctx, NULL, name); }
static inline int fx_unlink(struct fx *x, const char *name) { return vfs_unlink(&x->ctx, NULL, name); }
static inline int fx_rename(struct fx *x, const char *a, const char *b) {
    return vfs_rename(&x->ctx, NULL, a, NULL, b, 0);
}
static inline int fx_symlink(struct fx *x, const char *target, const char *name) {
    return vfs_symlink(&x->ctx, target, NULL, name);
}
static inline int fx_link(struct fx *x, const char *a, const char *b) {
    return vfs_link(&x->ctx, NULL, a, NULL, b, 0);
}
static inline int fx_with_path(struct fx *x, const char *name, int (*fn)(struct fx *, struct path *)) {
    struct path p;
    int err = vfs_walk(&x->ctx, NULL, name, WALK_FOLLOW, &p);
    if (err)
        return err;
    err = fn(x, &p);
    path_put(&p);
    return err;
}
static inline int fx_chmod(struct fx *x, const char *name, uint32_t mode) {
    struct path p;
    int err = vfs_walk(&x->ctx, NULL, name, WALK_FOLLOW, &p);
    if (err)
        return err;
    err = vfs_chmod(&x->ctx, &p, mode);
    path_put(&p);
    return err;
}
static inline int fx_chown(struct fx *x, const char *name, uint32_t uid, uint32_t gid) {
    struct path p;
    int err = vfs_walk(&x->ctx, NULL, name, 0, &p);
    if (err)
        return err;
    err = vfs_chown(&x->ctx, &p, uid, gid);
    path_put(&p);
    return err;
}
static inline int fx_truncate(struct fx *x, const char *name, uint64_t size) {
    struct path p;
    int err = vfs_walk(&x->ctx, NULL, name, WALK_FOLLOW, &p);
    if (err)
        return err;
    err = vfs_truncate(&x->ctx, &p, size);
    path_put(&p);
    return err;
}

// The names of a directory, sorted, with a space after each; "." and ".." left out. `batch`: so many a call.
struct fx_sink {
    struct readdir_sink s;
    char names[200][64];
    unsigned n, room;
};
static inline bool fx_emit(struct readdir_sink *s, const char *name, size_t len, uint64_t ino, unsigned type,
                           uint64_t off) {
    struct fx_sink *k = container_of(s, struct fx_sink, s);
    if (k->room == 0)
        return false;
    k->room--;
    assert_true(ino != 0);
    if (len < 3 && name[0] == '.' && (len == 1 || name[1] == '.'))
        return true;
    assert_true(k->n < 200 && len < 64);
    memcpy(k->names[k->n], name, len);
    k->names[k->n++][len] = 0;
    return true;
}
static inline int fx_compare(const void *a, const void *b) { return strcmp(a, b); }
static inline void fx_list(struct fx *x, const char *dir, unsigned batch, char *out) {
    static struct fx_sink k;
    memset(&k, 0, sizeof k);
    k.s.emit = fx_emit;
    struct file *f = fx_open(x, dir, LINUX_O_RDONLY | LINUX_O_DIRECTORY, 0);
    do {
        k.room = batch;
        assert_int_equal(vfs_readdir(f, &k.s), 0);
    } while (k.room != batch);
    file_put(f);
    qsort(k.names, k.n, sizeof k.names[0], fx_compare);
    *out = 0;
    for (unsigned i = 0; i < k.n; i++) {
        strcat(out, k.names[i]);
        strcat(out, " ");
    }
}
static inline void fx_expect_list(struct fx *x, const char *dir, const char *want) {
    char got[8192];
    fx_list(x, dir, 1000, got);
    assert_string_equal(got, want);
    fx_list(x, dir, 1, got);
    assert_string_equal(got, want);
}

#endif
