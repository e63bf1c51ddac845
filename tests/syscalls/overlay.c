// SPDX-License-Identifier: Apache-2.0
// covers: mount, fsopen, fsconfig, fsmount, move_mount, rename, unlink, getxattr, setxattr
// Overlays that programs mount: Documentation/filesystems/overlayfs.rst of Linux.
#include "guest.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define LOWER "lowerdir=low1:low2"
#define ALL   LOWER ",upperdir=up,workdir=work"

static void own_mounts(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_ADMIN");
    if (unshare(CLONE_NEWNS) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    ASSERT_OK(mount("place", ".", "tmpfs", 0, "mode=755,size=4m"));
    ASSERT_OK(chdir(guest.tmpdir));
}
static void make_dirs(void) {
    static const char *const dirs[] = {"low1",     "low2",     "up",     "work",  "m",
                                       "low1/dir", "low2/dir", "low2/d2"};
    umask(022);
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        ASSERT_OK(mkdir(dirs[i], 0755));
    put_file("low1/both", "one");
    put_file("low2/both", "two");
    put_file("low2/below", "below");
    put_file("low1/dir/a", "a1");
    put_file("low2/dir/a", "a2");
    put_file("low2/dir/b", "b2");
    put_file("low2/d2/x", "x");
}
static bool has(const char *name, const char *want) {
    char text[64] = {0};
    long n = get_file(name, text, sizeof text - 1);
    return n >= 0 && !strcmp(text, want);
}
// Names in it, but for the dots.
static int names_in(const char *dir) {
    DIR *d = opendir(dir);
    int n = 0;
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}
static bool is_whiteout(const char *name) {
    struct stat st;
    return lstat(name, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

TEST(merges) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mount("overlay", "m", "overlay", 0, LOWER));
        struct statfs fs;
        ASSERT_OK(statfs("m", &fs));
        EXPECT_EQ(fs.f_type, 0x794c7630);
        EXPECT_TRUE(has("m/both", "one"));
        EXPECT_TRUE(has("m/below", "below"));
        EXPECT_TRUE(has("m/dir/a", "a1"));
        EXPECT_TRUE(has("m/dir/b", "b2"));
        EXPECT_EQ(names_in("m"), 4);
        EXPECT_EQ(names_in("m/dir"), 2);
        EXPECT_ERRNO(open("m/new", O_CREAT | O_WRONLY, 0644), EROFS);
        EXPECT_ERRNO(unlink("m/both"), EROFS);
        EXPECT_ERRNO(chmod("m/both", 0600), EROFS);
        EXPECT_OK(umount2("m", 0));
    }
}

TEST(writes_go_up) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(setxattr("low2/below", "trusted.one", "1", 1, 0));
        ASSERT_OK(chown("low2/below", 12, 34));
        ASSERT_OK(chmod("low2/below", 0640));
        const struct timespec old[2] = {{1000, 5}, {2000, 7}};
        ASSERT_OK(utimensat(AT_FDCWD, "low2/below", old, 0));
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        struct stat st, was;
        int before = ASSERT_OK(open("m/below", O_RDONLY));
        ASSERT_OK(fstat(before, &was));
        EXPECT_OK(chmod("m/below", 0600));
        ASSERT_OK(stat("up/below", &st));
        EXPECT_EQ(st.st_mode & 07777, 0600);
        EXPECT_EQ(st.st_uid, 12);
        EXPECT_EQ(st.st_gid, 34);
        EXPECT_EQ(st.st_mtim.tv_sec, 2000);
        EXPECT_EQ(st.st_mtim.tv_nsec, 7);
        char v[4];
        EXPECT_EQ(getxattr("up/below", "trusted.one", v, sizeof v), 1);
        EXPECT_TRUE(has("up/below", "below"));
        EXPECT_TRUE(has("low2/below", "below"));
        int fd = ASSERT_OK(open("m/below", O_WRONLY | O_APPEND));
        EXPECT_EQ(write(fd, "+", 1), 1);
        EXPECT_TRUE(has("m/below", "below+"));
        EXPECT_TRUE(has("low2/below", "below"));
        // Who had it open before sees the copy.
        char text[16] = {0};
        EXPECT_EQ(pread(before, text, sizeof text, 0), 6);
        ASSERT_OK(fstat(before, &st));
        EXPECT_EQ(st.st_ino, was.st_ino);
        EXPECT_EQ(st.st_size, 6);
        close(before);
        close(fd);
        put_file("m/dir/new", "new");
        EXPECT_TRUE(has("up/dir/new", "new"));
        EXPECT_EQ(names_in("m/dir"), 3);
        EXPECT_OK(truncate("m/dir/b", 1));
        EXPECT_TRUE(has("m/dir/b", "b"));
        EXPECT_TRUE(has("low2/dir/b", "b2"));
        EXPECT_OK(symlink("below", "m/link"));
        EXPECT_TRUE(has("m/link", "below+"));
        EXPECT_OK(link("m/both", "m/both2"));
        ASSERT_OK(stat("m/both2", &st));
        EXPECT_EQ(st.st_nlink, 2);
        EXPECT_OK(mkfifo("m/fifo", 0600));
        EXPECT_OK(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
        EXPECT_ERRNO(mknod("m/white", S_IFCHR | 0666, 0), EPERM);
        EXPECT_OK(umount2("m", 0));
        EXPECT_TRUE(names_in("work/work") <= 1);  // Linux keeps a whiteout to make links of
    }
}

