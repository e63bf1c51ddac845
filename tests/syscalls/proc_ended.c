// SPDX-License-Identifier: Apache-2.0
// covers: open, read, readlink, getdents64
// What /proc says of a process that has no memory, files or place any more: a zombie, a leader that ended
// before its threads, and the first process (man 5 proc). auxv and environ are empty before Linux 6.14, and
// cannot be opened since.
#include "guest.h"

#include <sys/resource.h>
#include <sys/wait.h>

static char path[96], text[8192];

// Bytes of /proc/PID/name in text, or -errno of what failed.
static long show(pid_t pid, const char *name)
{
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    long result = n < 0 ? -errno : n;
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return result;
}

static long follow(pid_t pid, const char *name)
{
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return readlink(path, text, sizeof(text)) < 0 ? -errno : 0;
}

static long entries(pid_t pid, const char *name)
{
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    DIR *dir = opendir(path);
    if (!dir)
        return -errno;
    long n = 0;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.';
    long result = errno ? -errno : n;
    closedir(dir);
    return result;
}

static const char *field(const char *name)
{
    static char value[128];
    const char *at = strstr(text, name);
    snprintf(value, sizeof(value), "%.*s", at ? (int)strcspn(at + strlen(name), "\n") : 0,
             at ? at + strlen(name) : "");
    return value;
}

static void check_without_memory(pid_t pid)
{
    EXPECT_EQ(show(pid, "cmdline"), 0);
    EXPECT_EQ(show(pid, "maps"), 0);
    EXPECT_EQ(show(pid, "smaps"), 0);
    EXPECT_EQ(show(pid, "smaps_rollup"), -ESRCH);
    EXPECT_EQ(show(pid, "coredump_filter"), 0);
    EXPECT_TRUE(show(pid, "statm") > 0 && !strcmp(text, "0 0 0 0 0 0 0\n"));
    long auxv = show(pid, "auxv"), environ = show(pid, "environ");
    if (geteuid() == 0)
        EXPECT_TRUE((auxv == 0 && environ == 0) || (auxv == -ESRCH && environ == -ESRCH));
    else
        EXPECT_TRUE(auxv == -EACCES && environ == -EACCES); // what has no memory belongs to root
    EXPECT_EQ(follow(pid, "exe"), -ENOENT);
    EXPECT_TRUE(show(pid, "status") > 0 && !strstr(text, "VmSize"));
}

static void check_zombie(pid_t pid, long threads)
{
    check_without_memory(pid);
    EXPECT_TRUE(show(pid, "status") > 0);
    EXPECT_STREQ(field("State:"), "\tZ (zombie)");
    EXPECT_STREQ(field("FDSize:"), "\t0");
    EXPECT_TRUE(!strstr(text, "Umask:"));
    EXPECT_EQ(show(pid, "mounts"), -EINVAL);
    EXPECT_EQ(show(pid, "mountinfo"), -EINVAL);
    EXPECT_EQ(show(pid, "mountstats"), geteuid() ? -EACCES : -EINVAL);
    EXPECT_EQ(follow(pid, "cwd"), -ENOENT);
    EXPECT_EQ(follow(pid, "root"), -ENOENT);
    EXPECT_EQ(follow(pid, "ns/mnt"), -ENOENT);
    EXPECT_EQ(follow(pid, "ns/uts"), -ENOENT);
    EXPECT_EQ(follow(pid, "ns/user"), 0);
    EXPECT_EQ(entries(pid, "net"), -EINVAL);
    EXPECT_EQ(show(pid, "net/dev"), -ENOENT);
    EXPECT_EQ(entries(pid, "fd"), geteuid() && pid != getpid() ? -EACCES : 0);
    EXPECT_EQ(entries(pid, "fdinfo"), 0);
    EXPECT_EQ(entries(pid, "task"), threads);
    EXPECT_TRUE(show(pid, "limits") > 0 && strstr(text, "Max open files"));
    EXPECT_TRUE(show(pid, "cgroup") > 0);
    EXPECT_TRUE(show(pid, "comm") > 0);
    EXPECT_STREQ(text, "proc_ended\n");
}

static pid_t zombie(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    ASSERT_OK(pid);
    ASSERT_OK(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT));
    return pid;
}

TEST(a_zombie)
{
    pid_t pid = zombie();
    check_zombie(pid, 1);
    EXPECT_TRUE(show(pid, "stat") > 0);
    EXPECT_EQ(atoi(strrchr(text, ' ')), 3 << 8);
    EXPECT_EQ(wait_exit(pid), 3);
    EXPECT_EQ(show(pid, "status"), -ENOENT);
}

