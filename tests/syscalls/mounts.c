// SPDX-License-Identifier: Apache-2.0
// covers: mount, umount2, pivot_root, unshare
// Mounts of a namespace of one's own (man 2 mount, umount2, pivot_root; man 7 mount_namespaces).
#include "guest.h"

#include <sched.h>
#include <sys/mount.h>

// In a child: a namespace whose mounts nobody else sees, and an empty place of its own to work in.
static void own_mounts(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_ADMIN");
    if (unshare(CLONE_NEWNS) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    ASSERT_OK(mount("place", ".", "tmpfs", 0, "mode=755,size=1m"));
    ASSERT_OK(chdir(guest.tmpdir));
}

static bool mounted(const char *name) {
    static char text[65536];
    char want[2 * PATH_MAX];
    snprintf(want, sizeof(want), " %s/%s ", guest.tmpdir, name);
    int fd = ASSERT_OK(open("/proc/self/mountinfo", O_RDONLY));
    long n = 0, r;
    while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        n += r;
    text[n] = 0;
    close(fd);
    return strstr(text, want) != NULL;
}

TEST(tmpfs_and_umount) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        struct stat a, b;
        mkdir("d", 0755);
        stat("d", &a);
        EXPECT_OK(mount("none", "d", "tmpfs", MS_NOEXEC | MS_NOSUID, "mode=700"));
        EXPECT_TRUE(mounted("d"));
        stat("d", &b);
        EXPECT_TRUE(a.st_dev != b.st_dev);
        EXPECT_EQ(b.st_mode & 07777, 0700);
        put_file("d/f", "x");
        int fd = open("d/f", O_RDONLY);
        EXPECT_ERRNO(umount2("d", 0), EBUSY);
        close(fd);
        EXPECT_OK(umount2("d", 0));
        EXPECT_TRUE(!mounted("d"));
        EXPECT_ERRNO(access("d/f", F_OK), ENOENT);
        EXPECT_ERRNO(umount2("d", 0), EINVAL);
    }
}

TEST(bind) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        char text[8] = {0};
        mkdir("a", 0755);
        mkdir("a/sub", 0755);
        mkdir("b", 0755);
        mkdir("c", 0755);
        put_file("file", "one");
        put_file("other", "two");
        ASSERT_OK(mount("t", "a/sub", "tmpfs", 0, NULL));
        put_file("a/sub/x", "x");
        put_file("a/y", "y");
        EXPECT_OK(mount("a", "b", NULL, MS_BIND, NULL));
        EXPECT_OK(access("b/y", F_OK));
        EXPECT_ERRNO(access("b/sub/x", F_OK), ENOENT);
        EXPECT_OK(mount("a", "c", NULL, MS_BIND | MS_REC, NULL));
        EXPECT_OK(access("c/sub/x", F_OK));
        EXPECT_OK(mount("file", "other", NULL, MS_BIND, NULL));
        get_file("other", text, sizeof(text));
        EXPECT_STREQ(text, "one");
        EXPECT_ERRNO(mount("a", "file", NULL, MS_BIND, NULL), ENOTDIR);
        EXPECT_ERRNO(mount("missing", "b", NULL, MS_BIND, NULL), ENOENT);
        EXPECT_ERRNO(umount2("c", 0), EBUSY);
        EXPECT_OK(umount2("c", MNT_DETACH));
        EXPECT_ERRNO(access("c/sub", F_OK), ENOENT);
        EXPECT_OK(access("a/sub/x", F_OK));
    }
}

TEST(remount_read_only) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        mkdir("b", 0755);
        ASSERT_OK(mount("a", "b", NULL, MS_BIND, NULL));
        EXPECT_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
        EXPECT_ERRNO(mkdir("b/x", 0755), EROFS);
        EXPECT_OK(mkdir("a/x", 0755));
        EXPECT_OK(access("b/x", F_OK));
        EXPECT_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
        EXPECT_OK(mkdir("b/y", 0755));
        EXPECT_ERRNO(mount(NULL, "b/y", NULL, MS_REMOUNT | MS_BIND, NULL), EINVAL);
    }
}

