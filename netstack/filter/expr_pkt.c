// SPDX-License-Identifier: Apache-2.0
// What expressions see of a packet: its bytes, where it came in and goes out, what its addresses are to us,
// and its connection. All are read into registers of the caller; false: there is no such thing of this
// packet.
#include "netstack/filter/nf.h"
#include "netstack/ip/route.h"
#include "netstack/link/netif.h"
#include "netstack/prot/eth.h"

uint8_t *nf_transport(struct nf_pkt *k, uint32_t n) {
    uint8_t *h = k->fragment ? NULL : pkt_peek(k->p, k->th + n);
    return h ? h + k->th : NULL;
}
uint32_t nf_pkt_len(const struct nf_pkt *k) { return k->nh_len + k->p->len; }

// ---- Bytes ------------------------------------------------------------------------------------------------
static bool behind(const struct pkt *p, uint64_t at, void *to, uint32_t n) {
    if (at > p->len || n > p->len - at)
        return false;
    pkt_copy(p, (uint32_t)at, to, n);
    return true;
}
// LIMIT: the link's header, and what tunnels carry, cannot be looked at.
bool nf_payload(struct nf_pkt *k, uint32_t base, uint32_t offset, void *to, uint32_t n) {
    if (base == 2)
        return !k->fragment && behind(k->p, (uint64_t)k->th + offset, to, n);
    if (base != 1)
        return false;
    if (offset >= k->nh_len)
        return behind(k->p, offset - k->nh_len, to, n);
    uint32_t here = k->nh_len - offset < n ? k->nh_len - offset : n;
    memcpy(to, k->nh + offset, here);
    return here == n || behind(k->p, 0, (uint8_t *)to + here, n - here);
}

// ---- Meta -------------------------------------------------------------------------------------------------
static void put_bytes(uint32_t *to, const void *from, size_t n) { memcpy(to, from, n); }

