// SPDX-License-Identifier: Apache-2.0
// covers: landlock_restrict_self, open, truncate, execve, ioctl, rename, link
// What each right of files forbids, and where its rules hold (man 7 landlock).
#include "landlock_rules.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

// Below "ok" all of `rights` is allowed, below "no" nothing.
static void two_directories(void) {
    in_tmpdir();
    ASSERT_OK(mkdir("ok", 0700));
    ASSERT_OK(mkdir("no", 0700));
    ASSERT_OK(mkdir("ok/dir", 0700));
    ASSERT_OK(mkdir("no/dir", 0700));
    put_file("ok/f", "text");
    put_file("no/f", "text");
}
static void enter_with(uint64_t rights) {
    int set = ll_ruleset(rights, 0, 0);
    ll_allow(set, "ok", rights);
    ll_enter(set);
}
static int try_open(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

TEST(reading_and_writing) {
    ll_needed();
    two_directories();
    int before = ASSERT_OK(open("no/f", O_RDWR));
    IN_CHILD {
        enter_with(FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE);
        static const int kinds[] = {O_RDONLY, O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC};
        for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
            EXPECT_EQ(try_open("ok/f", kinds[i]), 0);
            EXPECT_EQ(try_open("no/f", kinds[i]), EACCES);
        }
        EXPECT_EQ(try_open("ok/dir", O_RDONLY | O_DIRECTORY), 0);
        EXPECT_EQ(try_open("no", O_RDONLY | O_DIRECTORY), EACCES);
        EXPECT_EQ(try_open(".", O_RDONLY | O_DIRECTORY), EACCES);
        EXPECT_EQ(try_open("no/f", O_PATH), 0);
        EXPECT_EQ(try_open("no/new", O_RDONLY | O_CREAT), EACCES);  // made, but not opened
        EXPECT_EQ(access("no/new", F_OK), 0);
        EXPECT_EQ(try_open("no", O_RDWR | O_TMPFILE), EACCES);
        EXPECT_EQ(try_open("ok", O_RDWR | O_TMPFILE), 0);
        struct stat st;
        EXPECT_OK(stat("no/f", &st));
        EXPECT_OK(chmod("no/f", 0600));
        EXPECT_EQ(write(before, "x", 1), 1);  // what was open stays so
        char self[64];
        snprintf(self, sizeof self, "/proc/self/fd/%d", before);
        EXPECT_EQ(try_open(self, O_RDONLY), EACCES);  // but is not opened once more
    }
    close(before);
}

TEST(rights_of_one_file) {
    ll_needed();
    two_directories();
    IN_CHILD {
        int set = ll_ruleset(FS_READ_FILE | FS_WRITE_FILE, 0, 0);
        ll_allow(set, "no/f", FS_READ_FILE);
        ll_enter(set);
        EXPECT_EQ(try_open("no/f", O_RDONLY), 0);
        EXPECT_EQ(try_open("no/f", O_RDWR), EACCES);
        EXPECT_OK(rename("no/f", "no/g"));
        EXPECT_EQ(try_open("no/g", O_RDONLY), 0);  // the object, not the name
        int ends[2];
        ASSERT_OK(pipe(ends));
        char self[64];
        snprintf(self, sizeof self, "/proc/self/fd/%d", ends[0]);
        EXPECT_EQ(try_open(self, O_RDONLY), 0);  // without a place there is no rule
        int m = ASSERT_OK(memfd_create("m", 0));
        snprintf(self, sizeof self, "/proc/self/fd/%d", m);
        EXPECT_EQ(try_open(self, O_RDWR), 0);
    }
}

