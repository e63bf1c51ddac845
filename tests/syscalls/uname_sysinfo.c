// SPDX-License-Identifier: Apache-2.0
// covers: uname, sysinfo, sethostname, getcpu
// System identity and figures; setting names needs privilege (man 2 uname, man 2 sysinfo).
#include "guest.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname_fields)
{
    struct utsname name;
    EXPECT_OK(uname(&name));
    EXPECT_STREQ(name.sysname, "Linux");
    EXPECT_STREQ(name.machine, "x86_64");
    EXPECT_GE(atoi(name.release), 4);
    char text[256];
    get_file("/proc/sys/kernel/ostype", text, sizeof(text));
    EXPECT_STREQ(text, "Linux\n");
    EXPECT_ERRNO(uname(KERNEL_POINTER), EFAULT);
}

TEST(sysinfo_figures)
{
    struct sysinfo info;
    EXPECT_OK(sysinfo(&info));
    EXPECT_TRUE(info.totalram > 0 && info.freeram <= info.totalram);
    EXPECT_GE(info.mem_unit, 1);
    EXPECT_GE(info.uptime, 0);
    EXPECT_GE(info.procs, 1);
    EXPECT_ERRNO(sysinfo(NULL_POINTER), EFAULT);
}

TEST(privilege)
{
    if (geteuid() == 0)
        SKIP("root may set the name of the machine");
    EXPECT_ERRNO(sethostname("x", 1), EPERM);
    EXPECT_ERRNO(setdomainname("x", 1), EPERM);
}

TEST(cpu_number)
{
    unsigned cpu = 12345, node = 12345;
    EXPECT_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
    EXPECT_RANGE(cpu, 0, 4095);
    EXPECT_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
    EXPECT_ERRNO(syscall(SYS_getcpu, KERNEL_POINTER, NULL, NULL), EFAULT);
    EXPECT_OK(sched_getcpu());
}
