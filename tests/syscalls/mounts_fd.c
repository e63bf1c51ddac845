// SPDX-License-Identifier: Apache-2.0
// covers: fsopen, fsconfig, fsmount, fspick, mount_setattr
// covers: open_tree, open_tree_attr, move_mount, statmount, listmount
//
// Mounts by descriptors, and what is told of them (man 2 of each).
#include "guest.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#define CLONE_TREE 1u
#define RECURSIVE  0x8000u
#define F_EMPTY    0x04u
#define T_EMPTY    0x40u
#define SET_GROUP_ 0x100u
#define BENEATH    0x200u
enum { SET_FLAG, SET_STRING, SET_BINARY, SET_PATH, SET_PATH_EMPTY, SET_FD, CREATE, RECONFIGURE, CREATE_ONE };

struct attr {
    uint64_t set, clear, propagation, userns;
};

static long open_tree_(int dir, const char *path, unsigned flags) { return syscall(428, dir, path, flags); }
static long move_(int from, const char *f, int to, const char *t, unsigned flags) {
    return syscall(429, from, f, to, t, flags);
}
static long fsopen_(const char *type, unsigned flags) { return syscall(430, type, flags); }
static long config(int fd, unsigned cmd, const void *key, const void *value, int aux) {
    return syscall(431, fd, cmd, key, value, aux);
}
static long fsmount_(int fd, unsigned flags, unsigned attr) { return syscall(432, fd, flags, attr); }
static long fspick_(int dir, const char *path, unsigned flags) { return syscall(433, dir, path, flags); }
static long setattr(int dir, const char *path, unsigned flags, const struct attr *a, size_t size) {
    return syscall(442, dir, path, flags, a, size);
}

static void own_mounts(void) {
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_ADMIN");
    if (unshare(CLONE_NEWNS) == -1 && errno == EPERM)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    ASSERT_OK(mount("place", ".", "tmpfs", 0, "mode=755,size=1m"));
    ASSERT_OK(chdir(guest.tmpdir));
}

// The line of mountinfo of that name, or "".
static const char *info_of(const char *name) {
    static char text[262144];
    char want[2 * PATH_MAX];
    snprintf(want, sizeof(want), " %s/%s ", guest.tmpdir, name);
    int fd = ASSERT_OK(open("/proc/self/mountinfo", O_RDONLY));
    long n = 0, r;
    while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        n += r;
    text[n] = 0;
    close(fd);
    char *at = strstr(text, want);
    if (!at)
        return "";
    char *end = strchr(at, '\n');
    *end = 0;
    while (at > text && at[-1] != '\n')
        at--;
    return at;
}
static bool is_mounted(const char *name) { return *info_of(name) != 0; }
static bool says(const char *name, const char *what) { return strstr(info_of(name), what) != NULL; }

static int new_tmpfs(void) {
    int fs = ASSERT_OK(fsopen_("tmpfs", 1));
    ASSERT_OK(config(fs, SET_STRING, "size", "64k", 0));
    ASSERT_OK(config(fs, CREATE, NULL, NULL, 0));
    int m = ASSERT_OK(fsmount_(fs, 1, 0));
    close(fs);
    return m;
}

TEST(new_one) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("d", 0755);
        int fs = ASSERT_OK(fsopen_("tmpfs", 1));
        EXPECT_EQ(fcntl(fs, F_GETFD), FD_CLOEXEC);
        EXPECT_OK(config(fs, SET_STRING, "source", "me", 0));
        EXPECT_ERRNO(config(fs, SET_STRING, "source", "again", 0), EINVAL);
        EXPECT_OK(config(fs, SET_STRING, "mode", "0700", 0));
        EXPECT_OK(config(fs, SET_FLAG, "ro", NULL, 0));
        EXPECT_OK(config(fs, SET_FLAG, "rw", NULL, 0));
        EXPECT_ERRNO(fsmount_(fs, 0, 0), EINVAL);  // not made yet
        EXPECT_ERRNO(config(fs, RECONFIGURE, NULL, NULL, 0), EBUSY);
        EXPECT_OK(config(fs, CREATE, NULL, NULL, 0));
        EXPECT_ERRNO(config(fs, CREATE, NULL, NULL, 0), EBUSY);
        EXPECT_ERRNO(config(fs, SET_STRING, "mode", "0755", 0), EBUSY);
        int m = ASSERT_OK(fsmount_(fs, 0, 1 | 2 | 0x10));  // ro, nosuid, noatime
        EXPECT_ERRNO(fsmount_(fs, 0, 0), EBUSY);
        EXPECT_EQ(fcntl(m, F_GETFL) & O_PATH, O_PATH);
        EXPECT_TRUE(!is_mounted("d"));
        EXPECT_OK(move_(m, "", AT_FDCWD, "d", F_EMPTY));
        EXPECT_TRUE(says("d", " ro,nosuid,noatime "));
        EXPECT_TRUE(says("d", " - tmpfs me rw"));
        struct stat s;
        EXPECT_OK(stat("d", &s));
        EXPECT_EQ(s.st_mode & 07777, 0700);
        EXPECT_ERRNO(mkdir("d/x", 0755), EROFS);
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "d", F_EMPTY), ELOOP);  // onto itself
        close(m);
        close(fs);
        EXPECT_TRUE(is_mounted("d"));
        EXPECT_OK(umount2("d", 0));
    }
}