TEST(whiteouts) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        EXPECT_OK(unlink("m/both"));
        EXPECT_ERRNO(access("m/both", F_OK), ENOENT);
        EXPECT_TRUE(is_whiteout("up/both"));
        EXPECT_TRUE(has("low1/both", "one"));
        EXPECT_EQ(names_in("m"), 3);
        put_file("m/both", "again");
        EXPECT_TRUE(has("m/both", "again"));
        EXPECT_TRUE(has("up/both", "again"));
        EXPECT_OK(unlink("m/both"));
        EXPECT_TRUE(is_whiteout("up/both"));
        EXPECT_ERRNO(rmdir("m/dir"), ENOTEMPTY);
        EXPECT_OK(unlink("m/dir/a"));
        EXPECT_ERRNO(access("m/dir/a", F_OK), ENOENT);
        EXPECT_OK(unlink("m/dir/b"));
        EXPECT_EQ(names_in("m/dir"), 0);
        EXPECT_OK(rmdir("m/dir"));
        EXPECT_TRUE(is_whiteout("up/dir"));
        EXPECT_OK(mkdir("m/dir", 0700));
        EXPECT_EQ(names_in("m/dir"), 0);
        char v[4] = {0};
        EXPECT_EQ(getxattr("up/dir", "trusted.overlay.opaque", v, sizeof v), 1);
        EXPECT_EQ(v[0], 'y');
        EXPECT_EQ(getxattr("m/dir", "trusted.overlay.opaque", v, sizeof v), -1);
        char names[256] = {0};
        EXPECT_GE(listxattr("m/dir", names, sizeof names), 0);
        EXPECT_TRUE(strcmp(names, "trusted.overlay.opaque") != 0);
        put_file("m/f", "f");
        EXPECT_OK(unlink("m/f"));  // was in the upper layer alone
        EXPECT_ERRNO(lstat("up/f", &(struct stat){0}), ENOENT);
        // All of it is the same when it is mounted anew.
        EXPECT_OK(umount2("m", 0));
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        EXPECT_EQ(names_in("m/dir"), 0);
        EXPECT_ERRNO(access("m/both", F_OK), ENOENT);
        EXPECT_TRUE(has("m/below", "below"));
        EXPECT_OK(umount2("m", 0));
    }
}

TEST(renames) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL ",redirect_dir=off"));
        EXPECT_OK(rename("m/both", "m/moved"));
        EXPECT_TRUE(has("m/moved", "one"));
        EXPECT_TRUE(is_whiteout("up/both"));
        EXPECT_ERRNO(access("m/both", F_OK), ENOENT);
        EXPECT_ERRNO(rename("m/dir", "m/dir2"), EXDEV);
        EXPECT_ERRNO(rename("m/d2", "m/d3"), EXDEV);
        EXPECT_OK(mkdir("m/fresh", 0755));
        put_file("m/fresh/in", "in");
        EXPECT_OK(rename("m/fresh", "m/fresh2"));
        EXPECT_TRUE(has("m/fresh2/in", "in"));
        EXPECT_OK(rename("m/fresh2/in", "m/dir/a"));  // over a merged name
        EXPECT_TRUE(has("m/dir/a", "in"));
        EXPECT_OK(rename("m/dir/a", "m/fresh2/back"));
        EXPECT_ERRNO(access("m/dir/a", F_OK), ENOENT);
        // A new directory to a name that has a lower one, which does not show through it.
        EXPECT_OK(unlink("m/d2/x"));
        EXPECT_OK(rename("m/fresh2", "m/d2"));
        EXPECT_EQ(names_in("m/d2"), 1);
        EXPECT_TRUE(has("m/d2/back", "in"));
        EXPECT_OK(rename("m/moved", "m/both"));  // over a whiteout
        EXPECT_TRUE(has("m/both", "one"));
        EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "m/both", AT_FDCWD, "m/below", 2 /* EXCHANGE */));
        EXPECT_TRUE(has("m/both", "below"));
        EXPECT_TRUE(has("m/below", "one"));
        EXPECT_OK(umount2("m", 0));
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        EXPECT_EQ(names_in("m/d2"), 1);
        EXPECT_OK(umount2("m", 0));
    }
}

