// SPDX-License-Identifier: Apache-2.0
// covers: open, read, readlink, getdents64
// Directories of other processes and of threads: listing, content, disappearance (man 5 proc).
#include "guest.h"

static char path[64], text[4096];

static const char *in_proc(pid_t pid, const char *name)
{
    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return path;
}

static bool listed(const char *directory, pid_t pid)
{
    bool found = false;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        found |= atoi(entry->d_name) == pid;
    if (dir)
        closedir(dir);
    return found;
}

TEST(child)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[0], 55);
        if (chdir("/") == 0)
            write(fds[1], "x", 1);
        for (;;)
            pause();
    }
    char c;
    EXPECT_EQ(read(fds[0], &c, 1), 1);
    EXPECT_TRUE(listed("/proc", pid));
    EXPECT_TRUE(get_file(in_proc(pid, "stat"), text, sizeof(text)) > 0);
    int got, parent;
    char state;
    EXPECT_EQ(sscanf(text, "%d (proc_pid) %c %d", &got, &state, &parent), 3);
    EXPECT_EQ(got, pid);
    EXPECT_EQ(parent, getpid());
    memset(text, 0, sizeof(text));
    EXPECT_OK(readlink(in_proc(pid, "exe"), text, sizeof(text) - 1));
    EXPECT_STREQ(text, guest.exe);
    memset(text, 0, sizeof(text));
    EXPECT_OK(readlink(in_proc(pid, "cwd"), text, sizeof(text) - 1));
    EXPECT_STREQ(text, "/");
    EXPECT_OK(lstat(in_proc(pid, "fd/55"), &(struct stat){0}));
    EXPECT_TRUE(get_file(in_proc(pid, "cmdline"), text, sizeof(text)) > 0);
    EXPECT_TRUE(strstr(text, "proc_pid"));
    int dir = EXPECT_OK(open(in_proc(pid, ""), O_RDONLY | O_DIRECTORY));
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    EXPECT_TRUE(!listed("/proc", pid));
    EXPECT_ERRNO(access(in_proc(pid, "stat"), F_OK), ENOENT);
    EXPECT_TRUE(openat(dir, "stat", O_RDONLY) == -1);
    close(dir);
    close(fds[0]);
    close(fds[1]);
}

static void *stay(void *fd)
{
    char c;
    pid_t tid = gettid();
    write(((int *)fd)[1], &tid, sizeof(tid));
    return (void *)read(((int *)fd)[2], &c, 1);
}

TEST(threads)
{
    int fds[4];
    ASSERT_OK(pipe(fds));
    ASSERT_OK(pipe(fds + 2));
    pthread_t thread;
    pid_t tid;
    ASSERT_EQ(pthread_create(&thread, NULL, stay, fds), 0);
    EXPECT_EQ(read(fds[0], &tid, sizeof(tid)), sizeof(tid));
    EXPECT_TRUE(listed("/proc/self/task", tid));
    EXPECT_TRUE(listed("/proc/self/task", getpid()));
    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    EXPECT_TRUE(get_file(path, text, sizeof(text)) > 0);
    EXPECT_EQ(atoi(text), tid);
    close(fds[3]);
    pthread_join(thread, NULL);
    close(fds[0]);
    close(fds[1]);
    close(fds[2]);
}
