// SPDX-License-Identifier: Apache-2.0
// What every attack program shares. A program is a list of attacks; each runs in a child of its own, and
// after each one the parent, which lives in the same sandbox, proves that the sandbox still works: files,
// fork, exec, pipes, and a peer process that was there before. An attack says what may become of the
// attacker:
//   SURVIVES  it must end with success: the attempt has no effect and the process goes on
//   ENDS      it may end as it likes, but in time
//   DIES      it must be killed by a signal
// A process of the attack, or one that it has made, says what it knows by one of three words, which end it;
// who waits for it (wait_limited) passes the word on:
//   escaped()   it got something that it must not have: the test fails
//   must()      the sandbox does not do what it has to, though nobody got out: the test fails
//   unjudged()  nothing can be said: a wait of the test's own ran out, a process or memory was refused.
//               need() says so of what must be there for an attack to mean anything
// What could not be judged is tried again with other random numbers and more patience; when all attempts end
// so, that is a failure too, with a name of its own (UNJUDGED). The programs refuse to run outside of Picket:
// there, some of them would do what they attempt.
//
// The runner (run_escape.py) reads "ready" and answers one line: where the stub lies, and what to aim at on
// the host.
#ifndef TESTS_ESCAPE_GUEST_ESCAPE_H
#define TESTS_ESCAPE_GUEST_ESCAPE_H
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE         4096ul
#define TASK_SIZE    0x7ffffffff000ul
#define VSYSCALL     0xffffffffff600000ul
#define KERNEL_HALF  0xffff888000000000ul
#define NOT_CANONICAL 0x0000800000000000ul
#define STUB_SLOT    32768ul
#define EXIT_ESCAPED 99
#define EXIT_UNJUDGED 98
#define EXIT_FAILED  97
#define ATTEMPTS     3
#define NR_uretprobe 335
#define NR_uprobe    336

enum outcome { SURVIVES, ENDS, DIES };
struct attack {
    const char *name;
    void (*run)(void);
    enum outcome outcome;
};

// The host, as the runner tells it.
static struct {
    uint64_t base, text_end, slots, end;  // of the stub
    uint64_t gate, sigreturn;             // its two syscall instructions
    bool seccomp;                         // platform
    int victim, sentry;                   // host processes
    unsigned port;                        // a listener on the host's 127.0.0.1
    unsigned shm_key;
    char secret[64];   // in the environment of the command line that started the sandbox
    char name[64];     // abstract socket, and part of the paths below /tmp on the host
} host;

static unsigned scale = 1;     // of all waits, as the runner says
static unsigned attempt = 1;   // 1 to ATTEMPTS, a factor of all waits too

static inline void say(const char *format, ...) {
    char line[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line - 1, format, ap);
    va_end(ap);
    if (n > (int)sizeof line - 2)
        n = sizeof line - 2;
    line[n++] = '\n';
    if (write(1, line, (size_t)n) < 0)
        _exit(1);
}

// A word, and the end of who says it.
#define verdict(word, code, ...) \
    do { \
        say(word ": " __VA_ARGS__); \
        _exit(code); \
    } while (0)
