// SPDX-License-Identifier: Apache-2.0
// covers: setxattr, getxattr, removexattr, listxattr
// POSIX ACLs, acl(5): what is a valid one, what it permits, how it and the mode keep in step, and what new
// files inherit. As root, where the file system has them.
#include "guest.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
enum { SOMEBODY = 1234, SOMEGROUP = 2345 };

struct entry {
    unsigned short tag, perm;
    unsigned id;
};
struct text {
    unsigned version;
    struct entry e[16];
};
#define NO_ID 0xffffffffu

static int set(const char *path, const char *name, const struct entry *e, size_t n) {
    struct text t = {2, {{0}}};
    memcpy(t.e, e, n * sizeof(*e));
    return setxattr(path, name, &t, 4 + n * sizeof(*e), 0);
}
#define SET(path, name, ...) \
    ({ \
        const struct entry list_[] = {__VA_ARGS__}; \
        set(path, name, list_, sizeof(list_) / sizeof(list_[0])); \
    })
#define BASE(u, g, o) \
    {USER_OBJ, u, NO_ID}, {GROUP_OBJ, g, NO_ID}, { OTHER, o, NO_ID }

static unsigned mode_of(const char *path) {
    struct stat st;
    EXPECT_OK(stat(path, &st));
    return st.st_mode & 07777;
}
// The permissions of an entry of a file's ACL; -1: there is no such entry.
static int perm_of(const char *path, const char *name, unsigned tag) {
    struct text t;
    ssize_t n = getxattr(path, name, &t, sizeof(t));
    for (ssize_t k = 0; k < (n - 4) / (ssize_t)sizeof(t.e[0]); k++)
        if (t.e[k].tag == tag)
            return t.e[k].perm;
    return -1;
}
static void need_acls(void) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    put_file("f", "text");
    EXPECT_OK(chmod(".", 0755));
    if (SET("f", ACCESS, BASE(6, 4, 4)) < 0 && errno == EOPNOTSUPP)
        SKIP("no ACLs here");
}
static void become(unsigned uid, unsigned gid) {
    ASSERT_OK(setgroups(0, NULL));
    ASSERT_OK(setresgid(gid, gid, gid));
    ASSERT_OK(setresuid(uid, uid, uid));
}

TEST(what_is_valid) {
    need_acls();
    EXPECT_ERRNO(SET("f", ACCESS, {USER_OBJ, 6, NO_ID}, {GROUP_OBJ, 4, NO_ID}), EINVAL);
    EXPECT_ERRNO(SET("f", ACCESS, {GROUP_OBJ, 4, NO_ID}, {USER_OBJ, 6, NO_ID}, {OTHER, 4, NO_ID}), EINVAL);
    EXPECT_ERRNO(SET("f", ACCESS, BASE(010, 0, 0)), EINVAL);
    // a named one needs a mask
    EXPECT_ERRNO(
        SET("f", ACCESS, {USER_OBJ, 6, NO_ID}, {USER, 4, SOMEBODY}, {GROUP_OBJ, 4, NO_ID}, {OTHER, 0, NO_ID}),
        EINVAL);
    EXPECT_ERRNO(setxattr("f", ACCESS, "\3\0\0\0", 4, 0), EOPNOTSUPP);
    EXPECT_ERRNO(setxattr("f", ACCESS, "\2\0\0\0x", 5, 0), EINVAL);
    EXPECT_ERRNO(setxattr("f", ACCESS, "\2", 1, 0), EINVAL);
    EXPECT_ERRNO(SET("f", DEFAULT, BASE(7, 7, 7)), EACCES);
    EXPECT_ERRNO(getxattr("f", DEFAULT, NULL, 0), ENODATA);
    EXPECT_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
    ASSERT_OK(symlink("f", "l"));
    struct text t = {2, {BASE(7, 7, 7)}};
    EXPECT_ERRNO(lsetxattr("l", ACCESS, &t, 28, 0), EOPNOTSUPP);
}

TEST(a_plain_one_is_the_mode) {
    need_acls();
    EXPECT_OK(SET("f", ACCESS, BASE(7, 5, 1)));
    EXPECT_EQ(mode_of("f"), 0751);
    EXPECT_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
    EXPECT_OK(removexattr("f", ACCESS));
    EXPECT_EQ(mode_of("f"), 0751);
}

TEST(mode_and_mask) {
    need_acls();
    EXPECT_OK(SET("f", ACCESS, {USER_OBJ, 6, NO_ID}, {USER, 6, SOMEBODY}, {GROUP_OBJ, 4, NO_ID},
                  {MASK, 6, NO_ID}, {OTHER, 0, NO_ID}));
    EXPECT_EQ(mode_of("f"), 0660);
    EXPECT_EQ(getxattr("f", ACCESS, NULL, 0), 4 + 5 * 8);
    char small[8];
    EXPECT_ERRNO(getxattr("f", ACCESS, small, sizeof(small)), ERANGE);
    EXPECT_OK(chmod("f", 0741));
    EXPECT_EQ(perm_of("f", ACCESS, USER_OBJ), 7);
    EXPECT_EQ(perm_of("f", ACCESS, MASK), 4);
    EXPECT_EQ(perm_of("f", ACCESS, GROUP_OBJ), 4);
    EXPECT_EQ(perm_of("f", ACCESS, USER), 6);
    EXPECT_EQ(perm_of("f", ACCESS, OTHER), 1);
    char names[64];
    ssize_t n = EXPECT_OK(listxattr("f", names, sizeof(names)));
    EXPECT_TRUE(n > 0 && memmem(names, n, ACCESS, sizeof(ACCESS)));
    EXPECT_OK(removexattr("f", ACCESS));
    EXPECT_ERRNO(getxattr("f", ACCESS, NULL, 0), ENODATA);
    EXPECT_EQ(mode_of("f"), 0741);
    EXPECT_OK(removexattr("f", ACCESS));
    EXPECT_OK(removexattr("f", DEFAULT));
}

