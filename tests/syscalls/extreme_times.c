// SPDX-License-Identifier: Apache-2.0
// covers: utime, utimes, utimensat, futimesat, nanosleep, clock_nanosleep, timer_settime, timerfd_settime,
// setitimer covers: select, pselect6, ppoll, poll, epoll_wait, epoll_pwait2, futex, semtimedop,
// rt_sigtimedwait, clock_settime Times at the ends of what their types hold: refused, cut to what a file
// system has, or waited for; never a wrong moment.
#include "guest.h"

#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <utime.h>

// ---- Times of files ---------------------------------------------------------------------------------------
// A file system keeps the seconds, or its own first or last one: ext4's are of 1901 and 2446.
static void expect_time(const struct timespec *got, long sec)
{
    const long early = -2147483648L, late = 9000000000L;
    if (sec > late)
        EXPECT_GE(got->tv_sec, late);
    else if (sec < early)
        EXPECT_TRUE(got->tv_sec <= early);
    else
        EXPECT_EQ(got->tv_sec, sec);
    EXPECT_RANGE(got->tv_nsec, 0, 999999999);
}

static void expect_times(long atime, long mtime)
{
    struct stat st;
    ASSERT_OK(stat("f", &st));
    expect_time(&st.st_atim, atime);
    expect_time(&st.st_mtim, mtime);
}

static const long seconds[] = {0,
                               -1,
                               1,
                               2147483647L,
                               -2147483648L,
                               9223372036L,
                               9223372037L,
                               -9223372037L,
                               1L << 40,
                               -(1L << 40),
                               LONG_MAX,
                               LONG_MIN,
                               LONG_MAX - 1,
                               LONG_MIN + 1,
                               LONG_MAX / 1000000000,
                               LONG_MIN / 1000000000};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

TEST(files)
{
    in_tmpdir();
    put_file("f", "");
    for (size_t i = 0; i < COUNT(seconds); i++) {
        long a = seconds[i], m = seconds[COUNT(seconds) - 1 - i];
        struct timespec ts[2] = {{a, 999999999}, {m, 0}};
        EXPECT_OK(syscall(SYS_utimensat, AT_FDCWD, "f", ts, 0));
        expect_times(a, m);
        struct timeval tv[2] = {{m, 999999}, {a, 0}};
        EXPECT_OK(syscall(SYS_utimes, "f", tv));
        expect_times(m, a);
        EXPECT_OK(syscall(SYS_futimesat, AT_FDCWD, "f", tv));
        expect_times(m, a);
        struct utimbuf buf = {a, m};
        EXPECT_OK(syscall(SYS_utime, "f", &buf));
        expect_times(a, m);
    }
}

TEST(parts_of_a_second)
{
    in_tmpdir();
    put_file("f", "");
    const long bad[] = {1000000000, -1, LONG_MAX, LONG_MIN, UTIME_NOW + 2L, UTIME_OMIT - 1L};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct timespec ts[2] = {{1, bad[i]}, {1, 0}};
        EXPECT_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", ts, 0), EINVAL);
        struct timeval tv[2] = {{1, 0}, {1, bad[i]}};
        EXPECT_ERRNO(syscall(SYS_utimes, "f", tv), EINVAL);
        EXPECT_ERRNO(syscall(SYS_futimesat, AT_FDCWD, "f", tv), EINVAL);
    }
    struct timespec omit[2] = {{LONG_MAX, UTIME_OMIT}, {LONG_MIN, UTIME_OMIT}};
    EXPECT_OK(syscall(SYS_utimensat, AT_FDCWD, "f", omit, 0));
    struct timespec now[2] = {{LONG_MAX, UTIME_NOW}, {LONG_MIN, UTIME_NOW}};
    EXPECT_OK(syscall(SYS_utimensat, AT_FDCWD, "f", now, 0));
    struct stat st;
    EXPECT_OK(stat("f", &st));
    EXPECT_RANGE(st.st_mtime, 1600000000, 4000000000);
}

// ---- Waits ------------------------------------------------------------------------------------------------
static void nothing(int sig) { (void)sig; }

static void interrupt_soon(timer_t *timer)
{
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec every = {{0, 20000000}, {0, 20000000}};
    struct sigaction sa = {.sa_handler = nothing};
    ASSERT_OK(sigaction(SIGUSR1, &sa, NULL));
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &ev, timer));
    ASSERT_OK(timer_settime(*timer, 0, &every, NULL));
}

TEST(far_deadlines_are_waited_for)
{
    const long far[] = {LONG_MAX, LONG_MAX - 1, 9223372037L, LONG_MAX / 1000000};
    int word = 0, ep = ASSERT_OK(epoll_create1(0)), sem = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600)), pair[2];
    struct sembuf op = {0, -1, 0};
    struct epoll_event ev;
    sigset_t usr2;
    timer_t timer;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    interrupt_soon(&timer);
    for (size_t i = 0; i < COUNT(far); i++) {
        struct timespec ts = {far[i], 999999999};
        EXPECT_ERRNO(syscall(SYS_nanosleep, &ts, NULL), EINTR);
        EXPECT_EQ(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), -1);
        EXPECT_EQ(errno, EINTR);
        EXPECT_EQ(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, TIMER_ABSTIME, &ts, NULL), -1);
        EXPECT_EQ(errno, EINTR);
        EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts), EINTR);
        EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &ts, NULL, -1), EINTR);
        EXPECT_ERRNO(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8), EINTR);
        EXPECT_ERRNO(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, NULL), EINTR);
        EXPECT_ERRNO(syscall(SYS_semtimedop, sem, &op, 1, &ts), EINTR);
        EXPECT_ERRNO(syscall(SYS_rt_sigtimedwait, &usr2, NULL, &ts, 8), EINTR);
        long r = syscall(SYS_epoll_pwait2, ep, &ev, 1, &ts, NULL, 8);
        EXPECT_TRUE(r == -1 && (errno == EINTR || errno == ENOSYS));
        struct timeval tv = {far[i], 999999};
        EXPECT_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), EINTR);
        EXPECT_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
        EXPECT_ERRNO(recv(pair[0], &word, 1, 0), EINTR);
    }
    EXPECT_ERRNO(poll(NULL, 0, INT_MAX), EINTR);
    EXPECT_ERRNO(poll(NULL, 0, INT_MIN), EINTR);
    EXPECT_ERRNO(epoll_wait(ep, &ev, 1, INT_MAX), EINTR);
    EXPECT_ERRNO(epoll_wait(ep, &ev, 1, INT_MIN), EINTR);
    EXPECT_OK(timer_delete(timer));
    EXPECT_OK(semctl(sem, 0, IPC_RMID));
    close(ep);
    close(pair[0]);
    close(pair[1]);
}

