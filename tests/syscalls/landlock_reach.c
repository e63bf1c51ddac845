// SPDX-License-Identifier: Apache-2.0
// covers: landlock_restrict_self, bind, connect, kill
// Ports of TCP, and the scopes: abstract names of unix sockets, signals (man 7 landlock).
#include "landlock_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PORT 40123

static struct sockaddr_in in4(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}
static struct sockaddr_in6 in6(int port) {
    return (struct sockaddr_in6){
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
}
static int in_bind(int type, int family, int port) {
    int s = ASSERT_OK(socket(family, type, 0)), one = 1, r;
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (family == AF_INET6) {
        struct sockaddr_in6 a = in6(port);
        r = bind(s, (void *)&a, sizeof a);
    } else {
        struct sockaddr_in a = in4(port);
        r = bind(s, (void *)&a, sizeof a);
    }
    int err = r < 0 ? errno : 0;
    close(s);
    return err;
}
static int in_connect(int family, int port) {
    int s = ASSERT_OK(socket(family, SOCK_STREAM, 0)), r;
    if (family == AF_INET6) {
        struct sockaddr_in6 a = in6(port);
        r = connect(s, (void *)&a, sizeof a);
    } else {
        struct sockaddr_in a = in4(port);
        r = connect(s, (void *)&a, sizeof a);
    }
    int err = r < 0 ? errno : 0;
    close(s);
    return err;
}

TEST(ports) {
    ll_needed();
    IN_CHILD {
        int set = ll_ruleset(0, NET_BIND | NET_CONNECT, 0);
        ll_allow_port(set, PORT, NET_BIND);
        ll_allow_port(set, PORT + 1, NET_CONNECT);
        ll_enter(set);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET, PORT), 0);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET, PORT + 1), EACCES);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET6, PORT + 1), EACCES);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET, 0), EACCES);
        EXPECT_EQ(in_bind(SOCK_DGRAM, AF_INET, PORT + 1), 0);  // TCP alone
        EXPECT_EQ(in_connect(AF_INET, PORT), EACCES);
        EXPECT_EQ(in_connect(AF_INET6, PORT), EACCES);
        EXPECT_EQ(in_connect(AF_INET, PORT + 1), ECONNREFUSED);
    }
}

TEST(ports_of_layers) {
    ll_needed();
    IN_CHILD {
        int set = ll_ruleset(0, NET_BIND, 0);
        ll_allow_port(set, PORT, NET_BIND);
        ll_allow_port(set, 0, NET_BIND);
        ll_enter(set);
        set = ll_ruleset(0, NET_CONNECT, 0);
        ll_enter(set);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET, PORT), 0);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET, 0), 0);
        EXPECT_EQ(in_connect(AF_INET, PORT), EACCES);
        set = ll_ruleset(0, NET_BIND, 0);
        ll_enter(set);
        EXPECT_EQ(in_bind(SOCK_STREAM, AF_INET, PORT), EACCES);
    }
}

// Addresses that the check reads before the socket does.
TEST(odd_addresses) {
    ll_needed();
    IN_CHILD {
        ll_enter(ll_ruleset(0, NET_BIND | NET_CONNECT, 0));
        int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0)), s6 = ASSERT_OK(socket(AF_INET6, SOCK_STREAM, 0));
        struct sockaddr_in a = {.sin_family = AF_UNSPEC, .sin_port = htons(PORT)};
        EXPECT_ERRNO(bind(s, (void *)&a, sizeof a), EACCES);
        struct sockaddr_storage big = {.ss_family = AF_UNSPEC};
        EXPECT_ERRNO(bind(s6, (void *)&a, sizeof a), EINVAL);
        EXPECT_ERRNO(bind(s6, (void *)&big, sizeof(struct sockaddr_in6)), EAFNOSUPPORT);
        EXPECT_OK(connect(s, (void *)&a, sizeof a));  // ends a connection
        EXPECT_ERRNO(bind(s, (void *)&a, 8), EINVAL);
        EXPECT_ERRNO(bind(s, (void *)&a, 1), EINVAL);
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_ERRNO(bind(s, (void *)&a, sizeof a), EAFNOSUPPORT);
        a.sin_family = AF_INET;
        EXPECT_ERRNO(bind(s6, (void *)&a, sizeof a), EINVAL);
        EXPECT_ERRNO(connect(s, (void *)&a, 15), EINVAL);
        a.sin_family = AF_UNIX;
        EXPECT_ERRNO(bind(s, (void *)&a, sizeof a), EAFNOSUPPORT);
    }
}

// ---- Abstract names ---------------------------------------------------------------------------------------
static socklen_t abstract(struct sockaddr_un *a, const char *name) {
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "%s.%d", name, getppid());
    return offsetof(struct sockaddr_un, sun_path) + 1 + n;
}
static int un_socket(int type, const char *name) {
    struct sockaddr_un a;
    int s = ASSERT_OK(socket(AF_UNIX, type, 0));
    socklen_t len = abstract(&a, name);
    ASSERT_OK(bind(s, (void *)&a, len));
    if (type != SOCK_DGRAM)
        ASSERT_OK(listen(s, 4));
    return s;
}
static int un_connect(int type, const char *name) {
    struct sockaddr_un a;
    int s = ASSERT_OK(socket(AF_UNIX, type, 0));
    socklen_t len = abstract(&a, name);
    int err = connect(s, (void *)&a, len) < 0 ? errno : 0;
    close(s);
    return err;
}
static int un_send(const char *name) {
    struct sockaddr_un a;
    int s = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    socklen_t len = abstract(&a, name);
    int err = sendto(s, "x", 1, 0, (void *)&a, len) < 0 ? errno : 0;
    close(s);
    return err;
}

