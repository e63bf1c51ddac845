// SPDX-License-Identifier: Apache-2.0
// See nft.h: tables, chains, rules and objects, and transactions. A change is done at once, where packets
// cannot see it before the stack's lock is dropped, and noted: nf_abort() goes back through the notes. What
// is deleted is kept, off its list, until the commit. `use` counts who points to a chain, set or object; it
// is that of the state as changed.
#include "netstack/filter/nf.h"
#include "base/fault.h"
#include <stdlib.h>

struct nf_change {
    struct list link;
    enum nf_what what;
    bool added;
    void *obj;
    struct list *node, *prev;  // of what was deleted: where it was
    uint64_t was[2];
};

// ---- Memory -----------------------------------------------------------------------------------------------
void *nf_alloc(struct nf *nf, size_t n) {
    if (n > NF_MEMORY - nf->bytes)
        return NULL;
    void *p = stack_alloc(nf->ns, n);
    if (p)
        nf->bytes += n;
    return p;
}
void nf_free(struct nf *nf, void *p, size_t n) {
    if (!p)
        return;
    nf->bytes -= n;
    stack_free(nf->ns, p, n);
}
bool nf_keep(struct nf *nf, struct nf_blob *b, const void *p, size_t n) {
    if (n == 0)
        return true;
    b->p = nf_alloc(nf, n);
    if (!b->p)
        return false;
    memcpy(b->p, p, n);
    b->len = (uint32_t)n;
    return true;
}
static void blob_free(struct nf *nf, struct nf_blob *b) {
    nf_free(nf, b->p, b->len);
    *b = (struct nf_blob){NULL, 0};
}

void nf_expr_done(struct nf *nf, struct nf_expr *x) {
    if (x->kind == NF_X_MATCH || x->kind == NF_X_TARGET)
        nf_free(nf, x->xt.info, x->xt.info_len);
}
void nf_table_free(struct nf *nf, struct nf_table *t) {
    blob_free(nf, &t->user);
    nf_free(nf, t, sizeof *t);
}
void nf_chain_free(struct nf *nf, struct nf_chain *c) {
    blob_free(nf, &c->user);
    nf_free(nf, c, sizeof *c);
}
void nf_rule_free(struct nf *nf, struct nf_rule *r) {
    for (uint32_t i = 0; i < r->n; i++)
        nf_expr_done(nf, &r->exprs[i]);
    nf_free(nf, r->exprs, r->n * sizeof *r->exprs);
    blob_free(nf, &r->user);
    nf_free(nf, r, sizeof *r);
}
void nf_elem_free(struct nf *nf, struct nf_elem *e) {
    blob_free(nf, &e->user);
    nf_free(nf, e, sizeof *e);
}
void nf_set_free(struct nf *nf, struct nf_set *s) {
    for (struct nf_elem *e; (e = nf_elem_next(s, NULL));) {
        nf_elem_unlink(e);
        nf_elem_free(nf, e);
    }
    blob_free(nf, &s->user);
    nf_free(nf, s, sizeof *s);
}
void nf_obj_free(struct nf *nf, struct nf_obj *o) { nf_free(nf, o, sizeof *o); }

// ---- Who points to what -----------------------------------------------------------------------------------
static void expr_bind(struct nf_expr *x, int by) {
    if (x->kind == NF_X_IMMEDIATE && x->imm.chain)
        x->imm.chain->use += (uint32_t)by;
    if (x->kind == NF_X_LOOKUP)
        x->lookup.set->use += (uint32_t)by;
    if (x->kind == NF_X_OBJREF && x->objref.obj)
        x->objref.obj->use += (uint32_t)by;
    if (x->kind == NF_X_OBJREF && x->objref.set)
        x->objref.set->use += (uint32_t)by;
}
static void rule_bind(struct nf_rule *r, int by) {
    for (uint32_t i = 0; i < r->n; i++)
        expr_bind(&r->exprs[i], by);
    r->chain->nrules += (uint32_t)by;
}
static void bind_all(enum nf_what what, void *obj, int by) {
    if (what == NF_W_RULE)
        rule_bind(obj, by);
    else if (what == NF_W_SET)
        nf_set_bind(obj, by);
    else if (what == NF_W_ELEM)
        nf_elem_bind(obj, by);
}