TEST(maps_and_runs) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        int fd = ASSERT_OK(open("m/below", O_RDWR));
        char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ASSERT_TRUE(p != MAP_FAILED);
        p[0] = 'B';
        munmap(p, 4096);
        close(fd);
        EXPECT_TRUE(has("m/below", "Below"));
        EXPECT_TRUE(has("low2/below", "below"));
        put_file("low1/script", "#!/bin/sh\nexit 7\n");
        ASSERT_OK(chmod("low1/script", 0755));
        pid_t pid = fork();
        if (pid == 0) {
            execl("m/script", "m/script", (char *)NULL);
            _exit(99);
        }
        EXPECT_EQ(wait_exit(pid), 7);
        int tmp = open("m/dir", O_TMPFILE | O_RDWR, 0600);
        if (tmp >= 0) {
            char name[64];
            EXPECT_EQ(write(tmp, "t", 1), 1);
            snprintf(name, sizeof name, "/proc/self/fd/%d", tmp);
            EXPECT_OK(linkat(AT_FDCWD, name, AT_FDCWD, "m/dir/t", AT_SYMLINK_FOLLOW));
            EXPECT_TRUE(has("m/dir/t", "t"));
            close(tmp);
        }
        EXPECT_OK(umount2("m", 0));
    }
}

TEST(refusals) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        mkdir("up/in", 0755);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, ""), EINVAL);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, "lowerdir=low1"), EINVAL);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, "lowerdir=low1:missing"), ENOENT);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, "lowerdir=low1,upperdir=up"), EINVAL);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, "lowerdir=low1,upperdir=up,workdir=up/in"), EINVAL);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, "lowerdir=up,upperdir=up,workdir=work"), ELOOP);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, LOWER ",nonsense=1"), EINVAL);
        EXPECT_ERRNO(mount("overlay", "m", "overlay", 0, LOWER ",userxattr,redirect_dir=on"), EINVAL);
    }
}

TEST(fsopen_adds_layers) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        int fs = ASSERT_OK(syscall(SYS_fsopen, "overlay", 0));
        EXPECT_OK(syscall(SYS_fsconfig, fs, 1, "lowerdir+", "low2", 0));
        EXPECT_OK(syscall(SYS_fsconfig, fs, 1, "lowerdir+", "low1", 0));
        EXPECT_OK(syscall(SYS_fsconfig, fs, 1, "upperdir", "up", 0));
        EXPECT_OK(syscall(SYS_fsconfig, fs, 1, "workdir", "work", 0));
        ASSERT_OK(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0));
        int m = ASSERT_OK(syscall(SYS_fsmount, fs, 0, 0));
        ASSERT_OK(syscall(SYS_move_mount, m, "", AT_FDCWD, "m", 4));
        EXPECT_TRUE(has("m/both", "two"));
        close(m);
        close(fs);
        EXPECT_OK(umount2("m", 0));
    }
}

