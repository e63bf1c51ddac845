// SPDX-License-Identifier: Apache-2.0
// covers: brk
// A break that goes up and down all the time. Whatever is done to make that faster, each page is there
// exactly while the break is above it: zero at first and whenever it comes back, the program's own, a fault
// else.
#include "guest.h"
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE 4096l
#define BUSY 300

static char *up(long pages) {
    char *p = sbrk(pages * PAGE);
    return p == (void *)-1 ? NULL : p;
}
static bool down(long pages) { return sbrk(-pages * PAGE) != (void *)-1; }
// From a whole page on, so that nothing of malloc's is in the way.
static void align_break(void) {
    uintptr_t at = (uintptr_t)sbrk(0);
    sbrk((intptr_t)(-at & (PAGE - 1)));
}
static bool moves(int times, bool touched, long pages) {
    for (int i = 0; i < times; i++) {
        char *p = up(pages);
        if (!p || (touched && (p[0] || p[pages * PAGE - 1])))
            return false;
        if (touched)
            p[0] = p[pages * PAGE - 1] = 1;
        if (!down(pages))
            return false;
    }
    return true;
}

static bool busy(bool touched, long pages) { return moves(BUSY, touched, pages); }

static sigjmp_buf out;
static siginfo_t seen;
static void on_fault(int sig, siginfo_t *si, void *uc) {
    (void)sig;
    (void)uc;
    seen = *si;
    siglongjmp(out, 1);
}
static void catch_faults(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}
static bool nothing_at(volatile char *p) {
    memset(&seen, 0, sizeof seen);
    if (sigsetjmp(out, 1) == 0) {
        (void)*p;
        return false;
    }
    return seen.si_signo == SIGSEGV && seen.si_code == SEGV_MAPERR && seen.si_addr == (void *)p;
}
static bool zeros(const char *p, long len) {
    for (long i = 0; i < len; i += 512)
        if (p[i] || p[len - 1])
            return false;
    return true;
}
// What /proc says of the heap's end; no malloc, which has a break of its own.
static uintptr_t heap_end(void) {
    static char text[1 << 16];
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t len = 0;
    for (ssize_t n;
         fd >= 0 && len < sizeof text - 1 && (n = read(fd, text + len, sizeof text - 1 - len)) > 0;)
        len += (size_t)n;
    close(fd);
    text[len] = '\0';
    char *line = strstr(text, "[heap]");
    while (line && line > text && line[-1] != '\n')
        line--;
    char *dash = line ? strchr(line, '-') : NULL;
    return dash ? strtoul(dash + 1, NULL, 16) : 0;
}

TEST(there_while_the_break_is_above) {
    align_break();
    catch_faults();
    for (int touched = 0; touched < 2; touched++) {
        ASSERT_TRUE(busy(touched, 1));
        for (int i = 0; i < 200; i++) {
            long pages = 1 + i % 5;
            char *p = up(pages);
            ASSERT_TRUE(p);
            if (i % 3 == 0)
                ASSERT_TRUE(nothing_at(p + pages * PAGE) && nothing_at(p + (pages + 7) * PAGE));
            if (i % 16 == 0)
                ASSERT_EQ(heap_end(), (uintptr_t)p + (size_t)pages * PAGE);
            if (i % 2) {
                ASSERT_TRUE(zeros(p, pages * PAGE));
                memset(p, 0x5a, (size_t)(pages * PAGE));
            }
            ASSERT_TRUE(down(pages));
            ASSERT_TRUE(nothing_at(p) && nothing_at(p + pages * PAGE - 1));
            if (i % 16 == 0)
                ASSERT_TRUE(heap_end() <= (uintptr_t)p);
            ASSERT_EQ(write(1, p, 1), -1);
            ASSERT_EQ(errno, EFAULT);
        }
    }
}

// Parts of what was written go, and come back as zeros; the rest stays.
TEST(comes_back_as_zeros) {
    align_break();
    catch_faults();
    for (int i = 0; i < 40; i++) {
        ASSERT_TRUE(busy(i % 2, 1 + i % 3));
        char *p = up(8);
        memset(p, i + 1, 8 * PAGE);
        ASSERT_TRUE(down(3));
        ASSERT_TRUE(nothing_at(p + 5 * PAGE));
        if (i % 4 == 3)
            ASSERT_TRUE(down(3));
        long left = i % 4 == 3 ? 2 : 5;
        ASSERT_TRUE(p[left * PAGE - 1] == i + 1 && p[0] == i + 1);
        ASSERT_TRUE(up(20) == p + left * PAGE);
        ASSERT_TRUE(p[left * PAGE - 1] == i + 1 && zeros(p + left * PAGE, 20 * PAGE));
        ASSERT_TRUE(down(20 + left));
    }
}

