// SPDX-License-Identifier: Apache-2.0
// See landlock.h. Rules of a ruleset lie in one sorted table, which domains share: it is copied when a rule
// is added to a ruleset whose table a domain has. A rule on a file keeps the inode, which is its key, and the
// dentry, by which alone some file systems know an inode again.
//
// Locks: a ruleset's (RANK_OBJECT) for its table; the dcache lock while a path is walked up. Tables and
// domains do not change. Nothing is put under a lock.
#include "fs/landlock.h"
#include "abi/ioctl.h"
#include "fs/core.h"
#include <string.h>

#define FS(right)  LINUX_LANDLOCK_ACCESS_FS_##right
#define OF_FILES   (FS(EXECUTE) | FS(WRITE_FILE) | FS(READ_FILE) | FS(TRUNCATE) | FS(IOCTL_DEV))
#define RULE_COST  1024u  // bytes of the budget: what it keeps from being freed is more than itself
#define TABLE_COST 512u

struct rule {
    struct inode *inode;  // owned; NULL: of a port
    struct dentry *pin;   // owned, with inode
    uint16_t port;
    uint64_t access;
};
struct table {
    struct refcount refs;
    struct budget *budget;  // [c] borrowed
    struct linux_landlock_ruleset_attr handled;
    size_t n, room;
    struct rule *rules;  // by order()
};
struct ruleset {
    struct lock lock;
    struct table *table;  // [lock] owned
};
struct landlock_domain {
    struct refcount refs;
    struct landlock_domain *outer;  // owned, or NULL
    unsigned layers;                // with those outside it
    bool files;                     // one of them handles some FS(...)
    struct table *table;            // owned
};

// ---- Tables -----------------------------------------------------------------------------------------------
static int order(const struct rule *a, const struct rule *b) {
    if (a->inode != b->inode)
        return (uintptr_t)a->inode < (uintptr_t)b->inode ? -1 : 1;
    return (int)a->port - (int)b->port;
}
// Where key is, or is to be.
static size_t find(const struct table *t, const struct rule *key, bool *there) {
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int by = order(&t->rules[mid], key);
        if (by == 0) {
            *there = true;
            return mid;
        }
        *(by < 0 ? &low : &high) = by < 0 ? mid + 1 : mid;
    }
    *there = false;
    return low;
}
static uint64_t allowed(const struct table *t, const struct rule *key) {
    bool there;
    size_t at = find(t, key, &there);
    return there ? t->rules[at].access : 0;
}
static void rule_get(const struct rule *r) {
    if (!r->inode)
        return;
    inode_get(r->inode);
    dentry_get(r->pin);
}
static void rule_put(const struct rule *r) {
    if (!r->inode)
        return;
    dentry_put(r->pin);
    inode_put(r->inode);
}
static void table_put(struct table *t) {
    if (!t || !ref_put(&t->refs))
        return;
    for (size_t i = 0; i < t->n; i++)
        rule_put(&t->rules[i]);
    budget_give(t->budget, TABLE_COST + t->room * RULE_COST);
    free(t->rules);
    free(t);
}
// room: how many rules it is to have. NULL: no memory, or it is not granted.
static struct table *table_new(struct budget *b, const struct linux_landlock_ruleset_attr *a, size_t room) {
    if (!budget_take(b, TABLE_COST + room * RULE_COST))
        return NULL;
    struct table *t = znew(struct table);
    struct rule *rules = xcalloc(room ? room : 1, sizeof *rules);
    if (!t || !rules) {
        free(t);
        free(rules);
        budget_give(b, TABLE_COST + room * RULE_COST);
        return NULL;
    }
    ref_init(&t->refs, 1);
    t->budget = b;
    t->handled = *a;
    t->room = room;
    t->rules = rules;
    return t;
}
static struct table *table_copy(const struct table *old, size_t room) {
    struct table *t = table_new(old->budget, &old->handled, room);
    for (size_t i = 0; t && i < old->n; i++) {
        t->rules[i] = old->rules[i];
        rule_get(&t->rules[i]);
        t->n++;
    }
    return t;
}

// ---- Rulesets ---------------------------------------------------------------------------------------------
static void ruleset_release(struct file *f) {
    struct ruleset *s = f->priv;
    table_put(s->table);
    lock_destroy(&s->lock);
    free(s);
}
static const struct file_ops ruleset_ops = {.release = ruleset_release};

bool landlock_is_ruleset(const struct file *f) { return f->ops == &ruleset_ops; }