// Microseconds that are no fraction of a second, whatever is wrong with those nanoseconds.
static long wrong_us(long ns)
{
    switch (ns) {
    case 0:
        return -1;
    case 1000000000:
        return 1000000;
    default:
        return ns;
    }
}

TEST(what_is_no_time)
{
    const struct timespec bad[] = {{-1, 0},
                                   {LONG_MIN, 0},
                                   {0, -1},
                                   {0, 1000000000},
                                   {0, LONG_MAX},
                                   {0, LONG_MIN},
                                   {LONG_MAX, LONG_MAX},
                                   {LONG_MIN, LONG_MIN}};
    int word = 0, sem = ASSERT_OK(semget(IPC_PRIVATE, 1, 0600)),
        fd = ASSERT_OK(timerfd_create(CLOCK_MONOTONIC, 0)), pair[2];
    struct sembuf op = {0, -1, 0};
    sigset_t usr2;
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    ASSERT_OK(timer_create(CLOCK_MONOTONIC, &none, &timer));
    ASSERT_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    for (size_t i = 0; i < COUNT(bad); i++) {
        const struct timespec *ts = &bad[i];
        struct itimerspec its = {{0, 0}, *ts}, again = {*ts, {1, 0}};
        EXPECT_ERRNO(syscall(SYS_nanosleep, ts, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, ts, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 0, ts), EINVAL);
        EXPECT_ERRNO(syscall(SYS_ppoll, NULL, 0, ts, NULL, 8), EINVAL);
        EXPECT_ERRNO(syscall(SYS_pselect6, 0, NULL, NULL, NULL, ts, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_semtimedop, sem, &op, 1, ts), EINVAL);
        EXPECT_ERRNO(syscall(SYS_rt_sigtimedwait, &usr2, NULL, ts, 8), EINVAL);
        EXPECT_ERRNO(syscall(SYS_timer_settime, timer, 0, &its, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_timer_settime, timer, 0, &again, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_timerfd_settime, fd, 0, &its, NULL), EINVAL);
        EXPECT_ERRNO(syscall(SYS_timerfd_settime, fd, 0, &again, NULL), EINVAL);
        long r = syscall(SYS_clock_settime, CLOCK_REALTIME, ts);
        EXPECT_TRUE(r == -1 && errno == EINVAL);
        struct timeval tv = {0, wrong_us(ts->tv_nsec)};
        struct itimerval itv = {{0, 0}, tv};
        EXPECT_ERRNO(syscall(SYS_setitimer, ITIMER_VIRTUAL, &itv, NULL), EINVAL);
        EXPECT_ERRNO(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
    }
    struct timeval minus = {LONG_MIN, 0};
    EXPECT_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &minus), EINVAL);
    EXPECT_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &minus, sizeof(minus)));  // negative: none
    EXPECT_OK(timer_delete(timer));
    EXPECT_OK(semctl(sem, 0, IPC_RMID));
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

TEST(far_timers_do_not_fire)
{
    const long far[] = {LONG_MAX, 9223372036L, 9223372037L, LONG_MAX / 1000};
    const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    for (size_t i = 0; i < COUNT(far); i++) {
        struct itimerspec its = {{far[i], 999999999}, {far[i], 999999999}}, now;
        struct sigevent none = {.sigev_notify = SIGEV_NONE};
        for (size_t c = 0; c < COUNT(clocks); c++) {
            timer_t timer;
            int fd = ASSERT_OK(timerfd_create(clocks[c], TFD_NONBLOCK));
            uint64_t ticks;
            ASSERT_OK(timer_create(clocks[c], &none, &timer));
            for (int absolute = 0; absolute < 2; absolute++) {
                EXPECT_OK(timer_settime(timer, absolute ? TIMER_ABSTIME : 0, &its, NULL));
                EXPECT_OK(timer_gettime(timer, &now));
                EXPECT_GE(now.it_value.tv_sec, 1000000000L);
                EXPECT_OK(timerfd_settime(fd, absolute ? TFD_TIMER_ABSTIME : 0, &its, NULL));
                EXPECT_OK(timerfd_gettime(fd, &now));
                EXPECT_GE(now.it_value.tv_sec, 1000000000L);
                EXPECT_ERRNO(read(fd, &ticks, 8), EAGAIN);
            }
            EXPECT_OK(timer_delete(timer));
            close(fd);
        }
        struct itimerval itv = {{far[i], 999999}, {far[i], 999999}}, left;
        EXPECT_OK(setitimer(ITIMER_VIRTUAL, &itv, NULL));
        EXPECT_OK(getitimer(ITIMER_VIRTUAL, &left));
        EXPECT_OK(setitimer(ITIMER_VIRTUAL, &(struct itimerval){0}, NULL));
    }
}