#define escaped(...)  verdict("escaped", EXIT_ESCAPED, __VA_ARGS__)
#define unjudged(...) verdict("unjudged", EXIT_UNJUDGED, __VA_ARGS__)
#define must(cond) \
    do { \
        if (!(cond)) \
            verdict("failed", EXIT_FAILED, "%s (line %d, errno %d)", #cond, __LINE__, errno); \
    } while (0)
#define need(cond) \
    do { \
        if (!(cond)) \
            unjudged("%s does not hold (line %d, errno %d)", #cond, __LINE__, errno); \
    } while (0)

static inline uint64_t random64(void) {
    static uint64_t x;
    if (!x)
        x = 0x9e3779b97f4a7c15ull * attempt;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static inline uint64_t now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

// A raw call: what the kernel returns, with all of rax as given.
static inline long raw(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}

// ---- Faults that are expected -----------------------------------------------------------------------------
static sigjmp_buf on_fault;
static volatile sig_atomic_t fault_signal;

static inline void fault_handler(int sig) {
    fault_signal = sig;
    siglongjmp(on_fault, 1);
}
static inline void catch_faults(void) {
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction sa = {.sa_handler = fault_handler, .sa_flags = SA_ONSTACK | SA_NODEFER};
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS};
    need(sigaltstack(&ss, NULL) == 0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        need(sigaction(signals[i], &sa, NULL) == 0);
}
// The signal that `statement` ended with, 0: none.
#define fault_of(statement) \
    ({ \
        fault_signal = 0; \
        if (sigsetjmp(on_fault, 1) == 0) { \
            statement; \
        } \
        fault_signal; \
    })

// Memory for code that is written by hand. low: below 4 GiB.
static inline unsigned char *code_pages(size_t pages, bool low) {
    void *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | (low ? MAP_32BIT : 0), -1, 0);
    need(p != MAP_FAILED);
    return p;
}

// ---- Is the sandbox well? ---------------------------------------------------------------------------------
static int peer_in = -1, peer_out = -1;

static inline void start_peer(void) {
    int to[2], from[2];
    need(pipe(to) == 0 && pipe(from) == 0);
    pid_t pid = fork();
    need(pid >= 0);
    if (pid == 0) {
        unsigned char c;
        close(to[1]);
        close(from[0]);
        while (read(to[0], &c, 1) == 1) {
            c ^= 0x5a;
            if (write(from[1], &c, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    fcntl(to[1], F_SETFD, FD_CLOEXEC);
    fcntl(from[0], F_SETFD, FD_CLOEXEC);
    peer_in = to[1];
    peer_out = from[0];
}

static inline const char *peer_is_well(void) {
    unsigned char c = (unsigned char)random64(), got = 0;
    if (write(peer_in, &c, 1) != 1 || read(peer_out, &got, 1) != 1 || got != (c ^ 0x5a))
        return "the peer does not answer";
    return NULL;
}

static inline const char *files_are_well(void) {
    char path[] = "/tmp/escape-health-XXXXXX", text[16] = "";
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, "well", 4) != 4 || pread(fd, text, 4, 0) != 4 || strcmp(text, "well"))
        return "files do not work";
    close(fd);
    char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return "mmap does not work";
    for (unsigned i = 0; i < 16; i++)
        p[i * PAGE] = (char)i;
    if (munmap(p, 16 * PAGE) || unlink(path))
        return "munmap or unlink does not work";
    return NULL;
}

// A host that is short of processes or memory for a moment is no illness.
static inline pid_t fork_patiently(void) {
    pid_t pid = fork();
    for (unsigned i = 0; pid < 0 && (errno == EAGAIN || errno == ENOMEM) && i < 100; i++) {
        usleep(50000);
        pid = fork();
    }
    return pid;
}

static inline const char *programs_are_well(void) {
    int status;
    pid_t pid = fork_patiently();
    if (pid == 0) {
        execl("/proc/self/exe", "escape", "--healthy", NULL);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 42)
        return "fork, exec or wait does not work";
    return NULL;
}

static inline const char *health(void) {
    const char *ill = peer_is_well();
    ill = ill ? ill : files_are_well();
    return ill ? ill : programs_are_well();
}

// ---- Running attacks --------------------------------------------------------------------------------------
// Waits until a child has ended: its status; -1 when it had not ended in time, and was killed.
static inline int wait_until(pid_t pid, uint64_t end) {
    int status = 0;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG | __WALL);
        if (got == pid)
            return status;
        if (got < 0)
            unjudged("process %d is no child to wait for (errno %d)", pid, errno);
        if (now_ms() > end)
            return -1;
        usleep(500);
    }
}
static inline int end_or_kill(pid_t pid, unsigned ms) {
    const uint64_t patience = (uint64_t)scale * attempt;
    int status = wait_until(pid, now_ms() + ms * patience);
    if (status != -1)
        return status;
    kill(pid, SIGKILL);
    if (wait_until(pid, now_ms() + 30000 * patience) == -1)
        escaped("process %d cannot be killed", pid);
    return -1;
}

// The status of a child that ends by itself, in time. A word that it has said is passed on.
#define wait_limited(pid, seconds) wait_for_end(pid, seconds, __LINE__)
static inline int wait_for_end(pid_t pid, unsigned seconds, int line) {
    int status = end_or_kill(pid, seconds * 1000);
    if (status == -1)
        unjudged("process %d had not ended after %u s (line %d)", pid, seconds * scale * attempt, line);
    if (WIFEXITED(status) && WEXITSTATUS(status) >= EXIT_FAILED && WEXITSTATUS(status) <= EXIT_ESCAPED)
        _exit(WEXITSTATUS(status));
    return status;
}

// Rounds of an attack, each in a process of its own, for half a second from where it says attack_begins(). It
// may die of it, be given nonsense, or wait for ever: then it is killed. The sandbox lives on.
static inline void attack_begins(void) { ualarm(500000, 0); }
static inline void each_in_a_child(void (*attack)(unsigned round), unsigned rounds) {
    unsigned killed = 0;
    for (unsigned round = 0; round < rounds; round++) {
        pid_t pid = fork();
        need(pid >= 0);
        if (pid == 0) {
            alarm(10 * attempt * scale);
            attack(round);
            _exit(0);
        }
        int status = end_or_kill(pid, 15000);
        killed += status == -1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNJUDGED)
            unjudged("round %u could not be made", round);
        if (WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_ESCAPED || WEXITSTATUS(status) == EXIT_FAILED))
            escaped("round %u: status %#x", round, (unsigned)status);
    }
    if (killed > rounds / 2)
        unjudged("%u of %u rounds had to be killed", killed, rounds);
    const char *ill = files_are_well();
    if (ill)
        escaped("%s", ill);
}

