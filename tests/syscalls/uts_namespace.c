// SPDX-License-Identifier: Apache-2.0
// covers: unshare, clone, sethostname, setdomainname, uname
// The machine's names in a namespace (man 7 uts_namespaces).
#include "guest.h"

#include <sched.h>
#include <sys/utsname.h>

static const char *name_now(void) {
    static struct utsname u;
    uname(&u);
    return u.nodename;
}

TEST(apart) {
    IN_CHILD {
        if (geteuid() != 0 || (unshare(CLONE_NEWUTS) == -1 && errno == EPERM))
            SKIP("needs CAP_SYS_ADMIN");
        char text[65];
        ASSERT_OK(sethostname("outer", 5));
        EXPECT_STREQ(name_now(), "outer");
        pid_t pid = syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, NULL, NULL, NULL, NULL);
        ASSERT_OK(pid);
        if (pid == 0) {
            guest.in_child = true;
            EXPECT_STREQ(name_now(), "outer");
            EXPECT_OK(sethostname("inner", 5));
            EXPECT_OK(setdomainname("inner.org", 9));
            EXPECT_STREQ(name_now(), "inner");
            long n = get_file("/proc/sys/kernel/hostname", text, sizeof(text));
            EXPECT_EQ(n, 6);
            EXPECT_MEMEQ(text, "inner\n", 6);
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_STREQ(name_now(), "outer");
        pid = fork_child();
        if (pid == 0) {
            EXPECT_OK(sethostname("shared", 6));
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_STREQ(name_now(), "shared");
    }
}
