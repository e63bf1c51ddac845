// SPDX-License-Identifier: Apache-2.0
// covers: setns, unshare, msgget, semget, shmget
// Files that stand for namespaces, and the way into others: setns(2) by a file and by a pidfd, binds of such
// files, IPC and cgroup namespaces.
#include <fcntl.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include "guest.h"

#define NSFS_MAGIC_NUMBER 0x6e736673

static void need(int flags) {
    int pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER | flags) != 0);
    if (wait_exit(pid) != 0)
        SKIP("no such namespaces here");
}

static ino_t number_of(const char *kind) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
    ASSERT_OK(stat(path, &st));
    return st.st_ino;
}

TEST(a_file_stands_for_one) {
    char text[64], want[64];
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    ASSERT_OK(fd);
    struct stat st;
    struct statfs fs;
    ASSERT_OK(fstat(fd, &st));
    ASSERT_OK(fstatfs(fd, &fs));
    EXPECT_EQ(fs.f_type, NSFS_MAGIC_NUMBER);
    EXPECT_EQ(st.st_mode, S_IFREG | 0444);
    ssize_t n = readlink("/proc/self/ns/uts", text, sizeof(text) - 1);
    ASSERT_TRUE(n > 0);
    text[n] = 0;
    snprintf(want, sizeof(want), "uts:[%lu]", (unsigned long)st.st_ino);
    EXPECT_STREQ(text, want);
    EXPECT_ERRNO(read(fd, text, 1), EINVAL);
    EXPECT_ERRNO(open("/proc/self/ns/uts", O_RDWR), EPERM);
    int path = open("/proc/self/ns/uts", O_PATH);
    ASSERT_OK(path);
    EXPECT_ERRNO(setns(path, 0), EBADF);
}

TEST(ipc_objects_are_the_namespaces_own) {
    need(CLONE_NEWIPC);
    int id = shmget(IPC_PRIVATE, 4096, 0600);
    ASSERT_OK(id);
    IN_CHILD {
        int key = 0x7e57;
        int before = open("/proc/self/ns/ipc", O_RDONLY);
        ino_t outer = number_of("ipc");
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWIPC));
        EXPECT_TRUE(number_of("ipc") != outer);
        struct shmid_ds ds;
        EXPECT_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
        int mine = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
        EXPECT_OK(mine);
        struct msqid_ds q;
        ASSERT_OK(msgctl(mine, IPC_STAT, &q));
        EXPECT_EQ(q.msg_perm.uid, geteuid());
        q.msg_perm.uid = 4321;
        EXPECT_ERRNO(msgctl(mine, IPC_SET, &q), EINVAL);
        EXPECT_ERRNO(setns(before, CLONE_NEWIPC), EPERM);  // its owner is outside
    }
    EXPECT_OK(shmctl(id, IPC_RMID, NULL));
}

TEST(a_segment_outlives_its_namespace) {
    need(CLONE_NEWIPC);
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWIPC));
        int id = shmget(IPC_PRIVATE, 4096, 0600);
        ASSERT_OK(id);
        char *p = shmat(id, NULL, 0);
        ASSERT_TRUE(p != MAP_FAILED);
        strcpy(p, "here");
        ASSERT_OK(unshare(CLONE_NEWIPC));
        EXPECT_STREQ(p, "here");
    }
}

TEST(cgroup_namespaces) {
    need(CLONE_NEWCGROUP);
    IN_CHILD {
        ino_t outer = number_of("cgroup");
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWCGROUP));
        EXPECT_TRUE(number_of("cgroup") != outer);
        char text[256];
        ssize_t n = get_file("/proc/self/cgroup", text, sizeof(text) - 1);
        ASSERT_TRUE(n > 3);
        text[n] = 0;
        EXPECT_TRUE(strstr(text, ":/\n") != NULL);
    }
}

