// SPDX-License-Identifier: Apache-2.0
// What a call asks a daemon: see ask.h for how it waits. A call's questions are found again by what they are
// (operation, node, arguments), from where the last one was found on: between two runs of a handler a name
// may have come into the cache, so that one question is skipped, but the order is the same.
#include "fs/fuse/ask.h"
#include "abi/poll.h"
#include "fs/fuse/fuse.h"
#include <string.h>

struct fuse_asked {  // of one call; touched by who handles that, and freed by it
    struct list reqs;
    struct list *next;           // from where on the next question is looked for
    struct waitq *waits;         // of one of these three
    struct fuse_req *for_req;    // borrowed, of reqs
    struct fuse_conn *for_conn;  // owned: for INIT
    struct inode *for_inode;     // owned: for its writer
    struct inode *writes;        // owned: this call is its writer
};

void vfs_set_fuse_caller(struct vfs *v, struct fuse_caller (*fn)(void)) { v->fuse_caller = fn; }
static struct fuse_caller caller_of(const struct fuse_conn *c) {
    return c->vfs->fuse_caller ? c->vfs->fuse_caller() : (struct fuse_caller){0};
}
// This call's, made if need be. NULL: no call, or no memory.
static struct fuse_asked *asked_of(const struct fuse_conn *c) {
    struct fuse_asked **slot = caller_of(c).asked;
    if (!slot || *slot)
        return slot ? *slot : NULL;
    struct fuse_asked *a = znew(struct fuse_asked);
    if (!a)
        return NULL;
    list_init(&a->reqs);
    a->next = &a->reqs;
    return *slot = a;
}

// ---- The handlers' loop -----------------------------------------------------------------------------------
static void stop_waiting(struct fuse_asked *a) {
    struct fuse_conn *c = a->for_conn;
    struct inode *i = a->for_inode;
    a->waits = NULL;
    a->for_req = NULL;
    a->for_conn = NULL;
    a->for_inode = NULL;
    fuse_conn_put(c);
    if (i)
        inode_put(i);
}
void fuse_rewind(struct fuse_asked *a) {
    if (!a)
        return;
    stop_waiting(a);
    a->next = &a->reqs;
}
struct waitq *fuse_waits(struct fuse_asked *a) {
    return a ? a->waits : NULL;
}
bool fuse_answered(struct fuse_asked *a) {
    if (a->for_req)
        return a->for_req->state == FUSE_REQ_DONE;
    return a->for_conn ? a->for_conn->state != FUSE_NEW : !fuse_node(a->for_inode)->writer;
}
void fuse_interrupt(struct fuse_asked *a) {
    struct fuse_req *r = a->for_req;
    if (!r)
        return;
    {
        LOCKED(&r->conn->lock);
        if (r->state != FUSE_REQ_DONE)
            fuse_interrupt_locked(r);
    }
    waitq_wake(&r->conn->readable, LINUX_POLLIN | LINUX_POLLRDNORM);
}

static void give_up(struct fuse_req *r) {
    struct fuse_conn *c = r->conn;
    enum fuse_req_state was;
    {
        LOCKED(&c->lock);
        was = r->state;
        if (was == FUSE_REQ_QUEUED)
            fuse_done_locked(r, -LINUX_EINTR);
        r->orphan = true;
        if (was == FUSE_REQ_SENT)
            fuse_interrupt_locked(r);
    }
    if (was == FUSE_REQ_QUEUED)
        fuse_req_put(r);
    else if (was == FUSE_REQ_SENT)
        waitq_wake(&c->readable, LINUX_POLLIN | LINUX_POLLRDNORM);
    else if (was == FUSE_REQ_DONE)
        fuse_give_back(r);
}
void fuse_asked_end(struct fuse_asked *a) {
    stop_waiting(a);
    if (a->writes) {
        struct fuse_node *n = fuse_node(a->writes);
        n->writer = NULL;
        waitq_wake(&n->writable, LINUX_POLLIN);
        inode_put(a->writes);
    }
    while (!list_empty(&a->reqs)) {
        struct fuse_req *r = list_first(&a->reqs, struct fuse_req, asked);
        list_del(&r->asked);
        give_up(r);
        fuse_req_put(r);
    }
    free(a);
}

