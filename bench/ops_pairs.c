// SPDX-License-Identifier: Apache-2.0
// Several at once: ping-pong between two, and what N threads or processes get done together.
#include "micro.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- Ping-pong --------------------------------------------------------------------------------------------
static int to_child[2], to_parent[2];
static uint32_t *word;  // shared; even: the parent's turn
static char byte;

static void echo(int in, int out) {
    while (read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1)
        ;
    _exit(0);
}
static void make_pipes(void) {
    check(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
    if (fork() == 0) {
        close(to_child[1]);
        echo(to_child[0], to_parent[1]);
    }
    close(to_child[0]);
}
static void make_unix(void) {
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, to_child) == 0, "socketpair");
    if (fork() == 0) {
        close(to_child[1]);
        echo(to_child[0], to_child[0]);
    }
    close(to_child[0]);
    to_parent[0] = to_child[1];
}
static void op_ping(void) {
    check(write(to_child[1], &byte, 1) == 1 && read(to_parent[0], &byte, 1) == 1, "ping-pong");
}

static void turn(uint32_t *w, uint32_t mine) {
    for (;;) {
        uint32_t value = __atomic_load_n(w, __ATOMIC_ACQUIRE);
        if ((value & 1) == mine)
            return;
        syscall(SYS_futex, w, FUTEX_WAIT, value, NULL, NULL, 0);
    }
}
static void pass(uint32_t *w) {
    __atomic_fetch_add(w, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, w, FUTEX_WAKE, 1, NULL, NULL, 0);
}
static void *futex_echo(void *w) {
    for (;;) {
        turn(w, 1);
        pass(w);
    }
    return NULL;
}
static void make_futex(void) {
    static uint32_t w;
    pthread_t t;
    word = &w;
    check(pthread_create(&t, NULL, futex_echo, word) == 0, "thread");
}
static void op_futex(void) {
    pass(word);
    turn(word, 0);
}

// ---- A cache line there and back between two cores: the least that a call takes that another answers; and
// with a page that comes back by memory that both have
// -------------------------------------------------------
static struct {
    _Atomic uint32_t turn;
    bool with_page;
    char pad[56], page[PAGE];
} __attribute__((aligned(64))) line;

static void stay_on(unsigned nth) {
    cpu_set_t all, one;
    check(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    CPU_ZERO(&one);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && nth-- == 0)
            CPU_SET(cpu, &one);
    check(CPU_COUNT(&one) == 1 && sched_setaffinity(0, sizeof one, &one) == 0, "two CPUs");
}
static char page_from[PAGE], page_to[PAGE];
static void *line_echo(void *unused) {
    stay_on(1);
    for (;;) {
        while (!(atomic_load(&line.turn) & 1))
            __builtin_ia32_pause();
        if (line.with_page)
            memcpy(line.page, page_from, PAGE);
        atomic_fetch_add(&line.turn, 1);
    }
    return NULL;
}
static void make_line(void) {
    pthread_t t;
    check(pthread_create(&t, NULL, line_echo, NULL) == 0, "thread");
    stay_on(0);
}
static void make_page(void) {
    line.with_page = true;
    make_line();
}
static void op_line(void) {
    atomic_fetch_add(&line.turn, 1);
    while (atomic_load(&line.turn) & 1)
        __builtin_ia32_pause();
}

static void op_page(void) {
    op_line();
    memcpy(page_to, line.page, PAGE);
}

// ---- Throughput: ns for one operation, all together -------------------------------------------------------
#define RUN_NS  2e8
#define MOST    8
#define AT_ONCE 16  // operations between looks at the clock

struct shared {
    pthread_barrier_t barrier;
    double end;  // written before the barrier
    uint64_t done[MOST];
    uint32_t words[MOST];  // futexes, one for each pair
    uint32_t over[MOST];   // a pair's end
};
static struct shared *s;
static const struct op *team;
static int pipes[MOST][2], file = -1;

static int more(void) { return now() < s->end; }

