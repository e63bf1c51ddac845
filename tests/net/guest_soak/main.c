// SPDX-License-Identifier: Apache-2.0
// Connections of a guest for long: net_soak SECONDS [CONNECTIONS [SEED]]. At any time that many are open over
// the loopback, IPv4 and IPv6; each sends a random number of bytes and gets them back, both compared, with
// random pauses, small and large pieces, then ends in order, by half-closing, or by a reset; datagrams go
// along. At the end all are closed, nothing waits in TIME-WAIT but what may, and one line says what was done.
// Run by run_guest_soak.py, natively too.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536

enum end { ORDERLY, HALF, RESET, ENDS };

// One end: a client sends `goal` bytes and reads as many; a server sends back what it reads.
struct conn {
    int fd;
    bool server, sent_all, used;
    enum end end;
    uint64_t sent, got, goal, pause_until;
    uint32_t key;        // of the pattern
    uint8_t held[4096];  // a server's bytes that are still to be sent back
    size_t from, to;
};

static uint64_t rng_state;
static uint32_t rng(void) {
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 16);
}

static uint64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void die(const char *what) {
    fprintf(stderr, "net_soak: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int ep, listeners[2];
static uint64_t connections, orderly, resets, bytes, datagrams;

static void watch(struct conn *c, int op) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(ep, op, c->fd, &e) < 0)
        die("epoll_ctl");
}

static uint8_t pattern(uint32_t key, uint64_t at) { return (uint8_t)(key + at * 131 + (at >> 9)); }

static void finish(struct conn *c, bool reset) {
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(c->fd);
    c->used = false;
}

static socklen_t address(int six, struct sockaddr_in6 *a) {
    *a = (struct sockaddr_in6){.sin6_family = six ? AF_INET6 : AF_INET};
    if (six)
        a->sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return six ? sizeof(*a) : sizeof(struct sockaddr_in);
}

static void begin(struct conn *c) {
    struct sockaddr_in6 a;
    int six = rng() & 1;
    socklen_t n = address(six, &a);
    *c = (struct conn){.used = true, .key = rng(), .end = rng() % ENDS};
    c->goal = rng() % 4 ? rng() % 20000 : rng() % 2000000;
    if (getsockname(listeners[six], (void *)&a, &n) < 0)
        die("getsockname");
    if ((c->fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0)
        die("socket");
    if (rng() % 3 == 0)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int));
    if (rng() % 3 == 0)
        setsockopt(c->fd, SOL_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(c->fd, (void *)&a, n) < 0 && errno != EINPROGRESS)
        die("connect");
    connections++;
    watch(c, EPOLL_CTL_ADD);
}

