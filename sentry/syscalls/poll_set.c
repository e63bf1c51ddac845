// SPDX-License-Identifier: Apache-2.0
// See poll_set.h. The first look is made without any queue; only a call that is to wait copies its set into
// the heap, puts a waiter on the queue of each file, and looks again. A rerun does the same with the files
// that it has kept. No lock is held while a file is asked, so that one file may be listed many times.
#include "sentry/syscalls/poll_set.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/run/park.h"
#include <stdlib.h>
#include <string.h>

int poll_set_init(struct poll_set *s, struct task *t, unsigned n, uint32_t always) {
    s->t = t;
    s->always = always;
    s->n = 0;
    s->w = NULL;
    s->e = s->fast;
    if (n > POLL_FAST)
        s->e = xcalloc(n, sizeof *s->e);
    else
        memset(s->fast, 0, n * sizeof s->fast[0]);
    if (!s->e)
        return -LINUX_ENOMEM;
    s->n = n;
    return 0;
}

void poll_set_free(struct poll_set *s) {
    for (unsigned i = 0; i < s->n; i++)
        if (s->e[i].file)
            file_put(s->e[i].file);
    if (s->e != s->fast)
        free(s->e);
    s->e = s->fast;
    s->w = NULL;
    s->n = 0;
}

static void cleanup(struct task *t) {
    struct poll_set *s = take_ptr(t->call.own.polled);
    poll_set_free(s);
    free(s);
}

struct poll_set *poll_set_of(struct task *t) {
    return t->call.again ? t->call.own.polled : NULL;
}

// A set in the heap with a waiter for each entry, which is the call's; the entries move over.
static struct poll_set *keep(struct poll_set *s) {
    struct poll_set *k = znew(struct poll_set);
    struct waiter *w = k && s->n ? park_many(s->t, s->n) : NULL;
    if (!k || (s->n && !w)) {
        free(k);
        return NULL;
    }
    *k = *s;
    k->w = w;
    if (s->e == s->fast)
        k->e = k->fast;
    s->e = s->fast;
    s->n = 0;
    struct call *c = &s->t->call;
    c->own.polled = k;
    c->cleanup = cleanup;
    return k;
}

static bool wake(struct waiter *w, uint32_t events) {
    task_wake(w->arg);
    return true;
}

static uint32_t ask(struct poll_set *s, unsigned i) {
    struct poll_entry *e = &s->e[i];
    if (!e->file)
        return LINUX_POLLNVAL;
    struct waiter *w = s->w ? &s->w[i] : NULL;
    if (w) {
        waitq_del(w);
        w->events = e->events | s->always;
        w->wake = wake;
        w->arg = s->t;
    }
    return vfs_poll(e->file, w) & (e->events | s->always);
}

// Asks every file; once one has something, the others are asked without being waited for.
static int64_t look(struct poll_set *s) {
    int64_t found = 0;
    struct waiter *w = s->w;
    for (unsigned i = 0; i < s->n; i++) {
        if (s->e[i].fd < 0)
            continue;
        s->e[i].revents = ask(s, i);
        if (s->e[i].revents) {
            found++;
            s->w = NULL;
        }
    }
    s->w = w;
    return found;
}

static void get_files(struct poll_set *s) {
    for (unsigned i = 0; i < s->n; i++)
        if (s->e[i].fd >= 0)
            s->e[i].file = fd_get_io(s->t->files, s->e[i].fd);
}

int64_t poll_set_wait(struct poll_set **set, uint64_t deadline) {
    struct poll_set *s = *set;
    struct task *t = s->t;
    if (!s->w && s != t->call.own.polled) {
        get_files(s);
        int64_t found = look(s);
        if (found || deadline == POLL_AT_ONCE)
            return found;
        s = keep(s);
        if (!s)
            return -LINUX_ENOMEM;
        *set = s;
    }
    int64_t found = look(s);
    if (found || t->call.timed_out)
        return found;
    if (deadline != POLL_FOREVER)
        park_deadline(t, deadline);
    if (t->call.timed_out)
        return 0;
    int64_t r = park(t);
    return r == SYS_PARK ? r : -LINUX_ERESTARTNOHAND;
}
