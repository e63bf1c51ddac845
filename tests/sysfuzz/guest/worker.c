// SPDX-License-Identifier: Apache-2.0
// A worker: a process whose threads make calls until its time is over, or until somebody kills it. A fault in
// a thread (memory that another one has unmapped) goes on with the thread's next call.
#include "fuzz.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MAX_THREADS 6

_Thread_local struct thread me;
bool is_root;
uint64_t stop_at;
static uint64_t seed_of_process;
static _Atomic unsigned nthreads;

// ---- Memory and limits ------------------------------------------------------------------------------------
static void map_arena(uint64_t at, int share) {
    mmap((void *)at, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_ANONYMOUS | share, -1, 0);
}

// What a worker may take, the host's memory in the end.
static void set_limits(void) {
    static const struct {
        int which;
        rlim_t value;
    } limits[] = {{RLIMIT_AS, 256 << 20},    {RLIMIT_FSIZE, 1 << 20}, {RLIMIT_NPROC, 100},
                  {RLIMIT_NOFILE, FD_LIMIT}, {RLIMIT_CORE, 0},        {RLIMIT_STACK, 1 << 20},
                  {RLIMIT_MEMLOCK, 1 << 20}};
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++)
        setrlimit((__rlimit_resource_t)limits[i].which, &(struct rlimit){limits[i].value, limits[i].value});
}

// ---- Signals ----------------------------------------------------------------------------------------------
static void on_fault(int sig) {
    if (me.armed)
        siglongjmp(me.out, 1);
    _exit(90);
}
static void on_signal(int sig) {}

static void set_handlers(void) {
    struct sigaction fault = {.sa_handler = on_fault, .sa_flags = SA_NODEFER},
                     other = {.sa_handler = on_signal};
    sigaction(SIGSEGV, &fault, NULL);
    sigaction(SIGBUS, &fault, NULL);
    static const int handled[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE, SIGIO,
                                  SIGHUP,  SIGTERM, SIGCHLD, 34,      35};
    for (unsigned i = 0; i < sizeof handled / sizeof handled[0]; i++) {
        other.sa_flags = one_in(2) ? SA_RESTART : 0;
        sigaction(handled[i], &other, NULL);
    }
}

// ---- Calls ------------------------------------------------------------------------------------------------
static const struct shape *const all_shapes[] = {file_shapes,   wait_shapes, wait_shapes,   process_shapes,
                                                 memory_shapes, ipc_shapes,  socket_shapes, inet_shapes,
                                                 ptrace_shapes, tty_shapes,  uring_shapes};

void any_shape(void) {
    const struct shape *s = pick(all_shapes);
    unsigned sum = 0;
    for (const struct shape *i = s; i->run; i++)
        sum += i->weight;
    unsigned at = below(sum);
    for (; at >= s->weight; s++)
        at -= s->weight;
    s->run();
}

static void one_call(void) {
    if (sigsetjmp(me.out, 0)) {
        me.armed = false;
        return;
    }
    me.armed = true;
    atomic_fetch_add(&control->calls, 1);
    if (one_in(2))
        any_call();
    else
        any_shape();
    me.armed = false;
}

static void until_end(void) {
    for (unsigned i = 1; i % 16 || now_ns() < stop_at; i++)
        one_call();
}

void some_calls(unsigned n) {
    for (; n > 0 && (n % 8 || now_ns() < stop_at); n--)
        one_call();
}

// ---- Threads and processes --------------------------------------------------------------------------------
void remember_pid(int pid) {
    if (pid > 2)
        atomic_store(&control->pids[atomic_fetch_add(&control->npids, 1) % PIDS], pid);
}

bool may_fork(void) { return atomic_fetch_sub(&control->forks, 1) > 0; }

static void *thread_main(void *arg) {
    me.slot = (unsigned)(uintptr_t)arg;
    me.rng = mix(seed_of_process, me.slot);
    remember_pid((int)call(SYS_gettid));
    until_end();
    return NULL;
}

void thread_start(void) {
    unsigned n = atomic_fetch_add(&nthreads, 1);
    pthread_attr_t attr;
    pthread_t thread;
    if (n >= MAX_THREADS || pthread_attr_init(&attr))
        return;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 64 << 10);
    me.armed = false;  // a jump out of pthread_create() would leave its lock taken
    pthread_create(&thread, &attr, thread_main, (void *)(uintptr_t)n);
}

// `drop`: as an ordinary user, which may not signal the supervisor.
void worker(uint64_t seed, unsigned life_ms, bool drop) {
    seed_of_process = seed;
    me = (struct thread){.rng = mix(seed, 0)};
    atomic_store(&nthreads, 1);
    stop_at = now_ns() + life_ms * 1000000ull;
    is_root = call(SYS_geteuid) == 0 && !drop;
    set_limits();
    map_arena(PRIVATE_AT, MAP_PRIVATE);
    set_handlers();
    call(SYS_setpgid, 0, 0);
    if (drop)
        call(SYS_setresuid, 65534, 65534, 65534);
    remember_pid((int)call(SYS_getpid));
    for (unsigned n = below(4); n > 0; n--)
        thread_start();
    until_end();
    _exit((int)below(3));
}
