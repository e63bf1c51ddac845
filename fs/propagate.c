// SPDX-License-Identifier: Apache-2.0
// Propagation of mounts, mount_namespaces(7). Mounts of one group are peers: a ring without a head. A slave
// names one peer of the group that it hears of as its master, and may be in a group of its own too. What is
// mounted on a mount is mounted once more on all that hears of it, at the same name, if that can be seen
// there.
//
// Who hears is collected first, masters before their slaves (hearers()); then copies are made, which nobody
// sees until all of them are there. What goes off is decided for all before the first goes.
#include "abi/misc.h"
#include "fs/mnt.h"

static struct mount *next_peer(const struct mount *m) {
    return list_entry(m->peers.next, struct mount, peers);
}

bool mounts_are_peers(const struct mount *a, const struct mount *b) {
    return a == b || (a->group && a->group == b->group);
}

static unsigned new_group(struct mount *m) {
    struct vfs *v = m->sb->vfs;
    if (++v->next_group == 0)
        v->next_group = 1;
    return v->next_group;
}

static void follow(struct mount *m, struct mount *master) {
    m->master = master;
    list_add_tail(&master->slaves, &m->slave);
}

void propagation_inherit(struct mount *c, struct mount *old, unsigned how) {
    c->unbindable = old->unbindable && !(how & COPY_SHARED);
    if (how & COPY_PRIVATE)
        return;
    if ((how & COPY_SLAVE) && old->group) {
        follow(c, old);
    } else {
        if (old->group) {
            c->group = old->group;
            list_add(&old->peers, &c->peers);
        }
        if (old->master)
            follow(c, old->master);
    }
    if ((how & COPY_SHARED) && !c->group)
        c->group = new_group(c);
}

// ---- What a mount is --------------------------------------------------------------------------------------
// One of its peers, of the same root where there is such a one.
static struct mount *heir_of(const struct mount *m) {
    for (struct mount *p = next_peer(m); p != m; p = next_peer(p))
        if (p->root == m->root)
            return p;
    return next_peer(m);
}

// m hears of its peers, or of its master where it has none; those that heard of it do too.
static void make_slave(struct mount *m) {
    struct mount *master = list_empty(&m->peers) ? m->master : heir_of(m);
    list_del(&m->peers);
    list_del(&m->slave);
    m->group = 0;
    m->master = NULL;
    while (!list_empty(&m->slaves)) {
        struct mount *s = list_first(&m->slaves, struct mount, slave);
        list_del(&s->slave);
        s->master = NULL;
        if (master)
            follow(s, master);
    }
    if (master)
        follow(m, master);
}

static void make_shared(struct mount *m) {
    if (!m->group)
        m->group = new_group(m);
    m->unbindable = false;
}

void propagation_set(struct mount *m, unsigned long kind) {
    if (kind == LINUX_MS_SHARED) {
        make_shared(m);
        return;
    }
    make_slave(m);
    if (kind == LINUX_MS_SLAVE)
        return;
    list_del(&m->slave);
    m->master = NULL;
    m->unbindable = kind == LINUX_MS_UNBINDABLE;
}

void propagation_join(struct mount *m, struct mount *like) {
    if (like->master)
        follow(m, like->master);
    if (like->group) {
        m->group = like->group;
        list_add(&like->peers, &m->peers);
        m->unbindable = false;
    }
}

// ---- Who hears --------------------------------------------------------------------------------------------
static void append_group(struct list *out, struct mount *m) {
    struct mount *p = m;
    do {
        list_add_tail(out, &p->heard);
        p = next_peer(p);
    } while (p != m);
}

// m itself first, then its peers, then group by group, each after the one that it hears of.
static void hearers(struct mount *m, struct list *out) {
    struct mount *it, *s;
    append_group(out, m);
    list_for_each(it, out, heard)
        list_for_each(s, &it->slaves, slave)
            if (!list_linked(&s->heard))
                append_group(out, s);
}

