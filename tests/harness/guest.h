// SPDX-License-Identifier: Apache-2.0
// A test library in one header for the guest programs of tests/syscalls: TEST blocks that register
// themselves, EXPECT and ASSERT checks, children, temporary directories and bad pointers. A guest program is
// a plain Linux program: it knows nothing of Picket and passes natively first. See docs/HOWTO_TEST.md.
//
// It prints `ok NAME`, `skip NAME: reason` or `FAIL NAME file:line: ...` for each test, and exits 0 when all
// passed, 77 when all were skipped, 1 otherwise. Output goes out by write(2) at once, so fork and death lose
// nothing. EXPECT may be used in any thread or forked child; ASSERT and SKIP end the test, child or thread
// they are in. It does not isolate tests from each other: what dirties the process (limits, credentials,
// handlers) goes IN_CHILD.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Wrong lengths and null pointers are the point of many tests.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#endif
#pragma GCC diagnostic ignored "-Wnonnull"

#define GUEST_FN static __attribute__((unused))
#define GUEST_EXIT_SKIP 77

struct guest_test {
    const char *name;
    void (*run)(void);
};

struct guest_role {
    const char *name;
    int (*run)(int argc, char **argv);
};

// What the whole run shares. The counters are atomic because threads may fail too.
static struct {
    struct guest_test tests[64];
    struct guest_role roles[16];
    int test_count;
    int role_count;
    const char *current;      // name of the running test
    atomic_int failures;      // of the running test
    bool in_child;            // set in forked children: ASSERT exits there
    pthread_t main_thread;
    sigjmp_buf bail_point;
    char exe[PATH_MAX];       // absolute path of this program
    char tmpdir[PATH_MAX];    // of the running test, empty when it has none
    char home[PATH_MAX];      // working directory at the start
} guest;

// TEST(name) { ... } registers and defines one test. ROLE(name) { ... } defines what this program does when
// it is run as `program name ...`: exec tests run themselves. The body sees argc and argv and returns the
// exit status.
#define TEST(test_name)                                                                                      \
    static void test_##test_name(void);                                                                      \
    __attribute__((constructor)) static void guest_register_##test_name(void)                                \
    {                                                                                                        \
        guest.tests[guest.test_count++] = (struct guest_test){#test_name, test_##test_name};                 \
    }                                                                                                        \
    static void test_##test_name(void)

#define ROLE(role_name)                                                                                      \
    static int role_##role_name(int argc, char **argv);                                                      \
    __attribute__((constructor)) static void guest_register_role_##role_name(void)                           \
    {                                                                                                        \
        guest.roles[guest.role_count++] = (struct guest_role){#role_name, role_##role_name};                 \
    }                                                                                                        \
    static int role_##role_name(int argc, char **argv)

__attribute__((format(printf, 1, 2))) GUEST_FN void guest_print(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length >= (int)sizeof(line)) {
        length = sizeof(line) - 1;
        line[length - 1] = '\n';
    }
    ssize_t ignored = write(STDOUT_FILENO, line, length);
    (void)ignored;
}

GUEST_FN const char *guest_errno_name(int error)
{
    const char *name = strerrorname_np(error);
    return name ? name : "no such errno";
}

__attribute__((format(printf, 3, 4))) GUEST_FN bool guest_fail(const char *file, int line, const char *format,
                                                               ...) {
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    const char *slash = strrchr(file, '/');
    guest_print("FAIL %s %s:%d: %s\n", guest.current, slash ? slash + 1 : file, line, text);
    atomic_fetch_add(&guest.failures, 1);
    return false;
}

// Ends the test (or the child or thread of a test) that is running.
GUEST_FN __attribute__((noreturn)) void guest_bail(int child_status)
{
    if (guest.in_child)
        _exit(child_status);
    if (!pthread_equal(pthread_self(), guest.main_thread))
        pthread_exit(NULL);
    siglongjmp(guest.bail_point, child_status);
}

GUEST_FN __attribute__((noreturn)) void guest_skip(const char *reason)
{
    if (guest.in_child)
        _exit(GUEST_EXIT_SKIP);
    guest_print("skip %s: %s\n", guest.current, reason);
    guest_bail(GUEST_EXIT_SKIP);
}

GUEST_FN bool guest_check_eq(const char *file, int line, const char *text, long long got, long long want)
{
    int error = errno;
    if (got == want)
        return true;
    if (got == -1)
        return guest_fail(file, line, "%s: expected %lld got -1 (errno %s)", text, want,
                          guest_errno_name(error));
    return guest_fail(file, line, "%s: expected %lld (%#llx) got %lld (%#llx)", text, want, want, got, got);
}

GUEST_FN bool guest_check_errno(const char *file, int line, const char *text, long long got, int want)
{
    int error = errno;
    if (got == -1 && error == want)
        return true;
    if (got != -1)
        return guest_fail(file, line, "%s: expected %s got %lld", text, guest_errno_name(want), got);
    return guest_fail(file, line, "%s: expected %s got %s", text, guest_errno_name(want),
                      guest_errno_name(error));
}

// Any result but a negative one is fine (MAP_FAILED counts as negative); it is returned.
GUEST_FN long long guest_check_ok(const char *file, int line, const char *text, long long got, bool fatal)
{
    int error = errno;
    if (got >= 0)
        return got;
    guest_fail(file, line, "%s: expected success got %s", text, guest_errno_name(error));
    if (fatal)
        guest_bail(1);
    return got;
}

GUEST_FN bool guest_check_str(const char *file, int line, const char *text, const char *got, const char *want)
{
    if (got && want && strcmp(got, want) == 0)
        return true;
    return guest_fail(file, line, "%s: expected \"%s\" got \"%s\"", text, want ? want : "(null)",
                      got ? got : "(null)");
}

GUEST_FN bool guest_check_mem(const char *file, int line, const char *text, const void *got, const void *want,
                              size_t size)
{
    const unsigned char *a = got, *b = want;
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return guest_fail(file, line, "%s: expected byte %zu to be %#x got %#x", text, i, b[i], a[i]);
    }
    return true;
}

