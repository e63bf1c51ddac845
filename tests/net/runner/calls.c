// SPDX-License-Identifier: Apache-2.0
// Socket calls and questions of packet scripts. See netpkt.h.
#include "abi/errno.h"
#include "netstack/core/addr.h"
#include "netstack/tcp/tcp.h"
#include "tests/net/runner/netpkt.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int v;
} errors[] = {
    {"EAGAIN", LINUX_EAGAIN},
    {"EINPROGRESS", LINUX_EINPROGRESS},
    {"ECONNREFUSED", LINUX_ECONNREFUSED},
    {"ECONNRESET", LINUX_ECONNRESET},
    {"ETIMEDOUT", LINUX_ETIMEDOUT},
    {"EPIPE", LINUX_EPIPE},
    {"EINVAL", LINUX_EINVAL},
    {"EADDRINUSE", LINUX_EADDRINUSE},
    {"EADDRNOTAVAIL", LINUX_EADDRNOTAVAIL},
    {"ENETUNREACH", LINUX_ENETUNREACH},
    {"EHOSTUNREACH", LINUX_EHOSTUNREACH},
    {"ENOTCONN", LINUX_ENOTCONN},
    {"EISCONN", LINUX_EISCONN},
    {"EALREADY", LINUX_EALREADY},
    {"EMSGSIZE", LINUX_EMSGSIZE},
    {"EACCES", LINUX_EACCES},
    {"EDESTADDRREQ", LINUX_EDESTADDRREQ},
    {"EOPNOTSUPP", LINUX_EOPNOTSUPP},
    {"EAFNOSUPPORT", LINUX_EAFNOSUPPORT},
    {"ENOBUFS", LINUX_ENOBUFS},
    {"ENOPROTOOPT", LINUX_ENOPROTOOPT},
    {"EPROTO", LINUX_EPROTO},
    {"EPERM", LINUX_EPERM},
    {"EEXIST", LINUX_EEXIST},
    {"ENOENT", LINUX_ENOENT},
    {"ENODEV", LINUX_ENODEV},
};

static int errno_of(const char *name) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (strcmp(errors[i].name, name) == 0)
            return errors[i].v;
    return 0;
}

static const char *errno_text(int64_t v) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].v == -v)
            return errors[i].name;
    return "";
}

// "... = VALUE" or "... = ENAME"; without it, `otherwise` (least it may be).
static void result(struct world *w, int64_t got, int64_t otherwise) {
    const char *text = NULL;
    for (unsigned i = 1; i + 1 < w->nwords; i++)
        if (strcmp(w->words[i], "=") == 0)
            text = w->words[i + 1];
    if (text && errno_of(text)) {
        if (got != -errno_of(text))
            fail(w, "result is %lld %s, not %s", (long long)got, errno_text(got), text);
    } else if (text) {
        if (got < 0)
            fail(w, "result is %lld %s, not %s", (long long)got, errno_text(got), text);
        compare(w, "result", text, (uint64_t)got);
    } else if (got < otherwise) {
        fail(w, "result is %lld %s", (long long)got, errno_text(got));
    }
}

static struct sock_var *sock_of(struct world *w, const char *name) {
    char full[32];
    if (name[0] && name[strlen(name) - 1] == '$') {  // "s$": s and the value of $i
        snprintf(full, sizeof full, "%.8s%llu", name, (unsigned long long)number(w, "$i"));
        *strchr(full, '$') = '_';
        name = full;
    }
    for (unsigned i = 0; i < w->nsocks; i++)
        if (strcmp(w->socks[i].name, name) == 0)
            return &w->socks[i];
    if (w->nsocks == MAX_SOCKS)
        fail(w, "too many sockets");
    struct sock_var *v = &w->socks[w->nsocks++];
    *v = (struct sock_var){0};
    snprintf(v->name, sizeof v->name, "%.15s", name);
    return v;
}

