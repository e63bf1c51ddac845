// SPDX-License-Identifier: Apache-2.0
// nf_tables: sets, maps and their elements, made, deleted and told.
// LIMIT: elements have no counters or other expressions of their own, and no rule adds any.
#include "sentry/net/nfnl.h"
#include <stdio.h>

#define NS_PER_MS 1000000ull
#define SET_EVAL  0x20u
#define SET_FLAGS \
    (NF_SET_ANONYMOUS | NF_SET_CONSTANT | NF_SET_INTERVAL | NF_SET_MAP | NF_SET_TIMEOUT | SET_EVAL | \
     NF_SET_OBJECT | NF_SET_CONCAT)

// ---- Sets -------------------------------------------------------------------------------------------------
// The number that a name has where "%d" is in the pattern, behind `front` bytes, as Linux reads it; NF_SETS:
// none that is given.
static unsigned number_in(const char *name, const char *pattern, size_t front) {
    unsigned v = 0;
    if (strncmp(name, pattern, front) != 0 || name[front] < '0' || name[front] > '9')
        return NF_SETS;
    for (name += front; *name >= '0' && *name <= '9' && v < NF_SETS; name++)
        v = v * 10 + (unsigned)(*name - '0');
    return v < NF_SETS ? v : NF_SETS;
}
// "%d" in the name of one without a name: the first number that is free.
static int number_name(struct nf_table *t, const char *pattern, char name[NF_NAME]) {
    const char *at = strstr(pattern, "%d");
    if (!at || strchr(at + 1, '%') || strchr(pattern, '%') != at || strlen(pattern) > 16)
        return -LINUX_EINVAL;
    uint8_t taken[NF_SETS / 8] = {0};
    const struct nf_set *s;
    unsigned i;
    list_for_each(s, &t->sets, link) {
        i = number_in(s->name, pattern, (size_t)(at - pattern));
        if (i < NF_SETS)
            taken[i / 8] |= (uint8_t)(1u << i % 8);
    }
    for (i = 0; i < NF_SETS && (taken[i / 8] & 1u << i % 8); i++)
        ;
    snprintf(name, NF_NAME, "%.*s%u%s", (int)(at - pattern), pattern, i, at + 2);
    return i < NF_SETS ? 0 : -LINUX_ENFILE;
}
static int fields_of(struct nfattr concat, struct nf_set *s) {
    struct nfattr a;
    uint16_t type;
    uint32_t n, all = 0;
    for (size_t at = 0; nfa_next(concat, &at, &type, &a);) {
        if (!nfa_be32(nfa_in(a, LINUX_NFTA_SET_FIELD_LEN), &n, 0) || n == 0 || n > NF_KEY)
            return -LINUX_EINVAL;
        if (s->nfields == sizeof s->field)
            return -LINUX_E2BIG;
        s->field[s->nfields++] = (uint8_t)n;
        all += (n + 3) & ~3u;
    }
    return s->nfields && all != s->key_len ? -LINUX_EINVAL : 0;
}
static int data_of(struct nfreq *r, struct nf_set *s) {
    bool map = s->flags & NF_SET_MAP, object = s->flags & NF_SET_OBJECT;
    if (map && object)
        return -LINUX_EOPNOTSUPP;
    if (nfa(r, LINUX_NFTA_SET_DATA_TYPE).p ? !map : map)
        return -LINUX_EINVAL;
    if (nfa(r, LINUX_NFTA_SET_OBJ_TYPE).p ? !object : object)
        return -LINUX_EINVAL;
    if (!nfa_be32(nfa(r, LINUX_NFTA_SET_DATA_TYPE), &s->data_type, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_DATA_LEN), &s->data_len, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_OBJ_TYPE), &s->obj_type, 0))
        return -LINUX_EINVAL;
    bool verdict = s->data_type == NF_VERDICT_TYPE;
    if (map && (s->data_type & NF_VERDICT_TYPE) == NF_VERDICT_TYPE && !verdict)
        return -LINUX_EINVAL;
    if (verdict)
        s->data_len = 16;
    return map && (s->data_len == 0 || s->data_len > NF_KEY) ? -LINUX_EINVAL : 0;
}
static int times_of(struct nfreq *r, struct nf_set *s) {
    bool timeout = s->flags & NF_SET_TIMEOUT, given = nfa(r, LINUX_NFTA_SET_TIMEOUT).p;
    if (!nfa_be64(nfa(r, LINUX_NFTA_SET_TIMEOUT), &s->timeout, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_GC_INTERVAL), &s->gc, 0))
        return -LINUX_EINVAL;
    if ((given || s->gc) && !timeout)
        return -LINUX_EINVAL;
    return s->timeout > UINT64_MAX / NS_PER_MS ? -LINUX_ERANGE : 0;
}
static int fill_set(struct nfreq *r, struct nf_set *s) {
    struct nfattr desc = nfa(r, LINUX_NFTA_SET_DESC), user = nfa(r, LINUX_NFTA_SET_USERDATA);
    if (!nfa(r, LINUX_NFTA_SET_KEY_LEN).p || !nfa(r, LINUX_NFTA_SET_ID).p ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_FLAGS), &s->flags, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_KEY_TYPE), &s->key_type, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_KEY_LEN), &s->key_len, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_POLICY), &s->policy, 0) ||
        !nfa_be32(nfa(r, LINUX_NFTA_SET_ID), &s->id, 0) ||
        !nfa_be32(nfa_in(desc, LINUX_NFTA_SET_DESC_SIZE), &s->size, 0))
        return -LINUX_EINVAL;
    if ((s->flags & ~SET_FLAGS) || nfa(r, LINUX_NFTA_SET_EXPR).p || nfa(r, LINUX_NFTA_SET_EXPRESSIONS).p)
        return -LINUX_EOPNOTSUPP;
    if (s->key_len == 0 || s->key_len > NF_KEY || user.n > 256)
        return -LINUX_EINVAL;
    int err = data_of(r, s);
    if (err == 0)
        err = times_of(r, s);
    if (err == 0)
        err = fields_of(nfa_in(desc, LINUX_NFTA_SET_DESC_CONCAT), s);
    if (err < 0)
        return err;
    return nf_keep(r->nf, &s->user, user.p, user.n) ? 0 : -LINUX_ENOMEM;
}
static int make_set(struct nfreq *r, struct nf_table *t, const char *name) {
    struct nf_set *s = nf_alloc(r->nf, sizeof *s);
    if (!s)
        return -LINUX_ENOMEM;
    list_init(&s->ranges);
    s->table = t;
    int err = fill_set(r, s);
    if (err == 0 && (s->flags & NF_SET_ANONYMOUS))
        err = number_name(t, name, s->name);
    else
        memcpy(s->name, name, sizeof s->name);
    if (err < 0) {
        nf_set_free(r->nf, s);
        return err;
    }
    return nf_set_add(r->nf, s);
}
int nft_new_set(struct nfreq *r) {
    struct nf_table *t;
    char name[NF_NAME] = "";
    int err = nft_table_of(r, LINUX_NFTA_SET_TABLE, &t);
    if (err < 0)
        return err;
    if (!nfa_str(nfa(r, LINUX_NFTA_SET_NAME), name, sizeof name))
        return -LINUX_EINVAL;
    if (!nf_set_find(t, name))
        return make_set(r, t, name);
    if (r->flags & LINUX_NLM_F_EXCL)
        return -LINUX_EEXIST;
    return r->flags & LINUX_NLM_F_REPLACE ? -LINUX_EOPNOTSUPP : 0;
}
int nft_del_set(struct nfreq *r) {
    struct nf_table *t;
    struct nf_set *s;
    uint64_t handle;
    int err = nft_table_of(r, LINUX_NFTA_SET_TABLE, &t);
    if (err < 0)
        return err;
    if (nfa(r, LINUX_NFTA_SET_HANDLE).p)
        s = nfa_be64(nfa(r, LINUX_NFTA_SET_HANDLE), &handle, 0) ? nf_set_by_handle(t, handle) : NULL;
    else
        s = nft_set_named(r->nf, t, nfa(r, LINUX_NFTA_SET_NAME), nfa(r, LINUX_NFTA_SET_ID));
    return s ? nf_set_del(r->nf, s) : -LINUX_ENOENT;
}

