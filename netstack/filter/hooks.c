// SPDX-License-Identifier: Apache-2.0
// See hooks.h. At each hook chains are asked in the order of their priorities, and between them, where Linux
// has them: connections are found (-200), new ones are shown to the nat chains and packets are translated
// (-100 where destinations are, 100 where sources are); last, what has passed is remembered.
// LIMIT: IPv6 fragments of others are not put together, and are of no connection.
#include "netstack/filter/hooks.h"
#include "netstack/filter/nf.h"
#include "netstack/ip/ip.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"

#define PRIORITY_TRACK   (-200)  // NF_IP_PRI_CONNTRACK
#define PRIORITY_NAT_DST (-100)
#define PRIORITY_NAT_SRC 100
#define MOST_AT_HOOK     1024  // as Linux: MAX_HOOK_COUNT
#define CHAIN            8     // extension headers of IPv6

// ---- The packet -------------------------------------------------------------------------------------------
static bool is_extension(uint8_t next) {
    return next == PROTO_HOPOPTS || next == PROTO_ROUTING || next == PROTO_DSTOPTS || next == PROTO_FRAG;
}
// Past the extension headers of a packet that is not walked yet (ip/ip6_in.c), or is somebody else's.
static void find_transport(struct nf_pkt *k) {
    uint8_t b[8];
    for (unsigned i = 0; i < CHAIN && is_extension(k->proto) && !k->fragment; i++) {
        if (k->p->len < k->th + sizeof b)
            return;
        pkt_copy(k->p, k->th, b, sizeof b);
        bool frag = k->proto == PROTO_FRAG;
        k->part |= frag;
        k->fragment = frag && (get16(b + 2) & ~7u);
        k->proto = b[0];
        k->th += frag ? IP6_FRAG_LEN : 8u + 8u * b[1];
    }
    if (k->th > k->p->len)
        k->fragment = true;  // there is no transport header
}
static void view(struct nf_pkt *k, struct pkt *p, enum nf_hooknum hook, const struct netif *in,
                 const struct netif *out) {
    *k = (struct nf_pkt){.ns = p->ns, .nf = &p->ns->filter->nf, .p = p, .hook = hook, .in = in, .out = out};
    k->four = ns_ip_is4(&p->dst);
    k->proto = p->proto;
}
static void view_header(struct nf_pkt *k, uint8_t *nh, uint32_t n) {
    k->nh = nh;
    k->nh_len = n;
    if (k->four) {
        unsigned frag = get16(nh + IP4_FRAG);
        k->part = frag & (IP4_MF | IP4_OFFSET);
        k->fragment = frag & IP4_OFFSET;
    } else if (k->hook != NF_INPUT) {
        find_transport(k);
    }
}

// ---- What is asked ----------------------------------------------------------------------------------------
static const struct filter *filter_of(const struct netstack *ns) { return ns->filter; }
bool nf_tracks(const struct netstack *ns) { return ns->filter && filter_of(ns)->order.tracks; }

static int translate(struct nf_pkt *k, struct filter *f) {
    enum nf_manip m = nf_manip_at(k->hook);
    struct nf_conn *c = ct_of(k->p);
    const struct nf_steps *s = &f->order.nat[!k->four][k->hook];
    uint32_t done = m == NF_MANIP_SRC ? NF_IPS_SRC_DONE : NF_IPS_DST_DONE;
    bool begins = c && k->p->ct_state == NF_CT_NEW && !(c->status & (done | NF_IPS_CONFIRMED));
    for (unsigned i = 0; begins && i < s->n && !(c->status & done); i++) {
        if (nf_chain_run(k, s->v[i].chain) == NF_DROP)
            return NF_DROP;
    }
    if ((begins && nat_setup(k, m, NULL) == NF_DROP) || !nat_packet(k, m)) {
        count(k->ns, nf_track_failed);
        return NF_DROP;
    }
    return NF_ACCEPT;
}
static int take_step(struct nf_pkt *k, struct filter *f, const struct nf_step *s) {
    switch (s->kind) {
    case NF_STEP_TRACK:
        if (ct_track(k))
            return NF_ACCEPT;
        count(k->ns, nf_track_failed);
        return NF_DROP;
    case NF_STEP_NAT:
        return translate(k, f);
    case NF_STEP_CHAIN:
        break;
    }
    return nf_chain_run(k, s->chain);
}
static bool passes(struct nf_pkt *k) {
    struct filter *f = k->ns->filter;
    const struct nf_steps *s = &f->order.steps[!k->four][k->hook];
    for (unsigned i = 0; i < s->n; i++) {
        if (take_step(k, f, &s->v[i]) == NF_DROP)
            return false;
    }
    bool last = k->hook == NF_INPUT || k->hook == NF_POSTROUTING;
    return !last || !f->order.tracks || ct_confirm(k);
}
static bool gone(struct pkt *p) {
    count(p->ns, nf_drop_hook);
    pkt_free(p);
    return false;
}
bool nf_hook(struct pkt *p, enum nf_hooknum hook, const struct netif *in, const struct netif *out) {
    struct nf_pkt k;
    view(&k, p, hook, in, out);
    view_header(&k, p->head + p->l3, (uint32_t)(p->off - p->l3));
    return passes(&k) || gone(p);
}

