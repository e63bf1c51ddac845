// SPDX-License-Identifier: Apache-2.0
// nstool: the stack on an interface of the host (LINK: a tap's name, veth:NAME, or unix:PATH), or measured in
// memory.
//   nstool serve LINK ADDRESS/PREFIX... [options]    echo, discard, chargen, web page; until SIGTERM
//   nstool send LINK ADDRESS/PREFIX... to HOST PORT BYTES|stdin [options]   connects, sends; says the rate
//   nstool recv LINK ADDRESS/PREFIX... to HOST PORT [stdout] [options]      connects, reads until the end
//   nstool bench [SCALE]
//   nstool packets PATH N               N packets along one path, for tests/net/instructions.py
// options: mtu N, nooffload, reno, gw ADDRESS
// stdin, stdout: what is sent comes from there, what is received goes there; the rate is then printed on
// stderr.
#include "abi/errno.h"
#include "base/clock.h"
#include "netstack/tools/nstool.h"
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct tool tool;

static uint64_t clock_now(void *arg) { return mono_ns(); }
static void get_random(void *arg, void *buf, size_t n) { random_bytes(buf, n); }

// Buffers come and go by the megabyte with the window: memory that free() hands back to the host each time is
// faulted in again each time, which costs more than TCP does.
static void keep_memory(void) {
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
    mallopt(M_TOP_PAD, 16 << 20);
}

struct netstack *tool_stack(size_t budget) {
    keep_memory();
    struct netstack_config c = {clock_now, get_random, NULL, budget};
    struct netstack *ns;
    if (netstack_create(&c, &ns) < 0)
        exit(2);
    return ns;
}

static void usage(void) {
    fputs("usage: nstool serve|send|recv LINK ADDRESS/PREFIX... [to HOST PORT [BYTES]] [stdin|stdout] "
          "[mtu N] [nooffload] [reno]\n"
          "              [gw ADDRESS]\n"
          "       nstool bench [SCALE]\n"
          "       nstool packets PATH N\n",
          stderr);
    exit(2);
}

static void on_signal(int sig) { tool.stop = true; }

// Who is told of each frame by a wake-up makes its sender pay for it: so soon after the last frame we look
// instead. What comes from a sender that waits for our core is not seen by looking: after a look in vain we
// sleep for a while.
#define LOOK_NS  50000
#define SLEEP_NS 1000000

// For poll(2): milliseconds until then, rounded up; a second at most.
static int wait_until(uint64_t now, uint64_t next) {
    if (next <= now)
        return 0;
    return next - now > 1000000000ull ? 1000 : (int)((next - now + 999999) / 1000000);
}

void tool_turn(struct tool *t, uint64_t until) {
    uint64_t next = netstack_deadline(t->ns), now = mono_ns();
    next = next < until ? next : until;
    struct pollfd p = {.fd = t->tap.fd, .events = POLLIN};
    bool soon = now - t->last_frame < LOOK_NS;
    if (t->looks && !soon)
        t->look_from = now + SLEEP_NS;
    bool looks = t->looks = soon && now >= t->look_from;
    if ((looks || poll(&p, 1, wait_until(now, next)) > 0) && tap_input(&t->tap) > 0)
        t->last_frame = mono_ns();
    netstack_poll(t->ns);
}

struct options {
    const char *host;
    uint16_t port;
    uint64_t bytes;
    uint32_t mtu;
    bool nooffload, reno;
    bool piped;  // stdin or stdout
    struct ns_ip gw;
};

static struct ns_ip address(const char *text) {
    struct ns_ip ip;
    if (!ns_ip_parse(text, &ip))
        usage();
    return ip;
}

static void parse(int argc, char **argv, struct options *o) {
    *o = (struct options){.mtu = 1500};
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "to") == 0 && i + 2 < argc) {
            o->host = argv[i + 1];
            o->port = (uint16_t)atoi(argv[i + 2]);
            i += 2;
            if (i + 1 < argc && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9' && !strchr(argv[i + 1], '/'))
                o->bytes = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "mtu") == 0 && i + 1 < argc) {
            o->mtu = (uint32_t)atoi(argv[++i]);
        } else if (strcmp(argv[i], "gw") == 0 && i + 1 < argc) {
            o->gw = address(argv[++i]);
        } else if (strcmp(argv[i], "nooffload") == 0) {
            o->nooffload = true;
        } else if (strcmp(argv[i], "reno") == 0) {
            o->reno = true;
        } else if (strcmp(argv[i], "stdin") == 0 || strcmp(argv[i], "stdout") == 0) {
            o->piped = true;
        } else if (!strchr(argv[i], '/')) {
            usage();
        }
    }
}

static void add_addresses(int argc, char **argv) {
    for (int i = 3; i < argc; i++) {
        char copy[64];
        char *slash = strchr(argv[i], '/');
        if (!slash)
            continue;
        snprintf(copy, sizeof copy, "%.*s", (int)(slash - argv[i]), argv[i]);
        struct ns_ip ip = address(copy);
        int err = netif_add_address(tool.tap.nif, &ip, (unsigned)atoi(slash + 1));
        if (err) {
            fprintf(stderr, "nstool: %s: error %d\n", argv[i], -err);
            exit(2);
        }
    }
}

// What is on its way between the user's side (a pipe, or memory that nobody looks at) and the socket.
struct pump {
    const struct options *o;
    struct ns_sock *s;
    uint8_t buf[262144];
    uint32_t have, done;  // of buf, to be sent
    uint64_t moved;
    bool ended;           // nothing more to send
};