static struct sock_var *open_sock(struct world *w, unsigned at) {
    if (at >= w->nwords)
        fail(w, "which socket?");
    struct sock_var *v = sock_of(w, w->words[at]);
    if (!v->s)
        fail(w, "%s is not open", v->name);
    return v;
}

static const char *word(struct world *w, unsigned at) {
    if (at >= w->nwords)
        fail(w, "a word is missing");
    return w->words[at];
}

// 10.0.0.1:80, [fd00::1]:80, *:80 (any, of the socket's family)
static struct ns_addr addr_of(struct world *w, const struct sock_var *v, const char *text) {
    struct ns_addr a = {0};
    char copy[100];
    snprintf(copy, sizeof copy, "%s", text);
    char *colon = strrchr(copy, ':'), *ip = copy;
    if (!colon)
        fail(w, "no port: %s", text);
    *colon = 0;
    a.port = (uint16_t)number(w, colon + 1);
    if (*ip == '[') {
        ip++;
        ip[strlen(ip) - 1] = 0;
    }
    if (strcmp(ip, "*") == 0)
        ip = v->six ? "::" : "0.0.0.0";
    if (!ns_ip_parse(ip, &a.ip))
        fail(w, "not an address: %s", ip);
    return a;
}

static void woken(void *arg, uint32_t mask) { *(uint32_t *)arg |= mask; }

// ---- Calls ------------------------------------------------------------------------------------------------
static void do_socket(struct world *w, unsigned at) {
    struct sock_var *v = sock_of(w, word(w, at));
    const char *type = word(w, at + 1);
    need_link(w);
    if (v->s)
        fail(w, "%s is open", v->name);
    v->six = type[strlen(type) - 1] == '6';
    v->datagram = strncmp(type, "udp", 3) == 0;
    v->sent = v->received = v->woken = 0;
    int err;
    if (strncmp(type, "raw", 3) == 0) {
        v->datagram = true;
        err = ns_raw_socket(w->ns, v->six ? NS_INET6 : NS_INET, (uint8_t)number(w, word(w, at + 2)), &v->s);
    } else {
        err = ns_socket(w->ns, v->six ? NS_INET6 : NS_INET, v->datagram ? NS_DGRAM : NS_STREAM, &v->s);
    }
    result(w, err, 0);
    if (!err)
        ns_on_ready(v->s, woken, &v->woken);
}

static void do_accept(struct world *w, unsigned at) {
    struct sock_var *l = open_sock(w, at), *v = sock_of(w, word(w, at + 1));
    struct ns_sock *s = NULL;
    int err = ns_accept(l->s, &s);
    if (!err) {
        *v = (struct sock_var){.s = s, .six = l->six};
        snprintf(v->name, sizeof v->name, "%.15s", word(w, at + 1));
        ns_on_ready(s, woken, &v->woken);
    }
    result(w, err, 0);
}

static void do_send(struct world *w, unsigned at) {
    struct sock_var *v = open_sock(w, at);
    size_t n = number(w, word(w, at + 1));
    uint8_t *data = malloc(n ? n : 1);
    struct ns_mem_io m;
    struct ns_addr to;
    if (!data)
        abort();
    for (size_t i = 0; i < n; i++)
        data[i] = pattern((v->datagram ? 0 : v->sent) + (uint32_t)i);
    if (key(w, "to"))
        to = addr_of(w, v, key(w, "to"));
    if (key(w, "hex"))
        n = hex_bytes(w, key(w, "hex"), data, n);
    unsigned flags = (has(w, "more") ? NS_MSG_MORE : 0) | (has(w, "oob") ? NS_MSG_OOB : 0);
    int64_t got = ns_send(v->s, ns_io_from(&m, data, n), flags, key(w, "to") ? &to : NULL);
    free(data);
    v->sent += got > 0 ? (uint32_t)got : 0;
    result(w, got, (int64_t)n);
}

