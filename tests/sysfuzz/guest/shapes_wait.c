// SPDX-License-Identifier: Apache-2.0
// Shapes that wait: poll, select, epoll, futexes, sleeps, timers, signals.
#include "fuzz.h"
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>

static int ms(void) { return one_in(30) ? -1 : (int)below(one_in(6) ? 30 : 4); }

// ---- Files ------------------------------------------------------------------------------------------------
// Many entries of one file too: each is a waiter of its own.
static void sh_poll(void) {
    unsigned n = 1 + below(one_in(2) ? 40 : 6);
    struct pollfd *p = room(n * sizeof *p);
    int fd = one_in(3) ? (int)call(SYS_eventfd2, 0, 0) : any_fd();
    fill("pollfd", 6, p, n);
    for (unsigned i = 0; i < n; i++)
        if (!one_in(4))
            p[i] = (struct pollfd){fd, one_in(4) ? POLLOUT : POLLIN, 0};
    if (one_in(3))
        call(SYS_ppoll, p, n, short_time(), one_in(2) ? any_sigset() : NULL, 8);
    else
        call(SYS_poll, p, n, ms());
    if (one_in(2))
        call(SYS_close, fd);
}

static void sh_select(void) {
    uint64_t *sets = room(64);
    for (int i = 0; i < 3; i++)
        sets[i] = one_in(2) ? 1ull << below(64) : rnd() & rnd() & rnd();
    if (one_in(2)) {
        struct timeval *tv = room(sizeof *tv);
        *tv = (struct timeval){0, (long)below(5000)};
        call(SYS_select, below(65), sets, sets + 1, sets + 2, tv);
    } else {
        struct {
            uint64_t *set, len;
        } *mask = room(16);
        mask->set = any_sigset();
        mask->len = 8;
        call(SYS_pselect6, below(65), sets, sets + 1, sets + 2, short_time(), mask);
    }
}

static void sh_epoll_ctl(void) {
    struct epoll_event *ev = room(sizeof *ev);
    fill("epoll_event", 11, ev, 1);
    call(SYS_epoll_ctl, any_fd(), 1 + below(3), any_fd(), ev);
}

static void sh_epoll(void) {
    int ep = one_in(2) ? (int)call(SYS_epoll_create1, 0) : any_fd();
    for (unsigned n = below(6); n > 0; n--) {
        struct epoll_event *ev = room(sizeof *ev);
        fill("epoll_event", 11, ev, 1);
        call(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, any_fd(), ev);
    }
    switch (below(3)) {
    case 0:
        call(SYS_epoll_wait, ep, room(512), 1 + below(32), ms());
        break;
    case 1:
        call(SYS_epoll_pwait, ep, room(512), 1 + below(32), ms(), any_sigset(), 8);
        break;
    default:
        call(SYS_epoll_pwait2, ep, room(512), 1 + below(32), short_time(), one_in(2) ? any_sigset() : NULL,
             8);
    }
    if (one_in(2))
        call(SYS_close, ep);
}

static void sh_eventfd(void) {
    uint64_t *v = room(8);
    int fd = one_in(3) ? (int)call(SYS_eventfd2, below(3), flags_of("eventfd", 7, false)) : any_fd();
    *v = one_in(6) ? UINT64_MAX - 1 : below(3);
    call(SYS_write, fd, v, 8);
    if (one_in(3))
        call(SYS_read, fd, v, 8);
}

// ---- Futexes ----------------------------------------------------------------------------------------------
static uint32_t *word(void) {  // few, so that waiters and wakers meet
    return (uint32_t *)((one_in(2) ? SHARED_AT : PRIVATE_AT) + (one_in(8) ? STABLE + below(8) : 0) * PAGE +
                        4ul * below(4));
}

static void sh_futex_wait(void) {
    uint32_t *w = word(), op = one_in(2) ? FUTEX_WAIT : FUTEX_WAIT_BITSET;
    uint32_t v = one_in(8) ? 1 : *w;
    call(SYS_futex, w, op | (one_in(2) ? FUTEX_PRIVATE_FLAG : 0), v, op == FUTEX_WAIT ? short_time() : NULL,
         NULL, ~0u >> below(32));
}

static void sh_futex_wake(void) {
    uint32_t *w = word(), private = one_in(2) ? FUTEX_PRIVATE_FLAG : 0;
    switch (below(5)) {
    case 0:
        call(SYS_futex, w, FUTEX_REQUEUE | private, below(2), below(3), word(), 0);
        break;
    case 1:
        call(SYS_futex, w, FUTEX_CMP_REQUEUE | private, below(2), below(3), word(), *w);
        break;
    case 2:
        call(SYS_futex, w, FUTEX_WAKE_OP | private, 1, 1, word(), (uint32_t)rnd());
        break;
    default:
        call(SYS_futex, w, FUTEX_WAKE | private, 1 + below(3), NULL, NULL, 0);
    }
}

