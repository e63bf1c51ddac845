// SPDX-License-Identifier: Apache-2.0
// covers: getpid, time
// int 0x80, x32 numbers and the vsyscall page do not endanger anything: an answer, an error, or a signal
// (man 2 syscall).
#include "guest.h"

#include <asm/unistd_64.h>

// Runs in a child; true when it exits with 0 (answered), 1 (ENOSYS) or by a fault signal.
static bool tame(void (*function)(void))
{
    pid_t pid = fork_child();
    if (pid == 0) {
        function();
        _exit(1);
    }
    int result = wait_exit(pid);
    return result == 0 || result == 1 || result == -SIGSEGV || result == -SIGSYS || result == -SIGILL ||
           result == -SIGKILL;
}

// Ours answers ENOSYS where the host may know the call.
static void verdict(bool right, bool refused)
{
    if (right)
        _exit(0);
    _exit(refused ? 1 : 2);
}

static void int80(void)
{
    long rax = 20;  // getpid
    __asm__ volatile("int $0x80" : "+a"(rax)::"memory", "r8", "r9", "r10", "r11");
    verdict(rax == getpid(), rax == -ENOSYS);
}

static void x32(void)
{
    long rax = syscall(0x40000000 + SYS_getpid);
    verdict(rax == getpid(), rax == -1 && errno == ENOSYS);
}

static void vsyscall(void)
{
    long now = ((long (*)(long *))0xffffffffff600400)(NULL);
    _exit(now >= time(NULL) - 2 && now <= time(NULL) + 2 ? 0 : 2);
}

static void vsyscall_read(void)
{
    volatile char c = *(volatile char *)opaque_pointer(0xffffffffff600000);
    (void)c;
    _exit(0);
}

static void sysenter(void)
{
    __asm__ volatile("sysenter" ::: "memory", "rax", "rcx", "rdx");
    _exit(2);
}

TEST(legacy_interrupt)
{
    EXPECT_TRUE(tame(int80));
}

TEST(x32_numbers)
{
    EXPECT_TRUE(tame(x32));
}

TEST(vsyscall_page)
{
    EXPECT_TRUE(tame(vsyscall));
    EXPECT_TRUE(tame(vsyscall_read));
}

TEST(sysenter_instruction)
{
    EXPECT_TRUE(tame(sysenter));
}

TEST(we_are_still_fine)
{
    IN_CHILD {
        EXPECT_EQ(getpid(), gettid());
    }
}
