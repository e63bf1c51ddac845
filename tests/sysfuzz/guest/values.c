// SPDX-License-Identifier: Apache-2.0
// Random values of each kind that abi/syscalls.def knows: mostly such that a call gets far, sometimes bad
// ones.
#include "fuzz.h"
#include "abi/flags.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>

uint64_t mix(uint64_t a, uint64_t b) {  // never 0
    uint64_t x = (a + 0x9e3779b97f4a7c15ull) ^ b * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 31) * 0x94d049bb133111ebull;
    return (x ^ x >> 29) | 1ull << 63;
}

uint64_t now_ns(void) {
    struct timespec ts;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

// ---- Scalars ----------------------------------------------------------------------------------------------
int any_fd(void) {
    static const int odd[] = {-1, AT_FDCWD, 0, 1, 2, 63, 64, 1000000, INT32_MAX};
    return one_in(24) ? pick(odd) : (int)below(one_in(3) ? FD_LIMIT : 24);
}

int any_pid(void) {
    unsigned n = atomic_load(&control->npids);
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return (int)call(SYS_getpid);
    case 2:
        return (int)call(SYS_gettid);
    case 3:
        return one_in(4) ? -1 : INT32_MAX;
    default: {
        int pid = n ? atomic_load(&control->pids[below(n < PIDS ? n : PIDS)]) : 0;
        return pid > 2 ? pid : 0;
    }
    }
}

int any_signal(void) {
    static const int usual[] = {0,       SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM, SIGPIPE, SIGIO,
                                SIGURG,  34,      35,      64,      SIGTERM, SIGHUP,  SIGWINCH,
                                SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGQUIT, SIGPROF, SIGVTALRM};
    if (one_in(40))
        return one_in(2) ? SIGKILL : (int)any_int();
    return one_in(6) ? (int)below(66) : pick(usual);
}

uint64_t any_int(void) {
    static const uint64_t odd[] = {(uint64_t)-1, (uint64_t)-2, INT32_MAX,  1ull << 31, UINT32_MAX,
                                   1ull << 32,   INT64_MAX,    1ull << 63, 4095,       4096,
                                   4097,         65535,        65536,      1000};
    switch (below(6)) {
    case 0:
        return pick(odd);
    case 1:
        return rnd() >> below(64);
    case 2:
        return 1ull << below(64);
    default:
        return below(10);
    }
}

uint64_t any_size(void) {
    static const uint64_t usual[] = {0,  1,  2,   4,   7,   8,   8,    8,    12,   16,  24,
                                     56, 64, 100, 128, 256, 512, 1000, 4096, 4097, 8192};
    return one_in(12) ? any_int() : pick(usual);
}

uint64_t flags_of(const char *set, size_t len, bool one) {
    const struct flagset *s = flagset_find(set, len);
    if (!s || !s->count || one_in(30))
        return any_int();
    uint64_t v = 0;
    for (unsigned n = one ? 1 : below(4); n > 0; n--)
        v |= s->entries[below((unsigned)s->count)].value;
    return v;
}

// ---- Memory -----------------------------------------------------------------------------------------------
static char *page(uint64_t arena, unsigned n) { return (char *)(arena + n * PAGE); }

void *room(size_t len) {
    size_t off = below(16) ? (rnd() % (SLOT_PAGES * PAGE - 1024)) & ~7ul : rnd() % (SLOT_PAGES * PAGE);
    if (one_in(16))
        off = SLOT_PAGES * PAGE - len % PAGE;  // up to the last byte of the slot
    unsigned slot = one_in(4) ? below(SLOTS) : me.slot % SLOTS;
    return page(one_in(8) ? SHARED_AT : PRIVATE_AT, slot * SLOT_PAGES) + off;
}

void *any_pointer(void) {
    static const uint64_t bad[] = {
        0, 1, 4096, 0xffff800000000000ull, 1ull << 47, (1ull << 47) - 8, (uint64_t)-8, 0x400000};
    switch (below(24)) {
    case 0:
        return (void *)(uintptr_t)pick(bad);
    case 1:  // the end of the arenas, and the page of zeros between nothing
        return page(one_in(2) ? SHARED_AT : PRIVATE_AT, ARENA_PAGES) - below(64);
    case 2:
    case 3:
    case 4:  // what others unmap
        return page(one_in(3) ? SHARED_AT : PRIVATE_AT, STABLE + below(ARENA_PAGES - STABLE)) +
               (rnd() & 0xff8);
    case 5:  // over the edge of a page
        return page(PRIVATE_AT, STABLE + below(ARENA_PAGES - STABLE)) - 1 - below(32);
    default:
        return room(64);
    }
}

// The first LIKELY ones are what the processes make, link, rename and remove of each other.
enum { LIKELY = 18 };
static const char *const names[] = {
    "a", "b", "c", "d", "d/a", "d/b", "e", "e/a", "d/e", "d/e/a", "./a", "d/../b", "fifo", "fifo2", "s1",
    "s2", "link", "link2", ".", "..", "", "/", "/tmp", "/dev/null", "/dev/zero", "/dev/shm/x",
    "/dev/urandom", "/etc/passwd", "/usr/bin", "/bin/true", "/nothing/here", "a/b", "/proc/self/maps",
    "/proc/self/status", "/proc/self/fd", "/proc/self/fd/5", "/proc/self/task", "/proc/self/exe",
    "/proc/self/mem", "/proc/stat", "/proc/thread-self/stat", "/proc/self/fdinfo/4", "/proc/self/cwd/a",
    "/proc/meminfo", "/proc", "/dev/fd/7", "/proc/self/environ", "/proc/locks", "/proc/sysvipc/msg",
    "/host/a", "/host/b", "/host/d", "/host/d/a", "/host/e", "/host/fifo", "/host/link", "/host", "/sys",
    "user.a", "user.b", "security.capability", "trusted.x", "system.posix_acl_access",
};

