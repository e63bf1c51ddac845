// SPDX-License-Identifier: Apache-2.0
// The operations that the benchmarks time, by group; micro.c times them.
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stdint.h>

#define PAGE 4096

struct op {
    const char *name;
    void (*run)(void);      // one operation
    void (*prepare)(void);  // once, before; may be NULL
    int per_run;            // operations that one run counts for; 0: 1
    double (*time)(void);   // instead of run, for what is not one loop: ns for each operation
    // Instead of run, for what `width` threads or processes do at once: the next operations of number i; how
    // many there were, 0 at the end.
    uint64_t (*share)(int i);
    int width, processes;
};

// Each list ends with an entry without a name.
extern const struct op call_ops[], memory_ops[], process_ops[], pair_ops[], net_ops[];

double together(const struct op *op);  // share: ns for each operation, of all
double now(void);                      // ns, monotonic
void check(int ok, const char *what);  // ends the program with a message
int memory_file(void);                 // a new file of one page, in memory on every system; its descriptor
const char *memory_file_name(void);
void parked_threads(int n);  // starts n threads that wait for ever
extern char *self;           // the program's own path

#endif
