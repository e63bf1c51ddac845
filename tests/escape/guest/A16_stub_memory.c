// SPDX-License-Identifier: Apache-2.0
// The stub's memory as a target: scribbled over while calls are made, mapped away, read, given as a pointer.
#include "escape.h"
#include <pthread.h>
#include <sys/shm.h>
#include <sys/uio.h>

// ---- A16, A17: every word of the signal stacks, from one or two writers, while others call ----------------
static unsigned pattern;
static void *scribble(void *arg) {
    uint64_t seed = 88172645463325252ull + (uint64_t)arg;
    volatile uint64_t *slots = (volatile uint64_t *)host.slots;
    const size_t words = 6 * STUB_SLOT / 8;
    const uint64_t values[] = {
        0, ~0ul,       host.slots, host.base, host.gate, host.sigreturn,    KERNEL_HALF, NOT_CANONICAL,
        1, 0x20000000, 0x25000000, 59,        257,       (uint64_t)&pattern};
    uint64_t *copy = malloc(words * 8);
    for (;;) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        size_t at = seed % words;
        switch (pattern % 8) {
        case 0: slots[at] = seed; break;
        case 1: slots[at] = values[seed / words % 14]; break;
        // swapped and stale
        case 2: slots[at] = slots[seed / words % words]; break;
        case 3: slots[at % 32] = values[seed / words % 14]; break;                          // the orders
        // bits of the orders
        case 4: slots[STUB_SLOT / 8 * (at % 6) + at % 300] ^= 1ul << (seed / words % 64); break;
        case 5: slots[STUB_SLOT / 8 * (at % 6 + 1) - 1 - at % 400] = seed; break;           // the frames
        // all of it, replayed
        case 6:
            for (size_t i = 0; i < words; i++)
                copy[i] = slots[i];
            for (size_t i = 0; i < words; i++)
                slots[i] = copy[i];
            break;
        case 7: slots[STUB_SLOT / 8 * (at % 6 + 1) - 120 + at % 60] = values[seed / words % 14]; break;
        }
    }
    return NULL;
}
static void *calls(void *unused) {
    for (;;) {
        void *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p != MAP_FAILED) {
            *(volatile char *)p = 1;
            mprotect(p, PAGE, PROT_READ);
            mremap(p, 3 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
            munmap(p, 6 * PAGE);
        }
        int fd = open("/etc/passwd", O_RDONLY);
        p = fd < 0 ? MAP_FAILED : mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p != MAP_FAILED)
            munmap(p, PAGE);
        close(fd);
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        raw(SYS_getppid, 0, 0, 0, 0, 0, 0);
    }
    return NULL;
}
static void scribbling(void) {
    for (pattern = 0; pattern < 40; pattern++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            pthread_t t;
            setpgid(0, 0);
            for (uintptr_t i = 0; i < 2; i++)
                pthread_create(&t, NULL, calls, NULL);
            for (uintptr_t i = 0; i < 1 + pattern / 8 % 2; i++)
                pthread_create(&t, NULL, scribble, (void *)(i * 77 + pattern));
            usleep(60000);
            raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
        }
        end_or_kill(pid, 150);  // it may spin for ever
        kill(-pid, SIGKILL);
        const char *ill = files_are_well();
        if (ill)
            escaped("pattern %u: %s", pattern, ill);
    }
}

static uint64_t word_of(unsigned round) {
    const uint64_t words[] = {0, ~0ul, host.gate};
    return round < 3 ? words[round] : random64();
}

// One thread only, which overwrites its own slot between its calls: deterministic, every word once.
static void every_word(void) {
    const size_t words = STUB_SLOT / 8;
    for (unsigned round = 0; round < 4; round++)
        for (size_t from = 0; from < words; from += 512) {
            pid_t pid = fork();
            need(pid >= 0);
            if (pid == 0) {
                ualarm(900000, 0);
                volatile uint64_t *slot = (volatile uint64_t *)host.slots;
                for (size_t i = from; i < from + 512; i++) {
                    slot[i] = word_of(round);
                    if (i % 16 == 0 && raw(SYS_munmap, 0, 0, 0, 0, 0, 0) != -EINVAL)
                        escaped("word %zu, round %u, changes what a call returns", i, round);
                }
                _exit(0);
            }
            wait_limited(pid, 10);
        }
}