static uint64_t do_getppid(int i) {
    for (int k = 0; k < AT_ONCE; k++)
        syscall(SYS_getppid);
    return more() ? AT_ONCE : 0;
}
static uint64_t do_pread(int i) {
    char buf[PAGE];
    for (int k = 0; k < AT_ONCE; k++)
        check(pread(file, buf, PAGE, 0) == PAGE, "pread");
    return more() ? AT_ONCE : 0;
}
// The even ones write, the odd ones read until there is no writer.
static uint64_t do_pipes(int i) {
    int *ends = pipes[i / 2];
    if (i & 1)
        return read(ends[0], &byte, 1) == 1;
    for (int k = 0; k < AT_ONCE; k++)
        check(write(ends[1], &byte, 1) == 1, "write");
    if (more())
        return AT_ONCE;
    close(ends[1]);
    return 0;
}
static uint64_t do_futexes(int i) {
    uint32_t *w = &s->words[i / 2];
    if (i & 1) {
        turn(w, 1);
        int over = __atomic_load_n(&s->over[i / 2], __ATOMIC_ACQUIRE);
        pass(w);
        return !over;
    }
    int last = !more();
    if (last)
        __atomic_store_n(&s->over[i / 2], 1, __ATOMIC_RELEASE);
    pass(w);
    turn(w, 0);
    return !last;
}

static void work(int i) {
    pthread_barrier_wait(&s->barrier);
    for (uint64_t n; (n = team->share(i)) > 0;)
        s->done[i] += n;
}
static void *work_thread(void *i) {
    work((int)(intptr_t)i);
    return NULL;
}
// Write ends that a process does not use would keep the reader of another from its end.
static void close_others(int mine) {
    for (int k = 0; team->share == do_pipes && k < team->width / 2; k++)
        if (k != mine)
            close(pipes[k][1]);
}
static void start(int i, pthread_t *t) {
    if (!team->processes) {
        check(pthread_create(t, NULL, work_thread, (void *)(intptr_t)i) == 0, "thread");
        return;
    }
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid)
        return;
    close_others(i & 1 ? -1 : i / 2);
    work(i);
    _exit(0);
}

static void prepare(void) {
    pthread_barrierattr_t attr;
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(s != MAP_FAILED, "shared memory");
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&s->barrier, &attr, (unsigned)team->width + 1);
    for (int k = 0; k < team->width / 2; k++)
        check(pipe(pipes[k]) == 0, "pipe");
}

double together(const struct op *op) {
    pthread_t threads[MOST];
    uint64_t total = 0;
    team = op;
    prepare();
    for (int i = 0; i < op->width; i++)
        start(i, &threads[i]);
    if (op->processes)
        close_others(-1);
    double begin = now();
    s->end = begin + RUN_NS;
    pthread_barrier_wait(&s->barrier);
    for (int i = 0; i < op->width; i++)
        if (op->processes)
            wait(NULL);
        else
            pthread_join(threads[i], NULL);
    double spent = now() - begin;
    for (int i = 0; i < op->width; i++)
        total += s->done[i];
    check(total > 0, "nothing was done");
    return spent / (double)total;
}

static void make_file(void) { file = memory_file(); }

// NAME_tN: by N threads; NAME_pN: by N processes.
#define ONE(text, f, make, n, by_processes) \
    { .name = text, .share = f, .prepare = make, .width = n, .processes = by_processes }
#define TEAMS(text, f, make) \
    ONE(text "_t2", f, make, 2, 0), ONE(text "_t4", f, make, 4, 0), ONE(text "_t8", f, make, 8, 0), \
        ONE(text "_p2", f, make, 2, 1), ONE(text "_p4", f, make, 4, 1), ONE(text "_p8", f, make, 8, 1)

const struct op pair_ops[] = {
    {.name = "pipe", .run = op_ping, .prepare = make_pipes},
    {.name = "unix", .run = op_ping, .prepare = make_unix},
    {.name = "futex", .run = op_futex, .prepare = make_futex},
    {.name = "line", .run = op_line, .prepare = make_line},
    {.name = "page", .run = op_page, .prepare = make_page},
    TEAMS("getppids", do_getppid, NULL),
    TEAMS("preads", do_pread, make_file),
    TEAMS("pipes", do_pipes, NULL),
    TEAMS("futexes", do_futexes, NULL),
    {0},
};