static bool put_name(uint32_t *to, const struct netif *nif) {
    char name[16] = "";
    if (nif)
        memcpy(name, nif->name, sizeof name);
    put_bytes(to, name, sizeof name);
    return true;
}
static uint8_t pkt_type(const struct nf_pkt *k) {
    if (k->p->loops || (k->out && netif_is_loopback(k->out)))
        return 5;  // PACKET_LOOPBACK
    if (!k->p->broadcast)
        return 0;
    return ip_is_multicast(&k->p->dst) ? 2 : 1;
}
static bool put_iftype(uint32_t *to, const struct netif *nif) {
    uint16_t type = nif && netif_is_loopback(nif) ? 772 : 1;  // ARPHRD_LOOPBACK, ARPHRD_ETHER
    put_bytes(to, &type, sizeof type);
    return nif != NULL;
}
static bool put_u8(uint32_t *to, uint8_t v) {
    put_bytes(to, &v, sizeof v);
    return true;
}
bool nf_meta(struct nf_pkt *k, uint32_t key, uint32_t *to) {
    uint8_t type[2];
    switch (key) {
    case 0:  // NFT_META_LEN
        *to = nf_pkt_len(k);
        return true;
    case 1:  // PROTOCOL
        put16(type, k->four ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
        put_bytes(to, type, sizeof type);
        return true;
    case 3:  // MARK
        *to = k->p->fwmark;
        return true;
    case 4:  // IIF, OIF
    case 5: {
        const struct netif *nif = key == 4 ? k->in : k->out;
        *to = nif ? nif->index : 0;
        return true;
    }
    case 6:  // IIFNAME, OIFNAME
    case 7:
        return put_name(to, key == 6 ? k->in : k->out);
    case 8:  // IIFTYPE, OIFTYPE
    case 9:
        return put_iftype(to, key == 8 ? k->in : k->out);
    case 15:  // NFPROTO
        return put_u8(to, k->four ? NF_IPV4 : NF_IPV6);
    case 16:  // L4PROTO
        return put_u8(to, k->proto);
    case 19:  // PKTTYPE
        return put_u8(to, pkt_type(k));
    case 24:  // PRANDOM
        *to = stack_random(k->ns);
        return true;
    default:
        return false;
    }
}

// ---- Routes -----------------------------------------------------------------------------------------------
enum { RTN_UNICAST = 1, RTN_LOCAL = 2, RTN_BROADCAST = 3, RTN_MULTICAST = 5 };

static bool is_broadcast(struct netstack *ns, const struct ns_ip *ip, const struct netif *on) {
    const struct netif *nif;
    list_for_each(nif, &ns->netifs, link) {
        if ((!on || on == nif) && netif_is_broadcast(nif, ip))
            return true;
    }
    return false;
}
uint32_t nf_addr_type(struct nf_pkt *k, const struct ns_ip *ip, const struct netif *nif) {
    if (ip_is_multicast(ip))
        return RTN_MULTICAST;
    if (ns_ip_is4(ip) && (ip_is_any(ip) || ip_is_limited_broadcast(ip)))
        return RTN_BROADCAST;
    if (nif ? netif_find_address((struct netif *)nif, ip) != NULL : netif_is_local(k->ns, ip))
        return RTN_LOCAL;
    return ns_ip_is4(ip) && is_broadcast(k->ns, ip, nif) ? RTN_BROADCAST : RTN_UNICAST;
}
#define FIB_SADDR 1u
#define FIB_IIF   8u
#define FIB_OIF   16u
#define FIB_THERE 32u
bool nf_fib(struct nf_pkt *k, const struct nf_expr *x, uint32_t *to) {
    const struct ns_ip *ip = x->fib.flags & FIB_SADDR ? &k->p->src : &k->p->dst;
    const struct netif *on = x->fib.flags & FIB_IIF ? k->in : NULL;
    if (x->fib.flags & FIB_OIF)
        on = k->out;
    if (x->fib.result == 3) {  // the kind of address
        *to = nf_addr_type(k, ip, on);
        return true;
    }
    struct path path = {.nif = NULL};
    bool found = path_find(k->ns, ip, NULL, &path) == 0 && (!on || on == path.nif);
    if (x->fib.flags & FIB_THERE)
        *to = found;
    else if (x->fib.result == 1)
        *to = found ? path.nif->index : 0;
    else
        put_name(to, found ? path.nif : NULL);
    return true;
}

// ---- The connection ---------------------------------------------------------------------------------------
uint32_t nf_ct_bits(const struct nf_pkt *k) {
    switch (k->p->ct_state) {
    case NF_CT_ESTABLISHED:
        return 2;
    case NF_CT_RELATED:
        return 4;
    case NF_CT_NEW:
        return 8;
    case NF_CT_UNTRACKED:
        return 64;
    default:
        return 1;
    }
}
static bool put_addr(uint32_t *to, const struct ns_ip *ip, bool four) {
    put_bytes(to, four ? ip->b + 12 : ip->b, four ? 4 : 16);
    return true;
}
static uint64_t sum_of(const uint64_t v[2], uint32_t dir) { return dir <= 1 ? v[dir] : v[0] + v[1]; }

static bool put_u64(uint32_t *to, uint64_t v) {
    put_bytes(to, &v, sizeof v);
    return true;
}
static bool put_port(uint32_t *to, uint16_t port) {
    uint8_t b[2];
    put16(b, port);
    put_bytes(to, b, sizeof b);
    return true;
}
static bool conn_get(const struct nf_pkt *k, const struct nf_conn *c, const struct nf_expr *x, uint32_t *to) {
    const struct nf_tuple *t = &c->end[x->ct.dir == 1].t;
    bool four = ns_ip_is4(&t->src);
    switch (x->ct.key) {
    case 1:  // DIRECTION
        return put_u8(to, k->p->ct_dir);
    case 2:
        *to = c->status;
        return true;
    case 3:
        *to = c->mark;
        return true;
    case 5:  // EXPIRATION, ms
        *to = c->until > k->ns->now ? (uint32_t)((c->until - k->ns->now) / NS_MS) : 0;
        return true;
    case 7:  // L3PROTOCOL
        return put_u8(to, four ? NF_IPV4 : NF_IPV6);
    case 8:  // SRC, DST, and by family
    case 19:
    case 21:
        return put_addr(to, &t->src, four);
    case 9:
    case 20:
    case 22:
        return put_addr(to, &t->dst, four);
    case 10:
        return put_u8(to, (uint8_t)t->proto);
    case 11:
        return put_port(to, t->sport);
    case 12:
        return put_port(to, t->dport);
    case 14:  // PKTS, BYTES
        return put_u64(to, sum_of(c->packets, x->ct.dir));
    case 15:
        return put_u64(to, sum_of(c->bytes, x->ct.dir));
    case 23:
        *to = c->id;
        return true;
    default:
        return false;
    }
}
bool nf_ct_get(struct nf_pkt *k, const struct nf_expr *x, uint32_t *to) {
    if (x->ct.key == 0) {  // NFT_CT_STATE
        *to = nf_ct_bits(k);
        return true;
    }
    return ct_of(k->p) && conn_get(k, ct_of(k->p), x, to);
}

// LIMIT: what a rule logs is counted (nf_logged), and told nobody.
void nf_log(struct nf_pkt *k, const char *prefix) { count(k->ns, nf_logged); }