// ---- A18 --------------------------------------------------------------------------------------------------
static uint64_t vdso(void) {
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    uint64_t start = 0, end;
    while (f && fgets(line, sizeof line, f))
        if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
            break;
    if (f)
        fclose(f);
    return start;
}
static uint64_t sum_of_text(void) {
    uint64_t sum = 0;
    for (uint64_t at = host.base; at < host.text_end; at += 8)
        sum = sum * 31 + *(volatile uint64_t *)at;
    return sum;
}
static void mapping_over_it(void) {
    uint64_t v = vdso(), before = sum_of_text();
    const struct {
        uint64_t at, len;
        bool vdso;
    } ranges[] = {
        {host.base, PAGE, false},
        {host.base, host.end - host.base, false},
        {host.base - PAGE, 2 * PAGE, false},
        {host.slots, STUB_SLOT, false},
        {host.slots + STUB_SLOT * 3, PAGE, false},
        {host.end - PAGE, 2 * PAGE, false},
        {host.text_end, PAGE, false},
        {VSYSCALL, PAGE, false},
        {TASK_SIZE, PAGE, false},
        {TASK_SIZE - PAGE, 2 * PAGE, false},
        {KERNEL_HALF, PAGE, false},
        {~0ul & ~(PAGE - 1), PAGE, false},
        {host.base, ~0ul - host.base + 1 - PAGE, false},
        {v, PAGE, true},
        {v - PAGE, PAGE, true},
    };
    int file = open("/proc/self/exe", O_RDONLY);
    void *other = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(file >= 0 && other != MAP_FAILED);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const uint64_t a = ranges[i].at, n = ranges[i].len;
        if (a >= host.end && a < TASK_SIZE - PAGE && !ranges[i].vdso)
            continue;  // the platform has fewer slots
        const int advice[] = {4, 8, 9, 10, 14, 15, 18, 20, 21, 22, 23, 100, 101, 102};
#define MUST_FAIL(call) \
    do { \
        long r_ = (call); \
        if (r_ >= 0 && !(ranges[i].vdso)) \
            escaped("%s at %#lx + %#lx returned %ld", #call, a, n, r_); \
    } while (0)
        MUST_FAIL(raw(SYS_mmap, a, n, 7, 0x32, (uint64_t)-1, 0));
        MUST_FAIL(raw(SYS_mmap, a, n, 3, 0x100022, (uint64_t)-1, 0));
        MUST_FAIL(raw(SYS_mmap, a, n, 1, 0x12, (uint64_t)file, 0));
        raw(SYS_munmap, a, n, 0, 0, 0, 0);  // 0 is right where nothing of the guest's is mapped: no effect
        MUST_FAIL(raw(SYS_mprotect, a, n, 7, 0, 0, 0));
        MUST_FAIL(raw(SYS_mprotect, a, n, 0, 0, 0, 0));
        MUST_FAIL(raw(SYS_mremap, a, n, n + PAGE, 1, 0, 0));
        MUST_FAIL(raw(SYS_mremap, a, n, n, 3, (uint64_t)other, 0));
        MUST_FAIL(raw(SYS_mremap, (uint64_t)other, 2 * PAGE, n, 3, a, 0));
        MUST_FAIL(raw(SYS_mremap, a, 0, PAGE, 1, 0, 0));
        for (size_t k = 0; k < sizeof advice / sizeof *advice; k++)
            MUST_FAIL(raw(SYS_madvise, a, n, (uint64_t)advice[k], 0, 0, 0));
        MUST_FAIL(raw(SYS_mlock, a, n, 0, 0, 0, 0));
        MUST_FAIL(raw(SYS_msync, a, n, 4, 0, 0, 0));
        MUST_FAIL(raw(SYS_pkey_mprotect, a, n, 7, (uint64_t)-1, 0, 0));
        MUST_FAIL(raw(SYS_remap_file_pages, a, n, 0, 0, 0, 0));
        if (sum_of_text() != before)
            escaped("the stub's text has changed");
        must(raw(SYS_munmap, 0, 0, 0, 0, 0, 0) == -EINVAL && getpid() > 0);
    }
}

