// SPDX-License-Identifier: Apache-2.0
// Rules over a packet: chains, jumps, and the expressions that look at registers alone. What a packet may
// cost is bounded: NF_STEPS expressions and rules at one hook, counting what sets that are looked through
// cost; then it is dropped.
#include "netstack/filter/nf.h"

struct frame {
    const struct nf_chain *chain;
    struct list *next;
};

static int rule_run(struct nf_pkt *k, struct nf_rule *r, const struct nf_chain **target) {
    for (uint32_t i = 0; i < r->n; i++) {
        k->steps++;
        int v = nf_expr_run(k, &r->exprs[i], target);
        if (v != NF_CONTINUE)
            return v;
    }
    return NF_CONTINUE;
}
static int policy(struct nf_pkt *k, struct nf_chain *base) {
    if (base->has_stats) {
        base->packets++;
        base->bytes += nf_pkt_len(k);
    }
    return (int)base->policy;
}
int nf_chain_run(struct nf_pkt *k, struct nf_chain *base) {
    struct frame stack[NF_DEPTH], here = {base, base->rules.next};
    unsigned depth = 0;
    k->chain = base;
    for (;;) {
        const struct nf_chain *target = NULL;
        int v = NF_RETURN;
        if (here.next != &here.chain->rules) {
            struct nf_rule *r = container_of(here.next, struct nf_rule, link);
            here.next = here.next->next;
            v = rule_run(k, r, &target);
        }
        if (++k->steps > NF_STEPS) {
            count(k->ns, nf_steps_over);
            return NF_DROP;
        }
        if (v == NF_ACCEPT || v == NF_DROP)
            return v;
        if (v == NF_JUMP) {
            invariant(depth < NF_DEPTH);  // nf_check()
            stack[depth++] = here;
        }
        if (v == NF_JUMP || v == NF_GOTO) {
            here = (struct frame){target, target->rules.next};
        } else if (v == NF_RETURN) {
            if (depth == 0)
                return policy(k, base);
            here = stack[--depth];
        }
    }
}

// ---- Registers --------------------------------------------------------------------------------------------
static int verdict(const struct nf_data *d, const struct nf_chain **target) {
    *target = d->chain;
    return d->code;
}
static void store(struct nf_pkt *k, uint32_t reg, const void *from, uint32_t n) {
    if (n % 4)
        k->regs[reg + n / 4] = 0;
    memcpy(&k->regs[reg], from, n);
}
static bool cmp(const struct nf_pkt *k, const struct nf_expr *x) {
    int d = memcmp(&k->regs[x->sreg], x->cmp.data.b, x->cmp.data.len);
    switch (x->cmp.op) {
    case 0:
        return d == 0;
    case 1:
        return d != 0;
    case 2:
        return d < 0;
    case 3:
        return d <= 0;
    case 4:
        return d > 0;
    default:
        return d >= 0;
    }
}
static bool range(const struct nf_pkt *k, const struct nf_expr *x) {
    const void *v = &k->regs[x->sreg];
    bool within =
        memcmp(v, x->range.from.b, x->range.from.len) >= 0 && memcmp(v, x->range.to.b, x->range.to.len) <= 0;
    return within == (x->range.op == 0);
}
// By less than a word, across words, the first word being the highest.
static void shift(const uint32_t *src, uint32_t *dst, uint32_t words, uint32_t by, bool left) {
    uint32_t carry = 0;
    for (uint32_t i = 0; i < words; i++) {
        uint32_t at = left ? words - 1 - i : i, v = src[at];
        dst[at] = left ? v << by | carry : v >> by | carry;
        carry = left ? v >> (32 - by) : v << (32 - by);
    }
}
static void bitwise(struct nf_pkt *k, const struct nf_expr *x) {
    uint32_t words = (x->len + 3) / 4, mask[NF_DATA / 4], xor[NF_DATA / 4], by;
    if (x->bitwise.op) {
        memcpy(&by, x->bitwise.data.b, sizeof by);
        shift(&k->regs[x->sreg], &k->regs[x->dreg], words, by, x->bitwise.op == 1);
        return;
    }
    memcpy(mask, x->bitwise.mask.b, sizeof mask);
    memcpy(xor, x->bitwise.xor.b, sizeof xor);
    for (uint32_t i = 0; i < words; i++)
        k->regs[x->dreg + i] = (k->regs[x->sreg + i] & mask[i]) ^ xor[i];
}
static void byteorder(struct nf_pkt *k, const struct nf_expr *x) {
    const uint8_t *src = (const uint8_t *)&k->regs[x->sreg];
    uint8_t out[NF_REGS * 4];
    uint32_t size = x->byteorder.size;
    for (uint32_t i = 0; i < x->len / size * size; i++)
        out[i] = src[i / size * size + size - 1 - i % size];
    store(k, x->dreg, out, x->len / size * size);
}

