// SPDX-License-Identifier: Apache-2.0
// See filter.h. Called by ip_deliver() when fragments have been joined, and by ip_output() before a packet is
// cut, so that a rule sees ports; by ip4_input() and ip6_input() for rules that are to be asked before
// anything is done for a packet. Flows are remembered only while a rule asks for them (`established`). Lock:
// the stack's.
// What guests set is filter/.
#include "netstack/ip/filter.h"
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/core/stack.h"
#include "netstack/ip/icmp.h"
#include "netstack/ip/ip.h"

#define FLOW_LIFE     (60 * NS_SEC)
#define FLOW_LIFE_TCP (7440 * NS_SEC)  // RFC 5382 REQ-5: not less than 2 h 4 min

struct rule {
    struct list link;
    struct ns_rule r;
    int id;
    uint64_t hits;
    struct bucket bucket;
};
struct flow_key {
    struct ns_ip us, peer;
    uint16_t our_port, peer_port;
    uint32_t proto;
};
// A packet as rules see it. Ports are 0 for protocols without.
struct view {
    enum ns_point point;
    const struct netif *nif;
    const struct ns_ip *src, *dst;
    uint16_t sport, dport;
    uint8_t proto;
    bool about;             // an ICMP error, about a packet of `quoted`, which it belongs to
    struct flow_key quoted;
};

// ---- Flows ------------------------------------------------------------------------------------------------
struct flow {
    struct list hash, lru;
    struct flow_key key;
    uint64_t until;
};

static struct flow_key key_of(const struct view *v) {
    bool in = v->point == NS_INPUT;
    if (v->about)
        return v->quoted;
    return (struct flow_key){in ? *v->dst : *v->src, in ? *v->src : *v->dst, in ? v->dport : v->sport,
                             in ? v->sport : v->dport, v->proto};
}

static struct list *bucket_of(struct netstack *ns, const struct flow_key *key) {
    return list_bucket(&ns->tracked[siphash_slot(&ns->key, key, sizeof *key) % STACK_TRACK_HASH]);
}

static void flow_free(struct netstack *ns, struct flow *f) {
    list_del(&f->hash);
    list_del(&f->lru);
    ns->ntracked--;
    stack_free(ns, f, sizeof *f);
}

static struct flow *flow_find(struct netstack *ns, const struct flow_key *key) {
    struct flow *f;
    list_for_each(f, bucket_of(ns, key), hash) {
        if (memcmp(&f->key, key, sizeof *key) != 0)
            continue;
        if (f->until > ns->now)
            return f;
        flow_free(ns, f);
        break;
    }
    return NULL;
}

// An accepted packet: its flow is known from now on.
static void remember(struct netstack *ns, const struct view *v) {
    struct flow_key key = key_of(v);
    struct flow *f = flow_find(ns, &key);
    if (!f) {
        if (ns->ntracked >= STACK_TRACKED) {
            count(ns, filter_track_full);
            flow_free(ns, list_first(&ns->tracked_lru, struct flow, lru));
        }
        if (!(f = stack_alloc(ns, sizeof *f)))
            return;
        f->key = key;
        list_add(bucket_of(ns, &key), &f->hash);
        list_add_tail(&ns->tracked_lru, &f->lru);
        ns->ntracked++;
    }
    f->until = ns->now + (v->proto == PROTO_TCP ? FLOW_LIFE_TCP : FLOW_LIFE);
    list_del(&f->lru);
    list_add_tail(&ns->tracked_lru, &f->lru);
}

// ---- Rules ------------------------------------------------------------------------------------------------
static bool address_matches(const struct ns_ip *got, const struct ns_ip *want, unsigned prefix) {
    return (prefix == 0 && ip_is_any(want)) || ip_in_prefix(got, want, prefix);
}
static bool port_matches(uint16_t got, const uint16_t range[2]) {
    return (range[0] == 0 && range[1] == 0) || (got >= range[0] && got <= range[1]);
}

static bool matches(struct netstack *ns, struct rule *rule, const struct view *v) {
    const struct ns_rule *r = &rule->r;
    if (r->point != v->point || (r->nif && r->nif != v->nif) || (r->proto && r->proto != v->proto))
        return false;
    if (!address_matches(v->src, &r->src, r->src_prefix) || !address_matches(v->dst, &r->dst, r->dst_prefix))
        return false;
    if (!port_matches(v->sport, r->sport) || !port_matches(v->dport, r->dport))
        return false;
    if (r->established) {
        struct flow_key key = key_of(v);
        if (!flow_find(ns, &key))
            return false;
    }
    return !r->rate || bucket_take(ns, &rule->bucket);
}

static enum ns_verdict decide(struct netstack *ns, const struct view *v) {
    enum ns_verdict verdict = NS_ACCEPT;
    struct rule *rule;
    list_for_each(rule, &ns->rules, link) {
        if (matches(ns, rule, v)) {
            rule->hits++;
            verdict = rule->r.verdict;
            break;
        }
    }
    if (verdict == NS_ACCEPT && ns->tracking_rules && v->point != NS_PREROUTING && !v->about)
        remember(ns, v);
    return verdict;
}