// ---- Questions --------------------------------------------------------------------------------------------
// Operations that a daemon may lack for good: not asked again.
#define BIT(op) (UINT64_C(1) << (op))
#define MAY_LACK \
    (BIT(LINUX_FUSE_OPEN) | BIT(LINUX_FUSE_OPENDIR) | BIT(LINUX_FUSE_FSYNC) | BIT(LINUX_FUSE_SETXATTR) | \
     BIT(LINUX_FUSE_GETXATTR) | BIT(LINUX_FUSE_LISTXATTR) | BIT(LINUX_FUSE_REMOVEXATTR) | \
     BIT(LINUX_FUSE_FLUSH) | BIT(LINUX_FUSE_FSYNCDIR) | BIT(LINUX_FUSE_ACCESS) | BIT(LINUX_FUSE_CREATE) | \
     BIT(LINUX_FUSE_INTERRUPT) | BIT(LINUX_FUSE_FALLOCATE) | BIT(LINUX_FUSE_RENAME2) | \
     BIT(LINUX_FUSE_LSEEK))

bool fuse_is_absent(const struct fuse_conn *c, unsigned opcode) { return c->absent & BIT(opcode); }

static void wait_for(struct fuse_asked *a, struct fuse_req *r) {
    if (a->waits)
        return;
    a->for_req = r;
    a->waits = &r->answered;
}
static int wait_for_init(struct fuse_conn *c) {
    struct fuse_asked *a = asked_of(c);
    if (!a)
        return -LINUX_ENOMEM;
    if (!a->waits) {
        a->for_conn = fuse_conn_get(c);
        a->waits = &c->changed;
    }
    return FS_WAIT;
}
int fuse_claim_writer(struct inode *i) {
    struct fuse_asked *a = asked_of(fuse_conn(i)), *none = NULL;
    struct fuse_node *n = fuse_node(i);
    if (!a)
        return -LINUX_ENOMEM;
    if (a->writes == i)
        return 0;
    if (a->writes)
        return -LINUX_EIO;  // a call writes to one file
    if (atomic_compare_exchange_strong(&n->writer, &none, a)) {
        a->writes = inode_get(i);
        return 0;
    }
    if (!a->waits) {
        a->for_inode = inode_get(i);
        a->waits = &n->writable;
    }
    return FS_WAIT;
}