// ---- State ------------------------------------------------------------------------------------------------
bool nf_limit(struct nf_pkt *k, struct nf_expr *x) {
    unsigned __int128 ns = (unsigned __int128)x->limit.unit * NS_SEC, most, cost;
    uint64_t rate = x->limit.rate, burst = x->limit.burst;
    bool bytes = x->limit.type == 1;
    most = bytes ? ns * (rate + burst) / rate : ns / rate * burst;
    cost = bytes ? ns * nf_pkt_len(k) / rate : ns / rate;
    if (most > UINT64_MAX)
        most = UINT64_MAX;
    if (!x->limit.at)
        x->limit.tokens = (uint64_t)most;
    unsigned __int128 now = (unsigned __int128)x->limit.tokens + (x->limit.at ? k->ns->now - x->limit.at : 0);
    x->limit.at = k->ns->now ? k->ns->now : 1;
    if (now > most)
        now = most;
    bool within = now >= cost;
    x->limit.tokens = (uint64_t)(within ? now - cost : now);
    return within != (x->limit.flags & 1);
}
static void counter(struct nf_pkt *k, struct nf_expr *x) {
    x->counter.packets++;
    x->counter.bytes += nf_pkt_len(k);
}
static bool quota(struct nf_pkt *k, struct nf_expr *x) {
    x->quota.consumed += nf_pkt_len(k);
    return (x->quota.consumed < x->quota.bytes) != (x->quota.flags & 1);
}

// ---- Sets -------------------------------------------------------------------------------------------------
static struct nf_elem *ask(struct nf_pkt *k, struct nf_set *s, uint32_t sreg) {
    if (!list_empty(&s->ranges))
        k->steps += s->n;
    return nf_set_lookup(k->nf, s, &k->regs[sreg]);
}
static int lookup(struct nf_pkt *k, struct nf_expr *x, const struct nf_chain **target) {
    struct nf_set *s = x->lookup.set;
    struct nf_elem *e = ask(k, s, x->sreg);
    if (!e == !(x->lookup.flags & 1))
        return NF_BREAK;
    if (!e || !x->lookup.has_dreg)
        return NF_CONTINUE;
    if (s->data_type == NF_VERDICT_TYPE)
        return verdict(&e->verdict, target);
    store(k, x->dreg, e->data, s->data_len);
    return NF_CONTINUE;
}
static int objref(struct nf_pkt *k, struct nf_expr *x, const struct nf_chain **target) {
    struct nf_obj *o = x->objref.obj;
    if (x->objref.set) {
        struct nf_elem *e = ask(k, x->objref.set, x->sreg);
        o = e ? e->obj : NULL;
    }
    return o ? nf_expr_run(k, &o->x, target) : NF_BREAK;
}

// ---- One expression ---------------------------------------------------------------------------------------
static int when(bool matches) { return matches ? NF_CONTINUE : NF_BREAK; }

static int reject(struct nf_pkt *k, const struct nf_expr *x) {
    nf_reject(k, x->reject.type, x->reject.code);
    return NF_DROP;
}
static int untrack(struct nf_pkt *k) {
    if (k->p->ct_state == NF_CT_NONE)
        k->p->ct_state = NF_CT_UNTRACKED;
    return NF_CONTINUE;
}
// Something of the packet goes to a register.
static bool load(struct nf_pkt *k, const struct nf_expr *x) {
    uint32_t v[NF_REGS] = {0};
    bool there;
    switch (x->kind) {
    case NF_X_PAYLOAD:
        there = nf_payload(k, x->payload.base, x->payload.offset, v, x->len);
        break;
    case NF_X_META:
        there = nf_meta(k, x->meta.key, v);
        break;
    case NF_X_FIB:
        there = nf_fib(k, x, v);
        break;
    default:
        there = nf_ct_get(k, x, v);
    }
    if (there)
        store(k, x->dreg, v, x->len);
    return there;
}
static int set_mark(struct nf_pkt *k, const struct nf_expr *x) {
    if (x->kind == NF_X_META_SET)
        k->p->fwmark = k->regs[x->sreg];
    else if (ct_of(k->p))
        ct_of(k->p)->mark = k->regs[x->sreg];
    return NF_CONTINUE;
}
int nf_expr_run(struct nf_pkt *k, struct nf_expr *x, const struct nf_chain **target) {
    switch (x->kind) {
    case NF_X_IMMEDIATE:
        if (x->dreg == 0)
            return verdict(&x->imm, target);
        store(k, x->dreg, x->imm.b, x->imm.len);
        return NF_CONTINUE;
    case NF_X_CMP:
        return when(cmp(k, x));
    case NF_X_RANGE:
        return when(range(k, x));
    case NF_X_PAYLOAD:
    case NF_X_META:
    case NF_X_CT:
    case NF_X_FIB:
        return when(load(k, x));
    case NF_X_META_SET:
    case NF_X_CT_SET:
        return set_mark(k, x);
    case NF_X_BITWISE:
        bitwise(k, x);
        return NF_CONTINUE;
    case NF_X_BYTEORDER:
        byteorder(k, x);
        return NF_CONTINUE;
    case NF_X_COUNTER:
        counter(k, x);
        return NF_CONTINUE;
    case NF_X_LOOKUP:
        return lookup(k, x, target);
    case NF_X_OBJREF:
        return objref(k, x, target);
    case NF_X_LIMIT:
        return when(nf_limit(k, x));
    case NF_X_QUOTA:
        return when(quota(k, x));
    case NF_X_LOG:
        nf_log(k, x->log.prefix);
        return NF_CONTINUE;
    case NF_X_REJECT:
        return reject(k, x);
    case NF_X_NAT:
    case NF_X_MASQ:
    case NF_X_REDIR:
        return nf_nat_expr(k, x);
    case NF_X_NOTRACK:
        return untrack(k);
    case NF_X_MATCH:
    case NF_X_TARGET:
        return nf_xt_run(k, x);
    case NF_KINDS:
        break;
    }
    return NF_BREAK;
}