// ---- Notes ------------------------------------------------------------------------------------------------
static struct nf_change *note(struct nf *nf, enum nf_what what, bool added, void *obj, struct list *node) {
    invariant(nf->changing);
    static const unsigned most[NF_W_ALL] = {
        [NF_W_TABLE] = NF_TABLES, [NF_W_CHAIN] = NF_CHAINS, [NF_W_RULE] = NF_RULES,
        [NF_W_SET] = NF_SETS,     [NF_W_ELEM] = NF_ELEMS,   [NF_W_OBJ] = NF_SETS};
    bool full = added && nf->n[what] >= most[what];
    // not of NF_MEMORY: who has used that up can still delete
    struct nf_change *c = full ? NULL : stack_alloc(nf->ns, sizeof *c);
    if (!c)
        return NULL;
    nf->n[what] += added ? 1u : -1u;
    c->what = what;
    c->added = added;
    c->obj = obj;
    c->node = node;
    c->prev = node && !added ? node->prev : NULL;
    list_add_tail(&nf->log, &c->link);
    return c;
}
int nf_note(struct nf *nf, enum nf_what what, bool added, void *obj, struct list *node) {
    return note(nf, what, added, obj, node) ? 0 : -LINUX_ENOMEM;
}
static int note_was(struct nf *nf, enum nf_what what, void *obj, uint64_t was, uint64_t was2) {
    struct nf_change *c = note(nf, what, false, obj, NULL);
    if (!c)
        return -LINUX_ENOMEM;
    c->was[0] = was;
    c->was[1] = was2;
    return 0;
}
static void free_any(struct nf *nf, enum nf_what what, void *obj) {
    switch (what) {
    case NF_W_TABLE:
        nf_table_free(nf, obj);
        return;
    case NF_W_CHAIN:
        nf_chain_free(nf, obj);
        return;
    case NF_W_RULE:
        nf_rule_free(nf, obj);
        return;
    case NF_W_SET:
        nf_set_free(nf, obj);
        return;
    case NF_W_ELEM:
        nf_elem_free(nf, obj);
        return;
    case NF_W_OBJ:
        nf_obj_free(nf, obj);
        return;
    case NF_W_FLAGS:
    case NF_W_POLICY:
    case NF_W_STATS:
    case NF_W_ALL:
        return;
    }
}
// What was done to an object that stayed.
static bool change_undone(struct nf_change *c) {
    struct nf_chain *chain = c->obj;
    if (c->what == NF_W_FLAGS) {
        ((struct nf_table *)c->obj)->flags = (uint32_t)c->was[0];
    } else if (c->what == NF_W_POLICY) {
        chain->policy = (uint32_t)c->was[0];
    } else if (c->what == NF_W_STATS) {
        chain->packets = c->was[0];
        chain->bytes = c->was[1];
    } else {
        return false;
    }
    return true;
}
static void undo(struct nf *nf, struct nf_change *c) {
    nf->n[c->what] -= c->added ? 1u : -1u;
    if (change_undone(c))
        return;
    bind_all(c->what, c->obj, c->added ? -1 : 1);
    if (c->added) {
        if (c->what == NF_W_ELEM)
            nf_elem_unlink(c->obj);
        else
            list_del(c->node);
        free_any(nf, c->what, c->obj);
    } else if (c->what == NF_W_ELEM) {
        nf_elem_link(c->obj);
    } else {
        list_insert(c->node, c->prev, c->prev->next);
    }
}