// Whether it is an ICMP error, and of which flow: what it quotes has gone the other way.
static bool quoted_flow(struct pkt *p, bool in, struct flow_key *key) {
    bool four = ns_ip_is4(&p->dst);
    struct icmp_quote q;
    const uint8_t *h = p->proto == (four ? PROTO_ICMP : PROTO_ICMP6) ? pkt_peek(p, ICMP_LEN) : NULL;
    if (!h || !icmp_is_error(four, h[ICMP_TYPE]) || !icmp_quote(p, ICMP_LEN, four, &q))
        return false;
    bool ports = q.proto == PROTO_TCP || q.proto == PROTO_UDP;
    uint16_t from = ports ? get16(q.l4) : 0, to = ports ? get16(q.l4 + 2) : 0;
    *key = (struct flow_key){in ? q.src : q.dst, in ? q.dst : q.src, in ? from : to, in ? to : from, q.proto};
    return true;
}

static struct view view_of(struct pkt *p, enum ns_point point, const struct netif *nif, bool transport) {
    struct view v = {.point = point, .nif = nif, .src = &p->src, .dst = &p->dst, .proto = p->proto};
    const uint8_t *h = transport && (p->proto == PROTO_TCP || p->proto == PROTO_UDP) ? pkt_peek(p, 4) : NULL;
    if (h) {
        v.sport = get16(h);
        v.dport = get16(h + 2);
    }
    if (p->ns->tracking_rules && point != NS_PREROUTING)
        v.about = quoted_flow(p, point == NS_INPUT, &v.quoted);
    return v;
}

bool filter_prerouting(struct pkt *p, bool transport) {
    struct view v = view_of(p, NS_PREROUTING, p->nif, transport);
    if (decide(p->ns, &v) == NS_ACCEPT)
        return true;
    count(p->ns, filter_drop_prerouting);
    pkt_free(p);
    return false;
}

bool filter_in(struct pkt *p) {
    struct view v = view_of(p, NS_INPUT, p->nif, true);
    enum ns_verdict verdict = decide(p->ns, &v);
    if (verdict == NS_ACCEPT)
        return true;
    count(p->ns, filter_drop_in);
    if (verdict == NS_REJECT)
        icmp_error(p, ICMP_PROHIBITED, 0);
    pkt_free(p);
    return false;
}

bool filter_out(struct pkt *p, struct netif *nif) {
    struct view v = view_of(p, NS_OUTPUT, nif, true);
    if (decide(p->ns, &v) == NS_ACCEPT)
        return true;
    count(p->ns, filter_drop_out);
    pkt_free(p);
    return false;
}

void filter_flush(struct netstack *ns) {
    while (!list_empty(&ns->rules)) {
        struct rule *r = list_first(&ns->rules, struct rule, link);
        list_del(&r->link);
        stack_free(ns, r, sizeof *r);
    }
    while (!list_empty(&ns->tracked_lru))
        flow_free(ns, list_first(&ns->tracked_lru, struct flow, lru));
    ns->nrules = ns->tracking_rules = 0;
    memset(ns->rules_at, 0, sizeof ns->rules_at);
}

static bool rule_ok(const struct ns_rule *r) {
    if (r->point >= NS_POINTS || r->verdict > NS_REJECT)
        return false;
    if (r->point == NS_PREROUTING && (r->established || r->verdict == NS_REJECT))
        return false;
    return r->src_prefix <= (ns_ip_is4(&r->src) ? 32 : 128) &&
           r->dst_prefix <= (ns_ip_is4(&r->dst) ? 32 : 128) && r->sport[0] <= r->sport[1] &&
           r->dport[0] <= r->dport[1];
}

int netstack_add_rule(struct netstack *ns, const struct ns_rule *r) {
    if (!rule_ok(r))
        return -LINUX_EINVAL;
    IN_STACK(ns);
    struct rule *rule = ns->nrules < STACK_RULES ? stack_alloc(ns, sizeof *rule) : NULL;
    if (!rule)
        return -LINUX_ENOBUFS;
    rule->r = *r;
    rule->id = ns->next_rule++;
    uint32_t burst = r->burst ? r->burst : r->rate;
    rule->bucket = (struct bucket){.rate = r->rate, .burst = burst, .tokens = burst * 1000ull, .at = ns->now};
    list_add_tail(&ns->rules, &rule->link);
    ns->nrules++;
    ns->rules_at[r->point]++;
    ns->tracking_rules += r->established;
    return rule->id;
}

static struct rule *find_rule(struct netstack *ns, int id) {
    struct rule *rule;
    list_for_each(rule, &ns->rules, link) {
        if (rule->id == id)
            return rule;
    }
    return NULL;
}

int netstack_del_rule(struct netstack *ns, int id) {
    IN_STACK(ns);
    struct rule *rule = find_rule(ns, id);
    if (!rule)
        return -LINUX_ENOENT;
    ns->nrules--;
    ns->rules_at[rule->r.point]--;
    ns->tracking_rules -= rule->r.established;
    list_del(&rule->link);
    stack_free(ns, rule, sizeof *rule);
    if (ns->nrules == 0)
        filter_flush(ns);  // flows too
    return 0;
}

int64_t netstack_rule_hits(struct netstack *ns, int id) {
    IN_STACK(ns);
    const struct rule *rule = find_rule(ns, id);
    return rule ? (int64_t)rule->hits : -LINUX_ENOENT;
}
