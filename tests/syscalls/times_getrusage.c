// SPDX-License-Identifier: Apache-2.0
// covers: times, getrusage
// Processor time of the process, its threads and its children (man 2 getrusage, man 2 times).
#include "guest.h"

#include <sys/resource.h>
#include <sys/times.h>

static int64_t microseconds(const struct rusage *usage)
{
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000LL + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

static void burn(int ms)
{
    clock_t until = clock() + ms * (CLOCKS_PER_SEC / 1000);
    while (clock() < until)
        ;
}

TEST(self_grows)
{
    struct rusage before, after;
    EXPECT_OK(getrusage(RUSAGE_SELF, &before));
    burn(60);
    EXPECT_OK(getrusage(RUSAGE_SELF, &after));
    EXPECT_GE(microseconds(&after) - microseconds(&before), 30000);
    EXPECT_GE(after.ru_maxrss, 100);
    EXPECT_OK(getrusage(RUSAGE_THREAD, &after));
}

ROLE(still_used)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 && microseconds(&usage) >= 50000 ? 0 : 1;
}

TEST(exec_keeps_what_was_used)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        burn(60);
        execl(guest.exe, guest.exe, "still_used", NULL);
        _exit(99);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(children_count_when_reaped)
{
    IN_CHILD {
        struct rusage usage;
        pid_t pid = fork();
        if (pid == 0) {
            burn(60);
            _exit(0);
        }
        siginfo_t info;
        EXPECT_OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
        EXPECT_OK(getrusage(RUSAGE_CHILDREN, &usage));
        EXPECT_EQ(microseconds(&usage), 0);
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_OK(getrusage(RUSAGE_CHILDREN, &usage));
        EXPECT_GE(microseconds(&usage), 30000);
        struct tms tms;
        EXPECT_OK(times(&tms));
        EXPECT_GE(tms.tms_cutime + tms.tms_cstime, 3);
    }
}

TEST(clock_ticks_advance)
{
    struct tms tms;
    clock_t a = times(&tms);
    sleep_ms(50);
    EXPECT_GE(times(&tms) - a, 4);
}

TEST(errors)
{
    struct rusage usage;
    EXPECT_ERRNO(getrusage(99, &usage), EINVAL);
    EXPECT_ERRNO(syscall(SYS_getrusage, RUSAGE_SELF, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_times, KERNEL_POINTER), EFAULT);
}

TEST(largest_child)
{
    IN_CHILD {
        struct rusage usage, waited;
        EXPECT_OK(getrusage(RUSAGE_CHILDREN, &usage));
        EXPECT_EQ(usage.ru_maxrss, 0);
        pid_t pid = fork_child();
        if (pid == 0) {
            char *large = map_pages(10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
            memset(large, 1, 10000 * 4096UL);
            munmap(large, 10000 * 4096UL);
            child_done();
        }
        EXPECT_EQ(wait4(pid, NULL, 0, &waited), pid);
        EXPECT_GE(waited.ru_maxrss, 40000);
        EXPECT_OK(getrusage(RUSAGE_CHILDREN, &usage));
        EXPECT_GE(usage.ru_maxrss, 40000);
    }
}

static uint64_t system_us(int who) {
    struct rusage ru;
    EXPECT_OK(getrusage(who, &ru));
    return (uint64_t)ru.ru_stime.tv_sec * 1000000 + (uint64_t)ru.ru_stime.tv_usec;
}

// Until calls have cost 30 ms of system time: false when a minute was not enough for that.
static bool call_a_lot(void) {
    for (int64_t end = now_ms() + 60000; now_ms() < end;) {
        for (int i = 0; i < 5000; i++)
            syscall(SYS_getppid);
        if (system_us(RUSAGE_SELF) >= 30000)
            return true;
    }
    return false;
}

static unsigned long system_ticks(const char *path, int field) {
    char text[2048];
    get_file(path, text, sizeof(text));
    char *at = strrchr(text, ')') ? strrchr(text, ')') : text;
    for (; field > 0 && at; field--)
        at = strchr(at + 1, ' ');
    return at ? strtoul(at, NULL, 10) : 0;
}

TEST(system_time_is_told_apart) {
    pid_t child = fork_child();
    if (child == 0)
        _exit(call_a_lot() && system_ticks("/proc/self/stat", 13) >= 2 ? 0 : 1);
    int status;
    struct rusage ru;
    ASSERT_EQ(wait4(child, &status, 0, &ru), child);
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(ru.ru_stime.tv_sec > 0 || ru.ru_stime.tv_usec >= 30000);
    EXPECT_TRUE(system_us(RUSAGE_CHILDREN) >= 30000);
    struct tms t;
    ASSERT_TRUE(times(&t) != (clock_t)-1);
    EXPECT_TRUE(t.tms_cstime >= 2);
    EXPECT_TRUE(system_ticks("/proc/self/stat", 15) >= 2);
    EXPECT_TRUE(system_ticks("/proc/stat", 4) >= 2);  // "cpu", then two blanks
}
