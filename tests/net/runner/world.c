// SPDX-License-Identifier: Apache-2.0
// The stack under test, its virtual clock, and the link whose other end the script is. See netpkt.h.
#include "tests/net/runner/netpkt.h"
#include <stdlib.h>
#include <string.h>

const struct ns_ip our4 = {{[10] = 0xff, 0xff, 10, 0, 0, 1}}, peer4 = {{[10] = 0xff, 0xff, 10, 0, 0, 2}};
const struct ns_ip our6 = {{0xfd, [15] = 1}}, peer6 = {{0xfd, [15] = 2}};
const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};

static uint64_t clock_now(void *arg) { return ((struct world *)arg)->now; }

// The same numbers in each run (xorshift64).
static void random_bytes_of(void *arg, void *buf, size_t n) {
    struct world *w = arg;
    for (size_t i = 0; i < n; i++) {
        w->seed ^= w->seed << 13;
        w->seed ^= w->seed >> 7;
        w->seed ^= w->seed << 17;
        ((uint8_t *)buf)[i] = (uint8_t)(w->seed >> 32);
    }
}

static int transmit(void *arg, const struct ns_frame *f) {
    struct world *w = arg;
    struct out *o = malloc(sizeof *o + f->len);
    if (!o || w->nouts == MAX_OUT)
        abort();
    *o = (struct out){.at = w->now, .len = f->len, .gso = f->gso_size};
    size_t at = 0;
    for (unsigned i = 0; i < f->iovcnt; i++) {
        memcpy(o->data + at, f->iov[i].base, f->iov[i].len);
        at += f->iov[i].len;
    }
    if (!w->groups && is_membership(w, o)) {  // scripts about something else
        free(o);
        return 0;
    }
    *w->outs_tail = o;
    w->outs_tail = &o->next;
    w->nouts++;
    return 0;
}

struct out *take_out(struct world *w) {
    struct out *o = w->outs;
    if (!o)
        return NULL;
    w->outs = o->next;
    if (!w->outs)
        w->outs_tail = &w->outs;
    w->nouts--;
    return o;
}

void no_more_out(struct world *w, const char *before) {
    if (w->outs)
        fail(w, "came out unexpectedly %s: %.3f %s", before, (double)w->outs->at / 1e9, describe(w, w->outs));
}

void world_open(struct world *w) {
    struct netstack_config config = {clock_now, random_bytes_of, w, 0};
    w->now = 1000 * 1000000000ull;
    w->last = w->now;
    w->seed = 88172645463325252ull;
    w->outs_tail = &w->outs;
    w->next_isn = 100000;
    if (netstack_create(&config, &w->ns) < 0)
        abort();
}

// "link ether|ip [mtu N] [dad] [slaac] [bare] [groups] [gso N]": once, before any packet; "link ip mtu 1500"
// when left out.
void world_link(struct world *w) {
    struct netif_config c = {.name = "t0", .kind = NETIF_IP, .mtu = 1500, .transmit = transmit, .arg = w};
    if (w->nif)
        fail(w, "there is a link already");
    c.flags = has(w, "dad") || has(w, "slaac") ? 0 : NETIF_NO_DAD;
    c.flags |= has(w, "slaac") ? NETIF_SLAAC : 0;
    w->ether = has(w, "ether");
    w->groups = has(w, "groups");
    if (w->ether) {
        c.kind = NETIF_ETHER;
        memcpy(c.mac, our_mac, 6);
    }
    for (unsigned i = 0; i + 1 < w->nwords; i++) {
        if (strcmp(w->words[i], "mtu") == 0)
            c.mtu = (uint32_t)number(w, w->words[i + 1]);
        if (strcmp(w->words[i], "gso") == 0)
            c.gso_max = (uint32_t)number(w, w->words[i + 1]);
    }
    w->mtu = c.mtu;
    if (netif_add(w->ns, &c, &w->nif) < 0)
        fail(w, "no link");
    if (has(w, "bare"))
        return;
    struct ns_route def4 = {ns_ip4(0, 0, 0, 0), 0, peer4, w->nif, 0}, def6 = {{{0}}, 0, peer6, w->nif, 0};
    if (netif_add_address(w->nif, &our4, 24) < 0 ||
        (c.mtu >= 1280 && netif_add_address(w->nif, &our6, 64) < 0) || netstack_add_route(w->ns, &def4) < 0 ||
        netstack_add_route(w->ns, &def6) < 0)
        fail(w, "no addresses");
}

void need_link(struct world *w) {
    unsigned n = w->nwords;
    if (w->nif)
        return;
    w->nwords = 0;
    world_link(w);
    w->nwords = n;
}

void deliver(struct world *w, const uint8_t *bytes, size_t n, bool held) {
    if (w->nheld == MAX_HELD)
        fail(w, "too many frames are held");
    uint8_t *exact = malloc(n ? n : 1);  // so that a sanitizer sees any byte read beyond
    if (!exact)
        abort();
    memcpy(exact, bytes, n);
    w->held[w->nheld++] = (struct ns_rx){.frame = exact, .len = n};
    if (held)
        return;
    if (w->nheld == 1)
        netif_input(w->nif, exact, n, 0);
    else
        netif_input_batch(w->nif, w->held, w->nheld);
    while (w->nheld > 0)
        free((void *)(uintptr_t)w->held[--w->nheld].frame);
}

void advance(struct world *w, uint64_t to) {
    for (;;) {
        uint64_t next = netstack_deadline(w->ns);
        if (next > to)
            break;
        w->now = next > w->now ? next : w->now;
        netstack_poll(w->ns);
    }
    w->now = to > w->now ? to : w->now;
}

struct flow *flow_of(struct world *w, uint16_t ours, uint16_t peers, bool make) {
    for (unsigned i = 0; i < w->nflows; i++)
        if (w->flows[i].ours == ours && w->flows[i].peers == peers)
            return &w->flows[i];
    static struct flow spare;
    struct flow *f = &spare;
    if (make && w->nflows < MAX_FLOWS)
        f = &w->flows[w->nflows++];
    *f = (struct flow){.ours = ours, .peers = peers, .peer_isn = w->next_isn};
    return f;
}

// Everything is closed and the peer is gone: after half an hour nothing may be left.
void world_close(struct world *w) {
    struct netstack_usage u;
    close_all(w);
    advance(w, w->now + 1800 * 1000000000ull);
    for (struct out *o = take_out(w); o; o = take_out(w))
        free(o);
    if (w->nif)
        netif_remove(w->nif);
    for (int i = 0; i < 300; i++)
        netstack_del_rule(w->ns, i);
    netstack_usage(w->ns, &u);
    if (u.bytes || u.packets || u.buffers || u.sockets || u.timers)
        fail(w, "left over: %zu bytes, %u packets, %u buffers, %u sockets, %u timers", u.bytes, u.packets,
             u.buffers, u.sockets, u.timers);
    netstack_destroy(w->ns);
}