TEST(moved) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        mkdir("b", 0755);
        ASSERT_OK(mount("t", "a", "tmpfs", 0, NULL));
        mkdir("a/in", 0755);
        EXPECT_ERRNO(mount("a", "a/in", NULL, MS_MOVE, NULL), ELOOP);
        EXPECT_ERRNO(mount("b", "a", NULL, MS_MOVE, NULL), EINVAL);
        EXPECT_OK(mount("a", "b", NULL, MS_MOVE, NULL));
        EXPECT_OK(access("b/in", F_OK));
        EXPECT_ERRNO(access("a/in", F_OK), ENOENT);
        EXPECT_TRUE(!mounted("a"));
        EXPECT_TRUE(mounted("b"));
    }
}

TEST(namespaces_are_apart) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        int pipes[2];
        char byte, mine[64] = {0}, its[64] = {0};
        mkdir("d", 0755);
        ASSERT_OK(pipe(pipes));
        readlink("/proc/self/ns/mnt", mine, sizeof(mine) - 1);
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(unshare(CLONE_NEWNS));
            EXPECT_OK(mount("t", "d", "tmpfs", 0, NULL));
            put_file("d/f", "x");
            EXPECT_OK(access("d/f", F_OK));
            EXPECT_EQ(write(pipes[1], "x", 1), 1);
            pause();
        }
        ASSERT_EQ(read(pipes[0], &byte, 1), 1);
        EXPECT_ERRNO(access("d/f", F_OK), ENOENT);
        EXPECT_TRUE(!mounted("d"));
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
        readlink(path, its, sizeof(its) - 1);
        EXPECT_TRUE(strncmp(its, "mnt:[", 5) == 0 && strcmp(mine, its) != 0);
        kill(pid, SIGKILL);
        wait_exit(pid);
    }
}

// Else two that are bound in each other would stay for ever.
TEST(a_copy_has_no_namespaces_of_mounts) {
    in_tmpdir();
    IN_CHILD {
        // Linux numbers namespaces by CPU, in lots: only on one of them has the later one the greater number.
        cpu_set_t here;
        CPU_ZERO(&here);
        CPU_SET((unsigned)sched_getcpu(), &here);
        ASSERT_OK(sched_setaffinity(0, sizeof(here), &here));
        own_mounts();
        int to[2];
        struct stat its, got;
        char byte, path[64];
        put_file("file", "");
        put_file("other", "");
        ASSERT_OK(pipe(to));
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(unshare(CLONE_NEWNS | CLONE_NEWUTS));
            EXPECT_EQ(write(to[1], "x", 1), 1);
            pause();
        }
        ASSERT_EQ(read(to[0], &byte, 1), 1);
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
        ASSERT_OK(stat(path, &its));
        ASSERT_OK(mount(path, "file", NULL, MS_BIND, NULL));
        snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
        ASSERT_OK(mount(path, "other", NULL, MS_BIND, NULL));
        ASSERT_OK(stat("file", &got));
        EXPECT_EQ(got.st_ino, its.st_ino);
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(stat("file", &got));
        EXPECT_TRUE(got.st_ino != its.st_ino || got.st_dev != its.st_dev);
        EXPECT_TRUE(!mounted("file"));
        EXPECT_TRUE(mounted("other"));
        kill(pid, SIGKILL);
        wait_exit(pid);
    }
}

// The same owner's: nothing is locked.
TEST(a_copy_comes_apart) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        EXPECT_OK(umount2("/proc", MNT_DETACH));
        EXPECT_ERRNO(access("/proc/self", F_OK), ENOENT);
    }
}

