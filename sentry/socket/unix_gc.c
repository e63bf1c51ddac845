// SPDX-License-Identifier: Apache-2.0
// Unix sockets that were sent over unix sockets (SCM_RIGHTS) can hold each other: a queue holds a file, whose
// socket's queue holds the first one's, and no program can reach either. unix_collect() finds such sockets
// and empties their queues, which ends them.
//
// A socket is suspect when all references of its file are in queues. Of these, references from queues of
// other suspects prove nothing; whoever is left with one from another queue is reachable, and so is all that
// its queue carries. What is reachable from nowhere is garbage: no call can reach it any more, so nothing
// changes about it after the locks are dropped.
//
// Locks: `flight` (RANK_LEAF) guards all that is counted here. It is taken with a queue's lock when files go
// into a queue or out of it, so that no file lands while it is held; the namespace's before it, for
// connections that nobody has accepted yet, whose queues count as their listener's.
#include "fs/vfs.h"
#include "sentry/socket/unix.h"

static struct unix_sock *of_file(struct file *f) {
    struct socket *s = socket_of(f);
    return s && s->family == LINUX_AF_UNIX ? usock(s) : NULL;
}

void unix_flies(struct unix_sock *to, struct unix_msg *m) {
    struct unix_ns *ns = unix_ns(to);
    bool any = false;
    if (!m->files)
        return;
    LOCKED(&ns->flight);
    for (unsigned i = 0; i < m->files->n; i++) {
        struct unix_sock *u = of_file(m->files->f[i]);
        if (!u)
            continue;
        any = true;
        u->flying_file = m->files->f[i];
        if (u->flying++ == 0) {
            list_add_tail(&ns->flying, &u->flying_link);
            ns->nflying++;
        }
    }
    if (any)
        list_add_tail(&to->carriers, &m->carrier);
}

void unix_landed(struct unix_msg *m) {
    struct unix_ns *ns = unix_ns(m->sender);
    if (!m->files)
        return;
    LOCKED(&ns->flight);
    if (!list_linked(&m->carrier))
        return;
    list_del(&m->carrier);
    for (unsigned i = 0; i < m->files->n; i++) {
        struct unix_sock *u = of_file(m->files->f[i]);
        if (u && --u->flying == 0) {
            list_del(&u->flying_link);
            ns->nflying--;
        }
    }
}

// ---- Marking ----------------------------------------------------------------------------------------------
struct marking {
    struct list reached;  // by gc_link: suspects whose queues have still to be looked at
};

static void no_proof(struct marking *k, struct unix_sock *u) { u->gc_proofs--; }
static void reach(struct marking *k, struct unix_sock *u) {
    if (u->gc_suspect && !u->gc_reached) {
        u->gc_reached = true;
        list_add_tail(&k->reached, &u->gc_link);
    }
}

// Does that to each socket that the queues of u carry, once for each reference.
static void each_in_queue(struct unix_sock *u, struct marking *k,
                          void (*visit)(struct marking *k, struct unix_sock *u)) {
    struct unix_msg *m;
    list_for_each(m, &u->carriers, carrier)
        for (unsigned i = 0; i < m->files->n; i++)
            if (of_file(m->files->f[i]))
                visit(k, of_file(m->files->f[i]));
}
static void each_carried(struct unix_sock *u, struct marking *k,
                         void (*visit)(struct marking *k, struct unix_sock *u)) {
    struct unix_sock *n;
    each_in_queue(u, k, visit);
    list_for_each(n, &u->pending, pending_link)
        each_in_queue(n, k, visit);
}

// Both locks are held. Garbage is put on the list by gc_link, referenced.
static void find_garbage(struct unix_ns *ns, struct list *garbage) {
    struct marking k;
    struct unix_sock *u;
    list_init(&k.reached);
    list_for_each(u, &ns->flying, flying_link) {
        u->gc_suspect = ref_read(&u->flying_file->refs) == u->flying;
        u->gc_reached = false;
        u->gc_proofs = u->flying;
    }
    list_for_each(u, &ns->flying, flying_link)
        if (u->gc_suspect)
            each_carried(u, &k, no_proof);
    list_for_each(u, &ns->flying, flying_link)
        if (u->gc_proofs > 0)
            reach(&k, u);
    while (!list_empty(&k.reached)) {
        u = list_first(&k.reached, struct unix_sock, gc_link);
        list_del(&u->gc_link);
        each_carried(u, &k, reach);
    }
    list_for_each(u, &ns->flying, flying_link)
        if (u->gc_suspect && !u->gc_reached) {
            unix_get(u);
            list_add_tail(garbage, &u->gc_link);
        }
}

void unix_collect(struct unix_ns *ns) {
    struct list garbage = LIST_INIT(garbage), msgs = LIST_INIT(msgs);
    struct unix_sock *u, *n;
    {
        LOCKED(&ns->lock);
        {
            LOCKED(&ns->flight);
            find_garbage(ns, &garbage);
        }
        list_for_each(u, &garbage, gc_link) {
            unix_empty(u, &msgs);
            list_for_each(n, &u->pending, pending_link)
                unix_empty(n, &msgs);
        }
    }
    unix_free_msgs(&msgs);
    while (!list_empty(&garbage)) {
        u = list_first(&garbage, struct unix_sock, gc_link);
        list_del(&u->gc_link);
        unix_put(u);
    }
}

// A pass looks at all that fly, so not every close makes one.
#define PASS_EVERY 16u
void unix_closed_one(struct unix_ns *ns) {
    {
        LOCKED(&ns->flight);
        unsigned every = ns->nflying / 4 < PASS_EVERY ? ns->nflying / 4 : PASS_EVERY;
        if (ns->nflying == 0 || ++ns->closed < every)
            return;
        ns->closed = 0;
    }
    unix_collect(ns);
}
