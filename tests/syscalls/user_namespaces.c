// SPDX-License-Identifier: Apache-2.0
// covers: unshare, setns, getuid, setresuid, setgroups, capget
// User namespaces, user_namespaces(7): maps and who may write them, ids as they are seen inside, what
// capabilities hold over, and the limit of levels.
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "guest.h"

#ifndef NS_GET_USERNS
#define NS_GET_USERNS    _IO(0xb7, 0x1)
#define NS_GET_PARENT    _IO(0xb7, 0x2)
#define NS_GET_NSTYPE    _IO(0xb7, 0x3)
#define NS_GET_OWNER_UID _IO(0xb7, 0x4)
#endif

static void need_userns(void) {
    int pid = fork();
    if (pid == 0)
        _exit(unshare(CLONE_NEWUSER) != 0);
    if (wait_exit(pid) != 0)
        SKIP("no user namespaces here");
}

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = write(fd, text, strlen(text));
    int err = errno;
    close(fd);
    errno = err;
    return n < 0 ? -1 : 0;
}

static void map_self(uid_t uid, gid_t gid) {
    char text[64];
    ASSERT_OK(write_file("/proc/self/setgroups", "deny"));
    snprintf(text, sizeof(text), "0 %u 1\n", uid);
    ASSERT_OK(write_file("/proc/self/uid_map", text));
    snprintf(text, sizeof(text), "0 %u 1\n", gid);
    ASSERT_OK(write_file("/proc/self/gid_map", text));
}

static void be_nobody(void) {
    if (geteuid() != 0)
        return;
    ASSERT_OK(setgroups(0, NULL));
    ASSERT_OK(setresgid(1234, 1234, 1234));
    ASSERT_OK(setresuid(1234, 1234, 1234));
    ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
}

TEST(without_a_map_all_are_nobody) {
    need_userns();
    IN_CHILD {
        be_nobody();
        ASSERT_OK(unshare(CLONE_NEWUSER));
        EXPECT_EQ(getuid(), 65534);
        EXPECT_EQ(getegid(), 65534);
        EXPECT_ERRNO(setuid(0), EINVAL);
        EXPECT_ERRNO(setgroups(0, NULL), EPERM);
        struct stat st;
        ASSERT_OK(stat("/", &st));
        EXPECT_EQ(st.st_uid, 65534);
        char text[64];
        EXPECT_EQ(get_file("/proc/self/uid_map", text, sizeof(text)), 0);
    }
}

TEST(root_inside_is_the_maker_outside) {
    need_userns();
    in_tmpdir();
    ASSERT_OK(chmod(".", 0777));
    IN_CHILD {
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        ASSERT_OK(unshare(CLONE_NEWUSER));
        map_self(uid, gid);
        EXPECT_EQ(getuid(), 0);
        EXPECT_EQ(getgid(), 0);
        put_file("made", "x");
        struct stat st;
        ASSERT_OK(stat("made", &st));
        EXPECT_EQ(st.st_uid, 0);
        EXPECT_ERRNO(chown("made", 1, -1), EINVAL);
        EXPECT_OK(chown("made", 0, 0));
        EXPECT_ERRNO(setuid(1), EINVAL);
        EXPECT_OK(setuid(0));
    }
    struct stat st;
    ASSERT_OK(stat("made", &st));
    EXPECT_EQ(st.st_uid, geteuid() == 0 ? 1234u : geteuid());
}

TEST(capabilities_hold_inside_alone) {
    need_userns();
    in_tmpdir();
    put_file("secret", "x");
    ASSERT_OK(chmod("secret", 0600));
    bool root = geteuid() == 0;
    IN_CHILD {
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        ASSERT_OK(unshare(CLONE_NEWUSER));
        map_self(uid, gid);
        // Over what belongs to the namespace around: nothing.
        EXPECT_ERRNO(sethostname("x", 1), EPERM);
        EXPECT_ERRNO(mount("none", "/", "tmpfs", 0, NULL), EPERM);
        EXPECT_ERRNO(chroot("/nowhere"), ENOENT);
        if (root)
            EXPECT_ERRNO(open("secret", O_RDONLY), EACCES);
        EXPECT_ERRNO(kill(1, 0), EPERM);
        // Over what is made in it: all.
        ASSERT_OK(unshare(CLONE_NEWUTS | CLONE_NEWNS));
        EXPECT_OK(sethostname("x", 1));
        EXPECT_OK(mount("none", "/tmp", "tmpfs", 0, "size=64k"));
        EXPECT_ERRNO(mknod("/tmp/dev", S_IFCHR | 0600, 0x103), EPERM);
        EXPECT_ERRNO(mount("none", "/tmp", "devtmpfs", 0, NULL), EPERM);
    }
}

