// SPDX-License-Identifier: Apache-2.0
// Calls that wait for a disk: `diskwaits FILE DIR` reads FILE, of which nothing is in memory at first, by
// several threads, and syncs files in DIR by others, while signals come to all of them and processes that do
// the same are killed. Bytes must be right, no call is interrupted (a disk's never are), and others go on
// meanwhile.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 12
#define PIECE   150000
#define MOST    3000000  // more than is fetched at a time

static struct {
    const char *file, *dir;
    off_t size;
    _Atomic int left;      // threads that are at work
    _Atomic long signals;  // that came
} g;

static void __attribute__((noreturn)) wrong(const char *what, long r) {
    printf("WRONG %s: %ld, %s\n", what, r, strerrorname_np(errno));
    fflush(stdout);
    _exit(1);
}
static void came(int signo) { atomic_fetch_add(&g.signals, 1); }

// The file is as the runner has made it: each 8 bytes are the number of their place.
static void check(const uint8_t *buf, off_t at, ssize_t n) {
    for (off_t i = (at + 7) / 8; (i + 1) * 8 <= at + n; i++) {
        uint64_t v;
        memcpy(&v, buf + (i * 8 - at), sizeof v);
        if (v != (uint64_t)i)
            wrong("a byte", (long)i * 8);
    }
}
static void reads(unsigned which) {
    uint8_t *buf = malloc(MOST);
    int fd = open(g.file, O_RDONLY);
    if (fd < 0 || !buf)
        wrong("open", fd);
    // Each goes another way through it: some forwards, some with gaps, by read, pread and preadv.
    size_t most = which == 0 ? MOST : PIECE;
    off_t step = which % 3 == 0 ? (off_t)most : PIECE * 7, at = which % 3 ? (off_t)which * 40000 : 0;
    for (; at < g.size; at += step) {
        struct iovec v[2] = {{buf, 1000}, {buf + 1000, PIECE - 1000}};
        ssize_t want = g.size - at < (off_t)most ? g.size - at : (off_t)most, n;
        if (which % 3 == 0)
            n = read(fd, buf, most);
        else
            n = which % 3 == 1 ? pread(fd, buf, PIECE, at) : preadv(fd, v, 2, at);
        if (n != want)
            wrong("a read", n);
        check(buf, at, n);
    }
    close(fd);
    free(buf);
}
static void syncs(unsigned which) {
    char name[400], text[5000];
    snprintf(name, sizeof name, "%s/sync%u", g.dir, which);
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    memset(text, 'a' + (int)which, sizeof text);
    for (int k = 0; k < 30; k++) {
        if (pwrite(fd, text, sizeof text, k * 1000) != sizeof text)
            wrong("a write", k);
        int r = k % 2 ? fsync(fd) : fdatasync(fd);
        if (r)
            wrong("a sync", r);
    }
    close(fd);
    unlink(name);
}
static void *works(void *arg) {
    unsigned which = (unsigned)(uintptr_t)arg;
    if (which % 2)
        syncs(which);
    else
        reads(which / 2);
    atomic_fetch_sub(&g.left, 1);
    return NULL;
}
static void work(int storms) {
    pthread_t t[THREADS];
    g.left = THREADS;
    for (uintptr_t k = 0; k < THREADS; k++)
        if (pthread_create(&t[k], NULL, works, (void *)k))
            wrong("a thread", (long)k);
    while (storms && g.left > 0) {
        for (int k = 0; k < THREADS; k++)
            pthread_kill(t[k], SIGUSR1);
        nanosleep(&(struct timespec){0, 300000}, NULL);
    }
    for (int k = 0; k < THREADS; k++)
        pthread_join(t[k], NULL);
}

int main(int argc, char **argv) {
    struct sigaction sa = {.sa_handler = came};  // not SA_RESTART
    if (argc != 3)
        return 2;
    g.file = argv[1], g.dir = argv[2];
    int fd = open(g.file, O_RDONLY);
    g.size = lseek(fd, 0, SEEK_END);
    sigaction(SIGUSR1, &sa, NULL);
    for (int k = 0; k < 4; k++) {
        pid_t pid = fork();
        if (pid == 0) {
            work(0);
            _exit(0);
        }
        nanosleep(&(struct timespec){0, 2000000 * k}, NULL);
        kill(pid, SIGKILL);
        if (waitpid(pid, NULL, 0) != pid)
            wrong("wait", pid);
    }
    work(1);
    printf("all read and synced, %s signals\n", g.signals ? "with" : "without");
    return 0;
}
