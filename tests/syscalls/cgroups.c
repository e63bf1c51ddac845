// SPDX-License-Identifier: Apache-2.0
// covers: mount, mkdir, rmdir, clone3, fork, unshare
// Control groups (man 7 cgroups, cgroup-v2.rst of Linux): made in the group that we are in, with the pids
// controller where it is to be had.
#include "guest.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char top[512], grp[600];

static int put(const char *dir, const char *file, const char *text) {
    char name[700];
    snprintf(name, sizeof name, "%s/%s", dir, file);
    int fd = open(name, O_WRONLY);
    if (fd < 0)
        return -1;
    long n = write(fd, text, strlen(text));
    int err = errno;
    close(fd);
    errno = err;
    return n < 0 ? -1 : 0;
}
static char *get(const char *dir, const char *file) {
    static char text[4096];
    char name[700];
    snprintf(name, sizeof name, "%s/%s", dir, file);
    memset(text, 0, sizeof text);
    return get_file(name, text, sizeof text - 1) < 0 ? strcpy(text, "?") : text;
}
static long get_number(const char *dir, const char *file) { return atol(get(dir, file)); }

// A group of our own below that one where we are, with the pids controller.
static void own_group(void) {
    char self[512] = {0}, *path;
    if (geteuid() != 0)
        SKIP("needs root");
    if (unshare(CLONE_NEWNS) == -1)
        SKIP("needs CAP_SYS_ADMIN");
    ASSERT_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    mkdir("cg", 0755);
    if (mount("none", "cg", "cgroup2", 0, NULL) == -1)
        SKIP("no cgroup2");
    get_file("/proc/self/cgroup", self, sizeof self - 1);
    path = strstr(self, "0::");
    if (!path)
        SKIP("no cgroup v2");
    path[strcspn(path, "\n")] = '\0';
    snprintf(top, sizeof top, "cg%s", path + 3);
    if (top[strlen(top) - 1] == '/')
        top[strlen(top) - 1] = '\0';
    snprintf(grp, sizeof grp, "%s/t%d", top, getpid());
    if (put(top, "cgroup.subtree_control", "+pids") == -1 || mkdir(grp, 0755) == -1)
        SKIP("may not make groups here");
    if (!strstr(get(grp, "cgroup.controllers"), "pids"))
        SKIP("no pids controller");
}
static void end_group(void) {
    put(grp, "cgroup.kill", "1");
    for (int i = 0; i < 600 && rmdir(grp) == -1 && errno == EBUSY; i++)
        sleep_ms(100);
    EXPECT_ERRNO(access(grp, F_OK), ENOENT);
    umount2("cg", MNT_DETACH);
}
static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}
static int move(pid_t pid, const char *dir) {
    char text[16];
    snprintf(text, sizeof text, "%d", pid);
    return put(dir, "cgroup.procs", text);
}

TEST(files_and_tree) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        char sub[700];
        snprintf(sub, sizeof sub, "%s/sub", grp);
        EXPECT_STREQ(get(grp, "cgroup.procs"), "");
        EXPECT_STREQ(get(grp, "cgroup.type"), "domain\n");
        EXPECT_STREQ(get(grp, "cgroup.subtree_control"), "\n");
        EXPECT_STREQ(get(grp, "pids.max"), "max\n");
        EXPECT_EQ(get_number(grp, "pids.current"), 0);
        EXPECT_TRUE(!strncmp(get(grp, "cgroup.events"), "populated 0\n", 12));
        EXPECT_ERRNO(mkdir(grp, 0755), EEXIST);
        EXPECT_OK(mkdir(sub, 0755));
        EXPECT_STREQ(get(sub, "cgroup.controllers"), "\n");
        EXPECT_STREQ(get(sub, "pids.max"), "?");
        EXPECT_OK(put(grp, "cgroup.subtree_control", "+pids"));
        EXPECT_STREQ(get(sub, "cgroup.controllers"), "pids\n");
        EXPECT_STREQ(get(sub, "pids.max"), "max\n");
        EXPECT_TRUE(!strncmp(get(grp, "cgroup.stat"), "nr_descendants 1\n", 17));
        EXPECT_ERRNO(rmdir(grp), EBUSY);
        EXPECT_ERRNO(put(grp, "cgroup.subtree_control", "+nonsense"), EINVAL);
        EXPECT_ERRNO(put(grp, "pids.max", "-1"), EINVAL);
        EXPECT_ERRNO(put(grp, "pids.max", "many"), EINVAL);
        EXPECT_OK(put(grp, "cgroup.subtree_control", "-pids"));
        EXPECT_OK(rmdir(sub));
        EXPECT_ERRNO(put(grp, "cgroup.procs", "x"), EINVAL);
        EXPECT_ERRNO(put(grp, "cgroup.procs", "4194303"), ESRCH);
        end_group();
    }
}