TEST(errors_of_contexts) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        EXPECT_ERRNO(fsopen_("no-such-fs", 0), ENODEV);
        EXPECT_ERRNO(fsopen_("tmpfs", 2), EINVAL);
        EXPECT_ERRNO(fsopen_(KERNEL_POINTER, 0), EFAULT);
        int fs = ASSERT_OK(fsopen_("tmpfs", 0)), other = ASSERT_OK(open(".", O_RDONLY));
        EXPECT_ERRNO(config(-1, SET_FLAG, "ro", NULL, 0), EINVAL);
        EXPECT_ERRNO(config(1000, SET_FLAG, "ro", NULL, 0), EBADF);
        EXPECT_ERRNO(config(other, SET_FLAG, "ro", NULL, 0), EINVAL);
        EXPECT_ERRNO(config(fs, 100, NULL, NULL, 0), EOPNOTSUPP);
        EXPECT_ERRNO(config(fs, SET_FLAG, NULL, NULL, 0), EINVAL);
        EXPECT_ERRNO(config(fs, SET_FLAG, "ro", "x", 0), EINVAL);
        EXPECT_ERRNO(config(fs, SET_FLAG, "ro", NULL, 1), EINVAL);
        EXPECT_ERRNO(config(fs, SET_STRING, "mode", NULL, 0), EINVAL);
        EXPECT_ERRNO(config(fs, SET_STRING, KERNEL_POINTER, "x", 0), EFAULT);
        EXPECT_ERRNO(config(fs, SET_STRING, "mode", KERNEL_POINTER, 0), EFAULT);
        EXPECT_ERRNO(config(fs, SET_FLAG, "size", NULL, 0), EINVAL);
        EXPECT_ERRNO(config(fs, SET_STRING, "size", "many", 0), EINVAL);
        EXPECT_ERRNO(config(fs, SET_FD, "fd", NULL, -1), EINVAL);
        EXPECT_ERRNO(config(fs, SET_BINARY, "x", "y", 0), EINVAL);
        EXPECT_ERRNO(config(fs, CREATE, "x", NULL, 0), EINVAL);
        char text[256] = {0};
        while (read(fs, text, sizeof(text)) > 0)
            ;
        EXPECT_EQ(errno, ENODATA);
        EXPECT_ERRNO(config(fs, SET_STRING, "nothing", "x", 0), EINVAL);
        EXPECT_TRUE(read(fs, text, sizeof(text) - 1) > 0);
        EXPECT_TRUE(strncmp(text, "e ", 2) == 0 && strstr(text, "nothing"));
        EXPECT_ERRNO(fsmount_(fs, 2, 0), EINVAL);
        EXPECT_ERRNO(fsmount_(fs, 0, 0x70), EINVAL);
        EXPECT_ERRNO(fsmount_(fs, 0, 0x100000), EINVAL);
        EXPECT_ERRNO(fsmount_(other, 0, 0), EINVAL);
        EXPECT_ERRNO(fsmount_(1000, 0, 0), EBADF);
        mkdir("d", 0755);
        EXPECT_ERRNO(fspick_(AT_FDCWD, "d", 0), EINVAL);  // no mount
        EXPECT_ERRNO(fspick_(AT_FDCWD, ".", 16), EINVAL);
        EXPECT_ERRNO(fspick_(AT_FDCWD, "missing", 0), ENOENT);
    }
}