TEST(another_users_zombie)
{
    if (geteuid() != 0)
        SKIP("needs root");
    pid_t pid = zombie();
    IN_CHILD {
        ASSERT_OK(setresuid(65534, 65534, 65534));
        EXPECT_EQ(show(pid, "maps"), 0); // there is nothing to protect
        EXPECT_EQ(show(pid, "smaps_rollup"), -ESRCH);
        EXPECT_EQ(show(pid, "environ"), -EACCES);
        EXPECT_EQ(follow(pid, "cwd"), -EACCES);
        EXPECT_EQ(entries(pid, "fd"), -EACCES);
        EXPECT_EQ(show(pid, "timerslack_ns"), -EPERM);
        EXPECT_EQ(show(getppid(), "maps"), -EACCES);
    }
    EXPECT_EQ(wait_exit(pid), 3);
}

static void *after_the_leader(void *arg)
{
    for (int i = 0; i < 15000 && (show(getpid(), "status") <= 0 || !strstr(text, "(zombie)")); i++)
        sleep_ms(1);
    check_zombie(getpid(), 2);
    _exit(atomic_load(&guest.failures) ? 1 : 0);
}

TEST(a_leader_that_ended_first)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        pthread_t thread;
        ASSERT_EQ(pthread_create(&thread, NULL, after_the_leader, NULL), 0);
        pthread_exit(NULL);
    }
    EXPECT_EQ(wait_exit(pid), 0);
}

// Its limits are what pam_limits(8) gives to the sessions that su and sudo open.
TEST(limits_of_the_first_process)
{
    ASSERT_TRUE(show(1, "limits") > 0);
    unsigned long soft = 0, hard = 0;
    const char *line = strstr(text, "Max open files");
    ASSERT_TRUE(line && sscanf(line, "Max open files %lu %lu", &soft, &hard) == 2);
    EXPECT_GE(soft, 64);
    EXPECT_GE(hard, soft);
    line = strstr(text, "Max cpu time");
    EXPECT_TRUE(line && strstr(line, "unlimited"));
    struct rlimit r;
    EXPECT_OK(prlimit(1, RLIMIT_NOFILE, NULL, &r) < 0 && errno == EPERM ? 0 : (int)(r.rlim_cur != soft));
}

// What may be looked into depends on who asks; what it is does not.
TEST(files_of_the_first_process)
{
    EXPECT_TRUE(show(1, "status") > 0);
    EXPECT_STREQ(field("PPid:"), "\t0");
    EXPECT_TRUE(strcmp(field("CapBnd:"), "\t0000000000000000") != 0);
    EXPECT_TRUE(strcmp(field("SigQ:"), "\t0/0") != 0);
    EXPECT_TRUE(show(1, "stat") > 0);
    EXPECT_TRUE(show(1, "comm") > 0);
    EXPECT_TRUE(show(1, "mounts") > 0 || geteuid());
    EXPECT_GE(entries(1, "task"), 1);
    long root = follow(1, "root"), cwd = follow(1, "cwd"), fds = entries(1, "fd");
    EXPECT_TRUE(root == 0 || root == -EACCES);
    EXPECT_TRUE(cwd == root);
    EXPECT_TRUE(fds >= 0 || fds == -EACCES);
    EXPECT_TRUE(geteuid() == 0 || (root == -EACCES && fds == -EACCES));
}

TEST(children_of_a_thread)
{
    pid_t pid = zombie();
    snprintf(path, sizeof(path), "task/%d/children", getpid());
    char name[96], want[32];
    snprintf(name, sizeof(name), "%s", path);
    long n = show(getpid(), name);
    if (n == -ENOENT)
        SKIP("a kernel without CONFIG_PROC_CHILDREN");
    snprintf(want, sizeof(want), "%d ", pid);
    EXPECT_STREQ(text, want);
    EXPECT_EQ(wait_exit(pid), 3);
    EXPECT_EQ(show(getpid(), name), 0);
}

static pid_t sleeper(ino_t *ino) {
    struct stat st = {0};
    pid_t child = fork_child();
    if (child == 0)
        for (;;)
            pause();
    snprintf(path, sizeof(path), "/proc/%d", child);
    EXPECT_OK(stat(path, &st));
    *ino = st.st_ino;
    return child;
}

static void end(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

// Two processes are two directories, though they have one number.
TEST(a_number_used_again) {
    for (int tries = 0; tries < 50; tries++) {
        ino_t first, second;
        pid_t was = sleeper(&first), now;
        end(was);
        int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
        bool set = fd >= 0 && dprintf(fd, "%d", was - 1) > 0;
        if (fd >= 0)
            close(fd);
        if (!set)
            SKIP("cannot choose the next number");
        now = sleeper(&second);
        end(now);
        if (now == was) {
            EXPECT_TRUE(first != second);
            return;
        }
    }
    SKIP("others took the number each time");
}

TEST(listed_numbers_are_those_of_the_objects) {
    struct stat st;
    DIR *dir = opendir("/proc");
    ASSERT_TRUE(dir != NULL);
    for (struct dirent *e; (e = readdir(dir));) {
        snprintf(path, sizeof(path), "%d", getpid());
        if (strcmp(e->d_name, path) == 0) {
            EXPECT_OK(fstatat(dirfd(dir), path, &st, 0));
            EXPECT_EQ(st.st_ino, e->d_ino);
        }
    }
    closedir(dir);
}