// ---- Elements ---------------------------------------------------------------------------------------------
static int set_of(struct nfreq *r, struct nf_table **t, struct nf_set **s) {
    int err = nft_table_of(r, LINUX_NFTA_SET_ELEM_LIST_TABLE, t);
    if (err < 0)
        return err;
    *s = nft_set_named(r->nf, *t, nfa(r, LINUX_NFTA_SET_ELEM_LIST_SET),
                       nfa(r, LINUX_NFTA_SET_ELEM_LIST_SET_ID));
    return *s ? 0 : -LINUX_ENOENT;
}
static int key_of(struct nfattr a, const struct nf_set *s, uint8_t *to) {
    int n = nft_value_get(a, to, NF_KEY);
    return n == (int)s->key_len ? 0 : -LINUX_EINVAL;
}
// Which one: key, flags and end.
static int name_elem(struct nfattr a, struct nf_set *s, struct nf_elem *e) {
    struct nfattr end = nfa_in(a, LINUX_NFTA_SET_ELEM_KEY_END), key = nfa_in(a, LINUX_NFTA_SET_ELEM_KEY);
    e->set = s;
    if (!nfa_be32(nfa_in(a, LINUX_NFTA_SET_ELEM_FLAGS), &e->flags, 0))
        return -LINUX_EINVAL;
    if (e->flags & ~(NF_ELEM_END | NF_ELEM_CATCHALL))
        return -LINUX_EOPNOTSUPP;
    bool all = e->flags & NF_ELEM_CATCHALL, ends = e->flags & NF_ELEM_END;
    if ((ends && !(s->flags & NF_SET_INTERVAL)) || (all && ends) || (all ? key.p != NULL : !key.p))
        return -LINUX_EINVAL;
    if (all)
        return 0;
    int err = key_of(key, s, e->key);
    if (err < 0 || !end.p)
        return err;
    e->has_end = true;
    return key_of(end, s, e->end);
}
static int value_of(struct nfreq *r, struct nf_table *t, struct nfattr a, struct nf_set *s,
                    struct nf_elem *e) {
    struct nfattr data = nfa_in(a, LINUX_NFTA_SET_ELEM_DATA), obj = nfa_in(a, LINUX_NFTA_SET_ELEM_OBJREF);
    char name[NF_NAME];
    bool ends = e->flags & NF_ELEM_END;
    if ((s->flags & NF_SET_MAP) ? (!data.p && !ends) || (data.p && ends) : data.p != NULL)
        return -LINUX_EINVAL;
    if ((s->flags & NF_SET_OBJECT) ? !obj.p && !ends : obj.p != NULL)
        return -LINUX_EINVAL;
    if (obj.p) {
        e->obj = nfa_str(obj, name, sizeof name) ? nf_obj_find(t, name, s->obj_type) : NULL;
        return e->obj ? 0 : -LINUX_ENOENT;
    }
    if (!data.p)
        return 0;
    if (s->data_type == NF_VERDICT_TYPE)
        return nft_verdict_get(r->nf, t, data, &e->verdict);
    return nft_value_get(data, e->data, NF_KEY) == (int)s->data_len ? 0 : -LINUX_EINVAL;
}
static int life_of(struct nfreq *r, struct nfattr a, const struct nf_set *s, struct nf_elem *e) {
    uint64_t timeout, left;
    bool given = nfa_in(a, LINUX_NFTA_SET_ELEM_TIMEOUT).p || nfa_in(a, LINUX_NFTA_SET_ELEM_EXPIRATION).p;
    if (given && !(s->flags & NF_SET_TIMEOUT))
        return -LINUX_EINVAL;
    if (!nfa_be64(nfa_in(a, LINUX_NFTA_SET_ELEM_TIMEOUT), &timeout, s->timeout) ||
        !nfa_be64(nfa_in(a, LINUX_NFTA_SET_ELEM_EXPIRATION), &left, timeout))
        return -LINUX_EINVAL;
    if (timeout > UINT64_MAX / NS_PER_MS / 4 || left > timeout)
        return -LINUX_ERANGE;
    e->timeout = timeout * NS_PER_MS;
    e->until = timeout ? nf_now(r->nf) + left * NS_PER_MS : 0;
    return 0;
}
static int fill_elem(struct nfreq *r, struct nf_table *t, struct nfattr a, struct nf_elem *e) {
    struct nfattr user = nfa_in(a, LINUX_NFTA_SET_ELEM_USERDATA);
    struct nf_set *s = e->set;
    if (nfa_in(a, LINUX_NFTA_SET_ELEM_EXPR).p || nfa_in(a, LINUX_NFTA_SET_ELEM_EXPRESSIONS).p)
        return -LINUX_EOPNOTSUPP;
    int err = name_elem(a, s, e);
    if (err == 0)
        err = value_of(r, t, a, s, e);
    if (err == 0)
        err = life_of(r, a, s, e);
    if (err == 0 && user.n > 256)
        err = -LINUX_EINVAL;
    if (err == 0 && !nf_keep(r->nf, &e->user, user.p, user.n))
        err = -LINUX_ENOMEM;
    return err;
}
static int add_elem(struct nfreq *r, struct nf_table *t, struct nf_set *s, struct nfattr a) {
    struct nf_elem *e = nf_alloc(r->nf, sizeof *e);
    if (!e)
        return -LINUX_ENOMEM;
    e->set = s;
    int err = fill_elem(r, t, a, e);
    if (err < 0) {
        nf_elem_free(r->nf, e);
        return err;
    }
    return nf_elem_add(r->nf, e, r->flags & LINUX_NLM_F_EXCL);
}
int nft_new_elems(struct nfreq *r) {
    struct nfattr list = nfa(r, LINUX_NFTA_SET_ELEM_LIST_ELEMENTS), a;
    struct nf_table *t;
    struct nf_set *s;
    uint16_t type;
    int err = set_of(r, &t, &s);
    if (err < 0)
        return err;
    if (!list.p)
        return -LINUX_EINVAL;
    if (s->use && (s->flags & NF_SET_CONSTANT))
        return -LINUX_EBUSY;
    for (size_t at = 0; err == 0 && nfa_next(list, &at, &type, &a);)
        err = add_elem(r, t, s, a);
    return err;
}
static int flush(struct nf *nf, struct nf_set *s) {
    int err = 0;
    for (struct nf_elem *e; err == 0 && (e = nf_elem_next(s, NULL));)
        err = nf_elem_del(nf, e);
    return err;
}
int nft_del_elems(struct nfreq *r) {
    struct nfattr list = nfa(r, LINUX_NFTA_SET_ELEM_LIST_ELEMENTS), a;
    struct nf_table *t;
    struct nf_set *s;
    uint16_t type;
    int err = set_of(r, &t, &s);
    if (err < 0)
        return err;
    if (s->use && (s->flags & NF_SET_CONSTANT))
        return -LINUX_EBUSY;
    if (!list.p)
        return flush(r->nf, s);
    for (size_t at = 0; err == 0 && nfa_next(list, &at, &type, &a);) {
        struct nf_elem like = {.flags = 0}, *e = NULL;
        err = name_elem(a, s, &like);
        if (err == 0 && !(e = nf_elem_find(s, &like)))
            err = -LINUX_ENOENT;
        if (err == 0)
            err = nf_elem_del(r->nf, e);
    }
    return err;
}