TEST(picked) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("d", 0755);
        ASSERT_OK(mount("t", "d", "tmpfs", 0, "size=64k"));
        int fs = ASSERT_OK(fspick_(AT_FDCWD, "d", 1));
        EXPECT_OK(config(fs, SET_STRING, "size", "1m", 0));
        EXPECT_OK(config(fs, SET_FLAG, "ro", NULL, 0));
        EXPECT_ERRNO(config(fs, CREATE, NULL, NULL, 0), EBUSY);
        EXPECT_OK(config(fs, RECONFIGURE, NULL, NULL, 0));
        EXPECT_ERRNO(mkdir("d/x", 0755), EROFS);
        EXPECT_OK(config(fs, SET_FLAG, "rw", NULL, 0));  // another round
        EXPECT_OK(config(fs, RECONFIGURE, NULL, NULL, 0));
        EXPECT_OK(mkdir("d/x", 0755));
        struct statfs s;
        EXPECT_OK(statfs("d", &s));
        EXPECT_EQ(s.f_blocks * s.f_bsize, 1 << 20);
        EXPECT_OK(mount(NULL, "d", NULL, MS_REMOUNT | MS_RDONLY, "size=2m"));
        EXPECT_ERRNO(mkdir("d/y", 0755), EROFS);
        EXPECT_OK(statfs("d", &s));
        EXPECT_EQ(s.f_blocks * s.f_bsize, 2 << 20);
        EXPECT_ERRNO(mount(NULL, "d", NULL, MS_REMOUNT, "nothing=1"), EINVAL);
    }
}

TEST(trees) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        mkdir("b", 0755);
        ASSERT_OK(mount("t", "a", "tmpfs", 0, NULL));
        mkdir("a/in", 0755);
        ASSERT_OK(mount("t", "a/in", "tmpfs", 0, NULL));
        put_file("a/in/f", "x");
        EXPECT_ERRNO(open_tree_(AT_FDCWD, "a", RECURSIVE), EINVAL);
        EXPECT_ERRNO(open_tree_(AT_FDCWD, "a", 2), EINVAL);
        EXPECT_ERRNO(open_tree_(AT_FDCWD, "missing", CLONE_TREE), ENOENT);
        EXPECT_ERRNO(open_tree_(1000, "", CLONE_TREE | AT_EMPTY_PATH), EBADF);
        int plain = ASSERT_OK(open_tree_(AT_FDCWD, "a", O_CLOEXEC));
        EXPECT_EQ(fcntl(plain, F_GETFD), FD_CLOEXEC);
        EXPECT_OK(faccessat(plain, "in/f", F_OK, 0));
        int one = ASSERT_OK(open_tree_(AT_FDCWD, "a", CLONE_TREE));
        EXPECT_ERRNO(faccessat(one, "in/f", F_OK, 0), ENOENT);
        int all = ASSERT_OK(open_tree_(AT_FDCWD, "a", CLONE_TREE | RECURSIVE));
        EXPECT_OK(faccessat(all, "in/f", F_OK, 0));
        EXPECT_OK(move_(all, "", AT_FDCWD, "b", F_EMPTY));
        EXPECT_TRUE(is_mounted("b/in"));
        EXPECT_OK(access("b/in/f", F_OK));
        // What was opened without a copy is moved as it is.
        EXPECT_OK(umount2("b", MNT_DETACH));
        EXPECT_OK(move_(plain, "", AT_FDCWD, "b", F_EMPTY));
        EXPECT_TRUE(!is_mounted("a") && is_mounted("b/in"));
        // What nobody has given a place ends with its descriptor.
        int dir = ASSERT_OK(openat(one, ".", O_RDONLY | O_DIRECTORY));
        close(one);
        EXPECT_OK(faccessat(dir, "in", F_OK, 0));
        EXPECT_ERRNO(open_tree_(dir, "", CLONE_TREE | AT_EMPTY_PATH), EINVAL);
        EXPECT_ERRNO(move_(dir, "", AT_FDCWD, "a", F_EMPTY), EINVAL);
    }
}