TEST(making) {
    ll_needed();
    two_directories();
    IN_CHILD {
        enter_with(FS_MAKE_CHAR | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK |
                   FS_MAKE_SYM);
        EXPECT_ERRNO(mkdir("no/d", 0700), EACCES);
        EXPECT_ERRNO(mkdir("no/f", 0700), EEXIST);
        EXPECT_OK(mkdir("ok/d", 0700));
        EXPECT_ERRNO(symlink("x", "no/l"), EACCES);
        EXPECT_OK(symlink("x", "ok/l"));
        EXPECT_ERRNO(mkfifo("no/p", 0600), EACCES);
        EXPECT_OK(mkfifo("ok/p", 0600));
        EXPECT_ERRNO(mknod("no/r", 0600, 0), EACCES);
        EXPECT_OK(mknod("ok/r", S_IFREG | 0600, 0));
        EXPECT_ERRNO(mknod("no/c", S_IFCHR | 0600, makedev(1, 3)), EACCES);
        EXPECT_ERRNO(mknod("no/b", S_IFBLK | 0600, makedev(1, 3)), EACCES);
        EXPECT_EQ(try_open("no/new", O_WRONLY | O_CREAT), EACCES);
        EXPECT_ERRNO(access("no/new", F_OK), ENOENT);
        EXPECT_EQ(try_open("no/f", O_WRONLY | O_CREAT), 0);
        EXPECT_EQ(try_open("no/f", O_WRONLY | O_CREAT | O_EXCL), EEXIST);
        EXPECT_EQ(try_open("ok/new", O_WRONLY | O_CREAT), 0);
        EXPECT_ERRNO(link("no/f", "no/hard"), EACCES);
        struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "no/s"};
        int s = ASSERT_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
        EXPECT_ERRNO(bind(s, (void *)&a, sizeof a), EACCES);
        memcpy(a.sun_path, "ok", 2);
        EXPECT_OK(bind(s, (void *)&a, sizeof a));
    }
}

TEST(removing) {
    ll_needed();
    two_directories();
    IN_CHILD {
        enter_with(FS_REMOVE_DIR | FS_REMOVE_FILE);
        EXPECT_ERRNO(unlink("no/f"), EACCES);
        EXPECT_ERRNO(unlink("no/gone"), ENOENT);
        EXPECT_ERRNO(rmdir("no/dir"), EACCES);
        EXPECT_ERRNO(rename("no/f", "no/g"), EACCES);
        EXPECT_ERRNO(rename("no/dir", "no/d2"), EACCES);
        EXPECT_OK(rename("ok/f", "ok/g"));
        EXPECT_OK(unlink("ok/g"));
        EXPECT_OK(rmdir("ok/dir"));
    }
    IN_CHILD {
        enter_with(FS_REMOVE_DIR);
        EXPECT_OK(unlink("no/f"));
        EXPECT_ERRNO(rmdir("no/dir"), EACCES);
    }
}

TEST(truncating) {
    ll_needed();
    two_directories();
    IN_CHILD {
        int old = ASSERT_OK(open("no/f", O_RDWR));
        enter_with(FS_TRUNCATE);
        EXPECT_ERRNO(truncate("no/f", 1), EACCES);
        EXPECT_OK(truncate("ok/f", 1));
        EXPECT_EQ(try_open("no/f", O_WRONLY | O_TRUNC), EACCES);
        EXPECT_EQ(try_open("no/f", O_WRONLY), 0);
        EXPECT_EQ(try_open("ok/f", O_WRONLY | O_TRUNC), 0);
        int fd = ASSERT_OK(open("no/f", O_RDWR));
        EXPECT_ERRNO(ftruncate(fd, 1), EACCES);
        EXPECT_ERRNO(ftruncate(dup(fd), 9), EACCES);
        EXPECT_OK(ftruncate(old, 2));                                    // from before
        EXPECT_EQ(try_open("no/new", O_WRONLY | O_CREAT | O_TRUNC), 0);  // nothing is cut there
    }
}

ROLE(nothing) { return 7; }

TEST(executing) {
    ll_needed();
    two_directories();
    char text[64 * 1024];
    for (int i = 0; i < 2; i++) {
        int from = ASSERT_OK(open("/bin/true", O_RDONLY)),
            to = ASSERT_OK(open(i ? "no/t" : "ok/t", O_WRONLY | O_CREAT, 0700));
        for (ssize_t n; (n = read(from, text, sizeof text)) > 0;)
            ASSERT_EQ(write(to, text, n), n);
        close(from);
        close(to);
    }
    IN_CHILD {
        int set = ll_ruleset(FS_EXECUTE, 0, 0);
        ll_allow(set, "ok", FS_EXECUTE);
        for (unsigned i = 0; i < 3; i++) {
            static const char *const libraries[] = {"/usr", "/lib", "/lib64"};
            if (access(libraries[i], F_OK) == 0)
                ll_allow(set, libraries[i], FS_EXECUTE);
        }
        ll_enter(set);
        EXPECT_ERRNO(execl("no/t", "no/t", NULL), EACCES);
        execl("ok/t", "ok/t", NULL);
        FAIL("not executed");
    }
}