TEST(moves_and_counts) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        char want[64], self[600];
        pid_t pid = sleeper();
        EXPECT_OK(move(pid, grp));
        snprintf(want, sizeof want, "%d\n", pid);
        EXPECT_STREQ(get(grp, "cgroup.procs"), want);
        EXPECT_STREQ(get(grp, "cgroup.threads"), want);
        EXPECT_EQ(get_number(grp, "pids.current"), 1);
        EXPECT_TRUE(!strncmp(get(grp, "cgroup.events"), "populated 1\n", 12));
        snprintf(want, sizeof want, "/t%d\n", getpid());
        snprintf(self, sizeof self, "/proc/%d", pid);
        EXPECT_TRUE(strstr(get(self, "cgroup"), want) != NULL);
        EXPECT_ERRNO(rmdir(grp), EBUSY);
        EXPECT_ERRNO(put(grp, "cgroup.subtree_control", "+pids"), EBUSY);
        EXPECT_OK(move(pid, top));
        EXPECT_EQ(get_number(grp, "pids.current"), 0);
        EXPECT_OK(move(pid, grp));
        EXPECT_OK(put(grp, "cgroup.kill", "1"));
        EXPECT_EQ(wait_exit(pid), -SIGKILL);
        EXPECT_EQ(get_number(grp, "pids.current"), 0);
        end_group();
    }
}

static void *idle(void *arg) {
    pause();
    return arg;
}

TEST(pids_max) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        EXPECT_OK(put(grp, "pids.max", "3"));
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t a;
            int bad = move(getpid(), grp) != 0;
            pid_t one = sleeper();
            bad |= one < 0 ? 2 : 0;
            bad |= pthread_create(&a, NULL, idle, NULL) ? 4 : 0;
            bad |= fork() == -1 && errno == EAGAIN ? 0 : 8;
            bad |= pthread_create(&a, NULL, idle, NULL) == EAGAIN ? 0 : 16;
            bad |= get_number(grp, "pids.current") == 3 ? 0 : 32;
            kill(one, SIGKILL);
            siginfo_t info;
            waitid(P_PID, (id_t)one, &info, WEXITED | WNOWAIT);
            bad |= get_number(grp, "pids.current") == 3 ? 0 : 64;  // a zombie has its number
            waitpid(one, NULL, 0);
            one = sleeper();
            bad |= one > 0 ? 0 : 128;
            kill(one, SIGKILL);
            _exit(bad);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_EQ(get_number(grp, "pids.peak"), 3);
        EXPECT_TRUE(!strcmp(get(grp, "pids.events"), "max 2\n"));
        end_group();
    }
}

