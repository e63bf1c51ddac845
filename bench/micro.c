// SPDX-License-Identifier: Apache-2.0
// The guest side of the benchmarks: times one operation in a loop and prints ns per operation. It is run
// natively and inside each sandbox in turn by run.py. usage: micro OPERATION ; with no argument lists the
// operations.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
static char path[] = "/tmp/picket-bench-XXXXXX";
static int fd, to_child[2], to_parent[2];
static char buf[PAGE];
static char *self;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}
static void check(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void make_file(void) {
    fd = mkstemp(path);
    check(fd >= 0 && write(fd, buf, PAGE) == PAGE, "temporary file");
}
static void make_pipes(void) {
    check(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
    if (fork() == 0) {
        close(to_child[1]);
        while (read(to_child[0], buf, 1) == 1 && write(to_parent[1], buf, 1) == 1)
            ;
        _exit(0);
    }
    close(to_child[0]);
}

static void op_getppid(void) { syscall(SYS_getppid); }
static void op_pread(void) { check(pread(fd, buf, PAGE, 0) == PAGE, "pread"); }
static void op_stat(void) {
    struct stat st;
    check(stat(path, &st) == 0, "stat");
}
static void op_open(void) {
    int f = open(path, O_RDONLY);
    check(f >= 0 && close(f) == 0, "open");
}
static void op_pipe(void) {
    check(write(to_child[1], buf, 1) == 1 && read(to_parent[0], buf, 1) == 1, "ping-pong");
}
static void op_mmap(void) {
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED && munmap(p, PAGE) == 0, "mmap");
}
// A page of a fresh map touched, with its share of the map and unmap: 16 pages each.
static void op_touch(void) {
    char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED, "mmap");
    for (int i = 0; i < 16; i++)
        ((volatile char *)p)[i * PAGE] = 1;
    munmap(p, 16 * PAGE);
}
static void op_mmap_touch(void) {
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED, "mmap");
    *(volatile char *)p = 1;
    munmap(p, PAGE);
}
static void op_fork(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0)
        _exit(0);
    check(waitpid(pid, NULL, 0) == pid, "wait");
}
static void op_exec(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        execl(self, self, "nothing", (char *)NULL);
        _exit(1);
    }
    int status;
    check(waitpid(pid, &status, 0) == pid && status == 0, "exec");
}

static const struct op {
    const char *name;
    void (*run)(void);
    void (*prepare)(void);
    int per_run;  // operations that one run counts for
} ops[] = {
    {"getppid", op_getppid, NULL, 1}, {"pread", op_pread, make_file, 1},      {"stat", op_stat, make_file, 1},
    {"open", op_open, make_file, 1},  {"pipe", op_pipe, make_pipes, 1},       {"mmap", op_mmap, NULL, 1},
    {"touch", op_touch, NULL, 16},    {"mmap_touch", op_mmap_touch, NULL, 1}, {"fork", op_fork, NULL, 1},
    {"exec", op_exec, NULL, 1},
};

// Rounds of about 10 ms; the median of 15 is printed, so that a disturbance of the machine does not count.
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static double measure(const struct op *op) {
    enum { ROUNDS = 15 };
    double result[ROUNDS], start;
    long n = 1;
    for (;; n *= 2) {
        start = now();
        for (long i = 0; i < n; i++)
            op->run();
        if (now() - start > 5e6 || n > 1 << 20)
            break;
    }
    for (int r = 0; r < ROUNDS; r++) {
        start = now();
        for (long i = 0; i < n; i++)
            op->run();
        result[r] = (now() - start) / (double)n / op->per_run;
    }
    qsort(result, ROUNDS, sizeof result[0], by_value);
    return result[ROUNDS / 2];
}

int main(int argc, char **argv) {
    self = argv[0];
    if (argc < 2) {
        for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
            puts(ops[i].name);
        return 0;
    }
    if (!strcmp(argv[1], "nothing"))
        return 0;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].name, argv[1]))
            continue;
        if (ops[i].prepare)
            ops[i].prepare();
        printf("%.1f\n", measure(&ops[i]));
        unlink(path);
        return 0;
    }
    fprintf(stderr, "micro: no operation '%s'\n", argv[1]);
    return 2;
}