static void do_recv(struct world *w, unsigned at) {
    struct sock_var *v = open_sock(w, at);
    size_t n = number(w, word(w, at + 1));
    uint8_t *data = malloc(n ? n : 1);
    struct ns_mem_io m;
    struct ns_addr from = {0};
    unsigned flags = (has(w, "peek") ? NS_MSG_PEEK : 0) | (has(w, "oob") ? NS_MSG_OOB : 0) |
                     (has(w, "trunc") ? NS_MSG_TRUNC : 0);
    if (!data)
        abort();
    int64_t got = ns_recv(v->s, ns_io_to(&m, data, n), flags, &from);
    uint32_t start = v->datagram ? 0 : v->received;
    if (key(w, "at"))  // of a stream with urgent data: where it was
        start = (uint32_t)key_number(w, "at", 0);
    for (int64_t i = 0; i < got && i < (int64_t)n && !has(w, "other"); i++)
        if (data[i] != pattern(start + (uint32_t)i))
            fail(w, "byte %lld of what was received is wrong", (long long)i);
    free(data);
    if (!(flags & (NS_MSG_PEEK | NS_MSG_OOB)))
        v->received += got > 0 ? (uint32_t)got : 0;
    if (key(w, "from") && got >= 0) {
        struct ns_addr want = addr_of(w, v, key(w, "from"));
        if (!ip_eq(&want.ip, &from.ip) || want.port != from.port)
            fail(w, "from port %u", from.port);
    }
    result(w, got, (int64_t)n);
}

static void do_option(struct world *w, unsigned at) {
    static const struct {
        const char *name;
        enum ns_option option;
    } names[] = {
        {"reuseaddr", NS_OPT_REUSEADDR},
        {"broadcast", NS_OPT_BROADCAST},
        {"v6only", NS_OPT_V6ONLY},
        {"sndbuf", NS_OPT_SNDBUF},
        {"rcvbuf", NS_OPT_RCVBUF},
        {"ttl", NS_OPT_TTL},
        {"tos", NS_OPT_TOS},
        {"groupttl", NS_OPT_MULTICAST_TTL},
        {"grouploop", NS_OPT_MULTICAST_LOOP},
        {"groupall", NS_OPT_MULTICAST_ALL},
        {"dontfrag", NS_OPT_MTU_DISCOVER},
        {"oobinline", NS_OPT_OOBINLINE},
        {"keepalive", NS_OPT_KEEPALIVE},
        {"linger", NS_OPT_LINGER},
        {"nodelay", NS_OPT_TCP_NODELAY},
        {"cork", NS_OPT_TCP_CORK},
        {"quickack", NS_OPT_TCP_QUICKACK},
        {"maxseg", NS_OPT_TCP_MAXSEG},
        {"keepidle", NS_OPT_TCP_KEEPIDLE},
        {"keepintvl", NS_OPT_TCP_KEEPINTVL},
        {"keepcnt", NS_OPT_TCP_KEEPCNT},
        {"usertimeout", NS_OPT_TCP_USER_TIMEOUT},
        {"syncnt", NS_OPT_TCP_SYNCNT},
        {"congestion", NS_OPT_TCP_CONGESTION},
    };
    struct sock_var *v = open_sock(w, at);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, word(w, at + 1)) == 0) {
            result(w, ns_set_option(v->s, names[i].option, atoi(word(w, at + 2))), 0);
            return;
        }
    fail(w, "no option %s", w->words[at + 1]);
}

// ---- Questions --------------------------------------------------------------------------------------------
static void do_ready(struct world *w, unsigned at) {
    static const struct {
        const char *name;
        uint32_t bit;
    } bits[] = {{"in", NS_IN},   {"pri", NS_PRI}, {"out", NS_OUT},
                {"err", NS_ERR}, {"hup", NS_HUP}, {"rdhup", NS_RDHUP}};
    struct sock_var *v = open_sock(w, at);
    bool called = strcmp(w->words[at - 1], "woken") == 0;
    uint32_t got = called ? v->woken : ns_ready(v->s), want = 0;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        for (unsigned j = at + 1; j < w->nwords; j++)
            want |= strcmp(w->words[j], bits[i].name) == 0 ? bits[i].bit : 0;
    if (called ? (got & want) != want : got != want)
        fail(w, "%s is 0x%x, not 0x%x", called ? "woken by" : "ready", got, want);
    if (called)
        v->woken = 0;
}

