// SPDX-License-Identifier: Apache-2.0
// nf_tables: tables, chains and named objects, made, changed and deleted. Errors are those that Linux'
// nf_tables has. LIMIT: families arp, bridge and netdev, chains at ingress or without a name, and flow tables
// are refused.
#include "sentry/net/nfnl.h"

int nft_table_of(const struct nfreq *r, uint16_t attr, struct nf_table **out) {
    char name[NF_NAME];
    if (!nfa_str(nfa(r, attr), name, sizeof name))
        return -LINUX_EINVAL;
    *out = nf_table_find(r->nf, r->family, name);
    return *out ? 0 : -LINUX_ENOENT;
}
static bool keep_user(struct nf *nf, struct nf_blob *b, struct nfattr a) {
    return !a.p || nf_keep(nf, b, a.p, a.n);
}

// ---- Tables -----------------------------------------------------------------------------------------------
static int make_table(struct nfreq *r, const char *name, uint32_t flags) {
    struct nfattr user = nfa(r, LINUX_NFTA_TABLE_USERDATA);
    if (user.n > 256)
        return -LINUX_ERANGE;
    struct nf_table *t = nf_alloc(r->nf, sizeof *t);
    if (!t)
        return -LINUX_ENOMEM;
    t->nf = r->nf;
    t->family = r->family;
    t->flags = flags;
    memcpy(t->name, name, sizeof t->name);
    if (!keep_user(r->nf, &t->user, user)) {
        nf_table_free(r->nf, t);
        return -LINUX_ENOMEM;
    }
    return nf_table_add(r->nf, t);
}
int nft_new_table(struct nfreq *r) {
    char name[NF_NAME] = "";
    uint32_t flags;
    if (r->family != NF_INET && r->family != NF_IPV4 && r->family != NF_IPV6)
        return -LINUX_EAFNOSUPPORT;
    if (!nfa_str(nfa(r, LINUX_NFTA_TABLE_NAME), name, sizeof name) ||
        !nfa_be32(nfa(r, LINUX_NFTA_TABLE_FLAGS), &flags, 0))
        return -LINUX_EINVAL;
    if (flags & ~NF_TABLE_DORMANT)
        return -LINUX_EOPNOTSUPP;
    struct nf_table *t = nf_table_find(r->nf, r->family, name);
    if (!t)
        return make_table(r, name, flags);
    if (r->flags & LINUX_NLM_F_EXCL)
        return -LINUX_EEXIST;
    if (r->flags & LINUX_NLM_F_REPLACE)
        return -LINUX_EOPNOTSUPP;
    bool given = nfa(r, LINUX_NFTA_TABLE_FLAGS).p;
    return given && flags != t->flags ? nf_table_set_flags(r->nf, t, flags) : 0;
}
static int flush_tables(struct nfreq *r) {
    struct nf_table *t, *next;
    int err = 0;
    list_for_each_safe(t, next, &r->nf->tables, link) {
        if (err == 0 && (r->family == 0 || t->family == r->family))
            err = nf_table_del(r->nf, t);
    }
    return err;
}
int nft_del_table(struct nfreq *r) {
    struct nfattr handle = nfa(r, LINUX_NFTA_TABLE_HANDLE);
    struct nf_table *t = NULL;
    uint64_t number;
    if (handle.p) {
        if (!nfa_be64(handle, &number, 0))
            return -LINUX_EINVAL;
        t = nf_table_by_handle(r->nf, r->family, number);
        return t ? nf_table_del(r->nf, t) : -LINUX_ENOENT;
    }
    if (r->family == 0 || !nfa(r, LINUX_NFTA_TABLE_NAME).p)
        return flush_tables(r);
    int err = nft_table_of(r, LINUX_NFTA_TABLE_NAME, &t);
    return err < 0 ? err : nf_table_del(r->nf, t);
}

