// SPDX-License-Identifier: Apache-2.0
// covers: capget, capset, prctl
// Sets of root and users, dropping, what is lost with the ids, KEEPCAPS (man 7 capabilities).
#include "guest.h"

#include <linux/capability.h>
#include <sys/prctl.h>

struct caps {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2];
};

static struct caps get_caps(void)
{
    struct caps caps = {.header = {_LINUX_CAPABILITY_VERSION_3, 0}};
    EXPECT_OK(syscall(SYS_capget, &caps.header, caps.data));
    return caps;
}

static bool effective(int cap)
{
    return get_caps().data[cap / 32].effective >> cap % 32 & 1;
}

TEST(by_user)
{
    if (geteuid() == 0)
        EXPECT_TRUE(effective(CAP_SETUID) && effective(CAP_CHOWN));
    else
        EXPECT_TRUE(!effective(CAP_SETUID) && !effective(CAP_CHOWN) && !effective(CAP_SYS_ADMIN));
}

TEST(dropping_is_final)
{
    in_tmpdir();
    put_file("f", "");
    IN_CHILD {
        struct caps caps = get_caps();
        memset(caps.data, 0, sizeof(caps.data));
        EXPECT_OK(syscall(SYS_capset, &caps.header, caps.data));
        EXPECT_TRUE(!effective(CAP_CHOWN));
        caps.data[0].effective = caps.data[0].permitted = 1 << CAP_CHOWN;
        EXPECT_ERRNO(syscall(SYS_capset, &caps.header, caps.data), EPERM);
        EXPECT_ERRNO(chown("f", 12345, -1), EPERM);
    }
}

TEST(lost_with_the_user_unless_kept)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        EXPECT_OK(seteuid(1001));
        EXPECT_TRUE(!effective(CAP_CHOWN));
        EXPECT_OK(seteuid(0));
        EXPECT_TRUE(effective(CAP_CHOWN));
        EXPECT_OK(setresuid(1001, 1001, 1001));
        EXPECT_EQ(get_caps().data[0].permitted, 0);
    }
    IN_CHILD {
        EXPECT_OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
        EXPECT_OK(setresuid(1001, 1001, 1001));
        EXPECT_TRUE(!effective(CAP_CHOWN));
        EXPECT_TRUE(get_caps().data[0].permitted >> CAP_CHOWN & 1);
    }
}

TEST(bounding_set)
{
    EXPECT_RANGE(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0), 0, 1);
    EXPECT_ERRNO(prctl(PR_CAPBSET_READ, 1000, 0, 0, 0), EINVAL);
    IN_CHILD {
        if (geteuid() != 0) {
            EXPECT_ERRNO(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0), EPERM);
            _exit(0);
        }
        EXPECT_OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0));
        EXPECT_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN, 0, 0, 0), 0);
    }
}

TEST(errors)
{
    struct caps caps = {.header = {0x1234, 0}};
    EXPECT_ERRNO(syscall(SYS_capget, &caps.header, caps.data), EINVAL);
    EXPECT_EQ(caps.header.version, _LINUX_CAPABILITY_VERSION_3);
    caps.header.pid = 999999999;
    EXPECT_ERRNO(syscall(SYS_capget, &caps.header, caps.data), ESRCH);
    EXPECT_ERRNO(syscall(SYS_capget, KERNEL_POINTER, caps.data), EFAULT);
}