// "info a cwnd=10000 state=ESTABLISHED"
static void do_info(struct world *w, unsigned at) {
    struct sock_var *v = open_sock(w, at);
    struct ns_tcp_info i;
    result(w, ns_tcp_info(v->s, &i), 0);
    const struct {
        const char *name;
        uint64_t v;
    } fields[] = {
        {"cwnd", i.cwnd},
        {"ssthresh", i.ssthresh},
        {"mss", i.mss},
        {"sndwnd", i.snd_wnd},
        {"rcvwnd", i.rcv_wnd},
        {"inflight", i.in_flight},
        {"unsent", i.unsent},
        {"rto", i.rto_ns / 1000000},
        {"srtt", i.srtt_ns / 1000000},
        {"retransmits", i.retransmits},
        {"recovery", i.recovery},
        {"sack", i.sack},
        {"ecn", i.ecn},
        {"sndscale", i.snd_wscale},
        {"rcvscale", i.rcv_wscale},
        {"ts", i.timestamps},
        {"reordering", i.reordering},
    };
    if (key(w, "state") && strcmp(key(w, "state"), tcp_state_name(i.state)) != 0)
        fail(w, "state is %s", tcp_state_name(i.state));
    for (size_t j = 0; j < sizeof fields / sizeof *fields; j++)
        if (key(w, fields[j].name))
            compare(w, fields[j].name, key(w, fields[j].name), fields[j].v);
}

// "stat NAME=VALUE ..."
static void do_stat(struct world *w, unsigned at) {
    for (; at < w->nwords; at++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(w->words[at], "="), w->words[at]);
        uint64_t v = netstack_stat(w->ns, name);
        if (v == UINT64_MAX || !key(w, name))
            fail(w, "no counter %s", name);
        compare(w, name, key(w, name), v);
    }
}