TEST(by_a_pidfd_several_at_once) {
    need(CLONE_NEWUTS | CLONE_NEWIPC);
    IN_CHILD {
        int ready[2], hold[2];
        ASSERT_OK(pipe(ready));
        ASSERT_OK(pipe(hold));
        int other = fork_child();
        if (other == 0) {
            char c;
            close(hold[1]);
            ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWIPC));
            ASSERT_OK(sethostname("there", 5));
            ASSERT_EQ(write(ready[1], "x", 1), 1);
            EXPECT_EQ(read(hold[0], &c, 1), 0);
            child_done();
        }
        char c, name[65];
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        int fd = (int)syscall(SYS_pidfd_open, other, 0);
        ASSERT_OK(fd);
        EXPECT_ERRNO(setns(fd, 0), EINVAL);
        EXPECT_ERRNO(setns(fd, CLONE_VM), EINVAL);
        if (geteuid() != 0)
            EXPECT_ERRNO(setns(fd, CLONE_NEWUTS), EPERM);  // without its user namespace no right
        EXPECT_OK(setns(fd, CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWIPC));
        EXPECT_OK(gethostname(name, sizeof(name)));
        EXPECT_STREQ(name, "there");
        close(hold[1]);
        EXPECT_EQ(wait_exit(other), 0);
    }
}

TEST(a_bind_keeps_one) {
    need(CLONE_NEWNS | CLONE_NEWUTS);
    in_tmpdir();
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS));
        ASSERT_OK(sethostname("kept", 4));
        put_file("ns", "");
        ASSERT_OK(mount("/proc/self/ns/uts", "ns", NULL, MS_BIND, NULL));
        EXPECT_ERRNO(mount("/proc/self/ns/mnt", "ns", NULL, MS_BIND, NULL), EINVAL);  // a ring
        ASSERT_OK(unshare(CLONE_NEWUTS));
        ASSERT_OK(sethostname("other", 5));
        int fd = open("ns", O_RDONLY);
        ASSERT_OK(fd);
        EXPECT_OK(setns(fd, CLONE_NEWUTS));
        char name[65];
        EXPECT_OK(gethostname(name, sizeof(name)));
        EXPECT_STREQ(name, "kept");
        close(fd);
        EXPECT_OK(umount("ns"));
    }
}

TEST(mounts_are_entered_at_their_root) {
    need(CLONE_NEWNS);
    in_tmpdir();
    IN_CHILD {
        int ready[2], hold[2];
        ASSERT_OK(pipe(ready));
        ASSERT_OK(pipe(hold));
        char map[64];
        snprintf(map, sizeof(map), "0 %u 1", geteuid());
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
        int fd = open("/proc/self/uid_map", O_WRONLY);
        ASSERT_EQ(write(fd, map, strlen(map)), (ssize_t)strlen(map));
        close(fd);
        int other = fork_child();
        if (other == 0) {
            char c;
            close(hold[1]);
            ASSERT_OK(unshare(CLONE_NEWNS));
            ASSERT_OK(mount("/proc", "/tmp", NULL, MS_BIND | MS_REC, NULL));
            ASSERT_EQ(write(ready[1], "x", 1), 1);
            EXPECT_EQ(read(hold[0], &c, 1), 0);
            child_done();
        }
        char c, path[64], cwd[256];
        close(ready[1]);
        ASSERT_EQ(read(ready[0], &c, 1), 1);
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", other);
        fd = open(path, O_RDONLY);
        ASSERT_OK(fd);
        EXPECT_ERRNO(access("/tmp/self/status", F_OK), ENOENT);
        EXPECT_OK(setns(fd, CLONE_NEWNS));
        EXPECT_OK(access("/tmp/self/status", F_OK));
        EXPECT_TRUE(getcwd(cwd, sizeof(cwd)) != NULL);
        EXPECT_STREQ(cwd, "/");
        close(hold[1]);
        EXPECT_EQ(wait_exit(other), 0);
    }
}
