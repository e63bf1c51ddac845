// SPDX-License-Identifier: Apache-2.0
// bridge END END [delay=MS] [loss=PPM] [dup=PPM] [reorder=PPM] [corrupt=PPM] [rate=BYTES] [queue=BYTES] [hole=BYTES] [seed=N]
// A wire between two ends, in real time, that loses, delays, doubles, reorders and corrupts frames. An end is a tap in a
// network namespace, NAME@/proc/PID/ns/net, or unix:PATH, where nstool connects. Frames have virtio-net headers in front
// and no offloads. For tests/net/run_impaired.py; the same wire is put between Linux and Linux, and Linux and netstack.
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEADER 10
#define FRAME  (HEADER + 14 + 9216)

struct frame {
    struct frame *next;
    uint64_t at;
    size_t len;
    uint8_t data[];
};
struct wire {
    int from, to;
    uint64_t random, free_at, last_at;
    struct frame *queue, *last;  // by time
};
static uint64_t delay, loss, dup_rate, reorder, corrupt, rate, limit = 1000000, hole, seed = 1;

static void die(const char *what) {
    perror(what);
    exit(2);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// ---- Ends --------------------------------------------------------------------------------------------------------
static int open_tap(const char *name, const char *ns) {
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int home = open("/proc/self/ns/net", O_RDONLY), there = open(ns, O_RDONLY), size = HEADER;
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
        die(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    snprintf(r.ifr_name, IFNAMSIZ, "%.15s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, 0ul) < 0)
        die(name);
    if (setns(home, CLONE_NEWNET) < 0)
        die("setns");
    close(home);
    close(there);
    return fd;
}

static int open_unix(const char *path) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), big = 8 << 20;
    unlink(path);
    if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof a) < 0 || listen(l, 1) < 0)
        die(path);
    puts("listening");
    fflush(stdout);
    int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    if (fd < 0)
        die("accept");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
    close(l);
    return fd;
}

static int open_end(char *text) {
    char *at = strchr(text, '@');
    if (strncmp(text, "unix:", 5) == 0)
        return open_unix(text + 5);
    if (!at) {
        fprintf(stderr, "bridge: what end is %s?\n", text);
        exit(2);
    }
    *at = 0;
    return open_tap(text, at + 1);
}

// ---- The wire ----------------------------------------------------------------------------------------------------
static uint64_t roll(struct wire *w) {
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return w->random * 2685821657736338717ull >> 11;
}
static bool chance(struct wire *w, uint64_t ppm) { return ppm && roll(w) % 1000000 < ppm; }

static uint64_t arrival(struct wire *w, size_t len, uint64_t now) {
    uint64_t start = w->free_at > now ? w->free_at : now;
    if (rate) {
        if ((start - now) * rate / 1000000000ull > limit)
            return 0;  // the queue is full
        w->free_at = start += len * 1000000000ull / rate;
    }
    if (chance(w, reorder))
        return start + delay + delay / 10;
    w->last_at = start + delay > w->last_at ? start + delay : w->last_at;
    return w->last_at;
}

static void launch(struct wire *w, const uint8_t *data, size_t len) {
    uint64_t at = arrival(w, len, now_ns());
    struct frame *f = at ? malloc(sizeof *f + len) : NULL, **place = &w->queue;
    if (!f)
        return;
    *f = (struct frame){NULL, at, len};
    memcpy(f->data, data, len);
    if (chance(w, corrupt))
        f->data[HEADER + roll(w) % (len - HEADER)] ^= (uint8_t)(1u << roll(w) % 8);
    if (w->last && w->last->at <= at)  // most go to the end
        place = &w->last->next;
    while (*place && (*place)->at <= at)
        place = &(*place)->next;
    f->next = *place;
    *place = f;
    if (!f->next)
        w->last = f;
}

static void take(struct wire *w) {
    uint8_t data[FRAME];
    for (unsigned i = 0; i < 64; i++) {
        ssize_t n = read(w->from, data, sizeof data);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            exit(0);  // the other side is done
        if (n < HEADER + 14)
            return;
        memset(data, 0, HEADER);
        if (chance(w, loss) || (hole && (size_t)n - HEADER - 14 > hole))
            continue;
        launch(w, data, (size_t)n);
        if (chance(w, dup_rate))
            launch(w, data, (size_t)n);
    }
}

static uint64_t deliver(struct wire *w) {
    while (w->queue && w->queue->at <= now_ns()) {
        struct frame *f = w->queue;
        w->queue = f->next;
        if (w->last == f)
            w->last = NULL;
        if (write(w->to, f->data, f->len) < 0 && errno == EPIPE)
            exit(0);
        free(f);
    }
    return w->queue ? w->queue->at : UINT64_MAX;
}

static void parse(const char *text) {
    static const struct {
        const char *name;
        uint64_t *v;
    } names[] = {{"delay", &delay},     {"loss", &loss},       {"dup", &dup_rate},
                 {"reorder", &reorder}, {"corrupt", &corrupt}, {"rate", &rate},
                 {"queue", &limit},     {"hole", &hole},       {"seed", &seed}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i].name);
        if (strncmp(text, names[i].name, n) == 0 && text[n] == '=') {
            *names[i].v = strtoull(text + n + 1, NULL, 10);
            return;
        }
    }
    fprintf(stderr, "bridge: what is %s?\n", text);
    exit(2);
}

int main(int argc, char **argv) {
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++)
        parse(argv[i]);
    delay *= 1000000;
    int a = open_end(argv[1]), b = open_end(argv[2]);
    struct wire there = {a, b, seed * 2 + 1, 0, 0, NULL, NULL}, back = {b, a, seed * 2 + 77, 0, 0, NULL, NULL};
    puts("ready");
    fflush(stdout);
    for (;;) {
        uint64_t x = deliver(&there), y = deliver(&back), next = x < y ? x : y, now = now_ns();
        struct timespec wait = {.tv_nsec = next <= now ? 0 : next - now > 100000000 ? 100000000 : (long)(next - now)};
        struct pollfd p[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
        if (ppoll(p, 2, &wait, NULL) > 0) {
            if (p[0].revents)
                take(&there);
            if (p[1].revents)
                take(&back);
        }
    }
}