TEST(moves) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        mkdir("b", 0755);
        put_file("file", "");
        int m = new_tmpfs();
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "a", 0), ENOENT);
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "a", F_EMPTY | 0x1000), EINVAL);
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "a", F_EMPTY | SET_GROUP_ | BENEATH), EINVAL);
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "missing", F_EMPTY), ENOENT);
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "file", F_EMPTY), EINVAL);
        EXPECT_ERRNO(move_(AT_FDCWD, "a", AT_FDCWD, "b", 0), EINVAL);  // no mount
        int to = ASSERT_OK(open("a", O_PATH));
        EXPECT_OK(move_(m, "", to, "", F_EMPTY | T_EMPTY));
        EXPECT_TRUE(is_mounted("a"));
        EXPECT_OK(move_(AT_FDCWD, "a", AT_FDCWD, "b", 0));
        EXPECT_TRUE(!is_mounted("a") && is_mounted("b"));
        EXPECT_ERRNO(move_(AT_FDCWD, "b", AT_FDCWD, KERNEL_POINTER, 0), EFAULT);
    }
}

TEST(beneath) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        mkdir("b", 0755);
        ASSERT_OK(mount("over", "a", "tmpfs", 0, NULL));
        put_file("a/over", "x");
        int m = new_tmpfs();
        EXPECT_ERRNO(move_(m, "", AT_FDCWD, "b", F_EMPTY | BENEATH), EINVAL);  // nothing lies there
        EXPECT_OK(move_(m, "", AT_FDCWD, "a", F_EMPTY | BENEATH));
        close(m);
        EXPECT_OK(access("a/over", F_OK));
        EXPECT_OK(umount2("a", 0));
        EXPECT_TRUE(is_mounted("a"));
        EXPECT_ERRNO(access("a/over", F_OK), ENOENT);
        EXPECT_OK(umount2("a", 0));
        EXPECT_TRUE(!is_mounted("a"));
    }
}

TEST(groups) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        mkdir("b", 0755);
        ASSERT_OK(mount("t", "a", "tmpfs", 0, NULL));
        ASSERT_OK(mount("a", "b", NULL, MS_BIND, NULL));
        EXPECT_ERRNO(move_(AT_FDCWD, "a", AT_FDCWD, "b", SET_GROUP_), EINVAL);  // has none
        ASSERT_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
        EXPECT_OK(move_(AT_FDCWD, "a", AT_FDCWD, "b", SET_GROUP_));
        EXPECT_TRUE(says("b", " shared:"));
        EXPECT_ERRNO(move_(AT_FDCWD, "a", AT_FDCWD, "b", SET_GROUP_), EINVAL);
        mkdir("a/x", 0755);
        ASSERT_OK(mount("t", "a/x", "tmpfs", 0, NULL));
        EXPECT_TRUE(is_mounted("b/x"));
        EXPECT_ERRNO(move_(AT_FDCWD, "a", AT_FDCWD, "a/x", SET_GROUP_), EINVAL);  // another file system
    }
}