enum verdict { HELD, BROKEN, OPEN };
// What an attacker's end says; why: at least 80 bytes.
static inline enum verdict judge(const struct attack *a, int status, char *why) {
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    bool ok = a->outcome == ENDS || (a->outcome == DIES && WIFSIGNALED(status)) ||
              (a->outcome == SURVIVES && WIFEXITED(status) && code == 0);
    if (status == -1)
        strcpy(why, "it was not over in time");
    else if (code == EXIT_ESCAPED)
        strcpy(why, "ESCAPED");
    else if (code == EXIT_FAILED)
        strcpy(why, "what must hold does not");
    else if (code == EXIT_UNJUDGED)
        strcpy(why, "the attack could not be made, or not be watched");
    else
        snprintf(why, 80, "the attacker ended with status %#x", (unsigned)status);
    if (status == -1 || code == EXIT_UNJUDGED)
        return OPEN;
    return ok && code != EXIT_ESCAPED && code != EXIT_FAILED ? HELD : BROKEN;
}

static inline enum verdict attempt_attack(const struct attack *a, char *why) {
    pid_t pid = fork_patiently();
    if (pid < 0) {
        strcpy(why, "no process for it");
        return OPEN;
    }
    if (pid == 0) {
        close(peer_in);
        close(peer_out);
        alarm(0);
        setpgid(0, 0);
        a->run();
        _exit(0);
    }
    int status = end_or_kill(pid, 30000);
    kill(-pid, SIGKILL);  // what it may have left in its group
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    enum verdict v = judge(a, status, why);
    const char *ill = health();
    if (!ill || v == BROKEN)
        return v;
    snprintf(why, 80, "after it, %s", ill);
    return BROKEN;
}

static inline bool run_attack(const struct attack *a) {
    static const char *const words[] = {[HELD] = "ok", [BROKEN] = "FAIL", [OPEN] = "UNJUDGED"};
    char why[80];
    enum verdict v = OPEN;
    for (attempt = 1; attempt <= ATTEMPTS && v == OPEN; attempt++)
        v = attempt_attack(a, why);
    attempt = 1;
    say("%s %s%s%s", words[v], a->name, v == HELD ? "" : ": ", v == HELD ? "" : why);
    return v == HELD;
}

static inline void hear_host(void) {
    char line[512] = "", platform[16] = "";
    say("ready");
    need(fgets(line, sizeof line, stdin));
    need(sscanf(line, "%lx %lx %lx %lx %lx %lx %15s %d %d %u %u %63s %63s %u", &host.base, &host.text_end,
                &host.slots, &host.end, &host.gate, &host.sigreturn, platform, &host.victim, &host.sentry,
                &host.port, &host.shm_key, host.secret, host.name, &scale) == 14);
    host.seccomp = !strcmp(platform, "seccomp");
}

static inline int attacks_main(int argc, char **argv, const struct attack *list, size_t n) {
    struct utsname u;
    if (argc > 1 && !strcmp(argv[1], "--healthy"))
        return 42;
    if (uname(&u) || !strstr(u.release, "picket")) {
        say("skip: not inside Picket");
        return 77;
    }
    signal(SIGPIPE, SIG_IGN);
    hear_host();
    start_peer();
    const char *ill = health();
    if (ill) {
        say("FAIL health: before any attack, %s", ill);
        return 1;
    }
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        if (argc < 2 || strstr(list[i].name, argv[1]))
            ok &= run_attack(&list[i]);
    say("done");
    return ok ? 0 : 1;
}
#define ATTACKS(...) \
    static const struct attack attacks[] = {__VA_ARGS__}; \
    int main(int argc, char **argv) { \
        return attacks_main(argc, argv, attacks, sizeof attacks / sizeof *attacks); \
    }

#endif