static void mapping_page_zero(void) {
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p == NULL)
        escaped("page 0 can be mapped");
    p = mmap((void *)PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    must(getpid() > 0);
}

static void unmapping_everything(void) {
    const uint64_t from[] = {0, host.end, 0}, to[] = {TASK_SIZE, TASK_SIZE, host.base};
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            ualarm(300000, 0);
            raw(SYS_munmap, from[i], to[i] - from[i], 0, 0, 0, 0);
            raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
            raw(SYS_exit_group, 0, 0, 0, 0, 0, 0);
        }
        wait_limited(pid, 5);
    }
}

// brk, and stack growth, up to the reserved ranges.
static void growing_into_it(void) {
    for (int k = 0; k < 3; k++)
        if ((uint64_t)raw(SYS_brk, host.slots + (uint64_t)k * PAGE, 0, 0, 0, 0, 0) >= host.base)
            escaped("brk reaches the stub");
    char *below = mmap((void *)(host.base - 16 * PAGE), 16 * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (below == (char *)(host.base - 16 * PAGE)) {
        long r = raw(SYS_mremap, (uint64_t)below, 16 * PAGE, 17 * PAGE, 0, 0, 0);
        if (r >= 0)
            escaped("mremap grows into the stub");
        below[16 * PAGE - 1] = 1;
    }
    char *grow = mmap((void *)(host.end + 256 * PAGE), PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
    catch_faults();
    if (grow != MAP_FAILED)
        for (volatile int i = 0; i < 260; i++)
            if (fault_of(*(volatile char *)(grow - (long)i * (long)PAGE) = 1))
                break;
    must(getpid() > 0 && raw(SYS_munmap, 0, 0, 0, 0, 0, 0) == -EINVAL);
}

// ---- A19 --------------------------------------------------------------------------------------------------
static bool contains(const unsigned char *p, size_t n, const char *text) {
    return memmem(p, n, text, strlen(text)) != NULL;
}

static void reading_it(void) {
    const char *const words[] = {host.secret, "PICKET_CANARY", "picket-sentry", "/proc/self",
                                 "libc.so",   "malloc",        "HOME="};
    size_t n = host.text_end - host.base;
    // In a copy that ends before this program's own strings.
    unsigned char *copy = malloc(STUB_SLOT * 8);
    memcpy(copy, (void *)host.base, n);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains(copy, n, words[i]))
            escaped("the stub's text holds '%s'", words[i]);
    if (!host.seccomp)
        return;
    // Slots of other threads that were never used here: nothing of theirs.
    memcpy(copy + STUB_SLOT * 4, (void *)(host.slots + STUB_SLOT * 4), STUB_SLOT * 4);
    for (size_t i = STUB_SLOT * 4; i < STUB_SLOT * 8; i++)
        if (copy[i])
            escaped("slot %zu is not empty", i / STUB_SLOT);
    // The last one was the first stub's stack while it started: no address of the sentry's may be left in it.
    const uint64_t clock = vdso();
    const uint64_t *last = (const uint64_t *)(host.end - STUB_SLOT);
    for (size_t i = 0; i < STUB_SLOT / 8; i++) {
        uint64_t v = last[i], top = v >> 36;
        if (v - clock + 0x20000 < 0x40000)
            continue;  // the vdso, as the guest has it
        if ((top == 0x7f7 || top == 0x7fa || top == 0x7ff || v >> 40 == 0x55 || v >> 40 == 0x56 ||
             v >> 40 == 0x7f) &&
            v < TASK_SIZE)
            escaped("the boot slot holds %#lx at %zu", v, i * 8);
    }
}

// Pages that had another owner come back as zeros.
static void old_pages(void) {
    const size_t n = 64;
    for (int round = 0; round < 30; round++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
                           (round & 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
            int fd = memfd_create("x", 0);
            char page[PAGE];
            memset(p, 0xa5, n * PAGE);
            memset(page, 0xa5, sizeof page);
            for (size_t i = 0; i < n; i++)
                need(write(fd, page, PAGE) == (long)PAGE);
            _exit(0);
        }
        need(wait_limited(pid, 10) == 0);
        char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
                       (round & 2 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
        int fd = memfd_create("y", 0);
        need(ftruncate(fd, (off_t)(n * PAGE)) == 0);
        char *q = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        for (size_t i = 0; i < n * PAGE; i++)
            if (p[i] || q[i])
                escaped("a fresh page holds %#x", p[i] | q[i]);
        munmap(p, n * PAGE);
        munmap(q, n * PAGE);
        close(fd);
    }
}

// ---- A22 --------------------------------------------------------------------------------------------------
static bool leave_out(long nr) {
    const long list[] = {SYS_exit,   SYS_exit_group, SYS_rt_sigreturn, SYS_pause, SYS_rt_sigsuspend,
                         SYS_fork,   SYS_vfork,      SYS_clone,        SYS_kill,  SYS_tkill,
                         SYS_tgkill, SYS_setpgid,    SYS_setsid,       335,       336};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i] == nr)
            return true;
    return false;
}
static void counting_nothing(int sig) {}
static void bad_pointers(void) {
    const uint64_t at[] = {KERNEL_HALF,   ~0ul - 7,  NOT_CANONICAL,
                           TASK_SIZE - 4, host.base, host.slots + 8,
                           host.end - 8,  VSYSCALL,  8};
    const size_t n = sizeof at / sizeof *at;
    for (long nr = 0; nr < 470; nr++) {
        if (leave_out(nr))
            continue;
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            setpgid(0, 0);
            for (size_t i = 0; i < n; i++) {
                sigaction(SIGALRM, &(struct sigaction){.sa_handler = counting_nothing}, NULL);
                ualarm(20000, 20000);
                raw((uint64_t)nr, at[i], at[i], at[i], at[i], at[i], at[i]);
                raw((uint64_t)nr, 0, at[i], 64, at[i], 8, at[i]);
                raw((uint64_t)nr, 1, at[i], 1, at[i], 1, 1);
            }
            _exit(0);
        }
        wait_limited(pid, 5);
    }
}

