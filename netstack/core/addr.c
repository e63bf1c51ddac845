// SPDX-License-Identifier: Apache-2.0
// See addr.h, and the address part of netstack.h: kinds of addresses, text to and fro. No locks, no state.
#include "netstack/core/addr.h"
#include <stdio.h>
#include <stdlib.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct ns_ip ns_ip4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
    return (struct ns_ip){{[10] = 0xff, 0xff, a, b, c, d}};
}
bool ns_ip_is4(const struct ns_ip *ip) { return memcmp(ip->b, mapped, sizeof mapped) == 0; }

bool ip_is_any(const struct ns_ip *ip) {
    static const uint8_t zero[16];
    return memcmp(ip->b, zero, 16) == 0 || (ns_ip_is4(ip) && ip_num4(ip) == 0);
}
bool ip_is_loopback(const struct ns_ip *ip) {
    static const struct ns_ip one = {.b[15] = 1};
    return ns_ip_is4(ip) ? ip->b[12] == 127 : ip_eq(ip, &one);
}
bool ip_is_multicast(const struct ns_ip *ip) {
    return ns_ip_is4(ip) ? ip->b[12] >> 4 == 14 : ip->b[0] == 0xff;
}
bool ip_is_linklocal(const struct ns_ip *ip) {
    return ns_ip_is4(ip) ? ip->b[12] == 169 && ip->b[13] == 254 : ip->b[0] == 0xfe && ip->b[1] >> 6 == 2;
}
bool ip_is_limited_broadcast(const struct ns_ip *ip) { return ns_ip_is4(ip) && ip_num4(ip) == UINT32_MAX; }

unsigned ip_common_bits(const struct ns_ip *a, const struct ns_ip *b) {
    for (unsigned i = 0; i < 16; i++)
        if (a->b[i] != b->b[i])
            return 8 * i + (unsigned)__builtin_clz((unsigned)(a->b[i] ^ b->b[i])) - 24;
    return 128;
}

bool ip_in_prefix(const struct ns_ip *ip, const struct ns_ip *net, unsigned prefix) {
    bool four = ns_ip_is4(net);
    if (ns_ip_is4(ip) != four)
        return false;
    return ip_common_bits(ip, net) >= prefix + (four ? 96 : 0);
}

struct ns_ip ip_solicited(const struct ns_ip *ip) {
    struct ns_ip s = {{0xff, 0x02, [11] = 1, [12] = 0xff}};
    memcpy(s.b + 13, ip->b + 13, 3);
    return s;
}

void ip_multicast_mac(const struct ns_ip *ip, uint8_t mac[6]) {
    if (ns_ip_is4(ip)) {
        const uint8_t four[6] = {1, 0, 0x5e, ip->b[13] & 0x7f, ip->b[14], ip->b[15]};
        memcpy(mac, four, 6);
    } else {
        mac[0] = mac[1] = 0x33;
        memcpy(mac + 2, ip->b + 12, 4);
    }
}

static bool parse4(const char *text, uint8_t out[4]) {
    for (unsigned i = 0; i < 4; i++) {
        if (*text < '0' || *text > '9')
            return false;
        char *end;
        unsigned long v = strtoul(text, &end, 10);
        if (v > 255 || end - text > 3 || *end != (i < 3 ? '.' : 0))
            return false;
        out[i] = (uint8_t)v;
        text = end + 1;
    }
    return true;
}

// Groups go to the front until "::", then to the back, which is moved into place at the end.
static bool parse6(const char *text, uint8_t out[16]) {
    uint8_t back[16];
    unsigned nfront = 0, nback = 0;
    bool gap = false;
    memset(out, 0, 16);
    if (text[0] == ':' && text[1] != ':')
        return false;
    while (*text) {
        if (text[0] == ':' && text[1] == ':') {
            if (gap)
                return false;
            gap = true;
            text += 2;
            continue;
        }
        if (text[0] == ':' && nfront + nback > 0 && text[1])
            text++;
        char *end;
        unsigned long v = strtoul(text, &end, 16);
        if (end == text || end - text > 4 || *text == '+' || *text == '-' || nfront + nback >= 16)
            return false;
        uint8_t *to = gap ? back + nback : out + nfront;
        put16(to, (uint16_t)v);
        *(gap ? &nback : &nfront) += 2;
        text = end;
        if (*text && *text != ':')
            return false;
    }
    if (gap ? nfront + nback > 14 : nfront != 16)
        return false;
    memcpy(out + 16 - nback, back, nback);
    return true;
}

bool ns_ip_parse(const char *text, struct ns_ip *ip) {
    memset(ip, 0, sizeof *ip);
    if (strchr(text, ':'))
        return parse6(text, ip->b);
    memcpy(ip->b, mapped, sizeof mapped);
    return parse4(text, ip->b + 12);
}

// RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::".
static void text6(const uint8_t *b, char *buf, size_t size) {
    int best = -1, best_len = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && get16(b + 2 * (i + n)) == 0)
            n++;
        if (n > best_len) {
            best = i;
            best_len = n;
        }
    }
    size_t at = 0;
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            at += (size_t)snprintf(buf + at, size - at, "::");
            i += best_len - 1;
            continue;
        }
        bool colon = i > 0 && i != best + best_len;
        at += (size_t)snprintf(buf + at, size - at, colon || (i > 0 && best < 0) ? ":%x" : "%x",
                               get16(b + 2 * i));
    }
}

const char *ns_ip_text(const struct ns_ip *ip, char buf[static NS_IP_TEXT]) {
    if (ns_ip_is4(ip))
        snprintf(buf, NS_IP_TEXT, "%u.%u.%u.%u", ip->b[12], ip->b[13], ip->b[14], ip->b[15]);
    else
        text6(ip->b, buf, NS_IP_TEXT);
    return buf;
}