void nf_begin(struct nf *nf) {
    invariant(!nf->changing && list_empty(&nf->log));
    nf->changing = true;
}
static struct nf_change *unlog(struct nf *nf, struct nf_change *c) {
    list_del(&c->link);
    return c;
}
void nf_abort(struct nf *nf) {
    while (!list_empty(&nf->log)) {
        struct nf_change *c = unlog(nf, container_of(nf->log.prev, struct nf_change, link));
        undo(nf, c);
        stack_free(nf->ns, c, sizeof *c);
    }
    nf->changing = false;
}
static void done(struct nf_change *c) {
    if (c->added && c->what == NF_W_CHAIN)
        ((struct nf_chain *)c->obj)->id = 0;
    if (c->added && c->what == NF_W_SET)
        ((struct nf_set *)c->obj)->id = 0;
    if (c->added && c->what == NF_W_RULE)
        ((struct nf_rule *)c->obj)->id = 0;
}
// Elements whose time is over.
static void sweep(struct nf *nf) {
    struct nf_table *t;
    struct nf_set *s;
    list_for_each(t, &nf->tables, link) {
        list_for_each(s, &t->sets, link) {
            nf->n[NF_W_ELEM] -= nf_set_sweep(nf, s);
        }
    }
}
int nf_commit(struct nf *nf) {
    int err = nf_check(nf);
    if (err == 0)
        err = nf_order(nf);
    if (err < 0) {
        nf_abort(nf);
        return err;
    }
    // What was added is looked at first: it may have been deleted again.
    struct nf_change *c;
    list_for_each(c, &nf->log, link) {
        done(c);
    }
    while (!list_empty(&nf->log)) {
        c = unlog(nf, list_first(&nf->log, struct nf_change, link));
        if (!c->added)
            free_any(nf, c->what, c->obj);
        stack_free(nf->ns, c, sizeof *c);
    }
    nf->changing = false;
    nf->generation++;
    sweep(nf);
    return 0;
}

// ---- Looking up -------------------------------------------------------------------------------------------
#define FIND(type, head, it, condition) \
    do { \
        type *it; \
        list_for_each(it, head, link) { \
            if (condition) \
                return it; \
        } \
        return NULL; \
    } while (0)

struct nf_table *nf_table_find(struct nf *nf, uint32_t family, const char *name) {
    FIND(struct nf_table, &nf->tables, t, t->family == family && strcmp(t->name, name) == 0);
}
struct nf_table *nf_table_by_handle(struct nf *nf, uint32_t family, uint64_t handle) {
    FIND(struct nf_table, &nf->tables, t, t->family == family && t->handle == handle);
}
struct nf_chain *nf_chain_find(struct nf_table *t, const char *name) {
    FIND(struct nf_chain, &t->chains, c, strcmp(c->name, name) == 0);
}
struct nf_chain *nf_chain_by_handle(struct nf_table *t, uint64_t handle) {
    FIND(struct nf_chain, &t->chains, c, c->handle == handle);
}
struct nf_rule *nf_rule_by_handle(struct nf_chain *c, uint64_t handle) {
    FIND(struct nf_rule, &c->rules, r, r->handle == handle);
}
struct nf_set *nf_set_find(struct nf_table *t, const char *name) {
    FIND(struct nf_set, &t->sets, s, strcmp(s->name, name) == 0);
}
struct nf_set *nf_set_by_handle(struct nf_table *t, uint64_t handle) {
    FIND(struct nf_set, &t->sets, s, s->handle == handle);
}
struct nf_obj *nf_obj_find(struct nf_table *t, const char *name, uint32_t type) {
    FIND(struct nf_obj, &t->objs, o, o->type == type && strcmp(o->name, name) == 0);
}
struct nf_chain *nf_chain_by_id(struct nf *nf, struct nf_table *t, uint32_t id) {
    FIND(struct nf_chain, &t->chains, c, id && c->id == id);
}
struct nf_set *nf_set_by_id(struct nf *nf, struct nf_table *t, uint32_t id) {
    FIND(struct nf_set, &t->sets, s, id && s->id == id);
}
struct nf_rule *nf_rule_by_id(struct nf *nf, struct nf_chain *c, uint32_t id) {
    FIND(struct nf_rule, &c->rules, r, id && r->id == id);
}

