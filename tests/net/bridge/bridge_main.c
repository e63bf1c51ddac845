// SPDX-License-Identifier: Apache-2.0
// harmbridge END END [option value]...     END: tap:NAME or veth:NAME (see bridge.h)
//   loss, dup, reorder, corrupt PERCENT (fractions too); delay, reorder-delay MS; rate BYTES/S; queue BYTES;
//   blackhole MTU; seed N
// Says "ready", carries frames both ways until SIGTERM, then prints its counters as JSON. Run by
// run_goodput.py.
#include "base/clock.h"
#include "tests/net/bridge/bridge.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 64 // frames of one end before the other has its turn

struct bridge {
    struct impairment how;
    int fd[2];
    struct direction way[2]; // way[i]: from fd[i] to the other
};

static volatile sig_atomic_t stop;
static void on_signal(int sig) {
    stop = 1;
}

static void usage(void) {
    fputs(
        "usage: harmbridge END END [loss|dup|reorder|corrupt PERCENT] [delay|reorder-delay MS] [rate BYTES]\n"
        "       [queue BYTES] [blackhole MTU] [seed N]...   END: tap:NAME or veth:NAME\n",
        stderr);
    exit(2);
}

// An option's value is given in a unit of which `scale` make one of ours, and is at most `most` of it.
#define OPTION(name, field, scale, most)                                                                     \
    { name, offsetof(struct impairment, field), scale, most }
static const struct option {
    const char *name;
    size_t at;
    double scale, most;
} options[] = {
    OPTION("loss", loss, PPM / 100, 100),
    OPTION("dup", dup, PPM / 100, 100),
    OPTION("reorder", reorder, PPM / 100, 100),
    OPTION("corrupt", corrupt, PPM / 100, 100),
    OPTION("delay", delay, 1e6, 60000),
    OPTION("reorder-delay", reorder_delay, 1e6, 60000),
    OPTION("rate", rate, 1, 1e12),
    OPTION("queue", queue, 1, 1e12),
    OPTION("blackhole", blackhole, 1, 65535),
    OPTION("seed", seed, 1, 1e15),
};

static void set(struct impairment *how, const char *name, const char *text) {
    char *end;
    double v = strtod(text, &end);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct option *o = &options[i];
        if (strcmp(name, o->name) != 0)
            continue;
        if (*end || end == text || !(v >= 0 && v <= o->most))
            usage();
        *(uint64_t *)((char *)how + o->at) = (uint64_t)(v * o->scale);
        return;
    }
    usage();
}

static void take_from(struct bridge *b, unsigned end) {
    static uint8_t frame[FRAME_MAX];
    for (unsigned i = 0; i < BATCH; i++) {
        ssize_t n = read(b->fd[end], frame, sizeof frame);
        if (n <= 0)
            return;
        direction_take(&b->way[end], mono_ns(), frame, (size_t)n);
    }
}

static void deliver(struct bridge *b, unsigned end) {
    struct direction *d = &b->way[end];
    uint64_t now = mono_ns();
    for (struct flying *f = direction_due(d, now); f; f = direction_due(d, now)) {
        if (write(b->fd[!end], f->data, f->len) < 0)
            d->stats.refused++;
        free(f);
    }
}

static void run(struct bridge *b) {
    while (!stop) {
        uint64_t now = mono_ns(), a = direction_next(&b->way[0]), c = direction_next(&b->way[1]);
        uint64_t next = a < c ? a : c, wait = next > now ? next - now : 0;
        if (wait > NS_PER_SEC)
            wait = NS_PER_SEC;
        struct timespec t = {(time_t)(wait / NS_PER_SEC), (long)(wait % NS_PER_SEC)};
        struct pollfd p[2] = {{.fd = b->fd[0], .events = POLLIN}, {.fd = b->fd[1], .events = POLLIN}};
        if (ppoll(p, 2, &t, NULL) < 0 && errno != EINTR)
            return;
        for (unsigned i = 0; i < 2; i++) {
            if (p[i].revents)
                take_from(b, i);
            deliver(b, i);
        }
    }
}

static void report(const struct bridge *b) {
    putchar('[');
    for (unsigned i = 0; i < 2; i++) {
        const struct bridge_stats *s = &b->way[i].stats;
        const struct {
            const char *name;
            uint64_t v;
        } all[] = {{"frames", s->frames},         {"bytes", s->bytes},           {"lost", s->lost},
                   {"overflowed", s->overflowed}, {"duplicated", s->duplicated}, {"reordered", s->reordered},
                   {"corrupted", s->corrupted},   {"blackholed", s->blackholed}, {"refused", s->refused}};
        fputs(i ? ", {" : "{", stdout);
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            printf("%s\"%s\": %llu", k ? ", " : "", all[k].name, (unsigned long long)all[k].v);
        putchar('}');
    }
    puts("]");
}

int main(int argc, char **argv) {
    static struct bridge b = {.how = {.queue = 1 << 20, .seed = 1}};
    if (argc < 3 || argc % 2 == 0)
        usage();
    for (int i = 3; i < argc; i += 2)
        set(&b.how, argv[i], argv[i + 1]);
    for (unsigned i = 0; i < 2; i++) {
        b.fd[i] = port_open(argv[1 + i]);
        if (b.fd[i] < 0) {
            fprintf(stderr, "harmbridge: %s: %s\n", argv[1 + i], strerror(-b.fd[i]));
            return 77;
        }
        direction_init(&b.way[i], &b.how, i);
    }
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    puts("ready");
    fflush(stdout);
    run(&b);
    report(&b);
    for (unsigned i = 0; i < 2; i++) {
        direction_drain(&b.way[i]);
        close(b.fd[i]);
    }
    return 0;
}
