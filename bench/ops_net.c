// SPDX-License-Identifier: Apache-2.0
// Sockets over the loopback: requests and answers of a byte, bulk, connections, and many that are idle.
#include "micro.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUN_NS  3e8
#define BULK    65536
#define ACCEPTS 8      // threads that accept
#define IDLE    10000  // connections that say nothing

// ---- Sockets ----------------------------------------------------------------------------------------------
static struct sockaddr_in at(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}
static uint16_t port_of(int fd) {
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    check(getsockname(fd, (void *)&a, &n) == 0, "getsockname");
    return ntohs(a.sin_port);
}
static int bound(int type) {
    struct sockaddr_in a = at(0);
    int fd = socket(AF_INET, type, 0);
    check(fd >= 0 && bind(fd, (void *)&a, sizeof a) == 0, "bind");
    return fd;
}
static int listener(void) {
    int fd = bound(SOCK_STREAM);
    check(listen(fd, 4096) == 0, "listen");
    return fd;
}
static int connected(int type, uint16_t port) {
    struct sockaddr_in a = at(port);
    int fd = type == SOCK_DGRAM ? bound(type) : socket(AF_INET, type, 0), one = 1;
    check(fd >= 0 && connect(fd, (void *)&a, sizeof a) == 0, "connect");
    if (type == SOCK_STREAM)
        check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "TCP_NODELAY");
    return fd;
}
static void pair(int type, int s[2]) {
    if (type == SOCK_DGRAM) {
        s[0] = bound(type);
        s[1] = connected(type, port_of(s[0]));
        struct sockaddr_in a = at(port_of(s[1]));
        check(connect(s[0], (void *)&a, sizeof a) == 0, "connect");
        return;
    }
    int l = listener(), one = 1;
    s[0] = connected(type, port_of(l));
    s[1] = accept(l, NULL, NULL);
    check(s[1] >= 0 && setsockopt(s[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "accept");
    close(l);
}

// ---- A byte there and back --------------------------------------------------------------------------------
static int ends[2];
static char byte;

static void *echo(void *unused) {
    while (read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1)
        ;
    return NULL;
}
static void by_process(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(ends[0]);
        echo(NULL);
        _exit(0);
    }
    close(ends[1]);
}
static void by_thread(void) {
    pthread_t t;
    check(pthread_create(&t, NULL, echo, NULL) == 0, "thread");
}
static void make_tcp(void) {
    pair(SOCK_STREAM, ends);
    by_process();
}
static void make_udp(void) {
    pair(SOCK_DGRAM, ends);
    // No end is told of: the echo goes with its parent.
    by_thread();
}
static void make_tcp_threads(void) {
    pair(SOCK_STREAM, ends);
    by_thread();
}
static void make_unix_threads(void) {
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    by_thread();
}
static void op_rr(void) {
    char c = 0;
    check(write(ends[0], &c, 1) == 1 && read(ends[0], &c, 1) == 1, "a byte there and back");
}

// ---- Bulk: ns for 64 KiB that another process has read ----------------------------------------------------
static double bulk(void) {
    static char data[BULK];
    int s[2], done[2];
    uint64_t all = 0;
    pair(SOCK_STREAM, s);
    check(pipe(done) == 0, "pipe");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(s[0]);
        for (ssize_t n; (n = read(s[1], data, sizeof data)) > 0;)
            all += (uint64_t)n;
        check(write(done[1], &all, sizeof all) == sizeof all, "write");
        _exit(0);
    }
    close(s[1]);
    double begin = now();
    do
        check(write(s[0], data, sizeof data) == sizeof data, "write");
    while (now() - begin < RUN_NS);
    close(s[0]);
    check(read(done[0], &all, sizeof all) == sizeof all && all >= BULK, "what was read");
    return (now() - begin) / ((double)all / BULK);
}

// ---- Connections ------------------------------------------------------------------------------------------
static int server;
static uint16_t server_port;

