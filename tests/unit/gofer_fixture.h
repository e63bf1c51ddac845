// SPDX-License-Identifier: Apache-2.0
// For the gofer's tests: a temporary host directory, a gofer server on it in this process, and a client whose
// channel calls the server directly. Teardown proves that no descriptor was left open.
#ifndef TESTS_GOFER_FIXTURE_H
#define TESTS_GOFER_FIXTURE_H
#include "abi/errno.h"
#include "fs/goferfs/client.h"
#include "gofer/server.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char root[64], outside[80];
    struct gofer_server *s;
    struct gofer_client *c;
    uint64_t rw, ro;  // handles of the same directory, as root 0 (writable) and root 1 (read-only)
    int fds_before;
};

static inline int open_fds(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        return -1;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static inline int64_t direct_exchange(void *arg, const void *req, size_t n, void *rep, size_t cap,
                                      struct gofer_fds *fds) {
    struct gofer_server *s = arg;
    memcpy(s->rx, req, n);
    int len = gofer_serve_one(s, n);
    if (len < 0)
        return len;
    if (!rep)
        return 0;
    memcpy(rep, s->tx, (size_t)len);
    *fds = s->out;
    s->out.n = 0;
    return len;
}
static inline void direct_close(void *arg) { (void)arg; }

static inline const char *in_root(const struct fixture *f, const char *name) {
    static char path[4][512];
    static int turn;
    char *p = path[turn++ & 3];
    snprintf(p, sizeof(path[0]), "%s/%s", f->root, name);
    return p;
}

static inline void put_file(const char *path, const char *text) {
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static inline int fixture_up(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->fds_before = open_fds();
    umask(0);  // as in the gofer
    strcpy(f->root, "/tmp/picket-gofer-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    snprintf(f->outside, sizeof(f->outside), "%s-outside", f->root);
    put_file(f->outside, "secret");
    f->s = malloc(sizeof(*f->s));
    assert_non_null(f->s);
    struct gofer_root roots[] = {{f->root, true}, {f->root, false}};
    assert_int_equal(gofer_server_init(f->s, roots, 2, 100), 0);
    struct gofer_channel ch = {direct_exchange, direct_close, f->s};
    f->c = gofer_client_new(&ch);
    assert_non_null(f->c);
    bool writable;
    struct gofer_attr a;
    assert_int_equal(client_attach(f->c, 0, &f->rw, &writable, &a), 0);
    assert_true(writable);
    assert_int_equal(client_attach(f->c, 1, &f->ro, &writable, &a), 0);
    assert_false(writable);
    *state = f;
    return 0;
}

static inline int fixture_down(void **state) {
    struct fixture *f = *state;
    char cmd[256];
    gofer_client_free(f->c);
    gofer_server_destroy(f->s);
    free(f->s);
    snprintf(cmd, sizeof(cmd), "rm -rf %s %s", f->root, f->outside);
    assert_int_equal(system(cmd), 0);
    assert_int_equal(open_fds(), f->fds_before);
    free(f);
    return 0;
}

static inline int walk_names(struct gofer_client *c, uint64_t dir, unsigned flags, const char *const *names,
                             unsigned n, struct client_walk *w) {
    struct gofer_names list = {.n = n};
    for (unsigned i = 0; i < n; i++)
        list.v[i] = (struct gofer_str){names[i], (uint32_t)strlen(names[i])};
    return client_walk(c, dir, flags, &list, w);
}

// Walks one name: 0 and its attributes, or -errno.
static inline int walk1(struct fixture *f, uint64_t dir, const char *name, unsigned flags,
                        struct client_walk *w) {
    int err = walk_names(f->c, dir, flags, &name, 1, w);
    return err ? err : -w->stop;
}

#endif
