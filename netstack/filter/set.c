// SPDX-License-Identifier: Apache-2.0
// Sets: elements by key, in a tree. In a set of intervals an element is where one begins, or (NF_ELEM_END)
// where it has ended; so what covers a key is the last element not behind it, if that begins one. Of equal
// keys the end comes first. Concatenations of intervals have both ends in one element and are looked through
// in their order: there may be NF_RANGES of them in a set.
#include "netstack/filter/nf.h"

#define NF_RANGES 1024

static bool looked_through(const struct nf_set *s) {
    return (s->flags & NF_SET_CONCAT) && (s->flags & NF_SET_INTERVAL) && s->nfields > 0;
}
static bool over(const struct nf_set *s, const struct nf_elem *e) {
    return e->until && e->until <= s->table->nf->ns->now;
}
static unsigned rank(const struct nf_elem *e) { return e->flags & NF_ELEM_END ? 0 : 1; }
static int compare(const struct nf_set *s, const struct nf_elem *a, const struct nf_elem *b) {
    int by_key = memcmp(a->key, b->key, s->key_len);
    return by_key ? by_key : (int)rank(a) - (int)rank(b);
}

// ---- In and out -------------------------------------------------------------------------------------------
void nf_elem_link(struct nf_elem *e) {
    struct nf_set *s = e->set;
    s->n++;
    if (e->flags & NF_ELEM_CATCHALL) {
        s->others = e;
        return;
    }
    if (looked_through(s)) {
        list_add_tail(&s->ranges, &e->link);
        return;
    }
    struct rb_node *parent = NULL, **at = &s->elems.node;
    while (*at) {
        parent = *at;
        at = compare(s, e, rb_entry(parent, struct nf_elem, node)) < 0 ? &parent->left : &parent->right;
    }
    rb_insert(&s->elems, &e->node, parent, at);
}
void nf_elem_unlink(struct nf_elem *e) {
    struct nf_set *s = e->set;
    s->n--;
    if (e->flags & NF_ELEM_CATCHALL)
        s->others = NULL;
    else if (looked_through(s))
        list_del(&e->link);
    else
        rb_erase(&s->elems, &e->node);
}
void nf_elem_bind(struct nf_elem *e, int by) {
    if (e->verdict.chain)
        e->verdict.chain->use += (uint32_t)by;
    if (e->obj)
        e->obj->use += (uint32_t)by;
}
struct nf_elem *nf_elem_next(struct nf_set *s, struct nf_elem *e) {
    if (e && (e->flags & NF_ELEM_CATCHALL))
        return NULL;
    if (looked_through(s)) {
        struct list *next = e ? e->link.next : s->ranges.next;
        return next == &s->ranges ? s->others : container_of(next, struct nf_elem, link);
    }
    struct rb_node *next = e ? rb_next(&e->node) : rb_first(&s->elems);
    return next ? rb_entry(next, struct nf_elem, node) : s->others;
}
void nf_set_bind(struct nf_set *s, int by) {
    s->table->nf->n[NF_W_ELEM] += (unsigned)by * s->n;  // its elements come and go with it
    for (struct nf_elem *e = NULL; (e = nf_elem_next(s, e));)
        nf_elem_bind(e, by);
}
unsigned nf_set_sweep(struct nf *nf, struct nf_set *s) {
    unsigned gone = 0;
    if (!(s->flags & NF_SET_TIMEOUT))
        return 0;
    for (struct nf_elem *e = nf_elem_next(s, NULL), *next; e; e = next) {
        next = nf_elem_next(s, e);
        if (!over(s, e))
            continue;
        nf_elem_bind(e, -1);
        nf_elem_unlink(e);
        nf_elem_free(nf, e);
        gone++;
    }
    return gone;
}

