// SPDX-License-Identifier: Apache-2.0
// covers: unshare, setns, clock_gettime, clock_nanosleep, timerfd_settime, timer_settime, sysinfo
// Time namespaces (man 7 time_namespaces): offsets, who may set them until when, and every way that a time
// goes in or out.
#include "guest.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#define DAY 86400

static void own_time(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_ADMIN");
    if (unshare(CLONE_NEWTIME) == -1 && (errno == EPERM || errno == EINVAL))
        SKIP("no time namespaces");
}
static int set_offsets(const char *text) {
    int fd = open("/proc/self/timens_offsets", O_WRONLY);
    ssize_t n = write(fd, text, strlen(text));
    int err = errno;
    close(fd);
    errno = err;
    return n == (ssize_t)strlen(text) ? 0 : -1;
}
// By a call, not by the vDSO.
static int64_t seconds(int clock) {
    struct timespec ts = {0};
    EXPECT_OK(syscall(SYS_clock_gettime, clock, &ts));
    return ts.tv_sec;
}
static struct timespec in_ms(int clock, int ms) {
    struct timespec ts = {0};
    EXPECT_OK(syscall(SYS_clock_gettime, clock, &ts));
    ts.tv_nsec += ms * 1000000L;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    return ts;
}
static bool near(int64_t a, int64_t b) { return a >= b && a < b + 600; }
static bool same_ns(const char *a, const char *b) {
    char x[64] = {0}, y[64] = {0};
    EXPECT_TRUE(readlink(a, x, sizeof(x) - 1) > 0 && readlink(b, y, sizeof(y) - 1) > 0);
    return strcmp(x, y) == 0;
}

TEST(children_are_in_it) {
    IN_CHILD {
        own_time();
        int64_t mono = seconds(CLOCK_MONOTONIC), boot = seconds(CLOCK_BOOTTIME),
                real = seconds(CLOCK_REALTIME);
        char text[256] = {0};
        EXPECT_TRUE(!same_ns("/proc/self/ns/time", "/proc/self/ns/time_for_children"));
        get_file("/proc/self/timens_offsets", text, sizeof(text));
        ASSERT_OK(set_offsets("monotonic 864000 5\nboottime 8640000 0\n"));
        get_file("/proc/self/timens_offsets", text, sizeof(text));
        EXPECT_STREQ(text, "monotonic      864000         5\nboottime      8640000         0\n");
        EXPECT_TRUE(near(seconds(CLOCK_MONOTONIC), mono));  // not the caller itself
        pid_t pid = fork_child();
        if (pid == 0) {
            EXPECT_TRUE(same_ns("/proc/self/ns/time", "/proc/self/ns/time_for_children"));
            EXPECT_TRUE(near(seconds(CLOCK_MONOTONIC), mono + 10 * DAY));
            EXPECT_TRUE(near(seconds(CLOCK_MONOTONIC_COARSE), mono + 10 * DAY - 1));  // a tick behind
            EXPECT_TRUE(near(seconds(CLOCK_BOOTTIME), boot + 100 * DAY));
            EXPECT_TRUE(near(seconds(CLOCK_REALTIME), real));
            struct sysinfo s;
            EXPECT_OK(sysinfo(&s));
            EXPECT_TRUE(near(s.uptime, boot + 100 * DAY));
            double up = 0;
            get_file("/proc/uptime", text, sizeof(text));
            sscanf(text, "%lf", &up);
            EXPECT_TRUE(near((int64_t)up, boot + 100 * DAY));
            EXPECT_ERRNO(set_offsets("monotonic 1 0\n"), EACCES);
            _exit(guest.failures ? 1 : 0);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_ERRNO(set_offsets("monotonic 1 0\n"), EACCES);
    }
}

TEST(absolute_times) {
    IN_CHILD {
        own_time();
        ASSERT_OK(set_offsets("monotonic -1 0\nboottime 8640000 0\n"));
        pid_t pid = fork_child();
        if (pid == 0) {
            static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME};
            for (int i = 0; i < 2; i++) {
                int clock = clocks[i];
                struct timespec at = in_ms(clock, 30);
                EXPECT_EQ(syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &at, NULL), 0);
                struct timespec now = in_ms(clock, 0);
                EXPECT_TRUE(now.tv_sec > at.tv_sec || (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
                int fd = ASSERT_OK(timerfd_create(clock, 0));
                struct itimerspec set = {.it_value = in_ms(clock, 30)}, left;
                EXPECT_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL));
                EXPECT_OK(timerfd_gettime(fd, &left));
                EXPECT_EQ(left.it_value.tv_sec, 0);
                uint64_t n = 0;
                EXPECT_EQ(read(fd, &n, 8), 8);
                timer_t id;
                struct sigevent ev = {.sigev_notify = SIGEV_NONE};
                EXPECT_OK(timer_create(clock, &ev, &id));
                set.it_value = in_ms(clock, 30000);
                EXPECT_OK(timer_settime(id, TIMER_ABSTIME, &set, NULL));
                EXPECT_OK(timer_gettime(id, &left));
                EXPECT_TRUE(left.it_value.tv_sec <= 30);
                timer_delete(id);
            }
            uint32_t word = 0;
            struct timespec at = in_ms(CLOCK_MONOTONIC, 30);
            EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &at, NULL, ~0u), ETIMEDOUT);
            struct timespec now = in_ms(CLOCK_MONOTONIC, 0);
            EXPECT_TRUE(now.tv_sec > at.tv_sec || (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
            _exit(guest.failures ? 1 : 0);
        }
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

// By the library, which has a vDSO or not.
ROLE(by_library) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return argc > 2 && near(ts.tv_sec, atoll(argv[2])) ? 0 : 1;
}