// ---- Chains -----------------------------------------------------------------------------------------------
// The chain that a message names; *c NULL and 0: there is none of that name.
static int find_chain(struct nfreq *r, struct nf_table *t, struct nf_chain **c) {
    struct nfattr handle = nfa(r, LINUX_NFTA_CHAIN_HANDLE), name = nfa(r, LINUX_NFTA_CHAIN_NAME);
    char text[NF_NAME];
    uint64_t number;
    *c = NULL;
    if (handle.p) {
        if (!nfa_be64(handle, &number, 0))
            return -LINUX_EINVAL;
        *c = nf_chain_by_handle(t, number);
        return *c ? 0 : -LINUX_ENOENT;
    }
    if (!nfa_str(name, text, sizeof text))
        return name.p ? -LINUX_EINVAL : -LINUX_EOPNOTSUPP;
    *c = nf_chain_find(t, text);
    return 0;
}
static int type_of(struct nfattr type, struct nf_chain *c) {
    static const char *const names[] = {[NF_FILTER] = "filter", [NF_NAT] = "nat", [NF_ROUTE] = "route"};
    static const unsigned hooks[] = {
        [NF_FILTER] = 31, [NF_NAT] = 31 & ~(1u << NF_FORWARD), [NF_ROUTE] = 1u << NF_OUTPUT};
    char name[16];
    if (!type.p)
        return 0;
    if (!nfa_str(type, name, sizeof name))
        return -LINUX_EINVAL;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        c->type = (enum nf_chain_type)i;
        return hooks[i] & 1u << c->hook ? 0 : -LINUX_EOPNOTSUPP;
    }
    return -LINUX_ENOENT;
}
static int hook_of(struct nfreq *r, struct nf_chain *c) {
    struct nfattr hook = nfa(r, LINUX_NFTA_CHAIN_HOOK);
    uint32_t number, priority;
    if (!nfa_be32(nfa_in(hook, LINUX_NFTA_HOOK_HOOKNUM), &number, NF_HOOKS) ||
        !nfa_be32(nfa_in(hook, LINUX_NFTA_HOOK_PRIORITY), &priority, 0))
        return -LINUX_EINVAL;
    if (!nfa_in(hook, LINUX_NFTA_HOOK_HOOKNUM).p || !nfa_in(hook, LINUX_NFTA_HOOK_PRIORITY).p)
        return -LINUX_ENOENT;
    if (number >= NF_HOOKS || nfa_in(hook, LINUX_NFTA_HOOK_DEV).p || nfa_in(hook, LINUX_NFTA_HOOK_DEVS).p)
        return -LINUX_EOPNOTSUPP;
    c->base = true;
    c->flags |= NF_CHAIN_BASE;
    c->hook = (enum nf_hooknum)number;
    c->priority = (int32_t)priority;
    int err = type_of(nfa(r, LINUX_NFTA_CHAIN_TYPE), c);
    if (err == 0 && c->type == NF_NAT && c->priority <= -200)  // before connections are known
        err = -LINUX_EOPNOTSUPP;
    return err;
}
// What a message says of the policy: NF_HOOKS: nothing.
static int policy_of(struct nfreq *r, bool base, uint32_t *policy) {
    if (!nfa_be32(nfa(r, LINUX_NFTA_CHAIN_POLICY), policy, NF_HOOKS))
        return -LINUX_EINVAL;
    if (*policy == NF_HOOKS)
        return 0;
    if (!base)
        return -LINUX_EOPNOTSUPP;
    return *policy > NF_ACCEPT ? -LINUX_EINVAL : 0;
}
static int stats_of(struct nfreq *r, bool base, uint64_t *packets, uint64_t *bytes) {
    struct nfattr a = nfa(r, LINUX_NFTA_CHAIN_COUNTERS);
    if (a.p && !base)
        return -LINUX_EOPNOTSUPP;
    return nfa_be64(nfa_in(a, LINUX_NFTA_COUNTER_PACKETS), packets, 0) &&
                   nfa_be64(nfa_in(a, LINUX_NFTA_COUNTER_BYTES), bytes, 0)
               ? 0
               : -LINUX_EINVAL;
}
static int fill_chain(struct nfreq *r, struct nf_chain *c) {
    uint32_t policy = NF_ACCEPT, flags;
    int err = nfa(r, LINUX_NFTA_CHAIN_HOOK).p ? hook_of(r, c) : 0;
    if (err == 0)
        err = policy_of(r, c->base, &policy);
    if (err == 0)
        err = stats_of(r, c->base, &c->packets, &c->bytes);
    if (err < 0)
        return err;
    if (!nfa_be32(nfa(r, LINUX_NFTA_CHAIN_FLAGS), &flags, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_CHAIN_ID), &c->id, 0))
        return -LINUX_EINVAL;
    if (flags & ~NF_CHAIN_BASE)
        return -LINUX_EOPNOTSUPP;
    if (nfa(r, LINUX_NFTA_CHAIN_USERDATA).n > 256)
        return -LINUX_ERANGE;
    c->has_stats = nfa(r, LINUX_NFTA_CHAIN_COUNTERS).p;
    c->policy = policy <= NF_ACCEPT ? policy : NF_ACCEPT;
    return keep_user(r->nf, &c->user, nfa(r, LINUX_NFTA_CHAIN_USERDATA)) ? 0 : -LINUX_ENOMEM;
}
static int make_chain(struct nfreq *r, struct nf_table *t) {
    struct nf_chain *c = nf_alloc(r->nf, sizeof *c);
    if (!c)
        return -LINUX_ENOMEM;
    c->table = t;
    nfa_str(nfa(r, LINUX_NFTA_CHAIN_NAME), c->name, sizeof c->name);
    int err = fill_chain(r, c);
    if (err < 0) {
        nf_chain_free(r->nf, c);
        return err;
    }
    return nf_chain_add(r->nf, c);
}
static int change_chain(struct nfreq *r, struct nf_chain *c) {
    uint32_t policy;
    uint64_t packets, bytes;
    int err = policy_of(r, c->base, &policy);
    if (err == 0)
        err = stats_of(r, c->base, &packets, &bytes);
    if (err == 0 && nfa(r, LINUX_NFTA_CHAIN_HOOK).p) {
        struct nf_chain like = {.flags = 0};
        err = c->base ? hook_of(r, &like) : -LINUX_EEXIST;
        if (err == 0 && (like.hook != c->hook || like.priority != c->priority || like.type != c->type))
            err = -LINUX_EEXIST;
    }
    if (err == 0 && policy != NF_HOOKS)
        err = nf_chain_set_policy(r->nf, c, policy);
    if (err == 0 && nfa(r, LINUX_NFTA_CHAIN_COUNTERS).p)
        err = nf_chain_set_stats(r->nf, c, packets, bytes);
    return err;
}
int nft_new_chain(struct nfreq *r) {
    struct nf_table *t;
    struct nf_chain *c = NULL;
    int err = nft_table_of(r, LINUX_NFTA_CHAIN_TABLE, &t);
    if (err == 0)
        err = find_chain(r, t, &c);
    if (err < 0)
        return err;
    if (!c)
        return make_chain(r, t);
    if (r->flags & LINUX_NLM_F_EXCL)
        return -LINUX_EEXIST;
    return r->flags & LINUX_NLM_F_REPLACE ? -LINUX_EOPNOTSUPP : change_chain(r, c);
}
int nft_del_chain(struct nfreq *r) {
    struct nf_table *t;
    struct nf_chain *c = NULL;
    int err = nft_table_of(r, LINUX_NFTA_CHAIN_TABLE, &t);
    if (err == 0)
        err = find_chain(r, t, &c);
    if (err < 0)
        return err;
    return c ? nf_chain_del(r->nf, c) : -LINUX_ENOENT;
}

