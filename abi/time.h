// SPDX-License-Identifier: Apache-2.0
// Time: clocks, timers and the structures that carry them.
#pragma once

#include <assert.h>
#include <stdint.h>

#define LINUX_CLOCK_REALTIME           0
#define LINUX_CLOCK_MONOTONIC          1
#define LINUX_CLOCK_PROCESS_CPUTIME_ID 2
#define LINUX_CLOCK_THREAD_CPUTIME_ID  3
#define LINUX_CLOCK_MONOTONIC_RAW      4
#define LINUX_CLOCK_REALTIME_COARSE    5
#define LINUX_CLOCK_MONOTONIC_COARSE   6
#define LINUX_CLOCK_BOOTTIME           7
#define LINUX_CLOCK_REALTIME_ALARM     8
#define LINUX_CLOCK_BOOTTIME_ALARM     9
#define LINUX_CLOCK_TAI                11

// Negative clock ids name the CPU clock of a process or thread: (~pid << 3) | per-thread bit | kind.
#define LINUX_CPUCLOCK_PERTHREAD_MASK 4
#define LINUX_CPUCLOCK_CLOCK_MASK     3
#define LINUX_CPUCLOCK_PROF           0
#define LINUX_CPUCLOCK_VIRT           1
#define LINUX_CPUCLOCK_SCHED          2

#define LINUX_TIMER_ABSTIME 1

#define LINUX_ITIMER_REAL    0
#define LINUX_ITIMER_VIRTUAL 1
#define LINUX_ITIMER_PROF    2

#define LINUX_UTIME_NOW  ((1l << 30) - 1l)
#define LINUX_UTIME_OMIT ((1l << 30) - 2l)

#define LINUX_NSEC_PER_SEC 1000000000ll
#define LINUX_USER_HZ      100 // unit of times(2) and of /proc/PID/stat

struct linux_timespec {
    int64_t tv_sec;
    int64_t tv_nsec;
};
static_assert(sizeof(struct linux_timespec) == 16, "struct timespec");

struct linux_timeval {
    int64_t tv_sec;
    int64_t tv_usec;
};
static_assert(sizeof(struct linux_timeval) == 16, "struct timeval");

struct linux_timezone {
    int32_t tz_minuteswest;
    int32_t tz_dsttime;
};

struct linux_itimerval {
    struct linux_timeval it_interval;
    struct linux_timeval it_value;
};
static_assert(sizeof(struct linux_itimerval) == 32, "struct itimerval");

struct linux_itimerspec {
    struct linux_timespec it_interval;
    struct linux_timespec it_value;
};
static_assert(sizeof(struct linux_itimerspec) == 32, "struct itimerspec");

struct linux_utimbuf {
    int64_t actime;
    int64_t modtime;
};

struct linux_tms {
    int64_t tms_utime;
    int64_t tms_stime;
    int64_t tms_cutime;
    int64_t tms_cstime;
};
static_assert(sizeof(struct linux_tms) == 32, "struct tms");

#define LINUX_ADJ_OFFSET    0x0001
#define LINUX_ADJ_FREQUENCY 0x0002
#define LINUX_ADJ_MAXERROR  0x0004
#define LINUX_ADJ_ESTERROR  0x0008
#define LINUX_ADJ_STATUS    0x0010
#define LINUX_ADJ_TIMECONST 0x0020
#define LINUX_ADJ_TAI       0x0080
#define LINUX_ADJ_SETOFFSET 0x0100
#define LINUX_ADJ_MICRO     0x1000
#define LINUX_ADJ_NANO      0x2000
#define LINUX_ADJ_TICK      0x4000
#define LINUX_ADJ_ADJTIME           0x8000

#define LINUX_STA_UNSYNC 0x0040
#define LINUX_STA_NANO   0x2000

#define LINUX_TIME_OK    0
#define LINUX_TIME_ERROR 5

struct linux_timex {
    uint32_t modes;
    uint32_t pad0;
    int64_t offset;
    int64_t freq;
    int64_t maxerror;
    int64_t esterror;
    int32_t status;
    uint32_t pad1;
    int64_t constant;
    int64_t precision;
    int64_t tolerance;
    struct linux_timeval time;
    int64_t tick;
    int64_t ppsfreq;
    int64_t jitter;
    int32_t shift;
    uint32_t pad2;
    int64_t stabil;
    int64_t jitcnt;
    int64_t calcnt;
    int64_t errcnt;
    int64_t stbcnt;
    int32_t tai;
    int32_t reserved[11];
};
static_assert(sizeof(struct linux_timex) == 208, "struct timex");
