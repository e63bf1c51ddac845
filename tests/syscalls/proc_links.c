// SPDX-License-Identifier: Apache-2.0
// covers: stat, fstat, mkdir, rmdir
// Link counts of directories: two, and one for each directory in them, threads and processes included (man 5
// proc; programs count their threads by /proc/self/task). Directories below /proc/sys have one.
#include "guest.h"

static long links(const char *path)
{
    struct stat st;
    return stat(path, &st) < 0 ? -errno : (long)st.st_nlink;
}

// Two, and the directories that are listed.
static long expected(const char *path)
{
    long n = 2;
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        n += entry->d_type == DT_DIR && entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static _Atomic bool done;
static void *wait_for_end(void *arg)
{
    while (!atomic_load(&done))
        sleep_ms(1);
    return NULL;
}

TEST(threads)
{
    pthread_t threads[4];
    int fd = ASSERT_OK(open("/proc/self/task", O_RDONLY | O_DIRECTORY));
    EXPECT_EQ(links("/proc/self/task"), 3);
    for (int i = 0; i < 4; i++)
        ASSERT_EQ(pthread_create(&threads[i], NULL, wait_for_end, NULL), 0);
    EXPECT_EQ(links("/proc/self/task"), 7);
    EXPECT_EQ(links("/proc/thread-self/../../task"), 7);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 7); // of a directory that was opened before
    atomic_store(&done, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 15000 && links("/proc/self/task") != 3; i++)
        sleep_ms(1);
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 3);
    close(fd);
}

TEST(of_a_process)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d", getpid());
    EXPECT_EQ(links(path), expected(path));
    snprintf(path, sizeof(path), "/proc/self/task/%d", getpid());
    EXPECT_EQ(links(path), expected(path));
    EXPECT_EQ(links("/proc/self/fd"), 2);
    EXPECT_EQ(links("/proc/self/fdinfo"), 2);
    EXPECT_EQ(links("/proc/self/ns"), 2);
    EXPECT_EQ(links("/proc/self/net"), expected("/proc/self/net"));
    EXPECT_EQ(links("/proc/self/status"), 1);
}

// Others come and go meanwhile.
TEST(of_all_processes)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    bool equal = false;
    for (int i = 0; i < 1000 && !equal; i++) {
        long before = expected("/proc"), counted = links("/proc");
        equal = counted == before && counted == expected("/proc");
    }
    EXPECT_TRUE(equal);
    EXPECT_GE(links("/proc"), 4);
    EXPECT_EQ(wait_exit(pid), 0);
}

TEST(of_sysctl)
{
    EXPECT_EQ(links("/proc/sys"), 1);
    EXPECT_EQ(links("/proc/sys/kernel"), 1);
    EXPECT_EQ(links("/proc/sys/fs"), 1);
    EXPECT_EQ(links("/proc/sysvipc"), 2);
}

TEST(of_made_directories)
{
    in_tmpdir();
    struct stat st;
    ASSERT_OK(stat(".", &st));
    if (st.st_nlink == 1)
        SKIP("this file system does not count the links of directories");
    EXPECT_EQ(links("."), 2);
    ASSERT_OK(mkdir("a", 0700));
    ASSERT_OK(mkdir("b", 0700));
    ASSERT_OK(mkdir("a/c", 0700));
    EXPECT_EQ(links("."), 4);
    EXPECT_EQ(links("a"), 3);
    ASSERT_OK(rename("a/c", "b/c"));
    EXPECT_EQ(links("a"), 2);
    EXPECT_EQ(links("b"), 3);
    ASSERT_OK(rmdir("b/c"));
    ASSERT_OK(rmdir("b"));
    EXPECT_EQ(links("."), 3);
}

TEST(of_mounted_ones)
{
    EXPECT_EQ(links("/dev"), expected("/dev"));
    EXPECT_EQ(links("/dev/shm"), expected("/dev/shm"));
}
