// SPDX-License-Identifier: Apache-2.0
// covers: poll, epoll_wait
// poll(2) of /proc/self/mounts and mountinfo tells, once, that what is mounted has changed
// (proc_pid_mounts(5)).
#include "guest.h"
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>

static void own_mounts(void) {
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void told_once(const char *name) {
    struct pollfd p = {.fd = ASSERT_OK(open(name, O_RDONLY)), .events = POLLPRI};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    ASSERT_OK(mount("x", "d", "tmpfs", 0, NULL));
    EXPECT_EQ(poll(&p, 1, -1), 1);
    EXPECT_EQ(p.revents, POLLPRI | POLLERR);
    EXPECT_EQ(poll(&p, 1, 0), 0);
    p.events = POLLIN;
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN);
    ASSERT_OK(umount2("d", 0));
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLERR);
    close(p.fd);
}
TEST(told) {
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    IN_CHILD {
        own_mounts();
        told_once("/proc/self/mounts");
        told_once("/proc/self/mountinfo");
    }
}

TEST(wakes) {
    in_tmpdir();
    ASSERT_OK(mkdir("d", 0755));
    IN_CHILD {
        own_mounts();
        int fd = ASSERT_OK(open("/proc/self/mounts", O_RDONLY)), ep = epoll_create1(0);
        struct epoll_event e = {.events = EPOLLPRI};
        ASSERT_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
        EXPECT_EQ(epoll_wait(ep, &e, 1, 0), 0);
        pid_t pid = fork_child();
        if (pid == 0) {
            sleep_ms(50);
            ASSERT_OK(mount("x", "d", "tmpfs", 0, NULL));
            child_done();
        }
        EXPECT_EQ(epoll_wait(ep, &e, 1, -1), 1);
        EXPECT_EQ(e.events, EPOLLPRI | EPOLLERR);
        EXPECT_EQ(epoll_wait(ep, &e, 1, 0), 0);
        EXPECT_EQ(wait_exit(pid), 0);
        umount2("d", 0);
    }
}