// Who is root of a user namespace alone, as rootless containers are.
TEST(in_a_user_namespace) {
    in_tmpdir();
    chmod(".", 0777);
    IN_CHILD {
        char map[64];
        unsigned uid = geteuid(), gid = getegid();
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
            SKIP("no user namespaces");
        put_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", uid);
        put_file("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", gid);
        put_file("/proc/self/gid_map", map);
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("place", ".", "tmpfs", 0, "mode=755"));
        ASSERT_OK(chdir(guest.tmpdir));
        make_dirs();
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL ",userxattr"));
        put_file("m/dir/a", "mine");
        EXPECT_TRUE(has("up/dir/a", "mine"));
        EXPECT_OK(unlink("m/both"));
        EXPECT_TRUE(is_whiteout("up/both"));
        EXPECT_OK(unlink("m/d2/x"));
        EXPECT_OK(rmdir("m/d2"));
        EXPECT_OK(mkdir("m/d2", 0755));
        char v[4] = {0};
        EXPECT_EQ(getxattr("up/d2", "user.overlay.opaque", v, sizeof v), 1);
        EXPECT_EQ(names_in("m/d2"), 0);
        EXPECT_OK(umount2("m", 0));
    }
}

// Directories of root's, which a user lays below a directory of its own.
static void as_user(void) {
    ASSERT_OK(setresgid(4321, 4321, 4321));
    ASSERT_OK(setresuid(4321, 4321, 4321));
    ASSERT_OK(prctl(PR_SET_DUMPABLE, 1));
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
        SKIP("no user namespaces");
    put_file("/proc/self/setgroups", "deny");
    put_file("/proc/self/uid_map", "0 4321 1");
    put_file("/proc/self/gid_map", "0 4321 1");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}
// What who mounts it may not see of a layer is not seen through the upper one's directories; and nobody's
// files are copied up who has no number there (a set-uid program would come to a place of the user's choice).
TEST(not_beyond_who_mounts) {
    in_tmpdir();
    chmod(".", 0755);
    IN_CHILD {
        own_mounts();
        static const char *const dirs[] = {"low", "low/hidden", "low/seen", "up", "up/hidden", "work", "m"};
        umask(022);
        for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
            ASSERT_OK(mkdir(dirs[i], 0755));
        put_file("low/hidden/f", "secret");
        put_file("low/key", "secret");
        put_file("low/tool", "tool");
        ASSERT_OK(chmod("low/hidden", 0700));
        ASSERT_OK(chmod("low/key", 0600));
        ASSERT_OK(chmod("low/tool", 04755));
        for (size_t i = 3; i < sizeof dirs / sizeof *dirs; i++)
            ASSERT_OK(chown(dirs[i], 4321, 4321));
        as_user();
        ASSERT_OK(chdir(guest.tmpdir));
        if (mount("overlay", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=work,userxattr") == -1)
            SKIP("no overlays in user namespaces");
        EXPECT_TRUE(has("m/tool", "tool"));
        EXPECT_ERRNO(open("m/key", O_RDONLY), EACCES);
        EXPECT_ERRNO(open("m/hidden/f", O_RDONLY), EACCES);
        EXPECT_TRUE(names_in("m/hidden") <= 0);
        EXPECT_ERRNO(rename("m/key", "m/k2"), EOVERFLOW);
        EXPECT_ERRNO(rename("m/tool", "m/t2"), EOVERFLOW);
        EXPECT_ERRNO(access("up/k2", F_OK), ENOENT);
        EXPECT_ERRNO(access("up/t2", F_OK), ENOENT);
        EXPECT_EQ(names_in("up"), 1);
    }
}

// A directory that cannot be removed after all still hides what it hid.
TEST(whiteouts_stay) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        ASSERT_OK(unlink("m/dir/a"));
        ASSERT_OK(unlink("m/dir/b"));
        ASSERT_OK(mkdir("m/new", 0755));
        int up = ASSERT_OK(open("up", O_RDONLY)), flags = FS_IMMUTABLE_FL;
        if (ioctl(up, FS_IOC_SETFLAGS, &flags) == -1)
            SKIP("no immutable directories on tmpfs");
        EXPECT_ERRNO(rmdir("m/dir"), EPERM);
        EXPECT_EQ(names_in("m/dir"), 0);
        EXPECT_TRUE(rename("m/new", "m/dir") == -1);
        EXPECT_EQ(names_in("m/dir"), 0);
        flags = 0;
        ASSERT_OK(ioctl(up, FS_IOC_SETFLAGS, &flags));
        close(up);
        EXPECT_OK(rename("m/new", "m/dir"));
        EXPECT_EQ(names_in("m/dir"), 0);
        EXPECT_ERRNO(access("m/new", F_OK), ENOENT);
        EXPECT_OK(rmdir("m/dir"));
        EXPECT_TRUE(is_whiteout("up/dir"));
        EXPECT_OK(mkdir("m/new", 0755));
        EXPECT_OK(rename("m/new", "m/dir"));
        EXPECT_EQ(names_in("m/dir"), 0);
        EXPECT_OK(umount2("m", 0));
        EXPECT_TRUE(names_in("work/work") <= 1);
    }
}

