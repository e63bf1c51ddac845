// SPDX-License-Identifier: Apache-2.0
// The scoreboard: what is in flight, as ranges (see tcp.h). All changes of the sums sacked, lost and retrans
// are here. Called by tcp_ack.c, tcp_rack.c and tcp_out.c. Lock: the stack's.
#include "netstack/tcp/tcp.h"

static uint32_t len(const struct tcp_range *r) { return r->end - r->seq; }

static struct tcp_range *range_new(struct tcp *t) {
    struct tcp_range *r = stack_alloc(t->s.ns, sizeof *r);
    if (r)
        list_init(&r->link);
    return r;
}

static void range_free(struct tcp *t, struct tcp_range *r) {
    list_del(&r->link);
    stack_free(t->s.ns, r, sizeof *r);
}

// Takes the range out of the sums, or puts it back in.
static void uncount(struct tcp *t, const struct tcp_range *r) {
    t->sacked -= r->flags & RANGE_SACKED ? len(r) : 0;
    t->lost -= r->flags & RANGE_LOST ? len(r) : 0;
    t->retrans -= r->flags & RANGE_RETRANS ? len(r) : 0;
}
static void recount(struct tcp *t, const struct tcp_range *r) {
    t->sacked += r->flags & RANGE_SACKED ? len(r) : 0;
    t->lost += r->flags & RANGE_LOST ? len(r) : 0;
    t->retrans += r->flags & RANGE_RETRANS ? len(r) : 0;
}

static void set_flags(struct tcp *t, struct tcp_range *r, unsigned set, unsigned clear) {
    uncount(t, r);
    r->flags = (r->flags | set) & ~clear;
    recount(t, r);
}

bool tcp_range_add(struct tcp *t, uint32_t seq, uint32_t end) {
    struct tcp_range *r = range_new(t);
    if (!r)
        return false;
    r->seq = seq;
    r->end = end;
    r->sent = t->s.ns->now;
    list_add_tail(&t->ranges, &r->link);
    return true;
}

struct tcp_range *tcp_range_split(struct tcp *t, struct tcp_range *r, uint32_t at) {
    struct tcp_range *back = range_new(t);
    if (!back)
        return NULL;
    invariant(seq_lt(r->seq, at) && seq_lt(at, r->end));
    back->seq = at;
    back->end = r->end;
    back->sent = r->sent;
    back->flags = r->flags;
    r->end = at;
    list_add(&r->link, &back->link);
    return back;
}

void tcp_range_lost(struct tcp *t, struct tcp_range *r) {
    if (!(r->flags & RANGE_SACKED))
        set_flags(t, r, RANGE_LOST, RANGE_RETRANS);
}

void tcp_range_resent(struct tcp *t, struct tcp_range *r) {
    r->sent = t->s.ns->now;
    set_flags(t, r, RANGE_EVER | (r->flags & RANGE_LOST ? RANGE_RETRANS : 0), 0);
}

static void delivered(struct tcp *t, const struct tcp_range *r, struct tcp_delivery *d) {
    d->delivered += len(r);
    if (!(r->flags & RANGE_EVER))
        d->rtt = t->s.ns->now - r->sent ? t->s.ns->now - r->sent : 1;
    tcp_rack_delivered(t, r);
}

void tcp_ranges_acked(struct tcp *t, uint32_t ack, struct tcp_delivery *d) {
    while (!list_empty(&t->ranges)) {
        struct tcp_range *r = list_first(&t->ranges, struct tcp_range, link);
        if (seq_le(ack, r->seq))
            break;
        struct tcp_range done = *r;
        uncount(t, r);
        if (seq_lt(ack, r->end)) {
            done.end = ack;
            r->seq = ack;
            recount(t, r);
        } else {
            range_free(t, r);
        }
        if (!(done.flags & RANGE_SACKED))
            delivered(t, &done, d);
        if (seq_le(ack, done.end))
            break;
    }
}

// One block: the ranges inside become SACKED; one that it cuts through is split.
static void mark(struct tcp *t, uint32_t start, uint32_t end, struct tcp_delivery *d) {
    struct tcp_range *r, *next;
    list_for_each_safe(r, next, &t->ranges, link) {
        if (seq_le(end, r->seq))
            break;
        if (seq_le(r->end, start) || (r->flags & RANGE_SACKED))
            continue;
        if (seq_lt(r->seq, start)) {
            struct tcp_range *back = tcp_range_split(t, r, start);
            if (!back)
                return;
            r = back;
            next = container_of(r->link.next, struct tcp_range, link);
        }
        if (seq_lt(end, r->end) && !tcp_range_split(t, r, end))
            return;
        delivered(t, r, d);
        d->new_sack = true;
        set_flags(t, r, RANGE_SACKED, RANGE_LOST | RANGE_RETRANS);
        next = container_of(r->link.next, struct tcp_range, link);
    }
}

// RFC 2883 4: the first block is a D-SACK when it is below the ACK, or inside the second.
static bool is_dsack(const struct tcp_seg *g) {
    const struct tcp_block *b = g->o.sacks;
    if (seq_lt(b[0].start, g->ack))
        return true;
    return g->o.nsacks > 1 && seq_le(b[1].start, b[0].start) && seq_le(b[0].end, b[1].end);
}

void tcp_ranges_sacked(struct tcp *t, const struct tcp_seg *g, uint32_t prior_una, struct tcp_delivery *d) {
    unsigned first = 0;
    if (g->o.nsacks > 0 && is_dsack(g)) {
        d->dsack = true;
        first = 1;
    }
    for (unsigned i = first; i < g->o.nsacks; i++) {
        const struct tcp_block *b = &g->o.sacks[i];
        // What was never sent, or is turned around, is nonsense (or an attack); what is acknowledged is old.
        if (!seq_lt(b->start, b->end) || seq_lt(t->snd_nxt, b->end) || seq_le(b->end, t->snd_una))
            continue;
        mark(t, seq_max(b->start, t->snd_una), b->end, d);
    }
}

// RFC 6298 5.4, RFC 8985 6.3. What was SACKED stays so, unless the first range is: then the peer has taken it
// back (RFC 2018 8), and everything goes again.
void tcp_ranges_all_lost(struct tcp *t) {
    struct tcp_range *r = list_first(&t->ranges, struct tcp_range, link);
    bool reneged = !list_empty(&t->ranges) && (r->flags & RANGE_SACKED);
    if (reneged)
        count(t->s.ns, tcp_reneged);
    if (!t->sack_ok)
        t->sacked = 0;  // guesses from duplicate ACKs (tcp_ack.c), of ranges that are lost now
    list_for_each(r, &t->ranges, link) {
        if (reneged)
            set_flags(t, r, RANGE_LOST, RANGE_SACKED | RANGE_RETRANS);
        else
            tcp_range_lost(t, r);
    }
}

void tcp_ranges_forgive(struct tcp *t) {
    struct tcp_range *r;
    list_for_each(r, &t->ranges, link) {
        set_flags(t, r, 0, RANGE_LOST | RANGE_RETRANS);
    }
}

void tcp_ranges_free(struct tcp *t) {
    while (!list_empty(&t->ranges)) {
        struct tcp_range *r = list_first(&t->ranges, struct tcp_range, link);
        uncount(t, r);
        range_free(t, r);
    }
}
