// SPDX-License-Identifier: Apache-2.0
// See net.h: options, the capture file, and who does which mode.
#include "oci/net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// ---- Options ----------------------------------------------------------------------------------------------
static int bad(const char *option, const char *text, const char *why, struct error *e) {
    return error_set(e, "%s '%.64s': %s", option, text, why);
}

// ADDRESS or, with_prefix, ADDRESS/PREFIX.
static bool parse_addr(const char *text, bool with_prefix, struct sentry_addr *a) {
    char copy[64];
    if (strlen(text) >= sizeof copy)
        return false;
    strcpy(copy, text);
    char *slash = strchr(copy, '/');
    if (!slash != !with_prefix)
        return false;
    *a = (struct sentry_addr){0};
    if (slash)
        *slash++ = '\0';
    a->six = strchr(copy, ':') != NULL;
    a->prefix = a->six ? 128 : 32;
    if (inet_pton(a->six ? AF_INET6 : AF_INET, copy, a->bytes) != 1)
        return false;
    if (!slash)
        return true;
    char *end;
    unsigned long prefix = strtoul(slash, &end, 10);
    if (*slash < '0' || *slash > '9' || *end || prefix == 0 || prefix > a->prefix)
        return false;
    a->prefix = (uint8_t)prefix;
    return true;
}

static int parse_tap_word(struct net_options *o, const char *all, const char *word, struct error *e) {
    struct sentry_addr a;
    if (!strncmp(word, "address=", 8)) {
        if (o->naddrs == SENTRY_LINK_ADDRS)
            return bad("--net", all, "too many addresses", e);
        if (!parse_addr(word + 8, true, &o->addrs[o->naddrs]))
            return bad("--net", all, "address= wants an address and the length of its prefix, as 10.0.0.2/24",
                       e);
        o->naddrs++;
        return 0;
    }
    if (strncmp(word, "gateway=", 8) != 0)
        return bad("--net", all, "after tap:NAME there may be address= and gateway=", e);
    if (!parse_addr(word + 8, false, &a))
        return bad("--net", all, "gateway= wants an address", e);
    o->gateways[a.six] = a;
    return 0;
}

static int parse_tap(struct net_options *o, const char *text, struct error *e) {
    char copy[1024], *rest = copy;
    if (strlen(text) >= sizeof copy)
        return bad("--net", text, "too long", e);
    strcpy(copy, text);
    const char *name = strsep(&rest, ",") + strlen("tap:");
    if (!*name || strlen(name) >= sizeof o->tap || strchr(name, '/') || strchr(name, '%'))
        return bad("--net", text, "tap: wants the name of an interface", e);
    o->mode = NET_TAP;
    memset(o->tap, 0, sizeof o->tap);
    memcpy(o->tap, name, strlen(name));
    for (const char *word; (word = strsep(&rest, ","));)
        if (parse_tap_word(o, text, word, e) < 0)
            return -1;
    return 0;
}

int net_parse(struct net_options *o, const char *text, struct error *e) {
    o->naddrs = 0;
    memset(o->gateways, 0, sizeof o->gateways);
    if (!strncmp(text, "tap:", 4))
        return parse_tap(o, text, e);
    if (!strcmp(text, "none"))
        o->mode = NET_NONE;
    else if (!strcmp(text, "veth"))
        o->mode = NET_VETH;
    else
        return bad("--net", text, "is not none, tap:NAME or veth", e);
    return 0;
}

// A whole number and one of the units; the product, 0: neither.
static uint64_t with_unit(const char *text, const char *const *units, const uint64_t *factors) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno)
        return 0;
    for (; *units; units++, factors++)
        if (!strcmp(end, *units))
            return n > UINT64_MAX / *factors ? 0 : n * *factors;
    return 0;
}

int net_parse_rate(uint64_t *rate, const char *option, const char *text, struct error *e) {
    static const char *const units[] = {"bit", "kbit", "mbit", "gbit", NULL};
    static const uint64_t factors[] = {1, 1000, 1000000, 1000000000};
    uint64_t bits = with_unit(text, units, factors);
    if (bits < 8000 || bits > UINT64_C(400000000000))
        return bad(option, text, "is not a rate from 8kbit to 400gbit, as 100mbit", e);
    *rate = bits / 8;
    return 0;
}

int net_parse_size(uint64_t *size, const char *option, const char *text, struct error *e) {
    static const char *const units[] = {"", "K", "M", "G", NULL};
    static const uint64_t factors[] = {1, 1 << 10, 1 << 20, 1 << 30};
    *size = with_unit(text, units, factors);
    return *size >= 1024 ? 0 : bad(option, text, "is not a size from 1K on, as 64M", e);
}

int net_parse_words(struct net_options *o, const struct net_words *w, struct error *e) {
    *o = (struct net_options){.capture = w->pcap};
    if (w->net && net_parse(o, w->net, e) < 0)
        return -1;
    if (w->rx_rate && net_parse_rate(&o->rx_rate, "--net-rx-rate", w->rx_rate, e) < 0)
        return -1;
    if (w->tx_rate && net_parse_rate(&o->tx_rate, "--net-tx-rate", w->tx_rate, e) < 0)
        return -1;
    if (w->pcap_size && net_parse_size(&o->capture_max, "--pcap-size", w->pcap_size, e) < 0)
        return -1;
    if (o->mode == NET_NONE && (o->rx_rate || o->tx_rate || o->capture))
        return error_set(e, "--pcap and rates are for --net tap:NAME or veth");
    return 0;
}

// ---- Opening ----------------------------------------------------------------------------------------------
static int open_capture(const struct net_options *o, struct net *n, struct error *e) {
    if (!o->capture || n->net.nlinks == 0)
        return 0;
    int fd = open(o->capture, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0)
        return error_errno(e, errno, "--pcap %s", o->capture);
    n->net.capture_max = o->capture_max ? o->capture_max : NET_CAPTURE_MAX;
    n->fds[n->net.nlinks] = fd;
    return 0;
}

int net_open(const struct net_options *o, struct net *n, struct error *e) {
    memset(n, 0, sizeof *n);
    for (unsigned i = 0; i < SENTRY_NET_FDS; i++)
        n->fds[i] = -1;
    n->net.rx_rate = o->rx_rate;
    n->net.tx_rate = o->tx_rate;
    int err = 0;
    if (o->mode == NET_TAP)
        err = net_open_tap(o, n, e);
    else if (o->mode == NET_VETH)
        err = net_take_over(n, e);
    if (err == 0)
        err = open_capture(o, n, e);
    if (err < 0) {
        net_close(n);
        net_give_back(n);
    }
    return err;
}

void net_close(struct net *n) {
    for (unsigned i = 0; i < SENTRY_NET_FDS; i++)
        if (n->fds[i] >= 0) {
            close(n->fds[i]);
            n->fds[i] = -1;
        }
}