int landlock_ruleset_open(struct vfs *vfs, const struct linux_landlock_ruleset_attr *a, struct file **out) {
    if (!a->handled_access_fs && !a->handled_access_net && !a->scoped)
        return -LINUX_ENOMSG;
    struct ruleset *s = znew(struct ruleset);
    struct table *t = s ? table_new(&vfs->landlock, a, 0) : NULL;
    if (!t) {
        free(s);
        return -LINUX_ENOMEM;
    }
    lock_init(&s->lock, RANK_OBJECT);
    s->table = t;
    int err = file_anon(vfs, "anon_inode:[landlock-ruleset]", NULL, &ruleset_ops, s, LINUX_O_RDWR, out);
    if (err) {
        table_put(t);
        lock_destroy(&s->lock);
        free(s);
    }
    return err;
}

// The table of s with room for one more rule, and nobody else's. *old is to be put. The ruleset is locked.
static int make_room(struct ruleset *s, struct table **old) {
    struct table *t = s->table;
    if (t->n < t->room && ref_read(&t->refs) == 1)
        return 0;
    struct table *more = table_copy(t, t->n < t->room ? t->room : t->n + t->n / 2 + 4);
    if (!more)
        return -LINUX_ENOMEM;
    *old = t;
    s->table = more;
    return 0;
}
static int insert(struct ruleset *s, const struct rule *r, struct table **old) {
    LOCKED(&s->lock);
    int err = make_room(s, old);
    if (err)
        return err;
    struct table *t = s->table;
    bool there;
    size_t at = find(t, r, &there);
    if (there) {
        t->rules[at].access |= r->access;
        return 0;
    }
    memmove(&t->rules[at + 1], &t->rules[at], (t->n - at) * sizeof *r);
    t->rules[at] = *r;
    rule_get(r);
    t->n++;
    return 0;
}
static int add(struct file *f, const struct rule *r) {
    struct table *old = NULL;
    int err = insert(f->priv, r, &old);
    table_put(old);
    return err;
}
int landlock_check_access(struct file *f, int type, uint64_t access) {
    struct ruleset *s = f->priv;
    LOCKED(&s->lock);
    const struct linux_landlock_ruleset_attr *h = &s->table->handled;
    bool files = type == LINUX_LANDLOCK_RULE_PATH_BENEATH;
    if (!access)
        return -LINUX_ENOMSG;
    return access & ~(files ? h->handled_access_fs : h->handled_access_net) ? -LINUX_EINVAL : 0;
}
int landlock_add_path(struct file *f, const struct path *p, uint64_t access) {
    const struct rule r = {.inode = p->dentry->inode, .pin = p->dentry, .access = access};
    if (mount_is_nameless(r.pin->sb->vfs, p->mnt))
        return -LINUX_EBADFD;
    return inode_is_dir(r.inode) || !(access & ~OF_FILES) ? add(f, &r) : -LINUX_EINVAL;
}
int landlock_add_port(struct file *f, uint64_t port, uint64_t access) {
    const struct rule r = {.port = (uint16_t)port, .access = access};
    return port <= UINT16_MAX ? add(f, &r) : -LINUX_EINVAL;
}

// ---- Domains ----------------------------------------------------------------------------------------------
int landlock_restrict(struct file *f, struct landlock_domain *outer, struct landlock_domain **out) {
    struct ruleset *s = f->priv;
    if (outer && outer->layers == LANDLOCK_LAYERS)
        return -LINUX_E2BIG;
    struct landlock_domain *d = znew(struct landlock_domain);
    if (!d)
        return -LINUX_ENOMEM;
    ref_init(&d->refs, 1);
    d->outer = landlock_get(outer);
    d->layers = outer ? outer->layers + 1 : 1;
    LOCKED(&s->lock);
    d->table = s->table;
    ref_get(&d->table->refs);
    d->files = d->table->handled.handled_access_fs || (outer && outer->files);
    *out = d;
    return 0;
}
struct landlock_domain *landlock_get(struct landlock_domain *d) {
    if (d)
        ref_get(&d->refs);
    return d;
}
void landlock_put(struct landlock_domain *d) {
    while (d && ref_put(&d->refs)) {
        struct landlock_domain *outer = d->outer;
        table_put(d->table);
        free(d);
        d = outer;
    }
}
bool landlock_restricts_files(const struct landlock_domain *d) { return d && d->files; }

bool landlock_is_inside(const struct landlock_domain *d, const struct landlock_domain *outer) {
    while (d && d != outer)
        d = d->outer;
    return d == outer;
}
// A layer with the scope lets pass what was made in itself, or inside it.
bool landlock_is_scoped(const struct landlock_domain *from, const struct landlock_domain *to,
                        uint64_t scope) {
    for (; from; from = from->outer)
        if (from->table->handled.scoped & scope)
            return !landlock_is_inside(to, from);
    return false;
}
bool landlock_handles_ports(const struct landlock_domain *d, uint64_t access) {
    for (; d; d = d->outer)
        if (d->table->handled.handled_access_net & access)
            return true;
    return false;
}
int landlock_may_port(const struct landlock_domain *d, uint16_t port, uint64_t access) {
    const struct rule key = {.port = port};
    for (; d; d = d->outer)
        if (access & d->table->handled.handled_access_net & ~allowed(d->table, &key))
            return -LINUX_EACCES;
    return 0;
}