TEST(abstract_names) {
    ll_needed();
    in_tmpdir();
    IN_CHILD {
        int out = un_socket(SOCK_STREAM, "out"), outd = un_socket(SOCK_DGRAM, "outd");
        struct sockaddr_un a;
        int joined = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
        socklen_t len = abstract(&a, "outd");
        ASSERT_OK(connect(joined, (void *)&a, len));
        struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "named"};
        int by_path = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
        ASSERT_OK(bind(by_path, (void *)&named, sizeof named));
        ll_enter(ll_ruleset(0, 0, SCOPE_ABSTRACT));
        int in = un_socket(SOCK_STREAM, "in"), ind = un_socket(SOCK_DGRAM, "ind");
        EXPECT_EQ(un_connect(SOCK_STREAM, "out"), EPERM);
        EXPECT_EQ(un_connect(SOCK_DGRAM, "outd"), EPERM);
        EXPECT_EQ(un_send("outd"), EPERM);
        EXPECT_EQ(un_connect(SOCK_STREAM, "none"), ECONNREFUSED);
        EXPECT_EQ(send(joined, "x", 1, 0), 1);
        EXPECT_EQ(sendto(joined, "x", 1, 0, (void *)&named, sizeof named), 1);
        EXPECT_EQ(un_connect(SOCK_STREAM, "in"), 0);
        EXPECT_EQ(un_send("ind"), 0);
        ll_enter(ll_ruleset(FS_MAKE_SOCK, 0, 0));  // deeper, without a scope of its own
        EXPECT_EQ(un_connect(SOCK_STREAM, "in"), 0);
        EXPECT_EQ(un_connect(SOCK_STREAM, "out"), EPERM);
        ll_enter(ll_ruleset(0, 0, SCOPE_ABSTRACT));
        EXPECT_EQ(un_connect(SOCK_STREAM, "in"), EPERM);
        close(out);
        close(outd);
        close(in);
        close(ind);
    }
}

// ---- Signals ----------------------------------------------------------------------------------------------
static void *one_thread(void *arg) {
    ll_enter(ll_ruleset(0, 0, SCOPE_SIGNAL));
    *(int *)arg = (int)syscall(SYS_tgkill, getpid(), getpid(), 0) < 0 ? errno : 0;
    return NULL;
}

TEST(signals) {
    ll_needed();
    IN_CHILD {
        int end[2];
        ASSERT_OK(pipe(end));
        pid_t outside = ASSERT_OK(fork());
        if (outside == 0) {  // until nobody of the others is left
            char c;
            close(end[1]);
            _exit(read(end[0], &c, 1) == 0 ? 0 : 1);
        }
        pthread_t th;
        int of_own = -1;
        ASSERT_EQ(pthread_create(&th, NULL, one_thread, &of_own), 0);
        pthread_join(th, NULL);
        EXPECT_EQ(of_own, 0);  // within the process it is as ever
        EXPECT_OK(kill(outside, 0));
        ll_enter(ll_ruleset(0, 0, SCOPE_SIGNAL));
        pid_t inside = ASSERT_OK(fork());
        if (inside == 0)
            for (;;)
                pause();
        EXPECT_ERRNO(kill(outside, 0), EPERM);
        EXPECT_ERRNO(kill(outside, SIGKILL), EPERM);
        EXPECT_ERRNO(kill(getppid(), SIGCONT), EPERM);
        EXPECT_OK(kill(inside, 0));
        EXPECT_OK(kill(getpid(), 0));
        EXPECT_OK(kill(inside, SIGKILL));
        wait_status(inside);
        pid_t helper = ASSERT_OK(fork());
        if (helper == 0)
            _exit(kill(outside, SIGTERM) < 0 ? errno : 0);
        EXPECT_EQ(wait_exit(helper), EPERM);
    }
}

// SIGIO goes by who asked for it: before the domain, or within it.
static volatile sig_atomic_t seen;
static void on_io(int sig) { seen = 1; }

static void signals_of_files(bool to_group) {
    IN_CHILD {
        ASSERT_OK(setpgid(0, 0));
        int ready[2], io[2], go[2];
        ASSERT_OK(pipe(ready));
        ASSERT_OK(pipe(go));
        ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, io));
        pid_t outside = ASSERT_OK(fork());
        if (outside == 0) {
            char c;
            on_signal(SIGURG, on_io, SA_RESTART);
            ASSERT_EQ(write(ready[1], "r", 1), 1);
            if (read(go[0], &c, 1) != 1)
                _exit(9);
            _exit(seen);
        }
        char c;
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        ll_enter(ll_ruleset(0, 0, SCOPE_SIGNAL));
        ASSERT_OK(fcntl(io[0], F_SETSIG, SIGURG));
        ASSERT_OK(fcntl(io[0], F_SETOWN, to_group ? -getpid() : outside));
        ASSERT_OK(fcntl(io[0], F_SETFL, O_ASYNC));
        ASSERT_EQ(write(io[1], "x", 1), 1);
        ASSERT_EQ(write(go[1], "x", 1), 1);
        EXPECT_EQ(wait_exit(outside), 0);
    }
}
TEST(signals_of_files_to_one) {
    ll_needed();
    signals_of_files(false);
}
TEST(signals_of_files_to_a_group) {
    ll_needed();
    signals_of_files(true);
}
