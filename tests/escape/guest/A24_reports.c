// SPDX-License-Identifier: Apache-2.0
// A stub that lies: the guest plays the stub's handler (platform/stub/blob/blob.c), asks for work, does what
// is ordered, and then reports something else, or nothing. Or it writes to what a host call of its stub
// reads. The sentry's map of a process and the host's may differ then; nobody else may notice: what is sealed
// stays as it is, and what may only be read too.
#include "escape.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>

#define EV_CALL 1u // platform/stub/layout.h
#define EV_DONE 5u
#define IS_BLOCK(reply) ((reply) >= 0 && (reply) <= 0x7fff)
#define ANSWER(value)   ((long)((uint64_t)(value) << 16 | 0x8000))
#define F_SEAL_WRITE_ 8

struct op {
    uint64_t nr, args[6], expect;
};
struct slot {
    uint64_t bases[2], place[3], hole[2], flags, rax, set[2], nops;
    struct op ops[32];
};
static volatile struct slot *my_slot(void) { return (volatile struct slot *)host.slots; }

__attribute__((noinline)) static long gate(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                           uint64_t e, uint64_t f) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("call *%1"
                     : "=a"(ret)
                     : "b"(host.gate), "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
static uint64_t event(unsigned kind, unsigned nr) { return 0x20000000u | kind << 24 | nr; }

// Asks for a call as the handler does, and makes the first host call that is ordered for it. Its result, or
// -4096 when the sentry has another answer.
static long ordered(unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
    long reply = gate(event(EV_CALL, nr), a, b, c, d, e, f);
    struct op o = *(const struct op *)&my_slot()->ops[0];
    if (!IS_BLOCK(reply) || my_slot()->nops == 0)
        return -4096;
    return gate(o.nr, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5]);
}

static int sealable(size_t len) {
    int fd = (int)syscall(SYS_memfd_create, "x", 2);
    need(fd >= 0 && ftruncate(fd, (off_t)len) == 0 && pwrite(fd, "original", 8, 0) == 8);
    return fd;
}
static void in_a_child(void (*attack)(void)) {
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        attack();
        _exit(0);
    }
    int status = wait_limited(pid, 20);
    if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_ESCAPED))
        escaped("status %#x", (unsigned)status);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNJUDGED)
        _exit(EXIT_UNJUDGED);
}

// The file is sealed by another process than the one that lies. Then nothing of it may change.
static void sealed_stays(int fd, volatile char *hidden) {
    char text[9] = "";
    catch_faults();
    bool sealed = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE_) == 0;
    bool stored = fault_of(memcpy((void *)hidden, "CHANGED!", 8)) == 0;
    need(pread(fd, text, 8, 0) == 8);
    if (sealed && strcmp(text, "original"))
        escaped("a sealed file was changed (%d)", stored);
}

// ---- "The host has refused" -------------------------------------------------------------------------------
static void forged_refusal(void) {
    int fd = sealable(PAGE);
    long at = ordered(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)fd, 0);
    need(at > 0 && *(volatile char *)at == 'o');
    gate(event(EV_DONE, 0), 0, (uint64_t)-ENOMEM, 0, 0, 0, 0);
    sealed_stays(fd, (volatile char *)at);
}
// The handler's word, after it has done what it is told to do next as well.
static void forged_refusal_undone(void) {
    int fd = sealable(PAGE);
    long at = ordered(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, (uint64_t)fd, 0);
    need(at > 0);
    long reply = gate(event(EV_DONE, 0), 0, (uint64_t)-ENOMEM, 0, 0, 0, 0);
    struct op o = *(const struct op *)&my_slot()->ops[0];
    if (!IS_BLOCK(reply) || o.nr != SYS_munmap || o.args[0] != (uint64_t)at || o.args[1] != PAGE)
        escaped("a refused map is not undone: reply %#lx", reply);
    need(gate(o.nr, o.args[0], o.args[1], 0, 0, 0, 0) == 0);
    reply = gate(event(EV_DONE, 0), 1, 0, 0, 0, 0, 0);
    if (reply != ANSWER(-(long)ENOMEM))
        escaped("the answer is %#lx", reply);
    sealed_stays(fd, (volatile char *)at);
}
static void forged_refusals(void) {
    if (!host.seccomp)
        return;
    in_a_child(forged_refusal);
    in_a_child(forged_refusal_undone);
}