// ---- Tables -----------------------------------------------------------------------------------------------
int nf_table_add(struct nf *nf, struct nf_table *t) {
    list_init(&t->chains);
    list_init(&t->sets);
    list_init(&t->objs);
    if (nf_note(nf, NF_W_TABLE, true, t, &t->link) < 0) {
        nf_table_free(nf, t);
        return -LINUX_ENOMEM;
    }
    t->handle = ++nf->last_handle;
    list_add_tail(&nf->tables, &t->link);
    return 0;
}
int nf_table_set_flags(struct nf *nf, struct nf_table *t, uint32_t flags) {
    int err = note_was(nf, NF_W_FLAGS, t, t->flags, 0);
    if (err == 0)
        t->flags = flags;
    return err;
}
static int unlink_noted(struct nf *nf, enum nf_what what, void *obj, struct list *node) {
    int err = nf_note(nf, what, false, obj, node);
    if (err < 0)
        return err;
    bind_all(what, obj, -1);
    list_del(node);
    return 0;
}
static int flush_chain(struct nf *nf, struct nf_chain *c) {
    int err = 0;
    while (err == 0 && !list_empty(&c->rules))
        err = nf_rule_del(nf, list_first(&c->rules, struct nf_rule, link));
    return err;
}
int nf_table_del(struct nf *nf, struct nf_table *t) {
    struct nf_chain *c;
    int err = 0;
    list_for_each(c, &t->chains, link) {
        if ((err = flush_chain(nf, c)) < 0)
            return err;
    }
    while (err == 0 && !list_empty(&t->sets)) {
        struct nf_set *s = list_first(&t->sets, struct nf_set, link);
        err = unlink_noted(nf, NF_W_SET, s, &s->link);
    }
    while (err == 0 && !list_empty(&t->objs)) {
        struct nf_obj *o = list_first(&t->objs, struct nf_obj, link);
        err = unlink_noted(nf, NF_W_OBJ, o, &o->link);
    }
    while (err == 0 && !list_empty(&t->chains)) {
        c = list_first(&t->chains, struct nf_chain, link);
        err = unlink_noted(nf, NF_W_CHAIN, c, &c->link);
    }
    return err < 0 ? err : unlink_noted(nf, NF_W_TABLE, t, &t->link);
}

// ---- Chains -----------------------------------------------------------------------------------------------
int nf_chain_add(struct nf *nf, struct nf_chain *c) {
    list_init(&c->rules);
    if (nf_note(nf, NF_W_CHAIN, true, c, &c->link) < 0) {
        nf_chain_free(nf, c);
        return -LINUX_ENOMEM;
    }
    c->handle = ++c->table->last_handle;
    list_add_tail(&c->table->chains, &c->link);
    return 0;
}
int nf_chain_del(struct nf *nf, struct nf_chain *c) {
    int err = flush_chain(nf, c);
    if (err < 0)
        return err;
    return c->use ? -LINUX_EBUSY : unlink_noted(nf, NF_W_CHAIN, c, &c->link);
}
int nf_chain_set_policy(struct nf *nf, struct nf_chain *c, uint32_t policy) {
    int err = note_was(nf, NF_W_POLICY, c, c->policy, 0);
    if (err == 0)
        c->policy = policy;
    return err;
}
int nf_chain_set_stats(struct nf *nf, struct nf_chain *c, uint64_t packets, uint64_t bytes) {
    int err = note_was(nf, NF_W_STATS, c, c->packets, c->bytes);
    if (err < 0)
        return err;
    c->has_stats = true;
    c->packets = packets;
    c->bytes = bytes;
    return 0;
}

// ---- Rules ------------------------------------------------------------------------------------------------
static bool tracks(const struct nf_rule *r) {
    for (uint32_t i = 0; i < r->n; i++) {
        const struct nf_expr *x = &r->exprs[i];
        bool xt = x->kind == NF_X_MATCH || x->kind == NF_X_TARGET;
        if (x->kind == NF_X_CT || x->kind == NF_X_CT_SET || (xt && nf_xt_tracks(x->xt.xt)))
            return true;
    }
    return false;
}
int nf_rule_add(struct nf *nf, struct nf_rule *r, struct nf_rule *at, bool behind) {
    struct nf_chain *c = r->chain;
    if (nf_note(nf, NF_W_RULE, true, r, &r->link) < 0) {
        nf_rule_free(nf, r);
        return -LINUX_ENOMEM;
    }
    struct list *prev = at ? &at->link : &c->rules;
    if (at ? !behind : behind)  // in front of `at`; or at the end, in front of the head
        prev = prev->prev;
    r->handle = ++c->table->last_handle;
    r->tracks = tracks(r);
    list_insert(&r->link, prev, prev->next);
    rule_bind(r, 1);
    return 0;
}
// What has no name goes with the rule that made it.
static int drop_nameless(struct nf *nf, const struct nf_expr *x) {
    struct nf_set *s = x->kind == NF_X_LOOKUP ? x->lookup.set : NULL;
    if (x->kind == NF_X_OBJREF)
        s = x->objref.set;
    if (s && (s->flags & NF_SET_ANONYMOUS) && s->use == 0 && list_linked(&s->link))
        return unlink_noted(nf, NF_W_SET, s, &s->link);
    return 0;
}
int nf_rule_del(struct nf *nf, struct nf_rule *r) {
    int err = unlink_noted(nf, NF_W_RULE, r, &r->link);
    for (uint32_t i = 0; err == 0 && i < r->n; i++)
        err = drop_nameless(nf, &r->exprs[i]);
    return err;
}