TEST(ioctls_of_devices) {
    ll_needed();
    IN_CHILD {
        int old = ASSERT_OK(open("/dev/null", O_RDWR)), n = 0;
        ll_enter(ll_ruleset(FS_IOCTL_DEV, 0, 0));
        int fd = ASSERT_OK(open("/dev/null", O_RDWR));
        EXPECT_ERRNO(ioctl(fd, TCGETS, &n), EACCES);
        EXPECT_ERRNO(ioctl(fd, FIONREAD, &n), EACCES);
        EXPECT_OK(ioctl(fd, FIONBIO, &n));
        EXPECT_OK(ioctl(fd, FIOCLEX));
        EXPECT_ERRNO(ioctl(old, TCGETS, &n), ENOTTY);
        int ends[2];
        ASSERT_OK(pipe(ends));
        EXPECT_OK(ioctl(ends[0], FIONREAD, &n));
        int dir = ASSERT_OK(open("/", O_RDONLY | O_DIRECTORY));
        EXPECT_ERRNO(ioctl(dir, TCGETS, &n), ENOTTY);
    }
}

// A layer can take away, never give back.
TEST(layers) {
    ll_needed();
    two_directories();
    IN_CHILD {
        enter_with(FS_WRITE_FILE | FS_READ_FILE);
        int set = ll_ruleset(FS_WRITE_FILE, 0, 0);
        ll_allow(set, "no", FS_WRITE_FILE);
        ll_allow(set, "ok/f", FS_WRITE_FILE);
        put_file("ok/g", "");
        ll_enter(set);
        EXPECT_EQ(try_open("no/f", O_WRONLY), EACCES);
        EXPECT_EQ(try_open("ok/f", O_RDWR), 0);
        EXPECT_EQ(try_open("ok/g", O_WRONLY), EACCES);
        EXPECT_EQ(try_open("ok/g", O_RDONLY), 0);
    }
}

// ---- Names that move --------------------------------------------------------------------------------------
TEST(moving_without_refer) {
    ll_needed();
    two_directories();
    IN_CHILD {
        enter_with(FS_READ_FILE);  // REFER is forbidden whether or not it is handled
        EXPECT_ERRNO(rename("ok/f", "no/g"), EXDEV);
        EXPECT_ERRNO(link("ok/f", "no/g"), EXDEV);
        EXPECT_ERRNO(rename("ok/f", "ok/dir/f"), EXDEV);
        EXPECT_OK(rename("ok/f", "ok/g"));
        EXPECT_OK(link("no/f", "no/g"));
    }
    IN_CHILD {
        ll_enter(ll_ruleset(0, NET_BIND, 0));  // of files it says nothing
        EXPECT_OK(rename("no/f", "ok/h"));
    }
}

TEST(moving_with_refer) {
    ll_needed();
    two_directories();
    ASSERT_OK(mkdir("more", 0700));
    ASSERT_OK(mkdir("less", 0700));
    IN_CHILD {
        const uint64_t names = FS_REFER | FS_MAKE_REG | FS_REMOVE_FILE | FS_MAKE_DIR | FS_REMOVE_DIR;
        int set = ll_ruleset(names | FS_READ_FILE | FS_EXECUTE | FS_READ_DIR, 0, 0);
        ll_allow(set, "ok", names | FS_READ_FILE);
        ll_allow(set, "more", names | FS_READ_FILE | FS_EXECUTE);
        ll_allow(set, "less", names);
        ll_allow(set, "no", FS_REFER);
        ll_enter(set);
        EXPECT_ERRNO(rename("ok/f", "more/f"), EXDEV);  // it could be executed there
        EXPECT_ERRNO(rename("ok/f", "no/g"), EACCES);   // no name is made there
        EXPECT_ERRNO(rename("no/f", "ok/g"), EACCES);
        EXPECT_ERRNO(link("no/f", "ok/g"), EXDEV);  // none is taken away: it could be read
        EXPECT_OK(rename("ok/f", "less/f"));
        EXPECT_ERRNO(rename("less/f", "ok/f"), EXDEV);
        put_file("less/g", "");
        EXPECT_OK(rename("less/f", "less/g"));
        EXPECT_OK(rename("ok/dir", "less/dir"));
        put_file("more/x", "");
        put_file("less/y", "");
        EXPECT_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "more/x", AT_FDCWD, "less/y", 2), EXDEV);
        EXPECT_OK(link("more/x", "less/z"));
        EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "less/y", AT_FDCWD, "less/g", 2));
    }
}

