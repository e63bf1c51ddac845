// SPDX-License-Identifier: Apache-2.0
// covers: mount, umount2
// A tree with thousands of file systems on it goes in a time that grows with their number, not its square.
#include "guest.h"

#include <sched.h>
#include <sys/mount.h>
#include <time.h>

enum { MOUNTS = 6000 };

TEST(lazily) {
    in_tmpdir();
    IN_CHILD {
        char name[32];
        if (geteuid() != 0)
            SKIP("needs CAP_SYS_ADMIN");
        if (unshare(CLONE_NEWNS) == -1 && errno == EPERM)
            SKIP("needs CAP_SYS_ADMIN");
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("top", ".", "tmpfs", 0, NULL));
        ASSERT_OK(chdir(guest.tmpdir));
        for (int i = 0; i < MOUNTS; i++) {
            snprintf(name, sizeof name, "m%d", i);
            ASSERT_OK(mkdir(name, 0755));
            ASSERT_OK(mount("one", name, "tmpfs", 0, "size=64k"));
            strcat(name, "/d");
            ASSERT_OK(mkdir(name, 0755));
        }
        struct timespec from, to;
        ASSERT_OK(chdir("/"));
        clock_gettime(CLOCK_MONOTONIC, &from);
        EXPECT_OK(umount2(guest.tmpdir, MNT_DETACH));
        clock_gettime(CLOCK_MONOTONIC, &to);
        EXPECT_TRUE(to.tv_sec - from.tv_sec < 10);
    }
}
