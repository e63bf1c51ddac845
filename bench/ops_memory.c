// SPDX-License-Identifier: Apache-2.0
// Maps, touches, the heap's end.
#include "micro.h"
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

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
static void op_brk(void) { check(sbrk(PAGE) != (void *)-1 && sbrk(-PAGE) != (void *)-1, "brk"); }

const struct op memory_ops[] = {
    {.name = "mmap", .run = op_mmap},
    {.name = "touch", .run = op_touch, .per_run = 16},
    {.name = "mmap_touch", .run = op_mmap_touch},
    {.name = "brk", .run = op_brk},
    {0},
};
