// SPDX-License-Identifier: Apache-2.0
// The guest side of the benchmarks: times one operation in a loop and prints ns per operation. It is run
// natively and inside each sandbox in turn by run.py. usage: micro OPERATION[+N]; with N further threads that
// wait meanwhile. With no argument lists the operations.
#include "micro.h"
#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 15

char *self;
static char path[64];

double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

void check(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void remove_file(void) { unlink(path); }

int memory_file(void) {
    static char page[PAGE];
    strcpy(path, "/dev/shm/picket-bench-XXXXXX");
    int fd = mkstemp(path);
    check(fd >= 0 && write(fd, page, PAGE) == PAGE, "a file in /dev/shm");
    atexit(remove_file);
    return fd;
}

const char *memory_file_name(void) { return path; }

static atomic_int arrived;

static void *wait_for_ever(void *unused) {
    atomic_fetch_add(&arrived, 1);
    for (;;)
        pause();
    return NULL;
}

void parked_threads(int n) {
    pthread_attr_t attr;
    pthread_t t;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    for (int i = 0; i < n; i++)
        check(pthread_create(&t, &attr, wait_for_ever, NULL) == 0, "a thread");
    while (atomic_load(&arrived) < n)
        usleep(1000);
    usleep(100000);  // all wait, and have done so for a while
}

// Rounds of about 10 ms; the median is printed, so that a disturbance of the machine does not count.
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double loop(const struct op *op, long n) {
    double start = now();
    for (long i = 0; i < n; i++)
        op->run();
    return now() - start;
}

static double measure(const struct op *op) {
    if (op->time)
        return op->time();
    if (op->share)
        return together(op);
    double result[ROUNDS];
    long n = 1;
    while (loop(op, n) < 5e6 && n < 1 << 20)
        n *= 2;
    for (int r = 0; r < ROUNDS; r++)
        result[r] = loop(op, n) / (double)n / (op->per_run ? op->per_run : 1);
    qsort(result, ROUNDS, sizeof result[0], by_value);
    return result[ROUNDS / 2];
}

static const struct op *const groups[] = {call_ops, memory_ops, process_ops, pair_ops, net_ops};

static const struct op *find(const char *name) {
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const struct op *op = groups[g]; op->name; op++) {
            if (!name)
                puts(op->name);
            else if (!strcmp(op->name, name))
                return op;
        }
    return NULL;
}

int main(int argc, char **argv) {
    self = argv[0];
    if (argc < 2) {
        find(NULL);
        return 0;
    }
    if (!strcmp(argv[1], "nothing"))
        return 0;
    char *threads = strchr(argv[1], '+');
    if (threads)
        *threads++ = '\0';
    const struct op *op = find(argv[1]);
    if (!op) {
        fprintf(stderr, "micro: no operation '%s'\n", argv[1]);
        return 2;
    }
    if (op->prepare)
        op->prepare();
    if (threads)
        parked_threads(atoi(threads));
    printf("%.1f\n", measure(op));
    exit(0);
}
