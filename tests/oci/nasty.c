// SPDX-License-Identifier: Apache-2.0
// Programs that mean harm, or are just wrong: one for each name. run_limits.py runs each under limits. None
// gives up by itself unless its name says so: what ends it is the sandbox. Static, so that it needs
// nothing of its root file system.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)

static void loop(void) {
    for (volatile unsigned n = 0;; n++)
        ;
}
static void sleep_on(void) {
    for (;;)
        pause();
}
static void *run_loop(void *arg) {
    loop();
    return arg;
}
static void *run_sleep(void *arg) {
    sleep_on();
    return arg;
}

static void loop_threads(void) {
    pthread_t t;
    for (int i = 0; i < 8; i++)
        pthread_create(&t, NULL, run_loop, NULL);
    loop();
}
static void yield_storm(void) {
    for (;;)
        sched_yield();
}
static void call_storm(void) {
    for (;;)
        getppid();
}
static void fork_bomb(void) {
    for (;;)
        fork();
}
// Insists: each refusal is answered by the next attempt.
static void fork_insist(void) {
    for (;;)
        if (fork() == 0)
            sleep_on();
}
static void fork_exec_bomb(void) {
    for (;;)
        if (fork() == 0)
            execl("/nasty", "nasty", "fork_exec_bomb", NULL);
}
static void vfork_bomb(void) {
    for (;;)
        if (vfork() == 0)
            _exit(0);
}
static void thread_bomb(void) {
    pthread_attr_t a;
    pthread_t t;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 65536);
    for (;;)
        pthread_create(&t, &a, run_sleep, NULL);
}
static void zombies(void) {
    for (;;)
        if (fork() == 0)
            _exit(0);
}

// ---- Memory -----------------------------------------------------------------------------------------------
static void touch(size_t n) {
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; p != MAP_FAILED && i < n; i += 4096)
        p[i] = 1;
}
static void memory(void) {
    for (;;)
        touch(MIB);
}
static void memory_children(void) {
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            memory();
    sleep_on();
}
// What a fork shares and then writes.
static void memory_cow(void) {
    size_t n = 40 * MIB;
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, n);
    for (int i = 0; i < 6; i++)
        if (fork() == 0) {
            memset(p, 2, n);
            sleep_on();
        }
    while (wait(NULL) > 0)
        ;
}
static void memory_stack_deep(int n) {
    volatile char room[65536];
    room[0] = (char)n;
    memory_stack_deep(n + room[0] + 1);
}
static void memory_stack(void) { memory_stack_deep(0); }
// Each map is as large as it may be, and all of it is asked for in one call.
static void *run_fill(void *arg) {
    for (size_t n = 60 * MIB;;) {
        char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        for (size_t i = 0; p != MAP_FAILED && i < n; i += 4096)
            p[i] = 1;
    }
    return arg;
}
static void memory_populate(void) {
    pthread_t t;
    for (int i = 0; i < 7; i++)
        pthread_create(&t, NULL, run_fill, NULL);
    run_fill(NULL);
}
// What is asked for ahead: a little comes at once, and much, where the limit is near, when it is touched.
static size_t resident(size_t n) {
    static unsigned char there[60 * MIB / 4096];
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    size_t pages = 0;
    if (p == MAP_FAILED || mincore(p, n, there) < 0)
        return 0;
    for (size_t i = 0; i < n / 4096; i++)
        pages += there[i] & 1;
    return pages;
}
static void populate_late(void) {
    mmap(NULL, 40 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    exit(resident(4 * MIB) == 4 * MIB / 4096 && resident(20 * MIB) < 20 * MIB / 4096 ? 7 : 1);
}
static void memory_brk(void) {
    for (;;) {
        char *p = sbrk(MIB);
        for (size_t i = 0; p != (char *)-1 && i < MIB; i += 4096)
            p[i] = 1;
    }
}
static void memory_shared(void) {
    for (;;) {
        char *p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            exit(errno == ENOMEM || errno == ENOSPC ? 7 : 1);
        memset(p, 1, MIB);
    }
}
static void memory_memfd(void) {
    static char buf[MIB];
    int fd = memfd_create("m", 0);
    while (write(fd, buf, sizeof buf) > 0)
        ;
    exit(errno == ENOSPC ? 7 : 1);
}
static void memory_pipes(void) {
    static char buf[65536];
    int fds[2];
    for (;;) {
        if (pipe2(fds, O_NONBLOCK) < 0)
            continue;
        fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
        while (write(fds[1], buf, sizeof buf) > 0)
            ;
    }
}
static void memory_sockets(void) {
    static char buf[65536];
    int fds[2];
    for (;;) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
            continue;
        while (write(fds[1], buf, sizeof buf) > 0)
            ;
    }
}
static void mmap_bomb(void) {
    for (int i = 0;; i++)
        mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
// An obvious overcommit is refused.
static void mmap_huge(void) {
    void *p = mmap(NULL, (size_t)1 << 33, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    exit(p == MAP_FAILED && errno == ENOMEM && sbrk(1l << 33) == (void *)-1 && errno == ENOMEM ? 7 : 1);
}

// ---- Objects ----------------------------------------------------------------------------------------------
static void fd_bomb(void) {
    for (;;)
        dup(0);
}
static void epoll_bomb(void) {
    for (;;) {
        int ep = epoll_create1(0), ev = eventfd(0, 0);
        struct epoll_event e = {.events = EPOLLIN};
        epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e);
    }
}
static void socket_bomb(void) {
    for (;;)
        socket(AF_INET, SOCK_STREAM, 0);
}
static void inotify_bomb(void) {
    int fd = inotify_init();
    char name[64];
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "/tmp/i%u", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
        inotify_add_watch(fd, name, IN_ALL_EVENTS);
        inotify_init();
    }
}
static void sysv_bomb(void) {
    for (;;) {
        semget(IPC_PRIVATE, 100, 0600);
        int q = msgget(IPC_PRIVATE, 0600);
        struct {
            long type;
            char text[8192];
        } m = {1, {0}};
        while (msgsnd(q, &m, sizeof m.text, IPC_NOWAIT) == 0)
            ;
        shmat(shmget(IPC_PRIVATE, MIB, 0600), NULL, 0);
    }
}
static void timer_bomb(void) {
    struct sigevent e = {.sigev_notify = SIGEV_NONE};
    struct itimerspec s = {{0, 1000}, {0, 1000}};
    timer_t t;
    for (;;)
        if (timer_create(CLOCK_MONOTONIC, &e, &t) == 0)
            timer_settime(t, 0, &s, NULL);
}
static void on_nothing(int sig) { (void)sig; }
static void signal_storm(void) {
    signal(SIGRTMIN, on_nothing);
    for (;;)
        sigqueue(getpid(), SIGRTMIN, (union sigval){0});
}
static void signal_queue(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        sigqueue(getpid(), SIGRTMIN, (union sigval){0});
}