static void forget(struct list *out) {
    while (!list_empty(out))
        list_del(out->next);
}

bool propagates_to(const struct mount *from, const struct mount *to) {
    const struct mount *m = to;
    for (; m; m = m->master)
        if (mounts_are_peers(m, from))
            return true;
    return false;
}

// ---- Mounting ---------------------------------------------------------------------------------------------
struct spread {
    struct mount *tree;
    const struct path *at;
    struct list *out, *gone;
    struct mount *last;  // what the next copy is one of
    unsigned how;
};

static int copy_to(struct spread *s, struct mount *m) {
    struct mount *c;
    if (!m->ns || !dentry_lies_below(s->at->dentry, m->root))
        return 0;
    int err = tree_copy(s->last, s->last->root, true, s->how, &c, s->gone);
    if (err)
        return err;
    c->left = (struct path){m, s->at->dentry};
    path_get(&c->left);
    list_add_tail(s->out, &c->link);
    s->last = c;
    s->how = COPY_SHARED;
    return 0;
}

// The group that begins with `first`, in the list of who hears. *next: what follows it there.
static int copy_to_group(struct spread *s, struct mount *first, struct list *end, struct list **next) {
    bool own = first == s->at->mnt;
    struct list *l = &first->heard;
    int err = 0;
    s->last = own ? s->tree : first->master->relay;
    s->how = own ? 0 : COPY_SLAVE;
    if (own || first->group)
        s->how |= COPY_SHARED;
    for (; !err && l != end && mounts_are_peers(list_entry(l, struct mount, heard), first); l = l->next) {
        struct mount *m = list_entry(l, struct mount, heard);
        err = m == s->at->mnt ? 0 : copy_to(s, m);
    }
    for (struct list *b = &first->heard; b != l; b = b->next)
        list_entry(b, struct mount, heard)->relay = s->last;
    *next = l;
    return err;
}

int propagate_mount(struct mount *tree, const struct path *at, struct list *out, struct list *gone) {
    struct list who = LIST_INIT(who), *l;
    struct spread s = {.tree = tree, .at = at, .out = out, .gone = gone};
    int err = 0;
    hearers(at->mnt, &who);
    for (l = who.next; !err && l != &who;)
        err = copy_to_group(&s, list_entry(l, struct mount, heard), &who, &l);
    forget(&who);
    return err;
}

// ---- Unmounting -------------------------------------------------------------------------------------------
// The one that lies on the whole of m, or NULL.
static struct mount *cover_of(struct mount *m) { return mount_find_locked(m, m->root); }
static bool is_used(struct mount *m, long refs) { return (long)ref_read(&m->refs) > refs; }

// A copy of what goes off, besides: with nothing on it but, perhaps, what covers it as a whole. Else it
// stays.
static bool copy_is_busy(struct mount *c) {
    bool covered = cover_of(c) && c->children.next == c->children.prev;
    return (covered || list_empty(&c->children)) && is_used(c, 1 + covered);
}

bool propagate_busy(struct mount *m, long refs) {
    struct list who = LIST_INIT(who);
    struct mount *it;
    bool busy = !list_empty(&m->children) || is_used(m, refs);
    if (busy || !m->parent)
        return busy;
    hearers(m->parent, &who);
    list_for_each(it, &who, heard) {
        struct mount *c = mount_find_locked(it, m->mountpoint);
        busy = busy || (c && c != m && copy_is_busy(c));
    }
    forget(&who);
    return busy;
}

// What lies where m does, on those that hear of m's parent.
static void find_copies(struct mount *m, struct list *out) {
    struct list who = LIST_INIT(who);
    if (!m->parent)
        return;
    hearers(m->parent, &who);
    while (!list_empty(&who)) {
        struct mount *it = list_first(&who, struct mount, heard);
        list_del(&it->heard);
        struct mount *c = it != m->parent ? mount_find_locked(it, m->mountpoint) : NULL;  // there m is it
        if (!c || c->fate != MOUNT_STAYS)
            continue;
        c->fate = MOUNT_CANDIDATE;
        c->kept = false;
        list_add_tail(out, &c->link);
    }
}