#define GUEST_AT __FILE__, __LINE__
#define EXPECT_EQ(got, want) guest_check_eq(GUEST_AT, #got, (long long)(got), (long long)(want))
#define EXPECT_ERRNO(call, error) guest_check_errno(GUEST_AT, #call, (long long)(call), error)
#define EXPECT_OK(call) guest_check_ok(GUEST_AT, #call, (long long)(call), false)
#define EXPECT_STREQ(got, want) guest_check_str(GUEST_AT, #got, got, want)
#define EXPECT_MEMEQ(got, want, size) guest_check_mem(GUEST_AT, #got, got, want, size)
#define EXPECT_TRUE(condition) \
    ((condition) ? true : guest_fail(GUEST_AT, "expected %s got false", #condition))
#define EXPECT_GE(got, low) EXPECT_RANGE(got, low, LLONG_MAX)
#define EXPECT_RANGE(got, low, high) \
    ({ \
        long long guest_got = (long long)(got), guest_low = (long long)(low), \
                  guest_high = (long long)(high); \
        guest_got >= guest_low &&guest_got <= guest_high \
            ? true \
            : guest_fail(GUEST_AT, "%s: expected %lld..%lld got %lld", #got, guest_low, guest_high, \
                         guest_got); \
    })
#define GUEST_REQUIRE(check) ((check) ? (void)0 : guest_bail(1))
#define ASSERT_EQ(got, want) GUEST_REQUIRE(EXPECT_EQ(got, want))
#define ASSERT_ERRNO(call, error) GUEST_REQUIRE(EXPECT_ERRNO(call, error))
#define ASSERT_TRUE(condition) GUEST_REQUIRE(EXPECT_TRUE(condition))
#define ASSERT_OK(call) guest_check_ok(GUEST_AT, #call, (long long)(call), true)
#define SKIP(reason) guest_skip(reason)
#define FAIL(...) guest_fail(GUEST_AT, __VA_ARGS__)

// ---- children ----

GUEST_FN void guest_watchdog_start(void);

// Forks a child in which EXPECT, ASSERT and SKIP work; it must end in child_done() (or death, or exec).
GUEST_FN pid_t fork_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        guest.in_child = true;
        atomic_store(&guest.failures, 0);
        guest_watchdog_start();
    }
    return pid;
}

GUEST_FN __attribute__((noreturn)) void child_done(void)
{
    _exit(atomic_load(&guest.failures) ? 1 : 0);
}

