// SPDX-License-Identifier: Apache-2.0
// The supervisor: the first process of the sandbox. It makes generations of workers, disturbs them with
// signals, kills all that is left of a generation and waits for every one to be gone, and says how far it is.
// It makes only calls that cannot wait for anybody else, so when its words stop coming, the sandbox hangs;
// when a killed process does not go, it says so itself.
//
//   sysfuzz SEED SECONDS     as process 2 of a sandbox, never on the host: it would kill what it finds
//   sysfuzz exec SEED MS     what its own workers exec
//
// Exit status: 0 all well, 3 a process could not be killed, 2 it was not started as it must be.
#include "fuzz.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 3u
#define FORKS   10
#define KILL_BOUND \
    40  // seconds until a killed process must be gone; a slow machine under a sanitizer needs some

const char *self_path = "/proc/self/exe";
static uint64_t total_calls;
static int null_fd;  // opened before anybody could put another file in its place

static void sleep_ms(unsigned ms) {
    struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static void say(const char *what, uint64_t a, uint64_t b) {
    char line[128];
    int n = snprintf(line, sizeof line, "%s %llu %llu\n", what, (unsigned long long)a, (unsigned long long)b);
    if (write(1, line, (size_t)n) != n)
        _exit(4);
}

static void shared_memory(void) {
    static const uint64_t at[] = {SHARED_AT, CONTROL_AT};
    for (unsigned i = 0; i < 2; i++)
        if (mmap((void *)at[i], i ? PAGE : ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE,
                 MAP_FIXED | MAP_ANONYMOUS | MAP_SHARED, -1, 0) == MAP_FAILED)
            _exit(2);
}

// A worker has nothing of the supervisor's but the control page.
static void run_worker(uint64_t seed, unsigned life_ms, bool drop) {
    sigset_t none;
    for (int fd = 0; fd < 3; fd++)
        dup2(null_fd, fd);
    close(null_fd);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    worker(seed, life_ms, drop);
}

static struct {
    pid_t pid;       // 0: to be made
    uint64_t until;  // monotonic ns: it is killed then, with its group
} workers[WORKERS];

static void reap(void) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) {
        if (WIFSTOPPED(status))  // it has made us its tracer
            syscall(SYS_ptrace, one_in(2) ? 7 : 17, pid, 0, 0);
        for (unsigned i = 0; i < WORKERS; i++)
            if (workers[i].pid == pid && !WIFSTOPPED(status))
                workers[i].pid = 0;
    }
}

// Whoever has ended is made again; whoever waits for ever has had its time.
static void keep_working(uint64_t seed, bool root) {
    static uint64_t made;
    for (unsigned i = 0; i < WORKERS; i++) {
        if (workers[i].pid && now_ns() > workers[i].until)
            kill(-workers[i].pid, SIGKILL);
        if (workers[i].pid)
            continue;
        unsigned life_ms = 40 + below(400);
        bool drop = root && one_in(3);
        workers[i].until = now_ns() + life_ms * 1000000ull;
        pid_t pid = fork();
        if (pid == 0)
            run_worker(mix(seed, made), one_in(3) ? life_ms / 2 : 100000, drop);
        workers[i].pid = pid > 0 ? pid : 0;
        made++;
    }
}

// Signals from outside make every kind of wait end early.
static void disturb(void) {
    int pid = any_pid(),
        sig = pick(((const int[]){SIGUSR1, SIGUSR2, SIGCONT, SIGSTOP, SIGALRM, 34, SIGHUP, SIGKILL}));
    if (pid > 2 && pid < INT32_MAX && !(sig == SIGKILL && below(4)))
        kill(pid, sig);
    if (sig == SIGSTOP && pid > 2 && pid < INT32_MAX) {
        sleep_ms(below(5));
        kill(pid, SIGCONT);
    }
}

static void kill_all(void) {
    uint64_t until = now_ns() + KILL_BOUND * 1000000000ull;
    for (;;) {
        kill(-1, SIGKILL);
        reap();
        if (waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD)
            return;
        if (now_ns() > until) {
            say("sysfuzz: stuck", total_calls, 0);
            sleep_ms(1000000);  // whoever looks finds it as it is
            exit(3);
        }
        sleep_ms(2);
    }
}

static void collect(void) {
    total_calls += atomic_exchange(&control->calls, 0);
    atomic_store(&control->npids, 0);
    memset(control->pids, 0, sizeof control->pids);
}

static void generation(uint64_t seed, bool root) {
    uint64_t end = now_ns() + (150 + below(1500)) * 1000000ull;
    atomic_store(&control->forks, FORKS);
    memset(workers, 0, sizeof workers);
    for (uint64_t said = 0; now_ns() < end;) {
        keep_working(seed, root);
        sleep_ms(1 + below(12));
        disturb();
        reap();
        if (now_ns() - said > 500000000) {
            say("sysfuzz: calls", total_calls + atomic_load(&control->calls), 0);
            said = now_ns();
        }
    }
    kill_all();
    collect();
}

// A place of its own, with a few things to find.
static void make_place(void) {
    mkdir("/tmp/sysfuzz", 0777);
    null_fd = open("/dev/null", O_RDWR);
    if (null_fd < 3 || chdir("/tmp/sysfuzz") < 0)
        _exit(2);
    chmod(".", 0777);
    mkdir("d", 0777);
    mkdir("e", 0777);
    mkfifo("fifo", 0666);
    mkfifo("fifo2", 0666);
    close(open("a", O_CREAT | O_WRONLY, 0666));
    close(open("b", O_CREAT | O_WRONLY, 0666));
}

static int supervise(uint64_t seed, unsigned seconds) {
    sigset_t all;
    if (getpid() != 2 || getppid() != 1) {
        fprintf(stderr, "sysfuzz: this is only to be run as the first process of a sandbox\n");
        return 2;
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    umask(0);
    shared_memory();
    make_place();
    me.rng = mix(seed, 0);
    bool root = geteuid() == 0;
    uint64_t end = now_ns() + seconds * 1000000000ull, n = 0;
    for (; now_ns() < end; n++)
        generation(mix(seed, n + 1), root);
    // Sometimes the sandbox ends with a generation in the middle of its work.
    for (unsigned i = 0; seed % 2 && i < WORKERS; i++)
        if (fork() == 0)
            run_worker(mix(seed, i + 1000000), 100000, false);
    sleep_ms(seed % 2 ? 50 : 0);
    say("sysfuzz: done", total_calls, n);
    return 0;
}

int main(int argc, char **argv) {
    calls_init();
    if (argc == 4 && !strcmp(argv[1], "exec")) {
        shared_memory();  // no longer shared with anybody
        worker(strtoull(argv[2], NULL, 10), (unsigned)atoi(argv[3]), false);
    }
    return argc == 3 ? supervise(strtoull(argv[1], NULL, 10), (unsigned)atoi(argv[2])) : 2;
}
