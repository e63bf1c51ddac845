// SPDX-License-Identifier: Apache-2.0
// The small services of nstool: echo (RFC 862), discard (RFC 863), chargen (RFC 864) over TCP, echo over UDP,
// and a web page with what the stack holds and counts. Called by nstool_main.c's loop.
#include "abi/errno.h"
#include "netstack/tools/nstool.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF       65536
#define MAX_CONNS 4096

struct service {
    uint16_t port;
    enum ns_type type;
    void (*turn)(struct tool *tool, struct conn *c);
};

static void ready(void *arg, uint32_t mask) { ((struct conn *)arg)->ready |= mask; }

static struct conn *add(struct tool *tool, struct ns_sock *s, const struct service *service) {
    struct conn *c = tool->nconns < MAX_CONNS ? calloc(1, sizeof *c) : NULL;
    if (c && !(c->buf = malloc(BUF))) {
        free(c);
        c = NULL;
    }
    if (!c) {
        ns_close(s);
        return NULL;
    }
    c->s = s;
    c->service = service;
    c->ready = NS_IN | NS_OUT;
    c->next = tool->conns;
    tool->conns = c;
    tool->nconns++;
    ns_on_ready(s, ready, c);
    return c;
}

static void end(struct conn *c) {
    ns_close(c->s);
    c->s = NULL;
}

// Sends what is in the buffer; false: not all of it could go, or the connection ended.
static bool flush(struct conn *c) {
    struct ns_mem_io m;
    while (c->done < c->have) {
        int64_t n = ns_send(c->s, ns_io_from(&m, c->buf + c->done, c->have - c->done), 0, NULL);
        if (n < 0) {
            if (n != -LINUX_EAGAIN)
                end(c);
            return false;
        }
        c->done += (uint32_t)n;
        c->moved += (uint64_t)n;
    }
    c->done = c->have = 0;
    return true;
}

static void echo(struct tool *tool, struct conn *c) {
    struct ns_mem_io m;
    while (flush(c)) {
        int64_t n = ns_recv(c->s, ns_io_to(&m, c->buf, BUF), 0, NULL);
        if (n == -LINUX_EAGAIN)
            return;
        if (n <= 0) {
            end(c);
            return;
        }
        c->have = (uint32_t)n;
    }
}

static void discard(struct tool *tool, struct conn *c) {
    struct ns_mem_io m;
    int64_t n;
    while ((n = ns_recv(c->s, ns_io_to(&m, c->buf, BUF), 0, NULL)) > 0)
        c->moved += (uint64_t)n;
    if (n != -LINUX_EAGAIN)
        end(c);
}

// RFC 864: lines of 72 characters, each of which begins one character further.
static uint8_t pattern(uint32_t i) {
    uint32_t line = i / 74, column = i % 74;
    if (column == 72)
        return '\r';
    return column == 73 ? '\n' : (uint8_t)(' ' + (line + column) % 95);
}

// One buffer a turn: a link whose ACKs nobody reads meanwhile would lose them.
static void chargen(struct tool *tool, struct conn *c) {
    if (c->have == 0) {
        for (uint32_t i = 0; i < BUF; i++)
            c->buf[i] = pattern(i);
        c->have = BUF;
    }
    if (flush(c))
        c->ready |= NS_OUT;
}

static uint32_t page(struct tool *tool, char *to, uint32_t size) {
    uint32_t n = (uint32_t)snprintf(
        to, size, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n");
    struct netstack_usage u;
    netstack_usage(tool->ns, &u);
    n += (uint32_t)snprintf(to + n, size - n,
                            "usage_bytes %zu\nusage_packets %u\nusage_sockets %u\nusage_timers %u\n", u.bytes,
                            u.packets, u.sockets, u.timers);
    for (unsigned i = 0; netstack_stat_name(i) && n < size - 80; i++)
        n += (uint32_t)snprintf(to + n, size - n, "%s %llu\n", netstack_stat_name(i),
                                (unsigned long long)netstack_stat(tool->ns, netstack_stat_name(i)));
    return n;
}

static void http(struct tool *tool, struct conn *c) {
    struct ns_mem_io m;
    if (c->eof) {
        if (flush(c))
            end(c);
        return;
    }
    int64_t n = ns_recv(c->s, ns_io_to(&m, c->buf + c->have, BUF - 1 - c->have), 0, NULL);
    if (n == -LINUX_EAGAIN)
        return;
    if (n <= 0) {
        end(c);
        return;
    }
    c->have += (uint32_t)n;
    c->buf[c->have] = 0;
    if (!strstr((char *)c->buf, "\r\n\r\n"))
        return;
    c->have = page(tool, (char *)c->buf, BUF);
    c->eof = true;
    http(tool, c);
}

static void udp_echo(struct tool *tool, struct conn *c) {
    struct ns_mem_io m;
    struct ns_addr from;
    int64_t n;
    while ((n = ns_recv(c->s, ns_io_to(&m, c->buf, BUF), 0, &from)) >= 0)
        ns_send(c->s, ns_io_from(&m, c->buf, (size_t)n), 0, &from);
}

static const struct service services[] = {
    {7, NS_STREAM, echo},  {9, NS_STREAM, discard}, {19, NS_STREAM, chargen},
    {80, NS_STREAM, http}, {7, NS_DGRAM, udp_echo},
};

void tool_listen(struct tool *tool) {
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        struct ns_sock *s;
        struct ns_addr any = {.port = services[i].port};
        if (ns_socket(tool->ns, NS_INET6, services[i].type, &s) < 0 || ns_bind(s, &any) < 0 ||
            (services[i].type == NS_STREAM && ns_listen(s, 256) < 0))
            exit(2);
        struct conn *c = add(tool, s, &services[i]);
        if (c)
            c->listens = services[i].type == NS_STREAM;
    }
}

// Whether there is a new one: it is in front of the list, so its first turn is the next round's. Chargen
// speaks first, and nothing else may come in for long.
static bool accept_all(struct tool *tool, struct conn *l) {
    struct ns_sock *s;
    bool any = false;
    while (ns_accept(l->s, &s) == 0)
        any |= add(tool, s, l->service) != NULL;
    return any;
}

bool tool_serve(struct tool *tool) {
    bool more = false;
    for (struct conn **at = &tool->conns; *at;) {
        struct conn *c = *at;
        uint32_t mask = c->ready;
        c->ready = 0;
        if (mask && c->listens)
            more |= accept_all(tool, c);
        else if (mask)
            c->service->turn(tool, c);
        if (c->s) {
            at = &c->next;
            more |= c->ready != 0;
            continue;
        }
        // New connections are put in front, so `at` may no longer be what leads here.
        for (at = &tool->conns; *at != c; at = &(*at)->next)
            ;
        *at = c->next;
        tool->nconns--;
        free(c->buf);
        free(c);
    }
    return more;
}

void tool_close(struct tool *tool) {
    while (tool->conns) {
        struct conn *c = tool->conns;
        tool->conns = c->next;
        ns_close(c->s);
        free(c->buf);
        free(c);
    }
    tool->nconns = 0;
}
