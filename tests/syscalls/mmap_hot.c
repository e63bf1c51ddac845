// SPDX-License-Identifier: Apache-2.0
// covers: mmap, munmap
// Maps and unmaps from call sites that are busy, as allocators make them. Whatever is done to make that
// faster, each page is there exactly while it is mapped: zero at first, the program's own, a fault before and
// after.
#include "guest.h"
#include <linux/futex.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/time.h>

#define PAGE 4096ul
#define BUSY 1000

static char *map(size_t len) {
    char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}
static bool busy(bool touched, size_t len) {
    for (int i = 0; i < BUSY; i++) {
        char *p = map(len);
        if (!p || (touched && (p[0] || p[len - 1])))
            return false;
        if (touched)
            p[0] = p[len - 1] = 1;
        if (munmap(p, len))
            return false;
    }
    return true;
}

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
// What /proc says: bytes mapped in [at, end).
static size_t mapped_in(uintptr_t at, uintptr_t end) {
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long from, to;
    size_t sum = 0;
    while (f && fscanf(f, "%lx-%lx%*[^\n]", &from, &to) == 2) {
        from = from > at ? from : at;
        to = to < end ? to : end;
        sum += from < to ? to - from : 0;
    }
    if (f)
        fclose(f);
    return sum;
}
static bool is_mapped(uintptr_t at) { return mapped_in(at, at + 1) != 0; }
// A fault says that there is nothing at p; or there is, and /proc knows of it.
static bool nothing_at(volatile char *p) {
    memset(&seen, 0, sizeof seen);
    if (sigsetjmp(out, 1) == 0) {
        (void)*p;
        return is_mapped((uintptr_t)p);
    }
    return seen.si_signo == SIGSEGV && seen.si_code == SEGV_MAPERR && seen.si_addr == (void *)p;
}

TEST(a_fault_before_and_after) {
    catch_faults();
    for (int touched = 0; touched < 2; touched++) {
        ASSERT_TRUE(busy(touched, PAGE));
        for (int i = 0; i < 300; i++) {
            size_t len = (size_t)(1 + i % 5) * PAGE;
            char *p = map(len);
            ASSERT_TRUE(p);
            // Below is what may come next; above, what was there a moment ago.
            if (i % 3 == 0)
                ASSERT_TRUE(nothing_at(p - 1) && nothing_at(p - 7 * PAGE));
            if (i % 2) {
                for (size_t j = 0; j < len; j += PAGE)
                    ASSERT_EQ(p[j], 0);
                memset(p, 0x5a, len);
                ASSERT_EQ(p[len - 1], 0x5a);
            }
            ASSERT_OK(munmap(p, len));
            ASSERT_TRUE(nothing_at(p) && nothing_at(p + len - 1) && !is_mapped((uintptr_t)p));
            ASSERT_EQ(write(1, p, 1), -1);
            ASSERT_EQ(errno, EFAULT);
        }
    }
}

// The kernel is the first to touch them.
TEST(calls_touch_new_memory) {
    int fds[2];
    char big[3 * PAGE];
    ASSERT_OK(pipe(fds));
    for (int i = 0; i < 12; i++) {
        ASSERT_TRUE(busy(i / 2 % 2, PAGE));
        char *p = map(16 * PAGE);
        ASSERT_TRUE(p);
        memset(big, 'x', sizeof big);
        if (i % 2) {
            ASSERT_EQ(write(fds[1], p + 5 * PAGE, sizeof big), (ssize_t)sizeof big);
            ASSERT_EQ(read(fds[0], big, sizeof big), (ssize_t)sizeof big);
            for (size_t j = 0; j < sizeof big; j++)
                ASSERT_EQ(big[j], 0);
        } else {
            ASSERT_EQ(write(fds[1], big, sizeof big), (ssize_t)sizeof big);
            ASSERT_EQ(read(fds[0], p + 5 * PAGE + 3, sizeof big), (ssize_t)sizeof big);
            ASSERT_EQ(p[5 * PAGE + 2], 0);
            ASSERT_EQ(p[5 * PAGE + 3], 'x');
            ASSERT_EQ(p[8 * PAGE + 2], 'x');
            ASSERT_EQ(p[8 * PAGE + 3], 0);
        }
        // A futex.
        char *w = map(PAGE);
        struct timespec soon = {0, 1000000};
        ASSERT_EQ(syscall(SYS_futex, w, FUTEX_WAIT, 0, &soon, NULL, 0), -1);
        ASSERT_EQ(errno, ETIMEDOUT);
        ASSERT_OK(munmap(w, PAGE));
        ASSERT_OK(munmap(p, 16 * PAGE));
    }
    close(fds[0]);
    close(fds[1]);
}