// ---- Walking up -------------------------------------------------------------------------------------------
// What each layer, the innermost first, has not allowed yet.
struct denied {
    uint64_t by[LANDLOCK_LAYERS];
};
// LINUX_LANDLOCK_ACCESS_FS_REFER is forbidden by every layer that handles files, unless a rule allows it.
static uint64_t handled_files(const struct landlock_domain *d) {
    uint64_t fs = d->table->handled.handled_access_fs;
    return fs ? fs | FS(REFER) : 0;
}
static struct denied deny(const struct landlock_domain *d, uint64_t access) {
    struct denied x = {0};
    for (unsigned i = 0; d; d = d->outer, i++)
        x.by[i] = handled_files(d) & access;
    return x;
}
static bool denies(const struct denied *x, uint64_t access) {
    uint64_t all = 0;
    for (unsigned i = 0; i < LANDLOCK_LAYERS; i++)
        all |= x->by[i];
    return all & access;
}
static void apply_rules(const struct landlock_domain *d, struct inode *inode, struct denied *x) {
    const struct rule key = {.inode = inode};
    for (unsigned i = 0; d; d = d->outer, i++)
        if (x->by[i])
            x->by[i] &= ~allowed(d->table, &key);
}
// From `at` to the root of its mount. The dcache lock is held.
static void apply_below(const struct landlock_domain *d, const struct path *at, struct denied *x) {
    const struct dentry *e = at->dentry;
    for (; denies(x, ~0ull); e = e->parent) {
        apply_rules(d, e->inode, x);
        if (e == at->mnt->root || e == e->parent)
            return;
    }
}
// One step up; what a mount covers is not asked. False: that was the root.
static bool step_up(struct path *at) {
    while (at->dentry == at->mnt->root) {
        if (!at->mnt->parent)
            return false;
        *at = (struct path){at->mnt->parent, at->mnt->mountpoint};
    }
    const struct dentry *was = at->dentry;
    at->dentry = was->parent;
    return at->dentry != was;
}
static void apply_up(const struct landlock_domain *d, struct path at, struct denied *x) {
    LOCKED(&at.dentry->sb->vfs->dcache);
    do
        apply_rules(d, at.dentry->inode, x);
    while (denies(x, ~0ull) && step_up(&at));
}

// ---- Checks -----------------------------------------------------------------------------------------------
static const struct landlock_domain *over_files(const struct vfs_cred *c, const struct path *p) {
    const struct landlock_domain *d = c->landlock;
    return landlock_restricts_files(d) && !mount_is_nameless(p->dentry->sb->vfs, p->mnt) ? d : NULL;
}
int landlock_may(const struct vfs_cred *c, const struct path *p, uint64_t access) {
    const struct landlock_domain *d = over_files(c, p);
    if (!d)
        return 0;
    struct denied x = deny(d, access);
    apply_up(d, *p, &x);
    return denies(&x, access) ? -LINUX_EACCES : 0;
}
static bool is_device(const struct file *f) {
    uint32_t type = inode_type(f->inode);
    return type == LINUX_S_IFCHR || type == LINUX_S_IFBLK;
}
int landlock_may_open(const struct vfs_cred *c, struct file *f) {
    const struct landlock_domain *d = over_files(c, &f->path);
    if (!d)
        return 0;
    uint64_t need = f->mode & FMODE_READ ? FS(READ_FILE) : 0;
    if (inode_is_dir(f->inode))
        need = need ? FS(READ_DIR) : 0;
    need |= (f->mode & FMODE_WRITE ? FS(WRITE_FILE) : 0) | (f->mode & FMODE_EXEC ? FS(EXECUTE) : 0);
    uint64_t later = FS(TRUNCATE) | (is_device(f) ? FS(IOCTL_DEV) : 0);
    struct denied x = deny(d, need | later);
    apply_up(d, f->path, &x);
    f->mode |= denies(&x, FS(TRUNCATE)) ? FMODE_NO_TRUNCATE : 0;
    f->mode |= denies(&x, FS(IOCTL_DEV)) ? FMODE_NO_IOCTL : 0;
    return denies(&x, need) ? -LINUX_EACCES : 0;
}
int landlock_may_ioctl(const struct file *f, unsigned cmd) {
    if (!(f->mode & FMODE_NO_IOCTL))
        return 0;
    switch (cmd) {  // those that the kernel answers for any file
    case LINUX_FIOCLEX:
    case LINUX_FIONCLEX:
    case LINUX_FIONBIO:
    case LINUX_FIOASYNC:
    case LINUX_FIOQSIZE:
    case LINUX_FIFREEZE:
    case LINUX_FITHAW:
    case LINUX_FS_IOC_FIEMAP:
    case LINUX_FIGETBSZ:
    case LINUX_FICLONE:
    case LINUX_FICLONERANGE:
    case LINUX_FIDEDUPERANGE:
    case LINUX_FS_IOC_GETFSUUID:
    case LINUX_FS_IOC_GETFSSYSFSPATH:
        return 0;
    default:
        return -LINUX_EACCES;
    }
}
uint64_t landlock_make(uint32_t mode) {
    switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFLNK:
        return FS(MAKE_SYM);
    case LINUX_S_IFDIR:
        return FS(MAKE_DIR);
    case LINUX_S_IFCHR:
        return FS(MAKE_CHAR);
    case LINUX_S_IFBLK:
        return FS(MAKE_BLOCK);
    case LINUX_S_IFIFO:
        return FS(MAKE_FIFO);
    case LINUX_S_IFSOCK:
        return FS(MAKE_SOCK);
    default:
        return FS(MAKE_REG);
    }
}

