// SPDX-License-Identifier: Apache-2.0
// covers: clock_gettime, sysinfo, times
// Time since boot is one thing, wherever it is asked for: CLOCK_BOOTTIME by the vDSO and by the call,
// sysinfo(2), /proc/uptime, btime in /proc/stat, and the start times of processes (man 7 time_namespaces, man
// 5 proc).
#include "guest.h"

#include <sys/sysinfo.h>
#include <sys/times.h>

static double clock_now(clockid_t clock)
{
    struct timespec a, b;
    EXPECT_OK(clock_gettime(clock, &a));
    EXPECT_OK(syscall(SYS_clock_gettime, clock, &b));
    EXPECT_TRUE(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
    EXPECT_RANGE(b.tv_sec - a.tv_sec, 0, 5);
    return (double)b.tv_sec + (double)b.tv_nsec / 1e9;
}

static double uptime(void)
{
    char text[128];
    EXPECT_GE(get_file("/proc/uptime", text, sizeof(text)), 4);
    return atof(text);
}

static long boot_second(void)
{
    static char text[1 << 20];
    get_file("/proc/stat", text, sizeof(text));
    const char *line = strstr(text, "\nbtime ");
    ASSERT_TRUE(line);
    return atol(line + 7);
}

// Field 22 of /proc/PID/stat, in seconds.
static double started(const char *path)
{
    char text[1024];
    get_file(path, text, sizeof(text));
    char *at = strrchr(text, ')');
    ASSERT_TRUE(at);
    for (int field = 2; field < 22; field++)
        at = strchr(at + 1, ' ');
    return (double)atoll(at) / (double)sysconf(_SC_CLK_TCK);
}

// Seconds between two readings, on a machine that may be busy.
#define EXPECT_NEAR(a, b) EXPECT_TRUE((a) - (b) < 5 && (b) - (a) < 5)

TEST(all_agree)
{
    double boot = clock_now(CLOCK_BOOTTIME), up = uptime();
    struct sysinfo info;
    EXPECT_OK(sysinfo(&info));
    EXPECT_TRUE(up >= boot - 0.02);  // hundredths are cut
    EXPECT_NEAR(up, boot);
    EXPECT_NEAR((double)info.uptime, boot);
    EXPECT_NEAR((double)boot_second() + boot, (double)time(NULL));
    EXPECT_TRUE(boot > 0 && clock_now(CLOCK_MONOTONIC) > 0);
    EXPECT_TRUE(clock_now(CLOCK_MONOTONIC) <= clock_now(CLOCK_BOOTTIME));
}

TEST(processes_start_since_boot)
{
    double before = uptime(), mine = started("/proc/self/stat");
    EXPECT_TRUE(mine >= 0 && mine <= before);
    EXPECT_NEAR(mine, before);
    IN_CHILD {
        double own = started("/proc/self/stat"), after = clock_now(CLOCK_BOOTTIME);
        EXPECT_TRUE(own >= before - 0.02 && own <= after);
        EXPECT_TRUE(own >= mine);
    }
}

// Deadlines are of the same clocks.
TEST(absolute_sleeps)
{
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (int i = 0; i < 2; i++) {
        struct timespec ts, after;
        ASSERT_OK(clock_gettime(clocks[i], &ts));
        ts.tv_nsec += 20000000;
        ts.tv_sec += ts.tv_nsec / 1000000000;
        ts.tv_nsec %= 1000000000;
        EXPECT_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &ts, NULL), 0);
        EXPECT_OK(clock_gettime(clocks[i], &after));
        EXPECT_TRUE(after.tv_sec > ts.tv_sec || (after.tv_sec == ts.tv_sec && after.tv_nsec >= ts.tv_nsec));
        EXPECT_RANGE(after.tv_sec - ts.tv_sec, 0, 5);
    }
}
