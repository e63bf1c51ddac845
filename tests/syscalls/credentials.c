// SPDX-License-Identifier: Apache-2.0
// covers: getuid, setuid, setreuid, setresuid, getresuid, setgid, setregid, setresgid, getresgid
// Real, effective and saved ids and who may change them (man 7 credentials).
#include "guest.h"

static void expect_ids(uid_t real, uid_t effective, uid_t saved)
{
    uid_t r, e, s;
    EXPECT_OK(getresuid(&r, &e, &s));
    EXPECT_EQ(r, real);
    EXPECT_EQ(e, effective);
    EXPECT_EQ(s, saved);
}

TEST(consistent)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;
    EXPECT_OK(getresuid(&r, &e, &s));
    EXPECT_OK(getresgid(&rg, &eg, &sg));
    EXPECT_EQ(getuid(), r);
    EXPECT_EQ(geteuid(), e);
    EXPECT_EQ(getgid(), rg);
    EXPECT_EQ(getegid(), eg);
    EXPECT_ERRNO(syscall(SYS_getresuid, KERNEL_POINTER, &e, &s), EFAULT);
}

TEST(user_may_not_change)
{
    IN_CHILD {
        if (geteuid() == 0) {
            ASSERT_OK(setresgid(1001, 1001, 1001));
            ASSERT_OK(setresuid(1001, 1001, 1001));
        }
        uid_t uid = getuid();
        EXPECT_ERRNO(setuid(0), EPERM);
        EXPECT_ERRNO(setreuid(-1, 0), EPERM);
        EXPECT_ERRNO(setresuid(0, 0, 0), EPERM);
        EXPECT_ERRNO(setgid(0), EPERM);
        EXPECT_ERRNO(setresgid(-1, 0, -1), EPERM);
        EXPECT_OK(setuid(uid));
        EXPECT_OK(setresuid(-1, -1, -1));
        expect_ids(uid, uid, uid);
    }
}

TEST(root_drops_and_regains)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        EXPECT_OK(seteuid(1001));
        expect_ids(0, 1001, 0);
        EXPECT_ERRNO(setuid(1002), EPERM);
        EXPECT_OK(seteuid(0));
        EXPECT_OK(setresuid(1001, 1002, 1003));
        expect_ids(1001, 1002, 1003);
        EXPECT_OK(setresuid(-1, 1003, -1));
        expect_ids(1001, 1003, 1003);
        EXPECT_OK(setreuid(1003, 1001));
        expect_ids(1003, 1001, 1001);
    }
}

TEST(setuid_by_root_changes_all)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        EXPECT_OK(setgid(77));
        EXPECT_EQ(getegid(), 77);
        EXPECT_OK(setuid(1001));
        expect_ids(1001, 1001, 1001);
        EXPECT_ERRNO(setuid(0), EPERM);
    }
}

static void *change(void *unused)
{
    return (void *)syscall(SYS_setuid, 1001);
}

TEST(raw_call_is_per_thread)
{
    if (geteuid() != 0)
        SKIP("needs root");
    IN_CHILD {
        pthread_t thread;
        ASSERT_EQ(pthread_create(&thread, NULL, change, NULL), 0);
        pthread_join(thread, NULL);
        EXPECT_EQ(getuid(), 0);
        EXPECT_OK(setuid(1002));
        EXPECT_EQ(getuid(), 1002);
    }
}

TEST(invalid_ids)
{
    EXPECT_ERRNO(syscall(SYS_setuid, -1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_setgid, -1), EINVAL);
}
