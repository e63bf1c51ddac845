// SPDX-License-Identifier: Apache-2.0
// Listening: half-open connections as requests of some hundred bytes (RFC 9293 3.10.7.2, RFC 4987 3.4), SYN
// cookies when there are too many, and the queue of those that wait to be accepted. Called by tcp_in.c,
// tcp_timer.c and the socket calls. Lock: the stack's.
// LIMIT: no TCP Fast Open (RFC 7413): a SYN's data is dropped, and comes again after the handshake.
#include "netstack/tcp/tcp.h"
#include "abi/errno.h"
#include "base/clamp.h"
#include "netstack/core/addr.h"
#include "netstack/link/netif.h"
#include "netstack/prot/eth.h"

#define BACKLOG_MAX    4096  // Linux: somaxconn
#define SYNACK_RETRIES 5     // Linux: tcp_synack_retries
#define RCV_WSCALE     7     // for 6 MiB

struct request {
    struct list link;
    struct ns_addr local, remote;
    struct tcp_options o;  // of the SYN
    uint32_t iss, irs, wnd;
    bool ecn;
    bool acked;             // with NS_OPT_TCP_DEFER_ACCEPT: its ACK came, its data has not
    struct saved_syn *syn;  // owned; or NULL
    unsigned retries;
    uint64_t next;  // ns: when the SYN-ACK goes again
};

// ---- Numbers ----------------------------------------------------------------------------------------------
struct quad {
    struct ns_ip local, remote;
    uint16_t lport, rport;
    uint32_t what;
};
static uint64_t hash_quad(struct netstack *ns, const struct ns_addr *l, const struct ns_addr *r,
                          uint32_t what) {
    struct quad q = {l->ip, r->ip, l->port, r->port, what};
    return siphash(&ns->key, &q, sizeof q);
}

// RFC 6528 3: a clock of 4 us, and an offset that only who knows the key can compute.
uint32_t tcp_isn(struct netstack *ns, const struct ns_addr *local, const struct ns_addr *remote) {
    return (uint32_t)hash_quad(ns, local, remote, 1) + (uint32_t)(ns->now / 4000);
}
// RFC 7323 5.4: the clock of one connection says nothing of another's, nor of how long we are up.
uint32_t tcp_ts_offset(struct netstack *ns, const struct ns_addr *local, const struct ns_addr *remote) {
    return (uint32_t)hash_quad(ns, local, remote, 2);
}

// ---- The SYN, kept ----------------------------------------------------------------------------------------
struct saved_syn {
    uint32_t len;
    uint8_t bytes[];
};

void tcp_syn_free(struct netstack *ns, struct saved_syn **syn) {
    if (*syn)
        stack_free(ns, *syn, sizeof **syn + (*syn)->len);
    *syn = NULL;
}

// Its headers are in front of what is left of the packet. NULL: none are wanted, or no memory.
static struct saved_syn *syn_keep(const struct tcp *l, const struct pkt *p) {
    int want = l->s.opt[NS_OPT_TCP_SAVE_SYN];
    uint32_t link = want == 2 ? ETH_LEN : 0, n = (uint32_t)(p->off - p->l3);
    struct saved_syn *syn = want ? stack_alloc(p->ns, sizeof *syn + link + n) : NULL;
    if (!syn)
        return NULL;
    syn->len = link + n;
    bool framed = p->l3 >= ETH_LEN && p->nif->config.kind == NETIF_ETHER && !netif_is_loopback(p->nif);
    if (link && framed)
        memcpy(syn->bytes, p->head + p->l3 - ETH_LEN, ETH_LEN);
    else if (link)  // of loopback's frames: no addresses
        put16(syn->bytes + ETH_TYPE, ns_ip_is4(&p->dst) ? ETH_TYPE_IP4 : ETH_TYPE_IP6);
    memcpy(syn->bytes + link, p->head + p->l3, n);
    return syn;
}

int ns_take_syn(struct ns_sock *s, void *buf, uint32_t *len) {
    if (s->ops != &tcp_ops)
        return -LINUX_EOPNOTSUPP;
    IN_STACK(s->ns);
    struct tcp *t = tcp_of(s);
    uint32_t room = *len;
    *len = t->syn ? t->syn->len : 0;
    if (*len > room)
        return -LINUX_EINVAL;
    if (t->syn)
        memcpy(buf, t->syn->bytes, *len);
    tcp_syn_free(s->ns, &t->syn);
    return 0;
}

// ---- Requests ---------------------------------------------------------------------------------------------
static struct list *bucket_of(struct tcp *l, const struct ns_addr *local, const struct ns_addr *remote) {
    return &l->requests[hash_quad(l->s.ns, local, remote, 3) % TCP_REQ_HASH];
}

