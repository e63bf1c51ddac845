// SPDX-License-Identifier: Apache-2.0
// covers: fork, pread64, mmap, munmap, rt_sigaction, wait4
// A child that was forked by another thread than the first, as a process pool started in a thread makes them,
// is a process like any other (man 2 fork: a copy with the calling thread alone): it makes calls by the
// thousand, maps memory and files, forks and starts threads itself.
#include "guest.h"

#define PAGE    4096ul
#define HOT     400
#define WORKERS 3

static int file;

static bool many_calls(void) {
    char got[4];
    struct sigaction old;
    for (int i = 0; i < HOT; i++)
        if (pread(file, got, 4, 0) != 4 || memcmp(got, "file", 4) || sigaction(1 + i % 31, NULL, &old))
            return false;
    return true;
}

static bool many_maps(void) {
    for (int i = 0; i < HOT; i++) {
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || *p || munmap(p, PAGE))
            return false;
    }
    for (int i = 0; i < 100; i++) {
        char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0);
        if (p == MAP_FAILED || memcmp(p, "file", 4) || munmap(p, PAGE))
            return false;
    }
    return true;
}

static bool ends_with(pid_t pid, int want) {
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == want;
}

static void *calls_in_thread(void *unused) { return (void *)(uintptr_t)(many_calls() && many_maps()); }

static bool in_thread(void *(*fn)(void *)) {
    pthread_t t;
    void *ok = NULL;
    return pthread_create(&t, NULL, fn, NULL) == 0 && pthread_join(t, &ok) == 0 && ok;
}

static void worker(int n) {
    bool ok = many_calls() && many_maps();
    if (ok && n % 2) { // a child of its own, and a thread
        pid_t pid = fork();
        if (pid == 0)
            _exit(many_calls() && many_maps() ? 50 : 1);
        ok = ends_with(pid, 50) && in_thread(calls_in_thread) && many_calls();
    }
    _exit(ok ? 40 + n : 1);
}

// The pool is one thread's, which goes on itself meanwhile.
static void *pool(void *unused) {
    pid_t pid[WORKERS];
    bool ok = true;
    for (int i = 0; i < WORKERS; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            worker(i);
        ok = ok && many_calls();
    }
    for (int i = 0; i < WORKERS; i++)
        ok = ends_with(pid[i], 40 + i) && ok;
    return (void *)(uintptr_t)ok;
}

static void *until_told(void *over) {
    while (!atomic_load((_Atomic int *)over))
        usleep(1000);
    return NULL;
}

static void open_file(void) {
    in_tmpdir();
    put_file("f", "file");
    file = open("f", O_RDONLY);
    ASSERT_OK(file);
}

TEST(a_pool_in_the_second_thread) {
    open_file();
    EXPECT_TRUE(in_thread(pool));
    EXPECT_TRUE(many_calls());
}

// The thread that forks is neither the first nor the last, and others are there while it does.
TEST(a_pool_in_one_of_many_threads) {
    static _Atomic int over;
    pthread_t idle[3];
    open_file();
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&idle[i], NULL, until_told, &over), 0);
    EXPECT_TRUE(in_thread(pool));
    atomic_store(&over, 1);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_join(idle[i], NULL), 0);
    EXPECT_TRUE(in_thread(pool));
}

// Files are mapped by many threads at once, some to be read alone, some to be written: each gets its own.
#define MAPPERS 270
static int mine, others;
static _Atomic unsigned wrong, started;
static void *mapper(void *arg) {
    bool writes = (uintptr_t)arg % 2;
    atomic_fetch_add(&started, 1);
    for (int i = 0; i < 1500 && atomic_load(&started) < MAPPERS; i++)
        usleep(10000);
    for (int i = 0; i < 3; i++) {
        char *p =
            mmap(NULL, PAGE, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, writes ? mine : others, 0);
        if (p == MAP_FAILED)
            wrong++;
        else
            wrong += memcmp(p, writes ? "mine" : "others", 4) || munmap(p, PAGE);
    }
    return NULL;
}
TEST(hundreds_of_threads_map_files) {
    static pthread_t t[MAPPERS];
    unsigned n = 0;
    in_tmpdir();
    put_file("mine", "mine");
    put_file("others", "others");
    ASSERT_OK(mine = open("mine", O_RDWR));
    ASSERT_OK(others = open("others", O_RDONLY));
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    while (n < MAPPERS && pthread_create(&t[n], &small, mapper, (void *)(uintptr_t)n) == 0)
        n++;
    EXPECT_TRUE(n > 100); // a host may allow no more
    atomic_store(&started, MAPPERS);
    for (unsigned i = 0; i < n; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    EXPECT_EQ(wrong, 0);
}