// Something stays where m lies. What m lies on cannot go, unless m covers the whole of it: then that takes
// its place.
static void keep_below(struct mount *m) {
    for (struct mount *p = m->parent; p && p->fate == MOUNT_CANDIDATE && !m->kept; m = p, p = p->parent) {
        m->kept = true;
        if (m->mountpoint != p->root)
            p->fate = MOUNT_STAYS;
    }
}

static void keep_if_needed(struct mount *m) {
    struct mount *c;
    bool found = m->fate == MOUNT_STAYS;
    list_for_each(c, &m->children, sibling) {
        if (c->fate != MOUNT_STAYS)
            continue;
        found = true;
        if (c->mountpoint != m->root)
            m->fate = MOUNT_STAYS;
    }
    if (found)
        keep_below(m);
}

// What is locked goes only with what it lies on. Decides on m and the candidates below it.
static void decide(struct mount *m) {
    struct mount *last = m, *p, *q;
    for (p = m; p && p->fate == MOUNT_CANDIDATE; p = p->parent)
        if (!p->locked)
            last = p->parent;
    if (p && p->fate == MOUNT_DOOMED)
        last = p;
    bool goes = true;
    for (q = m; q != p; q = q->parent) {
        goes = goes && q != last;
        q->fate = goes ? MOUNT_DOOMED : MOUNT_STAYS;
    }
}

// What covers m comes to the place of what it covers. Both references that it gives back have other holders.
static void let_through(struct mount *m) {
    struct mount *cover = cover_of(m), *top = m;
    if (!cover || cover->fate == MOUNT_DOOMED)
        return;
    while (top->parent && top->parent->fate == MOUNT_DOOMED)
        top = top->parent;
    struct path place = {top->parent, top->mountpoint};
    struct path was = mount_hang(m->sb->vfs, cover, &place);
    path_put(&was);
}

void propagate_umount(struct list *doomed) {
    struct list found = LIST_INIT(found);
    struct mount *m;
    list_for_each(m, doomed, link)
        find_copies(m, &found);  // adds to the other list alone
    list_for_each(m, &found, link)
        keep_if_needed(m);
    list_for_each(m, &found, link)
        if (m->fate == MOUNT_CANDIDATE)
            decide(m);
    while (!list_empty(&found)) {
        m = list_first(&found, struct mount, link);
        list_del(&m->link);
        if (m->fate != MOUNT_DOOMED)
            continue;
        list_add_tail(doomed, &m->link);
    }
    list_for_each(m, doomed, link)
        let_through(m);
}

void propagate_unlock(struct mount *m) {
    struct list who = LIST_INIT(who);
    if (!m->parent)
        return;
    hearers(m->parent, &who);
    while (!list_empty(&who)) {
        struct mount *it = list_first(&who, struct mount, heard);
        list_del(&it->heard);
        struct mount *c = mount_find_locked(it, m->mountpoint);
        if (c && c != m)
            c->locked = false;
    }
}

// ---- For /proc/PID/mountinfo ------------------------------------------------------------------------------
static bool is_seen(const struct mount *m, const struct path *root) {
    const struct dentry *d = m->root;
    const struct mount *at = m;
    for (; at != root->mnt && at->parent; at = at->parent)
        d = at->mountpoint;
    return at == root->mnt && dentry_lies_below(d, root->dentry);
}

static unsigned seen_peer(const struct mount *m, const struct mnt_ns *ns, const struct path *root) {
    const struct mount *p = m;
    do {
        if (p->ns == ns && is_seen(p, root))
            return p->group;
        p = next_peer(p);
    } while (p != m);
    return 0;
}

unsigned propagation_dominating(struct mount *m, const struct path *root) {
    for (const struct mount *up = m->master; up; up = up->master) {
        unsigned group = seen_peer(up, m->ns, root);
        if (group)
            return group;
    }
    return 0;
}