TEST(attributes) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        ASSERT_OK(mount("t", "a", "tmpfs", 0, NULL));
        mkdir("a/in", 0755);
        ASSERT_OK(mount("t", "a/in", "tmpfs", 0, NULL));
        struct attr x = {.set = 1 | 4};
        EXPECT_OK(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)));
        EXPECT_TRUE(says("a", " ro,nodev,relatime "));
        EXPECT_TRUE(says("a/in", " rw,relatime "));
        EXPECT_OK(setattr(AT_FDCWD, "a", RECURSIVE, &x, sizeof(x)));
        EXPECT_TRUE(says("a/in", " ro,nodev,relatime "));
        x = (struct attr){.clear = 1 | 4 | 0x70, .set = 0x10 | 0x80};
        EXPECT_OK(setattr(AT_FDCWD, "a", RECURSIVE, &x, sizeof(x)));
        EXPECT_TRUE(says("a", " rw,noatime,nodiratime "));
        x = (struct attr){.clear = 0x70, .set = 0x20};
        EXPECT_OK(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)));
        EXPECT_TRUE(says("a", " rw,nodiratime "));
        x = (struct attr){.propagation = MS_SHARED};
        EXPECT_OK(setattr(AT_FDCWD, "a", RECURSIVE, &x, sizeof(x)));
        EXPECT_TRUE(says("a/in", " shared:"));
        x.propagation = MS_SHARED | MS_SLAVE;
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EINVAL);
        x.propagation = MS_RDONLY;
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EINVAL);
        x = (struct attr){.set = 0x20};
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EINVAL);
        x = (struct attr){.set = 0x10, .clear = 0x10};
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EINVAL);
        x = (struct attr){.set = 1ull << 40};
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EINVAL);
        x = (struct attr){0};
        EXPECT_OK(setattr(AT_FDCWD, "missing", 0, &x, sizeof(x)));  // nothing to do
        x.set = 1;
        EXPECT_ERRNO(setattr(AT_FDCWD, "missing", 0, &x, sizeof(x)), ENOENT);
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0x10, &x, sizeof(x)), EINVAL);
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, 31), EINVAL);
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, 8192), E2BIG);
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, KERNEL_POINTER, sizeof(x)), EFAULT);
        EXPECT_ERRNO(setattr(AT_FDCWD, "a/in/..", 0, NULL, sizeof(x)), EFAULT);
        mkdir("d", 0755);
        EXPECT_ERRNO(setattr(AT_FDCWD, "d", 0, &x, sizeof(x)), EINVAL);
        x = (struct attr){.set = 0x200000};
        EXPECT_OK(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)));
        EXPECT_TRUE(says("a", ",nosymfollow "));
        ASSERT_OK(symlink("in", "a/link"));
        EXPECT_ERRNO(access("a/link/x", F_OK), ELOOP);
        EXPECT_ERRNO(open("a/link", O_RDONLY), ELOOP);
        char text[16];
        EXPECT_EQ(readlink("a/link", text, sizeof(text)), 2);
    }
}

TEST(locked_attributes) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        ASSERT_OK(mount("t", "a", "tmpfs", MS_RDONLY | MS_NODEV, NULL));
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
        struct attr x = {.clear = 1};
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EPERM);
        x.clear = 4;
        EXPECT_ERRNO(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)), EPERM);
        x = (struct attr){.set = 8};
        EXPECT_OK(setattr(AT_FDCWD, "a", 0, &x, sizeof(x)));
        int tree = ASSERT_OK(open_tree_(AT_FDCWD, "a", CLONE_TREE));
        x = (struct attr){.clear = 1};
        EXPECT_ERRNO(setattr(tree, "", AT_EMPTY_PATH, &x, sizeof(x)), EPERM);
        EXPECT_ERRNO(open_tree_(AT_FDCWD, ".", CLONE_TREE), EINVAL);  // would show what a covers
        EXPECT_ERRNO(move_(AT_FDCWD, "a", AT_FDCWD, "/tmp", 0), EINVAL);
        EXPECT_ERRNO(fspick_(AT_FDCWD, "a", 0) >= 0 &&
                             config(fspick_(AT_FDCWD, "a", 0), RECONFIGURE, NULL, NULL, 0) < 0
                         ? -1
                         : 0,
                     EPERM);
    }
}

TEST(nobody_may) {
    in_tmpdir();
    IN_CHILD {
        if (geteuid() == 0)
            ASSERT_OK(setresuid(65534, 65534, 65534));
        struct attr x = {.set = 1};
        EXPECT_ERRNO(fsopen_("tmpfs", 0), EPERM);
        EXPECT_ERRNO(fspick_(AT_FDCWD, "/", 0), EPERM);
        EXPECT_ERRNO(fsmount_(0, 0, 0), EPERM);
        EXPECT_ERRNO(open_tree_(AT_FDCWD, "/", CLONE_TREE), EPERM);
        EXPECT_ERRNO(move_(AT_FDCWD, "/", AT_FDCWD, "/", 0), EPERM);
        EXPECT_ERRNO(setattr(AT_FDCWD, "/", 0, &x, sizeof(x)), EPERM);
        EXPECT_OK(open_tree_(AT_FDCWD, "/", 0));
    }
}

// ---- What is told -----------------------------------------------------------------------------------------
struct req {
    uint32_t size, fd;
    uint64_t id, param, ns;
};
static uint64_t unique_of(const char *name) {
    struct statx s = {0};
    ASSERT_OK(statx(AT_FDCWD, name, 0, 0x4000, &s));  // STATX_MNT_ID_UNIQUE
    EXPECT_TRUE(s.stx_mask & 0x4000);
    return *(uint64_t *)((char *)&s + 144);
}