TEST(pivot) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        char text[64];
        mkdir("new", 0755);
        ASSERT_OK(mount("root", "new", "tmpfs", 0, NULL));
        mkdir("new/old", 0755);
        put_file("new/here", "x");
        EXPECT_ERRNO(syscall(SYS_pivot_root, "new/old", "new/old"), EINVAL);  // no mount
        EXPECT_ERRNO(syscall(SYS_pivot_root, "new", "."), EINVAL);            // not below it
        EXPECT_ERRNO(syscall(SYS_pivot_root, "/", "/"), EBUSY);
        EXPECT_ERRNO(syscall(SYS_pivot_root, "new/here", "new/old"), ENOTDIR);
        ASSERT_OK(syscall(SYS_pivot_root, "new", "new/old"));
        ASSERT_OK(chdir("/"));
        EXPECT_OK(access("/here", F_OK));
        EXPECT_OK(access("/old/proc", F_OK));
        EXPECT_OK(umount2("/old", MNT_DETACH));
        EXPECT_ERRNO(access("/old/proc", F_OK), ENOENT);
        EXPECT_STREQ(getcwd(text, sizeof(text)), "/");
        mkdir("/proc", 0755);
        EXPECT_OK(mount("proc", "/proc", "proc", 0, NULL));
        EXPECT_OK(access("/proc/self/status", F_OK));
        // names that are looked up anew each time can be covered too
        EXPECT_OK(mount("t", "/proc/sys", "tmpfs", 0, NULL));
        EXPECT_ERRNO(access("/proc/sys/kernel", F_OK), ENOENT);
        EXPECT_OK(umount2("/proc/sys", 0));
        EXPECT_OK(access("/proc/sys/kernel", F_OK));
    }
}

TEST(errors) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("d", 0755);
        EXPECT_ERRNO(mount("x", "d", "no-such-fs", 0, NULL), ENODEV);
        EXPECT_ERRNO(mount("x", "missing", "tmpfs", 0, NULL), ENOENT);
        EXPECT_ERRNO(mount("x", "d", "tmpfs", 0, "size=abc"), EINVAL);
        EXPECT_ERRNO(mount(KERNEL_POINTER, "d", "tmpfs", 0, NULL), EFAULT);
        EXPECT_ERRNO(mount("x", KERNEL_POINTER, "tmpfs", 0, NULL), EFAULT);
        EXPECT_ERRNO(mount(NULL, "d", NULL, MS_PRIVATE, NULL), EINVAL);
        EXPECT_ERRNO(mount(NULL, ".", NULL, MS_PRIVATE | MS_SHARED, NULL), EINVAL);
        EXPECT_ERRNO(umount2("missing", 0), ENOENT);
        EXPECT_ERRNO(umount2("d", 0x80000), EINVAL);
        EXPECT_ERRNO(umount2(".", MNT_EXPIRE | MNT_DETACH), EINVAL);
    }
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setresuid(65534, 65534, 65534));
        EXPECT_ERRNO(mount("x", "/", "tmpfs", 0, NULL), EPERM);
        EXPECT_ERRNO(mount("/", "/", NULL, MS_BIND, NULL), EPERM);
        EXPECT_ERRNO(umount2("/", 0), EPERM);
        EXPECT_ERRNO(syscall(SYS_pivot_root, "/", "/"), EPERM);
        EXPECT_ERRNO(unshare(CLONE_NEWNS), EPERM);
        EXPECT_ERRNO(unshare(CLONE_NEWUTS), EPERM);
    }
}

// What shows a namespace belongs to its owner: who has mounts of its own alone mounts none of these.
TEST(of_other_namespaces) {
    static const char *const shown[] = {"proc", "sysfs", "mqueue", "cgroup2"};
    in_tmpdir();
    for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
        IN_CHILD {
            if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
                SKIP("no user namespaces");
            EXPECT_ERRNO(mount("x", ".", shown[i], 0, NULL), EPERM);
            EXPECT_OK(mount("x", ".", "tmpfs", 0, NULL));
        }
    }
    IN_CHILD {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC) != 0)
            SKIP("no user namespaces");
        EXPECT_OK(mount("x", ".", "mqueue", 0, NULL));
    }
}
