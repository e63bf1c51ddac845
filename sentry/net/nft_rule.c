// SPDX-License-Identifier: Apache-2.0
// nf_tables: rules, made, put into another's place and deleted.
#include "sentry/net/nfnl.h"

static int chain_of(struct nfreq *r, struct nf_table **t, struct nf_chain **c) {
    char name[NF_NAME];
    uint32_t id;
    int err = nft_table_of(r, LINUX_NFTA_RULE_TABLE, t);
    if (err < 0)
        return err;
    if (!nfa_be32(nfa(r, LINUX_NFTA_RULE_CHAIN_ID), &id, 0))
        return -LINUX_EINVAL;
    if (nfa(r, LINUX_NFTA_RULE_CHAIN).p) {
        if (!nfa_str(nfa(r, LINUX_NFTA_RULE_CHAIN), name, sizeof name))
            return -LINUX_EINVAL;
        *c = nf_chain_find(*t, name);
    } else {
        *c = id ? nf_chain_by_id(r->nf, *t, id) : NULL;
        if (!id)
            return -LINUX_EINVAL;
    }
    return *c ? 0 : -LINUX_ENOENT;
}
// The rule that an attribute names by its handle. *out NULL and 0: none is named.
static int by_handle(struct nfreq *r, struct nf_chain *c, uint16_t attr, struct nf_rule **out) {
    uint64_t handle;
    *out = NULL;
    if (!nfa(r, attr).p)
        return 0;
    if (!nfa_be64(nfa(r, attr), &handle, 0))
        return -LINUX_EINVAL;
    *out = nf_rule_by_handle(c, handle);
    return *out ? 0 : -LINUX_ENOENT;
}

// ---- Making one -------------------------------------------------------------------------------------------
static int count_exprs(struct nfattr list, uint32_t *n) {
    struct nfattr a;
    uint16_t type;
    *n = 0;
    for (size_t at = 0; nfa_next(list, &at, &type, &a); (*n)++) {
        if (type != LINUX_NFTA_LIST_ELEM || *n == NF_EXPRS)
            return -LINUX_EINVAL;
    }
    return 0;
}
static int fill(struct nfreq *r, struct nf_table *t, struct nf_rule *rule) {
    struct nfattr list = nfa(r, LINUX_NFTA_RULE_EXPRESSIONS), a, user = nfa(r, LINUX_NFTA_RULE_USERDATA);
    uint32_t n;
    uint16_t type;
    int err = count_exprs(list, &n);
    if (err < 0)
        return err;
    if (user.n > 256 || !nfa_be32(nfa(r, LINUX_NFTA_RULE_ID), &rule->id, 0))
        return -LINUX_EINVAL;
    if (!nf_keep(r->nf, &rule->user, user.p, user.n))
        return -LINUX_ENOMEM;
    rule->exprs = n ? nf_alloc(r->nf, n * sizeof *rule->exprs) : NULL;
    if (n && !rule->exprs)
        return -LINUX_ENOMEM;
    rule->n = n;
    uint32_t i = 0;
    for (size_t at = 0; i < n && nfa_next(list, &at, &type, &a); i++) {
        err = nft_expr_get(r->nf, t, a, &rule->exprs[i]);
        if (err < 0)
            return err;
    }
    return 0;
}
static int make(struct nfreq *r, struct nf_table *t, struct nf_chain *c, struct nf_rule **out) {
    struct nf_rule *rule = nf_alloc(r->nf, sizeof *rule);
    if (!rule)
        return -LINUX_ENOMEM;
    rule->chain = c;
    int err = fill(r, t, rule);
    if (err < 0) {
        nf_rule_free(r->nf, rule);
        return err;
    }
    *out = rule;
    return 0;
}
// Where a new one goes, by a handle or by the number that its neighbour has in this batch.
static int position(struct nfreq *r, struct nf_chain *c, struct nf_rule **at) {
    uint32_t id;
    int err = by_handle(r, c, LINUX_NFTA_RULE_POSITION, at);
    if (err < 0 || *at || !nfa(r, LINUX_NFTA_RULE_POSITION_ID).p)
        return err;
    if (!nfa_be32(nfa(r, LINUX_NFTA_RULE_POSITION_ID), &id, 0))
        return -LINUX_EINVAL;
    *at = nf_rule_by_id(r->nf, c, id);
    return *at ? 0 : -LINUX_ENOENT;
}
int nft_new_rule(struct nfreq *r) {
    struct nf_table *t;
    struct nf_chain *c;
    struct nf_rule *old, *at = NULL, *rule;
    int err = chain_of(r, &t, &c);
    if (err == 0)
        err = by_handle(r, c, LINUX_NFTA_RULE_HANDLE, &old);
    if (err < 0)
        return err;
    if (old && (r->flags & LINUX_NLM_F_EXCL))
        return -LINUX_EEXIST;
    if (old && !(r->flags & LINUX_NLM_F_REPLACE))
        return -LINUX_EOPNOTSUPP;
    if (!old && (!(r->flags & LINUX_NLM_F_CREATE) || (r->flags & LINUX_NLM_F_REPLACE)))
        return -LINUX_EINVAL;
    if (!old && (err = position(r, c, &at)) < 0)
        return err;
    err = make(r, t, c, &rule);
    if (err < 0)
        return err;
    err = nf_rule_add(r->nf, rule, old ? old : at, old || (r->flags & LINUX_NLM_F_APPEND));
    if (err < 0 || !old)
        return err;
    rule->handle = old->handle;
    return nf_rule_del(r->nf, old);
}

// ---- Deleting ---------------------------------------------------------------------------------------------
static int empty(struct nf *nf, struct nf_chain *c) {
    int err = 0;
    while (err == 0 && !list_empty(&c->rules))
        err = nf_rule_del(nf, list_first(&c->rules, struct nf_rule, link));
    return err;
}
static int empty_all(struct nf *nf, struct nf_table *t) {
    struct nf_chain *c;
    int err = 0;
    list_for_each(c, &t->chains, link) {
        if (err == 0)
            err = empty(nf, c);
    }
    return err;
}
int nft_del_rule(struct nfreq *r) {
    struct nf_table *t;
    struct nf_chain *c;
    struct nf_rule *rule;
    uint32_t id;
    if (!nfa(r, LINUX_NFTA_RULE_CHAIN).p) {
        int err = nft_table_of(r, LINUX_NFTA_RULE_TABLE, &t);
        return err < 0 ? err : empty_all(r->nf, t);
    }
    int err = chain_of(r, &t, &c);
    if (err == 0)
        err = by_handle(r, c, LINUX_NFTA_RULE_HANDLE, &rule);
    if (err < 0)
        return err;
    if (!rule && nfa(r, LINUX_NFTA_RULE_ID).p) {
        if (!nfa_be32(nfa(r, LINUX_NFTA_RULE_ID), &id, 0))
            return -LINUX_EINVAL;
        rule = nf_rule_by_id(r->nf, c, id);
        if (!rule)
            return -LINUX_ENOENT;
    }
    return rule ? nf_rule_del(r->nf, rule) : empty(r->nf, c);
}