TEST(what_came_along_is_locked) {
    need_userns();
    if (geteuid() != 0)
        SKIP("mounts need privilege");
    in_tmpdir();
    ASSERT_OK(chmod(".", 0777));
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mkdir("d", 0777));
        ASSERT_OK(mount("none", "d", "tmpfs", MS_RDONLY, NULL));
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
        map_self(uid, gid);
        EXPECT_ERRNO(umount("d"), EINVAL);
        EXPECT_ERRNO(umount2("d", MNT_DETACH), EINVAL);
        EXPECT_ERRNO(mount(NULL, "d", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
        EXPECT_OK(mount(NULL, "d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
        EXPECT_ERRNO(mount(".", "/tmp", NULL, MS_BIND, NULL), EINVAL);
        EXPECT_OK(mount(".", "/tmp", NULL, MS_BIND | MS_REC, NULL));
    }
}

// CVE-2014-9717: taken off as a tree, or with the namespace, a copy still covers what it covered, for who has
// a file open in it.
TEST(what_is_locked_covers_for_ever) {
    need_userns();
    if (geteuid() != 0)
        SKIP("mounts need privilege");
    in_tmpdir();
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("none", ".", "tmpfs", 0, "mode=777"));
        ASSERT_OK(chdir(guest.tmpdir));
        ASSERT_OK(chmod(".", 0777));
        for (int i = 0; i < 3; i++) {
            static const char *const dirs[] = {"a", "a/d", "copy"};
            ASSERT_OK(mkdir(dirs[i], 0777));
        }
        put_file("a/d/secret", "x");
        ASSERT_OK(mount("none", "a/d", "tmpfs", 0, "mode=777"));
        ASSERT_OK(mkdir("a/d/e", 0777));
        put_file("a/d/e/secret", "x");
        ASSERT_OK(mount("none", "a/d/e", "tmpfs", 0, "mode=777"));
        put_file("a/d/e/top", "x");
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) {
            ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
            map_self(uid, gid);
            ASSERT_OK(mount(".", "copy", NULL, MS_BIND | MS_REC, NULL));
            int fd = ASSERT_OK(open("copy/a", O_PATH)), inner = ASSERT_OK(open("copy/a/d", O_PATH));
            EXPECT_OK(faccessat(fd, "d/e/top", F_OK, 0));
            ASSERT_OK(umount2("copy", MNT_DETACH));
            EXPECT_ERRNO(faccessat(fd, "d/secret", F_OK, 0), ENOENT);
            EXPECT_ERRNO(faccessat(fd, "d/e/secret", F_OK, 0), ENOENT);
            EXPECT_OK(faccessat(fd, "d/e/top", F_OK, 0));
            close(fd);
            EXPECT_ERRNO(faccessat(inner, "e/secret", F_OK, 0), ENOENT);
            EXPECT_OK(faccessat(inner, "e/top", F_OK, 0));
            ASSERT_OK(dup2(ASSERT_OK(open("a", O_PATH)), 100));  // outlives the namespace
            child_done();
        }
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_ERRNO(faccessat(100, "d/secret", F_OK, 0), ENOENT);
        EXPECT_OK(faccessat(100, "d/e/top", F_OK, 0));
    }
}

// Names of /proc are looked up anew each time; what covers one is seen all the same.
TEST(what_is_locked_in_proc_is_not_left_out) {
    need_userns();
    if (geteuid() != 0)
        SKIP("mounts need privilege");
    IN_CHILD {
        ASSERT_OK(unshare(CLONE_NEWNS));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("none", "/proc/sys/kernel", "tmpfs", 0, NULL));
        be_nobody();
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
        EXPECT_ERRNO(mount("/proc/sys", "/tmp", NULL, MS_BIND, NULL), EINVAL);
        ASSERT_OK(mount("/proc/sys", "/tmp", NULL, MS_BIND | MS_REC, NULL));
        EXPECT_OK(access("/tmp/fs", F_OK));
        EXPECT_ERRNO(access("/tmp/kernel/ostype", F_OK), ENOENT);
    }
}

