// SPDX-License-Identifier: Apache-2.0
// covers: sethostname, setdomainname, uname
// Names of the system: length limits, permission, and what uname then shows (man 2 sethostname).
#include "guest.h"

#include <sys/utsname.h>

TEST(users_may_not)
{
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setuid(54321));
        EXPECT_ERRNO(sethostname("x", 1), EPERM);
        EXPECT_ERRNO(setdomainname("x", 1), EPERM);
    }
}

TEST(bad_arguments)
{
    if (geteuid() != 0)
        SKIP("needs root");
    char name[100];
    memset(name, 'a', sizeof(name));
    EXPECT_TRUE(sethostname(name, 65) == -1 && (errno == EINVAL || errno == EPERM));
    EXPECT_TRUE(sethostname(name, -1) == -1 && (errno == EINVAL || errno == EPERM));
    EXPECT_TRUE(setdomainname(KERNEL_POINTER, 5) == -1 && (errno == EFAULT || errno == EPERM));
}

TEST(agrees_with_proc)
{
    struct utsname name;
    char text[128];
    EXPECT_OK(uname(&name));
    ASSERT_TRUE(get_file("/proc/sys/kernel/hostname", text, sizeof(text)) > 0);
    text[strcspn(text, "\n")] = 0;
    EXPECT_STREQ(text, name.nodename);
    ASSERT_TRUE(get_file("/proc/sys/kernel/osrelease", text, sizeof(text)) > 0);
    text[strcspn(text, "\n")] = 0;
    EXPECT_STREQ(text, name.release);
}