static struct request *find_request(struct tcp *l, const struct tcp_seg *g) {
    struct request *r;
    list_for_each(r, bucket_of(l, &g->local, &g->remote), link) {
        if (r->local.port == g->local.port && r->remote.port == g->remote.port &&
            ip_eq(&r->local.ip, &g->local.ip) && ip_eq(&r->remote.ip, &g->remote.ip))
            return r;
    }
    return NULL;
}

static void free_request(struct tcp *l, struct request *r) {
    list_del(&r->link);
    l->nrequests--;
    tcp_syn_free(l->s.ns, &r->syn);
    stack_free(l->s.ns, r, sizeof *r);
}

// cookie: the peer's options are in our timestamp, since we shall not remember them.
static void send_synack(struct tcp *l, const struct request *r, bool cookie) {
    struct netstack *ns = l->s.ns;
    struct path path;
    struct pkt *p = sock_path_from(&l->s, &r->remote.ip, &r->local.ip, &path) ? NULL : pkt_alloc(ns);
    if (!p)
        return;
    uint32_t ts = (uint32_t)(ns->now / NS_MS) + tcp_ts_offset(ns, &r->local, &r->remote);
    struct tcp_options o = {.mss = tcp_our_mss(&path, &r->remote.ip),
                            .sack_ok = r->o.sack_ok,
                            .has_ts = r->o.has_ts,
                            .tsval = cookie ? tcp_cookie_ts(ts, &r->o) : ts,
                            .tsecr = r->o.tsval,
                            .has_wscale = r->o.has_wscale,
                            .wscale = RCV_WSCALE};
    if (cookie && !r->o.has_ts)
        o.sack_ok = o.has_wscale = false;
    if (l->s.opt[NS_OPT_TCP_MAXSEG] && o.mss > l->s.opt[NS_OPT_TCP_MAXSEG])
        o.mss = (uint16_t)l->s.opt[NS_OPT_TCP_MAXSEG];
    uint8_t options[40];
    uint32_t n = tcp_put_options(options, &o);
    memcpy(pkt_push(p, n), options, n);
    uint8_t *h = pkt_push(p, TCP_LEN);
    memset(h, 0, TCP_LEN);
    put16(h + TCP_SPORT, r->local.port);
    put16(h + TCP_DPORT, r->remote.port);
    put32(h + TCP_SEQ, r->iss);
    put32(h + TCP_ACKNO, r->irs + 1);
    h[TCP_OFF] = (uint8_t)((TCP_LEN + n) / 4 << 4);
    h[TCP_FLAGS] = TCP_SYN | TCP_ACK | (r->ecn && !cookie ? TCP_ECE : 0);
    put16(h + TCP_WIN, (uint16_t)tcp_first_window(&l->s));
    struct ip_header ip = {r->local.ip,
                           r->remote.ip,
                           PROTO_TCP,
                           (uint8_t)(l->s.opt[NS_OPT_TOS] & ~3),
                           (uint8_t)l->s.opt[NS_OPT_TTL],
                           true};
    ip_start_csum(p, &ip, TCP_CSUM);
    count(ns, tcp_out);
    ip_output(ns, p, &path, &ip);
}

static void arm(struct tcp *l, uint64_t when) {
    if (!timer_armed(&l->keep) || timer_when(&l->keep) > when)
        stack_arm(l->s.ns, &l->keep, when);
}

// Whose ACK came and whose data is awaited hears nothing until its last try (Linux' syn_ack_recalc()).
static bool resends(const struct tcp *l, const struct request *r) {
    return !r->acked || (int)r->retries >= l->s.opt[NS_OPT_TCP_DEFER_ACCEPT] - 1;
}
static bool expired(const struct tcp *l, const struct request *r) {
    return r->retries >= SYNACK_RETRIES &&
           (!r->acked || (int)r->retries >= l->s.opt[NS_OPT_TCP_DEFER_ACCEPT]);
}

void tcp_listen_timer(struct tcp *l) {
    uint64_t now = l->s.ns->now, first = UINT64_MAX;
    for (unsigned i = 0; i < TCP_REQ_HASH; i++) {
        struct request *r, *next;
        list_for_each_safe(r, next, &l->requests[i], link) {
            if (r->next <= now && expired(l, r)) {
                free_request(l, r);
                continue;
            }
            if (r->next <= now) {
                bool again = resends(l, r);
                uint64_t wait = TCP_RTO_INIT << (++r->retries < 7 ? r->retries : 7);
                r->next = now + (wait < TCP_RTO_MAX ? wait : TCP_RTO_MAX);
                if (again) {
                    count(l->s.ns, tcp_retransmits);
                    send_synack(l, r, false);
                }
            }
            first = r->next < first ? r->next : first;
        }
    }
    if (first != UINT64_MAX)
        stack_arm(l->s.ns, &l->keep, first);
}

