// SPDX-License-Identifier: Apache-2.0
// User and capabilities; see confine.h.
#include "host/confine.h"
#include "host/inforce.h"
#include "base/log.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Above what distributions, containers and directory services hand out, and below 2^31. Numbers of processes
// are unique at any time, so two sandboxes that live at once have different users.
#define OWN_USER_FIRST 0x70000000u
#define NOBODY         65534u

// The host's calls themselves: the C library's change all threads, by a signal that our processes ignore.
// There are none (but in builds with ThreadSanitizer, whose own stays what it was).
static bool become(uid_t id) {
    return syscall(SYS_setresgid, id, id, id) == 0 && syscall(SYS_setresuid, id, id, id) == 0;
}

int confine_user(void) {
    if (geteuid() != 0)
        return 0;
    // In a container the numbers may not exist (EINVAL), or the right to take them is missing.
    if (syscall(SYS_setgroups, 0, NULL) < 0 ||
        (!become(OWN_USER_FIRST + (uid_t)in_force.sandbox) && !become(NOBODY))) {
        log_debug("no user of its own: errno %d", errno);
        return geteuid() == 0 ? 0 : -errno;
    }
    in_force.own_user = true;
    // The change has made it undumpable: stubs, and the user's map, could not be reached any more.
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? -errno : 0;
}

void confine_keys(void) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
        log_debug("no keyring of its own: errno %d", errno);
}

int confine_capabilities(uint64_t keep) {
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2] = {{0}}, want[2] = {{0}};
    if (syscall(SYS_capget, &h, have) < 0)
        return -errno;
    for (unsigned i = 0; i < 2; i++)
        want[i].permitted = want[i].effective = have[i].permitted & (uint32_t)(keep >> 32 * i);
    for (unsigned cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) < 0)
            break;  // EPERM: an ordinary user's; EINVAL: past the last one
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &h, want) < 0 ? -errno : 0;
}