// Who reaches the working directory gives copies names while they are made, and has them looked up.
TEST(copies_with_other_names) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mount("place", "up", "tmpfs", 0, "size=64m"));
        ASSERT_OK(mkdir("up/u", 0755));
        ASSERT_OK(mkdir("up/w", 0755));
        char name[300];
        for (int i = 0; i < 12; i++) {
            snprintf(name, sizeof name, "low2/big%d", i);
            int fd = ASSERT_OK(open(name, O_CREAT | O_WRONLY, 0644));
            ASSERT_OK(ftruncate(fd, 2 << 20));
            close(fd);
        }
        ASSERT_OK(mount("overlay", "m", "overlay", 0, "lowerdir=low2,upperdir=up/u,workdir=up/w"));
        pid_t pid = fork();
        for (int n = 0; pid == 0;) {
            struct stat st;
            DIR *d = opendir("up/w/work");
            for (struct dirent *e; d && (e = readdir(d));) {
                char other[32];
                snprintf(name, sizeof name, "up/w/work/%s", e->d_name);
                snprintf(other, sizeof other, "up/u/z%d", n);
                if (*e->d_name != '#' || link(name, other) == -1)
                    continue;
                snprintf(other, sizeof other, "m/z%d", n++);
                stat(other, &st);
            }
            if (d)
                closedir(d);
        }
        for (int i = 0; i < 12; i++) {
            snprintf(name, sizeof name, "m/big%d", i);
            EXPECT_OK(chmod(name, 0600));
        }
        kill(pid, SIGKILL);
        wait_exit(pid);
        EXPECT_TRUE(has("m/below", "below"));
        EXPECT_OK(umount2("m", 0));
    }
}

// A name of a layer that is an overlay itself goes, and comes.
TEST(of_overlays) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        ASSERT_OK(mkdir("up2", 0755));
        ASSERT_OK(mkdir("work2", 0755));
        ASSERT_OK(mkdir("m2", 0755));
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        ASSERT_OK(mount("overlay", "m2", "overlay", 0, "lowerdir=m,upperdir=up2,workdir=work2"));
        EXPECT_EQ(names_in("m2/dir"), 2);
        EXPECT_OK(unlink("m2/both"));
        EXPECT_TRUE(has("m/both", "one"));
        EXPECT_OK(rename("m2/dir/a", "m2/dir/c"));
        EXPECT_TRUE(has("m2/dir/c", "a1"));
        EXPECT_EQ(names_in("m2/dir"), 2);
        EXPECT_OK(unlink("m2/d2/x"));
        EXPECT_OK(rmdir("m2/d2"));
        put_file("m2/both", "new");
        EXPECT_TRUE(has("m2/both", "new"));
        EXPECT_OK(umount2("m2", 0));
        EXPECT_OK(umount2("m", 0));
    }
}

// Names come and go in many threads of control at once; nothing is left in the working directory.
TEST(many_at_once) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        make_dirs();
        for (int i = 0; i < 20; i++) {
            char name[32];
            snprintf(name, sizeof name, "low2/dir/f%d", i);
            put_file(name, "x");
        }
        ASSERT_OK(mount("overlay", "m", "overlay", 0, ALL));
        pid_t pids[4];
        for (int k = 0; k < 4; k++) {
            pids[k] = fork();
            for (int i = 0; pids[k] == 0 && i < 20; i++) {
                char name[32], other[32];
                snprintf(name, sizeof name, "m/dir/f%d", i);
                snprintf(other, sizeof other, "m/dir/g%d", i % 3);
                chmod(name, 0600 + k);
                if (i % 4 == k)
                    rename(name, other);
                else if (i % 3 == k)
                    unlink(name);
            }
            if (pids[k] == 0)
                _exit(0);
        }
        for (int k = 0; k < 4; k++)
            EXPECT_EQ(wait_exit(pids[k]), 0);
        EXPECT_OK(umount2("m", 0));
        EXPECT_TRUE(names_in("work/work") <= 1);  // Linux keeps a whiteout to make links of
    }
}