// ---- Sets as objects of their table, and named objects ----------------------------------------------------
int nf_set_add(struct nf *nf, struct nf_set *s) {
    list_init(&s->ranges);
    if (nf_note(nf, NF_W_SET, true, s, &s->link) < 0) {
        nf_set_free(nf, s);
        return -LINUX_ENOMEM;
    }
    s->handle = ++s->table->last_handle;
    list_add_tail(&s->table->sets, &s->link);
    return 0;
}
int nf_set_del(struct nf *nf, struct nf_set *s) {
    return s->use ? -LINUX_EBUSY : unlink_noted(nf, NF_W_SET, s, &s->link);
}
int nf_obj_add(struct nf *nf, struct nf_obj *o) {
    if (nf_note(nf, NF_W_OBJ, true, o, &o->link) < 0) {
        nf_obj_free(nf, o);
        return -LINUX_ENOMEM;
    }
    o->handle = ++o->table->last_handle;
    list_add_tail(&o->table->objs, &o->link);
    return 0;
}
int nf_obj_del(struct nf *nf, struct nf_obj *o) {
    return o->use ? -LINUX_EBUSY : unlink_noted(nf, NF_W_OBJ, o, &o->link);
}

// ---- The whole --------------------------------------------------------------------------------------------
static struct nf *nf_of(struct netstack *ns) {
    struct filter *f = ns->filter;
    if (f)
        return &f->nf;
    f = stack_alloc(ns, sizeof *f);
    if (!f)
        return NULL;
    f->nf.ns = ns;
    f->nf.generation = 1;
    list_init(&f->nf.tables);
    list_init(&f->nf.log);
    ct_init(&f->ct);
    ns->filter = f;
    return &f->nf;
}
int nf_inside(struct netstack *ns, int (*fn)(struct nf *nf, void *arg), void *arg) {
    IN_STACK(ns);
    struct nf *nf = nf_of(ns);
    return nf ? fn(nf, arg) : -LINUX_ENOMEM;
}

uint64_t nf_now(const struct nf *nf) { return nf->ns->now; }

static void free_table(struct nf *nf, struct nf_table *t) {
    while (!list_empty(&t->chains)) {
        struct nf_chain *c = list_first(&t->chains, struct nf_chain, link);
        while (!list_empty(&c->rules)) {
            struct nf_rule *r = list_first(&c->rules, struct nf_rule, link);
            list_del(&r->link);
            nf_rule_free(nf, r);
        }
        list_del(&c->link);
        nf_chain_free(nf, c);
    }
    while (!list_empty(&t->sets)) {
        struct nf_set *s = list_first(&t->sets, struct nf_set, link);
        list_del(&s->link);
        nf_set_free(nf, s);
    }
    while (!list_empty(&t->objs)) {
        struct nf_obj *o = list_first(&t->objs, struct nf_obj, link);
        list_del(&o->link);
        nf_obj_free(nf, o);
    }
    list_del(&t->link);
    nf_table_free(nf, t);
}
void nf_destroy(struct netstack *ns) {
    struct filter *f = ns->filter;
    if (!f)
        return;
    ns->nf_hooks = 0;
    ct_flush(ns);
    nf_order_free(f);
    while (!list_empty(&f->nf.tables))
        free_table(&f->nf, list_first(&f->nf.tables, struct nf_table, link));
    invariant(f->nf.bytes == 0);
    ns->filter = NULL;
    stack_free(ns, f, sizeof *f);
}
