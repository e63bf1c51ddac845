// SPDX-License-Identifier: Apache-2.0
// covers: mount, umount2, pivot_root, unshare
// Propagation of mounts (man 7 mount_namespaces): who hears of what, and what mountinfo says of it.
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

// The optional fields of the mount at that name, each with its number; how many lie there.
struct seen {
    int here, shared, master, from, unbindable;
    char root[256];
};
static struct seen look(const char *name) {
    static char text[262144];
    struct seen s = {0};
    char want[2 * PATH_MAX];
    snprintf(want, sizeof(want), "%s/%s", guest.tmpdir, name);
    int fd = ASSERT_OK(open("/proc/self/mountinfo", O_RDONLY));
    long n = 0, r;
    while ((r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
        n += r;
    text[n] = 0;
    close(fd);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char root[256], at[512];
        if (sscanf(line, "%*d %*d %*s %255s %511s", root, at) != 2 || strcmp(at, want))
            continue;
        const char *f = strstr(line, " shared:"), *m = strstr(line, " master:");
        const char *p = strstr(line, " propagate_from:");
        s.here++;
        s.shared = f ? atoi(f + 8) : 0;
        s.master = m ? atoi(m + 8) : 0;
        s.from = p ? atoi(p + 16) : 0;
        s.unbindable = strstr(line, " unbindable ") != NULL;
        strcpy(s.root, root);
    }
    return s;
}

static void dirs(const char *names) {
    char copy[512];
    strcpy(copy, names);
    for (char *d = strtok(copy, " "); d; d = strtok(NULL, " "))
        ASSERT_OK(mkdir(d, 0755));
}
static void bind(const char *from, const char *to) { ASSERT_OK(mount(from, to, NULL, MS_BIND, NULL)); }
static void make(const char *at, unsigned long kind) { ASSERT_OK(mount(NULL, at, NULL, kind, NULL)); }
static void tmpfs(const char *at) { ASSERT_OK(mount("t", at, "tmpfs", 0, "size=64k")); }
// A mount of its own at that name.
static void own(const char *at, unsigned long kind) {
    bind(at, at);
    make(at, kind);
}

TEST(kinds) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a b c d");
        own("a", MS_SHARED);
        struct seen a = look("a");
        EXPECT_TRUE(a.shared > 0 && !a.master && !a.unbindable);
        bind("a", "b");
        EXPECT_EQ(look("b").shared, a.shared);
        make("b", MS_SLAVE);
        EXPECT_EQ(look("b").shared, 0);
        EXPECT_EQ(look("b").master, a.shared);
        bind("b", "c");
        EXPECT_EQ(look("c").master, a.shared);
        make("c", MS_SHARED);
        EXPECT_EQ(look("c").master, a.shared);
        EXPECT_TRUE(look("c").shared && look("c").shared != a.shared);
        make("c", MS_PRIVATE);
        EXPECT_TRUE(!look("c").shared && !look("c").master);
        make("c", MS_UNBINDABLE);
        EXPECT_TRUE(look("c").unbindable);
        EXPECT_ERRNO(mount("c", "d", NULL, MS_BIND, NULL), EINVAL);
        make("c", MS_SLAVE);  // nobody's: as it was
        EXPECT_TRUE(look("c").unbindable);
        make("c", MS_SHARED);
        EXPECT_TRUE(!look("c").unbindable && look("c").shared);
        EXPECT_ERRNO(mount(NULL, "d", NULL, MS_SHARED, NULL), EINVAL);
        EXPECT_ERRNO(mount(NULL, "c", NULL, MS_SHARED | MS_SLAVE, NULL), EINVAL);
        EXPECT_ERRNO(mount(NULL, "c", NULL, MS_SHARED | MS_RDONLY, NULL), EINVAL);
    }
}

TEST(peers_hear) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x a/y b c");
        own("a", MS_SHARED);
        bind("a", "b");
        bind("a/x", "c");  // sees only what lies below x
        tmpfs("a/x");
        EXPECT_EQ(look("b/x").here, 1);
        EXPECT_EQ(look("b/x").shared, look("a/x").shared);
        EXPECT_EQ(look("c").here, 2);  // covered
        tmpfs("b/y");
        EXPECT_EQ(look("a/y").here, 1);
        EXPECT_OK(umount2("b/x", 0));
        EXPECT_EQ(look("a/x").here, 0);
        EXPECT_EQ(look("c").here, 1);
        put_file("a/y/f", "x");
        int fd = ASSERT_OK(open("b/y/f", O_RDONLY));
        EXPECT_ERRNO(umount2("a/y", 0), EBUSY);  // the other's is in use
        EXPECT_OK(umount2("a/y", MNT_DETACH));
        EXPECT_EQ(look("b/y").here, 0);
        close(fd);
    }
}