static void sh_futex_waitv(void) {
    struct {
        uint64_t val, uaddr;
        uint32_t flags, reserved;
    } *v = room(24 * 8);
    unsigned n = 1 + below(8);
    for (unsigned i = 0; i < n; i++) {
        v[i].uaddr = (uint64_t)word();
        v[i].val = one_in(16) ? 1 : *(uint32_t *)v[i].uaddr;
        v[i].flags = 2 | (one_in(2) ? 128 : 0);
        v[i].reserved = 0;
    }
    struct timespec *ts = short_time();
    if (ts) {
        call(SYS_clock_gettime, CLOCK_MONOTONIC, ts);
        ts->tv_nsec = (ts->tv_nsec + (long)below(4000000)) % 1000000000;
    }
    call(449, v, n, 0, ts, CLOCK_MONOTONIC);
}

static void sh_robust(void) {
    uint64_t *head = room(64);
    head[0] = one_in(4) ? (uint64_t)any_pointer() : (uint64_t)(head + 3);
    head[1] = below(32);
    head[2] = (uint64_t)any_pointer();
    head[3] = one_in(2) ? (uint64_t)head : (uint64_t)any_pointer();
    ((uint32_t *)head)[8 + below(8)] = (uint32_t)call(SYS_gettid) | (one_in(2) ? FUTEX_WAITERS : 0);
    call(SYS_set_robust_list, head, 24);
}

// ---- Time -------------------------------------------------------------------------------------------------
static void sh_sleep(void) {
    struct timespec *ts = room(sizeof *ts);
    *ts = (struct timespec){0, (long)below(3000000)};
    if (one_in(2))
        call(SYS_nanosleep, ts, any_pointer());
    else
        call(SYS_clock_nanosleep, below(12), one_in(4), ts, any_pointer());
    if (one_in(4))
        call(SYS_restart_syscall);
}

static void sh_itimer(void) {
    void *v = room(32);
    fill("itimerval", 9, v, 1);
    call(SYS_setitimer, below(3), v, one_in(2) ? room(32) : NULL);
}

static void sh_timer(void) {
    struct sigevent *sev = room(sizeof *sev);
    int *id = room(4);
    memset(sev, 0, sizeof *sev);
    sev->sigev_notify = pick(((const int[]){SIGEV_SIGNAL, SIGEV_NONE, 4 /* SIGEV_THREAD_ID */}));
    sev->sigev_signo = one_in(8) ? (int)any_int() : pick(((const int[]){SIGALRM, SIGUSR1, 34, 35}));
    *(int *)((char *)sev + 16) = one_in(2) ? (int)call(SYS_gettid) : any_pid();
    *id = (int)below(6);
    if (call(SYS_timer_create, pick(((const int[]){0, 1, 2, 3, 7, 9})), one_in(6) ? NULL : sev, id) < 0)
        *id = (int)below(6);
    void *v = room(32);
    fill("itimerspec", 10, v, 1);
    call(SYS_timer_settime, *id, one_in(6), v, one_in(2) ? room(32) : NULL);
    if (one_in(2))
        call(SYS_timer_delete, one_in(2) ? *id : (int)below(8));
}

static void sh_timerfd(void) {
    int fd = one_in(2) ? (int)call(SYS_timerfd_create, pick(((const int[]){0, 1, 7})), one_in(3) ? 04000 : 0)
                       : any_fd();
    void *v = room(32);
    fill("itimerspec", 10, v, 1);
    call(SYS_timerfd_settime, fd, below(4), v, NULL);
    if (one_in(2))
        call(SYS_read, fd, room(8), 8);
}

// ---- Signals ----------------------------------------------------------------------------------------------
static void sh_sigwait(void) {
    call(SYS_rt_sigtimedwait, any_sigset(), one_in(2) ? room(128) : NULL, short_time(), 8);
}

static void sh_sigsuspend(void) {
    call(SYS_alarm, 1);
    sh_itimer();
    if (one_in(2))
        call(SYS_rt_sigsuspend, any_sigset(), 8);
    else
        call(SYS_pause);
}

static void sh_signalfd(void) {
    int fd = (int)call(SYS_signalfd4, one_in(3) ? any_fd() : -1, any_sigset(), 8, one_in(2) ? 04000 : 0);
    call(SYS_tgkill, call(SYS_getpid), call(SYS_gettid), SIGUSR2);
    if (one_in(2))
        call(SYS_read, fd, room(256), 128 * (1 + below(2)));
}

static void sh_mask(void) { call(SYS_rt_sigprocmask, below(3), any_sigset(), one_in(2) ? room(8) : NULL, 8); }

const struct shape wait_shapes[] = {
    {sh_poll, 12},      {sh_select, 6},      {sh_epoll, 6},       {sh_epoll_ctl, 6}, {sh_eventfd, 8},
    {sh_futex_wait, 8}, {sh_futex_wake, 12}, {sh_futex_waitv, 4}, {sh_robust, 2},    {sh_sleep, 3},
    {sh_itimer, 3},     {sh_timer, 5},       {sh_timerfd, 5},     {sh_sigwait, 4},   {sh_sigsuspend, 2},
    {sh_signalfd, 4},   {sh_mask, 3},        {NULL, 0},
};
