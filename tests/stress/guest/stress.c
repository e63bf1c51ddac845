// SPDX-License-Identifier: Apache-2.0
// A workload of eight threads that does everything at once, and proves at its end that nothing was lost:
// mappings, futexes and condition variables, signals between threads, pipes, fork + exec + wait, files, poll
// and epoll. Each thread adds up what it did and what it must have done; the sums have to agree. Runs for the
// seconds given (default 8).
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define PAGE    4096ul

static double until;
static char folder[64];
static _Atomic uint64_t rounds[THREADS];

#define must(cond) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "stress: %s:%d: %s (%s)\n", __func__, __LINE__, #cond, strerror(errno)); \
            _exit(1); \
        } \
    } while (0)

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
static bool more(unsigned who) {
    atomic_fetch_add(&rounds[who], 1);
    return now() < until;
}
static uint32_t mix(uint32_t h, const void *data, size_t n) {
    const unsigned char *p = data;
    while (n--)
        h = (h ^ *p++) * 16777619u;
    return h;
}
static unsigned draw(unsigned *seed) { return *seed = *seed * 1103515245u + 12345u, *seed >> 8; }

// ---- Two threads of memory work ---------------------------------------------------------------------------
static void *memory(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg, seed = who + 1;
    do {
        size_t n = 1 + draw(&seed) % 32;
        unsigned char fill = (unsigned char)draw(&seed);
        unsigned char *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(p != MAP_FAILED);
        for (size_t i = 0; i < n; i++)
            must(p[i * PAGE] == 0);
        memset(p, fill, n * PAGE);
        must(mprotect(p, PAGE, PROT_READ) == 0 && p[0] == fill);
        must(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
        size_t to = 1 + draw(&seed) % 64;
        unsigned char *q = mremap(p, n * PAGE, to * PAGE, MREMAP_MAYMOVE);
        must(q != MAP_FAILED);
        size_t kept = to < n ? to : n;
        must(q[0] == fill && q[kept * PAGE - 1] == fill);
        must(to <= n || q[n * PAGE] == 0);
        must(madvise(q, PAGE, MADV_DONTNEED) == 0 && q[0] == 0);
        must(munmap(q, to * PAGE) == 0);
    } while (more(who));
    return NULL;
}

// ---- Two threads that pass numbers through a queue and pipes ----------------------------------------------
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER, queue_free = PTHREAD_COND_INITIALIZER;
static unsigned queue[16], queue_n;
static uint64_t put_sum, got_sum;
static int ping[2], pong[2];

static void *producer(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg, seed = 99, value;
    bool go = true;
    while (go) {
        go = more(who);
        value = go ? draw(&seed) % 1000 + 1 : 0;
        pthread_mutex_lock(&queue_lock);
        while (queue_n == 16)
            pthread_cond_wait(&queue_free, &queue_lock);
        queue[queue_n++] = value;
        put_sum += value;
        pthread_cond_signal(&queue_filled);
        pthread_mutex_unlock(&queue_lock);
        unsigned back = 0;
        if (value % 16 == 1) {
            must(write(ping[1], &value, sizeof value) == sizeof value);
            while (read(pong[0], &back, sizeof back) < 0)
                must(errno == EINTR);
            must(back == value + 1);
        }
    }
    return NULL;
}
static void *consumer(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg, value;
    do {
        pthread_mutex_lock(&queue_lock);
        while (queue_n == 0)
            pthread_cond_wait(&queue_filled, &queue_lock);
        value = queue[0];
        memmove(queue, queue + 1, --queue_n * sizeof queue[0]);
        got_sum += value;
        pthread_cond_signal(&queue_free);
        pthread_mutex_unlock(&queue_lock);
        if (value % 16 == 1) {
            unsigned in;
            while (read(ping[0], &in, sizeof in) < 0)
                must(errno == EINTR);
            in++;
            must(write(pong[1], &in, sizeof in) == sizeof in);
        }
        more(who);
    } while (value != 0);
    return NULL;
}

// ---- Signals: one thread sends, all others are interrupted, and what came is counted ----------------------
static pthread_t threads[THREADS];
static _Atomic uint64_t sent, received;
static void on_signal(int sig) { atomic_fetch_add(&received, 1); }

static void *signals(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg;
    uint64_t value = 1;
    do {
        uint64_t before = atomic_load(&received);
        siginfo_t info;
        for (int sig = SIGRTMIN; sig < SIGRTMIN + 4; sig++) {  // queued: none may be lost
            must(pthread_kill(pthread_self(), sig) == 0);
            atomic_fetch_add(&sent, 1);
        }
        must(atomic_load(&received) >= before + 4);
        pthread_kill(threads[value++ % 6], SIGUSR1);  // may melt into one that is pending
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        must(pthread_kill(pthread_self(), SIGUSR2) == 0);
        must(sigtimedwait(&set, &info, &(struct timespec){1, 0}) == SIGUSR2);
        usleep(200);
    } while (more(who));
    return NULL;
}

// ---- Processes --------------------------------------------------------------------------------------------
static void *processes(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg, n = 0;
    do {
        int fds[2], status;
        unsigned got = 0;
        char text[16];
        must(pipe2(fds, O_CLOEXEC) == 0);
        n = n % 200 + 1;
        snprintf(text, sizeof text, "%u", n);
        pid_t pid = fork();
        must(pid >= 0);
        if (pid == 0) {
            if (n % 4 == 0) {
                execl("/proc/self/exe", "stress", "--child", text, NULL);
                _exit(255);
            }
            _exit(write(fds[1], &n, sizeof n) == sizeof n ? (int)n : 254);
        }
        close(fds[1]);
        while (waitpid(pid, &status, 0) < 0)
            must(errno == EINTR);
        must(WIFEXITED(status) && WEXITSTATUS(status) == (int)n);
        must(n % 4 == 0 || (read(fds[0], &got, sizeof got) == sizeof got && got == n));
        close(fds[0]);
    } while (more(who));
    return NULL;
}

// ---- Files ------------------------------------------------------------------------------------------------
static void *files(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg, seed = 7;
    do {
        char a[128], b[128], data[3000], back[3000];
        snprintf(a, sizeof a, "%s/a%u", folder, draw(&seed) % 20);
        snprintf(b, sizeof b, "%s/b%u", folder, draw(&seed) % 20);
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (char)draw(&seed);
        int fd = open(a, O_CREAT | O_RDWR | O_TRUNC, 0600);
        must(fd >= 0 && write(fd, data, sizeof data) == sizeof data);
        char *map = mmap(NULL, sizeof data, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        must(map != MAP_FAILED && memcmp(map, data, sizeof data) == 0);
        map[100] ^= 1;
        data[100] ^= 1;
        must(munmap(map, sizeof data) == 0);
        must(rename(a, b) == 0 && access(a, F_OK) < 0);
        must(pread(fd, back, sizeof back, 0) == sizeof back &&
             mix(1, back, sizeof back) == mix(1, data, sizeof data));
        struct stat st;
        must(stat(b, &st) == 0 && st.st_size == sizeof data);
        close(fd);
        if (draw(&seed) % 2)
            must(unlink(b) == 0 && stat(b, &st) < 0);
    } while (more(who));
    return NULL;
}

// ---- Poll and epoll ---------------------------------------------------------------------------------------
static void *polling(void *arg) {
    unsigned who = (unsigned)(uintptr_t)arg;
    int ep = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fds[2];
    uint64_t total = 0, want = 0;
    must(ep >= 0 && ev >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    must(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &(struct epoll_event){EPOLLIN, {.fd = ev}}) == 0);
    must(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &(struct epoll_event){EPOLLIN | EPOLLET, {.fd = fds[0]}}) == 0);
    do {
        uint64_t one = rounds[who] % 7 + 1, got;
        char c = 'x';
        struct epoll_event out[4];
        must(write(ev, &one, 8) == 8 && write(fds[1], &c, 1) == 1);
        want += one;
        int n;
        while ((n = epoll_wait(ep, out, 4, 1000)) < 0)
            must(errno == EINTR);
        must(n == 2);
        struct pollfd p[2] = {{fds[0], POLLIN, 0}, {ev, POLLIN, 0}};
        while ((n = poll(p, 2, 1000)) < 0)
            must(errno == EINTR);
        must(n == 2 && read(ev, &got, 8) == 8 && read(fds[0], &c, 1) == 1);
        total += got;
        while ((n = poll(p, 2, 1)) < 0)
            must(errno == EINTR);
        must(n == 0);
    } while (more(who));
    must(total == want);
    return NULL;
}

int main(int argc, char **argv) {
    static void *(*const work[THREADS])(void *) = {memory,    memory, producer, consumer,
                                                   processes, files,  polling,  signals};
    if (argc > 2 && !strcmp(argv[1], "--child"))
        return atoi(argv[2]);
    until = now() + (argc > 1 ? atof(argv[1]) : 8);
    snprintf(folder, sizeof folder, "/tmp/stress-XXXXXX");
    must(mkdtemp(folder) && pipe(ping) == 0 && pipe(pong) == 0);
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    for (int sig = SIGRTMIN; sig < SIGRTMIN + 4; sig++)
        must(sigaction(sig, &sa, NULL) == 0);
    must(sigaction(SIGUSR1, &sa, NULL) == 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        must(pthread_create(&threads[i], NULL, work[i], (void *)i) == 0);
    // The last one signals the others: before it has ended they must not be joined.
    for (int i = THREADS; i-- > 0;)
        must(pthread_join(threads[i], NULL) == 0);
    must(put_sum == got_sum && queue_n == 0);
    must(atomic_load(&received) >= atomic_load(&sent));
    printf("rounds:");
    for (int i = 0; i < THREADS; i++) {
        printf(" %lu", (unsigned long)rounds[i]);
        must(rounds[i] > 0);
    }
    printf("\nsums agree\n");
    return 0;
}
