// SPDX-License-Identifier: Apache-2.0
// The sentry's cage: what it gives up at its start, and the seccomp filter that it runs under with a guest.
#ifndef SENTRY_HOSTFILTER_HOSTFILTER_H
#define SENTRY_HOSTFILTER_HOSTFILTER_H
#include <stdbool.h>

// Before all others, and before any clock is read: the monotonic and boot-time clocks of this process and its
// children begin now, where the host allows it. 0, or -errno when it is done by half.
int hostfilter_boot_clock(void);
// Before the platform is made (stubs inherit it), after process_start() (limits, core dumps): no_new_privs,
// an empty root, a user and keys of its own, no capabilities, a Landlock domain; see host/confine.h. 0 or
// -errno.
int hostfilter_prepare(void);
// Before the first guest instruction and before other threads: loads the filter made from host_syscalls.def;
// `platform` is plat_name(). links: there are links to the outside, or there will be (sentry/link/link.h).
// For all threads, for good.
int hostfilter_load(const char *platform, bool links);

#endif