static int can(unsigned uid, unsigned gid, int how) {
    pid_t pid = fork_child();
    if (pid == 0) {
        become(uid, gid);
        int fd = open("f", how);
        _exit(fd < 0 ? errno : 0);
    }
    return wait_exit(pid);
}

TEST(what_it_permits) {
    need_acls();
    EXPECT_OK(SET("f", ACCESS, {USER_OBJ, 6, NO_ID}, {USER, 6, SOMEBODY}, {USER, 0, SOMEBODY + 1},
                  {GROUP_OBJ, 0, NO_ID}, {GROUP, 4, SOMEGROUP}, {GROUP, 2, SOMEGROUP + 1}, {MASK, 6, NO_ID},
                  {OTHER, 4, NO_ID}));
    EXPECT_EQ(can(SOMEBODY, 99, O_RDWR), 0);
    EXPECT_EQ(can(SOMEBODY + 1, 99, O_RDONLY), EACCES);
    EXPECT_EQ(can(77, SOMEGROUP, O_RDONLY), 0);
    EXPECT_EQ(can(77, SOMEGROUP, O_WRONLY), EACCES);
    EXPECT_EQ(can(77, SOMEGROUP + 1, O_WRONLY), 0);
    EXPECT_EQ(can(77, SOMEGROUP + 1, O_RDONLY), EACCES);
    EXPECT_EQ(can(77, 99, O_RDONLY), 0);
    EXPECT_EQ(can(77, 99, O_WRONLY), EACCES);
    EXPECT_EQ(can(77, 0, O_RDONLY), EACCES);  // the file's group
    EXPECT_OK(chmod("f", 0644));              // the mask is r-- now
    EXPECT_EQ(can(SOMEBODY, 99, O_RDONLY), 0);
    EXPECT_EQ(can(SOMEBODY, 99, O_RDWR), EACCES);
    EXPECT_EQ(can(77, SOMEGROUP + 1, O_WRONLY), EACCES);
}

TEST(only_the_owner_sets_one) {
    need_acls();
    EXPECT_OK(chmod("f", 0666));
    IN_CHILD {
        become(SOMEBODY, 99);
        EXPECT_ERRNO(SET("f", ACCESS, BASE(7, 7, 7)), EPERM);
        EXPECT_ERRNO(removexattr("f", ACCESS), EPERM);
    }
    EXPECT_OK(chown("f", SOMEBODY, 99));
    IN_CHILD {
        become(SOMEBODY, 99);
        EXPECT_OK(SET("f", ACCESS, BASE(7, 7, 7)));
    }
}

TEST(new_files_inherit) {
    need_acls();
    ASSERT_OK(mkdir("d", 0755));
    umask(077);
    EXPECT_OK(SET("d", DEFAULT, {USER_OBJ, 7, NO_ID}, {USER, 7, SOMEBODY}, {GROUP_OBJ, 5, NO_ID},
                  {MASK, 7, NO_ID}, {OTHER, 5, NO_ID}));
    EXPECT_EQ(mode_of("d"), 0755);
    // the umask does not count
    put_file("d/f", "");
    EXPECT_OK(close(EXPECT_OK(open("d/g", O_CREAT | O_WRONLY, 0664))));
    EXPECT_EQ(mode_of("d/g"), 0664);
    EXPECT_EQ(perm_of("d/g", ACCESS, MASK), 6);
    EXPECT_EQ(perm_of("d/g", ACCESS, USER), 7);
    EXPECT_EQ(perm_of("d/g", ACCESS, GROUP_OBJ), 5);
    EXPECT_EQ(perm_of("d/g", ACCESS, OTHER), 4);
    EXPECT_ERRNO(getxattr("d/g", DEFAULT, NULL, 0), ENODATA);
    EXPECT_OK(mkdir("d/sub", 0770));
    EXPECT_EQ(mode_of("d/sub"), 0770);
    EXPECT_EQ(perm_of("d/sub", DEFAULT, USER), 7);
    EXPECT_EQ(perm_of("d/sub", ACCESS, OTHER), 0);
    EXPECT_OK(mkfifo("d/p", 0666));
    EXPECT_EQ(perm_of("d/p", ACCESS, MASK), 6);
    EXPECT_OK(symlink("x", "d/l"));
    // A default one that is no more than a mode gives a mode.
    EXPECT_OK(SET("d", DEFAULT, BASE(7, 5, 0)));
    EXPECT_OK(close(EXPECT_OK(open("d/h", O_CREAT | O_WRONLY, 0666))));
    EXPECT_EQ(mode_of("d/h"), 0640);
    EXPECT_ERRNO(getxattr("d/h", ACCESS, NULL, 0), ENODATA);
    EXPECT_OK(removexattr("d", DEFAULT));
    EXPECT_OK(close(EXPECT_OK(open("d/i", O_CREAT | O_WRONLY, 0666))));
    EXPECT_EQ(mode_of("d/i"), 0600);
}
