// SPDX-License-Identifier: Apache-2.0
// covers: mount
// hidepid=, gid= and subset= of proc (man 5 proc, "Mount options").
#include "guest.h"

#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

static void own_mounts(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_ADMIN");
    if (unshare(CLONE_NEWNS) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    chmod(".", 0755);
    mkdir("p", 0755);
}
static bool listed(pid_t pid) {
    char name[16];
    bool found = false;
    DIR *d = opendir("p");
    snprintf(name, sizeof name, "%d", pid);
    for (struct dirent *e; d && (e = readdir(d));)
        found = found || !strcmp(e->d_name, name);
    if (d)
        closedir(d);
    return found;
}
static int reach(pid_t pid, const char *file) {
    char name[64];
    snprintf(name, sizeof name, "p/%d%s", pid, file);
    return access(name, F_OK) == 0 ? 0 : errno;
}
// What a user finds who may not trace us: listed (100), errno of its directory (10) and of a file there.
static int seen_by(uid_t uid, gid_t gid) {
    pid_t pid = fork();
    if (pid == 0) {
        pid_t parent = getppid();
        setgroups(0, NULL);
        if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
            _exit(99);
        _exit((listed(parent) ? 100 : 0) + reach(parent, "") * 10 + reach(parent, "/status"));
    }
    return wait_exit(pid);
}

TEST(hidepid) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        static const struct {
            const char *option;
            int want;
        } rows[] = {{"hidepid=0", 100}, {"hidepid=off", 100}, {"hidepid=1", 100 + EPERM * 10 + EPERM},
                    {"hidepid=noaccess", 100 + EPERM * 10 + EPERM}, {"hidepid=2", ENOENT * 10 + ENOENT},
                    {"hidepid=invisible,gid=77", ENOENT * 10 + ENOENT},
                    {"hidepid=ptraceable", ENOENT * 10 + ENOENT}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            ASSERT_OK(mount("proc", "p", "proc", 0, rows[i].option));
            EXPECT_EQ(seen_by(4321, 4321), rows[i].want);
            EXPECT_EQ(seen_by(0, 0), 100);
            ASSERT_OK(umount2("p", 0));
        }
        ASSERT_OK(mount("proc", "p", "proc", 0, "hidepid=2,gid=77"));
        EXPECT_EQ(seen_by(4321, 77), 100);
        ASSERT_OK(mount(NULL, "p", NULL, MS_REMOUNT, "gid=78"));  // the other is as it was
        EXPECT_EQ(seen_by(4321, 77), ENOENT * 10 + ENOENT);
        EXPECT_EQ(seen_by(4321, 78), 100);
        ASSERT_OK(mount(NULL, "p", NULL, MS_REMOUNT, "hidepid=0"));
        EXPECT_EQ(seen_by(4321, 4321), 100);
        ASSERT_OK(umount2("p", 0));
        EXPECT_ERRNO(mount("proc", "p", "proc", 0, "hidepid=3"), EINVAL);
        EXPECT_ERRNO(mount("proc", "p", "proc", 0, "subset=all"), EINVAL);
    }
}

TEST(subset) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        ASSERT_OK(mount("proc", "p", "proc", 0, "subset=pid"));
        EXPECT_OK(access("p/self/status", F_OK));
        EXPECT_OK(access("p/thread-self/status", F_OK));
        EXPECT_TRUE(listed(getpid()));
        EXPECT_ERRNO(access("p/meminfo", F_OK), ENOENT);
        EXPECT_ERRNO(access("p/sys", F_OK), ENOENT);
        EXPECT_ERRNO(access("p/mounts", F_OK), ENOENT);
        EXPECT_OK(umount2("p", 0));
    }
}