// Not whole pages; and further than any memory that was made ahead.
TEST(any_distance) {
    align_break();
    char *start = sbrk(0);
    unsigned rnd = 7;
    long len = 0;
    ASSERT_TRUE(busy(false, 1));
    for (int i = 0; i < 6000; i++) {
        rnd = rnd * 1664525 + 1013904223;
        long most = i % 7 ? 300000 : 6 << 20, to = (rnd >> 8) % (i % 500 < 300 ? 20000 : most);
        long kept = len < to ? len : to;
        ASSERT_OK(brk(start + to));
        ASSERT_TRUE(sbrk(0) == start + to);
        if (kept > 2 * PAGE && rnd & 1)
            ASSERT_TRUE(start[PAGE] == 0 || start[PAGE] == 3);
        long fresh = (len + PAGE - 1) & -PAGE;
        if (to > fresh && rnd & 2) {
            ASSERT_TRUE(start[to - 1] == 0 && start[fresh] == 0);
            start[to - 1] = start[fresh] = 3;
        }
        len = to;
    }
    ASSERT_OK(brk(start));
}

TEST(calls_touch_new_memory) {
    int fds[2];
    static char big[3 * 4096];
    align_break();
    ASSERT_OK(pipe(fds));
    for (int i = 0; i < 12; i++) {
        ASSERT_TRUE(busy(i / 2 % 2, 1));
        char *p = up(16);
        memset(big, 'x', sizeof big);
        if (i % 2) {
            ASSERT_EQ(write(fds[1], p + 5 * PAGE, sizeof big), (ssize_t)sizeof big);
            ASSERT_EQ(read(fds[0], big, sizeof big), (ssize_t)sizeof big);
            ASSERT_TRUE(zeros(big, sizeof big));
        } else {
            ASSERT_EQ(write(fds[1], big, sizeof big), (ssize_t)sizeof big);
            ASSERT_EQ(read(fds[0], p + 5 * PAGE + 3, sizeof big), (ssize_t)sizeof big);
            ASSERT_TRUE(p[5 * PAGE + 2] == 0 && p[5 * PAGE + 3] == 'x' && p[8 * PAGE + 2] == 'x');
        }
        ASSERT_EQ(write(fds[1], big, 8), 8);
        ASSERT_EQ(read(fds[0], p + 16 * PAGE, 8), -1);  // behind the break
        ASSERT_EQ(errno, EFAULT);
        ASSERT_EQ(read(fds[0], big, 8), 8);
        ASSERT_TRUE(down(16));
    }
    close(fds[0]);
    close(fds[1]);
}

TEST(limits) {
    align_break();
    IN_CHILD {
        struct rlimit limit = {64 << 20, 64 << 20};
        ASSERT_TRUE(busy(false, 1));
        char *p = sbrk(0);
        limit.rlim_cur = limit.rlim_max = 1;
        ASSERT_OK(setrlimit(RLIMIT_DATA, &limit));
        ASSERT_TRUE(!up(1) && errno == ENOMEM && sbrk(0) == p);
    }
}