// Fills buf. A pipe is read as it comes: who feeds it is quicker than the network, or is waited for.
static void refill(struct pump *p) {
    uint64_t left = p->o->bytes - p->moved;
    ssize_t n = left < sizeof p->buf ? (ssize_t)left : (ssize_t)sizeof p->buf;
    if (p->o->piped)
        n = read(STDIN_FILENO, p->buf, sizeof p->buf);
    p->done = 0;
    p->have = n > 0 ? (uint32_t)n : 0;
    p->ended = n <= 0;
    if (p->ended)
        ns_shutdown(p->s, false, true);
}

static int64_t pump_out(struct pump *p) {
    struct ns_mem_io m;
    if (p->done == p->have && !p->ended)
        refill(p);
    if (p->ended)
        return ns_recv(p->s, ns_io_to(&m, p->buf, sizeof p->buf), 0, NULL);
    int64_t n = ns_send(p->s, ns_io_from(&m, p->buf + p->done, p->have - p->done), 0, NULL);
    p->done += n > 0 ? (uint32_t)n : 0;
    p->moved += n > 0 ? (uint64_t)n : 0;
    return n;
}

static int64_t pump_in(struct pump *p) {
    struct ns_mem_io m;
    int64_t n = ns_recv(p->s, ns_io_to(&m, p->buf, sizeof p->buf), 0, NULL);
    for (int64_t at = 0; p->o->piped && at < n;) {
        ssize_t wrote = write(STDOUT_FILENO, p->buf + at, (size_t)(n - at));
        if (wrote <= 0)
            return -LINUX_EPIPE;
        at += wrote;
    }
    p->moved += n > 0 ? (uint64_t)n : 0;
    return n;
}

static void print_rate(const struct pump *p, double took, int64_t n) {
    struct ns_tcp_info info;
    ns_tcp_info(p->s, &info);
    fprintf(p->o->piped ? stderr : stdout,
            "%llu bytes in %.3f s, %.1f MB/s, %llu retransmitted, cwnd %u, rtt %.1f ms, result %lld\n",
            (unsigned long long)p->moved, took, (double)p->moved / took / 1e6,
            (unsigned long long)info.retransmits, info.cwnd, (double)info.srtt_ns / 1e6, (long long)n);
}

// Sends what there is, or reads until the end.
static int transfer(const struct options *o, bool sends) {
    static struct pump p;
    struct ns_addr to = {address(o->host), o->port};
    uint64_t start = mono_ns();
    p.o = o;
    int64_t n = ns_socket(tool.ns, ns_ip_is4(&to.ip) ? NS_INET : NS_INET6, NS_STREAM, &p.s);
    if (n == 0 && o->reno)
        n = ns_set_option(p.s, NS_OPT_TCP_CONGESTION, NS_RENO);
    if (n == 0)
        n = ns_connect(p.s, &to);
    while (!tool.stop && (n == -LINUX_EINPROGRESS || n == -LINUX_EAGAIN || n > 0)) {
        tool_turn(&tool, n > 0 ? 0 : UINT64_MAX);  // who moved something may move more at once
        while ((n = sends ? pump_out(&p) : pump_in(&p)) > 0 && !sends)
            ;
    }
    print_rate(&p, (double)(mono_ns() - start) / 1e9, n);
    ns_close(p.s);
    struct netstack_usage left;
    for (uint64_t end = mono_ns() + 200000000ull;
         mono_ns() < end && (netstack_usage(tool.ns, &left), left.sockets);)
        tool_turn(&tool, end);
    return n != 0 || (sends && !o->piped && p.moved != o->bytes);
}

static int serve(void) {
    tool_listen(&tool);
    puts("ready");
    fflush(stdout);
    bool more = false;
    while (!tool.stop) {
        tool_turn(&tool, more ? 0 : UINT64_MAX);
        more = tool_serve(&tool);
    }
    tool_close(&tool);
    return 0;
}

int main(int argc, char **argv) {
    struct options o;
    if (argc >= 2 && strcmp(argv[1], "bench") == 0)
        return bench_main(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "packets") == 0)
        return packets_main(argc - 1, argv + 1);
    if (argc < 4)
        usage();
    parse(argc, argv, &o);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);  // the reader of our output has seen enough: an end like any other
    tool.ns = tool_stack(0);
    int err = tap_open(&tool.tap, tool.ns, argv[2], o.mtu, !o.nooffload);
    if (err) {
        fprintf(stderr, "nstool: %s: error %d\n", argv[2], -err);
        return 77;
    }
    add_addresses(argc, argv);
    struct ns_route def = {.gateway = o.gw,
                           .nif = tool.tap.nif,
                           .dst = ns_ip_is4(&o.gw) ? ns_ip4(0, 0, 0, 0) : (struct ns_ip){{0}}};
    if (memcmp(&o.gw, &(struct ns_ip){{0}}, sizeof o.gw) != 0)
        netstack_add_route(tool.ns, &def);
    int status = 2;
    if (strcmp(argv[1], "serve") == 0)
        status = serve();
    else if (o.host && (strcmp(argv[1], "send") == 0 || strcmp(argv[1], "recv") == 0))
        status = transfer(&o, argv[1][0] == 's');
    else
        usage();
    tap_close(&tool.tap);
    netstack_destroy(tool.ns);  // panics when anything is left
    return status;
}