// proc comes anew into a namespace only where one is seen whole, and no less read-only than that.
TEST(proc_shows_no_more_than_was_seen) {
    need_userns();
    if (geteuid() != 0)
        SKIP("mounts need privilege");
    enum { WHOLE, READ_ONLY, COVERED, CASES };
    for (int how = 0; how < CASES; how++)
        IN_CHILD {
            ASSERT_OK(unshare(CLONE_NEWNS));
            ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
            ASSERT_OK(umount2("/proc", MNT_DETACH));
            ASSERT_OK(mount("proc", "/proc", "proc", how == READ_ONLY ? MS_RDONLY : 0, NULL));
            if (how == COVERED)
                ASSERT_OK(mount("none", "/proc/sys", "tmpfs", 0, NULL));
            be_nobody();
            ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID));
            IN_CHILD {
                int err = mount("proc", "/tmp", "proc", MS_RDONLY, NULL) == 0 ? 0 : errno;
                EXPECT_EQ(err, how == COVERED ? EPERM : 0);
                err = mount(NULL, "/tmp", NULL, MS_REMOUNT | MS_BIND, NULL) == 0 ? 0 : errno;
                if (how != COVERED)
                    EXPECT_EQ(err, how == READ_ONLY ? EPERM : 0);
                err = mount("proc", "/tmp", "proc", 0, NULL) == 0 ? 0 : errno;
                EXPECT_EQ(err, how == WHOLE ? 0 : EPERM);
            }
        }
}

// The writer of a map is judged: user_namespaces(7), "Defining user and group ID mappings".
TEST(maps_are_written_once_and_soundly) {
    need_userns();
    IN_CHILD {
        be_nobody();
        char own[64];
        snprintf(own, sizeof(own), "0 %u 1", geteuid());
        ASSERT_OK(unshare(CLONE_NEWUSER));
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 0 1"), EPERM);
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 1234 2"), EPERM);
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 x 1"), EINVAL);
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 1 0"), EINVAL);
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 1 1\n0 2 1"), EINVAL);
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 1 1\n1 1 1"), EINVAL);
        EXPECT_ERRNO(write_file("/proc/self/uid_map", "\n"), EINVAL);
        EXPECT_OK(write_file("/proc/self/uid_map", own));
        EXPECT_ERRNO(write_file("/proc/self/uid_map", own), EPERM);
        char group[64];
        snprintf(group, sizeof(group), "0 1234 1");
        EXPECT_ERRNO(write_file("/proc/self/gid_map", group), EPERM);  // setgroups is not denied yet
        EXPECT_ERRNO(write_file("/proc/self/setgroups", "maybe"), EINVAL);
        EXPECT_OK(write_file("/proc/self/setgroups", "deny"));
        EXPECT_ERRNO(write_file("/proc/self/setgroups", "allow"), EPERM);
        EXPECT_ERRNO(setgroups(0, NULL), EPERM);
    }
    EXPECT_ERRNO(write_file("/proc/self/uid_map", "0 0 1"), EPERM);  // nor the first one's
}