TEST(slaves_hear_and_do_not_tell) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x a/y b c");
        own("a", MS_SHARED);
        bind("a", "b");
        make("b", MS_SLAVE);
        bind("b", "c");
        make("c", MS_SHARED);  // a slave of a, and a group of its own
        tmpfs("a/x");
        EXPECT_EQ(look("b/x").master, look("a/x").shared);
        EXPECT_EQ(look("b/x").shared, 0);
        EXPECT_EQ(look("c/x").master, look("a/x").shared);
        EXPECT_TRUE(look("c/x").shared > 0 && look("c/x").shared != look("a/x").shared);
        tmpfs("b/y");
        EXPECT_EQ(look("a/y").here, 0);
        EXPECT_OK(umount2("b/x", 0));
        EXPECT_EQ(look("a/x").here, 1);
        EXPECT_OK(umount2("a/x", 0));
        EXPECT_EQ(look("c/x").here, 0);
        EXPECT_EQ(look("b/y").here, 1);
    }
}

// The nearest group that can be seen stands for those between.
TEST(chains_of_slaves) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x b c d");
        own("a", MS_SHARED);
        bind("a", "b");
        make("b", MS_SLAVE);
        make("b", MS_SHARED);
        bind("b", "c");
        make("c", MS_SLAVE);
        int middle = look("b").shared;
        EXPECT_EQ(look("c").master, middle);
        EXPECT_EQ(look("c").from, 0);
        tmpfs("a/x");
        EXPECT_EQ(look("b/x").master, look("a/x").shared);
        EXPECT_EQ(look("c/x").master, look("b/x").shared);
        EXPECT_OK(umount2("a/x", 0));
        ASSERT_OK(umount2("b", 0));  // c hears of a now
        EXPECT_EQ(look("c").master, look("a").shared);
        tmpfs("a/x");
        EXPECT_EQ(look("c/x").here, 1);
    }
}

// What is mounted comes to lie below what a slave has there already, and goes without it.
TEST(tucked_below) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x b");
        own("a", MS_SHARED);
        bind("a", "b");
        make("b", MS_SLAVE);
        tmpfs("b/x");
        put_file("b/x/own", "x");
        tmpfs("a/x");
        EXPECT_EQ(look("b/x").here, 2);
        EXPECT_OK(access("b/x/own", F_OK));
        EXPECT_OK(umount2("a/x", 0));
        EXPECT_EQ(look("b/x").here, 1);
        EXPECT_OK(access("b/x/own", F_OK));
        EXPECT_OK(umount2("b/x", 0));
        EXPECT_EQ(look("b/x").here, 0);
        EXPECT_ERRNO(access("b/x/own", F_OK), ENOENT);
    }
}

// A copy that something of its owner's lies on stays.
TEST(what_is_used_stays) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x b");
        own("a", MS_SHARED);
        bind("a", "b");
        make("b", MS_SLAVE);
        tmpfs("a/x");
        dirs("a/x/in");
        tmpfs("b/x/in");
        EXPECT_OK(umount2("a/x", 0));
        EXPECT_EQ(look("b/x").here, 1);
        EXPECT_EQ(look("b/x/in").here, 1);
        EXPECT_EQ(look("b/x").master, 0);
    }
}

TEST(trees) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x b from from/in to");
        own("from", MS_PRIVATE);
        tmpfs("from/in");
        own("a", MS_SHARED);
        bind("a", "b");
        ASSERT_OK(mount("from", "a/x", NULL, MS_BIND | MS_REC, NULL));
        EXPECT_EQ(look("b/x").here, 1);
        EXPECT_EQ(look("b/x/in").shared, look("a/x/in").shared);
        EXPECT_TRUE(look("b/x/in").shared > 0);
        EXPECT_ERRNO(umount2("a/x", 0), EBUSY);
        EXPECT_OK(umount2("a/x", MNT_DETACH));
        EXPECT_EQ(look("b/x").here, 0);
        EXPECT_EQ(look("b/x/in").here, 0);
        // What is not to be bound is left out.
        make("from/in", MS_UNBINDABLE);
        ASSERT_OK(mount("from", "to", NULL, MS_BIND | MS_REC, NULL));
        EXPECT_EQ(look("to").here, 1);
        EXPECT_EQ(look("to/in").here, 0);
        EXPECT_STREQ(strrchr(look("to").root, '/'), "/from");
    }
}

