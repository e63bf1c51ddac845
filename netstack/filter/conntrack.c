// SPDX-License-Identifier: Apache-2.0
// Connections as a filter sees them: two tuples, one for each direction, in one table, so that a packet of
// either finds it. A packet of none begins one, which is remembered when the packet has passed all hooks
// (ct_confirm); until then the packet alone has it. There are NF_CONNS at most: what has expired goes first,
// then what was not answered, the longest unseen first.
// LIMIT: no helpers (ftp, sip), expectations, zones, labels or timeouts of one's own.
#include "netstack/filter/nf.h"
#include "netstack/ip/icmp.h"
#include "netstack/prot/tcp.h"

#define LIFE_UDP        (30 * NS_SEC)  // as Linux: nf_conntrack_*_timeout
#define LIFE_UDP_STREAM (120 * NS_SEC)
#define LIFE_ICMP       (30 * NS_SEC)
#define LIFE_OTHER      (600 * NS_SEC)
#define SEARCH_EXPIRED  4   // buckets that one new connection looks through
#define SEARCH_EVICT    64  // connections that are looked at for one to go

void ct_init(struct conntrack *ct) { list_init(&ct->lru); }

static struct conntrack *table_of(struct netstack *ns) { return &ns->filter->ct; }
static struct nf_conn *conn_of(struct nf_end *e) { return container_of(e - e->dir, struct nf_conn, end); }
static struct list *bucket_of(struct netstack *ns, const struct nf_tuple *t) {
    return list_bucket(&table_of(ns)->hash[siphash_slot(&ns->key, t, sizeof *t) % NF_CT_HASH]);
}

// ---- Its life ---------------------------------------------------------------------------------------------
static void conn_gone(struct pkt_flow *f) {
    struct nf_conn *c = container_of(f, struct nf_conn, flow);
    stack_free(c->ns, c, sizeof *c);
}
static struct nf_conn *conn_new(struct netstack *ns, const struct nf_tuple *t) {
    struct nf_conn *c = stack_alloc(ns, sizeof *c);
    if (!c)
        return NULL;
    c->flow = (struct pkt_flow){.refs = 1, .gone = conn_gone};
    c->ns = ns;
    c->id = ++table_of(ns)->last_id;
    for (unsigned dir = 0; dir < 2; dir++) {
        list_init(&c->end[dir].link);
        c->end[dir].dir = dir;
    }
    list_init(&c->lru);
    c->end[NF_ORIGINAL].t = *t;
    c->end[NF_REPLY].t = tuple_turn(t);
    return c;
}
// Out of the table; packets may have it still.
static void forget(struct nf_conn *c) {
    list_del(&c->end[0].link);
    list_del(&c->end[1].link);
    list_del(&c->lru);
    table_of(c->ns)->n--;
    pkt_flow_put(&c->flow);
}
static bool expired(const struct nf_conn *c) { return c->until <= c->ns->now; }

struct nf_conn *ct_find(struct netstack *ns, const struct nf_tuple *t, int *dir) {
    struct nf_end *e;
    list_for_each(e, bucket_of(ns, t), link) {
        if (memcmp(&e->t, t, sizeof *t) != 0)
            continue;
        struct nf_conn *c = conn_of(e);
        if (expired(c)) {
            forget(c);
            return NULL;
        }
        *dir = (int)e->dir;
        return c;
    }
    return NULL;
}
static void search_expired(struct netstack *ns) {
    struct conntrack *ct = table_of(ns);
    for (unsigned i = 0; i < SEARCH_EXPIRED; i++) {
        struct list *head = list_bucket(&ct->hash[ct->at++ % NF_CT_HASH]);
        for (struct list *at = head->next; at != head;) {
            struct nf_conn *c = conn_of(container_of(at, struct nf_end, link));
            at = at->next;
            if (expired(c)) {
                forget(c);
                at = head->next;  // both its ends may have been here
            }
        }
    }
}
// Room for one more.
static bool make_room(struct netstack *ns) {
    struct conntrack *ct = table_of(ns);
    struct nf_conn *c;
    unsigned looked = 0;
    search_expired(ns);
    if (ct->n < NF_CONNS)
        return true;
    list_for_each(c, &ct->lru, lru) {
        if (expired(c) || !(c->status & NF_IPS_ASSURED)) {
            count(ns, nf_conn_evicted);
            forget(c);
            return true;
        }
        if (++looked == SEARCH_EVICT)
            break;
    }
    return false;
}
void ct_flush(struct netstack *ns) {
    struct conntrack *ct = table_of(ns);
    while (!list_empty(&ct->lru))
        forget(list_first(&ct->lru, struct nf_conn, lru));
}

// ---- Packets ----------------------------------------------------------------------------------------------
static bool is_icmp(const struct nf_pkt *k) { return k->proto == (k->four ? PROTO_ICMP : PROTO_ICMP6); }