// Its turn: false when it is over.
static bool client(struct conn *c) {
    static uint8_t b[PIECE];
    size_t most = rng() % 8 ? 1 + rng() % 4096 : PIECE;
    ssize_t n;
    if (c->end == RESET && c->got > c->goal / 2) {
        resets++;
        finish(c, true);
        return false;
    }
    while (c->sent < c->goal && c->sent - c->got < 300000) {
        size_t k = c->goal - c->sent < most ? c->goal - c->sent : most;
        for (size_t i = 0; i < k; i++)
            b[i] = pattern(c->key, c->sent + i);
        if ((n = send(c->fd, b, k, MSG_NOSIGNAL)) < 0 && errno != EAGAIN && errno != ENOTCONN)
            die("send");
        if (n <= 0)
            break;
        c->sent += (uint64_t)n;
    }
    if (c->sent == c->goal && c->end == HALF && !c->sent_all) {
        if (shutdown(c->fd, SHUT_WR) < 0 && errno != ENOTCONN)
            die("shutdown");
        c->sent_all = true;
    }
    while ((n = recv(c->fd, b, most, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (b[i] != pattern(c->key, c->got + (uint64_t)i))
                die("other bytes came back");
        c->got += (uint64_t)n;
        bytes += (uint64_t)n;
    }
    if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
        die("recv");
    if (c->end == HALF ? n == 0 && c->got == c->goal : c->got == c->goal && c->sent == c->goal) {
        orderly++;
        finish(c, false);
        return false;
    }
    if (n == 0)
        die("it ended early");
    return true;
}

static void server(struct conn *c) {
    for (;;) {
        if (c->from == c->to) {
            ssize_t n = recv(c->fd, c->held, sizeof(c->held), 0);
            if (n < 0 && errno == EAGAIN)
                return;
            if (n <= 0) {  // the end, or a reset
                finish(c, false);
                free(c);
                return;
            }
            c->from = 0;
            c->to = (size_t)n;
        }
        ssize_t n = send(c->fd, c->held + c->from, c->to - c->from, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            finish(c, true);
            free(c);
            return;
        }
        c->from += (size_t)n;
    }
}

static void accept_all(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct conn *c = calloc(1, sizeof(*c));
        if (!c)
            die("memory");
        c->fd = fd;
        c->server = c->used = true;
        watch(c, EPOLL_CTL_ADD);
        server(c);
    }
    if (errno != EAGAIN)
        die("accept");
}

static void a_datagram(void) {
    struct sockaddr_in6 a;
    int six = rng() & 1, s[2];
    static uint8_t out[9000], in[9000];
    size_t len = rng() % sizeof(out);
    for (int i = 0; i < 2; i++) {
        socklen_t n = address(six, &a);
        s[i] = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
        if (s[i] < 0 || bind(s[i], (void *)&a, n) < 0)
            die("bind");
    }
    socklen_t n = sizeof(a);
    getsockname(s[1], (void *)&a, &n);
    memset(out, (int)rng(), len);
    if (sendto(s[0], out, len, 0, (void *)&a, n) != (ssize_t)len ||
        recv(s[1], in, sizeof(in), 0) != (ssize_t)len || memcmp(in, out, len))
        die("a datagram");
    close(s[0]);
    close(s[1]);
    datagrams++;
}

int main(int argc, char **argv) {
    uint64_t until = now_ms() + (uint64_t)(1000 * (argc > 1 ? atof(argv[1]) : 5));
    size_t most = argc > 2 ? (size_t)atoi(argv[2]) : 100;
    unsigned rounds = 0;
    struct conn *c = calloc(most, sizeof(*c));
    rng_state = argc > 3 ? strtoull(argv[3], NULL, 0) | 1 : 1;
    if (!c || (ep = epoll_create1(0)) < 0)
        die("epoll");
    for (int six = 0; six < 2; six++) {
        struct sockaddr_in6 a;
        socklen_t n = address(six, &a);
        listeners[six] = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &listeners[six]};
        if (bind(listeners[six], (void *)&a, n) < 0 || listen(listeners[six], 1000) < 0 ||
            epoll_ctl(ep, EPOLL_CTL_ADD, listeners[six], &e) < 0)
            die("listener");
    }
    for (bool left = true; left;) {
        struct epoll_event e[64];
        bool over = now_ms() >= until;
        uint64_t now = now_ms();
        left = !over;
        for (size_t i = 0; i < most; i++) {
            if (!c[i].used && !over && c[i].pause_until <= now)
                begin(&c[i]);
            left |= c[i].used;
        }
        int n = epoll_wait(ep, e, 64, 5);
        for (int i = 0; i < n; i++) {
            struct conn *k = e[i].data.ptr;
            if (e[i].data.ptr == &listeners[0] || e[i].data.ptr == &listeners[1])
                accept_all(*(int *)e[i].data.ptr);
            else if (k->server)
                server(k);
        }
        for (size_t i = 0; i < most; i++) {
            if (!c[i].used || c[i].pause_until > now)
                continue;
            if (!client(&c[i]) || rng() % 50 == 0)
                c[i].pause_until = now + rng() % 200;
        }
        if (rounds++ % 8 == 0)
            a_datagram();
        if (now > until + 60000)
            die("connections that do not end");
    }
    if (!orderly || !datagrams)
        die("too little was done");
    printf("connections %llu orderly %llu resets %llu bytes %llu datagrams %llu\n",
           (unsigned long long)connections, (unsigned long long)orderly, (unsigned long long)resets,
           (unsigned long long)bytes, (unsigned long long)datagrams);
    return 0;
}
