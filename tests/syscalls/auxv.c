// SPDX-License-Identifier: Apache-2.0
// covers: execve
// The auxiliary vector, environment block and registers of a new program are usable (man 3 getauxval).
#include "guest.h"

#include <elf.h>
#include <sys/auxv.h>

TEST(values)
{
    EXPECT_EQ(getauxval(AT_PAGESZ), 4096);
    EXPECT_EQ(getauxval(AT_UID), getuid());
    EXPECT_EQ(getauxval(AT_EUID), geteuid());
    EXPECT_EQ(getauxval(AT_GID), getgid());
    EXPECT_EQ(getauxval(AT_EGID), getegid());
    EXPECT_EQ(getauxval(AT_SECURE), 0);
    EXPECT_EQ(getauxval(AT_CLKTCK), sysconf(_SC_CLK_TCK));
    EXPECT_STREQ((const char *)getauxval(AT_PLATFORM), "x86_64");
    char *random = (char *)getauxval(AT_RANDOM);
    ASSERT_TRUE(random);
    static const char zeros[16];
    EXPECT_TRUE(memcmp(random, zeros, 16) != 0);
    EXPECT_STREQ((const char *)getauxval(AT_EXECFN), guest.exe);
}

TEST(program_headers)
{
    const Elf64_Phdr *headers = (const void *)getauxval(AT_PHDR);
    EXPECT_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
    unsigned long count = getauxval(AT_PHNUM);
    ASSERT_TRUE(headers && count > 0 && count < 100);
    bool loads = false;
    for (unsigned long i = 0; i < count; i++)
        loads |= headers[i].p_type == PT_LOAD;
    EXPECT_TRUE(loads);
    EXPECT_TRUE(getauxval(AT_ENTRY) != 0);
}

ROLE(random)
{
    return write(1, (void *)getauxval(AT_RANDOM), 16) == 16 ? 0 : 1;
}

TEST(random_differs_each_time)
{
    char bytes[2][17];
    for (int i = 0; i < 2; i++) {
        int fds[2];
        ASSERT_OK(pipe(fds));
        pid_t pid = fork_child();
        if (pid == 0) {
            dup2(fds[1], 1);
            execl(guest.exe, guest.exe, "random", NULL);
            _exit(9);
        }
        close(fds[1]);
        EXPECT_EQ(read_all(fds[0], bytes[i], 17), 16);
        close(fds[0]);
        EXPECT_EQ(wait_exit(pid), 0);
    }
    EXPECT_TRUE(memcmp(bytes[0], bytes[1], 16) != 0);
}

TEST(stack_alignment)
{
    struct {
        double value __attribute__((aligned(16)));
    } aligned = {1.5};
    EXPECT_EQ((uintptr_t)&aligned % 16, 0);
}