TEST(told) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        mkdir("a", 0755);
        ASSERT_OK(mount("here", "a", "tmpfs", MS_NODEV, "size=64k"));
        ASSERT_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
        uint64_t id = unique_of("a"), up = unique_of(".");
        EXPECT_TRUE(id > 1ull << 31);
        struct req r = {.size = 24, .id = id, .param = 1 | 2 | 8 | 0x10 | 0x20 | 0x200};
        static _Alignas(8) char buf[4096];
        uint32_t *u = (uint32_t *)buf;
        uint64_t *q = (uint64_t *)buf;
        ASSERT_OK(syscall(457, &r, buf, sizeof(buf), 0));
        EXPECT_EQ(q[1] & r.param, r.param);
        EXPECT_EQ(q[3], 0x01021994);
        EXPECT_EQ(q[5], id);
        EXPECT_EQ(q[6], up);
        EXPECT_EQ(q[8], 4);  // nodev
        EXPECT_EQ(q[9], MS_SHARED);
        EXPECT_TRUE(q[10] > 0);
        char want[2 * PATH_MAX];
        snprintf(want, sizeof(want), "%s/a", guest.tmpdir);
        EXPECT_STREQ(buf + 512 + u[9], "tmpfs");
        EXPECT_STREQ(buf + 512 + u[26], "/");
        EXPECT_STREQ(buf + 512 + u[27], want);
        EXPECT_STREQ(buf + 512 + u[31], "here");
        EXPECT_ERRNO(syscall(457, &r, buf, 520, 0), EOVERFLOW);
        r.param = 2;
        EXPECT_OK(syscall(457, &r, buf, 64, 0));
        EXPECT_ERRNO(syscall(457, &r, buf, sizeof(buf), 1), EINVAL);
        EXPECT_ERRNO(syscall(457, &r, KERNEL_POINTER, sizeof(buf), 0), EFAULT);
        EXPECT_ERRNO(syscall(457, NULL, buf, sizeof(buf), 0), EFAULT);
        r.size = 16;
        EXPECT_ERRNO(syscall(457, &r, buf, sizeof(buf), 0), EINVAL);
        r = (struct req){.size = 24, .id = 5, .param = 2};
        EXPECT_ERRNO(syscall(457, &r, buf, sizeof(buf), 0), EINVAL);
        r.id = id + 1000000;
        EXPECT_ERRNO(syscall(457, &r, buf, sizeof(buf), 0), ENOENT);
    }
}

TEST(listed) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        uint64_t ids[64], here = unique_of(".");
        for (int i = 0; i < 4; i++) {
            char name[8];
            snprintf(name, sizeof(name), "%d", i);
            mkdir(name, 0755);
            ASSERT_OK(mount("t", name, "tmpfs", 0, NULL));
        }
        struct req r = {.size = 24, .id = here};
        EXPECT_EQ(syscall(458, &r, ids, 64, 0), 4);
        EXPECT_EQ(ids[0], unique_of("0"));
        EXPECT_EQ(ids[3], unique_of("3"));
        EXPECT_EQ(syscall(458, &r, ids, 2, 0), 2);
        r.param = ids[1];
        EXPECT_EQ(syscall(458, &r, ids, 64, 0), 2);
        EXPECT_EQ(ids[0], unique_of("2"));
        r.param = 0;
        EXPECT_EQ(syscall(458, &r, ids, 64, 1), 4);  // backwards
        EXPECT_EQ(ids[0], unique_of("3"));
        r.param = ids[1];
        EXPECT_EQ(syscall(458, &r, ids, 64, 1), 2);
        r = (struct req){.size = 24, .id = -1ull};
        EXPECT_TRUE(syscall(458, &r, ids, 64, 0) >= 5);
        EXPECT_ERRNO(syscall(458, &r, ids, 64, 2), EINVAL);
        EXPECT_ERRNO(syscall(458, &r, ids, 1000001, 0), EOVERFLOW);
        EXPECT_ERRNO(syscall(458, &r, KERNEL_POINTER, 8, 0), EFAULT);
        r.id = here + 1000000;
        EXPECT_ERRNO(syscall(458, &r, ids, 64, 0), ENOENT);
        r = (struct req){.size = 24, .id = here, .param = 7};
        EXPECT_ERRNO(syscall(458, &r, ids, 64, 0), EINVAL);
    }
}