static bool echo(bool four, uint8_t type, bool *reply) {
    *reply = type == (four ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY);
    return *reply || type == (four ? ICMP_ECHO : ICMP6_ECHO);
}
// From the first eight bytes of a transport header. False: it is of no connection that is followed.
static bool tuple_of(const uint8_t *l4, const struct ns_ip *src, const struct ns_ip *dst, uint8_t proto,
                     struct nf_tuple *t) {
    bool four = ns_ip_is4(src), reply;
    *t = (struct nf_tuple){.src = *src, .dst = *dst, .proto = proto};
    if (proto == PROTO_TCP || proto == PROTO_UDP) {
        t->sport = get16(l4);
        t->dport = get16(l4 + 2);
    } else if (proto == (four ? PROTO_ICMP : PROTO_ICMP6)) {
        if (!echo(four, l4[ICMP_TYPE], &reply))
            return false;
        t->sport = t->dport = get16(l4 + ICMP_ID);
    }
    return true;
}
bool ct_quoted(struct nf_pkt *k, struct nf_quoted *q) {
    const uint8_t *h = is_icmp(k) ? nf_transport(k, ICMP_LEN) : NULL;
    struct icmp_quote i;
    if (!h || !icmp_is_error(k->four, h[ICMP_TYPE]) || !icmp_quote(k->p, k->th + ICMP_LEN, k->four, &i))
        return false;
    q->ip = (uint32_t)(i.ip - pkt_head(k->p)) - k->th;
    q->l4 = (uint32_t)(i.l4 - pkt_head(k->p)) - k->th;
    return tuple_of(i.l4, &i.src, &i.dst, i.proto, &q->t);
}
static void belongs(struct nf_pkt *k, struct nf_conn *c, unsigned state, int dir) {
    pkt_set_flow(k->p, &c->flow);
    k->p->ct_state = (uint8_t)state;
    k->p->ct_dir = (uint8_t)dir;
}
static bool invalid(struct nf_pkt *k) {
    k->p->ct_state = NF_CT_INVALID;
    return true;
}
// An error belongs to the connection of what it quotes, which has gone the other way.
static bool track_error(struct nf_pkt *k) {
    struct nf_quoted q;
    int dir;
    struct nf_conn *c = NULL;
    if (ct_quoted(k, &q)) {
        // as it looks where it is quoted: behind the translation, so the other direction's, turned
        struct nf_tuple turned = tuple_turn(&q.t);
        c = ct_find(k->ns, &turned, &dir);
    }
    if (!c)
        return invalid(k);
    belongs(k, c, NF_CT_RELATED, dir);
    return true;
}
static bool untracked(struct nf_pkt *k) {
    k->p->ct_state = NF_CT_UNTRACKED;
    return true;
}