static size_t args_size(const struct fuse_question *q) {
    size_t n = 0;
    for (size_t k = 0; k < 3; k++)
        n += q->args[k].n;
    return n;
}
static size_t key_of(const struct fuse_question *q) { return q->key ? q->key : args_size(q); }
// Of `args` of r, the first q->key bytes.
static bool same_args(const struct fuse_req *r, const struct fuse_question *q) {
    const unsigned char *p = (const unsigned char *)(fuse_header(r) + 1);
    size_t left = key_of(q);
    for (size_t k = 0; k < 3 && left > 0; k++) {
        size_t n = q->args[k].n < left ? q->args[k].n : left;
        if (n && memcmp(p, q->args[k].p, n) != 0)
            return false;
        p += n;
        left -= n;
    }
    return true;
}
static bool is_same(const struct fuse_req *r, const struct fuse_conn *c, const struct fuse_question *q) {
    const struct linux_fuse_in_header *h = fuse_header(r);
    return r->conn == c && h->opcode == q->opcode && h->nodeid == q->nodeid && r->key == key_of(q) &&
           same_args(r, q);
}
int fuse_asked_before(struct fuse_conn *c, const struct fuse_question *q, struct fuse_req **out) {
    struct fuse_asked **slot = caller_of(c).asked, *a = slot ? *slot : NULL;
    *out = NULL;
    if (!slot)
        return -LINUX_EIO;
    for (struct list *l = a ? a->next->next : NULL; a && l != &a->reqs; l = l->next) {
        struct fuse_req *r = container_of(l, struct fuse_req, asked);
        if (is_same(r, c, q)) {
            a->next = l;
            *out = r;
            return 0;
        }
    }
    if (fuse_is_absent(c, q->opcode))
        return -LINUX_ENOSYS;
    if (c->state == FUSE_DEAD)
        return -LINUX_ENOTCONN;
    return c->state == FUSE_NEW ? wait_for_init(c) : 0;
}
static void sign(struct fuse_req *r, const struct fuse_caller *who) {
    struct linux_fuse_in_header *h = fuse_header(r);
    h->pid = who->pid;
    h->uid = idmap_out(r->conn->opts.uids, who->uid);
    h->gid = idmap_out(r->conn->opts.gids, who->gid);
}
int fuse_ask_new(struct fuse_conn *c, const struct fuse_question *q, struct fuse_req *r) {
    struct fuse_caller who = caller_of(c);
    struct fuse_asked *a = asked_of(c);
    r->out_least = q->out_least;
    r->out_most = q->out_most;
    r->key = key_of(q);
    r->sizes = q->sizes;
    sign(r, &who);
    int err = a ? fuse_submit(r) : -LINUX_ENOMEM;
    if (err) {
        fuse_req_put(r);
        return err;
    }
    list_add_tail(&a->reqs, &r->asked);
    a->next = &r->asked;
    wait_for(a, r);
    return FS_WAIT;
}
int fuse_outcome(struct fuse_req *r) {
    if (r->state != FUSE_REQ_DONE) {
        wait_for(asked_of(r->conn), r);
        return FS_WAIT;
    }
    unsigned op = fuse_header(r)->opcode;
    if (r->error == -LINUX_ENOSYS)
        atomic_fetch_or(&r->conn->absent, BIT(op) & MAY_LACK);
    return r->error;
}
int fuse_ask(struct fuse_conn *c, const struct fuse_question *q, struct fuse_req **out) {
    int err = fuse_asked_before(c, q, out);
    if (err)
        return err;
    if (*out)
        return fuse_outcome(*out);
    struct fuse_req *r = fuse_req_new(c, q->opcode, q->nodeid, args_size(q));
    if (!r)
        return -LINUX_ENOMEM;
    unsigned char *p = (unsigned char *)(fuse_header(r) + 1);
    for (size_t k = 0; k < 3; k++) {
        if (q->args[k].n)
            memcpy(p, q->args[k].p, q->args[k].n);
        p += q->args[k].n;
    }
    return fuse_ask_new(c, q, r);
}
void fuse_drop(struct fuse_req *r) {
    struct fuse_asked *a = asked_of(r->conn);
    if (a && a->next == &r->asked)
        a->next = r->asked.prev;
    list_del(&r->asked);
    fuse_req_put(r);
}
void fuse_unask(struct fuse_req *r) {
    struct fuse_asked *a = asked_of(r->conn);
    if (a)
        a->next = r->asked.prev;
}

// ---- What a call has done already -------------------------------------------------------------------------
static struct fuse_req *find_used(struct inode *i, uint64_t ops) {
    struct fuse_asked **slot = caller_of(fuse_conn(i)).asked, *a = slot ? *slot : NULL;
    struct fuse_req *r;
    if (a)
        list_for_each(r, &a->reqs, asked)
            if (r->used && r->inode == i && (BIT(fuse_header(r)->opcode) & ops))
                return r;
    return NULL;
}
struct fuse_open *fuse_created(struct inode *i) {
    struct fuse_req *r = find_used(i, BIT(LINUX_FUSE_CREATE));
    if (!r || !r->opened)
        return NULL;
    ref_get(&r->opened->refs);
    return r->opened;
}
bool fuse_made(struct inode *i) { return find_used(i, BIT(LINUX_FUSE_CREATE) | BIT(LINUX_FUSE_MKNOD)); }
// Where the name stands in a question that makes one.
static size_t name_at(unsigned op) {
    switch (op) {
    case LINUX_FUSE_CREATE:
        return sizeof(struct linux_fuse_create_in);
    case LINUX_FUSE_MKNOD:
        return sizeof(struct linux_fuse_mknod_in);
    case LINUX_FUSE_MKDIR:
        return sizeof(struct linux_fuse_mkdir_in);
    case LINUX_FUSE_LINK:
        return sizeof(struct linux_fuse_link_in);
    default:
        return 0;
    }
}
#define MAKERS \
    (BIT(LINUX_FUSE_SYMLINK) | BIT(LINUX_FUSE_MKNOD) | BIT(LINUX_FUSE_MKDIR) | BIT(LINUX_FUSE_LINK) | \
     BIT(LINUX_FUSE_CREATE))
