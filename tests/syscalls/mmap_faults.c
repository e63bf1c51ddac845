// SPDX-License-Identifier: Apache-2.0
// covers: mmap, mprotect, rt_sigaction
// SIGSEGV's si_code and si_addr for unmapped and forbidden pages (man 2 sigaction, SEGV_MAPERR).
#include "guest.h"

TEST(unmapped)
{
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    ASSERT_OK(munmap(p, 4096));
    EXPECT_EQ(read_faults(p + 123), SIGSEGV);
    EXPECT_EQ(fault_info.si_code, SEGV_MAPERR);
    EXPECT_EQ(fault_info.si_addr, p + 123);
    EXPECT_EQ(read_faults(NULL_POINTER), SIGSEGV);
    EXPECT_EQ(fault_info.si_addr, 0);
    EXPECT_EQ(fault_info.si_code, SEGV_MAPERR);
}

TEST(forbidden)
{
    char *p = map_pages(1, PROT_READ, MAP_PRIVATE);
    EXPECT_EQ(read_faults(p + 5), 0);
    EXPECT_EQ(write_faults(p + 5), SIGSEGV);
    EXPECT_EQ(fault_info.si_code, SEGV_ACCERR);
    EXPECT_EQ(fault_info.si_addr, p + 5);
    ASSERT_OK(mprotect(p, 4096, PROT_NONE));
    EXPECT_EQ(read_faults(p), SIGSEGV);
    EXPECT_EQ(fault_info.si_code, SEGV_ACCERR);
    munmap(p, 4096);
}

TEST(kernel_half)
{
    EXPECT_EQ(read_faults(KERNEL_POINTER), SIGSEGV);
    EXPECT_EQ(read_faults(NONCANONICAL_POINTER), SIGSEGV);
    EXPECT_EQ(fault_info.si_code, SI_KERNEL);
}

static void make_writable(int signal, siginfo_t *info, void *context)
{
    mprotect((void *)((uintptr_t)info->si_addr & ~4095UL), 4096, PROT_READ | PROT_WRITE);
}

TEST(handler_repairs_and_the_access_goes_on)
{
    volatile char *p = map_pages(4, PROT_NONE, MAP_PRIVATE);
    on_siginfo(SIGSEGV, make_writable, 0);
    for (int i = 0; i < 4; i++)
        p[i * 4096] = 'a' + i;
    EXPECT_EQ(p[3 * 4096], 'd');
    signal(SIGSEGV, SIG_DFL);
    munmap((void *)p, 4 * 4096);
}

TEST(not_executable)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
        p[0] = (char)0xc3;
        ((void (*)(void))p)();
        child_done();
    }
    EXPECT_EQ(wait_exit(pid), -SIGSEGV);
}

TEST(executable)
{
    unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov $42,%eax; ret
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memcpy(p, code, sizeof(code));
    EXPECT_OK(mprotect(p, 4096, PROT_READ | PROT_EXEC));
    EXPECT_EQ(((int (*)(void))p)(), 42);
    munmap(p, 4096);
}