static void what_calls_read(void) {
    int fds[2], got;
    char buf[256];
    need(pipe2(fds, O_NONBLOCK) == 0);
    void *pages = mmap(NULL, 64 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(pages != MAP_FAILED);
    const uint64_t at[] = {
        KERNEL_HALF,    host.base, host.gate,          host.slots,   host.slots + STUB_SLOT - 256,
        host.end - 256, VSYSCALL,  0xffffffff81000000, TASK_SIZE - 4};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct iovec iov[2] = {{buf, 4}, {(void *)at[i], 64}};
        if (write(fds[1], (void *)at[i], 64) > 4 || writev(fds[1], &iov[1], 1) > 4)
            escaped("write reads %#lx", at[i]);
        long n = writev(fds[1], iov, 2);
        if (n > 8)
            escaped("writev reads %#lx: %ld", at[i], n);
        while ((got = (int)read(fds[0], buf, sizeof buf)) > 0)
            ;
        if (raw(SYS_openat, (uint64_t)AT_FDCWD, at[i], O_CREAT | O_RDWR, 0666, 0, 0) >= 0)
            escaped("open with the name at %#lx", at[i]);
        if (raw(SYS_prctl, 15, at[i], 0, 0, 0, 0) >= 0 && at[i] != TASK_SIZE - 4)
            escaped("prctl(PR_SET_NAME, %#lx)", at[i]);
        struct iovec mine = {buf, sizeof buf}, its = {(void *)at[i], 64};
        if (syscall(SYS_process_vm_readv, getpid(), &mine, 1, &its, 1, 0) > 4)
            escaped("process_vm_readv of oneself at %#lx", at[i]);
        if (syscall(SYS_mincore, pages, 64 * 4096, at[i]) == 0)
            escaped("mincore writes at %#lx", at[i]);
        int mem = open("/proc/self/mem", O_RDWR);
        if (mem >= 0 && (pread(mem, buf, 64, (off_t)at[i]) > 4 || pwrite(mem, buf, 64, (off_t)at[i]) > 4))
            escaped("/proc/self/mem at %#lx", at[i]);
        if (mem >= 0)
            close(mem);
    }
}