// ---- Our own ----------------------------------------------------------------------------------------------
// The header as it will be, as far as rules can see.
static uint32_t sketch(uint8_t *nh, const struct pkt *p, const struct ip_header *h, const struct path *path) {
    memset(nh, 0, IP6_LEN);
    if (ns_ip_is4(&h->dst)) {
        nh[0] = 0x45;
        nh[IP4_TOS] = h->tos;
        put16(nh + IP4_TOTAL, (uint16_t)(p->len + IP4_LEN));
        put16(nh + IP4_FRAG, h->dont_fragment ? IP4_DF : 0);
        nh[IP4_TTL] = h->ttl || h->group ? h->ttl : 64;
        nh[IP4_PROTO] = h->proto;
        memcpy(nh + IP4_SRC, ip_v4(&h->src), 4);
        memcpy(nh + IP4_DST, ip_v4(&h->dst), 4);
        return IP4_LEN;
    }
    put32(nh, 6u << 28 | (uint32_t)h->tos << 20);
    put16(nh + IP6_PAYLOAD, (uint16_t)p->len);
    nh[IP6_NEXT] = h->proto;
    nh[IP6_HOPS] = h->ttl || h->group ? h->ttl : path->nif->hops;
    memcpy(nh + IP6_SRC, h->src.b, 16);
    memcpy(nh + IP6_DST, h->dst.b, 16);
    return IP6_LEN;
}
static bool ask(struct pkt *p, enum nf_hooknum hook, const struct netif *out, uint8_t *nh, uint32_t n) {
    struct nf_pkt k;
    if (!nf_on(p->ns, ns_ip_is4(&p->dst), hook))
        return true;
    view(&k, p, hook, NULL, out);
    view_header(&k, nh, n);
    return passes(&k);
}
int nf_local_out(struct netstack *ns, struct pkt *p, struct path *path, struct ip_header *h) {
    _Alignas(4) uint8_t nh[IP6_LEN];
    uint32_t n = sketch(nh, p, h, path);
    if (!ask(p, NF_OUTPUT, path->nif, nh, n)) {
        gone(p);
        return -LINUX_EPERM;
    }
    if (!ip_eq(&p->dst, &h->dst)) {
        int err = path_find(ns, &p->dst, &p->src, path);
        if (err < 0) {
            gone(p);
            return err;
        }
    }
    if (!ask(p, NF_POSTROUTING, path->nif, nh, n)) {
        gone(p);
        return -LINUX_EPERM;
    }
    bool other = !ip_eq(&p->src, &h->src) || !ip_eq(&p->dst, &h->dst);
    h->src = p->src;
    h->dst = p->dst;
    if (other && p->csum_start)
        ip_start_csum(p, h, p->csum_offset);
    return 0;
}
// LIMIT: what a raw socket sends with its header (IP_HDRINCL) goes the way it would without rules.
bool nf_local_whole(struct pkt *p, uint32_t header, const struct netif *out) {
    uint8_t *nh = pkt_pull(p, header);
    bool passed = ask(p, NF_OUTPUT, out, nh, header) && ask(p, NF_POSTROUTING, out, nh, header);
    if (!passed)
        return gone(p);
    pkt_push(p, header);
    return true;
}

