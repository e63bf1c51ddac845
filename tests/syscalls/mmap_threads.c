// SPDX-License-Identifier: Apache-2.0
// covers: mmap, munmap, mprotect, madvise, fork
// Threads that change one memory map at the same time. None loses a page of its own, none gets one that is
// another's, and whoever has been told of a change finds it made.
#include "guest.h"
#include <sched.h>

#define PAGE    4096ul
#define MAKERS  6
#define ROUNDS  400
#define HELD    8
#define FIELD   16
#define FORKS   6

static atomic_int wrong;
static atomic_bool over;

static bool holds(const char *p, size_t len, char tag) {
    for (size_t i = 0; i < len; i += 512)
        if (p[i] != tag)
            return false;
    return true;
}

// ---- Each with maps of its own ----------------------------------------------------------------------------
struct piece {
    char *p;
    size_t len;
};

static bool renew(struct piece *m, char tag, unsigned *seed) {
    if (m->p && (!holds(m->p, m->len, tag) || munmap(m->p, m->len)))
        return false;
    m->len = (1 + rand_r(seed) % 20) * PAGE;
    m->p = mmap(NULL, m->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m->p == MAP_FAILED || !holds(m->p, m->len, 0))
        return false;
    memset(m->p, tag, m->len);
    return true;
}

static bool change(const struct piece *m, char tag, unsigned *seed) {
    size_t from = rand_r(seed) % (m->len / PAGE) * PAGE;
    char *p = m->p + from;
    switch (rand_r(seed) % 4) {
    case 0:
        return mprotect(p, PAGE, PROT_READ) == 0 && holds(p, PAGE, tag) &&
               mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0 && memset(p, tag, PAGE);
    case 1:
        return madvise(p, PAGE, MADV_DONTNEED) == 0 && holds(p, PAGE, 0) && memset(p, tag, PAGE);
    case 2:
        return mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p &&
               holds(p, PAGE, 0) && memset(p, tag, PAGE);
    default:
        return mremap(p, PAGE, PAGE, 0) == p;
    }
}

static void *maker(void *number) {
    char tag = (char)(1 + (uintptr_t)number);
    unsigned seed = (unsigned)tag;
    struct piece held[HELD] = {{0}};
    for (int i = 0; i < ROUNDS && !wrong; i++) {
        struct piece *m = &held[rand_r(&seed) % HELD];
        if (!renew(m, tag, &seed) || !change(m, tag, &seed))
            wrong++;
    }
    for (int i = 0; i < HELD; i++)
        if (held[i].p && (!holds(held[i].p, held[i].len, tag) || munmap(held[i].p, held[i].len)))
            wrong++;
    return NULL;
}

static void run_makers(void (*meanwhile)(void)) {
    pthread_t t[MAKERS];
    wrong = 0;
    for (uintptr_t i = 0; i < MAKERS; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, maker, (void *)i), 0);
    if (meanwhile)
        meanwhile();
    for (int i = 0; i < MAKERS; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    ASSERT_EQ(wrong, 0);
}
TEST(nothing_is_lost_or_given_twice) { run_makers(NULL); }

// ---- A field of pages that all map anew, in turns that need no call ---------------------------------------
static char *field;
static char tags[FIELD];
static atomic_flag taken = ATOMIC_FLAG_INIT;

static void spin_lock(void) {
    while (atomic_flag_test_and_set(&taken))
        if (over)
            return;
}
// The map is this thread's last call for a while: nothing but its return says that it has been made.
static void *mapper(void *number) {
    unsigned seed = 100 + (unsigned)(uintptr_t)number;
    for (int i = 0; i < ROUNDS && !wrong; i++) {
        int at = rand_r(&seed) % FIELD;
        spin_lock();
        char *p = field + (size_t)at * PAGE;
        if (!holds(p, PAGE, tags[at]) ||
            mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != p ||
            !holds(p, PAGE, 0))
            wrong++;
        tags[at] = (char)(1 + rand_r(&seed) % 100);
        memset(p, tags[at], PAGE);
        atomic_flag_clear(&taken);
        for (volatile int work = rand_r(&seed) % 3000; work > 0; work--)
            ;
    }
    return NULL;
}