static void request_init(struct request *r, const struct tcp_seg *g) {
    r->local = g->local;
    r->remote = g->remote;
    r->o = g->o;
    r->irs = g->seq;
    r->wnd = g->wnd;
    // RFC 3168 6.1.1.
    r->ecn = (g->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR);
}

static void send_cookie(struct tcp *l, const struct tcp_seg *g) {
    struct request r = {0};
    request_init(&r, g);
    r.iss = tcp_cookie_make(l->s.ns, g);
    l->cookie_until = l->s.ns->now + TCP_COOKIE_LIFE;
    count(l->s.ns, tcp_syn_cookies);
    send_synack(l, &r, true);
}

static void take_syn(struct tcp *l, const struct tcp_seg *g) {
    struct netstack *ns = l->s.ns;
    if (l->naccept >= l->backlog) {
        count(ns, tcp_drop_backlog);
        return;
    }
    if (l->nrequests >= l->backlog) {
        send_cookie(l, g);
        return;
    }
    struct request *r = stack_alloc(ns, sizeof *r);
    if (!r) {
        count(ns, link_drop_budget);
        return;
    }
    request_init(r, g);
    r->iss = tcp_isn(ns, &r->local, &r->remote);
    r->next = ns->now + TCP_RTO_INIT;
    r->syn = syn_keep(l, g->p);
    list_add(bucket_of(l, &r->local, &r->remote), &r->link);
    l->nrequests++;
    arm(l, r->next);
    send_synack(l, r, false);
}

// ---- The third segment ------------------------------------------------------------------------------------
static void set_numbers(struct tcp *t, const struct request *r) {
    t->s.local = r->local;
    t->s.remote = r->remote;
    t->iss = r->iss;
    t->snd_una = t->snd_nxt = t->sndq_seq = t->snd_sml = r->iss + 1;
    t->irs = r->irs;
    t->rcv_nxt = t->rcv_acked = r->irs + 1;
    t->rcv_adv = t->rcv_nxt + tcp_first_window(&t->s);
    t->peer_mss = tcp_peer_mss(&r->o, &r->remote.ip);
    t->sack_ok = r->o.sack_ok;
    t->ts_ok = r->o.has_ts;
    t->wscale_ok = r->o.has_wscale;
    t->snd_wscale = r->o.has_wscale ? r->o.wscale : 0;
    t->rcv_wscale = r->o.has_wscale ? RCV_WSCALE : 0;
    t->ecn_ok = r->ecn;
    t->ts_offset = tcp_ts_offset(t->s.ns, &r->local, &r->remote);
    t->ts_recent = r->o.tsval;
    t->ts_recent_at = t->s.ns->now;
}

// A connection of what was half-open; NULL: no memory.
static struct tcp *promote(struct tcp *l, const struct request *r, const struct tcp_seg *g) {
    struct ns_sock *s = sock_new(l->s.ns, &tcp_ops, l->s.family);
    if (!s)
        return NULL;
    struct tcp *t = tcp_of(s);
    s->user = false;
    memcpy(s->opt, l->s.opt, sizeof s->opt);
    s->owner = l->s.owner;
    t->rcvbuf_locked = l->rcvbuf_locked;
    t->sndbuf_locked = l->sndbuf_locked;
    set_numbers(t, r);
    tcp_set_state(t, TCPS_SYN_RCVD);
    t->snd_wnd = g->wnd << t->snd_wscale;
    t->listener = l;
    list_add_tail(&l->accept_queue, &t->accept_link);
    l->naccept++;
    sock_hash_conn(s);
    tcp_established(t, g);
    if (t->ts_ok && g->o.has_ts && g->o.tsecr && r->retries == 0)
        tcp_rtt_sample(t, (uint64_t)(tcp_ts_now(t) - g->o.tsecr) * NS_MS);
    count(l->s.ns, tcp_passive_opens);
    sock_wake(&l->s, NS_IN);
    return t;
}

static void complete(struct tcp *l, struct request *r, struct tcp_seg *g, bool cached) {
    if (l->naccept >= l->backlog) {
        count(l->s.ns, tcp_drop_backlog);  // the SYN-ACK goes again, and so does the ACK
        return;
    }
    struct tcp *t = promote(l, r, g);
    if (cached && t) {
        t->syn = r->syn;
        r->syn = NULL;
        free_request(l, r);
    }
    if (t)
        tcp_segment(t, g);
}