// ---- Told -------------------------------------------------------------------------------------------------
static void put_desc(struct nl_buf *b, const struct nf_set *s) {
    size_t desc = nl_nest(b, LINUX_NFTA_SET_DESC);
    if (s->size)
        nfa_put_be32(b, LINUX_NFTA_SET_DESC_SIZE, s->size);
    if (s->nfields > 1) {
        size_t concat = nl_nest(b, LINUX_NFTA_SET_DESC_CONCAT);
        for (uint32_t i = 0; i < s->nfields; i++) {
            size_t at = nl_nest(b, LINUX_NFTA_LIST_ELEM);
            nfa_put_be32(b, LINUX_NFTA_SET_FIELD_LEN, s->field[i]);
            nl_nest_end(b, at);
        }
        nl_nest_end(b, concat);
    }
    nl_nest_end(b, desc);
}
bool nft_put_set(struct nfput *p, const struct nf_set *s) {
    struct nl_buf *b = p->b;
    size_t at = nft_put_begin(p, LINUX_NFT_MSG_NEWSET, s->table->family);
    nl_put_str(b, LINUX_NFTA_SET_TABLE, s->table->name);
    nl_put_str(b, LINUX_NFTA_SET_NAME, s->name);
    nfa_put_be64(b, LINUX_NFTA_SET_HANDLE, s->handle);
    if (s->flags)
        nfa_put_be32(b, LINUX_NFTA_SET_FLAGS, s->flags);
    nfa_put_be32(b, LINUX_NFTA_SET_KEY_TYPE, s->key_type);
    nfa_put_be32(b, LINUX_NFTA_SET_KEY_LEN, s->key_len);
    if (s->flags & NF_SET_MAP) {
        nfa_put_be32(b, LINUX_NFTA_SET_DATA_TYPE, s->data_type);
        nfa_put_be32(b, LINUX_NFTA_SET_DATA_LEN, s->data_len);
    }
    if (s->flags & NF_SET_OBJECT)
        nfa_put_be32(b, LINUX_NFTA_SET_OBJ_TYPE, s->obj_type);
    if (s->timeout)
        nfa_put_be64(b, LINUX_NFTA_SET_TIMEOUT, s->timeout);
    if (s->gc)
        nfa_put_be32(b, LINUX_NFTA_SET_GC_INTERVAL, s->gc);
    if (s->policy)
        nfa_put_be32(b, LINUX_NFTA_SET_POLICY, s->policy);
    if (s->user.len)
        nl_put(b, LINUX_NFTA_SET_USERDATA, s->user.p, s->user.len);
    put_desc(b, s);
    return nl_end(b, at);
}
static void put_elem(struct nl_buf *b, const struct nf_set *s, const struct nf_elem *e, uint64_t now) {
    size_t at = nl_nest(b, LINUX_NFTA_LIST_ELEM);
    if (!(e->flags & NF_ELEM_CATCHALL))
        nft_value_put(b, LINUX_NFTA_SET_ELEM_KEY, e->key, s->key_len);
    if (e->has_end)
        nft_value_put(b, LINUX_NFTA_SET_ELEM_KEY_END, e->end, s->key_len);
    if ((s->flags & NF_SET_MAP) && !(e->flags & NF_ELEM_END)) {
        if (s->data_type == NF_VERDICT_TYPE)
            nft_verdict_put(b, LINUX_NFTA_SET_ELEM_DATA, &e->verdict);
        else
            nft_value_put(b, LINUX_NFTA_SET_ELEM_DATA, e->data, s->data_len);
    }
    if (e->obj)
        nl_put_str(b, LINUX_NFTA_SET_ELEM_OBJREF, e->obj->name);
    if (e->flags)
        nfa_put_be32(b, LINUX_NFTA_SET_ELEM_FLAGS, e->flags);
    if (e->until) {
        if (e->timeout != s->timeout * NS_PER_MS)
            nfa_put_be64(b, LINUX_NFTA_SET_ELEM_TIMEOUT, e->timeout / NS_PER_MS);
        nfa_put_be64(b, LINUX_NFTA_SET_ELEM_EXPIRATION, (e->until - now) / NS_PER_MS);
    }
    if (e->user.len)
        nl_put(b, LINUX_NFTA_SET_ELEM_USERDATA, e->user.p, e->user.len);
    nl_nest_end(b, at);
}
#define NEST_MOST 0xf000u  // bytes of elements in one attribute, whose length has 16 bits
bool nft_put_elems(struct nfput *p, struct nf_set *s, uint32_t *from) {
    struct nl_buf *b = p->b;
    size_t at = nft_put_begin(p, LINUX_NFT_MSG_NEWSETELEM, s->table->family);
    nl_put_str(b, LINUX_NFTA_SET_ELEM_LIST_TABLE, s->table->name);
    nl_put_str(b, LINUX_NFTA_SET_ELEM_LIST_SET, s->name);
    size_t nest = nl_nest(b, LINUX_NFTA_SET_ELEM_LIST_ELEMENTS);
    uint32_t i = 0, put = 0;
    bool all = true;
    for (struct nf_elem *e = NULL; all && (e = nf_elem_next(s, e)); i++) {
        if (i < *from || (e->until && e->until <= nf_now(p->nf)))
            continue;
        size_t before = b->len;
        put_elem(b, s, e, nf_now(p->nf));
        all = !b->full && b->len - nest <= NEST_MOST;
        if (!all) {
            b->len = before;
            b->full = put == 0;
            i--;
        }
        put++;
    }
    nl_nest_end(b, nest);
    if (!nl_end(b, at))
        return false;
    *from = i;
    return all;
}