TEST(a_parent_maps_many) {
    need_userns();
    if (geteuid() != 0)
        SKIP("maps of others need privilege");
    int ready[2], go[2];
    ASSERT_OK(pipe(ready));
    ASSERT_OK(pipe(go));
    int pid = fork_child();
    if (pid == 0) {
        char c = 0;
        ASSERT_OK(unshare(CLONE_NEWUSER));
        ASSERT_EQ(write(ready[1], &c, 1), 1);
        ASSERT_EQ(read(go[0], &c, 1), 1);
        EXPECT_EQ(getuid(), 0);
        EXPECT_OK(setresgid(5, 5, 5));
        gid_t groups[] = {3, 4};
        EXPECT_OK(setgroups(2, groups));
        gid_t got[4];
        EXPECT_EQ(getgroups(4, got), 2);
        EXPECT_EQ(got[0], 3);
        EXPECT_OK(setresuid(7, 7, 7));
        EXPECT_EQ(getuid(), 7);
        EXPECT_ERRNO(setresuid(0, 0, 0), EPERM);
        char text[128];
        ASSERT_TRUE(get_file("/proc/self/uid_map", text, sizeof(text)) > 0);
        EXPECT_STREQ(text, "         0          0          1\n         1     100000       1000\n");
        child_done();
    }
    char c, path[64];
    ASSERT_EQ(read(ready[0], &c, 1), 1);
    snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
    EXPECT_OK(write_file(path, "0 0 1\n1 100000 1000\n"));
    snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
    EXPECT_OK(write_file(path, "0 0 1\n1 100000 1000\n"));
    ASSERT_EQ(write(go[1], &c, 1), 1);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(there_are_32_levels) {
    need_userns();
    IN_CHILD {
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        int made = 0;
        for (; made < 40; made++) {
            if (unshare(CLONE_NEWUSER) != 0)
                break;
            map_self(uid, gid);
            uid = gid = 0;
        }
        EXPECT_EQ(errno, ENOSPC);
        EXPECT_RANGE(made, 20, 33);  // as Linux counts 32, less those that the test itself runs in
    }
}

TEST(relations_of_namespaces) {
    need_userns();
    IN_CHILD {
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        int outer = open("/proc/self/ns/user", O_RDONLY);
        ASSERT_OK(outer);
        EXPECT_EQ(ioctl(outer, NS_GET_NSTYPE), CLONE_NEWUSER);
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWUTS));
        map_self(uid, gid);
        int inner = open("/proc/self/ns/user", O_RDONLY), uts = open("/proc/self/ns/uts", O_RDONLY);
        ASSERT_OK(inner);
        uid_t owner;
        ASSERT_OK(ioctl(inner, NS_GET_OWNER_UID, &owner));
        EXPECT_EQ(owner, 0);
        EXPECT_ERRNO(ioctl(uts, NS_GET_OWNER_UID, &owner), EINVAL);
        int got = ioctl(uts, NS_GET_USERNS);
        ASSERT_OK(got);
        struct stat a, b;
        fstat(got, &a);
        fstat(inner, &b);
        EXPECT_EQ(a.st_ino, b.st_ino);
        EXPECT_EQ(a.st_dev, b.st_dev);
        EXPECT_ERRNO(ioctl(inner, NS_GET_PARENT), EPERM);  // outside of what may be seen
        EXPECT_ERRNO(ioctl(uts, NS_GET_PARENT), EINVAL);
        EXPECT_ERRNO(setns(inner, 0), EINVAL);  // there already
        EXPECT_ERRNO(setns(outer, 0), EPERM);
        EXPECT_ERRNO(setns(uts, CLONE_NEWNET), EINVAL);
        EXPECT_OK(setns(uts, CLONE_NEWUTS));
    }
}

TEST(credentials_are_translated) {
    need_userns();
    int pair[2];
    ASSERT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    int on = 1;
    ASSERT_OK(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    uid_t mine = geteuid();
    IN_CHILD {
        be_nobody();
        uid_t uid = geteuid();
        gid_t gid = getegid();
        ASSERT_OK(unshare(CLONE_NEWUSER));
        map_self(uid, gid);
        struct ucred cred;
        socklen_t len = sizeof(cred);
        ASSERT_OK(getsockopt(pair[1], SOL_SOCKET, SO_PEERCRED, &cred, &len));
        EXPECT_EQ(cred.uid, mine == uid ? 0u : 65534u);
        ASSERT_EQ(write(pair[1], "x", 1), 1);
    }
    char c, control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec iov = {&c, 1};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ASSERT_EQ(recvmsg(pair[0], &m, 0), 1);
    struct ucred got;
    ASSERT_TRUE(CMSG_FIRSTHDR(&m) != NULL);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(got));
    EXPECT_EQ(got.uid, mine == 0 ? 1234u : mine);
}

TEST(refusals) {
    EXPECT_ERRNO(setns(-1, 0), EBADF);
    int fd = open("/", O_RDONLY);
    EXPECT_ERRNO(setns(fd, 0), EINVAL);
    EXPECT_ERRNO(unshare(0x1), EINVAL);
    IN_CHILD {
        EXPECT_EQ(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0), -1);
        EXPECT_EQ(errno, EINVAL);
    }
}