TEST(moves) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a a/x a/y b p q q/in file_place");
        put_file("file", "");
        own("a", MS_SHARED);
        bind("a", "b");
        tmpfs("a/x");
        EXPECT_ERRNO(mount("a/x", "q", NULL, MS_MOVE, NULL), EINVAL);  // off a shared one
        tmpfs("p");
        EXPECT_ERRNO(mount("p", "file", NULL, MS_MOVE, NULL), EINVAL);
        EXPECT_OK(mount("p", "a/y", NULL, MS_MOVE, NULL));
        EXPECT_EQ(look("p").here, 0);
        EXPECT_EQ(look("b/y").here, 1);
        EXPECT_TRUE(look("a/y").shared && look("a/y").shared == look("b/y").shared);
        own("q", MS_PRIVATE);
        tmpfs("q/in");
        make("q/in", MS_UNBINDABLE);
        EXPECT_ERRNO(mount("q", "a/x", NULL, MS_MOVE, NULL), EINVAL);
        EXPECT_OK(mount("q", "p", NULL, MS_MOVE, NULL));
        EXPECT_TRUE(look("p/in").unbindable);
    }
}

TEST(pivot_wants_private_ones) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("new");
        tmpfs("new");
        dirs("new/old");
        make(".", MS_SHARED);
        EXPECT_ERRNO(syscall(SYS_pivot_root, "new", "new/old"), EINVAL);
        make(".", MS_PRIVATE);
        make("new", MS_SHARED);
        EXPECT_ERRNO(syscall(SYS_pivot_root, "new", "new/old"), EINVAL);
        make("new", MS_PRIVATE);
        EXPECT_OK(syscall(SYS_pivot_root, "new", "new/old"));
    }
}

// pivot_root(2): without a place for the old root.
TEST(pivot_onto_itself) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("new");
        tmpfs("new");
        put_file("new/here", "x");
        ASSERT_OK(chdir("new"));
        ASSERT_OK(syscall(SYS_pivot_root, ".", "."));
        ASSERT_OK(umount2(".", MNT_DETACH));
        ASSERT_OK(chdir("/"));
        EXPECT_OK(access("/here", F_OK));
        EXPECT_ERRNO(access("/proc", F_OK), ENOENT);
    }
}

TEST(expire) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a");
        tmpfs("a");
        put_file("a/f", "x");
        int fd = ASSERT_OK(open("a/f", O_RDONLY));
        EXPECT_ERRNO(umount2("a", MNT_EXPIRE), EBUSY);
        close(fd);
        EXPECT_ERRNO(umount2("a", MNT_EXPIRE), EAGAIN);
        close(ASSERT_OK(open("a/f", O_RDONLY)));  // used: the mark is gone
        EXPECT_ERRNO(umount2("a", MNT_EXPIRE), EAGAIN);
        EXPECT_OK(umount2("a", MNT_EXPIRE));
        EXPECT_EQ(look("a").here, 0);
        EXPECT_ERRNO(umount2("/", MNT_EXPIRE), EINVAL);
    }
}

TEST(nofollow) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a");
        tmpfs("a");
        ASSERT_OK(symlink("a", "link"));
        EXPECT_ERRNO(umount2("link", UMOUNT_NOFOLLOW), EINVAL);
        EXPECT_OK(umount2("link", 0));
        EXPECT_EQ(look("a").here, 0);
    }
}

static char wait_byte(int fd) {
    char c = 0;
    EXPECT_EQ(read(fd, &c, 1), 1);
    return c;
}
static void tell(int fd) { EXPECT_EQ(write(fd, "x", 1), 1); }

