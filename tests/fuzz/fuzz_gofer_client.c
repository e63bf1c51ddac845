// SPDX-License-Identifier: Apache-2.0
// A hostile gofer: feeds replies to the sentry's client. Input: one byte that chooses the call (its low bits)
// and whether descriptors come along (bit 7) or the header is the input's own (bit 6), then the reply's
// fields. What must hold: no crash, no descriptor leak, and only sane attributes and sizes reach the caller.
#include "abi/errno.h"
#include "abi/stat.h"
#include "base/log.h"
#include "fs/goferfs/client.h"
#include "tests/fuzz/fuzz.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reply {
    const uint8_t *data;
    size_t n;
    unsigned fds;
    bool raw;
};

static int64_t exchange(void *arg, const void *req, size_t n, void *rep, size_t cap, struct gofer_fds *fds) {
    struct reply *r = arg;
    struct gofer_hdr q;
    if (gofer_get_hdr(req, n, &q))
        abort();
    if (!rep)
        return 0;
    for (unsigned i = 0; i < r->fds; i++)
        if ((fds->v[fds->n] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)) >= 0)
            fds->n++;
    size_t head = r->raw ? 0 : GOFER_HDR_SIZE, len = r->n < cap - head ? r->n : cap - head;
    memcpy((uint8_t *)rep + head, r->data, len);
    struct gofer_hdr h = {(uint32_t)(head + len), q.type, (uint16_t)fds->n, q.tag, 0};
    if (!r->raw)
        gofer_put_hdr(rep, &h);
    return (int64_t)(head + len);
}
static void no_close(void *arg) {}

static void check(int err, const struct gofer_attr *a) {
    if (err >= 0 && a->size > INT64_MAX)
        abort();
}

#define OPEN_ALL 12
static void open_all(struct gofer_client *c, const struct gofer_names *names) {
    struct gofer_attrs attrs;
    struct gofer_fds fds;
    if (client_open_all(c, 1, names, &attrs, &fds))
        return;
    if (attrs.n != fds.n || fds.n > names->n)
        abort();
    for (uint32_t i = 0; i < fds.n; i++) {
        check(0, &attrs.v[i]);
        close(fds.v[i]);
    }
}

static void call(struct gofer_client *c, unsigned which) {
    static struct client_walk w;
    static char buf[GOFER_BYTES_MAX];
    static char text[GOFER_PATH_MAX + 1];
    const struct gofer_names names = {3, {{"a", 1}, {"b", 1}, {"c", 1}}};
    struct gofer_attr a;
    struct gofer_statfs_rep st;
    struct gofer_setattr_req sa = {.handle = 1};
    uint64_t h;
    bool flag;
    int fd = -1, n;
    switch (which) {
    case 0:
        check(client_attach(c, 0, &h, &flag, &a), &a);
        break;
    case 1:
    case 11:
        if (client_walk(c, 1, which == 1 ? GOFER_WALK_HANDLE_ANY : GOFER_WALK_HANDLE_DIR | GOFER_WALK_OPEN,
                        &names, &w))
            break;
        if (w.attrs.n > 3 || strlen(w.link) > GOFER_PATH_MAX || client_walk_dir(&w) >= (int)w.attrs.n)
            abort();
        if ((fd = w.fd) >= 0 && !LINUX_S_ISREG(w.attrs.v[2].mode))
            abort();
        break;
    case 2:
        check(fd = client_open(c, 1, "f", 1, &a), &a);
        break;
    case 3:
        n = client_readdir(c, 1, NULL, 0, buf, &flag, NULL);
        struct gofer_in in = {(uint8_t *)buf, n > 0 ? (size_t)n : 0, false};
        struct gofer_entry e;
        while (gofer_get_entry(&in, &e) > 0)
            if (!gofer_name_ok(e.name.p, e.name.n))
                abort();
        break;
    case 4:
        client_readlink(c, 1, NULL, text);
        break;
    case 5:
        check(fd = client_create(c, 1, "f", 0644, 0, 0, &a), &a);
        break;
    case 6:
        check(client_setattr(c, &sa, "f", &a), &a);
        break;
    case 7:
        client_statfs(c, 1, &st);
        break;
    case 8:
        client_getxattr(c, 1, "f", "user.x", buf, 100);
        break;
    case 9:
        client_listxattr(c, 1, "f", buf, 100);
        break;
    case 10:
        check(client_getattr(c, 1, "f", &a), &a);
        break;
    case OPEN_ALL:
        open_all(c, &names);
        break;
    default:
        client_unlink(c, 1, "f", false);
    }
    if (fd >= 0)
        close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static int quiet = -1;
    if (quiet < 0) {
        quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        log_set_fd(quiet);
    }
    if (n == 0)
        return 0;
    unsigned which = data[0] & 15, fds = which == OPEN_ALL ? 3 : 1;
    struct reply r = {data + 1, n - 1, data[0] & 0x80 ? fds : 0, data[0] & 0x40};
    struct gofer_channel ch = {exchange, no_close, &r};
    struct gofer_client *c = gofer_client_new(&ch);
    if (!c)
        return 0;
    int before = dup(quiet), after;
    close(before);
    call(c, which);
    after = dup(quiet);  // the lowest free number: the same again unless one leaked
    if (after != before)
        abort();
    close(after);
    gofer_client_free(c);
    return 0;
}