// ---- Failures of which nobody is told: the host has no room for another piece of map ----------------------
// So many pieces that the host has no more, though the sentry's map has few: attributes that it does not
// keep.
static char *pieces;
static size_t npieces;
static bool exhaust(void) {
    npieces = 140000;
    pieces = mmap(NULL, npieces * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    need(pieces != MAP_FAILED);
    for (size_t i = 1; i < npieces; i += 2)
        if (raw(SYS_madvise, (uint64_t)(pieces + i * PAGE), PAGE, 18 /* WIPEONFORK */, 0, 0, 0))
            return true;
    return false; // this host's limit is higher
}
static void make_room(void) { munmap(pieces, npieces * PAGE); }

// Of a file that may only be read, a page is replaced by memory of one's own: only the host cannot, and
// nobody says so.
static void replaced_in_words(void) {
    int dir = open("/tmp", O_DIRECTORY | O_RDONLY), made = openat(dir, ".", O_TMPFILE | O_RDWR, 0444);
    char path[32], text[9] = "";
    need(made >= 0 && pwrite(made, "original", 8, PAGE) == 8 && ftruncate(made, 3 * PAGE) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", made);
    int fd = open(path, O_RDONLY);
    need(fd >= 0 && close(made) == 0);
    char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    need(p != MAP_FAILED && p[PAGE] == 'o');
    if (!exhaust())
        return;
    long r = ordered(SYS_mmap, (uint64_t)(p + PAGE), PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0);
    if (r > 0)
        return; // there was room
    make_room();
    need(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    catch_faults();
    (void)fault_of(memcpy(p + PAGE, "CHANGED!", 8));
    need(pread(fd, text, 8, PAGE) == 8);
    if (strcmp(text, "original"))
        escaped("a file that may only be read was changed");
}
// A page is unmapped in words alone, then the file is sealed.
static void unmapped_in_words(void) {
    int fd = sealable(3 * PAGE);
    need(pwrite(fd, "original", 8, PAGE) == 8);
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), text[9] = "";
    need(p != MAP_FAILED);
    if (!exhaust())
        return;
    munmap(p + PAGE, PAGE);
    make_room();
    munmap(p, PAGE);
    munmap(p + 2 * PAGE, PAGE);
    bool sealed = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE_) == 0;
    catch_faults();
    (void)fault_of(memcpy(p + PAGE, "CHANGED!", 8));
    need(pread(fd, text, 8, PAGE) == 8);
    if (sealed && strcmp(text, "original"))
        escaped("a sealed file was changed");
}
static void silent_failures(void) {
    if (host.seccomp)
        in_a_child(replaced_in_words);
    in_a_child(unmapped_in_words);
}

// ---- What the host itself refuses -------------------------------------------------------------------------
// A map is replaced by one that cannot be had. What was there is gone too, in both maps.
static void refused_replacement(void) {
    int fd = sealable(PAGE), other = (int)syscall(SYS_memfd_create, "y", 2);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(p != MAP_FAILED && other >= 0);
    void *q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, other, 0x7ffffffffffff000);
    if (q != MAP_FAILED)
        need(munmap(q, PAGE) == 0);
    sealed_stays(fd, p);
}

// ---- Children of which the parent says that there are none ------------------------------------------------
static void denied_child(void) {
    int fd = sealable(PAGE);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    need(p != MAP_FAILED);
    volatile char *told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long r = ordered(SYS_fork, 0, 0, 0, 0, 0, 0);
    if (r == 0) { // it makes no call, so that nobody hears of it
        for (uint64_t i = 0;; i++)
            if (*told)
                memcpy(p, "CHANGED!", 8);
    }
    need(r > 0);
    gate(event(EV_DONE, 0), 0, (uint64_t)-EAGAIN, 0, 0, 0, 0);
    munmap(p, PAGE);
    bool sealed = fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE_) == 0;
    char text[9] = "";
    *told = 1;
    usleep(100000);
    need(pread(fd, text, 8, 0) == 8);
    if (sealed && strcmp(text, "original"))
        escaped("a sealed file was changed");
}
static void denied_children(void) {
    if (host.seccomp)
        in_a_child(denied_child);
}

// ---- Memory that a host call of the stub reads ------------------------------------------------------------
static _Atomic bool flips_over;
static void *flip_header(void *unused) {
    static char name[256];
    volatile uint64_t *at = (volatile uint64_t *)host.slots;
    volatile int *len = (volatile int *)(host.slots + 8);
    for (unsigned i = 0; !flips_over; i++) {
        *at = (uint64_t)name;
        *len = 0;
        for (unsigned k = 0; k < i % 97; k++)
            __builtin_ia32_pause();
        *at = (uint64_t)name;
        *len = -1;
        for (unsigned k = 0; k < i % 53; k++)
            __builtin_ia32_pause();
    }
    return NULL;
}
static _Atomic unsigned *broken;  // receives that failed, in all children
static void wrong_file(void) {
    char path[32];
    int made = open("/tmp", O_TMPFILE | O_RDWR, 0444), mine = sealable(2 * PAGE);
    need(made >= 0 && ftruncate(made, 2 * PAGE) == 0 && pwrite(made, "original", 8, PAGE) == 8);
    snprintf(path, sizeof path, "/proc/self/fd/%d", made);
    int fd = open(path, O_RDONLY);
    pthread_t t;
    need(fd >= 0 && close(made) == 0 && pthread_create(&t, NULL, flip_header, NULL) == 0);
    for (uint64_t end = now_ms() + 1000; now_ms() < end;) {
        char *p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0), text[9] = "";
        if (p != MAP_FAILED)
            munmap(p, 2 * PAGE);
        else
            ++*broken;
        char *q = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
        if (q == MAP_FAILED)
            continue;
        memcpy(q + PAGE, "CHANGED!", 8);
        need(pread(fd, text, 8, PAGE) == 8);
        if (strcmp(text, "original"))
            escaped("a file that may only be read was mapped for writing");
        munmap(q, 2 * PAGE);
    }
    flips_over = true;
}
// For three seconds, and until enough has been broken for something to be seen. A child may die of it. On
// seccomp no header lies there; on one processor the two threads do not meet, and little can be broken.
static void flipped_header(void) {
    cpu_set_t cpus;
    need(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
    const unsigned enough = host.seccomp || CPU_COUNT(&cpus) < 2 ? 0 : 100;
    broken = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(broken != MAP_FAILED);
    for (unsigned child = 0; child < 3 || (child < 12 && *broken < enough); child++)
        in_a_child(wrong_file);
    need(*broken >= enough);
}

ATTACKS({"A24_forged_refusals", forged_refusals, SURVIVES},
        {"A24_silent_failures", silent_failures, SURVIVES},
        {"A24_refused_replacement", refused_replacement, SURVIVES},
        {"A24_denied_children", denied_children, SURVIVES},
        {"A24_flipped_header", flipped_header, SURVIVES})