static void *accept_and_close(void *unused) {
    for (int fd; (fd = accept(server, NULL, NULL)) >= 0;)
        close(fd);
    return NULL;
}
static void make_server(void) {
    pthread_t t;
    server = listener();
    server_port = port_of(server);
    check(pthread_create(&t, NULL, accept_and_close, NULL) == 0, "thread");
}
// The client resets, so that ports are not used up by those that wait (TIME-WAIT).
static void connect_and_close(void) {
    struct linger l = {1, 0};
    int fd = connected(SOCK_STREAM, server_port);
    check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l) == 0 && close(fd) == 0, "close");
}

static atomic_uint accepted;
static void *accept_all(void *unused) {
    for (int fd; (fd = accept(server, NULL, NULL)) >= 0; close(fd))
        atomic_fetch_add(&accepted, 1);
    return NULL;
}
// ns for each connection that one of eight threads accepted, while two connect.
static atomic_int over;
static void *connect_all(void *unused) {
    while (!atomic_load(&over))
        connect_and_close();
    return NULL;
}
static double accepts(void) {
    pthread_t t[2], acceptor;
    server = listener();
    server_port = port_of(server);
    for (int i = 0; i < ACCEPTS; i++)
        check(pthread_create(&acceptor, NULL, accept_all, NULL) == 0, "thread");
    double begin = now();
    for (int i = 0; i < 2; i++)
        check(pthread_create(&t[i], NULL, connect_all, NULL) == 0, "thread");
    while (now() - begin < RUN_NS)
        usleep(10000);
    double spent = now() - begin;
    unsigned n = atomic_load(&accepted);
    atomic_store(&over, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    check(n > 0, "nothing was accepted");
    return spent / n;
}

// ---- Many that are idle -----------------------------------------------------------------------------------
static int poller;

// The other ends are a child's, who goes with its parent: each of both needs half of the descriptors.
static void hold(int n) {
    struct rlimit most;
    int alive[2], l = listener();
    check(getrlimit(RLIMIT_NOFILE, &most) == 0, "RLIMIT_NOFILE");
    most.rlim_cur = most.rlim_max;
    check(most.rlim_max > (rlim_t)n + 64 && setrlimit(RLIMIT_NOFILE, &most) == 0, "descriptors enough");
    check(pipe(alive) == 0, "pipe");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(alive[1]);
        for (int i = 1; i < n; i++)
            connected(SOCK_STREAM, port_of(l));
        close(l);
        _exit((int)read(alive[0], &byte, 1));
    }
    close(alive[0]);
    poller = epoll_create1(0);
    check(poller >= 0, "epoll");
    for (int i = 0; i < n; i++) {
        if (i == n - 1)
            ends[0] = connected(SOCK_STREAM, port_of(l));
        int fd = ends[1] = accept(l, NULL, NULL);
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        check(fd >= 0 && epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) == 0, "a connection");
    }
    close(l);
}
static void make_idle(void) { hold(IDLE); }
// Of them one says something, and is found.
static void op_idle(void) {
    struct epoll_event e;
    char c = 0;
    check(write(ends[0], &c, 1) == 1 && epoll_wait(poller, &e, 1, -1) == 1, "epoll_wait");
    check(e.data.fd == ends[1] && read(ends[1], &c, 1) == 1, "the one that spoke");
}
// For who measures memory: says so when all stand, and stays until its input ends.
static double stay(void) {
    make_idle();
    check(write(1, "ready\n", 6) == 6, "write");
    while (read(0, &byte, 1) > 0)
        ;
    return 0;
}
static double stay_without(void) {
    check(write(1, "ready\n", 6) == 6, "write");
    while (read(0, &byte, 1) > 0)
        ;
    return 0;
}

const struct op net_ops[] = {
    {.name = "tcp_rr", .run = op_rr, .prepare = make_tcp},
    {.name = "udp_rr", .run = op_rr, .prepare = make_udp},
    {.name = "tcp_threads", .run = op_rr, .prepare = make_tcp_threads},
    {.name = "unix_threads", .run = op_rr, .prepare = make_unix_threads},
    {.name = "tcp_bulk", .time = bulk},
    {.name = "connect", .run = connect_and_close, .prepare = make_server},
    {.name = "accept_t8", .time = accepts},
    {.name = "epoll_idle", .run = op_idle, .prepare = make_idle},
    {.name = "stay_idle", .time = stay},
    {.name = "stay", .time = stay_without},
    {0},
};