TEST(other_calls_on_new_memory) {
    catch_faults();
    for (int i = 0; i < 12; i++) {
        ASSERT_TRUE(busy(i % 2, PAGE));
        char *p = map(8 * PAGE), *q;
        ASSERT_TRUE(p);
        switch (i / 2) {
        case 0: // parts of it
            ASSERT_OK(munmap(p + 3 * PAGE, 2 * PAGE));
            ASSERT_TRUE(nothing_at(p + 3 * PAGE) && nothing_at(p + 5 * PAGE - 1));
            p[3 * PAGE - 1] = p[5 * PAGE] = 1;
            break;
        case 1:
            ASSERT_OK(mprotect(p, PAGE, PROT_NONE));
            ASSERT_TRUE(sigsetjmp(out, 1) || ((*(volatile char *)p = 1), false));
            ASSERT_EQ(seen.si_code, SEGV_ACCERR);
            ASSERT_OK(mprotect(p, PAGE, PROT_READ));
            ASSERT_EQ(p[0], 0);
            break;
        case 2:
            q = mremap(p, 8 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
            ASSERT_TRUE(q != MAP_FAILED);
            ASSERT_EQ(q[9 * PAGE], 0);
            q[0] = q[63 * PAGE] = 2;
            ASSERT_TRUE(q == p || nothing_at(p));
            ASSERT_OK(munmap(q, 64 * PAGE));
            break;
        case 3:
            p[PAGE] = 7;
            ASSERT_OK(madvise(p, 8 * PAGE, MADV_DONTNEED));
            ASSERT_EQ(p[PAGE], 0);
            q = map(8 * PAGE);
            ASSERT_OK(madvise(q, 8 * PAGE, MADV_DONTNEED));
            ASSERT_EQ(q[PAGE], 0);
            ASSERT_OK(munmap(q, 8 * PAGE));
            break;
        case 4: // what is free below is taken
            if (mapped_in((uintptr_t)p - 4 * PAGE, (uintptr_t)p))
                break;
            q = mmap(p - 4 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            ASSERT_TRUE(q == p - 4 * PAGE);
            ASSERT_EQ(q[PAGE], 0);
            ASSERT_TRUE(nothing_at(q - 1) && nothing_at(q + 2 * PAGE));
            ASSERT_OK(munmap(q, 2 * PAGE));
            break;
        case 5: // over all of it and what is around
            if (mapped_in((uintptr_t)p - 40 * PAGE, (uintptr_t)p + 40 * PAGE) != 8 * PAGE)
                break;
            q = mmap(p - 4 * PAGE, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                     -1, 0);
            ASSERT_TRUE(q == p - 4 * PAGE);
            q[0] = q[19 * PAGE] = 1;
            ASSERT_OK(munmap(p - 40 * PAGE, 80 * PAGE));
            ASSERT_TRUE(nothing_at(q) && nothing_at(p) && nothing_at(p - 40 * PAGE));
            break;
        }
        munmap(p, 8 * PAGE);
    }
}

// Many at a time, unmapped in another order.
TEST(in_any_order) {
    char *p[64] = {0};
    size_t len[64] = {0};
    unsigned rnd = 1;
    ASSERT_TRUE(busy(false, PAGE));
    for (int i = 0; i < 8000; i++) {
        rnd = rnd * 1664525 + 1013904223;
        // sometimes widely, sometimes one after the other
        unsigned k = i % 100 < 50 ? rnd >> 26 : (rnd >> 26) % 3;
        if (p[k]) {
            if (rnd >> 8 & 1)
                ASSERT_TRUE(p[k][0] == 0 || p[k][0] == (char)(k + 1));
            ASSERT_OK(munmap(p[k], len[k]));
            p[k] = NULL;
            continue;
        }
        len[k] = (1 + (rnd >> 12) % 40) * PAGE;
        p[k] = map(len[k]);
        ASSERT_TRUE(p[k]);
        if (rnd >> 9 & 1) {
            ASSERT_EQ(p[k][0], 0);
            ASSERT_EQ(p[k][len[k] - 1], 0);
            p[k][0] = p[k][len[k] - 1] = (char)(k + 1);
        }
    }
    for (int k = 0; k < 64; k++)
        if (p[k])
            ASSERT_OK(munmap(p[k], len[k]));
}

TEST(fork_and_threads) {
    catch_faults();
    for (int i = 0; i < 6; i++) { // (both kinds of maps, touched or not)
        int status;
        ASSERT_TRUE(busy(i % 2, PAGE));
        char *old = map(PAGE), *p = map(4 * PAGE);
        ASSERT_OK(munmap(old, PAGE));
        if (i % 3)
            p[PAGE] = 9;
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
            bool ok =
                p[PAGE] == (i % 3 ? 9 : 0) && p[0] == 0 && nothing_at(p - 1) && nothing_at(p - 100 * PAGE);
            p[PAGE] = 5;
            _exit(ok && busy(!(i % 2), PAGE) && p[PAGE] == 5 ? 0 : 1);
        }
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
        ASSERT_EQ(p[PAGE], i % 3 ? 9 : 0);
        ASSERT_TRUE(nothing_at(p - 1));
        ASSERT_TRUE(busy(i % 2, PAGE));
        ASSERT_OK(munmap(p, 4 * PAGE));
    }
}

static _Atomic bool over;
static _Atomic int wrong;
static void *maps_too(void *arg) {
    while (!over)
        wrong += !busy((bool)(uintptr_t)arg, PAGE);
    return NULL;
}
TEST(threads_after_being_alone) {
    for (int turn = 0; turn < 3; turn++) {
        pthread_t t[2];
        ASSERT_TRUE(busy(turn % 2, PAGE));
        char *p = map(32 * PAGE); // untouched when the threads start
        over = false;
        for (uintptr_t i = 0; i < 2; i++)
            ASSERT_EQ(pthread_create(&t[i], NULL, maps_too, (void *)i), 0);
        for (int i = 0; i < 32; i++)
            ASSERT_EQ(p[(size_t)i * PAGE], 0);
        usleep(50000);
        over = true;
        for (int i = 0; i < 2; i++)
            ASSERT_EQ(pthread_join(t[i], NULL), 0);
        ASSERT_EQ(wrong, 0);
        ASSERT_OK(munmap(p, 32 * PAGE));
    }
}

static _Atomic unsigned alarms;
static void on_alarm(int sig) {
    (void)sig;
    char *p = map(PAGE); // a handler between any two instructions, with maps of its own
    if (!p || *p)
        wrong++;
    else
        *p = 1;
    munmap(p, PAGE);
    alarms++;
}
TEST(signals_between) {
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    ASSERT_OK(sigaction(SIGALRM, &sa, NULL));
    struct itimerval every = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    ASSERT_OK(setitimer(ITIMER_REAL, &every, NULL));
    bool ok = true;
    for (int i = 0; i < 300 && alarms < 200; i++)
        ok = ok && busy(i % 2, PAGE);
    ASSERT_OK(setitimer(ITIMER_REAL, &never, NULL));
    ASSERT_TRUE(ok);
    ASSERT_EQ(wrong, 0);
    ASSERT_TRUE(alarms > 0);
}