static void run_mappers(void (*meanwhile)(void)) {
    pthread_t t[3];
    wrong = 0;
    memset(tags, 0, sizeof tags);
    field = mmap(NULL, FIELD * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(field != MAP_FAILED);
    for (uintptr_t i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, mapper, (void *)i), 0);
    if (meanwhile)
        meanwhile();
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    ASSERT_EQ(wrong, 0);
    for (int i = 0; i < FIELD; i++)
        ASSERT_TRUE(holds(field + (size_t)i * PAGE, PAGE, tags[i]));
    ASSERT_OK(munmap(field, FIELD * PAGE));
}
TEST(one_place_mapped_by_all) { run_mappers(NULL); }

// ---- A fork copies what had been mapped -------------------------------------------------------------------
static void fork_some(void) {
    for (int i = 0; i < FORKS; i++) {
        spin_lock();
        pid_t pid = fork();
        if (pid == 0) {
            for (int k = 0; k < FIELD; k++)
                if (!holds(field + (size_t)k * PAGE, PAGE, tags[k]))
                    _exit(1);
            _exit(0);
        }
        atomic_flag_clear(&taken);
        int status = -1;
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        ASSERT_EQ(status, 0);
    }
}
TEST(a_fork_beside_it) { run_mappers(fork_some); }

// ---- A thread that has unmapped calls no more -------------------------------------------------------------
static sigjmp_buf out;
static void on_fault(int sig) {
    (void)sig;
    siglongjmp(out, 1);
}
static char *_Atomic gone;

static void *unmapper(void *unused) {
    (void)unused;
    for (int i = 0; i < 100; i++) {
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || (*p = 1) != 1 || munmap(p, PAGE))
            wrong++;
        gone = p;
        while (gone && !over)
            ;
    }
    over = true;
    return NULL;
}
TEST(what_is_unmapped_is_gone_for_all) {
    pthread_t t;
    volatile int faults = 0;
    signal(SIGSEGV, on_fault);
    wrong = 0;
    over = false;
    ASSERT_EQ(pthread_create(&t, NULL, unmapper, NULL), 0);
    while (!over) {
        char *volatile p = gone;
        if (!p)
            continue;
        if (sigsetjmp(out, 1) == 0) {
            (void)*(volatile char *)p;
            wrong++;
        } else {
            faults++;
        }
        // what the other has unmapped, without a call since, is free for us
        char *q = mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (q != p || *q || (*q = 2) != 2 || munmap(q, PAGE))
            wrong++;
        gone = NULL;
    }
    ASSERT_EQ(pthread_join(t, NULL), 0);
    ASSERT_EQ(wrong, 0);
    ASSERT_EQ(faults, 100);
    signal(SIGSEGV, SIG_DFL);
    over = false;
}

// ---- A race for one place: whoever wins, both maps agree --------------------------------------------------
static pthread_barrier_t round_begins, round_over;

static void race(unsigned *seed) {
    char *p = field + (size_t)(rand_r(seed) % FIELD) * PAGE;
    switch (rand_r(seed) % 3) {
    case 0:
        munmap(p, 2 * PAGE);
        break;
    case 1:
        mprotect(p, PAGE, rand_r(seed) % 2 ? PROT_NONE : PROT_READ | PROT_WRITE);
        break;
    default:
        mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        break;
    }
}
static void *racer(void *number) {
    unsigned seed = 7 + (unsigned)(uintptr_t)number;
    while (pthread_barrier_wait(&round_begins), !over) {
        for (int i = 0; i < 12; i++)
            race(&seed);
        pthread_barrier_wait(&round_over);
    }
    return NULL;
}

