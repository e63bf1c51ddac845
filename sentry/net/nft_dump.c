// SPDX-License-Identifier: Apache-2.0
// nf_tables told: one object to who asks for it, or all of a kind, part by part (struct rtnl_dump). A dump
// that goes on after a commit says so (NLM_F_DUMP_INTR), and its reader begins anew.
#include "sentry/net/nfnl.h"

size_t nft_put_begin(struct nfput *p, uint16_t type, uint32_t family) {
    uint8_t id[2] = {(uint8_t)(p->nf->generation >> 8), (uint8_t)p->nf->generation};
    struct linux_nfgenmsg m = {.nfgen_family = (uint8_t)family};
    memcpy(&m.res_id, id, sizeof id);
    return nl_begin(p->b, (uint16_t)(LINUX_NFNL_SUBSYS_NFTABLES << 8 | type), p->flags, p->seq, p->portid, &m,
                    sizeof m);
}
static unsigned length(const struct list *head) {
    unsigned n = 0;
    for (const struct list *at = head->next; at != head; at = at->next)
        n++;
    return n;
}
static void put_blob(struct nl_buf *b, uint16_t attr, const struct nf_blob *blob) {
    if (blob->len)
        nl_put(b, attr, blob->p, blob->len);
}

// ---- One object each --------------------------------------------------------------------------------------
static bool put_table(struct nfput *p, const struct nf_table *t) {
    struct nl_buf *b = p->b;
    size_t at = nft_put_begin(p, LINUX_NFT_MSG_NEWTABLE, t->family);
    nl_put_str(b, LINUX_NFTA_TABLE_NAME, t->name);
    nfa_put_be32(b, LINUX_NFTA_TABLE_USE, length(&t->chains) + length(&t->sets) + length(&t->objs));
    nfa_put_be64(b, LINUX_NFTA_TABLE_HANDLE, t->handle);
    nfa_put_be32(b, LINUX_NFTA_TABLE_FLAGS, t->flags);
    put_blob(b, LINUX_NFTA_TABLE_USERDATA, &t->user);
    return nl_end(b, at);
}
static void put_base(struct nl_buf *b, const struct nf_chain *c) {
    static const char *const types[] = {[NF_FILTER] = "filter", [NF_NAT] = "nat", [NF_ROUTE] = "route"};
    size_t hook = nl_nest(b, LINUX_NFTA_CHAIN_HOOK);
    nfa_put_be32(b, LINUX_NFTA_HOOK_HOOKNUM, c->hook);
    nfa_put_be32(b, LINUX_NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
    nl_nest_end(b, hook);
    nfa_put_be32(b, LINUX_NFTA_CHAIN_POLICY, c->policy);
    nl_put_str(b, LINUX_NFTA_CHAIN_TYPE, types[c->type]);
    if (c->has_stats) {
        size_t at = nl_nest(b, LINUX_NFTA_CHAIN_COUNTERS);
        nfa_put_be64(b, LINUX_NFTA_COUNTER_PACKETS, c->packets);
        nfa_put_be64(b, LINUX_NFTA_COUNTER_BYTES, c->bytes);
        nl_nest_end(b, at);
    }
}
static bool put_chain(struct nfput *p, const struct nf_chain *c) {
    struct nl_buf *b = p->b;
    size_t at = nft_put_begin(p, LINUX_NFT_MSG_NEWCHAIN, c->table->family);
    nl_put_str(b, LINUX_NFTA_CHAIN_TABLE, c->table->name);
    nl_put_str(b, LINUX_NFTA_CHAIN_NAME, c->name);
    nfa_put_be64(b, LINUX_NFTA_CHAIN_HANDLE, c->handle);
    if (c->base)
        put_base(b, c);
    if (c->flags)
        nfa_put_be32(b, LINUX_NFTA_CHAIN_FLAGS, c->flags);
    nfa_put_be32(b, LINUX_NFTA_CHAIN_USE, c->use + c->nrules);
    put_blob(b, LINUX_NFTA_CHAIN_USERDATA, &c->user);
    return nl_end(b, at);
}
static bool put_rule(struct nfput *p, const struct nf_rule *r) {
    struct nl_buf *b = p->b;
    const struct nf_chain *c = r->chain;
    size_t at = nft_put_begin(p, LINUX_NFT_MSG_NEWRULE, c->table->family);
    nl_put_str(b, LINUX_NFTA_RULE_TABLE, c->table->name);
    nl_put_str(b, LINUX_NFTA_RULE_CHAIN, c->name);
    nfa_put_be64(b, LINUX_NFTA_RULE_HANDLE, r->handle);
    if (r->link.prev != &c->rules)  // that before it
        nfa_put_be64(b, LINUX_NFTA_RULE_POSITION, container_of(r->link.prev, struct nf_rule, link)->handle);
    size_t list = nl_nest(b, LINUX_NFTA_RULE_EXPRESSIONS);
    for (uint32_t i = 0; i < r->n; i++)
        nft_expr_put(b, LINUX_NFTA_LIST_ELEM, &r->exprs[i]);
    if (b->len - list > 0xffff)
        b->full = true;
    nl_nest_end(b, list);
    put_blob(b, LINUX_NFTA_RULE_USERDATA, &r->user);
    return nl_end(b, at);
}
static bool put_obj(struct nfput *p, const struct nf_obj *o) {
    struct nl_buf *b = p->b;
    size_t at = nft_put_begin(p, LINUX_NFT_MSG_NEWOBJ, o->table->family);
    nl_put_str(b, LINUX_NFTA_OBJ_TABLE, o->table->name);
    nl_put_str(b, LINUX_NFTA_OBJ_NAME, o->name);
    nfa_put_be32(b, LINUX_NFTA_OBJ_TYPE, o->type);
    nfa_put_be32(b, LINUX_NFTA_OBJ_USE, o->use);
    nft_expr_put_data(b, LINUX_NFTA_OBJ_DATA, &o->x);
    nfa_put_be64(b, LINUX_NFTA_OBJ_HANDLE, o->handle);
    return nl_end(b, at);
}
// LIMIT: of what a rule or an object has counted, only counters go back to 0.
static void reset(struct nf_expr *x) {
    if (x->kind == NF_X_COUNTER)
        x->counter.packets = x->counter.bytes = 0;
    if (x->kind == NF_X_QUOTA)
        x->quota.consumed = 0;
}

// ---- All of a kind. Each is told when its number is d->at; true: that was all -----------------------------
struct walk {
    struct nfput p;
    struct rtnl_dump *d;
    uint32_t i;  // of what has been passed
    bool reset;
};
static bool wanted(const struct rtnl_dump *d, const struct nf_table *t) {
    return (d->family == 0 || d->family == t->family) && (!d->table || d->table == t->handle);
}
// Is it its turn? And then: was it told?
static bool turn(struct walk *w) { return w->i++ >= w->d->at; }
static bool told(struct walk *w, bool ok) {
    if (ok)
        w->d->at = w->i;
    return ok;
}
static bool chains(struct walk *w, struct nf_table *t) {
    struct nf_chain *c;
    list_for_each(c, &t->chains, link) {
        if (turn(w) && !told(w, put_chain(&w->p, c)))
            return false;
    }
    return true;
}
static bool rules(struct walk *w, struct nf_table *t) {
    struct nf_chain *c;
    struct nf_rule *r;
    list_for_each(c, &t->chains, link) {
        if (w->d->object && w->d->object != c->handle)
            continue;
        list_for_each(r, &c->rules, link) {
            if (!turn(w))
                continue;
            if (!told(w, put_rule(&w->p, r)))
                return false;
            for (uint32_t i = 0; w->reset && i < r->n; i++)
                reset(&r->exprs[i]);
        }
    }
    return true;
}
static bool sets(struct walk *w, struct nf_table *t) {
    struct nf_set *s;
    list_for_each(s, &t->sets, link) {
        if (turn(w) && !told(w, nft_put_set(&w->p, s)))
            return false;
    }
    return true;
}
static bool objs(struct walk *w, struct nf_table *t) {
    struct nf_obj *o;
    list_for_each(o, &t->objs, link) {
        if (w->d->object && w->d->object != o->type)
            continue;
        if (!turn(w))
            continue;
        if (!told(w, put_obj(&w->p, o)))
            return false;
        if (w->reset)
            reset(&o->x);
    }
    return true;
}
static bool elements(struct walk *w, struct nf_table *t) {
    struct nf_set *s = nf_set_by_handle(t, w->d->object);
    return !s || nft_put_elems(&w->p, s, &w->d->at);
}
static bool table(struct walk *w, struct nf_table *t) {
    switch (w->d->type) {
    case LINUX_NFT_MSG_GETTABLE:
        return !turn(w) || told(w, put_table(&w->p, t));
    case LINUX_NFT_MSG_GETCHAIN:
        return chains(w, t);
    case LINUX_NFT_MSG_GETRULE:
    case LINUX_NFT_MSG_GETRULE_RESET:
        return rules(w, t);
    case LINUX_NFT_MSG_GETSET:
        return sets(w, t);
    case LINUX_NFT_MSG_GETSETELEM:
        return elements(w, t);
    case LINUX_NFT_MSG_GETOBJ:
    case LINUX_NFT_MSG_GETOBJ_RESET:
        return objs(w, t);
    default:
        return true;  // flow tables: there are none
    }
}
bool nft_dump(struct nf *nf, struct rtnl_dump *d, struct nl_buf *b) {
    struct walk w = {.p = {nf, b, LINUX_NLM_F_MULTI, d->seq, d->portid}, .d = d};
    struct nf_table *t;
    w.reset = d->type == LINUX_NFT_MSG_GETRULE_RESET || d->type == LINUX_NFT_MSG_GETOBJ_RESET;
    if (d->generation != nf->generation)
        w.p.flags |= LINUX_NLM_F_DUMP_INTR;
    list_for_each(t, &nf->tables, link) {
        if (wanted(d, t) && !table(&w, t))
            return false;
    }
    return true;
}

// ---- What is asked for ------------------------------------------------------------------------------------
static const uint64_t nothing = UINT64_MAX;  // the handle of what there is not

// Attributes that say which table a dump is about are the first of each kind.
int nft_dump_begin(struct nfreq *r, struct rtnl_dump *d) {
    char name[NF_NAME];
    struct nf_table *t = NULL;
    uint32_t type;
    d->generation = r->nf->generation;
    d->type = r->type;
    d->family = r->family;
    if (r->type == LINUX_NFT_MSG_GETTABLE || r->type == LINUX_NFT_MSG_GETCHAIN)
        return 0;
    if (nfa_str(nfa(r, LINUX_NFTA_RULE_TABLE), name, sizeof name)) {
        t = nf_table_find(r->nf, r->family, name);
        d->table = t ? t->handle : nothing;
    }
    bool elems = r->type == LINUX_NFT_MSG_GETSETELEM;
    bool objects = r->type == LINUX_NFT_MSG_GETOBJ || r->type == LINUX_NFT_MSG_GETOBJ_RESET;
    if (elems) {
        struct nf_set *s = t && nfa_str(nfa(r, LINUX_NFTA_SET_ELEM_LIST_SET), name, sizeof name)
                               ? nf_set_find(t, name)
                               : NULL;
        d->object = s ? s->handle : nothing;
        return s ? 0 : -LINUX_ENOENT;
    }
    if (objects && nfa_be32(nfa(r, LINUX_NFTA_OBJ_TYPE), &type, 0))
        d->object = type;
    if (r->type == LINUX_NFT_MSG_GETSET || objects || !t)
        return 0;
    if (nfa_str(nfa(r, LINUX_NFTA_RULE_CHAIN), name, sizeof name)) {
        struct nf_chain *c = nf_chain_find(t, name);
        d->object = c ? c->handle : nothing;
    }
    return 0;
}
static struct nfput to_asker(struct nfreq *r) {
    return (struct nfput){r->nf, r->out, 0, r->q->h.nlmsg_seq, r->portid};
}
static int get_gen(struct nfreq *r) {
    struct nfput p = to_asker(r);
    size_t at = nft_put_begin(&p, LINUX_NFT_MSG_NEWGEN, 0);
    nfa_put_be32(r->out, LINUX_NFTA_GEN_ID, r->nf->generation);
    nfa_put_be32(r->out, LINUX_NFTA_GEN_PROC_PID, 0);
    nl_put_str(r->out, LINUX_NFTA_GEN_PROC_NAME, "");
    return nl_end(r->out, at) ? 0 : -LINUX_EMSGSIZE;
}
static int get_rule(struct nfreq *r, struct nf_table *t) {
    struct nfput p = to_asker(r);
    char name[NF_NAME];
    uint64_t handle;
    if (!nfa_str(nfa(r, LINUX_NFTA_RULE_CHAIN), name, sizeof name) || !nfa(r, LINUX_NFTA_RULE_HANDLE).p ||
        !nfa_be64(nfa(r, LINUX_NFTA_RULE_HANDLE), &handle, 0))
        return -LINUX_EINVAL;
    struct nf_chain *c = nf_chain_find(t, name);
    struct nf_rule *rule = c ? nf_rule_by_handle(c, handle) : NULL;
    if (!rule)
        return -LINUX_ENOENT;
    return put_rule(&p, rule) ? 0 : -LINUX_EMSGSIZE;
}
static int get_named(struct nfreq *r, struct nf_table *t) {
    struct nfput p = to_asker(r);
    uint16_t attr = r->type == LINUX_NFT_MSG_GETCHAIN ? LINUX_NFTA_CHAIN_NAME : LINUX_NFTA_SET_NAME;
    char name[NF_NAME];
    uint32_t type;
    bool ok = false;
    if (!nfa_str(nfa(r, attr), name, sizeof name))
        return -LINUX_EINVAL;
    if (r->type == LINUX_NFT_MSG_GETCHAIN) {
        struct nf_chain *c = nf_chain_find(t, name);
        if (!c)
            return -LINUX_ENOENT;
        ok = put_chain(&p, c);
    } else if (r->type == LINUX_NFT_MSG_GETSET) {
        struct nf_set *s = nf_set_find(t, name);
        if (!s)
            return -LINUX_ENOENT;
        ok = nft_put_set(&p, s);
    } else {
        if (!nfa_be32(nfa(r, LINUX_NFTA_OBJ_TYPE), &type, 0))
            return -LINUX_EINVAL;
        struct nf_obj *o = nf_obj_find(t, name, type);
        if (!o)
            return -LINUX_ENOENT;
        ok = put_obj(&p, o);
        if (ok && r->type == LINUX_NFT_MSG_GETOBJ_RESET)
            reset(&o->x);
    }
    return ok ? 0 : -LINUX_EMSGSIZE;
}
int nft_get(struct nfreq *r) {
    struct nf_table *t;
    struct nfput p = to_asker(r);
    if (r->type == LINUX_NFT_MSG_GETGEN)
        return get_gen(r);
    int err = nft_table_of(r, LINUX_NFTA_TABLE_NAME, &t);  // the first attribute of all
    if (err < 0)
        return err;
    switch (r->type) {
    case LINUX_NFT_MSG_GETTABLE:
        return put_table(&p, t) ? 0 : -LINUX_EMSGSIZE;
    case LINUX_NFT_MSG_GETRULE:
        return get_rule(r, t);
    case LINUX_NFT_MSG_GETCHAIN:
    case LINUX_NFT_MSG_GETSET:
    case LINUX_NFT_MSG_GETOBJ:
    case LINUX_NFT_MSG_GETOBJ_RESET:
        return get_named(r, t);
    default:
        return -LINUX_EOPNOTSUPP;  // LIMIT: one element of a set cannot be asked for
    }
}
