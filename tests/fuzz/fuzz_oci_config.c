// SPDX-License-Identifier: Apache-2.0
// A hostile config.json: the walk along the table of fields, and everything that is made of the values. What
// must hold: no crash, nothing lost; and what is accepted has a program, absolute paths, and mounts that are
// in order.
#include "oci/config.h"
#include "tests/fuzz/fuzz.h"
#include <stdlib.h>
#include <string.h>

#define CHECK(cond) \
    do { \
        if (!(cond)) \
            abort(); \
    } while (0)

static unsigned depth(const char *path) {
    unsigned n = 0;
    for (; *path; path++)
        n += *path == '/' && path[1];
    return n;
}

static void check(const struct config *c) {
    CHECK(c->process.what.argv[0] && c->process.what.cwd[0] == '/');
    CHECK(c->nroots >= 1 && c->nroots <= GOFER_ROOTS_MAX);
    for (unsigned i = 0; i < c->nmounts; i++) {
        const struct sentry_mount *m = &c->mounts[i];
        bool own = m->kind != SENTRY_MASK && m->kind != SENTRY_RDONLY;
        CHECK(m->target[0] == '/' && !strstr(m->target, "/../") && !strstr(m->target, "//"));
        CHECK(m->kind != SENTRY_BIND || (m->root > 0 && m->root < (unsigned)c->nroots));
        CHECK(!own || i == 0 || depth(c->mounts[i - 1].target) <= depth(m->target));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const struct oci o = {0};
    struct config c;
    struct error e;
    if (config_parse(&o, (const char *)data, n, &c, &e) == 0) {
        check(&c);
        config_free(&c);
    }
    return 0;
}