// What a rule says of the file itself goes along with it.
TEST(moving_a_file_with_a_rule) {
    ll_needed();
    two_directories();
    IN_CHILD {
        const uint64_t names = FS_REFER | FS_MAKE_REG | FS_REMOVE_FILE;
        int set = ll_ruleset(names | FS_READ_FILE, 0, 0);
        ll_allow(set, "ok", names | FS_READ_FILE);
        ll_allow(set, "no", names);
        ll_allow(set, "no/f", FS_READ_FILE);
        put_file("no/g", "");
        ll_enter(set);
        EXPECT_ERRNO(rename("no/g", "ok/g"), EXDEV);
        EXPECT_OK(rename("no/f", "ok/h"));
    }
}

// ---- The rest ---------------------------------------------------------------------------------------------
TEST(mounts) {
    ll_needed();
    if (geteuid() != 0)
        SKIP("not root");
    two_directories();
    IN_CHILD {
        ASSERT_OK(syscall(SYS_unshare, 0x00020000));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("t", "no", "tmpfs", 0, NULL));
        put_file("no/below", "");
        ASSERT_OK(mkdir("ok/at", 0700));
        ASSERT_OK(mount("no", "ok/at", NULL, MS_BIND, NULL));
        enter_with(FS_WRITE_FILE);
        EXPECT_EQ(try_open("ok/at/below", O_WRONLY), 0);  // through the mount, to where it lies
        EXPECT_EQ(try_open("no/below", O_WRONLY), EACCES);
        EXPECT_ERRNO(mount("t", "ok", "tmpfs", 0, NULL), EPERM);
        EXPECT_ERRNO(mount(NULL, "no", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EPERM);
        EXPECT_ERRNO(umount("no"), EPERM);
        EXPECT_OK(chroot("no"));
    }
    IN_CHILD {
        ASSERT_OK(syscall(SYS_unshare, 0x00020000));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ASSERT_OK(mount("t", "no", "tmpfs", 0, NULL));
        int fs = ASSERT_OK(syscall(433, AT_FDCWD, "no", 0));  // fspick
        enter_with(FS_WRITE_FILE);
        EXPECT_OK(syscall(431, fs, 0, "ro", NULL, 0));            // fsconfig: FSCONFIG_SET_FLAG
        EXPECT_ERRNO(syscall(431, fs, 7, NULL, NULL, 0), EPERM);  // FSCONFIG_CMD_RECONFIGURE
    }
    IN_CHILD {
        ASSERT_OK(syscall(SYS_unshare, 0x00020000));
        ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
        ll_enter(ll_ruleset(0, NET_BIND, 0));
        EXPECT_OK(mount("t", "ok", "tmpfs", 0, NULL));
    }
}

// Who is inside a domain does not look into who is not.
TEST(tracing) {
    ll_needed();
    IN_CHILD {
        pid_t outside = ASSERT_OK(fork());
        if (outside == 0)
            for (;;)
                pause();
        ll_enter(ll_ruleset(FS_MAKE_SOCK, 0, 0));
        pid_t inside = ASSERT_OK(fork());
        if (inside == 0)
            for (;;)
                pause();
        EXPECT_ERRNO(ptrace(PTRACE_ATTACH, outside, 0, 0), EPERM);
        EXPECT_OK(ptrace(PTRACE_ATTACH, inside, 0, 0));
        kill(outside, SIGKILL);
        kill(inside, SIGKILL);
        wait_status(outside);
        wait_status(inside);
    }
}

// ... nor does it when who is not asks for it.
TEST(tracing_that_is_offered) {
    ll_needed();
    IN_CHILD {
        int go[2];
        ASSERT_OK(pipe(go));
        pid_t outside = ASSERT_OK(fork());
        if (outside == 0) {
            char c;
            bool told = read(go[0], &c, 1) == 1;
            _exit(told && ptrace(PTRACE_TRACEME, 0, 0, 0) == -1 && errno == EPERM ? 0 : 1);
        }
        ll_enter(ll_ruleset(FS_MAKE_SOCK, 0, 0));
        ASSERT_OK(write(go[1], "g", 1));
        EXPECT_EQ(wait_status(outside), 0);
        pid_t inside = ASSERT_OK(fork());
        if (inside == 0)
            _exit(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 ? 0 : 1);
        EXPECT_EQ(wait_status(inside), 0);
    }
}
