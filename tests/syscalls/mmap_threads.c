// SPDX-License-Identifier: Apache-2.0
// covers: mmap, munmap, mprotect, madvise
// Threads that map, change and unmap memory of one address space at the same time, and a fork in the middle: whoever
// gets memory gets clean memory, nobody loses his own, and a child has what its maker had.
#include "guest.h"

#define SLOTS  16
#define ROUNDS 600
#define PAGE   4096ul

struct owner {
    char mark;
    char *at[SLOTS];
    size_t len[SLOTS];
};

static void map_new(struct owner *o, unsigned i, size_t pages) {
    o->len[i] = pages * PAGE;
    o->at[i] = mmap(NULL, o->len[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(o->at[i] != MAP_FAILED);
    for (size_t at = 0; at < o->len[i]; at += PAGE) {
        EXPECT_TRUE(o->at[i][at] == 0);
        o->at[i][at] = o->mark;
    }
}

static bool all_there(const struct owner *o) {
    bool there = true;
    for (unsigned i = 0; i < SLOTS; i++)
        for (size_t at = 0; o->at[i] && at < o->len[i]; at += PAGE)
            there = there && o->at[i][at] == o->mark;
    return there;
}

static void change_and_unmap(struct owner *o, unsigned i, unsigned how) {
    for (size_t at = 0; at < o->len[i]; at += PAGE)
        EXPECT_TRUE(o->at[i][at] == o->mark);
    if (how & 1) {
        EXPECT_TRUE(mprotect(o->at[i], o->len[i], PROT_READ) == 0);
        EXPECT_TRUE(o->at[i][0] == o->mark);
        EXPECT_TRUE(mprotect(o->at[i], o->len[i], PROT_READ | PROT_WRITE) == 0);
        o->at[i][0] = o->mark;
    }
    if (how & 2) {
        EXPECT_TRUE(madvise(o->at[i], o->len[i], MADV_DONTNEED) == 0);
        EXPECT_TRUE(o->at[i][0] == 0);
    }
    EXPECT_TRUE(munmap(o->at[i], o->len[i]) == 0);
    o->at[i] = NULL;
}

static void fork_here(const struct owner *o) {
    pid_t pid = fork();
    ASSERT_TRUE(pid >= 0);
    if (pid == 0)
        _exit(all_there(o) ? 0 : 1);
    int status = -1;
    EXPECT_TRUE(waitpid(pid, &status, 0) == pid);
    EXPECT_TRUE(status == 0);
}

static void *churn(void *arg) {
    struct owner o = {.mark = (char)(intptr_t)arg};
    unsigned random = (unsigned)(intptr_t)arg * 7919;
    for (int n = 0; n < ROUNDS; n++) {
        random = random * 1664525 + 1013904223;
        unsigned i = random >> 28;
        if (o.at[i])
            change_and_unmap(&o, i, random >> 10);
        else
            map_new(&o, i, 1 + (random >> 8 & 15));
        if (o.mark == 1 && n % 100 == 7)
            fork_here(&o);
    }
    EXPECT_TRUE(all_there(&o));
    return NULL;
}

TEST(threads_change_one_map) {
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++)
        ASSERT_TRUE(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

TEST(one_thread_alone) {
    churn((void *)1);
}

// More than fits below the last place that was good: each has a place of its own all the same.
TEST(many_maps_that_stay) {
    enum { COUNT = 300 };
    const size_t len = 512 * PAGE;
    char *at[COUNT];
    for (int i = 0; i < COUNT; i++) {
        at[i] = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_TRUE(at[i] != MAP_FAILED);
        EXPECT_TRUE(at[i][0] == 0);
        *(int *)at[i] = i + 1;
        *(int *)(at[i] + len - PAGE) = i + 1;
    }
    for (int i = 0; i < COUNT; i++) {
        EXPECT_TRUE(*(int *)at[i] == i + 1 && *(int *)(at[i] + len - PAGE) == i + 1);
        EXPECT_TRUE(munmap(at[i], len) == 0);
    }
}

// The arguments' oddities: lengths that are no pages, memory without any right, an address limit.
TEST(odd_requests) {
    char *p = mmap(NULL, 5000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    p[8191] = 1;
    EXPECT_TRUE(munmap(p, 5000) == 0);
    EXPECT_TRUE(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    EXPECT_TRUE(mmap(NULL, SIZE_MAX, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
    EXPECT_TRUE(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    p = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, 77, 0);
    ASSERT_TRUE(p != MAP_FAILED);
    EXPECT_TRUE(mprotect(p, 100, PROT_READ) == 0 && p[0] == 0);
    EXPECT_TRUE(mprotect(p, 2 * PAGE, PROT_READ) == 0 || errno == ENOMEM);
    EXPECT_TRUE(munmap(p, 1) == 0);
}
