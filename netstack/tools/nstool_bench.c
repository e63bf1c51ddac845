// SPDX-License-Identifier: Apache-2.0
// "nstool bench": what the stack does in memory, over its loopback, without the host: bulk, request and
// response, connections made and closed, and the size of an idle connection. Figures go to stdout, one line
// each.
#include "abi/errno.h"
#include "base/clock.h"
#include "netstack/tools/nstool.h"
#include <stdio.h>
#include <stdlib.h>

static void must(int64_t v) {
    if (v < 0 && v != -LINUX_EINPROGRESS) {
        fprintf(stderr, "nstool: bench: error %lld\n", (long long)v);
        exit(2);
    }
}

static void connect_pair(struct netstack *ns, struct ns_sock *l, struct ns_sock **c, struct ns_sock **s) {
    struct ns_addr to = {ns_ip4(127, 0, 0, 1), 80};
    must(ns_socket(ns, NS_INET, NS_STREAM, c));
    must(ns_connect(*c, &to));
    must(ns_accept(l, s));
}

static double seconds_since(uint64_t start) { return (double)(mono_ns() - start) / 1e9; }

static void bulk(struct netstack *ns, struct ns_sock *l, uint64_t total) {
    static uint8_t out[262144], in[262144];
    struct ns_sock *c, *s;
    struct ns_mem_io m;
    connect_pair(ns, l, &c, &s);
    uint64_t start = mono_ns(), got = 0;
    while (got < total) {
        int64_t n = ns_send(c, ns_io_from(&m, out, sizeof out), 0, NULL);
        if (n != -LINUX_EAGAIN)
            must(n);
        while ((n = ns_recv(s, ns_io_to(&m, in, sizeof in), 0, NULL)) > 0)
            got += (uint64_t)n;
        netstack_poll(ns);
    }
    printf("bulk %.2f GB/s\n", (double)got / seconds_since(start) / 1e9);
    ns_close(c);
    ns_close(s);
}

static void request_response(struct netstack *ns, struct ns_sock *l, unsigned times) {
    struct ns_sock *c, *s;
    struct ns_mem_io m;
    char byte = 'x';
    connect_pair(ns, l, &c, &s);
    must(ns_set_option(c, NS_OPT_TCP_NODELAY, 1));
    must(ns_set_option(s, NS_OPT_TCP_NODELAY, 1));
    uint64_t start = mono_ns();
    for (unsigned i = 0; i < times; i++) {
        must(ns_send(c, ns_io_from(&m, &byte, 1), 0, NULL));
        must(ns_recv(s, ns_io_to(&m, &byte, 1), 0, NULL));
        must(ns_send(s, ns_io_from(&m, &byte, 1), 0, NULL));
        must(ns_recv(c, ns_io_to(&m, &byte, 1), 0, NULL));
    }
    printf("request_response %.3f us\n", seconds_since(start) * 1e6 / times);
    ns_close(c);
    ns_close(s);
}

static void connect_close(struct netstack *ns, struct ns_sock *l, unsigned times) {
    uint64_t start = mono_ns();
    for (unsigned i = 0; i < times; i++) {
        struct ns_sock *c, *s;
        connect_pair(ns, l, &c, &s);
        ns_close(c);
        ns_close(s);
        if (i % 64 == 0)
            netstack_poll(ns);
    }
    printf("connect_close %.0f /s\n", times / seconds_since(start));
}

static void idle(struct netstack *ns, struct ns_sock *l, unsigned n) {
    struct ns_sock **all = calloc(2 * (size_t)n, sizeof *all);
    struct netstack_usage before, after;
    if (!all)
        exit(2);
    netstack_usage(ns, &before);
    for (unsigned i = 0; i < n; i++)
        connect_pair(ns, l, &all[2 * i], &all[2 * i + 1]);
    netstack_usage(ns, &after);
    printf("idle_connection %zu bytes an end\n", (after.bytes - before.bytes) / (2 * n));
    for (unsigned i = 0; i < 2 * n; i++)
        ns_close(all[i]);
    free(all);
}

int bench_main(int argc, char **argv) {
    uint64_t scale = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    struct netstack *ns = tool_stack(512u << 20);
    struct ns_sock *l;
    struct ns_addr any = {ns_ip4(127, 0, 0, 1), 80};
    must(ns_socket(ns, NS_INET, NS_STREAM, &l));
    must(ns_bind(l, &any));
    must(ns_listen(l, 128));
    bulk(ns, l, scale * 4000000000ull);
    request_response(ns, l, (unsigned)scale * 500000);
    connect_close(ns, l, (unsigned)scale * 100000);
    idle(ns, l, 10000);
    ns_close(l);
    netstack_destroy(ns);
    return 0;
}