// The raw wait status, through interruptions.
GUEST_FN int wait_status(pid_t pid)
{
    int status = -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

// The exit status of a child, or minus the signal that killed it.
GUEST_FN int wait_exit(pid_t pid)
{
    int status = wait_status(pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

GUEST_FN bool guest_child_begin(const char *file, int line)
{
    pid_t pid = fork_child();
    if (pid == 0)
        return true;
    int result = pid < 0 ? -1000 : wait_exit(pid);
    if (result == GUEST_EXIT_SKIP)
        guest_skip("skipped in the child");
    if (result != 0)
        guest_fail(file, line, "child: expected exit 0 got %d", result);
    return false;
}

GUEST_FN __attribute__((noreturn)) bool guest_child_end(void)
{
    child_done();
}

// IN_CHILD { ... } runs the block in a forked child and waits for it; its failures are the test's.
#define IN_CHILD \
    for (bool guest_child = guest_child_begin(GUEST_AT); guest_child; guest_child = guest_child_end())

// ---- files and time ----

// Moves to a new empty directory, which is removed after the test.
GUEST_FN void in_tmpdir(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(guest.tmpdir, sizeof(guest.tmpdir), "%s/guest.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(guest.tmpdir) || chdir(guest.tmpdir) < 0) {
        guest_fail(GUEST_AT, "temporary directory %s: %s", guest.tmpdir, guest_errno_name(errno));
        guest.tmpdir[0] = 0;
        guest_bail(1);
    }
}

GUEST_FN int guest_remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    if (S_ISDIR(st->st_mode))
        rmdir(path);
    else
        unlink(path);
    return 0;
}

GUEST_FN void guest_leave_tmpdir(void)
{
    if (!guest.tmpdir[0])
        return;
    if (chdir(guest.home) < 0 && chdir("/") < 0)
        abort();
    nftw(guest.tmpdir, guest_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    guest.tmpdir[0] = 0;
}

GUEST_FN void put_file(const char *path, const char *text)
{
    int fd = ASSERT_OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    ASSERT_EQ(write(fd, text, strlen(text)), strlen(text));
    ASSERT_OK(close(fd));
}

// Reads until the end or until the buffer is full, and ends it with a NUL. Returns the length.
GUEST_FN ssize_t read_all(int fd, char *buffer, size_t size)
{
    size_t done = 0;
    while (done + 1 < size) {
        ssize_t n = read(fd, buffer + done, size - 1 - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += n;
    }
    buffer[done] = 0;
    return done;
}

GUEST_FN ssize_t get_file(const char *path, char *buffer, size_t size)
{
    buffer[0] = 0;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    ssize_t n = read_all(fd, buffer, size);
    close(fd);
    return n;
}

GUEST_FN int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

GUEST_FN void sleep_ms(int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

GUEST_FN bool is_asleep(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    get_file(path, text, sizeof text);
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] == ' ' && name_end[2] == 'S';
}

// Until `n` other threads of this process are there and all of them sleep: twice in a row, as one may sleep
// on its way.
GUEST_FN void others_asleep(int n)
{
    for (int seen = 0, tries = 0; seen < 2 && tries < 2000; tries++) {
        int asleep = 0;
        DIR *dir = opendir("/proc/self/task");
        for (struct dirent *e; dir && (e = readdir(dir));)
            asleep += atoi(e->d_name) > 0 && atoi(e->d_name) != gettid() && is_asleep(atoi(e->d_name));
        if (dir)
            closedir(dir);
        seen = asleep == n ? seen + 1 : 0;
        sleep_ms(5);
    }
}

// ---- pointers that a kernel must refuse; the compiler must not see through them ----

GUEST_FN __attribute__((noinline)) void *opaque_pointer(uintptr_t address)
{
    __asm__ volatile("" : "+r"(address));
    return (void *)address;
}

#define NULL_POINTER opaque_pointer(0)
#define KERNEL_POINTER opaque_pointer(0xffff880000000000)
#define NONCANONICAL_POINTER opaque_pointer(0x0000900000000000)

// A page that cannot be touched.
GUEST_FN void *no_access_page(void)
{
    static void *page;
    if (!page)
        page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return opaque_pointer((uintptr_t)page);
}

GUEST_FN void *read_only_page(void)
{
    static void *page;
    if (!page)
        page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return opaque_pointer((uintptr_t)page);
}

// The last `size` bytes before a page that cannot be touched.
GUEST_FN void *edge_of_page(size_t size)
{
    static char *pages;
    if (!pages) {
        pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(pages + 4096, 4096, PROT_NONE);
    }
    return opaque_pointer((uintptr_t)pages + 4096 - size);
}

// ---- signals ----

// Installs a handler; tests say the flags that they are about.
GUEST_FN void on_signal(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    ASSERT_OK(sigaction(signal, &action, NULL));
}

GUEST_FN void on_siginfo(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    ASSERT_OK(sigaction(signal, &action, NULL));
}

GUEST_FN void block_signal(int how, int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    ASSERT_OK(sigprocmask(how, &set, NULL));
}

// ---- memory ----

GUEST_FN char *map_pages(size_t count, int prot, int flags)
{
    return opaque_pointer(ASSERT_OK(mmap(NULL, count * 4096, prot, flags | MAP_ANONYMOUS, -1, 0)));
}

GUEST_FN char *map_file(int fd, size_t size, int prot, int flags)
{
    return opaque_pointer(ASSERT_OK(mmap(NULL, size, prot, flags, fd, 0)));
}

// The last fault that read_faults() or write_faults() saw.
static siginfo_t fault_info;
static sigjmp_buf fault_escape;

GUEST_FN void guest_fault_handler(int signal, siginfo_t *info, void *context)
{
    fault_info = *info;
    siglongjmp(fault_escape, signal);
}

// The signal that touching the byte raises, 0 when it can be touched. A write puts back what it read.
GUEST_FN int guest_touch(volatile char *address, bool write)
{
    static struct sigaction old[2];
    struct sigaction action = {.sa_sigaction = guest_fault_handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, &old[0]);
    sigaction(SIGBUS, &action, &old[1]);
    int signal = sigsetjmp(fault_escape, 1);
    if (signal == 0) {
        char c = *address;
        if (write)
            *address = c;
    }
    sigaction(SIGSEGV, &old[0], NULL);
    sigaction(SIGBUS, &old[1], NULL);
    return signal;
}

#define read_faults(address) guest_touch((volatile char *)(address), false)
#define write_faults(address) guest_touch((volatile char *)(address), true)

// ---- the runner ----

GUEST_FN void guest_watchdog_fired(int signal)
{
    guest_print("FAIL %s watchdog:0: expected an end got none in time\n",
                guest.current ? guest.current : "?");
    _exit(1);
}

// A program that uses SIGALRM or the real timer itself defines GUEST_NO_WATCHDOG and relies on the harness
// alone.
GUEST_FN void guest_watchdog_start(void)
{
#ifndef GUEST_NO_WATCHDOG
    const char *seconds = getenv("GUEST_WATCHDOG");
    signal(SIGALRM, guest_watchdog_fired);
    alarm(seconds ? atoi(seconds) : 10);
#endif
}

// Whoever started us may ignore or block signals.
GUEST_FN void guest_reset_signals(void)
{
    const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        signal(signals[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

// Returns 0 (passed), 1 (failed) or 77 (skipped).
GUEST_FN int guest_run(const struct guest_test *test)
{
    guest.current = test->name;
    atomic_store(&guest.failures, 0);
    guest_watchdog_start();
    int ended_early = sigsetjmp(guest.bail_point, 1);
    if (ended_early == 0)
        test->run();
    guest_leave_tmpdir();
    if (atomic_load(&guest.failures))
        return 1;
    if (ended_early == GUEST_EXIT_SKIP)
        return GUEST_EXIT_SKIP;
    guest_print("ok %s\n", test->name);
    return 0;
}

int main(int argc, char **argv)
{
    guest.main_thread = pthread_self();
    if (!realpath(argv[0], guest.exe))
        snprintf(guest.exe, sizeof(guest.exe), "%s", argv[0]);
    for (int i = 0; argc > 1 && i < guest.role_count; i++) {
        if (strcmp(guest.roles[i].name, argv[1]) == 0)
            return guest.roles[i].run(argc, argv);
    }
    if (!getcwd(guest.home, sizeof(guest.home)))
        strcpy(guest.home, "/");
    umask(022);
    guest_reset_signals();
    int passed = 0, failed = 0;
    for (int i = 0; i < guest.test_count; i++) {
        if (argc > 1 && strcmp(argv[1], guest.tests[i].name) != 0)
            continue;
        int result = guest_run(&guest.tests[i]);
        passed += result == 0;
        failed += result == 1;
    }
    if (failed)
        return 1;
    return passed ? 0 : GUEST_EXIT_SKIP;
}