const char *any_path(void) {
    if (one_in(40))
        return any_pointer();
    char *p = room(128);
    if (one_in(16))
        snprintf(p, 64, "/proc/%d/%s", any_pid(),
                 pick(((const char *[]){"maps", "stat", "status", "fd", "task", "cwd", "comm"})));
    else
        strcpy(p, below(3) ? names[below(LIKELY)] : pick(names));
    return p;
}

struct timespec *short_time(void) {
    if (one_in(20))
        return NULL;
    struct timespec *ts = room(sizeof *ts);
    *ts = (struct timespec){0, one_in(4) ? 0 : (long)below(one_in(8) ? 30000000 : 3000000)};
    if (one_in(40))
        fill("bytes", 5, ts, sizeof *ts);
    return ts;
}

uint64_t *any_sigset(void) {
    uint64_t *set = room(8);
    *set = one_in(8) ? rnd() : 0;
    for (unsigned n = below(4); n > 0; n--)
        *set |= 1ull << (any_signal() - 1) % 64;
    return set;
}

// ---- Typed memory -----------------------------------------------------------------------------------------
static void fill_bytes(void *at, unsigned n) {
    if (one_in(3))
        memset(at, one_in(2) ? 0 : 'A', n);
    else
        for (unsigned i = 0; i + 8 <= n && i < 512; i += 8)
            *(uint64_t *)((char *)at + i) = any_int();
}
static void fill_timespec(void *at, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        ((struct timespec *)at)[i] = (struct timespec){0, (long)below(4000000)};
}
static void fill_timeval(void *at, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        ((struct timeval *)at)[i] = (struct timeval){0, (long)below(4000)};
}
static void fill_int(void *at, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        ((int *)at)[i] = one_in(3) ? any_fd() : (int)any_int();
}
static void fill_long(void *at, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        ((uint64_t *)at)[i] = one_in(2) ? below(10000) : any_int();
}
static void fill_sigset(void *at, unsigned n) { *(uint64_t *)at = *any_sigset(); }
static void fill_iovec(void *at, unsigned n) {
    for (unsigned i = 0; i < n && i < 16; i++)
        ((struct iovec *)at)[i] = (struct iovec){any_pointer(), one_in(20) ? any_size() : below(3000)};
}
static void fill_sockaddr(void *at, unsigned n) {
    struct sockaddr_un *un = at;
    un->sun_family = one_in(12) ? (sa_family_t)below(20) : AF_UNIX;
    snprintf(un->sun_path, 16, one_in(2) ? "s%u" : "%cx%u", one_in(2) ? 0 : 1 + below(3), below(4));
}
static void fill_pollfd(void *at, unsigned n) {
    for (unsigned i = 0; i < n && i < 64; i++)
        ((struct pollfd *)at)[i] = (struct pollfd){any_fd(), (short)flags_of("poll", 4, false), 0};
}
static void fill_epoll(void *at, unsigned n) {
    *(struct epoll_event *)at = (struct epoll_event){(uint32_t)flags_of("epoll", 5, false), {.u64 = rnd()}};
}
// An interval, then the first expiry, each in seconds and a fraction. Few are so short that signals are all
// that happens.
static void fill_timer(uint64_t *v, unsigned unit) {
    memset(v, 0, 4 * sizeof *v);
    if (!one_in(2))
        v[1] = (one_in(20) ? 1 : unit) * (1 + below(20));
    if (!one_in(6))
        v[3] = (one_in(8) ? 1 : unit) * (1 + below(20));
}
static void fill_itimerval(void *at, unsigned n) { fill_timer(at, 1000); }
static void fill_itimerspec(void *at, unsigned n) { fill_timer(at, 1000000); }
static void fill_flock(void *at, unsigned n) {
    *(struct flock *)at = (struct flock){(short)below(3), SEEK_SET, below(4) * 10, below(3) * 10, 0};
}
static void fill_fdset(void *at, unsigned n) { *(uint64_t *)at = rnd() & rnd(); }

static const struct {
    const char *type;
    void (*fn)(void *at, unsigned n);
    unsigned size;
} fillers[] = {
    {"timespec", fill_timespec, 16},
    {"timeval", fill_timeval, 16},
    {"int", fill_int, 4},
    {"u32", fill_int, 4},
    {"long", fill_long, 8},
    {"u64", fill_long, 8},
    {"sigset", fill_sigset, 8},
    {"iovec", fill_iovec, 16},
    {"sockaddr", fill_sockaddr, 1},
    {"pollfd", fill_pollfd, 8},
    {"epoll_event", fill_epoll, 12},
    {"itimerspec", fill_itimerspec, 32},
    {"itimerval", fill_itimerval, 32},
    {"flock", fill_flock, 32},
    {"fdset", fill_fdset, 8},
};

void fill(const char *type, size_t len, void *at, unsigned count) {
    for (unsigned i = 0; i < sizeof fillers / sizeof fillers[0]; i++)
        if (strlen(fillers[i].type) == len && !strncmp(fillers[i].type, type, len)) {
            fillers[i].fn(at, count > 16 && strcmp(fillers[i].type, "pollfd") ? 16 : count);
            return;
        }
    fill_bytes(at, count > 512 ? 512 : count);
}