TEST(into_cgroup) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        uint64_t args[11] = {[0] = 0x200000000ull, [4] = SIGCHLD};
        int dir = ASSERT_OK(open(grp, O_PATH | O_DIRECTORY));
        args[10] = (uint64_t)dir;
        pid_t pid = (pid_t)syscall(SYS_clone3, args, sizeof args);
        if (pid == 0) {
            pause();
            _exit(0);
        }
        ASSERT_OK(pid);
        EXPECT_EQ(get_number(grp, "cgroup.procs"), pid);
        EXPECT_EQ(get_number(grp, "pids.current"), 1);
        EXPECT_OK(put(grp, "pids.max", "1"));
        EXPECT_ERRNO((int)syscall(SYS_clone3, args, sizeof args), EAGAIN);
        kill(pid, SIGKILL);
        EXPECT_EQ(wait_exit(pid), -SIGKILL);
        args[10] = (uint64_t)open("/", O_RDONLY);
        EXPECT_ERRNO((int)syscall(SYS_clone3, args, sizeof args), EBADF);
        args[10] = 1000;
        EXPECT_ERRNO((int)syscall(SYS_clone3, args, sizeof args), EBADF);
        args[10] = (uint64_t)dir;
        EXPECT_OK(rmdir(grp));
        EXPECT_ERRNO((int)syscall(SYS_clone3, args, sizeof args), ENODEV);
        end_group();
    }
}

// A full group of who makes a child is no matter to one that goes elsewhere.
TEST(into_another_cgroup) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        char other[700];
        snprintf(other, sizeof other, "%s-other", grp);
        ASSERT_OK(mkdir(other, 0755));
        int dir = ASSERT_OK(open(other, O_RDONLY | O_DIRECTORY));
        pid_t pid = fork();
        if (pid == 0) {
            uint64_t args[11] = {[0] = 0x200000000ull, [4] = SIGCHLD, [10] = (uint64_t)dir};
            int bad = move(getpid(), grp) || put(grp, "pids.max", "1");
            bad |= fork() == -1 && errno == EAGAIN ? 0 : 2;
            pid_t one = (pid_t)syscall(SYS_clone3, args, sizeof args);
            if (one == 0)
                _exit(0);
            bad |= one > 0 && waitpid(one, NULL, 0) == one ? 0 : 4;
            _exit(bad);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        EXPECT_OK(rmdir(other));
        end_group();
    }
}

// Who removes what it lists meets every one, as rm -r and runtimes' clean-ups do.
TEST(removed_while_listed) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        enum { GROUPS = 300 };
        char name[700];
        for (int i = 0; i < GROUPS; i++) {
            snprintf(name, sizeof name, "%s/a-name-of-some-length-%d", grp, i);
            ASSERT_OK(mkdir(name, 0755));
        }
        int fd = ASSERT_OK(open(grp, O_RDONLY | O_DIRECTORY)), removed = 0;
        char buf[2048];
        for (long n; (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0;)
            for (long at = 0; at < n;) {
                struct dirent64 *e = (struct dirent64 *)(buf + at);
                if (*e->d_name == 'a')
                    removed += unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0;
                at += e->d_reclen;
            }
        EXPECT_EQ(removed, GROUPS);
        close(fd);
        end_group();
    }
}

static void become(const char *role, const char *arg) {
    char *argv[] = {guest.exe, (char *)role, (char *)arg, NULL};
    execv(guest.exe, argv);
}
static void *exec_pauser(void *arg) {
    pthread_t a;
    pthread_create(&a, NULL, idle, NULL);
    become("pauser", arg);
    _exit(1);
}
ROLE(pauser) {
    if (write(atoi(argv[2]), "x", 1) != 1)
        return 1;
    pause();
    return 0;
}
ROLE(execs_in_a_thread) {
    pthread_t a;
    if (pthread_create(&a, NULL, exec_pauser, argv[2]))
        return 1;
    pause();
    return 0;
}
// The one that is left after another thread than the leader has run a program is one.
TEST(exec_by_a_thread) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        int fds[2];
        char number[16], c;
        ASSERT_OK(pipe(fds));
        snprintf(number, sizeof number, "%d", fds[1]);
        pid_t pid = fork();
        if (pid == 0) {
            if (move(getpid(), grp) == 0)
                become("execs_in_a_thread", number);
            _exit(1);
        }
        close(fds[1]);
        EXPECT_EQ(read(fds[0], &c, 1), 1);
        EXPECT_EQ(get_number(grp, "pids.current"), 1);
        EXPECT_OK(put(grp, "cgroup.kill", "1"));
        EXPECT_EQ(wait_exit(pid), -SIGKILL);
        EXPECT_EQ(get_number(grp, "pids.current"), 0);
        end_group();
    }
}

