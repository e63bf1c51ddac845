// SPDX-License-Identifier: Apache-2.0
// What the guest programs about landlock(7) share: the calls, and rules in a line. Headers of the build
// machine may be older than the interface, so that its numbers stand here.
#pragma once
#include "guest.h"

#include <sys/prctl.h>

#define FS_EXECUTE     (1ull << 0)
#define FS_WRITE_FILE  (1ull << 1)
#define FS_READ_FILE   (1ull << 2)
#define FS_READ_DIR    (1ull << 3)
#define FS_REMOVE_DIR  (1ull << 4)
#define FS_REMOVE_FILE (1ull << 5)
#define FS_MAKE_CHAR   (1ull << 6)
#define FS_MAKE_DIR    (1ull << 7)
#define FS_MAKE_REG    (1ull << 8)
#define FS_MAKE_SOCK   (1ull << 9)
#define FS_MAKE_FIFO   (1ull << 10)
#define FS_MAKE_BLOCK  (1ull << 11)
#define FS_MAKE_SYM    (1ull << 12)
#define FS_REFER       (1ull << 13)
#define FS_TRUNCATE    (1ull << 14)
#define FS_IOCTL_DEV   (1ull << 15)
#define FS_ALL         0xffffull
#define NET_BIND       1ull
#define NET_CONNECT    2ull
#define SCOPE_ABSTRACT 1ull
#define SCOPE_SIGNAL   2ull
#define RULE_PATH      1
#define RULE_PORT      2

struct ll_attr {
    uint64_t fs, net, scoped;
};
struct ll_path {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));
struct ll_port {
    uint64_t access, port;
};

GUEST_FN int ll_create(const void *attr, size_t size, unsigned flags) {
    return (int)syscall(444, attr, size, flags);
}
GUEST_FN int ll_add(int fd, int type, const void *rule, unsigned flags) {
    return (int)syscall(445, fd, type, rule, flags);
}
GUEST_FN int ll_restrict(int fd, unsigned flags) { return (int)syscall(446, fd, flags); }

// The test is about version 7.
GUEST_FN void ll_needed(void) {
    if (ll_create(NULL, 0, 1) < 7)
        SKIP("no Landlock of version 7 here");
}
GUEST_FN int ll_ruleset(uint64_t fs, uint64_t net, uint64_t scoped) {
    struct ll_attr a = {fs, net, scoped};
    return ASSERT_OK(ll_create(&a, sizeof a, 0));
}
GUEST_FN void ll_allow(int ruleset, const char *path, uint64_t access) {
    int fd = ASSERT_OK(open(path, O_PATH | O_CLOEXEC));
    struct ll_path r = {access, fd};
    ASSERT_OK(ll_add(ruleset, RULE_PATH, &r, 0));
    close(fd);
}
GUEST_FN void ll_allow_port(int ruleset, uint64_t port, uint64_t access) {
    struct ll_port r = {access, port};
    ASSERT_OK(ll_add(ruleset, RULE_PORT, &r, 0));
}
// Takes the ruleset's descriptor over.
GUEST_FN void ll_enter(int ruleset) {
    ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    ASSERT_OK(ll_restrict(ruleset, 0));
    close(ruleset);
}