TEST(exec_goes_over) {
    IN_CHILD {
        own_time();
        char want[32];
        ASSERT_OK(set_offsets("monotonic 8640000 0\n"));
        snprintf(want, sizeof(want), "%lld", (long long)seconds(CLOCK_MONOTONIC) + 100 * DAY);
        pid_t pid = fork_child();
        if (pid == 0) {
            execl(guest.exe, guest.exe, "by_library", want, (char *)NULL);
            _exit(2);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        // The caller itself, when it executes something.
        execl(guest.exe, guest.exe, "by_library", want, (char *)NULL);
        _exit(2);
    }
}

TEST(entered) {
    IN_CHILD {
        own_time();
        int64_t mono = seconds(CLOCK_MONOTONIC);
        ASSERT_OK(set_offsets("monotonic 8640000 0\n"));
        int fd = ASSERT_OK(open("/proc/self/ns/time_for_children", O_RDONLY));
        EXPECT_OK(setns(fd, CLONE_NEWTIME));
        EXPECT_TRUE(near(seconds(CLOCK_MONOTONIC), mono + 100 * DAY));
        EXPECT_TRUE(same_ns("/proc/self/ns/time", "/proc/self/ns/time_for_children"));
        EXPECT_ERRNO(set_offsets("monotonic 1 0\n"), EACCES);
    }
}

TEST(texts) {
    IN_CHILD {
        own_time();
        EXPECT_ERRNO(set_offsets("monotonic 1"), EINVAL);
        EXPECT_ERRNO(set_offsets("monotonic 1 1000000000\n"), EINVAL);
        EXPECT_ERRNO(set_offsets("realtime 1 0\n"), EINVAL);
        EXPECT_ERRNO(set_offsets("monotonic -9000000000 0\n"), ERANGE);
        EXPECT_ERRNO(set_offsets("monotonic 9000000000 0\n"), ERANGE);
        EXPECT_OK(set_offsets("1 7 0\n7 9 0"));
        char text[256] = {0};
        get_file("/proc/self/timens_offsets", text, sizeof(text));
        EXPECT_STREQ(text, "monotonic           7         0\nboottime            9         0\n");
    }
}

TEST(who_may) {
    IN_CHILD {
        own_time();
        ASSERT_OK(unshare(CLONE_NEWUSER));  // the time namespace is another's
        EXPECT_ERRNO(set_offsets("monotonic 1 0\n"), EPERM);
    }
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setresuid(65534, 65534, 65534));
        EXPECT_ERRNO(unshare(CLONE_NEWTIME), EPERM);
    }
}
