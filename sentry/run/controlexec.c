// SPDX-License-Identifier: Apache-2.0
// See controlexec.h. Everything that counts is checked against what is there before it is used; each string
// must end within the message, and the last one with it.
#include "sentry/run/controlexec.h"
#include "base/fault.h"
#include "sentry/control.h"
#include <stdlib.h>
#include <string.h>

#define STRINGS_MAX 8192u
#define GROUPS_MAX  65536u

// The next string of [*p, end); NULL: there is none that ends.
static char *next_string(const char **p, const char *end) {
    const char *s = *p, *nul = memchr(s, '\0', (size_t)(end - s));
    if (!nul)
        return NULL;
    *p = nul + 1;
    return (char *)s;
}

static bool strings_read(struct exec_request *r, const struct control_exec *m, const char *p,
                         const char *end) {
    r->process.cwd = next_string(&p, end);
    if (!r->process.cwd)
        return false;
    char **v = r->vectors;
    for (uint32_t i = 0; i < m->nargs; i++)
        if (!(*v++ = next_string(&p, end)))
            return false;
    *v++ = NULL;
    for (uint32_t i = 0; i < m->nenv; i++)
        if (!(*v++ = next_string(&p, end)))
            return false;
    *v = NULL;
    r->process.argv = r->vectors;
    r->process.envp = r->vectors + m->nargs + 1;
    return p == end;
}

static void numbers_read(struct sentry_process *p, const struct control_exec *m) {
    p->cwd_wanted = true;
    p->uid = m->uid;
    p->gid = m->gid;
    p->umask = m->umask & 0777;
    p->has_caps = m->has_caps;
    memcpy(p->caps, m->caps, sizeof p->caps);
    p->no_new_privs = m->no_new_privs;
    p->oom_score_adj = m->oom_score_adj;
    p->more_fds = m->more_fds;
    p->limits_set = m->limits_set & ((1u << SENTRY_NLIMITS) - 1);
    for (unsigned i = 0; i < SENTRY_NLIMITS; i++) {
        p->limits[i].cur = m->limits[i][0];
        p->limits[i].max = m->limits[i][1];
    }
}

static bool bounds_ok(const struct control_exec *m, size_t n) {
    if (n < sizeof *m || m->nargs < 1 || m->nargs > STRINGS_MAX || m->nenv > STRINGS_MAX ||
        m->ngroups > GROUPS_MAX || m->more_fds > SENTRY_FDS - 3)
        return false;
    return m->oom_score_adj >= -1000 && m->oom_score_adj <= 1000 &&
           n - sizeof *m >= m->ngroups * sizeof(uint32_t);
}

struct exec_request *controlexec_read(const void *message, size_t n) {
    const struct control_exec *m = message;
    if (!bounds_ok(m, n))
        return NULL;
    struct exec_request *r = znew(struct exec_request);
    if (!r)
        return NULL;
    size_t groups = m->ngroups * sizeof(uint32_t);
    const char *p = (const char *)(m + 1), *end = (const char *)message + n;
    r->groups = xcalloc(m->ngroups + 1, sizeof *r->groups);
    r->vectors = xcalloc(m->nargs + m->nenv + 2, sizeof *r->vectors);
    if (!r->groups || !r->vectors || !strings_read(r, m, p + groups, end)) {
        controlexec_free(r);
        return NULL;
    }
    memcpy(r->groups, p, groups);
    numbers_read(&r->process, m);
    r->process.groups = r->groups;
    r->process.ngroups = m->ngroups;
    return r;
}

void controlexec_free(struct exec_request *r) {
    if (!r)
        return;
    free(r->groups);
    free(r->vectors);
    free(r);
}