// ---- Named objects ----------------------------------------------------------------------------------------
static bool kind_of(uint32_t type, enum nf_kind *kind) {
    switch (type) {
    case NF_OBJ_COUNTER:
        *kind = NF_X_COUNTER;
        return true;
    case NF_OBJ_QUOTA:
        *kind = NF_X_QUOTA;
        return true;
    case NF_OBJ_LIMIT:
        *kind = NF_X_LIMIT;
        return true;
    default:
        return false;
    }
}
static int find_obj(struct nfreq *r, struct nf_table **t, char *name, uint32_t *type, struct nf_obj **o) {
    int err = nft_table_of(r, LINUX_NFTA_OBJ_TABLE, t);
    if (err < 0)
        return err;
    if (!nfa_str(nfa(r, LINUX_NFTA_OBJ_NAME), name, NF_NAME) ||
        !nfa_be32(nfa(r, LINUX_NFTA_OBJ_TYPE), type, 0) || !*type)
        return -LINUX_EINVAL;
    *o = nf_obj_find(*t, name, *type);
    return 0;
}
int nft_new_obj(struct nfreq *r) {
    struct nf_table *t;
    struct nf_obj *o;
    char name[NF_NAME] = "";
    uint32_t type;
    enum nf_kind kind;
    int err = find_obj(r, &t, name, &type, &o);
    if (err < 0)
        return err;
    if (o)
        return r->flags & LINUX_NLM_F_EXCL ? -LINUX_EEXIST : 0;
    if (!kind_of(type, &kind))
        return -LINUX_ENOENT;
    o = nf_alloc(r->nf, sizeof *o);
    if (!o)
        return -LINUX_ENOMEM;
    o->table = t;
    o->type = type;
    memcpy(o->name, name, sizeof o->name);
    err = nft_expr_get_data(r->nf, t, kind, nfa(r, LINUX_NFTA_OBJ_DATA), &o->x);
    if (err < 0) {
        nf_obj_free(r->nf, o);
        return err;
    }
    return nf_obj_add(r->nf, o);
}
int nft_del_obj(struct nfreq *r) {
    struct nf_table *t;
    struct nf_obj *o;
    char name[NF_NAME];
    uint32_t type;
    int err = find_obj(r, &t, name, &type, &o);
    if (err < 0)
        return err;
    return o ? nf_obj_del(r->nf, o) : -LINUX_ENOENT;
}
