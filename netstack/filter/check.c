// SPDX-License-Identifier: Apache-2.0
// Before a commit: from each base chain no way through jumps is longer than NF_DEPTH, so there is no loop;
// and expressions stand where they mean something (a masquerade behind routing, a reject not there). A chain
// is asked once for each kind of base chain that leads there, and its depth is remembered.
#include "netstack/filter/nf.h"

#define BIT(hook)     (1u << (hook))
#define NAT_BIT(hook) (1u << (8 + (hook)))
#define BUSY          UINT32_MAX  // depth: of a chain that is being walked

static uint32_t place_of(const struct nf_chain *base) {
    return base->type == NF_NAT ? NAT_BIT(base->hook) : BIT(base->hook);
}
static uint32_t places(const struct nf_expr *x) {
    const uint32_t dst = NAT_BIT(NF_PREROUTING) | NAT_BIT(NF_OUTPUT);
    switch (x->kind) {
    case NF_X_REJECT:
        return BIT(NF_PREROUTING) | BIT(NF_INPUT) | BIT(NF_FORWARD) | BIT(NF_OUTPUT);
    case NF_X_MASQ:
        return NAT_BIT(NF_POSTROUTING);
    case NF_X_REDIR:
        return dst;
    case NF_X_NAT:
        return x->nat.type ? dst : NAT_BIT(NF_POSTROUTING) | NAT_BIT(NF_INPUT);
    case NF_X_MATCH:
    case NF_X_TARGET:
        return nf_xt_places(x->xt.xt);
    default:
        return ~0u;
    }
}

static int walk(struct nf_chain *c, uint32_t place, uint64_t turn, unsigned level);

static int step(struct nf_chain *from, struct nf_chain *to, uint32_t place, uint64_t turn, unsigned level) {
    if (!to)
        return 0;
    int err = walk(to, place, turn, level + 1);
    if (err == 0 && to->depth + 1 > from->reach)
        from->reach = to->depth + 1;
    return err;
}
static int reach_map(struct nf_chain *c, const struct nf_set *s, unsigned level) {
    if (s->depth > c->reach)
        c->reach = s->depth;
    return level + s->depth >= NF_DEPTH ? -LINUX_EMLINK : 0;
}
// A map may have many elements and be asked by many rules: it is gone through once.
static int step_map(struct nf_chain *c, struct nf_set *s, uint32_t place, uint64_t turn, unsigned level) {
    if (s->data_type != NF_VERDICT_TYPE)
        return 0;
    uint32_t reach = c->reach;
    int err = 0;
    if (s->walk == turn)  // all that it leads to was walked
        return reach_map(c, s, level);
    c->reach = 0;
    for (struct nf_elem *e = NULL; err == 0 && (e = nf_elem_next(s, e));)
        err = step(c, e->verdict.chain, place, turn, level);
    s->walk = turn;
    s->depth = c->reach;
    c->reach = reach > c->reach ? reach : c->reach;
    return err;
}
static int expr_ok(struct nf_chain *c, struct nf_expr *x, uint32_t place, uint64_t turn, unsigned level) {
    if (!(places(x) & place))
        return x->kind == NF_X_MATCH || x->kind == NF_X_TARGET ? -LINUX_EINVAL : -LINUX_EOPNOTSUPP;
    if (x->kind == NF_X_IMMEDIATE)
        return step(c, x->imm.chain, place, turn, level);
    return x->kind == NF_X_LOOKUP ? step_map(c, x->lookup.set, place, turn, level) : 0;
}
static int walk(struct nf_chain *c, uint32_t place, uint64_t turn, unsigned level) {
    if (level >= NF_DEPTH)
        return -LINUX_EMLINK;
    if (c->walk == turn)  // asked already, or on this very way: a loop
        return c->depth == BUSY || level + c->depth >= NF_DEPTH ? -LINUX_EMLINK : 0;
    c->walk = turn;
    c->depth = BUSY;
    c->reach = 0;
    struct nf_rule *r;
    list_for_each(r, &c->rules, link) {
        for (uint32_t i = 0; i < r->n; i++) {
            int err = expr_ok(c, &r->exprs[i], place, turn, level);
            if (err < 0)
                return err;
        }
    }
    c->depth = c->reach;
    return 0;
}

static int check_place(struct nf_table *t, uint32_t place, uint64_t turn) {
    struct nf_chain *c;
    int err = 0;
    list_for_each(c, &t->chains, link) {
        if (err == 0 && c->base && place_of(c) == place)
            err = walk(c, place, turn, 0);
    }
    return err;
}
int nf_check(struct nf *nf) {
    struct nf_table *t;
    int err = 0;
    list_for_each(t, &nf->tables, link) {
        for (unsigned hook = 0; hook < NF_HOOKS && err == 0; hook++) {
            err = check_place(t, BIT(hook), ++nf->turn);
            if (err == 0)
                err = check_place(t, NAT_BIT(hook), ++nf->turn);
        }
    }
    return err;
}
