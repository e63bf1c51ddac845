// SPDX-License-Identifier: Apache-2.0
// covers: setxattr, execve
// security.capability, capabilities(7): who may set it, what exec gives by it, what makes it go. As root,
// where the file system has it.
#include "guest.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#define NAME "security.capability"
enum { SOMEBODY = 1234 };

static struct vfs_cap_data caps_of(unsigned permitted, unsigned inheritable, bool effective) {
    struct vfs_cap_data d = {.magic_etc = VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0)};
    d.data[0].permitted = permitted;
    d.data[0].inheritable = inheritable;
    return d;
}
static int set_caps(const char *path, unsigned permitted, unsigned inheritable, bool effective) {
    struct vfs_cap_data d = caps_of(permitted, inheritable, effective);
    return setxattr(path, NAME, &d, sizeof(d), 0);
}
static void need_caps(void) {
    if (geteuid() != 0)
        SKIP("not root");
    in_tmpdir();
    EXPECT_OK(chmod(".", 0755));
    char text[64];
    snprintf(text, sizeof(text), "/proc/self/exe");
    int from = ASSERT_OK(open(text, O_RDONLY)), to = ASSERT_OK(open("prog", O_CREAT | O_WRONLY, 0755));
    struct stat st;
    ASSERT_OK(fstat(from, &st));
    for (off_t at = 0; at < st.st_size;)
        ASSERT_TRUE(sendfile(to, from, &at, st.st_size - at) > 0);
    close(from);
    close(to);
    ASSERT_OK(chmod("prog", 0755));
    if (set_caps("prog", 1u << CAP_CHOWN, 0, true) < 0 && (errno == EOPNOTSUPP || errno == EPERM))
        SKIP("no file capabilities here");
}

// Run as "prog caps PERMITTED EFFECTIVE SECURE": exit 0 when that is what it has.
ROLE(caps) {
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    if (syscall(SYS_capget, &h, d) < 0)
        return 3;
    unsigned permitted = strtoul(argv[2], NULL, 16), effective = strtoul(argv[3], NULL, 16);
    if (d[0].permitted != permitted || d[0].effective != effective) {
        printf("permitted %x effective %x\n", d[0].permitted, d[0].effective);
        return 1;
    }
    return getauxval(AT_SECURE) == strtoul(argv[4], NULL, 10) ? 0 : 2;
}
static int run(unsigned uid, bool nnp, unsigned permitted, unsigned effective, int secure) {
    pid_t pid = fork_child();
    if (pid == 0) {
        char p[16], e[16], s[4];
        snprintf(p, sizeof(p), "%x", permitted);
        snprintf(e, sizeof(e), "%x", effective);
        snprintf(s, sizeof(s), "%d", secure);
        if (nnp)
            ASSERT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        ASSERT_OK(setresgid(99, 99, 99));
        ASSERT_OK(setresuid(uid, uid, uid));
        execl("prog", "prog", "caps", p, e, s, NULL);
        _exit(errno);
    }
    return wait_exit(pid);
}

TEST(gives_what_it_says) {
    need_caps();
    unsigned chown_cap = 1u << CAP_CHOWN, raw = 1u << CAP_NET_RAW;
    EXPECT_EQ(run(SOMEBODY, false, chown_cap, chown_cap, 1), 0);
    EXPECT_OK(set_caps("prog", chown_cap | raw, 0, false));
    EXPECT_EQ(run(SOMEBODY, false, chown_cap | raw, 0, 1), 0);
    EXPECT_OK(set_caps("prog", 0, chown_cap, true));
    EXPECT_EQ(run(SOMEBODY, false, 0, 0, 1), 0);
    EXPECT_OK(removexattr("prog", NAME));
    EXPECT_EQ(run(SOMEBODY, false, 0, 0, 0), 0);
}

TEST(no_new_privs) {
    need_caps();
    EXPECT_EQ(run(SOMEBODY, true, 0, 0, 1), 0);
}

TEST(what_the_bounding_set_lacks) {
    need_caps();
    unsigned chown_cap = 1u << CAP_CHOWN;
    EXPECT_OK(set_caps("prog", chown_cap | 1u << CAP_KILL, 0, true));
    IN_CHILD {
        ASSERT_OK(prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0));
        EXPECT_EQ(run(SOMEBODY, false, 0, 0, 0), EPERM);
        EXPECT_OK(set_caps("prog", chown_cap | 1u << CAP_KILL, 0, false));
        EXPECT_EQ(run(SOMEBODY, false, chown_cap, 0, 1), 0);
    }
}

TEST(who_may_set_it) {
    need_caps();
    EXPECT_OK(chown("prog", SOMEBODY, 99));
    IN_CHILD {
        ASSERT_OK(setresuid(SOMEBODY, SOMEBODY, SOMEBODY));
        EXPECT_ERRNO(set_caps("prog", 1, 0, true), EPERM);
        EXPECT_ERRNO(removexattr("prog", NAME), EPERM);
    }
    struct vfs_cap_data d = caps_of(1, 0, true);
    EXPECT_ERRNO(setxattr("prog", NAME, &d, 7, 0), EINVAL);
    d.magic_etc = VFS_CAP_REVISION_1;
    EXPECT_ERRNO(setxattr("prog", NAME, &d, 12, 0), EINVAL);
    EXPECT_ERRNO(setxattr("prog", NAME, &d, 20, 0), EINVAL);
}

static bool has_caps(void) { return getxattr("prog", NAME, NULL, 0) > 0; }

TEST(goes_with_a_change) {
    need_caps();
    EXPECT_TRUE(has_caps());
    EXPECT_OK(chmod("prog", 0700));
    EXPECT_TRUE(has_caps());
    EXPECT_OK(chown("prog", SOMEBODY, -1));
    EXPECT_TRUE(!has_caps());
    EXPECT_OK(set_caps("prog", 1, 0, true));
    int fd = ASSERT_OK(open("prog", O_WRONLY));
    EXPECT_TRUE(has_caps());
    EXPECT_EQ(pwrite(fd, "x", 1, 100), 1);
    EXPECT_TRUE(!has_caps());
    EXPECT_OK(set_caps("prog", 1, 0, true));
    EXPECT_OK(ftruncate(fd, 50));
    EXPECT_TRUE(!has_caps());
    EXPECT_OK(set_caps("prog", 1, 0, true));
    EXPECT_OK(fallocate(fd, 0, 0, 100));
    EXPECT_TRUE(!has_caps());
    close(fd);
    EXPECT_OK(set_caps("prog", 1, 0, true));
    EXPECT_OK(close(EXPECT_OK(open("prog", O_WRONLY | O_TRUNC))));
    EXPECT_TRUE(!has_caps());
}