static void too_long(void) {
    char buf[16];
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    const uint64_t lengths[] = {1ul << 31, 1ul << 32, 1ul << 47, 1ul << 62, 1ul << 63, ~0ul, ~0ul - 4095};
    static struct iovec iov[1100];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        raw(SYS_read, (uint64_t)zero, KERNEL_HALF - lengths[i] / 2, lengths[i], 0, 0, 0);
        raw(SYS_write, (uint64_t)null, (uint64_t)buf, lengths[i], 0, 0, 0);
        raw(SYS_getrandom, host.slots - 64, lengths[i], 0, 0, 0, 0);
        raw(SYS_getcwd, (uint64_t)buf, lengths[i], 0, 0, 0, 0);
        raw(SYS_mmap, 0, lengths[i], 3, 0x22, (uint64_t)-1, 0);
        raw(SYS_mmap, 0, 4096, 1, 2, (uint64_t)null, lengths[i]);
        for (int k = 0; k < 1100; k++)
            iov[k] = (struct iovec){buf, lengths[i]};
        if (raw(SYS_readv, (uint64_t)zero, (uint64_t)iov, 1025, 0, 0, 0) != -EINVAL)
            escaped("1025 vectors");
        if (raw(SYS_writev, (uint64_t)null, (uint64_t)iov, 1024, 0, 0, 0) > (1l << 31))
            escaped("more than 2 GiB at once");
    }
    must(getpid() > 0);
}

// ---- A21: arguments in memory that change between two looks at them ---------------------------------------
static struct {
    struct iovec iov[4];
    char path[64];
    char *argv[4];
} twice;
static volatile bool twice_over;
static void *flip(void *arg) {
    static char small[64];
    while (!twice_over) {
        twice.iov[1] = (struct iovec){small, 16};
        strcpy(twice.path, "/etc/hostname");
        twice.argv[1] = small;
        __sync_synchronize();
        twice.iov[1] = (struct iovec){(void *)(random64() & 1 ? host.slots : KERNEL_HALF), 1ul << 40};
        memset(twice.path, 'x', sizeof twice.path);
        twice.argv[1] = (char *)KERNEL_HALF;
        __sync_synchronize();
    }
    return NULL;
}
static void double_fetch(void) {
    pthread_t t;
    char small[64] = "";
    twice_over = false;
    for (int i = 0; i < 4; i++)
        twice.iov[i] = (struct iovec){small, 16};
    twice.argv[0] = small;
    need(pthread_create(&t, NULL, flip, NULL) == 0);
    int zero = open("/dev/zero", O_RDWR), fds[2];
    need(pipe2(fds, O_NONBLOCK) == 0);
    uint64_t end = now_ms() + 2000;
    while (now_ms() < end) {
        raw(SYS_readv, (uint64_t)zero, (uint64_t)twice.iov, 4, 0, 0, 0);
        raw(SYS_writev, (uint64_t)fds[1], (uint64_t)twice.iov, 4, 0, 0, 0);
        raw(SYS_readv, (uint64_t)fds[0], (uint64_t)twice.iov, 4, 0, 0, 0);
        int fd = (int)raw(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)twice.path, O_RDONLY, 0, 0, 0);
        if (fd >= 0)
            close(fd);
        raw(SYS_execve, (uint64_t) "/no/such/file", (uint64_t)twice.argv, 0, 0, 0, 0);
    }
    twice_over = true;
    pthread_join(t, NULL);
}

ATTACKS({"A16_scribbling", scribbling, SURVIVES},
        {"A16_every_word", every_word, SURVIVES},
        {"A18_mapping_over_it", mapping_over_it, SURVIVES},
        {"A18_mapping_page_zero", mapping_page_zero, SURVIVES},
        {"A18_unmapping_everything", unmapping_everything, SURVIVES},
        {"A18_growing_into_it", growing_into_it, SURVIVES},
        {"A19_reading_it", reading_it, SURVIVES},
        {"A20_old_pages", old_pages, SURVIVES},
        {"A21_double_fetch", double_fetch, ENDS},
        {"A22_bad_pointers", bad_pointers, SURVIVES},
        {"A22_what_calls_read", what_calls_read, SURVIVES},
        {"A22_too_long", too_long, SURVIVES})