// "usage packets=0 sockets=<10": what the stack holds.
static void do_usage(struct world *w, unsigned at) {
    struct netstack_usage u;
    netstack_usage(w->ns, &u);
    const struct {
        const char *name;
        uint64_t v;
    } fields[] = {{"bytes", u.bytes},
                  {"packets", u.packets},
                  {"buffers", u.buffers},
                  {"sockets", u.sockets},
                  {"timers", u.timers}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (key(w, fields[i].name))
            compare(w, fields[i].name, key(w, fields[i].name), fields[i].v);
}

static void do_queued(struct world *w, unsigned at) {
    size_t in, out;
    ns_queued(open_sock(w, at)->s, &in, &out);
    compare(w, "in", key(w, "in") ? key(w, "in") : "0", in);
    compare(w, "out", key(w, "out") ? key(w, "out") : "0", out);
}

static void do_name(struct world *w, unsigned at, bool peer) {
    struct sock_var *v = open_sock(w, at);
    struct ns_addr a;
    result(w, peer ? ns_peer(v->s, &a) : ns_local(v->s, &a), 0);
    const char *text = word(w, at + 1);
    if (*text == '$') {
        compare(w, "port", text, a.port);
        return;
    }
    struct ns_addr want = addr_of(w, v, text);
    if (!ip_eq(&want.ip, &a.ip) || want.port != a.port)
        fail(w, "port is %u", a.port);
}

static void do_close(struct world *w, unsigned at) {
    struct sock_var *v = open_sock(w, at);
    struct ns_sock *s = v->s;
    v->s = NULL;
    ns_close(s);
}

// "join a IP [lo]", "leave a IP [lo]", "groupvia a [lo]"; without lo: by the routes for a join, the link for
// the others.
static void do_group(struct world *w, unsigned at) {
    struct sock_var *v = open_sock(w, at);
    const char *verb = w->words[at - 1];
    struct netif *nif = has(w, "lo") ? netstack_loopback(w->ns) : NULL;
    struct ns_ip ip;
    if (strcmp(verb, "groupvia") == 0) {
        result(w, ns_set_group_interface(v->s, nif ? nif : w->nif), 0);
        return;
    }
    if (!ns_ip_parse(word(w, at + 1), &ip))
        fail(w, "not an address");
    result(w, verb[0] == 'j' ? ns_join(v->s, &ip, nif) : ns_leave(v->s, &ip, nif), 0);
}

static void do_address(struct world *w, unsigned at, bool add) {
    struct ns_ip ip;
    need_link(w);
    if (!ns_ip_parse(word(w, at), &ip))
        fail(w, "not an address");
    result(w,
           add ? netif_add_address(w->nif, &ip, (unsigned)number(w, word(w, at + 1)))
               : netif_del_address(w->nif, &ip),
           0);
}

// "lifetime PREFIX preferred=N valid=N": of the address that was made of that prefix of 64 bits, and how many
// there are.
static void do_lifetime(struct world *w, unsigned at) {
    struct ns_netif_info info;
    struct ns_ip net;
    uint64_t found = 0;
    if (!ns_ip_parse(word(w, at), &net))
        fail(w, "not an address");
    for (unsigned i = 0; netstack_netif_info(w->ns, i, &info) == 0; i++)
        for (unsigned j = 0; j < info.naddrs; j++) {
            if (!info.addrs[j].automatic || memcmp(info.addrs[j].ip.b, net.b, 8) != 0)
                continue;
            found++;
            if (key(w, "preferred"))
                compare(w, "preferred", key(w, "preferred"), info.addrs[j].preferred);
            if (key(w, "valid"))
                compare(w, "valid", key(w, "valid"), info.addrs[j].valid);
        }
    compare(w, "addresses", key(w, "addresses") ? key(w, "addresses") : "1", found);
}

static void do_routes(struct world *w, unsigned at) {
    struct ns_route r;
    uint64_t n = 0;
    for (unsigned i = 0; netstack_route_at(w->ns, i, &r) == 0; i++)
        n += r.nif == w->nif;
    compare(w, "routes", word(w, at), n);
}

struct word_value {
    const char *word;
    int value;
};
static const struct word_value points[] = {{"pre", NS_PREROUTING}, {"in", NS_INPUT}, {"out", NS_OUTPUT}, {0}};
static const struct word_value verdicts[] = {
    {"accept", NS_ACCEPT}, {"drop", NS_DROP}, {"reject", NS_REJECT}, {0}};

static int value_of(struct world *w, const struct word_value *values, const char *text) {
    for (; values->word; values++)
        if (strcmp(values->word, text) == 0)
            return values->value;
    fail(w, "not one of the words: %s", text);
}

// "rule pre|in|out accept|drop|reject [established] [proto=N] [src=IP splen=N] [dst=IP dplen=N]
//  [dport=A last=B] [rate=N burst=N]"
static void do_rule(struct world *w, unsigned at) {
    struct ns_rule r = {.point = value_of(w, points, word(w, at))};
    r.verdict = value_of(w, verdicts, word(w, at + 1));
    r.established = has(w, "established");
    r.proto = (uint8_t)key_number(w, "proto", 0);
    r.src_prefix = (unsigned)key_number(w, "splen", 0);
    r.dst_prefix = (unsigned)key_number(w, "dplen", 0);
    r.dport[0] = (uint16_t)key_number(w, "dport", 0);
    r.dport[1] = (uint16_t)key_number(w, "last", r.dport[0]);
    r.rate = (uint32_t)key_number(w, "rate", 0);
    r.burst = (uint32_t)key_number(w, "burst", 0);
    if ((key(w, "src") && !ns_ip_parse(key(w, "src"), &r.src)) ||
        (key(w, "dst") && !ns_ip_parse(key(w, "dst"), &r.dst)))
        fail(w, "not an address");
    result(w, netstack_add_rule(w->ns, &r), 0);
}

bool do_call(struct world *w, unsigned first) {
    const char *verb = w->words[first];
    unsigned at = first + 1;
    struct ns_addr a;
    struct sock_var *v;
    if (strcmp(verb, "sock") == 0) {
        do_socket(w, at);
    } else if (strcmp(verb, "bind") == 0 || strcmp(verb, "connect") == 0) {
        v = open_sock(w, at);
        a = addr_of(w, v, word(w, at + 1));
        result(w, verb[0] == 'b' ? ns_bind(v->s, &a) : ns_connect(v->s, &a), 0);
    } else if (strcmp(verb, "listen") == 0) {
        result(w, ns_listen(open_sock(w, at)->s, (unsigned)number(w, word(w, at + 1))), 0);
    } else if (strcmp(verb, "accept") == 0) {
        do_accept(w, at);
    } else if (strcmp(verb, "send") == 0) {
        do_send(w, at);
    } else if (strcmp(verb, "recv") == 0) {
        do_recv(w, at);
    } else if (strcmp(verb, "shutdown") == 0) {
        const char *how = word(w, at + 1);
        result(w, ns_shutdown(open_sock(w, at)->s, strchr(how, 'r') && strcmp(how, "wr"), strchr(how, 'w')),
               0);
    } else if (strcmp(verb, "close") == 0) {
        do_close(w, at);
    } else if (strcmp(verb, "opt") == 0) {
        do_option(w, at);
    } else if (strcmp(verb, "ready") == 0 || strcmp(verb, "woken") == 0) {
        do_ready(w, at);
    } else if (strcmp(verb, "queued") == 0) {
        do_queued(w, at);
    } else if (strcmp(verb, "join") == 0 || strcmp(verb, "leave") == 0 || strcmp(verb, "groupvia") == 0) {
        do_group(w, at);
    } else if (strcmp(verb, "atmark") == 0) {
        result(w, ns_at_mark(open_sock(w, at)->s), 0);
    } else if (strcmp(verb, "rule") == 0) {
        do_rule(w, at);
    } else if (strcmp(verb, "lifetime") == 0) {
        do_lifetime(w, at);
    } else if (strcmp(verb, "routes") == 0) {
        do_routes(w, at);
    } else if (strcmp(verb, "norule") == 0) {
        result(w, netstack_del_rule(w->ns, (int)number(w, word(w, at))), 0);
    } else if (strcmp(verb, "hits") == 0) {
        result(w, netstack_rule_hits(w->ns, (int)number(w, word(w, at))), 0);
    } else if (strcmp(verb, "error") == 0) {
        int got = ns_take_error(open_sock(w, at)->s);
        if (got != errno_of(word(w, at + 1)))
            fail(w, "error is %d %s", got, errno_text(-got));
    } else if (strcmp(verb, "info") == 0) {
        do_info(w, at);
    } else if (strcmp(verb, "stat") == 0) {
        do_stat(w, at);
    } else if (strcmp(verb, "usage") == 0) {
        do_usage(w, at);
    } else if (strcmp(verb, "local") == 0 || strcmp(verb, "peer") == 0) {
        do_name(w, at, verb[0] == 'p');
    } else if (strcmp(verb, "address") == 0 || strcmp(verb, "noaddress") == 0) {
        do_address(w, at, verb[0] == 'a');
    } else {
        return false;
    }
    return true;
}

void close_all(struct world *w) {
    for (unsigned i = 0; i < w->nsocks; i++) {
        if (w->socks[i].s)
            ns_close(w->socks[i].s);
        w->socks[i].s = NULL;
    }
}
