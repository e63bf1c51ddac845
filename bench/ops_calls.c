// SPDX-License-Identifier: Apache-2.0
// Calls of one thread: what needs no file, files in memory, pipes to itself.
#include "micro.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIG (64 << 10)
#define GIB (1ll << 30)
#define MIB (1 << 20)

static int fd, ends[2], epfd;
static char *buf;

static void make_file(void) {
    fd = memory_file();
    buf = malloc(MIB);
    check(buf != NULL, "memory");
    memset(buf, 1, MIB);
}
static void make_big_file(void) {
    make_file();
    check(pwrite(fd, buf, BIG, 0) == BIG, "pwrite");
}
static void make_pipe(void) {
    make_file();
    check(pipe(ends) == 0, "pipe");
}
static void make_epoll(void) {
    struct epoll_event ev = {.events = EPOLLIN};
    make_pipe();
    epfd = epoll_create1(0);
    check(epfd >= 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, ends[0], &ev) == 0, "epoll");
}

static void op_getppid(void) { syscall(SYS_getppid); }
static void op_pread(void) { check(pread(fd, buf, PAGE, 0) == PAGE, "pread"); }
static void op_pwrite1(void) { check(pwrite(fd, buf, 1, 0) == 1, "pwrite"); }
static void op_pread_64k(void) { check(pread(fd, buf, BIG, 0) == BIG, "pread"); }
static void op_pwrite_64k(void) { check(pwrite(fd, buf, BIG, 0) == BIG, "pwrite"); }
static void op_stat(void) {
    struct stat st;
    check(stat(memory_file_name(), &st) == 0, "stat");
}
static void op_open(void) {
    int f = open(memory_file_name(), O_RDONLY);
    check(f >= 0 && close(f) == 0, "open");
}
static void op_pipe_self(void) {
    check(write(ends[1], buf, 1) == 1 && read(ends[0], buf, 1) == 1, "a pipe's byte");
}
static void op_epoll(void) {
    struct epoll_event ev;
    check(epoll_wait(epfd, &ev, 1, 0) == 0, "epoll_wait");
}

// A call from code that was made at run time: nobody may change that.
static long (*made)(void);
static void make_code(void) {
    static const unsigned char code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(p != MAP_FAILED, "executable memory");
    memcpy(p, code, sizeof code);
    memcpy(&made, &p, sizeof made);
}
static void op_made_code(void) { made(); }

// One GiB from end to end, in pieces of a MiB: ns for each MiB.
static double write_all(void) {
    double start = now();
    for (long long at = 0; at < GIB; at += MIB)
        check(pwrite(fd, buf, MIB, at) == MIB, "pwrite");
    return (now() - start) / (GIB / MIB);
}
static double read_all(void) {
    double start = now();
    for (long long at = 0; at < GIB; at += MIB)
        check(pread(fd, buf, MIB, at) == MIB, "pread");
    return (now() - start) / (GIB / MIB);
}
static void make_gib(void) {
    make_file();
    write_all();
}

const struct op call_ops[] = {
    {.name = "getppid", .run = op_getppid},
    {.name = "getppid_made", .run = op_made_code, .prepare = make_code},
    {.name = "pread", .run = op_pread, .prepare = make_file},
    {.name = "pwrite1", .run = op_pwrite1, .prepare = make_file},
    {.name = "stat", .run = op_stat, .prepare = make_file},
    {.name = "open", .run = op_open, .prepare = make_file},
    {.name = "pipe_self", .run = op_pipe_self, .prepare = make_pipe},
    {.name = "epoll", .run = op_epoll, .prepare = make_epoll},
    {.name = "pread_64k", .run = op_pread_64k, .prepare = make_big_file},
    {.name = "pwrite_64k", .run = op_pwrite_64k, .prepare = make_big_file},
    {.name = "write_gib", .time = write_all, .prepare = make_file},
    {.name = "read_gib", .time = read_all, .prepare = make_gib},
    {0},
};