// ---- Names that move --------------------------------------------------------------------------------------
static uint64_t removal(const struct dentry *d) {
    if (!d->inode)
        return 0;
    return inode_is_dir(d->inode) ? FS(REMOVE_DIR) : FS(REMOVE_FILE);
}
// Would `child` be less restricted in `to` than it is in `from`, which a rule of its own adds to?
static bool gains(const struct landlock_domain *d, const struct denied *from, const struct dentry *child,
                  const struct denied *to) {
    struct denied own = deny(d, LANDLOCK_FS_ALL);
    apply_rules(d, child->inode, &own);
    uint64_t matter = inode_is_dir(child->inode) ? LANDLOCK_FS_ALL : OF_FILES;
    for (unsigned i = 0; i < LANDLOCK_LAYERS; i++)
        if (from->by[i] & own.by[i] & matter & ~to->by[i])
            return true;
    return false;
}
static bool refer_gains(const struct landlock_domain *d, const struct landlock_refer *r,
                        const struct denied *odir, const struct denied *ndir) {
    return gains(d, odir, r->od, ndir) || (r->exchange && gains(d, ndir, r->nd, odir));
}
// Whose name it is; a root of a mount is its own. The dcache lock is held.
static struct path directory_of(const struct landlock_refer *r) {
    const struct dentry *d = r->od == r->ndir->mnt->root ? r->od : r->od->parent;
    return (struct path){r->ndir->mnt, (struct dentry *)(uintptr_t)d};
}
static bool within_one(const struct landlock_refer *r) {
    LOCKED(&r->od->sb->vfs->dcache);
    return directory_of(r).dentry == r->ndir->dentry;
}
// What is denied in either directory, of all that there is.
static void apply_both(const struct landlock_domain *d, const struct landlock_refer *r, struct denied *old,
                       struct denied *new) {
    LOCKED(&r->od->sb->vfs->dcache);
    struct path odir = directory_of(r), at = {r->ndir->mnt, r->ndir->mnt->root};
    *old = *new = deny(d, LANDLOCK_FS_ALL);
    apply_below(d, &odir, old);
    apply_below(d, r->ndir, new);
    while (step_up(&at)) {
        apply_rules(d, at.dentry->inode, old);
        apply_rules(d, at.dentry->inode, new);
    }
}
int landlock_may_refer(const struct vfs_cred *c, const struct landlock_refer *r) {
    const struct landlock_domain *d = over_files(c, r->ndir);
    struct denied odir, ndir;
    if (!d)
        return 0;
    uint64_t in_old = r->exchange ? landlock_make(inode_type(r->nd->inode)) : 0;
    uint64_t in_new = landlock_make(inode_type(r->od->inode));
    if (r->removes) {
        in_old |= removal(r->od);
        in_new |= removal(r->nd);
    }
    if (within_one(r))
        return landlock_may(c, r->ndir, in_old | in_new);
    in_old |= FS(REFER);
    in_new |= FS(REFER);
    apply_both(d, r, &odir, &ndir);
    if (denies(&odir, in_old & ~FS(REFER)) || denies(&ndir, in_new & ~FS(REFER)))
        return -LINUX_EACCES;
    if (denies(&odir, in_old) || denies(&ndir, in_new) || refer_gains(d, r, &odir, &ndir))
        return -LINUX_EXDEV;
    return 0;
}