// Somebody else behind the break, and other calls on the heap.
TEST(other_calls) {
    align_break();
    catch_faults();
    for (int i = 0; i < 12; i++) {
        ASSERT_TRUE(busy(i % 2, 1));
        char *p = up(8), *q = p + 12 * PAGE;
        switch (i / 2) {
        case 0:  // a map behind it, where it may not grow then
            ASSERT_TRUE(mmap(q, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
                        q);
            ASSERT_EQ(q[1], 0);
            ASSERT_TRUE(nothing_at(q - 1) && nothing_at(q + PAGE));
            ASSERT_TRUE(!up(8) && busy(false, 1));
            ASSERT_OK(munmap(q, PAGE));
            break;
        case 1:
            ASSERT_OK(mprotect(p, 2 * PAGE, PROT_READ));
            ASSERT_TRUE(sigsetjmp(out, 1) || ((*(volatile char *)p = 1), false));
            ASSERT_EQ(seen.si_code, SEGV_ACCERR);
            break;
        case 2:  // a hole in it
            p[0] = 1;
            ASSERT_OK(munmap(p + 2 * PAGE, PAGE));
            ASSERT_TRUE(nothing_at(p + 2 * PAGE) && p[3 * PAGE] == 0 && p[0] == 1);
            break;
        case 3:
            p[PAGE] = 7;
            ASSERT_OK(madvise(p, 8 * PAGE, MADV_DONTNEED));
            ASSERT_EQ(p[PAGE], 0);
            break;
        case 4:  // a map over what is there and what is behind it
            ASSERT_TRUE(mmap(p + 4 * PAGE, 20 * PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 4 * PAGE);
            p[4 * PAGE] = p[23 * PAGE] = 1;
            ASSERT_OK(munmap(p + 4 * PAGE, 20 * PAGE));
            ASSERT_TRUE(nothing_at(p + 4 * PAGE) && nothing_at(p + 9 * PAGE));
            break;
        case 5:  // moved away
            p[0] = 9;
            q = mremap(p, 8 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
            ASSERT_TRUE(q != MAP_FAILED && q[0] == 9 && q[63 * PAGE] == 0);
            ASSERT_TRUE(q == p || nothing_at(p));
            ASSERT_OK(munmap(q, 64 * PAGE));
            break;
        }
        ASSERT_TRUE(down(8));
        ASSERT_TRUE(nothing_at(p));
    }
}

TEST(fork_and_threads) {
    align_break();
    catch_faults();
    for (int i = 0; i < 6; i++) {
        int status;
        ASSERT_TRUE(busy(i % 2, 1));
        char *p = up(4);
        if (i % 3)
            p[PAGE] = 9;
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
            bool ok = p[PAGE] == (i % 3 ? 9 : 0) && p[0] == 0 && nothing_at(p + 4 * PAGE) &&
                      nothing_at(p + 100 * PAGE);
            p[PAGE] = 5;
            _exit(ok && busy(!(i % 2), 1) && p[PAGE] == 5 ? 0 : 1);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(p[PAGE], i % 3 ? 9 : 0);
        ASSERT_TRUE(nothing_at(p + 4 * PAGE) && busy(i % 2, 1) && down(4));
    }
}

static _Atomic bool over;
static void *looks(void *arg) {
    while (!over)
        (void)*(volatile char *)arg;
    return NULL;
}
TEST(a_thread_comes_and_goes) {
    pthread_t first;  // malloc has what it needs for a thread
    over = true;
    ASSERT_EQ(pthread_create(&first, NULL, looks, NULL), 0);
    ASSERT_EQ(pthread_join(first, NULL), 0);
    align_break();
    catch_faults();
    for (int i = 0; i < 4; i++) {
        pthread_t t;
        ASSERT_TRUE(busy(i % 2, 1));
        char *p = up(4);
        over = false;
        ASSERT_EQ(pthread_create(&t, NULL, looks, p), 0);
        ASSERT_TRUE(busy(i / 2, 2) && nothing_at(p + 4 * PAGE) && zeros(p, 4 * PAGE));
        over = true;
        ASSERT_EQ(pthread_join(t, NULL), 0);
        ASSERT_TRUE(down(4) && nothing_at(p));
    }
}

#define OF_USE (4ul << 20)

// All of it that can be had, in pieces.
static void take(uintptr_t at, uintptr_t end) {
    uintptr_t half = at + ((end - at) / 2 & -(uintptr_t)PAGE);
    if (end - at < OF_USE ||
        mmap((void *)at, end - at, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED)
        return;
    take(at, half);
    take(half, end);
}

// Takes all free addresses that are of use but [low, high).
static void fill_gaps(uintptr_t low, uintptr_t high) {
    struct {
        uintptr_t at, end;
    } gaps[64];
    unsigned n = 0;
    unsigned long from, to, end = OF_USE;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && n < 64 && fscanf(f, "%lx-%lx%*[^\n]", &from, &to) == 2) {
        uintptr_t at = end >= low && end < high ? high : end;
        if (from > at + OF_USE && from < 1ul << 47 && (from <= low || at >= high)) {
            gaps[n].at = at;
            gaps[n++].end = from - OF_USE / 4;  // room for what is small
        }
        end = to;
    }
    if (f)
        fclose(f);
    while (n-- > 0)
        take(gaps[n].at, gaps[n].end);
}

static bool busy_maps(void) {
    for (int i = 0; i < BUSY / 2; i++) {
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || p[0])
            return false;
        p[0] = 1;
        if (munmap(p, PAGE))
            return false;
    }
    return true;
}

// The only place for busy maps is a hole in the heap; and the break goes down over it.
TEST(maps_in_a_hole) {
    const long part = 1024, hole = 8 * part, all = hole + 2 * part;
    catch_faults();
    IN_CHILD {
        align_break();
        for (int i = 0; i < 24; i++) {
            ASSERT_TRUE(moves(BUSY / 4, false, 1));
            for (int j = 0; j < i; j++)
                ASSERT_OK(brk(sbrk(0)));
            char *p = up(all);
            ASSERT_TRUE(p);
            if (i == 0)
                fill_gaps((uintptr_t)p, (uintptr_t)(p + (all + part / 2) * PAGE));
            ASSERT_OK(munmap(p + part * PAGE, hole * PAGE));
            ASSERT_TRUE(busy_maps());
            p[0] = p[(all - 1) * PAGE] = 1;
            ASSERT_TRUE(down(all));
            ASSERT_TRUE(nothing_at(p) && nothing_at(p + all / 2 * PAGE));
            ASSERT_TRUE(busy_maps());
        }
    }
}