static bool makes(const struct fuse_req *r, const struct inode *dir, const char *name) {
    const struct linux_fuse_in_header *h = fuse_header(r);
    bool failed = r->state == FUSE_REQ_DONE && r->error;
    return (BIT(h->opcode) & MAKERS) && !r->used && !failed && r->conn == fuse_conn(dir) &&
           h->nodeid == fuse_node(dir)->nodeid && !strcmp((const char *)(h + 1) + name_at(h->opcode), name);
}
bool fuse_makes(struct inode *dir, const char *name) {
    struct fuse_asked **slot = caller_of(fuse_conn(dir)).asked, *a = slot ? *slot : NULL;
    struct fuse_req *r;
    if (a)
        list_for_each(r, &a->reqs, asked)
            if (makes(r, dir, name))
                return true;
    return false;
}
bool fuse_has_flushed(const struct fuse_open *o) {
    struct fuse_asked **slot = caller_of(o->conn).asked, *a = slot ? *slot : NULL;
    struct fuse_req *r;
    if (a)
        list_for_each(r, &a->reqs, asked)
            if (fuse_header(r)->opcode == LINUX_FUSE_FLUSH && r->conn == o->conn &&
                ((const struct linux_fuse_flush_in *)(const void *)(fuse_header(r) + 1))->fh == o->fh)
                return true;
    return false;
}

// ---- Answers that nobody wants ----------------------------------------------------------------------------
#define NAMES \
    (BIT(LINUX_FUSE_LOOKUP) | BIT(LINUX_FUSE_SYMLINK) | BIT(LINUX_FUSE_MKNOD) | BIT(LINUX_FUSE_MKDIR) | \
     BIT(LINUX_FUSE_LINK) | BIT(LINUX_FUSE_CREATE))
static void give_back_open(struct fuse_req *r, uint64_t nodeid, uint64_t fh, bool dir) {
    struct fuse_open *o = fuse_open_new(r->conn, nodeid, dir);
    if (!o)
        return;  // no memory: the daemon keeps it
    o->fh = fh;
    o->nothing = false;
    fuse_open_put(o);
}
void fuse_give_back(struct fuse_req *r) {
    struct linux_fuse_entry_out e = {0};
    struct linux_fuse_open_out o;
    unsigned op = fuse_header(r)->opcode;
    if (r->error || r->used || !r->out)
        return;
    r->used = true;
    if (BIT(op) & NAMES)
        memcpy(&e, r->out, sizeof e);
    if (op == LINUX_FUSE_CREATE) {
        memcpy(&o, r->out + sizeof e, sizeof o);
        give_back_open(r, e.nodeid, o.fh, false);
    } else if (op == LINUX_FUSE_OPEN || op == LINUX_FUSE_OPENDIR) {
        memcpy(&o, r->out, sizeof o);
        give_back_open(r, fuse_header(r)->nodeid, o.fh, op == LINUX_FUSE_OPENDIR);
    }
    struct fuse_forget *f = e.nodeid ? znew(struct fuse_forget) : NULL;
    if (f) {
        f->nodeid = e.nodeid;
        f->nlookup = 1;
        fuse_queue_forget(r->conn, f);
    }
}