// ---- Deaf, hidden, faulty ---------------------------------------------------------------------------------
static void deaf(void) {
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_IGN);
    sleep_on();
}
static void grandchildren(void) {
    for (int i = 0; i < 5; i++)
        if (fork() == 0) {
            setsid();
            if (fork() == 0)
                deaf();
            _exit(0);
        }
    exit(7);
}
static void segfault(void) { *(volatile char *)8 = 1; }
static void stopped(void) { raise(SIGSTOP); }
static void kill_all(void) {
    for (;;)
        kill(-1, SIGKILL);
}

// ---- Output, files ----------------------------------------------------------------------------------------
static void flood(int fd) {
    static char buf[65536];
    memset(buf, 'x', sizeof buf);
    for (;;)
        if (write(fd, buf, sizeof buf) < 0)
            exit(1);
}
static void output(void) { flood(1); }
static void output_errors(void) { flood(2); }
static void disk(void) {
    static char buf[65536];
    int fd = open("/tmp/big", O_CREAT | O_WRONLY, 0600);
    for (;;)
        if (write(fd, buf, sizeof buf) < 0 && errno != ENOSPC)
            exit(1);
}
static void disk_stops(void) {
    static char buf[65536];
    int fd = open("/tmp/big", O_CREAT | O_WRONLY, 0600);
    while (write(fd, buf, sizeof buf) > 0)
        ;
    exit(errno == ENOSPC ? 7 : 1);
}
static void disk_sparse(void) {
    int fd = open("/tmp/sparse", O_CREAT | O_WRONLY, 0600);
    exit(fallocate(fd, 0, 0, 1l << 32) < 0 && errno == ENOSPC ? 7 : 1);
}
static void disk_unlinked(void) {
    static char buf[65536];
    for (;;) {
        int fd = open("/tmp/gone", O_CREAT | O_WRONLY, 0600);
        unlink("/tmp/gone");
        if (write(fd, buf, sizeof buf) < 0)
            exit(errno == ENOSPC ? 7 : 1);
    }
}
static void tiny_files(void) {
    char name[64];
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "/tmp/t%u", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd >= 0 && write(fd, "x", 1) == 1)
            close(fd);
        else if (fd >= 0)
            close(fd);
    }
}
static void deep_dirs(void) {
    if (chdir("/tmp") < 0)
        exit(1);
    for (;;)
        if (mkdir("d", 0700) == 0 && chdir("d") < 0)
            exit(1);
}
static void many_links(void) {
    char name[64];
    for (unsigned i = 0;; i++) {
        snprintf(name, sizeof name, "/tmp/l%u", i);
        symlink("nowhere", name);
    }
}
static void huge_argv(void) {
    size_t n = 20000;
    char **argv = calloc(n + 1, sizeof *argv), *word = malloc(1024);
    memset(word, 'a', 1023);
    word[1023] = '\0';
    for (size_t i = 0; i < n; i++)
        argv[i] = word;
    execv("/nasty", argv);
    exit(errno == E2BIG ? 7 : 1);
}

#define NASTY(name) \
    { #name, name }
static const struct {
    const char *name;
    void (*run)(void);
} all[] = {
    NASTY(loop),           NASTY(loop_threads),  NASTY(yield_storm),    NASTY(call_storm),
    NASTY(fork_bomb),      NASTY(fork_insist),   NASTY(fork_exec_bomb), NASTY(vfork_bomb),
    NASTY(thread_bomb),    NASTY(zombies),       NASTY(memory),         NASTY(memory_children),
    NASTY(memory_cow),     NASTY(memory_stack),  NASTY(memory_brk),     NASTY(memory_populate),
    NASTY(populate_late),  NASTY(memory_shared), NASTY(memory_memfd),   NASTY(memory_pipes),
    NASTY(memory_sockets), NASTY(mmap_bomb),     NASTY(mmap_huge),      NASTY(fd_bomb),
    NASTY(epoll_bomb),     NASTY(socket_bomb),   NASTY(inotify_bomb),   NASTY(sysv_bomb),
    NASTY(timer_bomb),     NASTY(signal_storm),  NASTY(signal_queue),   NASTY(deaf),
    NASTY(grandchildren),  NASTY(segfault),      NASTY(stopped),        NASTY(kill_all),
    NASTY(output),         NASTY(output_errors), NASTY(disk),           NASTY(disk_stops),
    NASTY(disk_sparse),    NASTY(disk_unlinked), NASTY(tiny_files),     NASTY(deep_dirs),
    NASTY(many_links),     NASTY(huge_argv),
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(all[i].name, argv[1]))
            all[i].run();
    return 2;
}