// ---- Looking up -------------------------------------------------------------------------------------------
// The last whose key is not behind that of `like`, NULL: none. Of equal keys `like`'s rank counts.
static struct nf_elem *last_before(struct nf_set *s, const struct nf_elem *like) {
    struct nf_elem *best = NULL;
    for (struct rb_node *n = s->elems.node; n;) {
        struct nf_elem *e = rb_entry(n, struct nf_elem, node);
        if (compare(s, e, like) <= 0) {
            best = e;
            n = n->right;
        } else {
            n = n->left;
        }
    }
    return best;
}
static bool same(const struct nf_set *s, const struct nf_elem *a, const struct nf_elem *b) {
    return compare(s, a, b) == 0 && a->has_end == b->has_end &&
           (!a->has_end || memcmp(a->end, b->end, s->key_len) == 0);
}
struct nf_elem *nf_elem_find(struct nf_set *s, const struct nf_elem *like) {
    struct nf_elem *e;
    if (like->flags & NF_ELEM_CATCHALL)
        return s->others;
    if (!looked_through(s)) {
        e = last_before(s, like);
        return e && compare(s, e, like) == 0 ? e : NULL;
    }
    list_for_each(e, &s->ranges, link) {
        if (same(s, e, like))
            return e;
    }
    return NULL;
}
// Each field within its bounds. Fields begin at words.
static bool in_ranges(const struct nf_set *s, const struct nf_elem *e, const uint8_t *key) {
    const uint8_t *end = e->has_end ? e->end : e->key;
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->nfields && at < s->key_len; i++) {
        uint32_t n = s->field[i];
        if (memcmp(key + at, e->key + at, n) < 0 || memcmp(key + at, end + at, n) > 0)
            return false;
        at += (n + 3) & ~3u;
    }
    return true;
}
static struct nf_elem *look_through(struct nf_set *s, const uint8_t *key) {
    struct nf_elem *e;
    list_for_each(e, &s->ranges, link) {
        if (!over(s, e) && in_ranges(s, e, key))
            return e;
    }
    return NULL;
}
static struct nf_elem *look_up(struct nf_set *s, const uint8_t *key) {
    struct nf_elem like = {.flags = 0};
    memcpy(like.key, key, s->key_len);
    struct nf_elem *e = last_before(s, &like);
    if (!e || over(s, e))
        return NULL;
    if (s->flags & NF_SET_INTERVAL)
        return e->flags & NF_ELEM_END ? NULL : e;
    return memcmp(e->key, key, s->key_len) == 0 ? e : NULL;
}
struct nf_elem *nf_set_lookup(struct nf *nf, struct nf_set *s, const void *key) {
    struct nf_elem *e = looked_through(s) ? look_through(s, key) : look_up(s, key);
    if (!e && s->others && !over(s, s->others))
        e = s->others;
    return e;
}

// ---- Changes ----------------------------------------------------------------------------------------------
static bool same_data(const struct nf_set *s, const struct nf_elem *a, const struct nf_elem *b) {
    return memcmp(a->data, b->data, sizeof a->data) == 0 && a->obj == b->obj &&
           a->verdict.code == b->verdict.code && a->verdict.chain == b->verdict.chain;
}
// An interval may not begin within another, nor end where none has begun.
static int check_interval(struct nf_set *s, const struct nf_elem *e) {
    if (!(s->flags & NF_SET_INTERVAL) || (e->flags & NF_ELEM_CATCHALL) || looked_through(s))
        return 0;
    struct nf_elem *before = last_before(s, e);
    bool open = before && !(before->flags & NF_ELEM_END);
    if (!(e->flags & NF_ELEM_END))
        return open ? -LINUX_EEXIST : 0;
    return before && !open ? -LINUX_ENOTEMPTY : 0;
}
static int refuse(struct nf *nf, struct nf_elem *e, int err) {
    nf_elem_free(nf, e);
    return err;
}
int nf_elem_add(struct nf *nf, struct nf_elem *e, bool excl) {
    struct nf_set *s = e->set;
    struct nf_elem *old = nf_elem_find(s, e);
    bool stays = old && !over(s, old);
    if (stays && (excl || !same_data(s, old, e)))
        return refuse(nf, e, -LINUX_EEXIST);
    if (stays && !(s->flags & NF_SET_TIMEOUT))
        return refuse(nf, e, 0);
    int err = old ? nf_elem_del(nf, old) : 0;  // its time begins anew
    if (err < 0)
        return refuse(nf, e, err);
    if ((s->size && s->n >= s->size) || (looked_through(s) && s->n >= NF_RANGES))
        return refuse(nf, e, -LINUX_ENFILE);
    err = check_interval(s, e);
    if (err < 0)
        return refuse(nf, e, err);
    if (nf_note(nf, NF_W_ELEM, true, e, NULL) < 0)
        return refuse(nf, e, -LINUX_ENOMEM);
    nf_elem_link(e);
    nf_elem_bind(e, 1);
    return 0;
}
int nf_elem_del(struct nf *nf, struct nf_elem *e) {
    int err = nf_note(nf, NF_W_ELEM, false, e, NULL);
    if (err < 0)
        return err;
    nf_elem_bind(e, -1);
    nf_elem_unlink(e);
    return 0;
}
