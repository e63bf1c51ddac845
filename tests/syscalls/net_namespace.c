// SPDX-License-Identifier: Apache-2.0
// covers: unshare, setns, clone
// Network namespaces (man 7 network_namespaces): what a new one has, what stays where it was made, how one is
// entered again.
#include "rtnl.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>
#include <sys/wait.h>

static int open_ns(void) { return ASSERT_OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }
static void own_net(void) {
    if (unshare(CLONE_NEWNET) < 0 && errno == EPERM && geteuid())
        _exit(77);
}
static ino_t number(int fd) {
    struct stat st;
    ASSERT_OK(fstat(fd, &st));
    return st.st_ino;
}
static unsigned short flags_of(const char *name) {
    struct ifreq r = {0};
    int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
    strcpy(r.ifr_name, name);
    ASSERT_OK(ioctl(s, SIOCGIFFLAGS, &r));
    close(s);
    return (unsigned short)r.ifr_flags;
}
static int bind_loopback(int port) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
    return bind(s, (void *)&a, sizeof(a)) < 0 ? -errno : s;
}

TEST(a_new_one_has_a_loopback_that_is_down) {
    IN_CHILD {
        int before = open_ns();
        own_net();
        int after = open_ns();
        EXPECT_TRUE(number(before) != number(after));
        EXPECT_EQ(flags_of("lo") & IFF_UP, 0);
        EXPECT_EQ(if_nametoindex("lo"), 1);
        struct ifreq r = {.ifr_name = "lo"};
        int s = ASSERT_OK(socket(AF_INET, SOCK_DGRAM, 0));
        EXPECT_ERRNO(ioctl(s, SIOCGIFADDR, &r), EADDRNOTAVAIL);
        ASSERT_EQ(rtnl_up("lo"), 0);
        EXPECT_TRUE(flags_of("lo") & IFF_UP);
        EXPECT_OK(ioctl(s, SIOCGIFADDR, &r));
        EXPECT_TRUE(bind_loopback(8000) >= 0);
    }
}

TEST(sockets_stay_where_they_were_made) {
    IN_CHILD {
        own_net();
        ASSERT_EQ(rtnl_up("lo"), 0);
        int first = open_ns(), held = bind_loopback(8001);
        ASSERT_OK(held);
        ASSERT_OK(listen(held, 1));
        own_net();
        ASSERT_EQ(rtnl_up("lo"), 0);
        EXPECT_TRUE(bind_loopback(8001) >= 0);
        ASSERT_OK(setns(first, CLONE_NEWNET));
        EXPECT_EQ(bind_loopback(8001), -EADDRINUSE);
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_port = htons(8001), .sin_addr = {htonl(INADDR_LOOPBACK)}};
        int s = ASSERT_OK(socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_OK(connect(s, (void *)&a, sizeof(a)));
    }
}

TEST(abstract_names_are_of_one_paths_are_of_all) {
    in_tmpdir();
    IN_CHILD {
        struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0net_namespace"};
        struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "sock"};
        socklen_t n = offsetof(struct sockaddr_un, sun_path) + 14;
        own_net();
        int s = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0)), p = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
        ASSERT_OK(bind(s, (void *)&name, n));
        ASSERT_OK(listen(s, 1));
        ASSERT_OK(bind(p, (void *)&path, sizeof(path)));
        ASSERT_OK(listen(p, 1));
        own_net();
        int c = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
        EXPECT_ERRNO(connect(c, (void *)&name, n), ECONNREFUSED);
        int again = ASSERT_OK(socket(AF_UNIX, SOCK_STREAM, 0));
        EXPECT_OK(bind(again, (void *)&name, n));
        EXPECT_OK(connect(c, (void *)&path, sizeof(path)));
    }
}

TEST(knobs_and_lists_are_of_one) {
    IN_CHILD {
        char text[4096];
        own_net();
        put_file("/proc/sys/net/ipv4/ip_forward", "1");
        put_file("/proc/sys/net/core/somaxconn", "17");
        EXPECT_EQ(rtnl_add_link("veth", "pair7", "pair8", -1), 0);
        ASSERT_OK(get_file("/proc/self/net/dev", text, sizeof(text) - 1));
        EXPECT_TRUE(strstr(text, "pair7:"));
        int first = open_ns();
        own_net();
        put_file("/proc/sys/net/ipv4/ip_forward", "0");
        memset(text, 0, sizeof(text));
        ASSERT_OK(get_file("/proc/sys/net/core/somaxconn", text, sizeof(text)));
        EXPECT_TRUE(strcmp(text, "17\n") != 0);
        memset(text, 0, sizeof(text));
        ASSERT_OK(get_file("/proc/self/net/dev", text, sizeof(text) - 1));
        EXPECT_TRUE(!strstr(text, "pair7:"));
        ASSERT_OK(setns(first, 0));
        ASSERT_EQ(get_file("/proc/sys/net/ipv4/ip_forward", text, sizeof(text)), 2);
        EXPECT_EQ(text[0], '1');
    }
}

TEST(a_child_is_born_into_one) {
    if (geteuid())
        SKIP("not root");
    ino_t ours = number(open_ns());
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, NULL);
    ASSERT_OK(pid);
    if (pid == 0)
        _exit(number(open_ns()) != ours && !(flags_of("lo") & IFF_UP) ? 0 : 1);
    EXPECT_EQ(wait_exit(pid), 0);
    EXPECT_EQ(number(open_ns()), ours);
}

TEST(errors) {
    IN_CHILD {
        own_net();
        int net = open_ns(), file = ASSERT_OK(open("/dev/null", O_RDONLY));
        EXPECT_ERRNO(setns(-1, CLONE_NEWNET), EBADF);
        EXPECT_ERRNO(setns(file, CLONE_NEWNET), EINVAL);
        EXPECT_ERRNO(setns(net, CLONE_NEWUTS), EINVAL);
        EXPECT_OK(setns(net, 0));
        ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(setns(net, CLONE_NEWNET), EPERM);
        EXPECT_EQ(rtnl_add_link("veth", "p0", "p1", -1), EPERM);
    }
}
