// SPDX-License-Identifier: Apache-2.0
// covers: socket
// /proc/net/{tcp,tcp6,udp,udp6,sockstat,if_inet6} and /proc/sys/net as programs take them apart (man 5 proc,
// 7 tcp).
#include "inet_pair.h"

static char text[1 << 20];

struct line {
    unsigned local_port, remote_port, state, tx, rx, uid;
    unsigned long inode;
};
// The line of that local and remote port.
static bool find(const char *path, unsigned local, unsigned remote, struct line *l) {
    if (get_file(path, text, sizeof(text)) < 0)
        return false;
    for (char *at = strchr(text, '\n'); at && at[1]; at = strchr(at + 1, '\n'))
        if (sscanf(at + 1, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%X %X %X:%X %*X:%*X %*X %u %*d %lu",
                   &l->local_port, &l->remote_port, &l->state, &l->tx, &l->rx, &l->uid, &l->inode) == 7 &&
            l->local_port == local && l->remote_port == remote)
            return true;
    return false;
}
static unsigned long inode_of(int fd) {
    struct stat st;
    ASSERT_OK(fstat(fd, &st));
    return st.st_ino;
}

TEST(tcp) {
    BOTH_FAMILIES(family) {
        const char *path = family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6";
        int server = listener(family, 0), client = connected(family, port_of(server));
        struct line l;
        ASSERT_TRUE(find(path, (unsigned)port_of(server), 0, &l));
        EXPECT_EQ(l.state, TCP_LISTEN);
        EXPECT_EQ(l.inode, inode_of(server));
        EXPECT_EQ(l.uid, getuid());
        EXPECT_EQ(l.rx, 1);  // waits to be accepted
        int fd = ASSERT_OK(accept(server, NULL, NULL));
        EXPECT_EQ(write(client, "abc", 3), 3);
        ASSERT_EQ(poll_for(fd, POLLIN), POLLIN);
        ASSERT_TRUE(find(path, (unsigned)port_of(fd), (unsigned)port_of(client), &l));
        EXPECT_EQ(l.state, TCP_ESTABLISHED);
        EXPECT_EQ(l.rx, 3);
        EXPECT_EQ(l.inode, inode_of(fd));
        EXPECT_OK(shutdown(client, SHUT_WR));
        EXPECT_EQ(read(fd, text, 4), 3);
        EXPECT_EQ(read(fd, text, 4), 0);
        ASSERT_TRUE(find(path, (unsigned)port_of(fd), (unsigned)port_of(client), &l));
        EXPECT_EQ(l.state, TCP_CLOSE_WAIT);
        close(fd);
        close(client);
        close(server);
    }
}

TEST(udp) {
    BOTH_FAMILIES(family) {
        int s[2], fd = bound_socket(family, SOCK_DGRAM);
        const char *path = family == AF_INET ? "/proc/net/udp" : "/proc/net/udp6";
        struct line l;
        ASSERT_TRUE(find(path, (unsigned)port_of(fd), 0, &l));
        EXPECT_EQ(l.state, TCP_CLOSE);
        EXPECT_EQ(l.inode, inode_of(fd));
        unsigned port = (unsigned)port_of(fd);
        close(fd);
        EXPECT_TRUE(!find(path, port, 0, &l));
        udp_pair(family, s);
        ASSERT_TRUE(find(path, (unsigned)port_of(s[0]), (unsigned)port_of(s[1]), &l));
        EXPECT_EQ(l.state, TCP_ESTABLISHED);
        close(s[0]);
        close(s[1]);
    }
}

TEST(sums) {
    int used[2], tcp[2], udp[2];
    int s[2] = {-1, -1}, fd = -1;
    for (int i = 0; i < 2; i++) {
        get_file("/proc/net/sockstat", text, sizeof(text));
        char *t = strstr(text, "TCP: inuse "), *u = strstr(text, "UDP: inuse ");
        ASSERT_TRUE(t && u && sscanf(text, "sockets: used %d", &used[i]) == 1);
        ASSERT_TRUE(sscanf(t, "TCP: inuse %d", &tcp[i]) == 1 && sscanf(u, "UDP: inuse %d", &udp[i]) == 1);
        if (i == 0) {
            tcp_pair(AF_INET, s);
            fd = bound_socket(AF_INET, SOCK_DGRAM);
        }
    }
    EXPECT_GE(used[1], used[0]);  // others may close theirs meanwhile, but on the machine itself
    EXPECT_TRUE(tcp[1] >= 2 && udp[1] >= 1);
    close(fd);
    close(s[0]);
    close(s[1]);
}

TEST(settings) {
    static const char *const names[] = {
        "core/somaxconn", "core/rmem_max",           "ipv4/ip_local_port_range",   "ipv4/tcp_rmem",
        "ipv4/tcp_wmem",  "ipv4/tcp_keepalive_time", "ipv4/tcp_congestion_control"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[80];
        snprintf(path, sizeof(path), "/proc/sys/net/%s", names[i]);
        EXPECT_TRUE(get_file(path, text, sizeof(text)) > 1);
    }
    get_file("/proc/net/if_inet6", text, sizeof(text));
    EXPECT_TRUE(strstr(text, "00000000000000000000000000000001 01 80 10 80       lo\n") != NULL);
}