// What /proc says of each page of the field: may it be read?
static unsigned readable_by_proc(void) {
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long from, to, set = 0;
    char may;
    while (f && fscanf(f, "%lx-%lx %c%*[^\n]", &from, &to, &may) == 3)
        for (unsigned i = 0; i < FIELD && may == 'r'; i++)
            if ((unsigned long)field + i * PAGE >= from && (unsigned long)field + i * PAGE < to)
                set |= 1u << i;
    if (f)
        fclose(f);
    return (unsigned)set;
}
static unsigned readable_by_touch(void) {
    volatile unsigned set = 0;
    for (volatile unsigned i = 0; i < FIELD; i++) {
        if (sigsetjmp(out, 1) == 0) {
            (void)*(volatile char *)(field + (size_t)i * PAGE);
            set |= 1u << i;
        }
    }
    return set;
}
TEST(races_leave_what_proc_shows) {
    pthread_t t[3];
    signal(SIGSEGV, on_fault);
    over = false;
    field = mmap(NULL, (FIELD + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(field != MAP_FAILED);
    ASSERT_EQ(pthread_barrier_init(&round_begins, NULL, 4), 0);
    ASSERT_EQ(pthread_barrier_init(&round_over, NULL, 4), 0);
    for (uintptr_t i = 0; i < 3; i++)
        ASSERT_EQ(pthread_create(&t[i], NULL, racer, (void *)i), 0);
    for (int i = 0; i < 60; i++) {
        pthread_barrier_wait(&round_begins);
        pthread_barrier_wait(&round_over);
        EXPECT_EQ(readable_by_touch(), readable_by_proc());
    }
    over = true;
    pthread_barrier_wait(&round_begins);
    for (int i = 0; i < 3; i++)
        ASSERT_EQ(pthread_join(t[i], NULL), 0);
    ASSERT_OK(munmap(field, (FIELD + 1) * PAGE));
    signal(SIGSEGV, SIG_DFL);
    over = false;
}

// ---- A place that another is giving up --------------------------------------------------------------------
static void *giver(void *unused) {
    (void)unused;
    while (!over) {
        char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            continue;
        *p = 1;
        gone = p;
        if (munmap(p, PAGE))
            wrong++;
    }
    return NULL;
}
TEST(a_wish_for_what_is_being_unmapped) {
    pthread_t t;
    int got = 0;
    wrong = 0;
    over = false;
    gone = NULL;
    ASSERT_EQ(pthread_create(&t, NULL, giver, NULL), 0);
    for (int i = 0; i < 3000; i++) {
        char *wish = gone;
        char *p = mmap(wish, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_TRUE(p != MAP_FAILED && *p == 0);
        *p = 2;
        got += p == wish;
        sched_yield();
        if (*(volatile char *)p != 2)
            wrong++;
        ASSERT_OK(munmap(p, PAGE));
    }
    over = true;
    ASSERT_EQ(pthread_join(t, NULL), 0);
    ASSERT_EQ(wrong, 0);
    guest_print("%d wishes granted\n", got);
    over = false;
    gone = NULL;
}

// ---- brk, mremap and locks see all of it ------------------------------------------------------------------
static void whole_map_calls(void) {
    for (int i = 0; i < 40; i++) {
        char *at = sbrk(PAGE);
        ASSERT_TRUE(at != (void *)-1 && holds(at, PAGE, 0));
        memset(at, 1, PAGE);
        ASSERT_TRUE(sbrk(-(intptr_t)PAGE) != (void *)-1);
        char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_TRUE(p != MAP_FAILED);
        memset(p, 3, 2 * PAGE);
        char *q = mremap(p, 2 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
        ASSERT_TRUE(q != MAP_FAILED && holds(q, 2 * PAGE, 3) && holds(q + 2 * PAGE, 38 * PAGE, 0));
        ASSERT_OK(munmap(q, 40 * PAGE));
    }
}
TEST(calls_on_the_whole_map_beside_it) { run_makers(whole_map_calls); }
