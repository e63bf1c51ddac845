// SPDX-License-Identifier: Apache-2.0
// covers: madvise, getppid
// What a program may do with the text that its hot calls come from: give pages of it back, read what follows
// it.
#include "guest.h"
#include <sys/mman.h>

#define HOT 3000

__attribute__((noinline)) static long parent(void) {
    long r;
    __asm__ volatile("movl %1, %%eax\n syscall" : "=a"(r) : "i"(SYS_getppid) : "rcx", "r11", "memory");
    return r;
}

// The mapping that holds `at`.
static int mapping_of(const void *at, unsigned long *start, unsigned long *end) {
    char line[512];
    FILE *f = fopen("/proc/self/maps", "r");
    int found = 0;
    while (f && !found && fgets(line, sizeof line, f))
        found = sscanf(line, "%lx-%lx", start, end) == 2 && (unsigned long)at >= *start &&
                (unsigned long)at < *end;
    if (f)
        fclose(f);
    return found;
}

static void all_right(long want) {
    for (int i = 0; i < HOT; i++)
        if (parent() != want || syscall(SYS_getppid) != want)
            EXPECT_EQ(i, -1);
}

TEST(pages_given_back) {
    unsigned long start, end;
    long want = getppid();
    const void *const texts[] = {(const void *)parent, (const void *)syscall};
    all_right(want);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(mapping_of(texts[i], &start, &end), 1);
        EXPECT_OK(madvise((void *)(end - 4096), 4096, MADV_DONTNEED));
        all_right(want);
        for (unsigned long at = start; at < end; at += 4096)
            EXPECT_OK(madvise((void *)at, 4096, MADV_DONTNEED));
        all_right(want);
        EXPECT_OK(madvise((void *)start, end - start, MADV_DONTNEED));
        all_right(want);
    }
}

TEST(zeros_behind_code_stay_zeros) {
    static const unsigned char code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
    char page[4096] = {0};
    memset(page, 0x90, 64);
    memcpy(page + 64, code, sizeof code);
    int fd = memfd_create("code", 0);
    EXPECT_EQ(write(fd, page, sizeof page), sizeof page);
    char *p = mmap(NULL, sizeof page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    EXPECT_TRUE(p != MAP_FAILED);
    long (*call)(void), want = getppid();
    void *entry = p + 64;
    memcpy(&call, &entry, sizeof call);
    for (int i = 0; i < HOT; i++)
        if (call() != want)
            EXPECT_EQ(i, -1);
    EXPECT_EQ(memcmp(p, page, sizeof page), 0);
}
