// SPDX-License-Identifier: Apache-2.0
// The same random calls on an overlay and on a plain tmpfs with the same first content: every answer, and the
// whole tree in between, must be the same. Names are dropped from the cache all the time, so that what is
// kept is what counts.
#include "tests/unit/fs_util.h"

#define CALLS 4000

static void fill(struct fx *x) {
    char name[64];
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "d%d", i);
        fx_mkdir(x, name);
        for (int j = 0; j < 3; j++) {
            snprintf(name, sizeof name, "d%d/n%d", i, j);
            if (j == 2)
                fx_mkdir(x, name);
            else
                fx_put(x, name, name);
        }
        snprintf(name, sizeof name, "d%d/n2/n0", i);
        fx_put(x, name, name);
    }
    fx_symlink(x, "d0/n0", "n0");
}
// A mounted root; the context's references are kept in x.
static struct superblock *tmpfs_root(struct vfs *v) {
    struct tmpfs_opts o = {.mode = 0755};
    struct superblock *sb;
    assert_int_equal(tmpfs_create(v, &o, &sb), 0);
    return sb;
}
static void begin_overlay(struct fx *x) {
    struct vfs *v = vfs_create();
    struct superblock *lower = tmpfs_root(v), *both;
    struct fx low;
    struct path top;
    ref_get(&lower->active);
    fx_begin_on(&low, v, lower);
    fill(&low);
    assert_int_equal(overlay_create(v, lower, tmpfs_root(v), &both), 0);
    assert_int_equal(vfs_mount(v, both, &low.ctx.root, 0, "overlay"), 0);
    assert_int_equal(vfs_walk(&low.ctx, NULL, "/..", 0, &top), 0);
    path_put(&low.ctx.root);
    path_put(&low.ctx.cwd);
    *x = low;
    x->ctx.root = x->ctx.cwd = top;
    path_get(&top);
}

static void random_name(unsigned *seed, char *out, size_t size) {
    unsigned a = rand_r(seed) % 6, b = rand_r(seed) % 4, c = rand_r(seed) % 3;
    switch (rand_r(seed) % 4) {
    case 0:
        snprintf(out, size, rand_r(seed) % 2 ? "d%u" : "n%u", a);
        break;
    case 1:
        snprintf(out, size, "d%u/n%u/n%u", a, b, c);
        break;
    default:
        snprintf(out, size, "d%u/n%u", a, b);
    }
}
// One call, drawn from the seed; the answer as a number.
static int64_t call(struct fx *x, unsigned *seed) {
    char a[64], b[64], buf[128] = {0};
    struct file *f;
    int64_t r;
    random_name(seed, a, sizeof a);
    random_name(seed, b, sizeof b);
    switch (rand_r(seed) % 13) {
    case 0:
        return fx_mkdir(x, a);
    case 1:
        return fx_rmdir(x, a);
    case 2:
        return fx_unlink(x, a);
    case 3:
    case 4:
        return fx_rename(x, a, b);
    case 5:
        return vfs_rename(&x->ctx, NULL, a, NULL, b, LINUX_RENAME_EXCHANGE);
    case 6:
        return fx_link(x, a, b);
    case 7:
        return fx_symlink(x, "../d1/n1", a);
    case 8:
        return fx_chmod(x, a, 0600 + rand_r(seed) % 0100);
    case 9:
        return fx_truncate(x, a, rand_r(seed) % 40);
    case 10:
        r = vfs_open(&x->ctx, NULL, a, LINUX_O_RDONLY, 0, 0, &f);
        if (r == 0) {
            r = fx_read(f, buf, sizeof buf);
            for (char *p = buf; *p; p++)
                r = (r * 31 + *p) % 1000003;
            file_put(f);
        }
        return r;
    default:
        r = vfs_open(&x->ctx, NULL, a, LINUX_O_RDWR | LINUX_O_CREAT | (rand_r(seed) % 2 ? LINUX_O_APPEND : 0),
                     0644, 0, &f);
        if (r == 0) {
            r = fx_write(x, f, b, strlen(b));
            file_put(f);
        }
        return r;
    }
}
// Everything that can be seen of a tree: names, types, modes, link counts, sizes of files, contents.
static uint64_t digest(struct fx *x, const char *dir) {
    char names[8192], path[256], buf[256], *save;
    uint64_t h = 7;
    struct vfs_attr a;
    fx_list(x, dir, 1000, names);
    for (char *s = strtok_r(names, " ", &save); s; s = strtok_r(NULL, " ", &save)) {
        for (char *p = s; *p; p++)
            h = h * 131 + (uint64_t)*p;
        snprintf(path, sizeof path, "%s/%s", dir, s);
        assert_int_equal(fx_stat(x, path, 0, &a), 0);
        h = h * 131 + a.mode;
        h = h * 131 + a.nlink;
        if (LINUX_S_ISDIR(a.mode))
            h = h * 131 + digest(x, path);
        if (!LINUX_S_ISREG(a.mode))
            continue;
        h = h * 131 + a.size;
        struct file *f = fx_open(x, path, LINUX_O_RDONLY, 0);
        int64_t n = fx_read(f, buf, sizeof buf);
        for (int64_t k = 0; k < n; k++)
            h = h * 131 + (uint64_t)buf[k];
        file_put(f);
    }
    return h;
}
static void test_model(void **state) {
    for (unsigned round = 0; round < 8; round++) {
        struct fx plain, over;
        unsigned seed = 1000 + round;
        fx_begin(&plain);
        fill(&plain);
        begin_overlay(&over);
        for (unsigned i = 0; i < CALLS; i++) {
            unsigned s1 = seed, s2 = seed;
            int64_t want = call(&plain, &s1), got = call(&over, &s2);
            if (want != got)
                fail_msg("round %u, call %u: %ld, the overlay says %ld", round, i, (long)want, (long)got);
            seed = s1 * 7 + 1;
            if (i % 7 == 0)
                dcache_shrink(over.vfs, 50);
            if (i % 50 == 0)
                assert_int_equal(digest(&plain, "."), digest(&over, "."));
        }
        fx_end(&plain);
        fx_end(&over);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
