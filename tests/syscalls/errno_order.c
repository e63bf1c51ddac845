// SPDX-License-Identifier: Apache-2.0
// covers: linkat, renameat2, utimensat, openat, mknod, fallocate, lsetxattr, chown, truncate
// Which of several errors is told, and what of the mode goes with a change by somebody else: found by random
// calls with one seed here and on Linux.
#include "guest.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static void become(unsigned uid) {
    ASSERT_OK(setgroups(0, NULL));
    ASSERT_OK(setresgid(uid, uid, uid));
    ASSERT_OK(setresuid(uid, uid, uid));
}
static unsigned mode_of(const char *path) {
    struct stat st;
    EXPECT_OK(stat(path, &st));
    return st.st_mode & 07777;
}

TEST(the_first_name_first) {
    in_tmpdir();
    put_file("f", "");
    EXPECT_ERRNO(link("f/x", ""), ENOTDIR);
    EXPECT_ERRNO(link("f", ""), ENOENT);
    EXPECT_ERRNO(rename("f/x/y", ""), ENOTDIR);
    EXPECT_ERRNO(rename("f", ""), ENOENT);
}

TEST(the_file_before_the_times) {
    in_tmpdir();
    put_file("f", "");
    struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
    EXPECT_ERRNO(utimensat(AT_FDCWD, "missing", bad, 0), ENOENT);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "f/x", bad, 0), ENOTDIR);
    EXPECT_ERRNO(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
}

TEST(flags_before_the_name) {
    in_tmpdir();
    EXPECT_ERRNO(open("", O_CREAT | O_DIRECTORY | O_RDWR, 0600), EINVAL);
    EXPECT_ERRNO(mknod("", S_IFDIR | 0700, 0), EPERM);
    EXPECT_ERRNO(mknod("", S_IFLNK | 0700, 0), EINVAL);
    EXPECT_ERRNO(open(".", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    EXPECT_ERRNO(open(".", O_CREAT | O_RDWR, 0600), EISDIR);
    EXPECT_ERRNO(open("x/", O_CREAT | O_EXCL | O_RDWR, 0600), EISDIR);
}

TEST(modes_of_fallocate) {
    in_tmpdir();
    put_file("f", "");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1), EOPNOTSUPP);
    EXPECT_ERRNO(fallocate(fd, 0, 0, 1), EBADF);
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 1), EBADF);
    close(fd);
}

TEST(create_and_replace_at_once) {
    in_tmpdir();
    put_file("f", "");
    if (setxattr("f", "user.a", "1", 1, 0) < 0)
        SKIP("no attributes here");
    EXPECT_ERRNO(setxattr("f", "user.a", "1", 1, XATTR_CREATE | XATTR_REPLACE), EEXIST);
    EXPECT_ERRNO(setxattr("f", "user.b", "1", 1, XATTR_CREATE | XATTR_REPLACE), ENODATA);
}

TEST(set_gid_by_others) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    EXPECT_OK(chmod(".", 0777));
    put_file("f", "text");
    EXPECT_OK(chmod("f", 02666));
    IN_CHILD {
        become(1234);
        EXPECT_OK(truncate("f", 2));
    }
    EXPECT_EQ(mode_of("f"), 0666);
    EXPECT_OK(chmod("f", 02666));
    IN_CHILD {
        ASSERT_OK(setresuid(1234, 1234, 1234));  // still in the file's group
        EXPECT_OK(truncate("f", 1));
    }
    EXPECT_EQ(mode_of("f"), 02666);
}

// In a set-gid directory of another group, whatever the umask leaves.
TEST(set_gid_of_new_files) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    ASSERT_OK(chown(".", 1234, 4321));
    EXPECT_OK(chmod(".", 02777));
    IN_CHILD {
        become(1234);
        umask(077);
        close(EXPECT_OK(open("f", O_CREAT | O_WRONLY, 02775)));
        EXPECT_EQ(mode_of("f"), 0700);
        umask(0);
        close(EXPECT_OK(open("g", O_CREAT | O_WRONLY, 02765)));
        EXPECT_EQ(mode_of("g"), 02765);
    }
}

// A chown that changes nothing is anybody's, unless bits would go.
TEST(chown_to_nobody_new) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    EXPECT_OK(chmod(".", 0777));
    put_file("f", "");
    put_file("s", "");
    EXPECT_OK(chmod("s", 04755));
    IN_CHILD {
        become(1234);
        EXPECT_OK(chown("f", -1, -1));
        EXPECT_ERRNO(chown("s", -1, -1), EPERM);
    }
    EXPECT_EQ(mode_of("s"), 04755);
    EXPECT_OK(chown("s", -1, -1));
    EXPECT_EQ(mode_of("s"), 0755);
}

TEST(links_to_others_files) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    EXPECT_OK(chmod(".", 0755));
    put_file("f", "");
    ASSERT_OK(mkdir("d", 0755));
    IN_CHILD {
        become(1234);
        EXPECT_TRUE(link("f", "d/g") < 0 && (errno == EPERM || errno == EACCES));  // by protected_hardlinks
        EXPECT_TRUE(link("d", "d/e") < 0 && (errno == EPERM || errno == EACCES));
    }
    EXPECT_ERRNO(link("d", "e"), EPERM);
}