TEST(events_are_told) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        char name[700], text[64];
        snprintf(name, sizeof name, "%s/cgroup.events", grp);
        struct pollfd f = {.fd = ASSERT_OK(open(name, O_RDONLY)), .events = POLLPRI};
        EXPECT_TRUE(read(f.fd, text, sizeof text) > 0);
        EXPECT_EQ(poll(&f, 1, 0), 0);
        pid_t pid = sleeper();
        EXPECT_OK(move(pid, grp));
        EXPECT_EQ(poll(&f, 1, 60000), 1);
        EXPECT_TRUE(f.revents & POLLPRI);
        EXPECT_TRUE(pread(f.fd, text, sizeof text, 0) > 0);
        EXPECT_TRUE(!strncmp(text, "populated 1\n", 12));
        EXPECT_EQ(poll(&f, 1, 0), 0);
        kill(pid, SIGKILL);
        EXPECT_EQ(poll(&f, 1, 60000), 1);
        wait_exit(pid);
        close(f.fd);
        end_group();
    }
}

// A namespace begins at the group of who makes it.
TEST(namespace) {
    in_tmpdir();
    IN_CHILD {
        own_group();
        pid_t pid = fork();
        if (pid == 0) {
            int bad = move(getpid(), grp) != 0;
            bad |= unshare(CLONE_NEWCGROUP) ? 2 : 0;
            bad |= strstr(get("/proc/self", "cgroup"), "0::/\n") ? 0 : 4;
            mkdir("own", 0755);
            bad |= mount("none", "own", "cgroup2", 0, NULL) ? 8 : 0;
            bad |= mkdir("own/inner", 0755) ? 16 : 0;
            bad |= move(getpid(), "own/inner") ? 32 : 0;
            bad |= strstr(get("/proc/self", "cgroup"), "0::/inner\n") ? 0 : 64;
            bad |= move(getpid(), top) == -1 && errno == ENOENT ? 0 : 128;
            bad |= move(getpid(), "own") ? 128 : 0;
            bad |= rmdir("own/inner") ? 16 : 0;
            _exit(bad);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        end_group();
    }
}

TEST(delegation) {
    in_tmpdir();
    chmod(".", 0755);
    IN_CHILD {
        own_group();
        char sub[700], procs[760];
        snprintf(sub, sizeof sub, "%s/sub", grp);
        ASSERT_OK(chown(grp, 4321, 4321));
        snprintf(procs, sizeof procs, "%s/cgroup.procs", grp);
        ASSERT_OK(chown(procs, 4321, 4321));
        pid_t pid = fork();
        if (pid == 0) {
            int bad = move(getpid(), grp) != 0;
            if (setresgid(4321, 4321, 4321) || setresuid(4321, 4321, 4321))
                _exit(99);
            bad |= mkdir(sub, 0755) ? 2 : 0;
            bad |= move(getpid(), sub) ? 4 : 0;
            bad |= move(getpid(), grp) ? 8 : 0;
            bad |= move(getpid(), top) == -1 && errno == EACCES ? 0 : 16;
            bad |= put(grp, "pids.max", "1") == -1 && errno == EACCES ? 0 : 32;
            bad |= rmdir(sub) ? 64 : 0;
            _exit(bad);
        }
        EXPECT_EQ(wait_exit(pid), 0);
        end_group();
    }
}

TEST(first_read_within_the_text) {
    char byte = 0;
    int fd = open("/sys/fs/cgroup/cgroup.controllers", O_RDONLY);
    if (fd < 0)
        SKIP("no cgroup2 here");
    EXPECT_EQ(pread(fd, &byte, 1, 1), 1);
    close(fd);
}
