// SPDX-License-Identifier: Apache-2.0
// landlock(7), version 7 of the interface.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_LANDLOCK_CREATE_RULESET_VERSION 1u
#define LINUX_LANDLOCK_CREATE_RULESET_ERRATA  2u

#define LINUX_LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF  1u
#define LINUX_LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON    2u
#define LINUX_LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF 4u

#define LINUX_LANDLOCK_RULE_PATH_BENEATH 1
#define LINUX_LANDLOCK_RULE_NET_PORT     2

#define LINUX_LANDLOCK_ACCESS_FS_EXECUTE     (1ull << 0)
#define LINUX_LANDLOCK_ACCESS_FS_WRITE_FILE  (1ull << 1)
#define LINUX_LANDLOCK_ACCESS_FS_READ_FILE   (1ull << 2)
#define LINUX_LANDLOCK_ACCESS_FS_READ_DIR    (1ull << 3)
#define LINUX_LANDLOCK_ACCESS_FS_REMOVE_DIR  (1ull << 4)
#define LINUX_LANDLOCK_ACCESS_FS_REMOVE_FILE (1ull << 5)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_CHAR   (1ull << 6)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_DIR    (1ull << 7)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_REG    (1ull << 8)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_SOCK   (1ull << 9)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_FIFO   (1ull << 10)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_BLOCK  (1ull << 11)
#define LINUX_LANDLOCK_ACCESS_FS_MAKE_SYM    (1ull << 12)
#define LINUX_LANDLOCK_ACCESS_FS_REFER       (1ull << 13)
#define LINUX_LANDLOCK_ACCESS_FS_TRUNCATE    (1ull << 14)
#define LINUX_LANDLOCK_ACCESS_FS_IOCTL_DEV   (1ull << 15)

#define LINUX_LANDLOCK_ACCESS_NET_BIND_TCP    (1ull << 0)
#define LINUX_LANDLOCK_ACCESS_NET_CONNECT_TCP (1ull << 1)

#define LINUX_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0)
#define LINUX_LANDLOCK_SCOPE_SIGNAL               (1ull << 1)

struct linux_landlock_ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
static_assert(sizeof(struct linux_landlock_ruleset_attr) == 24, "struct landlock_ruleset_attr");
struct linux_landlock_path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));
static_assert(sizeof(struct linux_landlock_path_beneath_attr) == 12, "struct landlock_path_beneath_attr");
struct linux_landlock_net_port_attr {
    uint64_t allowed_access;
    uint64_t port;
};
static_assert(sizeof(struct linux_landlock_net_port_attr) == 16, "struct landlock_net_port_attr");
