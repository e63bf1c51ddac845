// SPDX-License-Identifier: Apache-2.0
// Landlock, for all that use it; see confine.h. Numbers that are newer than the headers we may be built with
// stand here, each with the version of the interface that knows it (man 7 landlock).
#include "host/confine.h"
#include "host/inforce.h"
#include <errno.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FS_REFER      (1ull << 13)  // 2
#define FS_TRUNCATE   (1ull << 14)  // 3
#define FS_IOCTL_DEV  (1ull << 15)  // 5
#define NET_TCP       3ull          // 4: bind, connect
#define SCOPES        3ull          // 6: abstract unix sockets, signals

struct ruleset {  // struct landlock_ruleset_attr of version 6; earlier ones are prefixes
    uint64_t fs, net, scoped;
};
static const size_t sizes[] = {0, 8, 8, 8, 16, 16, 24};  // by version

int landlock_version(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 1 ? 0 : (int)version;
}

uint64_t landlock_file_rights(int version) {
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    return rights | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
           (version >= 5 ? FS_IOCTL_DEV : 0);
}

int landlock_ruleset(int version, uint64_t files) {
    struct ruleset rules = {.fs = files & landlock_file_rights(version), .net = NET_TCP, .scoped = SCOPES};
    long fd = syscall(SYS_landlock_create_ruleset, &rules, sizes[version < 6 ? version : 6], 0);
    return fd < 0 ? -errno : (int)fd;
}

int landlock_enter(int ruleset) {
    int err = syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
    syscall(SYS_close, ruleset);
    return err;
}

int confine_landlock(bool reads) {
    int version = landlock_version();
    // LIMIT: on hosts without Landlock the namespaces alone keep a taken-over sentry from its user's files
    if (version == 0)
        return 0;
    uint64_t open =
        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    int fd = landlock_ruleset(version, landlock_file_rights(version) & ~(reads ? open : 0));
    int err = fd < 0 ? fd : landlock_enter(fd);
    if (!err)
        in_force.landlock = version;
    return err;
}
