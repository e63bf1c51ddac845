// SPDX-License-Identifier: Apache-2.0
// Every option of every level, on sockets of each kind, with every length that could matter and some values:
// set, then asked for. A line for each option says what came of it, one answer for lengths in a row that have
// the same:
//   tcp4 SOL_IP 12 set=1: EINVAL*3 ok*13
// Natively (the oracle) it runs in namespaces of its own, so that nothing of the host can be hurt; see
// run_badinput.py.
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

static const socklen_t lengths[] = {0,  1,  2,  3,  4,  5,  7,   8,   11,  12,  15,
                                    16, 17, 20, 31, 32, 40, 132, 136, 144, 264, 300};
#define LENGTHS (sizeof(lengths) / sizeof(lengths[0]))
#define LONGEST 300

static const struct {
    const char *name;
    int level, names;
} levels[] = {
    {"SOL_SOCKET", SOL_SOCKET, 90}, {"SOL_IP", SOL_IP, 63},
    {"SOL_IPV6", SOL_IPV6, 82},     {"SOL_TCP", 6, 46},
    {"SOL_UDP", 17, 110},           {"SOL_RAW", 255, 8},
    {"SOL_ICMPV6", 58, 3},          {"SOL_NETLINK", 270, 14},
    {"SOL_PACKET", 263, 26},        {"nothing", 12345, 3},
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static const struct {
    const char *name;
    int family, type, protocol;
    enum { FRESH, BOUND, LISTENING, CONNECTED } state;
} kinds[] = {
    {"tcp4", AF_INET, SOCK_STREAM, 0, FRESH},
    {"tcp4listening", AF_INET, SOCK_STREAM, 0, LISTENING},
    {"tcp4connected", AF_INET, SOCK_STREAM, 0, CONNECTED},
    {"tcp6", AF_INET6, SOCK_STREAM, 0, FRESH},
    {"tcp6listening", AF_INET6, SOCK_STREAM, 0, LISTENING},
    {"tcp6connected", AF_INET6, SOCK_STREAM, 0, CONNECTED},
    {"udp4", AF_INET, SOCK_DGRAM, 0, FRESH},
    {"udp4connected", AF_INET, SOCK_DGRAM, 0, CONNECTED},
    {"udp6", AF_INET6, SOCK_DGRAM, 0, FRESH},
    {"udp6bound", AF_INET6, SOCK_DGRAM, 0, BOUND},
    {"udp6connected", AF_INET6, SOCK_DGRAM, 0, CONNECTED},
    {"raw4", AF_INET, SOCK_RAW, IPPROTO_ICMP, FRESH},
    {"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, FRESH},
    {"unix", AF_UNIX, SOCK_STREAM, 0, FRESH},
    {"unixdgram", AF_UNIX, SOCK_DGRAM, 0, FRESH},
    {"netlink", AF_NETLINK, SOCK_RAW, 0, FRESH},
    {"packet", AF_PACKET, SOCK_RAW, 0, FRESH},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

// Patterns to set: zeros, the number 1, all ones, and a number that is out of most ranges.
static const struct {
    const char *name;
    uint32_t first, rest;
} values[] = {{"0", 0, 0}, {"1", 1, 0}, {"-1", ~0u, ~0u}, {"70000", 70000, 0x20}};
#define VALUES (sizeof(values) / sizeof(values[0]))

static void check(long r, const char *what) {
    if (r >= 0)
        return;
    perror(what);
    exit(2);
}

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY);
    check(fd, path);
    check(write(fd, text, strlen(text)), path);
    close(fd);
}

static void own_world(void) {
    char map[2][32];
    snprintf(map[0], sizeof(map[0]), "0 %u 1", geteuid());
    snprintf(map[1], sizeof(map[1]), "0 %u 1", getegid());
    check(unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare");
    put("/proc/self/uid_map", map[0]);
    put("/proc/self/setgroups", "deny");
    put("/proc/self/gid_map", map[1]);
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    check(ioctl(s, SIOCSIFFLAGS, &r), "lo");
    close(s);
}

static socklen_t local(int family, struct sockaddr_in6 *a) {
    *a = (struct sockaddr_in6){.sin6_family = (sa_family_t)family};
    if (family == AF_INET6) {
        a->sin6_addr = in6addr_loopback;
        return sizeof(*a);
    }
    ((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof(struct sockaddr_in);
}

static int open_kind(size_t k, int server) {
    struct sockaddr_in6 a;
    socklen_t n = local(kinds[k].family, &a);
    int fd = socket(kinds[k].family, kinds[k].type | SOCK_NONBLOCK, kinds[k].protocol);
    check(fd, kinds[k].name);
    if (kinds[k].state == CONNECTED) {
        check(getsockname(server, (struct sockaddr *)&a, &n), "getsockname");
        if (connect(fd, (struct sockaddr *)&a, n) < 0 && errno != EINPROGRESS)
            check(-1, "connect");
    } else if (kinds[k].state != FRESH) {
        check(bind(fd, (struct sockaddr *)&a, n), "bind");
        if (kinds[k].state == LISTENING)
            check(listen(fd, 4), "listen");
    }
    return fd;
}

// What others of its kind connect to.
static int open_server(size_t k) {
    struct sockaddr_in6 a;
    socklen_t n = local(kinds[k].family, &a);
    if (kinds[k].state != CONNECTED)
        return -1;
    int fd = socket(kinds[k].family, kinds[k].type, 0);
    check(bind(fd, (struct sockaddr *)&a, n), "server");
    if (kinds[k].type == SOCK_STREAM)
        check(listen(fd, 4000), "listen");
    return fd;
}

// What makes Linux look for a module on the disk, each time: iptables and its kin, TCP_CONGESTION, TCP_ULP, a
// filter of the packet scheduler; and what would wait.
static bool is_left_out(int level, int name) {
    if (level == 6)
        return name == 13 || name == 31;
    if (level == SOL_SOCKET)
        return name == SO_LINGER;
    return (level == SOL_IP && name >= 64) || (level == SOL_IPV6 && name >= 64 && name <= 65);
}

struct answers {
    char last[32];
    unsigned times;
};
static void flush(struct answers *a) {
    if (a->times)
        printf(" %s*%u", a->last, a->times);
    a->times = 0;
}
static void add(struct answers *a, const char *what) {
    if (a->times && strcmp(a->last, what))
        flush(a);
    snprintf(a->last, sizeof(a->last), "%s", what);
    a->times++;
}

static void set_all(int fd, size_t k, size_t l, int name, size_t v) {
    struct answers a = {.times = 0};
    uint32_t value[LONGEST / 4];
    printf("%s %s %d set=%s:", kinds[k].name, levels[l].name, name, values[v].name);
    for (size_t i = 0; i < LONGEST / 4; i++)
        value[i] = i ? values[v].rest : values[v].first;
    for (size_t n = 0; n < LENGTHS; n++) {
        int r = setsockopt(fd, levels[l].level, name, value, lengths[n]);
        add(&a, r < 0 ? strerrorname_np(errno) : "ok");
    }
    flush(&a);
    puts("");
}

// With each length: the error, or how long the answer was.
static void get_all(int fd, size_t k, size_t l, int name) {
    struct answers a = {.times = 0};
    unsigned char value[LONGEST + 8];
    printf("%s %s %d get:", kinds[k].name, levels[l].name, name);
    for (size_t n = 0; n < LENGTHS; n++) {
        char text[32];
        socklen_t length = lengths[n];
        memset(value, 0xa5, sizeof(value));
        int r = getsockopt(fd, levels[l].level, name, value, &length);
        snprintf(text, sizeof(text), length == lengths[n] ? "all" : "%u", length);
        for (size_t i = lengths[n]; i < sizeof(value); i++)
            if (value[i] != 0xa5)
                snprintf(text, sizeof(text), "wrote-behind");
        add(&a, r < 0 ? strerrorname_np(errno) : text);
    }
    flush(&a);
    puts("");
}

// Linux waits long at the end of each packet socket: of levels that it has not one does for all options.
static bool keeps(size_t k, size_t l) {
    return kinds[k].family == AF_PACKET && levels[l].level != SOL_SOCKET && levels[l].level != SOL_PACKET;
}

// *kept: a socket that was used before and is used again, or -1.
static void one_option(size_t k, size_t l, int name, int server, int *kept) {
    int fd = *kept >= 0 ? *kept : open_kind(k, server);
    get_all(fd, k, l, name);
    for (size_t v = 0; v < VALUES; v++)
        set_all(fd, k, l, name, v);
    if (keeps(k, l)) {
        *kept = fd;
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(fd);
    for (int c; kinds[k].state == CONNECTED && kinds[k].type == SOCK_STREAM &&
                (c = accept4(server, 0, 0, 0)) >= 0;) {
        close(c);
        break;
    }
}

int main(int argc, char **argv) {
    own_world();
    for (size_t k = 0; k < KINDS; k++) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++)
            wanted |= !strcmp(argv[i], kinds[k].name);
        int server = wanted ? open_server(k) : -1;
        for (size_t l = 0; wanted && l < LEVELS; l++) {
            int kept = -1;
            for (int name = 0; name < levels[l].names; name++)
                if (!is_left_out(levels[l].level, name))
                    one_option(k, l, name, server, &kept);
            close(kept);
        }
        close(server);
    }
    return 0;
}
