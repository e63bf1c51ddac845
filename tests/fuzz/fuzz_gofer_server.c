// SPDX-License-Identifier: Apache-2.0
// A hostile sentry: feeds requests to the gofer's dispatcher, on a small tree below /tmp that is made for it.
// Input: a run of records, each a length of 16 bits, a message number, and a body. The header is made here,
// so that the bytes go where they matter; handles in the body's first 8 bytes below 4 are replaced by real
// ones.
//
// What must hold: no crash, no descriptor leak, and the file outside of the root is never changed or reached.
#include "gofer/server.h"
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct gofer_server *s;
static char base[64];
static uint64_t handles[4];
static ino_t outside;

static void put(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", base, name);
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static void remove_tree(void) {
    char cmd[128];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", base);
    if (system(cmd) != 0)
        fprintf(stderr, "%s: not removed\n", base);
}

// The tree as it is at the start: made anew when requests have changed it.
static void make_tree(void) {
    char path[128];
    snprintf(path, sizeof(path), "rm -rf %s/root", base);
    if (system(path) != 0)
        abort();
    snprintf(path, sizeof(path), "%s/root", base);
    if (mkdir(path, 0777) < 0 || chdir(path) < 0 || mkdir("a", 0777) < 0 || mkdir("a/b", 0777) < 0)
        abort();
    put("root/f", "text");
    put("root/a/g", "more");
    if (symlink("../secret", "out") < 0 || mkfifo("p", 0666) < 0)
        abort();
}

static void start(void) {
    strcpy(base, "/tmp/picket-fuzz-XXXXXX");
    if (!mkdtemp(base))
        abort();
    atexit(remove_tree);
    umask(0);
    put("secret", "outside");
    char path[128];
    snprintf(path, sizeof(path), "%s/secret", base);
    struct stat st;
    if (stat(path, &st) < 0)
        abort();
    outside = st.st_ino;
}

static void attach(void) {
    char root[80];
    snprintf(root, sizeof(root), "%s/root", base);
    struct gofer_root roots[] = {{root, true}, {root, false}};
    s = malloc(sizeof(*s));
    if (!s || gofer_server_init(s, roots, 2, 64))
        abort();
    for (uint32_t i = 0; i < 4; i++) {
        struct gofer_attach_req q = {i & 1};
        struct gofer_attach_rep r;
        if (op_attach(s, &q, &r))
            abort();
        handles[i] = r.handle;
    }
}

static void one(unsigned type, const uint8_t *body, size_t n) {
    if (n > GOFER_MSG_MAX - GOFER_HDR_SIZE)
        n = GOFER_MSG_MAX - GOFER_HDR_SIZE;
    struct gofer_hdr h = {(uint32_t)(GOFER_HDR_SIZE + n), (uint16_t)type, 0, 1, 0};
    gofer_put_hdr(s->rx, &h);
    uint8_t *at = s->rx + GOFER_HDR_SIZE;
    memcpy(at, body, n);
    if (n >= 8 && at[0] < 4 && !memcmp(at + 1, "\0\0\0\0\0\0\0", 7))
        for (unsigned i = 0, k = at[0]; i < 8; i++)
            at[i] = (uint8_t)(handles[k] >> (8 * i));
    int len = gofer_serve_one(s, GOFER_HDR_SIZE + n);
    if (len < 0 || len > GOFER_MSG_MAX)
        abort();
    struct stat st;
    for (uint32_t i = 0; i < s->out.n; i++)
        if (fstat(s->out.v[i], &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino == outside)
            abort();
    gofer_close_out(s);
}

static int open_fds(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static unsigned runs;
    if (!base[0])
        start();
    if (runs++ % 64 == 0)
        make_tree();
    int before = open_fds();
    attach();
    while (n >= 3) {
        size_t len = data[0] | (size_t)data[1] << 8;
        unsigned type = data[2];
        data += 3;
        n -= 3;
        if (len > n)
            len = n;
        one(type, data, len);
        data += len;
        n -= len;
    }
    gofer_server_destroy(s);
    free(s);
    if (open_fds() != before)
        abort();
    return 0;
}