TEST(across_namespaces) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        int down[2], up[2];
        dirs("a a/x a/y");
        own("a", MS_SHARED);
        ASSERT_OK(pipe(down));
        ASSERT_OK(pipe(up));
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(unshare(CLONE_NEWNS));
            EXPECT_TRUE(look("a").shared > 0);
            tell(up[1]);
            wait_byte(down[0]);
            EXPECT_EQ(look("a/x").here, 1);
            tmpfs("a/y");
            tell(up[1]);
            wait_byte(down[0]);
            EXPECT_EQ(look("a/x").here, 0);
            _exit(guest.failures ? 1 : 0);
        }
        wait_byte(up[0]);
        tmpfs("a/x");
        tell(down[1]);
        wait_byte(up[0]);
        EXPECT_EQ(look("a/y").here, 1);
        EXPECT_OK(umount2("a/x", 0));
        tell(down[1]);
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_EQ(look("a/y").here, 1);  // the end of a namespace is told to nobody
    }
}

// Another owner's copy is a slave of ours, whose mounts come off when we take ours, and not by itself.
TEST(less_privileged) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        int down[2], up[2];
        dirs("a a/x a/y a/z");
        own("a", MS_SHARED);
        tmpfs("a/x");
        ASSERT_OK(pipe(down));
        ASSERT_OK(pipe(up));
        int group = look("a").shared;
        pid_t pid = fork_child();
        if (pid == 0) {
            ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
            EXPECT_EQ(look("a").shared, 0);
            EXPECT_EQ(look("a").master, group);
            EXPECT_ERRNO(umount2("a/x", 0), EINVAL);  // locked
            EXPECT_ERRNO(umount2("a/x", MNT_DETACH), EINVAL);
            EXPECT_ERRNO(mount("a/x", "a/z", NULL, MS_MOVE, NULL), EINVAL);
            EXPECT_ERRNO(mount("a", "a/z", NULL, MS_BIND, NULL), EINVAL);  // would show what x covers
            EXPECT_OK(mount("a", "a/z", NULL, MS_BIND | MS_REC, NULL));
            EXPECT_ERRNO(umount2("a/z/x", 0), EINVAL);
            EXPECT_OK(umount2("a/z", MNT_DETACH));
            make("a", MS_SHARED);
            EXPECT_EQ(look("a").master, group);
            tmpfs("a/z");
            tell(up[1]);
            wait_byte(down[0]);
            EXPECT_EQ(look("a/y").here, 1);
            EXPECT_OK(umount2("a/y", 0));  // mounted later: its top comes off
            EXPECT_EQ(look("a/x").here, 0);
            _exit(guest.failures ? 1 : 0);
        }
        wait_byte(up[0]);
        EXPECT_EQ(look("a/z").here, 0);
        tmpfs("a/y");
        EXPECT_OK(umount2("a/x", 0));
        tell(down[1]);
        EXPECT_EQ(wait_exit(pid), 0);
    }
}

TEST(locked_flags) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        dirs("a b");
        ASSERT_OK(mount("t", "a", "tmpfs", MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME, NULL));
        tmpfs("b");
        ASSERT_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
        const unsigned long all = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;
        EXPECT_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | all, NULL));
        for (unsigned long f = 1; f <= MS_NOEXEC; f *= 2)
            EXPECT_ERRNO(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | (all & ~f), NULL), EPERM);
        EXPECT_ERRNO(mount(NULL, "a", NULL, MS_REMOUNT | MS_BIND | all | MS_RELATIME, NULL), EPERM);
        EXPECT_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
        EXPECT_OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND, NULL));
    }
}

// Each doubles what there is: the limit ends it, and nothing is half done.
TEST(a_bomb_is_limited) {
    in_tmpdir();
    IN_CHILD {
        own_mounts();
        char name[64];
        int made = 0, err = 0;
        dirs("a");
        own("a", MS_SHARED);
        for (int i = 0; i < 24 && !err; i++) {
            snprintf(name, sizeof(name), "a/%d", i);
            mkdir(name, 0755);
            err = mount("a", name, NULL, MS_BIND | MS_REC, NULL) == -1 ? errno : 0;
            made += !err;
        }
        EXPECT_EQ(err, ENOSPC);
        EXPECT_TRUE(made >= 3 && made < 24);
        EXPECT_OK(umount2("a", MNT_DETACH));
        dirs("b");
        tmpfs("b");
        EXPECT_EQ(look("b").here, 1);
    }
}