// What the packet does to the state of its connection; false: it does not belong there. *anew: it begins
// another.
static bool advance_tcp(struct nf_pkt *k, struct nf_conn *c, int dir, bool *anew) {
    const uint8_t *h = nf_transport(k, TCP_LEN);
    unsigned to = h ? ct_tcp_next(c->tcp_state, dir, h[TCP_FLAGS]) : NF_TCP_INVALID;
    *anew = to == NF_TCP_ANEW;
    if (to >= NF_TCP_INVALID)
        return false;
    if (c->tcp_state == NF_TCP_SYN_RECV && to == NF_TCP_ESTABLISHED)
        c->status |= NF_IPS_ASSURED;
    c->tcp_state = (uint8_t)to;
    c->until = k->ns->now + ct_tcp_life(to);
    return true;
}
static bool advance(struct nf_pkt *k, struct nf_conn *c, int dir, bool *anew) {
    uint64_t life = LIFE_OTHER;
    *anew = false;
    if (k->proto == PROTO_TCP)
        return advance_tcp(k, c, dir, anew);
    if (is_icmp(k))
        life = LIFE_ICMP;
    else if (k->proto == PROTO_UDP)
        life = c->status & NF_IPS_ASSURED ? LIFE_UDP_STREAM : LIFE_UDP;
    if (!is_icmp(k) && dir == NF_ORIGINAL && (c->status & NF_IPS_SEEN_REPLY))
        c->status |= NF_IPS_ASSURED;
    c->until = k->ns->now + life;
    return true;
}
static void account(struct nf_pkt *k, struct nf_conn *c, int dir) {
    c->packets[dir]++;
    c->bytes[dir] += nf_pkt_len(k);
    if (dir == NF_REPLY)
        c->status |= NF_IPS_SEEN_REPLY;
    if (list_linked(&c->lru)) {
        list_del(&c->lru);
        list_add_tail(&table_of(k->ns)->lru, &c->lru);
    }
}
static bool track_new(struct nf_pkt *k, const struct nf_tuple *t, const uint8_t *l4) {
    bool anew, reply;
    if (is_icmp(k) && echo(k->four, l4[ICMP_TYPE], &reply) && reply)
        return invalid(k);
    if (!make_room(k->ns)) {
        count(k->ns, nf_conn_evicted);
        return false;
    }
    struct nf_conn *c = conn_new(k->ns, t);
    if (!c)
        return false;
    if (advance(k, c, NF_ORIGINAL, &anew)) {
        account(k, c, NF_ORIGINAL);
        belongs(k, c, NF_CT_NEW, NF_ORIGINAL);
    } else {
        invalid(k);
    }
    pkt_flow_put(&c->flow);  // the packet has it now, or nobody
    return true;
}
static bool track_known(struct nf_pkt *k, struct nf_conn *c, int dir, const struct nf_tuple *t,
                        const uint8_t *l4) {
    bool anew;
    if (!advance(k, c, dir, &anew)) {
        if (!anew)
            return invalid(k);
        forget(c);
        return track_new(k, t, l4);
    }
    // Refused at once: there never was a connection (Linux: nf_conntrack_tcp_packet).
    bool refused = k->proto == PROTO_TCP && c->tcp_state == NF_TCP_CLOSE && !(c->status & NF_IPS_SEEN_REPLY);
    bool established = dir == NF_REPLY || (c->status & NF_IPS_SEEN_REPLY);
    account(k, c, dir);
    belongs(k, c, established ? NF_CT_ESTABLISHED : NF_CT_NEW, dir);
    if (refused)
        forget(c);  // the packet has it until it is gone
    return true;
}
// Neighbour discovery and groups: of no connection (Linux: nf_conntrack_icmpv6_error).
static bool is_of_the_link(const struct nf_pkt *k, uint8_t type) {
    return !k->four && (type == ICMP6_MLD2_REPORT || (type >= ICMP6_MLD_QUERY && type <= ICMP6_NA));
}
bool ct_track(struct nf_pkt *k) {
    if (k->p->ct_state != NF_CT_NONE)  // over loopback, or a rule said so
        return true;
    bool ports = k->proto == PROTO_TCP || k->proto == PROTO_UDP;
    const uint8_t *l4 = ports || is_icmp(k) ? nf_transport(k, 8) : (const uint8_t *)"";
    struct nf_tuple t;
    int dir;
    if (k->part)
        return true;
    if (!l4)
        return invalid(k);
    if (is_icmp(k) && is_of_the_link(k, l4[ICMP_TYPE]))
        return untracked(k);
    if (is_icmp(k) && icmp_is_error(k->four, l4[ICMP_TYPE]))
        return track_error(k);
    if (!tuple_of(l4, &k->p->src, &k->p->dst, k->proto, &t))
        return invalid(k);
    struct nf_conn *c = ct_find(k->ns, &t, &dir);
    return c ? track_known(k, c, dir, &t, l4) : track_new(k, &t, l4);
}
bool ct_confirm(struct nf_pkt *k) {
    struct nf_conn *c = ct_of(k->p);
    int dir;
    if (!c || k->p->ct_dir != NF_ORIGINAL || (c->status & NF_IPS_CONFIRMED) ||
        k->p->ct_state == NF_CT_RELATED)
        return true;
    if (ct_find(k->ns, &c->end[0].t, &dir) || ct_find(k->ns, &c->end[1].t, &dir))
        return false;
    c->status |= NF_IPS_CONFIRMED;
    c->flow.refs++;
    for (unsigned i = 0; i < 2; i++)
        list_add(bucket_of(k->ns, &c->end[i].t), &c->end[i].link);
    list_add_tail(&table_of(k->ns)->lru, &c->lru);
    table_of(k->ns)->n++;
    return true;
}

// ---- Told -------------------------------------------------------------------------------------------------
static void tell(const struct nf_conn *c, struct nf_flow *out) {
    *out = (struct nf_flow){.orig = c->end[0].t,
                            .reply = c->end[1].t,
                            .status = c->status,
                            .mark = c->mark,
                            .tcp_state = c->tcp_state,
                            .id = c->id};
    out->timeout = (c->until - c->ns->now) / NS_SEC;
    for (unsigned i = 0; i < 2; i++) {
        out->packets[i] = c->packets[i];
        out->bytes[i] = c->bytes[i];
    }
}
// *at: buckets in the upper bits, how many of one were told in the lower.
bool nf_flow_next(struct nf *nf, uint32_t *at, struct nf_flow *out) {
    struct conntrack *ct = table_of(nf->ns);
    for (uint32_t slot = *at >> 16, skip = *at & 0xffff; slot < NF_CT_HASH; slot++, skip = 0) {
        struct nf_end *e;
        uint32_t i = 0;
        list_for_each(e, list_bucket(&ct->hash[slot]), link) {
            if (i++ < skip || e->dir != NF_ORIGINAL || expired(conn_of(e)))
                continue;
            tell(conn_of(e), out);
            *at = slot << 16 | (i & 0xffff);
            return true;
        }
    }
    return false;
}
bool nf_flow_find(struct nf *nf, const struct nf_tuple *t, bool reply, bool drop, struct nf_flow *out) {
    int dir;
    struct nf_conn *c = ct_find(nf->ns, t, &dir);
    if (!c || (dir == NF_REPLY) != reply)
        return false;
    tell(c, out);
    if (drop)
        forget(c);
    return true;
}
void nf_flow_flush(struct nf *nf) { ct_flush(nf->ns); }
unsigned nf_flow_count(struct nf *nf) { return table_of(nf->ns)->n; }