// ---- The order --------------------------------------------------------------------------------------------
struct build {
    struct nf_step *next;
    bool tracks, nats;
};
static bool of_family(const struct nf_table *t, bool four) {
    return t->family == NF_INET || t->family == (four ? NF_IPV4 : NF_IPV6);
}
static void insert(struct nf_steps *s, struct nf_step step) {
    unsigned at = s->n++;
    for (; at > 0 && s->v[at - 1].priority > step.priority; at--)
        s->v[at] = s->v[at - 1];
    s->v[at] = step;
}
static int add_chains(struct nf *nf, struct nf_steps *s, bool four, enum nf_hooknum hook, bool nat) {
    struct nf_table *t;
    struct nf_chain *c;
    list_for_each(t, &nf->tables, link) {
        if (!of_family(t, four) || (t->flags & NF_TABLE_DORMANT))
            continue;
        list_for_each(c, &t->chains, link) {
            if (!c->base || c->hook != hook || (c->type == NF_NAT) != nat)
                continue;
            if (s->n == MOST_AT_HOOK)
                return -LINUX_E2BIG;
            insert(s, (struct nf_step){NF_STEP_CHAIN, c->priority, c});
        }
    }
    return 0;
}
static int build_hook(struct nf *nf, struct nf_order *to, struct build *b, bool four, enum nf_hooknum hook) {
    struct nf_steps *s = &to->steps[!four][hook], *nat = &to->nat[!four][hook];
    s->v = b->next;
    s->n = 0;
    if (b->tracks && hook != NF_FORWARD && hook != NF_POSTROUTING)
        insert(s, (struct nf_step){NF_STEP_TRACK, PRIORITY_TRACK, NULL});
    int dst = hook == NF_PREROUTING || hook == NF_OUTPUT ? PRIORITY_NAT_DST : PRIORITY_NAT_SRC;
    if (b->nats && hook != NF_FORWARD)
        insert(s, (struct nf_step){NF_STEP_NAT, dst, NULL});
    int err = add_chains(nf, s, four, hook, false);
    nat->v = s->v + s->n;
    nat->n = 0;
    if (err == 0)
        err = add_chains(nf, nat, four, hook, true);
    b->next = nat->v + nat->n;
    return err;
}
// How many steps there may be, and what rules need.
static size_t survey(struct nf *nf, struct build *b) {
    size_t n = (size_t)2 * NF_HOOKS * 2;
    struct nf_table *t;
    struct nf_chain *c;
    struct nf_rule *r;
    list_for_each(t, &nf->tables, link) {
        list_for_each(c, &t->chains, link) {
            n += c->base ? 2 : 0;
            b->nats |= c->base && c->type == NF_NAT && !(t->flags & NF_TABLE_DORMANT);
            list_for_each(r, &c->rules, link) {
                b->tracks |= r->tracks;
            }
        }
    }
    b->tracks |= b->nats;
    return n;
}
static uint32_t hooks_of(const struct filter *f) {
    uint32_t bits = 0;
    for (unsigned six = 0; six < 2; six++)
        for (unsigned hook = 0; hook < NF_HOOKS; hook++) {
            bool last = hook == NF_INPUT || hook == NF_POSTROUTING;
            if (f->order.steps[six][hook].n || (f->order.tracks && last))
                bits |= NF_HOOK_BIT(!six, hook);
        }
    return bits;
}
int nf_order(struct nf *nf) {
    struct filter *f = container_of(nf, struct filter, nf);
    struct nf_order to = {.nall = 0};
    struct build b = {NULL, false, false};
    size_t n = survey(nf, &b);
    struct nf_step *all = stack_alloc(nf->ns, n * sizeof *all);
    int err = all ? 0 : -LINUX_ENOMEM;
    b.next = all;
    for (unsigned i = 0; err == 0 && i < 2 * NF_HOOKS; i++)
        err = build_hook(nf, &to, &b, i < NF_HOOKS, (enum nf_hooknum)(i % NF_HOOKS));
    if (err < 0) {
        if (all)
            stack_free(nf->ns, all, n * sizeof *all);
        return err;
    }
    nf_order_free(f);
    to.all = all;
    to.nall = n;
    to.tracks = b.tracks;
    to.nats = b.nats;
    f->order = to;
    if (!to.tracks)
        ct_flush(nf->ns);
    nf->ns->nf_hooks = hooks_of(f);
    return 0;
}
void nf_order_free(struct filter *f) {
    if (f->order.all)
        stack_free(f->nf.ns, f->order.all, f->order.nall * sizeof *f->order.all);
    f->order.all = NULL;
}
