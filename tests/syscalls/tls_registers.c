// SPDX-License-Identifier: Apache-2.0
// covers: arch_prctl
// FS and GS bases are per thread, readable and survive system calls (man 2 arch_prctl).
#include "guest.h"

#include <asm/prctl.h>

static unsigned long read_gs(void)
{
    unsigned long value;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    return value;
}

TEST(gs_base)
{
    IN_CHILD {
        static unsigned long words[2] = {0x1122334455667788, 7};
        unsigned long base = 1;
        EXPECT_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, words));
        EXPECT_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
        EXPECT_EQ(base, words);
        for (int i = 0; i < 100; i++) {
            sched_yield();
            ASSERT_EQ(read_gs(), 0x1122334455667788);
        }
        IN_CHILD {
            EXPECT_EQ(read_gs(), 0x1122334455667788);
        }
    }
}

static void *fs_of(void *result)
{
    syscall(SYS_arch_prctl, ARCH_GET_FS, result);
    return NULL;
}

TEST(fs_base_is_the_thread_pointer)
{
    unsigned long mine = 0, other = 0, self;
    EXPECT_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &mine));
    __asm__("mov %%fs:0, %0" : "=r"(self));
    EXPECT_EQ(mine, self);
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, NULL, fs_of, &other), 0);
    pthread_join(thread, NULL);
    EXPECT_TRUE(other != 0 && other != mine);
}

TEST(errors)
{
    unsigned long base;
    EXPECT_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, KERNEL_POINTER), EPERM);
    EXPECT_ERRNO(syscall(SYS_arch_prctl, ARCH_GET_GS, KERNEL_POINTER), EFAULT);
    EXPECT_ERRNO(syscall(SYS_arch_prctl, 0x9999, &base), EINVAL);
}
