// SPDX-License-Identifier: Apache-2.0
// The sandbox boots when it starts: a time namespace in which the monotonic and boot-time clocks begin. Stubs
// are made in it, so guests' vDSO reads the same clocks as our handlers, without a call; nothing in the tree
// converts times.
//
// LIMIT: where the caller may make no time namespace (it takes CAP_SYS_ADMIN, or Linux before 5.6), both
// clocks are the host's, and with them uptime, btime and start times, which agree with them in any case. The
// processor's own counter (rdtsc) runs since the host's start everywhere.
#include "sentry/hostfilter/hostfilter.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
// Both clocks begin at a second: 0 means "none" to many a program, and to some of our fields.
#define BEGIN_SEC 1

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

// The offset holds for the clock's kin too, of which CLOCK_MONOTONIC_RAW may be far behind: nobody slews it.
static long monotonic_offset(void) {
    uint64_t ns = earlier(clock_ns(CLOCK_MONOTONIC_COARSE), clock_ns(CLOCK_MONOTONIC_RAW));
    return BEGIN_SEC - (long)(ns / NS_PER_SEC);
}

// Boot time is never before monotonic time, nor a second later: nothing has slept yet.
static long boottime_offset(long monotonic) {
    uint64_t boot = clock_ns(CLOCK_BOOTTIME), awake = clock_ns(CLOCK_MONOTONIC);
    uint64_t asleep = boot > awake ? boot - awake : 0;  // a little less than it was
    return monotonic - (long)(asleep / NS_PER_SEC);
}

// Who has threads can enter no time namespace (ThreadSanitizer starts one): /proc/self/task has a link for
// each.
static bool has_threads(void) {
    struct stat st;
    return stat("/proc/self/task", &st) == 0 && st.st_nlink > 3;
}

int hostfilter_boot_clock(void) {
    char text[96];
    if (has_threads() || unshare(CLONE_NEWTIME) < 0)
        return 0;
    long monotonic = monotonic_offset();
    int n = snprintf(text, sizeof text, "monotonic %ld 0\nboottime %ld 0\n", monotonic,
                     boottime_offset(monotonic));
    int offsets cleanup_close = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (offsets >= 0 && write(offsets, text, (size_t)n) != n)
        return -errno;
    // Our children are in the namespace now, so must we be: also when it could not be set.
    int ns cleanup_close = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    return ns < 0 || setns(ns, CLONE_NEWTIME) < 0 ? -errno : 0;
}