static void request_input(struct tcp *l, struct request *r, struct tcp_seg *g) {
    struct netstack *ns = l->s.ns;
    if (g->flags & TCP_RST) {
        if (g->seq == r->irs + 1) {
            count(ns, tcp_resets_in);
            free_request(l, r);
        }
        return;
    }
    if (g->flags & TCP_SYN) {
        if (g->seq == r->irs)
            send_synack(l, r, false);
        else
            count(ns, tcp_drop_window);
        return;
    }
    if (!(g->flags & TCP_ACK)) {
        count(ns, tcp_drop_noack);
    } else if (g->ack != r->iss + 1) {
        count(ns, tcp_drop_ack);
        tcp_reset_reply(ns, g);
    } else if (r->o.has_ts && g->o.has_ts && seq_lt(g->o.tsval, r->o.tsval)) {
        count(ns, tcp_drop_paws);
    } else if (g->seq - (r->irs + 1) >= 65535) {
        count(ns, tcp_drop_window);
        send_synack(l, r, false);
    } else if ((int)r->retries < l->s.opt[NS_OPT_TCP_DEFER_ACCEPT] && g->len == 0 && !(g->flags & TCP_FIN)) {
        r->acked = true;
    } else {
        complete(l, r, g, true);
    }
}

// An ACK out of nowhere: of a cookie, or nothing. While cookies are under way a wrong one is not answered: it
// may be the later data of a client whose first segments were lost, and that will send them again.
static void maybe_cookie(struct tcp *l, struct tcp_seg *g) {
    struct request r = {0};
    struct tcp_options o;
    bool sent = l->s.ns->now < l->cookie_until;
    if (!sent || !tcp_cookie_check(l->s.ns, g, &o)) {
        count(l->s.ns, tcp_drop_cookie);
        if (!sent)
            tcp_reset_reply(l->s.ns, g);
        return;
    }
    request_init(&r, g);
    r.o = o;
    r.ecn = false;
    r.iss = g->ack - 1;
    r.irs = g->seq - 1;
    complete(l, &r, g, false);
}

void tcp_listen_input(struct tcp *l, struct tcp_seg *g) {
    struct request *r = find_request(l, g);
    if (r)
        request_input(l, r, g);
    else if (g->flags & TCP_RST)
        return;
    else if (g->flags & TCP_ACK)
        maybe_cookie(l, g);
    else if ((g->flags & TCP_SYN) && !(g->flags & TCP_FIN))
        take_syn(l, g);
    else
        count(l->s.ns, tcp_drop_noack);
}

// ---- The socket calls -------------------------------------------------------------------------------------
int tcp_listen(struct ns_sock *s, unsigned backlog) {
    struct tcp *t = tcp_of(s);
    backlog = clamp_u32(backlog, 1, BACKLOG_MAX);
    if (t->state == TCPS_LISTEN) {
        t->backlog = backlog;
        return 0;
    }
    if (t->state != TCPS_CLOSED || s->connected)
        return -LINUX_EINVAL;
    if (!list_linked(&s->port)) {
        struct ns_ip any = s->local.ip;
        int err = sock_bind_port(s, &any, 0);
        if (err)
            return err;
    }
    if (sock_listener_conflict(s))
        return -LINUX_EADDRINUSE;
    t->requests = stack_alloc(s->ns, TCP_REQ_HASH * sizeof(struct list));
    if (!t->requests)
        return -LINUX_ENOBUFS;
    for (unsigned i = 0; i < TCP_REQ_HASH; i++)
        list_init(&t->requests[i]);
    t->backlog = backlog;
    s->listening = true;
    tcp_set_state(t, TCPS_LISTEN);
    return 0;
}

int tcp_accept(struct ns_sock *s, struct ns_sock **out) {
    struct tcp *l = tcp_of(s);
    if (l->state != TCPS_LISTEN)
        return -LINUX_EINVAL;
    if (list_empty(&l->accept_queue))
        return -LINUX_EAGAIN;
    struct tcp *t = list_first(&l->accept_queue, struct tcp, accept_link);
    tcp_unqueue(t);
    t->s.user = true;
    *out = &t->s;
    return 0;
}

// Nobody listens any more: who waits is reset (RFC 9293 3.10.4).
void tcp_listen_stop(struct tcp *l) {
    while (!list_empty(&l->accept_queue)) {
        struct tcp *t = list_first(&l->accept_queue, struct tcp, accept_link);
        tcp_unqueue(t);
        if (t->state == TCPS_CLOSED)
            sock_kill(&t->s);
        else
            tcp_reset_peer(t, 0);
    }
    for (unsigned i = 0; i < TCP_REQ_HASH && l->requests; i++)
        while (!list_empty(&l->requests[i]))
            free_request(l, list_first(&l->requests[i], struct request, link));
    if (l->requests)
        stack_free(l->s.ns, l->requests, TCP_REQ_HASH * sizeof(struct list));
    l->requests = NULL;
    l->s.listening = false;
}
